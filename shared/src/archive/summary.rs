//! The summary of an archive (R5.1): what is held, what for, who gets it, and until when. For
//! people, and for programs.

use askama::Template;
use serde_json::{Value, json};

use super::pages::{STYLE, Words};
use crate::domain::data_kind::{DataKind, Exclusion, Exported};
use crate::domain::plan::Plan;
use crate::domain::policy::{Policy, Term};

#[derive(Template)]
#[template(path = "archive_summary.html")]
struct Summary {
    style: &'static str,
    rows: Vec<Row>,
}

struct Row {
    name: Words,
    purpose: Words,
    recipients: Words,
    period: (String, String),
    requirement: &'static str,
    citation: &'static str,
    place: (String, String),
}

/// `summary.html`, for an account of this plan.
///
/// # Errors
/// Never, in memory.
//= R5.1
pub fn html(plan: Plan) -> Result<String, askama::Error> {
    let row = |kind: &DataKind| {
        let Policy { term, requirement, citation } = kind.policy();
        Row {
            name: name(*kind),
            purpose: purpose(*kind),
            recipients: recipients(*kind),
            period: period(term, plan),
            requirement,
            citation,
            place: place(kind.export()),
        }
    };
    Summary { style: STYLE, rows: DataKind::ALL.iter().map(row).collect() }.render()
}

/// `summary.json`, which says the same.
//= R5.1
#[must_use]
pub fn json(plan: Plan) -> Value {
    let both = |english: &str, spanish: &str| json!({ "en": english, "es": spanish });
    let words = |(english, spanish): Words| both(english, spanish);
    let texts = |(english, spanish): (String, String)| both(&english, &spanish);
    let one = |kind: &DataKind| {
        let Policy { term, requirement, citation } = kind.policy();
        json!({
            "kind": kind.as_str(),
            "name": words(name(*kind)),
            "purpose": words(purpose(*kind)),
            "recipients": words(recipients(*kind)),
            "period": texts(period(term, plan)),
            "requirement": requirement,
            "citation": citation,
            "in_this_archive": texts(place(kind.export())),
        })
    };
    json!({ "held": DataKind::ALL.iter().map(one).collect::<Vec<_>>() })
}

/// What a kind of data is called.
pub(super) const fn name(kind: DataKind) -> Words {
    match kind {
        DataKind::Message => ("messages", "mensajes"),
        DataKind::Contact => ("contacts", "contactos"),
        DataKind::Connection => ("connected channels", "canales conectados"),
        DataKind::IndexKey => ("keys of pseudonyms", "claves de seudónimos"),
        DataKind::DayKey => ("keys that open messages", "claves que abren mensajes"),
        DataKind::Account => ("the account and its plan", "la cuenta y su plan"),
        DataKind::Member => ("members", "miembros"),
        DataKind::Request => ("requests to erase data", "solicitudes de borrado"),
        DataKind::Hold => ("legal holds", "retenciones legales"),
        DataKind::LedgerEntry => ("the register of erasures", "el registro de borrados"),
        DataKind::AuditEvent => ("who did what in the account", "quién hizo qué en la cuenta"),
        DataKind::Export => ("exports like this one", "exportaciones como esta"),
        DataKind::Answer => ("answers to repeated requests", "respuestas a peticiones repetidas"),
        DataKind::AccountKey => ("the key that opens the profile", "la clave que abre el perfil"),
        DataKind::TaxKey => ("the key that opens invoices", "la clave que abre las facturas"),
        DataKind::Invoice => ("invoices", "facturas"),
        DataKind::Consent => ("consents and objections", "consentimientos y objeciones"),
        DataKind::PolicyVersion => ("versions of this policy", "versiones de esta política"),
        DataKind::PolicyNotice => {
            ("who was told of a version", "a quién se informó de una versión")
        }
    }
}

const fn purpose(kind: DataKind) -> Words {
    match kind {
        DataKind::Message | DataKind::Contact => {
            ("to show the inbox, and to reply", "mostrar la bandeja de entrada y responder")
        }
        DataKind::Connection => ("to receive messages from Meta", "recibir mensajes de Meta"),
        DataKind::IndexKey | DataKind::DayKey => {
            ("to keep messages unreadable to others", "que nadie más pueda leer los mensajes")
        }
        DataKind::Account | DataKind::Member => {
            ("to serve the account", "prestar el servicio a la cuenta")
        }
        DataKind::Request | DataKind::LedgerEntry => {
            ("to erase, and to prove it", "borrar, y demostrarlo")
        }
        DataKind::Hold => ("to keep evidence", "conservar pruebas"),
        DataKind::AuditEvent => ("security", "seguridad"),
        DataKind::Export => ("to hand out data", "entregar los datos"),
        DataKind::Answer => ("to do nothing twice", "no hacer nada dos veces"),
        DataKind::AccountKey | DataKind::TaxKey => {
            ("to keep what it opens unreadable to others", "que nadie más pueda leer lo que abre")
        }
        DataKind::Invoice => ("to obey tax law", "cumplir la ley tributaria"),
        DataKind::Consent => ("to do as the account decides", "respetar lo que decide la cuenta"),
        DataKind::PolicyVersion | DataKind::PolicyNotice => {
            ("to tell owners of changes, once", "informar de los cambios, una vez")
        }
    }
}

