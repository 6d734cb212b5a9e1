//! The public pages: HTML without scripts, without cookies, and without anything from elsewhere, so
//! they have a strict policy.

use askama::Template;
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use lambda_http::http::{HeaderValue, StatusCode};
use lambda_http::{Body, Response};
use numib::domain::data_kind::{DataKind, Reason};
use numib::domain::erasure::{Request, State, Target};
use numib::domain::ids::RequestId;
use numib::edge::problem::answer;
use serde_json::{Value, json};

use crate::text::{Language, Texts};

const STYLE: &str = include_str!("../templates/style.css");

/// What every page shows.
struct Frame {
    language: Language,
    texts: &'static Texts,
    /// This page in the other language.
    other_url: String,
    style: &'static str,
}

impl Frame {
    fn new(language: Language, other_url: String) -> Self {
        Self { language, texts: language.texts(), other_url, style: STYLE }
    }
}

#[derive(Template)]
#[template(path = "status.html")]
struct StatusPage<'a> {
    frame: Frame,
    code: &'a str,
    state: (&'static str, &'static str),
    is_final: bool,
    steps: Vec<Step>,
    facts: Vec<(&'static str, String)>,
    held_part: Option<&'a str>,
    removed: Vec<(&'static str, u64)>,
    kept: Vec<(&'static str, &'static str)>,
    has_receipt: bool,
}

/// One milestone, and whether the request has passed it.
struct Step {
    name: &'static str,
    is_done: bool,
}

#[derive(Template)]
#[template(path = "unknown.html")]
struct UnknownPage<'a> {
    frame: Frame,
    wrong_code: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "instructions.html")]
struct InstructionsPage {
    frame: Frame,
    wrong_code: Option<&'static str>,
}

/// The page of a request.
//= R8.4
pub(crate) fn status(
    request: &Request,
    held_part: Option<&Request>,
    language: Language,
) -> Response<Body> {
    let is_refused = matches!(request.state, State::Rejected | State::Cancelled);
    let is_empty = request.targets.is_empty() && !is_refused;
    let counts = request.counts.iter().filter(|(_, count)| **count > 0);
    let page = StatusPage {
        frame: Frame::new(language, format!("?lang={}", language.other().code())),
        code: request.id.as_str(),
        state: if is_empty { language.texts().nothing_held } else { language.state(request.state) },
        is_final: request.state.is_final(),
        steps: if is_empty || is_refused { Vec::new() } else { steps(request.state, language) },
        facts: facts(request, language),
        held_part: held_part.filter(|part| !part.state.is_final()).map(|part| part.id.as_str()),
        removed: counts.map(|(kind, count)| (language.kind(*kind), *count)).collect(),
        kept: kept_words(request, language),
        has_receipt: request.receipt.is_some(),
    };
    private(html(StatusCode::OK, &page))
}

/// The status of a request as JSON, for programs.
pub(crate) fn status_json(request: &Request, now: Timestamp) -> Value {
    let kept: Vec<Value> = kept_of(request)
        .into_iter()
        .map(|(kind, reason)| json!({ "kind": kind.as_str(), "reason": reason.as_str() }))
        .collect();
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    json!({
        "confirmation_code": request.id.as_str(),
        "state": request.state.as_str(),
        "source": request.source.public().as_str(),
        "data_held": !request.targets.is_empty(),
        "requested_at": request.requested_at.to_string(),
        "due_at": time(request.due_at),
        "deadline": request.deadline.to_string(),
        "unreadable_since": time(request.shredded_at),
        "completed_at": time(request.completed_at),
        "removed": request.counts,
        "kept": kept,
        "held_part": request.held_part.as_ref().map(RequestId::as_str),
        "receipt": request.receipt,
        "as_of": now.to_string(),
    })
}

