//! Meta's handshake: a GET that shows Meta that the callback URL is ours, before it sends webhooks
//! there (docs/meta-platform.md#handshake).

use aws_lc_rs::{constant_time, digest};
use thiserror::Error;

const CHALLENGE_LEN_MAX: usize = 256;

/// The parameters of the query, as far as they are present.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "the verify token must not be printed")]
pub struct Handshake<'a> {
    /// `hub.mode`.
    pub mode: Option<&'a str>,
    /// `hub.verify_token`.
    pub verify_token: Option<&'a str>,
    /// `hub.challenge`.
    pub challenge: Option<&'a str>,
}

/// Why a handshake is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HandshakeError {
    /// A parameter is missing, the mode is not `subscribe`, or the challenge is unsafe to echo.
    #[error("not a subscription handshake")]
    BadRequest,
    /// The verify token is none of ours.
    #[error("the verify token does not match")]
    Forbidden,
}

/// The challenge to echo as `text/plain`.
///
/// Every configured token is compared, in constant time. An empty one never matches.
///
/// # Errors
///
/// [`HandshakeError::BadRequest`] if the request is no handshake, [`HandshakeError::Forbidden`] if
/// its token is not configured.
//= R8.1
pub fn answer<T: AsRef<[u8]>>(
    handshake: Handshake<'_>,
    tokens: &[T],
) -> Result<String, HandshakeError> {
    let Handshake {
        mode: Some("subscribe"),
        verify_token: Some(given),
        challenge: Some(challenge),
    } = handshake
    else {
        return Err(HandshakeError::BadRequest);
    };
    if !is_safe(challenge) {
        return Err(HandshakeError::BadRequest);
    }
    let mut known = false;
    for token in tokens {
        known |= same(given.as_bytes(), token.as_ref()) && !token.as_ref().is_empty();
    }
    if known { Ok(challenge.to_owned()) } else { Err(HandshakeError::Forbidden) }
}

/// Whether a challenge is short and has nothing that a browser could take for markup. Meta sends
/// digits.
fn is_safe(challenge: &str) -> bool {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=CHALLENGE_LEN_MAX).contains(&challenge.len()) && challenge.bytes().all(safe)
}

/// Compares digests, so that the time taken does not even show the length.
fn same(left: &[u8], right: &[u8]) -> bool {
    let digest = |bytes| digest::digest(&digest::SHA256, bytes);
    constant_time::verify_slices_are_equal(digest(left).as_ref(), digest(right).as_ref()).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BAD_REQUEST: Result<&str, HandshakeError> = Err(HandshakeError::BadRequest);
    const FORBIDDEN: Result<&str, HandshakeError> = Err(HandshakeError::Forbidden);

    #[track_caller]
    fn check(
        mode: Option<&str>,
        verify_token: Option<&str>,
        challenge: Option<&str>,
        tokens: &[&str],
        expected: Result<&str, HandshakeError>,
    ) {
        let answer = answer(Handshake { mode, verify_token, challenge }, tokens);
        assert_eq!(answer.as_deref().map_err(|error| *error), expected);
    }

    //= R8.1
    #[test]
    fn any_configured_token_opens() {
        let ask = |token| (Some("subscribe"), Some(token), Some("1158201444"));
        for token in ["page", "instagram", "old"] {
            let (mode, token, challenge) = ask(token);
            check(mode, token, challenge, &["page", "instagram", "old"], Ok("1158201444"));
        }
        for token in ["", "pag", "pagee", "Page", "page ", "pageinstagram"] {
            let (mode, token, challenge) = ask(token);
            check(mode, token, challenge, &["page", "instagram", ""], FORBIDDEN);
        }
    }

    //= R8.1
    #[test]
    fn without_a_configured_token_nothing_opens() {
        for tokens in [&[][..], &[""]] {
            check(Some("subscribe"), Some(""), Some("1"), tokens, FORBIDDEN);
            check(Some("subscribe"), Some("token"), Some("1"), tokens, FORBIDDEN);
        }
    }

    #[test]
    fn a_missing_parameter_or_another_mode_is_a_bad_request() {
        let (mode, token, challenge) = (Some("subscribe"), Some("token"), Some("1"));
        check(None, token, challenge, &["token"], BAD_REQUEST);
        check(mode, None, challenge, &["token"], BAD_REQUEST);
        check(mode, token, None, &["token"], BAD_REQUEST);
        check(None, None, None, &["token"], BAD_REQUEST);
        for mode in ["", "unsubscribe", "Subscribe", "subscribe "] {
            check(Some(mode), token, challenge, &["token"], BAD_REQUEST);
        }
    }

    #[test]
    fn only_a_bounded_and_harmless_challenge_is_echoed() {
        let ask = |challenge, expected| {
            check(Some("subscribe"), Some("token"), Some(challenge), &["token"], expected);
        };
        let longest = "9".repeat(CHALLENGE_LEN_MAX);
        for good in ["0", "1158201444", "aZ9_.-", &longest] {
            ask(good, Ok(good));
        }
        for bad in ["", " 1", "1\n", "<script>", "a&b", "a/b", "a%3Cb", "é", &"9".repeat(257)] {
            ask(bad, BAD_REQUEST);
        }
    }

    proptest! {
        #[test]
        fn a_token_matches_itself_only(given in ".{0,20}", token in ".{0,20}") {
            let handshake = Handshake {
                mode: Some("subscribe"), verify_token: Some(&given), challenge: Some("1"),
            };
            let opens = |token: &str| answer(handshake, &[token]).is_ok();
            prop_assert_eq!(opens(&token), given == token && !given.is_empty());
            prop_assert_eq!(opens(&given), !given.is_empty());
        }
    }
}
