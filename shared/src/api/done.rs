//! What a handler did: what is answered, and what of it goes into the audit trail.

use std::collections::BTreeMap;
use std::fmt::Display;

use lambda_http::http::{HeaderValue, StatusCode, header};
use lambda_http::{Body, Response};
use serde::Serialize;

use crate::domain::audit::{Subject, erased_of_each};
use crate::domain::erasure::Target;
use crate::domain::ids::{AccountId, RequestId};
use crate::edge::problem::json;

/// What a handler did.
#[derive(Debug)]
pub struct Done {
    /// What is answered.
    pub response: Response<Body>,
    /// What it was about, besides what the path names.
    pub subjects: Vec<Subject>,
    /// To which accounts it was done, where that was by staff.
    pub to: To,
    /// Whether it was done before, and recorded then.
    pub is_repeated: bool,
}

/// To which accounts something was done by staff.
#[derive(Debug)]
pub enum To {
    /// To none that is told of it.
    Nobody,
    /// To this one, which is told all that it was about.
    Account(AccountId),
    /// To those whose data these are. Each is told what of it was its own.
    Erased {
        /// The request that erases it, where it is one.
        code: Option<RequestId>,
        /// What was asked for, with what a hold keeps.
        targets: Vec<Target>,
    },
}

impl Done {
    /// Answers 200 with JSON.
    #[must_use]
    pub fn ok(body: &impl Serialize) -> Self {
        Self::json(StatusCode::OK, body)
    }

    /// Answers with JSON.
    #[must_use]
    pub fn json(status: StatusCode, body: &impl Serialize) -> Self {
        Self::answer(json(status, "application/json", body))
    }

    /// Answers with this.
    #[must_use]
    pub const fn answer(response: Response<Body>) -> Self {
        Self { response, subjects: Vec::new(), to: To::Nobody, is_repeated: false }
    }

    /// The same, of something that has this version by now (RFC 9110 §8.8.3).
    #[must_use]
    pub fn tagged(mut self, version: impl Display) -> Self {
        if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
            self.response.headers_mut().insert(header::ETAG, tag);
        }
        self
    }

    /// The same, about this, too: a word and an id of ours, or what was decided. What might be a
    /// Meta id or a name is left out.
    #[must_use]
    pub fn about(mut self, word: &'static str, id: impl Display) -> Self {
        self.subjects.extend(Subject::parse(&format!("{word} {id}")));
        self
    }

    /// The same, done by staff to this account.
    #[must_use]
    pub fn to_account(mut self, account: AccountId) -> Self {
        self.to = To::Account(account);
        self
    }

    /// The same, by which staff have this erased.
    #[must_use]
    pub fn erasing(mut self, code: Option<RequestId>, targets: Vec<Target>) -> Self {
        self.to = To::Erased { code, targets };
        self
    }

    /// What is told to each account that staff did it to; `all` is what the whole is about.
    #[must_use]
    pub fn told(&self, all: &[Subject]) -> BTreeMap<&AccountId, Vec<Subject>> {
        match &self.to {
            To::Nobody => BTreeMap::new(),
            To::Account(account) => BTreeMap::from([(account, all.to_vec())]),
            To::Erased { code, targets } => erased_of_each(targets, code.as_ref()),
        }
    }
}