const fn recipients(kind: DataKind) -> Words {
    match kind {
        DataKind::Message | DataKind::Contact | DataKind::Connection => (
            "members of the account; Meta, for replies; AWS stores it, sealed",
            "miembros de la cuenta; Meta, para responder; AWS lo almacena, cifrado",
        ),
        DataKind::IndexKey | DataKind::DayKey | DataKind::AccountKey | DataKind::TaxKey => {
            ("nobody; AWS stores it, wrapped", "nadie; AWS lo almacena, cifrado")
        }
        DataKind::PolicyVersion => ("everybody", "cualquiera"),
        DataKind::Invoice => (
            "owners of the account; tax authorities; AWS stores it, sealed",
            "personas propietarias de la cuenta; la autoridad tributaria; AWS lo almacena, cifrado",
        ),
        DataKind::Account
        | DataKind::Consent
        | DataKind::PolicyNotice
        | DataKind::Member
        | DataKind::Request
        | DataKind::AuditEvent
        | DataKind::Export
        | DataKind::Answer => (
            "members of the account; NUMIB's staff; AWS stores it",
            "miembros de la cuenta; el personal de NUMIB; AWS lo almacena",
        ),
        DataKind::Hold | DataKind::LedgerEntry => {
            ("NUMIB's staff; AWS stores it", "el personal de NUMIB; AWS lo almacena")
        }
    }
}

fn period(term: Term, plan: Plan) -> (String, String) {
    let words = |english: &str, spanish: &str| (english.to_owned(), spanish.to_owned());
    match term {
        Term::Plan => (
            format!("{} days after it was sent", plan.days()),
            format!("{} días desde su envío", plan.days()),
        ),
        Term::PlanOfItsDay => words(
            "until the last message of its day has expired, and 24 hours",
            "hasta que vence el último mensaje de su día, y 24 horas",
        ),
        Term::UntilErased => words("until it is erased", "hasta que se borra"),
        Term::UntilDeadline => words(
            "while the account is active, and 30 business days at most",
            "mientras la cuenta está activa, y 30 días hábiles como máximo",
        ),
        Term::Fixed(length) | Term::TimeToLive(length) => {
            let days = length.as_hours() / 24;
            match days {
                1 => words("1 day", "1 día"),
                days => (format!("{days} days"), format!("{days} días")),
            }
        }
        Term::Jurisdiction => words(
            "as long as the tax law of its jurisdiction demands",
            "mientras lo exige la ley tributaria de su jurisdicción",
        ),
        Term::NoEnd => words("without an end", "sin límite"),
    }
}

fn place(exported: Exported) -> (String, String) {
    match exported {
        Exported::In(name) => {
            let files = format!("data/{name}*.ndjson");
            (files.clone(), files)
        }
        Exported::Excluded(why) => {
            let (english, spanish) = excluded(why);
            (format!("no: {english}"), format!("no: {spanish}"))
        }
    }
}

const fn excluded(why: Exclusion) -> Words {
    match why {
        Exclusion::Security => ("it protects the rest", "protege lo demás"),
        Exclusion::LegalProceedings => ("legal proceedings", "procedimientos legales"),
        Exclusion::Pseudonymous => {
            ("pseudonyms of what the requests say", "seudónimos de lo que dicen las solicitudes")
        }
        Exclusion::Copy => ("a copy of the same", "una copia de lo mismo"),
        Exclusion::Public => ("it is public", "es público"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= R5.1
    #[test]
    fn the_summary_says_of_every_kind_of_data_what_for_for_whom_and_how_long() {
        let summary = json(Plan::Days30);
        let held = summary["held"].as_array().unwrap();
        assert_eq!(held.len(), DataKind::ALL.len());
        for one in held {
            for field in ["name", "purpose", "recipients", "period", "in_this_archive"] {
                for language in ["en", "es"] {
                    assert!(one[field][language].as_str().unwrap().len() > 2, "{one}");
                }
            }
        }
        let messages = held.iter().find(|one| one["kind"] == "message").unwrap();
        assert_eq!(messages["period"]["en"], "30 days after it was sent");
        let html = html(Plan::Days30).unwrap();
        assert!(html.contains("30 días desde su envío") && html.contains("GDPR, art. 5(2)"));
    }
}
