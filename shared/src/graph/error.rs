//! What a call to Meta can fail with. Nothing here says whom the call was about, and nothing that
//! Meta wrote gets in: its texts may have names in them.

use std::fmt;

use super::usage::Pause;
use crate::domain::login::Permission;

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{failure} ({cause})")]
pub struct GraphError {
    /// What it means for whoever called.
    pub failure: Failure,
    /// What happened, for the log.
    pub cause: Cause,
    /// Whether Meta may have done what was asked all the same.
    pub(super) is_open: bool,
}

/// What a failure means. Each variant is another reaction of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The same call can succeed later, and not before then.
    #[error("to be tried again after {until}, by {whose}", until = .0.until, whose = .0.whose)]
    RetryLater(Pause),
    /// Somebody has to log in again.
    #[error("to be connected again: {hint}")]
    Reconnect {
        /// What the call needs, and at least one of it is not granted; empty where the token itself
        /// is dead.
        missing: &'static [Permission],
        /// What to do first.
        hint: Hint,
    },
    /// Meta restricts this Page or account, or its use by us. Whoever goes on makes it worse.
    #[error("paused by Meta")]
    PausedByMeta,
    /// The person wrote too long ago. Meta's verdict counts, whatever we know.
    #[error("outside the window")]
    OutsideWindow,
    /// Meta cannot or does not want to reach this person, or there is nobody by this id here.
    #[error("the person cannot be reached")]
    Unavailable,
    /// Another app, or the business's own inbox, has the conversation.
    #[error("another app has the conversation")]
    AnsweredElsewhere,
    /// Meta does not open the API for this account yet.
    #[error("the account is not eligible yet")]
    NotEligible,
    /// Meta tells nothing: the person did not consent, or the message is gone *or* too old. So this
    /// is never a proof that something was deleted.
    #[error("Meta tells nothing about this")]
    NothingKnown,
    /// The same call will fail again.
    #[error("refused for good")]
    Permanent,
}

/// What a person has to do before the connection works again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// Log in again: the token is dead.
    LogIn,
    /// Log in at facebook.com first, where Meta has a question to this person.
    ConfirmAtFacebook,
    /// Have somebody log in who still has a role on the Page.
    AskAnotherAdmin,
    /// Log in again, and grant what is missing.
    Grant,
    /// Link the Instagram account and the Page again.
    Relink,
    /// Allow access to messages, in the settings of the Instagram account.
    AllowMessages,
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LogIn => "log in again",
            Self::ConfirmAtFacebook => "log in at facebook.com first",
            Self::AskAnotherAdmin => "have another admin of the Page log in",
            Self::Grant => "grant the missing permissions",
            Self::Relink => "link the Instagram account to the Page again",
            Self::AllowMessages => "allow access to messages at Instagram",
        })
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// Meta refused.
    #[error("{0}")]
    Refused(Refused),
    /// There was no connection, or it ended before the answer did.
    #[error("no answer")]
    NoAnswer,
    /// The time was up.
    #[error("no answer in time")]
    TimedOut,
    /// The answer points elsewhere. Nobody follows.
    #[error("a redirect")]
    Redirect,
    /// The answer is longer than any that this call can have.
    #[error("too long an answer")]
    TooLong,
    /// The answer is not what it should be.
    #[error("an answer that cannot be read")]
    Unreadable,
    /// An id, a token or a text that no call can be made of. Nothing was sent.
    #[error("what was asked for fits into no call")]
    Input,
    /// There are no credentials for this login. Nothing was sent.
    #[error("no app for this login")]
    NoApp,
}

/// A refusal in Meta's numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The status of the answer.
    pub status: u16,
    /// `code`.
    pub code: Option<u32>,
    /// `error_subcode`. Subcodes exceed 65,535.
    pub subcode: Option<u32>,
    /// By which Meta finds the call.
    pub trace: Option<TraceId>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status)?;
        if let Some(code) = self.code {
            write!(f, ", code {code}")?;
        }
        if let Some(subcode) = self.subcode {
            write!(f, "/{subcode}")?;
        }
        if let Some(TraceId(trace)) = &self.trace {
            write!(f, ", trace {trace}")?;
        }
        Ok(())
    }
}

/// `fbtrace_id`: it says nothing about a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceId(String);

impl TraceId {
    /// `None` for what is no plain id: it might be anything.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        ((1..=32).contains(&text.len()) && text.bytes().all(is_plain))
            .then(|| Self(text.to_owned()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A message that was not sent, as far as we know. Nothing of this makes a second attempt: a person
/// would read the same message twice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Certainly not sent.
    #[error("not sent: {0}")]
    NotSent(#[source] GraphError),
    /// Perhaps sent. An echo will tell, or the conversation at Meta, or a person.
    #[error("perhaps sent: {0}")]
    Unknown(#[source] GraphError),
}

impl From<GraphError> for SendError {
    fn from(error: GraphError) -> Self {
        if error.is_open { Self::Unknown(error) } else { Self::NotSent(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_trace_is_kept() {
        assert!(TraceId::parse("AbZ_9-x").is_some());
        for bad in ["", "a b", "Ana Ñ", "a\nb", &"x".repeat(33)] {
            assert_eq!(TraceId::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn an_error_says_what_to_do_and_shows_metas_numbers() {
        let cause = Cause::Refused(Refused {
            status: 400,
            code: Some(190),
            subcode: Some(2_534_022),
            trace: TraceId::parse("AbZ"),
        });
        let failure = Failure::Reconnect { missing: &[], hint: Hint::LogIn };
        let error = GraphError { failure, cause, is_open: false };
        assert_eq!(
            SendError::from(error).to_string(),
            "not sent: to be connected again: log in again \
             (status 400, code 190/2534022, trace AbZ)"
        );
    }
}
