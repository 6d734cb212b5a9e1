//! One call: what is asked, who asks, and what the answer means.

use aws_lc_rs::hmac;
use form_urlencoded::{Serializer, byte_serialize};
use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use super::codes::{Meaning, meaning};
use super::error::{Cause, Failure, GraphError, Hint, Refused, TraceId};
use super::host::Host;
use super::secret::AccessToken;
use super::usage::{Pause, Whose};
use super::wire::{Arrived, Lost, Outgoing};
use super::{Answer, App, Asset, Cursor, Graph};
use crate::domain::hex::hex;
use crate::domain::login::{Login, Permission};
use crate::meta::json::{Object, Value, readable};

/// Bytes of an answer at most. The longest, one message with its text, has a tenth of that.
const ANSWER_MAX: usize = 64 * 1024;
/// Bytes of a list at most. A hundred Pages, with a token of some hundred bytes each, have a tenth
/// of that.
const LIST_MAX: usize = 1024 * 1024;
/// Bytes of an id at most. The longest one seen has 164 (docs/meta-platform.md#message-ids).
const ID_LEN_MAX: usize = 1024;

/// How long to wait, where Meta does not say it, after a failure that will pass by itself.
const MOMENT: SignedDuration = SignedDuration::from_secs(30);
/// How long to wait, where Meta does not say it, after a limit or an answer that makes no sense.
const WHILE: SignedDuration = SignedDuration::from_mins(15);

/// A call that is being put together.
pub(super) struct Call<'a> {
    method: &'static str,
    host: Host,
    /// `None` if one of its segments may not stand in a path.
    path: Option<String>,
    query: Vec<(&'static str, Zeroizing<String>)>,
    token: Option<&'a AccessToken>,
    body: Option<(&'static str, Zeroizing<String>)>,
    needs: &'static [Permission],
    answer_max: usize,
}

impl<'a> Call<'a> {
    fn new(method: &'static str, host: Host, path: &[&str]) -> Self {
        Self {
            method,
            host,
            path: path.iter().copied().map(segment).collect(),
            query: Vec::new(),
            token: None,
            body: None,
            needs: &[],
            answer_max: ANSWER_MAX,
        }
    }

    pub(super) fn get(host: Host, path: &[&str]) -> Self {
        Self::new("GET", host, path)
    }

    pub(super) fn post(host: Host, path: &[&str]) -> Self {
        Self::new("POST", host, path)
    }

    pub(super) fn delete(host: Host, path: &[&str]) -> Self {
        Self::new("DELETE", host, path)
    }

    /// Adds a parameter to the query.
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.query.push((name, Zeroizing::new(value.to_owned())));
        self
    }

    /// Sends this token in the header.
    pub(super) fn by(mut self, token: &'a AccessToken) -> Self {
        self.token = Some(token);
        self
    }

    /// Acts for this asset.
    pub(super) fn acting_for(self, asset: Asset<'a>) -> Self {
        self.by(asset.token).needing(asset.needs())
    }

    /// Goes on with a list where an earlier part of it ended.
    pub(super) fn after(self, cursor: Option<&Cursor>) -> Self {
        match cursor {
            Some(Cursor(after)) => self.with("after", after.expose()),
            None => self,
        }
    }

    /// Makes a form the body.
    pub(super) fn form(mut self, fields: &[(&str, &str)]) -> Self {
        let form = Serializer::new(String::new()).extend_pairs(fields).finish();
        self.body = Some(("application/x-www-form-urlencoded", Zeroizing::new(form)));
        self
    }

    /// Makes JSON the body.
    pub(super) fn json(mut self, json: &serde_json::Value) -> Self {
        self.body = Some(("application/json", Zeroizing::new(json.to_string())));
        self
    }

    /// Says which permissions the call takes.
    pub(super) const fn needing(mut self, needs: &'static [Permission]) -> Self {
        self.needs = needs;
        self
    }

    /// Takes an answer as long as a list.
    pub(super) const fn listing(mut self) -> Self {
        self.answer_max = LIST_MAX;
        self
    }

    fn query(self, proof: Option<(String, i64)>) -> (Zeroizing<String>, Self) {
        let mut query = Serializer::new(String::new());
        for (name, value) in &self.query {
            query.append_pair(name, value);
        }
        if let Some((proof, seconds)) = proof {
            query.append_pair("appsecret_proof", &proof);
            query.append_pair("appsecret_time", &seconds.to_string());
        }
        (Zeroizing::new(query.finish()), self)
    }
}