/// The page for an unknown code: it says what to do, and has the form with what was typed.
pub(crate) fn unknown(code: &str, language: Language) -> Response<Body> {
    let frame = Frame::new(language, format!("?lang={}", language.other().code()));
    private(html(StatusCode::NOT_FOUND, &UnknownPage { frame, wrong_code: Some(code) }))
}

/// The page that says how to ask for deletion, and where to follow it.
pub(crate) fn instructions(language: Language) -> Response<Body> {
    let other_url = format!("/{}/data-deletion", language.other().code());
    let frame = Frame::new(language, other_url);
    html(StatusCode::OK, &InstructionsPage { frame, wrong_code: None })
}

/// A signed receipt, to be saved as a file.
pub(crate) fn receipt(receipt: String) -> Response<Body> {
    let mut response = answer(StatusCode::OK, "application/jose", receipt);
    let disposition = HeaderValue::from_static("attachment; filename=\"receipt.jws\"");
    response.headers_mut().insert("content-disposition", disposition);
    response
}

/// Sends the browser to another page of ours.
pub(crate) fn redirect(to: &str) -> Response<Body> {
    let mut response = answer(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", String::new());
    if let Ok(to) = to.parse() {
        response.headers_mut().insert("location", to);
    }
    response
}

fn steps(state: State, language: Language) -> Vec<Step> {
    let steps = language.steps().into_iter();
    steps.map(|(step, name)| Step { name, is_done: step <= state }).collect()
}

fn facts(request: &Request, language: Language) -> Vec<(&'static str, String)> {
    let texts = language.texts();
    let mut facts = vec![
        (texts.asked, language.source(request.source.public()).to_owned()),
        (texts.asked_on, language.moment(request.requested_at)),
    ];
    let times =
        [(texts.unreadable_since, request.shredded_at), (texts.completed_on, request.completed_at)];
    if !request.targets.is_empty() {
        facts.extend(times.iter().filter_map(|(name, at)| Some((*name, language.moment((*at)?)))));
        if let Some(due_at) = request.due_at.filter(|_| request.is_revocable()) {
            facts.push((texts.carried_out_on, language.moment(due_at)));
        }
        // A hold outlasts the deadline, and a request that has ended has none.
        if request.state.is_work() {
            facts.push((texts.due, language.day(request.deadline)));
        }
    }
    facts
}

/// What is kept once the rest is gone. Before that, everything is still there.
fn kept_of(request: &Request) -> Vec<(DataKind, Reason)> {
    let is_erased = (State::Shredded..=State::Completed).contains(&request.state);
    if is_erased { request.kept() } else { Vec::new() }
}

fn kept_words(request: &Request, language: Language) -> Vec<(&'static str, &'static str)> {
    let kept = kept_of(request).into_iter();
    let mut kept: Vec<_> =
        kept.map(|(kind, reason)| (language.kind(kind), language.reason(reason))).collect();
    // Backups of an erased connection are unreadable: its keys are gone. Other data ends with the
    // backups.
    let in_backups = |target: &Target| !matches!(target, Target::Connection { .. });
    if !kept.is_empty() && request.targets.iter().any(in_backups) {
        kept.push(language.texts().backups);
    }
    kept
}

/// Marks a page as private: no search engine shows it.
fn private(mut response: Response<Body>) -> Response<Body> {
    let noindex = HeaderValue::from_static("noindex");
    response.headers_mut().insert("x-robots-tag", noindex);
    response
}

/// A page with a policy that allows its own style sheet and form, and nothing else.
fn html(status: StatusCode, page: &impl Template) -> Response<Body> {
    let Ok(text) = page.render() else {
        return answer(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", String::new());
    };
    let style = STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    let mut response = answer(status, "text/html; charset=utf-8", text);
    let headers = response.headers_mut();
    for (name, value) in [
        ("content-security-policy", policy.as_str()),
        ("referrer-policy", "no-referrer"),
        ("vary", "accept, accept-language"),
    ] {
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use numib::domain::erasure::Source;
    use numib::domain::time::Day;

    use super::*;

    const LANGUAGES: [Language; 2] = [Language::English, Language::Spanish];

    fn is_erased(state: State) -> bool {
        match state {
            State::Shredded | State::Sweeping | State::Verified | State::Completed => true,
            State::Requested | State::Held | State::Rejected | State::Cancelled => false,
        }
    }

    /// A request that has come so far; what it erases is a contact.
    fn request(state: State) -> Request {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let is_done = state == State::Completed;
        Request {
            id: RequestId::parse("0123456789abcdefghjkmnpqrs").unwrap(),
            source: Source::MetaDeletion,
            reference: Some("CASE <7>".to_owned()),
            subject: "person p1".to_owned(),
            targets: vec![Target::parse("contact account1 c1.p1 1796100000000").unwrap()],
            held_part: None,
            state,
            requested_at: at("2026-11-24T08:03:00Z"),
            due_at: None,
            deadline: Day::parse("2026-12-24").unwrap(),
            shredded_at: is_erased(state).then(|| at("2026-11-24T08:04:00Z")),
            sweeping_at: None,
            completed_at: is_done.then(|| at("2026-11-24T08:05:00Z")),
            ledger_position: None,
            counts: [(DataKind::Message, 12 * u64::from(is_erased(state)))].into(),
            targets_swept: 0,
            receipt: is_done.then(|| "a.b.c".to_owned()),
            version: 1,
        }
    }

    fn text(response: Response<Body>) -> String {
        let Body::Text(text) = response.into_body() else { panic!("a page is text") };
        text
    }

    fn page(request: &Request, language: Language) -> String {
        text(status(request, None, language))
    }

    //= R8.4
    #[test]
    fn every_state_has_a_page_in_both_languages_that_says_how_far_it_is() {
        for (language, state) in
            LANGUAGES.into_iter().flat_map(|one| State::ALL.iter().map(move |state| (one, *state)))
        {
            let (page, texts) = (page(&request(state), language), language.texts());
            let (name, meaning) = language.state(state);
            assert!(page.contains(&format!("<html lang=\"{}\">", language.code())));
            assert!(page.contains(&format!("<title>{name} – ")), "{state:?}");
            assert!(page.contains(meaning), "{state:?}");
            let is_refused = matches!(state, State::Rejected | State::Cancelled);
            assert_eq!(page.contains(texts.progress), !is_refused, "{state:?}");
            assert_eq!(page.contains(texts.kept), is_erased(state), "{state:?}");
            assert_eq!(page.contains(texts.removed), is_erased(state), "{state:?}");
            assert_eq!(page.contains(texts.due), state.is_work(), "{state:?}");
            assert_eq!(page.contains(texts.check_again), !state.is_final(), "{state:?}");
            assert_eq!(page.contains("/receipt"), state == State::Completed, "{state:?}");
            let steps_done = match state {
                State::Requested | State::Held => 1,
                State::Shredded | State::Sweeping | State::Verified => 2,
                State::Completed => 3,
                State::Rejected | State::Cancelled => 0,
            };
            assert_eq!(page.matches("class=\"done\"").count(), steps_done, "{state:?}");
        }
    }

    //= R8.4
    #[test]
    fn what_is_kept_is_said_with_the_reason() {
        let contact = request(State::Completed);
        let connection = Target::parse("connection a1 r1 c1").unwrap();
        let connection = Request { targets: vec![connection], ..contact.clone() };
        for language in LANGUAGES {
            let page = page(&contact, language);
            for (kind, reason) in contact.kept() {
                assert!(page.contains(&format!("<dt>{}</dt>", language.kind(kind))), "{kind:?}");
                assert!(page.contains(language.reason(reason)), "{reason:?}");
            }
            let json = status_json(&contact, Timestamp::MAX);
            assert_eq!(json["kept"].as_array().unwrap().len(), contact.kept().len());
            assert_eq!(status_json(&request(State::Held), Timestamp::MAX)["kept"], json!([]));
            let (name, why) = language.texts().backups;
            assert!(page.contains(name) && page.contains(why));
            assert!(!self::page(&connection, language).contains(why), "its keys are gone");
        }
    }

    //= R8.4
    #[test]
    fn nothing_held_is_said_and_no_more() {
        for state in [State::Requested, State::Shredded, State::Completed] {
            let request = Request { targets: Vec::new(), counts: [].into(), ..request(state) };
            for language in LANGUAGES {
                let (page, texts) = (page(&request, language), language.texts());
                assert!(page.contains(texts.nothing_held.1));
                assert!(!page.contains(language.state(state).1), "{state:?}");
                for absent in [texts.progress, texts.removed, texts.kept, texts.due] {
                    assert!(!page.contains(absent), "{absent}");
                }
            }
        }
    }

    //= R6.1
    #[test]
    fn a_request_that_can_be_taken_back_says_until_when() {
        let due_at = Some("2026-12-08T08:03:00Z".parse().unwrap());
        for (state, is_shown) in [(State::Requested, true), (State::Completed, false)] {
            for language in LANGUAGES {
                let page = page(&Request { due_at, counts: [].into(), ..request(state) }, language);
                assert_eq!(page.contains(language.texts().carried_out_on), is_shown, "{state:?}");
            }
        }
    }

    //= R6.7
    #[test]
    fn a_part_on_hold_is_linked_until_it_is_over() {
        let part = RequestId::parse("zzzzzzzzzzzzzzzzzzzzzzzzzz").unwrap();
        for (state, is_shown) in [(State::Held, true), (State::Completed, false)] {
            let part = Request { id: part.clone(), ..request(state) };
            let page = text(status(&request(State::Completed), Some(&part), Language::Spanish));
            let link = "href=\"/data-deletion/zzzzzzzzzzzzzzzzzzzzzzzzzz?lang=es\"";
            assert_eq!(page.contains(link), is_shown);
        }
    }

    #[test]
    fn who_is_erased_is_on_no_page() {
        for state in State::ALL {
            let request = Request { source: Source::Minor, ..request(*state) };
            for language in LANGUAGES {
                let answers =
                    [page(&request, language), status_json(&request, Timestamp::MAX).to_string()];
                for private in ["CASE", "person p1", "account1", "c1.p1"] {
                    assert!(answers.iter().all(|answer| !answer.contains(private)), "{private}");
                }
                let operator = Request { source: Source::Operator, ..request.clone() };
                assert_eq!(page(&operator, language), answers[0], "a minor is not told apart");
            }
        }
    }

    #[test]
    fn what_was_typed_comes_back_as_text() {
        let typed = "\"><script>alert('x')</script>&";
        let page = text(unknown(typed, Language::English));
        assert!(!page.contains("<script") && !page.contains("alert('"), "{page}");
        assert!(page.contains("&#60;script&#62;"), "{page}");
    }

    #[test]
    fn the_policy_allows_the_style_that_is_sent_and_no_script() {
        for response in [
            status(&request(State::Completed), None, Language::English),
            unknown("x", Language::Spanish),
            instructions(Language::English),
        ] {
            let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
            assert!(!response.headers().contains_key("set-cookie"));
            let page = text(response);
            let (_, style) = page.split_once("<style>").unwrap();
            let (style, rest) = style.split_once("</style>").unwrap();
            let hash = STANDARD.encode(digest::digest(&digest::SHA256, style.as_bytes()));
            assert!(policy.contains(&format!("style-src 'sha256-{hash}';")), "{policy}");
            assert!(policy.starts_with("default-src 'none';") && !policy.contains("script-src"));
            for blocked in ["<style", " style=", "<script", "<link", "<img", " src="] {
                assert!(!rest.contains(blocked), "{blocked}");
            }
        }
    }
}
