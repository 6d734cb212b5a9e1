//! How to ask for a deletion, in both languages.

use std::future::ready;

use numib::api::described::Described;
use numib::api::who::ANYONE;
use schemars::SchemaGenerator;

use crate::app::Route;
use crate::pages;
use crate::text::Language;

pub(crate) static ENGLISH: Route = Route {
    key: "GET /en/data-deletion",
    name: "deletionInstructions",
    summary: "How to ask for a deletion",
    who: ANYONE,
    action: None,
    describe,
    handler: |_, _, _| Box::pin(ready(Ok(pages::instructions(Language::English)))),
};

pub(crate) static SPANISH: Route = Route {
    key: "GET /es/data-deletion",
    name: "deletionInstructionsInSpanish",
    summary: "How to ask for a deletion, in Spanish",
    who: ANYONE,
    action: None,
    describe,
    handler: |_, _, _| Box::pin(ready(Ok(pages::instructions(Language::Spanish)))),
};

fn describe(of: &mut SchemaGenerator) -> Described {
    let html = of.subschema_for::<String>();
    Described::default().or_answers(200, "The page.", &[("text/html", html)])
}