/// A part of a path; `None` where it could lead elsewhere, or is no id at all.
fn segment(part: &str) -> Option<String> {
    let is_plain = part.bytes().all(|byte| byte.is_ascii_graphic());
    let is_name = is_plain && part.bytes().any(|byte| byte != b'.') && part.len() <= ID_LEN_MAX;
    is_name.then(|| format!("/{}", byte_serialize(part.as_bytes()).collect::<String>()))
}

/// Shows Meta that whoever has the token has the app's secret, too. A proof is good for five
/// minutes (docs/meta-platform.md#sending).
fn proof(app: &App, token: &AccessToken, now: Timestamp) -> (String, i64) {
    let seconds = now.as_second();
    let key = hmac::Key::new(hmac::HMAC_SHA256, app.secret.expose().as_bytes());
    let message = Zeroizing::new(format!("{}|{seconds}", token.expose()));
    let digest = hmac::sign(&key, message.as_bytes());
    (hex(digest.as_ref()), seconds)
}

impl Graph {
    /// The app of a login.
    pub(super) fn app(&self, login: Login) -> Result<&App, GraphError> {
        let app = match login {
            Login::Facebook => self.apps.facebook.as_ref(),
            Login::Instagram => self.apps.instagram.as_ref(),
        };
        app.ok_or_else(|| unsent(Cause::NoApp))
    }

    /// Makes a call. An answer that is an error of Meta's is an error here.
    pub(super) async fn ask(&self, now: Timestamp, call: Call<'_>) -> Result<Reply, GraphError> {
        let proof = match (call.host, call.token) {
            (Host::Facebook, Some(token)) => Some(proof(self.app(Login::Facebook)?, token, now)),
            _ => None,
        };
        let needs = call.needs;
        let (query, call) = call.query(proof);
        let path = call.path.ok_or_else(|| unsent(Cause::Input))?;
        let base = self.base.of(call.host);
        let separator = if query.is_empty() { "" } else { "?" };
        let outgoing = Outgoing {
            method: call.method,
            url: Zeroizing::new(format!("{base}{path}{separator}{}", *query)),
            bearer: call.token.map(|token| Zeroizing::new(token.expose().to_owned())),
            body: call.body,
            answer_max: call.answer_max,
        };
        match self.wire.carry(outgoing).await {
            Ok(arrived) => reply(now, needs, arrived),
            Err(Lost { cause: Cause::Input, .. }) => Err(unsent(Cause::Input)),
            Err(Lost { cause, may_have_left }) => Err(later(now, MOMENT, cause, may_have_left)),
        }
    }
}

/// An answer that is no error.
pub(super) struct Reply {
    text: Zeroizing<String>,
    pauses: Vec<Pause>,
    now: Timestamp,
}

impl Reply {
    /// Reads what was asked for; `None` where the answer is not what it should be.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Object<'_>) -> Option<T>,
    ) -> Result<Answer<T>, GraphError> {
        let value = Value::parse(&self.text).and_then(Value::object).as_ref().and_then(read);
        let value = value.ok_or_else(|| later(self.now, WHILE, Cause::Unreadable, true))?;
        Ok(Answer { value, pauses: self.pauses.clone() })
    }

    /// Checks that Meta did what was asked.
    pub(super) fn success(&self) -> Result<Answer<()>, GraphError> {
        self.read(|answer| answer.is_true("success").then_some(()))
    }
}

fn reply(
    now: Timestamp,
    needs: &'static [Permission],
    arrived: Arrived,
) -> Result<Reply, GraphError> {
    let Arrived { status, usage, body } = arrived;
    let text = Zeroizing::new(readable(&body).into_owned());
    let pauses = usage.pauses(now);
    let answer = Value::parse(&text).and_then(Value::object);
    let refusal = answer.and_then(|answer| Refusal::read(status, &answer));
    match refusal {
        Some(refusal) => Err(refusal.error(now, status, needs, &pauses)),
        None if (200..300).contains(&status) => Ok(Reply { text, pauses, now }),
        None if (300..400).contains(&status) => Err(later(now, WHILE, Cause::Redirect, true)),
        None => Err(Refusal::of_status(status).error(now, status, needs, &pauses)),
    }
}

