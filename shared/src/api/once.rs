//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): what is asked again under the
//! same key is done once, and answered as it was, for a day.

use lambda_http::http::{HeaderValue, StatusCode};
use lambda_http::{Body, Request, Response};

use super::call::Call;
use super::desk::Desk;
use super::done::Done;
use super::route::MemberRoute;
use crate::domain::audit::Action;
use crate::edge::problem::{Problem, answer};
use crate::seal::pseudonym::Pepper;
use crate::store::answers::{Answer, Attempt, Begun};

/// Characters of a key.
const KEY_LEN_MAX: usize = 128;
/// Bytes of an answer that is kept. A longer one is of a list, which may be posted again anyway.
const ANSWER_LEN_MAX: usize = 64 * 1024;
/// Of an answer that was given before.
const REPLAYED: &str = "idempotency-replayed";

const BAD_KEY: Problem = Problem::bad_request(
    "idempotency-key",
    "Please send an `Idempotency-Key` of 1 to 128 visible characters; a random UUID is best.",
);
const OTHER: Problem = Problem::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "idempotency-key",
    "This `Idempotency-Key` was used for another request. Please take a new one.",
);
const UNDER_WAY: Problem = Problem::new(
    StatusCode::CONFLICT,
    "idempotency-key",
    "A request with this `Idempotency-Key` is under way. Please try again in a moment.",
)
.with_header("retry-after", "1");

/// Has a call done once for its key; one without a key is just done.
///
/// # Errors
/// What the handler refuses; and 400, 409 and 422 for a key that is none, or is used already.
pub async fn done<A: Sync>(
    desk: Desk<'_>,
    call: &Call<'_, A>,
    route: &MemberRoute<A>,
) -> Result<Done, Problem> {
    let Some(key) = key(call.request)? else { return (route.handler)(call).await };
    let attempt = attempt(call, &desk.secrets.get().await?.pepper, key);
    match desk.store.begin_attempt(&attempt).await? {
        Begun::First => {}
        Begun::UnderWay => return Err(UNDER_WAY),
        Begun::Other => return Err(OTHER),
        Begun::Answered(given) => return Ok(again(given)),
    }
    let done = (route.handler)(call).await;
    let kept = match &done {
        // What only shows something shows each time what there is then: what was erased since is
        // in no answer, and a link lives for minutes.
        //= R8.3
        _ if route.action.is_none_or(Action::only_shows) => None,
        Ok(done) => kept(&done.response),
        Err(problem) => kept(&problem.response()),
    };
    let kept = match kept {
        Some(answer) => desk.store.keep_answer(&attempt, &answer).await,
        None => desk.store.give_up_attempt(&attempt).await,
    };
    // What was done is done. Who repeats it before the lease ends is told to wait.
    if let Err(error) = kept {
        tracing::error!(error = %error, "an answer was not kept");
    }
    done
}

/// The key, of a quoted text (RFC 9651) or a bare one.
fn key(request: &Request) -> Result<Option<&str>, Problem> {
    let Some(value) = request.headers().get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().map_err(|_| BAD_KEY)?.trim();
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let key = quoted.unwrap_or(text);
    let is_visible = key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    if key.is_empty() || key.len() > KEY_LEN_MAX || !is_visible {
        return Err(BAD_KEY);
    }
    Ok(Some(key))
}

fn attempt<A>(call: &Call<'_, A>, pepper: &Pepper, key: &str) -> Attempt {
    let request = call.request;
    let query = request.uri().query().unwrap_or_default();
    let content_type = request.headers().get("content-type").map(HeaderValue::as_bytes);
    let asked: [&[u8]; 5] = [
        request.method().as_str().as_bytes(),
        request.uri().path().as_bytes(),
        query.as_bytes(),
        content_type.unwrap_or_default(),
        request.body().as_ref(),
    ];
    Attempt {
        member: call.caller.member.clone(),
        key: pepper.fingerprint(&[key.as_bytes()]),
        fingerprint: pepper.fingerprint(&asked),
        at: call.now,
    }
}

/// What is kept of an answer; `None` where the same may end otherwise next time.
fn kept(response: &Response<Body>) -> Option<Answer> {
    let Body::Text(body) = response.body() else { return None };
    let status = response.status();
    let may_change = [StatusCode::CONFLICT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
    let may_end_otherwise = may_change || status.is_server_error();
    if may_end_otherwise || body.len() > ANSWER_LEN_MAX {
        return None;
    }
    let content_type = response.headers().get("content-type")?.to_str().ok()?.to_owned();
    Some(Answer { status: status.as_u16(), content_type, body: body.clone() })
}

fn again(given: Answer) -> Done {
    let status = StatusCode::from_u16(given.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = answer(status, &given.content_type, given.body);
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Done { is_repeated: true, ..Done::answer(response) }
}
