//! The pages of requests: where to look one up, how far it is, its receipt.

use std::future::ready;

use jiff::Timestamp;
use lambda_http::http::StatusCode;
use lambda_http::{Body, Request, RequestExt as _, Response};
use numib::api::described::Described;
use numib::api::who::ANYONE;
use numib::domain::erasure::Request as Erasure;
use numib::domain::ids::RequestId;
use numib::edge::problem::{Problem, json as answer_json};
use serde_json::json;

use crate::app::{App, Route};
use crate::text::Language;
use crate::{pages, schemas};

pub(crate) static LOOK_UP: Route = Route {
    key: "GET /data-deletion",
    name: "lookUpDeletion",
    summary: "From a code to its page",
    who: ANYONE,
    action: None,
    describe: |of| {
        let html = of.subschema_for::<String>();
        let described = Described::default().asks("code", true, &json!({"type": "string"}));
        let described = in_a_language(described).or_answers(303, "To the page.", &[]);
        described.or_answers(404, "A page that says what to try.", &[("text/html", html)])
    },
    handler: |_, request, _| Box::pin(ready(Ok(look_up(request)))),
};

/// The form of the instructions page: a code to its page, without a script.
fn look_up(request: &Request) -> Response<Body> {
    let query = request.query_string_parameters();
    let language = Language::of(request);
    let Some(typed) = query.first("code") else {
        return pages::redirect(&format!("/{}/data-deletion", language.code()));
    };
    match read_code(typed) {
        Some(code) => pages::redirect(&format!("/data-deletion/{code}?lang={}", language.code())),
        None => pages::unknown("", language),
    }
}

pub(crate) static STATUS: Route = Route {
    key: "GET /data-deletion/{code}",
    name: "deletionStatus",
    summary: "How far a deletion is",
    who: ANYONE,
    action: None,
    describe: |of| {
        let (html, problem) = (of.subschema_for::<String>(), Problem::schema(of));
        let page = [("text/html", html.clone()), ("application/json", schemas::status(of))];
        let unknown = [("text/html", html), ("application/problem+json", problem)];
        let nothing = "No such request: a page that says what to try; a problem where JSON was \
                       asked for.";
        in_a_language(Described::default())
            .or_answers(200, "The page; JSON where Accept names that and not HTML.", &page)
            .or_answers(404, nothing, &unknown)
    },
    handler: |app, request, now| Box::pin(status(app, request, now)),
};

/// The page of a request; JSON for whoever asks for it.
//= R8.4
async fn status(app: &App, request: &Request, now: Timestamp) -> Result<Response<Body>, Problem> {
    let found = find(app, request).await?;
    if accepts_json(request) {
        let found = found.ok_or(Problem::not_found())?;
        return Ok(answer_json(
            StatusCode::OK,
            "application/json",
            &pages::status_json(&found, now),
        ));
    }
    let language = Language::of(request);
    let Some(found) = found else {
        let code = code_of(request);
        return Ok(pages::unknown(code.as_ref().map_or("", RequestId::as_str), language));
    };
    let held_part = match &found.held_part {
        Some(id) => app.store.request(id).await?.map(|stored| stored.request),
        None => None,
    };
    Ok(pages::status(&found, held_part.as_ref(), language))
}

pub(crate) static RECEIPT: Route = Route {
    key: "GET /data-deletion/{code}/receipt",
    name: "deletionReceipt",
    summary: "The signed receipt, once it is done",
    who: ANYONE,
    action: None,
    describe: |of| {
        schemas::receipt(of);
        let said = "A JWS in compact serialisation, ES256. Its claims are in the schema Receipt.";
        let jws = [("application/jose", of.subschema_for::<String>())];
        Described::default().or_answers(200, said, &jws)
    },
    handler: |app, request, _| Box::pin(receipt(app, request)),
};

async fn receipt(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let receipt = find(app, request).await?.and_then(|found| found.receipt);
    let receipt = receipt.ok_or(Problem::not_found())?;
    Ok(pages::receipt(receipt))
}

async fn find(app: &App, request: &Request) -> Result<Option<Erasure>, Problem> {
    let Some(code) = code_of(request) else { return Ok(None) };
    Ok(app.store.request(&code).await?.map(|stored| stored.request))
}