/// An error of Meta's, in whichever shape.
struct Refusal {
    meaning: Meaning,
    code: Option<u32>,
    subcode: Option<u32>,
    trace: Option<TraceId>,
}

impl Refusal {
    /// `None` if the answer is no error.
    fn read(status: u16, answer: &Object<'_>) -> Option<Self> {
        let Some(error) = answer.get("error").and_then(Value::object) else {
            return Self::of_instagram(answer);
        };
        let number = |key| error.scalar(key).and_then(|text| text.parse().ok());
        let (code, subcode) = (number("code"), number("error_subcode").filter(|it| *it > 0));
        let is_transient = error.is_true("is_transient") || status >= 500;
        let meaning = meaning(code, subcode, is_transient);
        let trace = error.scalar("fbtrace_id").and_then(|text| TraceId::parse(&text));
        Some(Self { meaning, code, subcode, trace })
    }

    /// The exchange of Instagram Login puts the status where other errors have their code. Its
    /// refusals mean that the code of the login is no good (docs/meta-platform.md#instagram-login).
    fn of_instagram(answer: &Object<'_>) -> Option<Self> {
        answer.get("error_type").or_else(|| answer.get("error_message"))?;
        let status = answer.scalar("code").and_then(|text| text.parse().ok()).unwrap_or(400);
        let odd = Self::of_status(status);
        let is_refused = odd.meaning == Meaning::Unclear;
        let meaning = if is_refused { Meaning::Reconnect(Hint::LogIn) } else { odd.meaning };
        Some(Self { meaning, ..odd })
    }

    /// An answer that says nothing but its status.
    const fn of_status(status: u16) -> Self {
        let meaning = match status {
            429 => Meaning::Throttled(Whose::Asset),
            500.. => Meaning::Transient,
            _ => Meaning::Unclear,
        };
        Self { meaning, code: None, subcode: None, trace: None }
    }

    fn error(
        self,
        now: Timestamp,
        status: u16,
        needs: &'static [Permission],
        pauses: &[Pause],
    ) -> GraphError {
        let Self { meaning, code, subcode, trace } = self;
        let pause = |wait, whose| {
            let told = pauses.iter().filter(|pause| pause.whose == whose).map(|it| it.until);
            let least = Pause::new(now, wait, whose);
            Pause { until: told.max().map_or(least.until, |told| told.max(least.until)), whose }
        };
        let failure = match meaning {
            Meaning::Transient => Failure::RetryLater(pause(MOMENT, Whose::Call)),
            Meaning::Throttled(whose) => Failure::RetryLater(pause(WHILE, whose)),
            Meaning::Reconnect(hint) => {
                let missing = if hint == Hint::Grant { needs } else { &[] };
                Failure::Reconnect { missing, hint }
            }
            Meaning::PausedByMeta => Failure::PausedByMeta,
            Meaning::OutsideWindow => Failure::OutsideWindow,
            Meaning::Unavailable => Failure::Unavailable,
            Meaning::AnsweredElsewhere => Failure::AnsweredElsewhere,
            Meaning::NotEligible => Failure::NotEligible,
            Meaning::NothingKnown => Failure::NothingKnown,
            Meaning::Permanent | Meaning::Unclear => Failure::Permanent,
        };
        let is_open = matches!(meaning, Meaning::Transient | Meaning::Unclear);
        let cause = Cause::Refused(Refused { status, code, subcode, trace });
        GraphError { failure, cause, is_open }
    }
}

/// Nothing was sent, and nothing will be.
fn unsent(cause: Cause) -> GraphError {
    GraphError { failure: Failure::Permanent, cause, is_open: false }
}

fn later(now: Timestamp, wait: SignedDuration, cause: Cause, is_open: bool) -> GraphError {
    let pause = Pause::new(now, wait, Whose::Call);
    GraphError { failure: Failure::RetryLater(pause), cause, is_open }
}