fn code_of(request: &Request) -> Option<RequestId> {
    request.path_parameters().first("code").and_then(read_code)
}

/// A code as people type it: in capitals, in groups, with a letter for the digit it looks like.
/// Codes have no `i`, `l` or `o`.
fn read_code(typed: &str) -> Option<RequestId> {
    let letters = typed.chars().filter(char::is_ascii_alphanumeric).map(|letter| {
        match letter.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            letter => letter,
        }
    });
    RequestId::parse(&letters.collect::<String>())
}

/// Whether JSON is what the client names first; a browser names HTML.
fn accepts_json(request: &Request) -> bool {
    let accept = request.headers().get("accept").and_then(|value| value.to_str().ok());
    let accept = accept.unwrap_or_default();
    accept.contains("application/json") && !accept.contains("text/html")
}

/// What a page in either language asks for.
fn in_a_language(described: Described) -> Described {
    described.asks("lang", false, &json!({"enum": ["en", "es"]}))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    /// A GET as API Gateway hands it over.
    pub(crate) fn get(query: &[(&str, &str)], headers: &[(&str, &str)]) -> Request {
        let encode = |text: &str| {
            let bytes: Vec<_> = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
            bytes.concat()
        };
        let query = query.iter().map(|(name, text)| format!("{name}={}", encode(text)));
        let headers: BTreeMap<_, _> = headers.iter().copied().collect();
        let event = json!({
            "version": "2.0", "routeKey": "GET /data-deletion", "rawPath": "/data-deletion",
            "rawQueryString": query.collect::<Vec<String>>().join("&"), "headers": headers,
            "requestContext": {"http": {"method": "GET", "path": "/data-deletion"}},
            "isBase64Encoded": false,
        });
        lambda_http::request::from_str(&event.to_string()).unwrap()
    }

    fn location(query: &[(&str, &str)]) -> (u16, Option<String>) {
        let response = look_up(&get(query, &[]));
        let location = response.headers().get("location");
        let location = location.map(|to| to.to_str().unwrap().to_owned());
        (response.status().as_u16(), location)
    }

    #[test]
    fn a_code_is_found_however_it_is_typed() {
        let page = "/data-deletion/0123456789abcdefghjkmnpqrs?lang=es";
        for typed in [
            "0123456789abcdefghjkmnpqrs",
            "  0123456789ABCDEFGHJKMNPQRS ",
            "0123-4567-89ab cdef-ghjk\u{2013}mnpq rs.",
            "OI23456789abcdefghjkmnpqrs",
            "ol23456789abcdefghjkmnpqrs",
        ] {
            let found = location(&[("code", typed), ("lang", "es")]);
            assert_eq!(found, (303, Some(page.to_owned())), "{typed:?}");
        }
    }

    #[test]
    fn a_text_that_is_no_code_is_a_kind_404_and_none_the_instructions() {
        for typed in ["", " ", "\u{1f600}", &"a".repeat(65)] {
            assert_eq!(location(&[("code", typed)]), (404, None), "{typed:?}");
        }
        let instructions = (303, Some("/es/data-deletion".to_owned()));
        assert_eq!(location(&[("lang", "es")]), instructions);
    }

    #[test]
    fn a_redirect_goes_nowhere_else() {
        for typed in ["//evil.test", "x\r\nset-cookie: a=b", "../../x?y#z"] {
            let (_, to) = location(&[("code", typed), ("lang", "//evil.test")]);
            let to = to.unwrap();
            let code = to.strip_prefix("/data-deletion/").unwrap();
            let code = code.strip_suffix("?lang=en").unwrap();
            assert!(code.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{to}");
        }
    }

    #[test]
    fn json_is_for_who_asks_for_it_and_html_for_browsers() {
        for (accept, is_json) in [
            ("application/json", true),
            ("application/json, */*;q=0.5", true),
            ("text/html,application/xhtml+xml,application/json;q=0.9", false),
            ("*/*", false),
            ("", false),
        ] {
            assert_eq!(accepts_json(&get(&[], &[("accept", accept)])), is_json, "{accept:?}");
        }
    }
}
