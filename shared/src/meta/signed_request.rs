//! `signed_request`: the signed content of Meta's data-deletion and deauthorise callbacks
//! (docs/meta-platform.md#deletion-callback).

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use thiserror::Error;

use super::json::{Object, Value};
use crate::domain::ids::MetaId;
use crate::domain::personal::Personal;

const FIELD: &str = "signed_request";
const ALGORITHM: &str = "HMAC-SHA256";

/// Bytes of a signed request at most. Real ones have 150 to 300; with an access token inside, about
/// 1,000.
const LEN_MAX: usize = 8 * 1024;
/// Bytes of the form at most: the longest signed request with every byte percent-encoded, and other
/// fields.
pub const FORM_LEN_MAX: usize = 4 * LEN_MAX;
/// Digits of an id at most. Today's ids have 15 to 17.
const ID_LEN_MAX: usize = 64;

/// What a genuine callback says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// The app-scoped id of the person who asks. `None` if the callback names nobody: the id is
    /// absent, empty or 0, as when a Page was disconnected. Then nothing may be selected by it.
    pub user: Option<MetaId>,
    /// The Page that was disconnected.
    pub profile: Option<MetaId>,
    /// When Meta signed the request, never later than now; `None` if the time is absent or
    /// unreadable. A copy that comes years later still verifies, but covers nothing newer than this
    /// time.
    pub issued_at: Option<Timestamp>,
}

/// Why a request is not accepted as Meta's callback.
///
/// Only [`Mismatch`](Self::Mismatch) says that someone else sent the request (401). With the
/// others, the request cannot be read (400).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignedRequestError {
    /// 400: the form or the field is too long.
    #[error("the signed request is too long")]
    TooLong,
    /// 400: the form has no `signed_request`.
    #[error("there is no signed_request")]
    Missing,
    /// 400: the form has more than one `signed_request`, so nobody can tell which one is meant.
    #[error("there is more than one signed_request")]
    Repeated,
    /// 400: the field is not a signature of 32 bytes and a JSON object, both in base64url, with a
    /// dot between.
    #[error("the signed request is malformed")]
    Malformed,
    /// 401: no secret makes this signature of this payload.
    #[error("the signed request is signed with no known secret")]
    Mismatch,
    /// 400: the request is genuine, but does not say that its signature is HMAC-SHA256.
    #[error("the signed request names another algorithm, or none")]
    Algorithm,
    /// 400: the request is genuine, but an id in it is not made of decimal digits.
    #[error("the signed request names an id that is none")]
    Id,
}

/// Finds the `signed_request` in a body of `application/x-www-form-urlencoded`, or in a query
/// string.
///
/// Whoever decodes the field reads the id of a person, so the field is personal even before it is
/// verified.
///
/// # Errors
///
/// `Missing`, `Repeated` or `TooLong`, of [`SignedRequestError`].
//= R8.3
pub fn from_form(form: &[u8]) -> Result<Personal<String>, SignedRequestError> {
    if form.len() > FORM_LEN_MAX {
        return Err(SignedRequestError::TooLong);
    }
    let mut fields = form_urlencoded::parse(form).filter(|(name, _)| name == FIELD);
    let (_, signed_request) = fields.next().ok_or(SignedRequestError::Missing)?;
    if fields.next().is_some() {
        return Err(SignedRequestError::Repeated);
    }
    if signed_request.len() > LEN_MAX {
        return Err(SignedRequestError::TooLong);
    }
    Ok(Personal::new(signed_request.into_owned()))
}

/// Checks the signature, and reads what is signed only after that.
///
/// The signature covers the encoded payload as received: all that follows the first dot. Several
/// secrets can be valid at once: the Facebook app's, the Instagram app's, and during a rotation the
/// old and the new one. All are tried in any case, each in constant time. An empty secret never
/// matches, for anyone can sign with it.
///
/// An old request is not refused: a person's wish to be forgotten does not lapse. Meta's `expires`
/// is the end of an access token and often absent, and Meta does not document how late a callback
/// may be repeated. [`Callback::issued_at`] limits what a replay can do.
///
/// # Errors
///
/// `Mismatch` if no secret matches; otherwise what cannot be read of the request.
//= R8.3
pub fn verify<S: AsRef<[u8]>>(
    signed_request: &str,
    secrets: &[S],
    now: Timestamp,
) -> Result<Callback, SignedRequestError> {
    if signed_request.len() > LEN_MAX {
        return Err(SignedRequestError::TooLong);
    }
    let (signature, payload) =
        signed_request.split_once('.').ok_or(SignedRequestError::Malformed)?;
    let signature: [u8; 32] =
        decode(signature)?.try_into().map_err(|_| SignedRequestError::Malformed)?;
    let mut genuine = false;
    for secret in secrets {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_ref());
        let valid = hmac::verify(&key, payload.as_bytes(), &signature).is_ok();
        genuine |= valid && !secret.as_ref().is_empty();
    }
    if genuine { read(&decode(payload)?, now) } else { Err(SignedRequestError::Mismatch) }
}

/// Decodes base64url. Meta leaves the padding out, but padded signatures were seen.
fn decode(part: &str) -> Result<Vec<u8>, SignedRequestError> {
    let digits = part.trim_end_matches('=');
    URL_SAFE_NO_PAD.decode(digits).map_err(|_| SignedRequestError::Malformed)
}

fn read(payload: &[u8], now: Timestamp) -> Result<Callback, SignedRequestError> {
    let text = str::from_utf8(payload).ok();
    let fields = text.and_then(Value::parse).and_then(Value::object);
    let fields = fields.ok_or(SignedRequestError::Malformed)?;
    let algorithm = fields.get("algorithm").and_then(Value::string);
    // Meta's own sample compares without regard to case.
    if !algorithm.is_some_and(|name| name.eq_ignore_ascii_case(ALGORITHM)) {
        return Err(SignedRequestError::Algorithm);
    }
    Ok(Callback {
        user: id(&fields, "user_id")?,
        profile: id(&fields, "profile_id")?,
        issued_at: issued_at(&fields).map(|at| at.min(now)),
    })
}

/// Reads an id: digits, kept as they came. `None` for an id that names nobody: absent, empty or 0.
fn id(fields: &Object<'_>, key: &str) -> Result<Option<MetaId>, SignedRequestError> {
    let Some(value) = fields.get(key) else { return Ok(None) };
    let id = value.scalar().ok_or(SignedRequestError::Id)?;
    let digits = id.bytes().all(|byte| byte.is_ascii_digit());
    if id.len() > ID_LEN_MAX || !digits {
        Err(SignedRequestError::Id)
    } else if id.bytes().all(|digit| digit == b'0') {
        Ok(None)
    } else {
        Ok(Some(Personal::new(id.into_owned())))
    }
}

/// Whole seconds after 1970.
fn issued_at(fields: &Object<'_>) -> Option<Timestamp> {
    let seconds = fields.scalar("issued_at")?.parse().ok()?;
    Timestamp::from_second(seconds).ok().filter(|at| *at > Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use proptest::prelude::*;

    use super::*;

    const FIXTURES: &str =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/signed_requests.jsonl");
    const SECRET: &str = "demo-app-secret-0001-not-real";
    const SECRETS: [&str; 2] = [SECRET, "demo-ig-secret-0002-not-real"];
    const GOOD: &str = r#"{"algorithm":"HMAC-SHA256","issued_at":1796100000,"user_id":"4811"}"#;

    fn now() -> Timestamp {
        "2026-12-01T05:00:00Z".parse().unwrap()
    }

    fn hmac_of(secret: &str, message: &str) -> Vec<u8> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
    }

    /// Signs any text as if it were an encoded payload.
    fn sign_encoded(secret: &str, payload: &str) -> String {
        format!("{}.{payload}", URL_SAFE_NO_PAD.encode(hmac_of(secret, payload)))
    }

    fn sign(json: impl AsRef<[u8]>) -> String {
        sign_encoded(SECRET, &URL_SAFE_NO_PAD.encode(json))
    }

    fn open(signed_request: &str) -> Result<Callback, SignedRequestError> {
        verify(signed_request, &SECRETS, now())
    }

    /// The field of a form, opened.
    fn take(form: &[u8]) -> Result<Callback, SignedRequestError> {
        open(from_form(form)?.expose())
    }

    fn text(id: Option<&MetaId>) -> Option<&str> {
        id.map(|id| id.expose().as_str())
    }

    #[track_caller]
    fn check_refused(signed_request: &str, expected: SignedRequestError) {
        assert_eq!(open(signed_request), Err(expected), "{signed_request:?}");
    }

    /// What a genuine payload with this `user_id`, in JSON, is read as.
    #[track_caller]
    fn check_user(user_id: &str, expected: Result<Option<&str>, SignedRequestError>) {
        let json = format!(r#"{{"algorithm":"HMAC-SHA256","user_id":{user_id}}}"#);
        let callback = open(&sign(json));
        let user = callback.as_ref().map(|callback| text(callback.user.as_ref()));
        assert_eq!(user.map_err(|error| *error), expected, "{user_id}");
    }

    //= R8.3
    #[test]
    fn fixtures_have_their_verdicts_whatever_the_time() {
        let lines = fs::read_to_string(FIXTURES).unwrap();
        assert!(lines.lines().count() >= 12);
        for line in lines.lines() {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            let body = case["body"].as_str().unwrap().as_bytes();
            for now in [Timestamp::UNIX_EPOCH, now(), Timestamp::MAX] {
                let callback =
                    from_form(body).and_then(|field| verify(field.expose(), &SECRETS, now));
                let ids = callback.as_ref().ok().map(|callback| {
                    (text(callback.user.as_ref()), text(callback.profile.as_ref()))
                });
                let named = |key: &str| case[key].as_str().filter(|id| !matches!(*id, "" | "0"));
                let expected = match case["verdict"].as_str().unwrap() {
                    "accept" => Some((named("user_id"), named("profile_id"))),
                    "accept_no_subject" => Some((None, None)),
                    "reject" => None,
                    other => panic!("{other}"),
                };
                assert_eq!(ids, expected, "{}", case["name"]);
            }
        }
    }

    //= R8.3
    #[test]
    fn any_candidate_secret_opens_and_no_other() {
        let check = |secrets: &[&str]| verify(&sign(GOOD), secrets, now()).map(|_| ());
        assert_eq!(check(&[SECRET]), Ok(()));
        assert_eq!(check(&["old", "", SECRET, "new"]), Ok(()));
        assert_eq!(check(&[SECRET, "old"]), Ok(()));
        assert_eq!(check(&["old", "new"]), Err(SignedRequestError::Mismatch));
        assert_eq!(check(&[]), Err(SignedRequestError::Mismatch));
    }

    //= R8.3
    #[test]
    fn an_empty_secret_opens_to_nobody() {
        let signed = sign_encoded("", &URL_SAFE_NO_PAD.encode(GOOD));
        assert_eq!(verify(&signed, &[""], now()), Err(SignedRequestError::Mismatch));
    }

    #[test]
    fn both_shapes_of_a_disconnected_page_name_the_page_and_nobody() {
        for user in [r#""user_id":"","#, r#""user_id":"0","user":{"locale":"es_LA"},"#, ""] {
            let json = format!(r#"{{{user}"profile_id":"900","algorithm":"HMAC-SHA256"}}"#);
            let callback = open(&sign(json)).unwrap();
            assert_eq!(text(callback.profile.as_ref()), Some("900"), "{user}");
            assert_eq!(callback.user, None, "{user}");
        }
    }

    #[test]
    fn ids_are_kept_digit_by_digit() {
        check_user(r#""4811000000000001""#, Ok(Some("4811000000000001")));
        check_user("4811000000000003", Ok(Some("4811000000000003")));
        check_user("18446744073709551617", Ok(Some("18446744073709551617")));
        check_user("9007199254740993", Ok(Some("9007199254740993")));
        check_user(r#""0048""#, Ok(Some("0048")));
        check_user(r#""\u0034811""#, Ok(Some("4811")));
        let longest = "9".repeat(ID_LEN_MAX);
        check_user(&longest, Ok(Some(&longest)));
    }

    #[test]
    fn nobody_is_named_by_an_empty_or_zero_id() {
        for nobody in ["\"\"", "\"0\"", "0", "\"000\"", "null"] {
            check_user(nobody, Ok(None));
        }
        let without = open(&sign(r#"{"algorithm":"HMAC-SHA256"}"#)).unwrap();
        assert_eq!(without, Callback { user: None, profile: None, issued_at: None });
    }

    #[test]
    fn what_is_not_made_of_digits_is_no_id() {
        for bad in [
            "-4811",
            "-0",
            "0.0",
            "4811.0",
            "4.811e3",
            "1e999",
            "true",
            "false",
            "[]",
            "[4811]",
            "{}",
            r#"{"id":"4811"}"#,
            r#""-4811""#,
            r#""+4811""#,
            r#"" ""#,
            r#"" 4811""#,
            r#""4811\n""#,
            r#""4811\u0000""#,
            r#""4,811""#,
            r#""0x12cb""#,
            r#""4811 OR 1=1""#,
            r#""me""#,
            r#""null""#,
            r#""\uff14\uff18""#,
            r#""\u0664\u0668""#,
            r#""\ud83d""#,
            "\"４８１１\"",
            &"9".repeat(ID_LEN_MAX + 1),
            &format!("{:?}", "0".repeat(ID_LEN_MAX + 1)),
        ] {
            check_user(bad, Err(SignedRequestError::Id));
            let json = format!(r#"{{"algorithm":"HMAC-SHA256","profile_id":{bad}}}"#);
            check_refused(&sign(json), SignedRequestError::Id);
        }
    }

    #[test]
    fn the_payload_must_say_that_it_is_signed_with_hmac_sha256() {
        for good in ["HMAC-SHA256", "hmac-sha256", r"HMAC\u002dSHA256"] {
            let json = format!(r#"{{"algorithm":"{good}","user_id":"4811"}}"#);
            assert!(open(&sign(json)).is_ok(), "{good}");
        }
        for bad in [
            r#""none""#,
            r#""""#,
            r#""HMAC-SHA1""#,
            r#""HMAC-SHA512""#,
            r#""HS256""#,
            r#""HMACSHA256""#,
            r#"" HMAC-SHA256""#,
            r#""HMAC-SHA256 ""#,
            r#""HMAC-\u017fHA256""#,
            r#"["HMAC-SHA256"]"#,
            "256",
            "true",
            "null",
        ] {
            let json = format!(r#"{{"algorithm":{bad},"user_id":"4811"}}"#);
            check_refused(&sign(json), SignedRequestError::Algorithm);
        }
        check_refused(&sign(r#"{"user_id":"4811"}"#), SignedRequestError::Algorithm);
        check_refused(&sign(r#"{"Algorithm":"HMAC-SHA256"}"#), SignedRequestError::Algorithm);
    }

    #[test]
    fn age_refuses_nothing_and_a_request_from_the_future_counts_from_now() {
        #[track_caller]
        fn check(fields: &str, issued_at: Option<Timestamp>) {
            let json = format!(r#"{{"algorithm":"HMAC-SHA256","user_id":"4811",{fields}}}"#);
            assert_eq!(open(&sign(json)).map(|callback| callback.issued_at), Ok(issued_at));
        }
        let signed_at = Timestamp::from_second(1_796_100_000).unwrap();
        check(r#""issued_at":1796100000"#, Some(signed_at));
        check(r#""issued_at":"1796100000""#, Some(signed_at));
        check(r#""issued_at":1796100000,"expires":1796103600"#, Some(signed_at));
        check(r#""issued_at":1796100000,"expires":1"#, Some(signed_at));
        check(r#""issued_at":1796100000,"expires":0"#, Some(signed_at));
        check(r#""issued_at":1796100000,"expires":"never""#, Some(signed_at));
        check(r#""issued_at":1291836800"#, Timestamp::from_second(1_291_836_800).ok());
        check(r#""issued_at":1896100000"#, Some(now()));
        for unreadable in ["0", "-1", "1.5", "1796100000000", "1e9", "\"soon\"", "null", "{}"] {
            check(&format!(r#""issued_at":{unreadable}"#), None);
        }
    }

    #[test]
    fn padding_is_tolerated_where_the_signature_holds_with_it() {
        let (signature, payload) = (hmac_of(SECRET, "eyJ9"), URL_SAFE.encode(GOOD));
        assert!(payload.ends_with('='));
        assert!(open(&sign_encoded(SECRET, &payload)).is_ok());
        check_refused(
            &format!("{}.eyJ9=", URL_SAFE_NO_PAD.encode(signature)),
            SignedRequestError::Mismatch,
        );
        let (signature, payload) = {
            let signed = sign(GOOD);
            let (signature, payload) = signed.split_once('.').unwrap();
            (signature.to_owned(), payload.to_owned())
        };
        assert!(open(&format!("{signature}=.{payload}")).is_ok());
        check_refused(&format!("={signature}.{payload}"), SignedRequestError::Malformed);
        check_refused(&format!("{signature}%3D.{payload}"), SignedRequestError::Malformed);
    }

    #[test]
    fn the_signature_is_32_bytes_in_base64url() {
        let payload = URL_SAFE_NO_PAD.encode(GOOD);
        let signature = hmac_of(SECRET, &payload);
        let encoded = URL_SAFE_NO_PAD.encode(&signature);
        let hex = "0f".repeat(32);
        for bad in [
            "",
            "=",
            &URL_SAFE_NO_PAD.encode(&signature).split_off(1),
            &format!("{encoded}A"),
            &format!("{encoded}AA"),
            &format!(" {encoded}"),
            &format!("{encoded}\n"),
            &format!("\u{feff}{encoded}"),
            &hex,
            &URL_SAFE_NO_PAD.encode(&hex),
            &URL_SAFE_NO_PAD.encode(&signature[..31]),
            &URL_SAFE_NO_PAD.encode(&signature[..20]),
            &"é".repeat(21),
        ] {
            check_refused(&format!("{bad}.{payload}"), SignedRequestError::Malformed);
        }
        // The signature of this payload has both letters in which the two alphabets of base64
        // differ.
        let payload = (0..1000)
            .map(|n| format!("payload{n}"))
            .find(|payload| {
                let encoded = STANDARD.encode(hmac_of(SECRET, payload));
                encoded.contains('+') && encoded.contains('/')
            })
            .unwrap();
        let standard = STANDARD.encode(hmac_of(SECRET, &payload));
        check_refused(&format!("{standard}.{payload}"), SignedRequestError::Malformed);
    }

    #[test]
    fn the_signature_covers_the_payload_as_received() {
        let payload = URL_SAFE_NO_PAD.encode(GOOD);
        let signature = URL_SAFE_NO_PAD.encode(hmac_of(SECRET, &payload));
        let over_json = URL_SAFE_NO_PAD.encode(hmac_of(SECRET, GOOD));
        for bad in [
            format!("{over_json}.{payload}"),
            format!("{signature}.{payload}="),
            format!("{signature}.{payload}\n"),
            format!("{signature}. {payload}"),
            format!("{signature}.{payload}."),
            format!("{signature}..{payload}"),
            format!("{signature}.{payload}.{payload}"),
            format!("{signature}."),
            format!("{signature}.{GOOD}"),
            sign_encoded("other", &payload),
        ] {
            check_refused(&bad, SignedRequestError::Mismatch);
        }
        for bad in ["", ".", "..", &signature, &payload, GOOD, &format!("{signature}{payload}")] {
            check_refused(bad, SignedRequestError::Malformed);
        }
        check_refused(&format!("{payload}.{signature}"), SignedRequestError::Malformed);
        check_refused(&format!(".{signature}.{payload}"), SignedRequestError::Malformed);
    }

    #[test]
    fn a_genuine_payload_that_is_no_json_object_is_malformed() {
        let encoded = URL_SAFE_NO_PAD.encode(GOOD);
        for bad in ["", ".", GOOD, &format!("{encoded}."), &format!("{encoded}.{encoded}"), "A"] {
            check_refused(&sign_encoded(SECRET, bad), SignedRequestError::Malformed);
        }
        let standard = STANDARD.encode(r#"{"algorithm":"HMAC-SHA256","a":"~~~???"}"#);
        assert!(standard.contains(['+', '/']));
        check_refused(&sign_encoded(SECRET, &standard), SignedRequestError::Malformed);
        for bad in [
            "",
            "null",
            "7",
            "\"4811\"",
            "[]",
            &format!("[{GOOD}]"),
            &format!("{GOOD}x"),
            &format!("{GOOD}{GOOD}"),
            &format!("\u{feff}{GOOD}"),
            &format!("{GOOD}\0"),
            r#"{"algorithm":"HMAC-SHA256","user_id":04811}"#,
            r#"{"algorithm":"HMAC-SHA256","user_id":"4811",}"#,
            "{'algorithm':'HMAC-SHA256'}",
            "algorithm=HMAC-SHA256&user_id=4811",
        ] {
            check_refused(&sign(bad), SignedRequestError::Malformed);
        }
        check_refused(&sign(b"{\"a\":\"\xff\"}"), SignedRequestError::Malformed);
    }

    #[test]
    fn what_else_the_payload_holds_does_no_harm() {
        for other in [
            format!(r#""deep":{}{}"#, "[".repeat(2000), "]".repeat(2000)),
            r#""surrogate":"\ud83d","number":1e999"#.to_owned(),
            r#""oauth_token":"t","user":{"user_id":"1"}"#.to_owned(),
            r#""user_id":"1","user_id":"4811""#.to_owned(),
        ] {
            let json = format!(r#"{{"user_id":"4811",{other},"algorithm":"HMAC-SHA256"}}"#);
            let callback = open(&sign(json)).unwrap();
            assert_eq!(text(callback.user.as_ref()), Some("4811"), "{other}");
        }
    }

    #[test]
    fn every_size_is_bounded() {
        let longest = |len: usize| {
            let empty = r#"{"algorithm":"HMAC-SHA256","pad":""}"#;
            let json = empty.replace(r#""""#, &format!("{:?}", "x".repeat(len - empty.len())));
            sign(json)
        };
        // 43 characters of signature, a dot, and 4 characters for each 3 bytes.
        let most = (LEN_MAX - 44) / 4 * 3;
        assert!(open(&longest(most)).is_ok());
        check_refused(&longest(most + 3), SignedRequestError::TooLong);

        let form = |len: usize| format!("signed_request={}", "a".repeat(len));
        assert!(from_form(form(LEN_MAX).as_bytes()).is_ok());
        let too_long = Err(SignedRequestError::TooLong);
        assert_eq!(from_form(form(LEN_MAX + 1).as_bytes()), too_long);
        let beside = |len: usize| format!("{}&signed_request=a.b", "x".repeat(len));
        assert!(from_form(beside(FORM_LEN_MAX - 19).as_bytes()).is_ok());
        assert_eq!(from_form(beside(FORM_LEN_MAX - 18).as_bytes()), too_long);
        let encoded = format!("signed_request={}", "%61".repeat(LEN_MAX));
        assert!(from_form(encoded.as_bytes()).is_ok());
    }

    #[test]
    fn the_field_is_found_once_among_others() {
        let signed = sign(GOOD);
        let encoded = signed.replace('.', "%2E").replace('e', "%65").replace('J', "%4a");
        for form in [
            format!("signed_request={signed}"),
            format!("signed_request={encoded}"),
            format!("signed%5Frequest={signed}"),
            format!("a=1&signed_request={signed}&b=%26signed_request%3Dx&&c"),
            format!("Signed_Request=x&signed_request[]=x&signed_request={signed}&"),
        ] {
            assert!(take(form.as_bytes()).is_ok(), "{form}");
        }
        for form in [
            format!("signed_request={signed}&signed_request={signed}"),
            format!("signed_request=&signed_request={signed}"),
            format!("signed_request={signed}&signed%5frequest"),
        ] {
            assert_eq!(take(form.as_bytes()), Err(SignedRequestError::Repeated), "{form}");
        }
        for form in [
            String::new(),
            signed.clone(),
            format!("?signed_request={signed}"),
            format!("\u{feff}signed_request={signed}"),
            format!(" signed_request={signed}"),
            format!("a=1;signed_request={signed}"),
            format!("SIGNED_REQUEST={signed}"),
            format!("signed_request%3D{signed}"),
            format!("signed_request[0]={signed}"),
            format!(r#"{{"signed_request":"{signed}"}}"#),
            format!(
                "--x\r\nContent-Disposition: form-data; name=\"signed_request\"\r\n\r\n{signed}"
            ),
        ] {
            assert_eq!(take(form.as_bytes()), Err(SignedRequestError::Missing), "{form}");
        }
    }

    #[test]
    fn the_field_is_decoded_once() {
        let padded = sign(GOOD).replacen('.', "=.", 1);
        let twice = format!("signed_request={}", padded.replace('=', "%253D"));
        assert_eq!(take(twice.as_bytes()), Err(SignedRequestError::Malformed));
        for bad in ["signed_request", "signed_request=", "signed_request=%", "signed_request=%ff."]
        {
            assert_eq!(take(bad.as_bytes()), Err(SignedRequestError::Malformed), "{bad}");
        }
        let spaced = format!("signed_request={}", sign(GOOD).replacen('.', ".+", 1));
        assert_eq!(take(spaced.as_bytes()), Err(SignedRequestError::Mismatch));
    }

    #[test]
    fn nothing_of_it_can_be_printed() {
        let signed = sign(GOOD);
        let field = from_form(format!("signed_request={signed}").as_bytes()).unwrap();
        let shown = format!("{field:?} {:?}", open(&signed).unwrap());
        assert!(!shown.contains("4811") && !shown.contains(&signed), "{shown}");
    }

    /// Bytes that come close to the format more often than arbitrary ones do.
    fn nearly() -> impl Strategy<Value = String> {
        let part = || "[A-Za-z0-9_=-]{0,50}|[A-Za-z0-9_-]{43}=?|\\PC{0,20}";
        (part(), "\\.{0,2}", part()).prop_map(|(left, dot, right)| left + &dot + &right)
    }

    proptest! {
        #[test]
        fn any_form_is_answered_without_a_panic(
            body in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            prop_assert!(take(&body).is_err());
            prop_assert!(take(&[b"signed_request=", &body[..]].concat()).is_err());
        }

        //= R8.3
        #[test]
        fn nothing_verifies_without_a_secret(forged in nearly(), secret in "\\PC{0,40}") {
            prop_assert!(open(&forged).is_err());
            let signed = sign_encoded(&secret, &URL_SAFE_NO_PAD.encode(GOOD));
            prop_assert_eq!(open(&signed), Err(SignedRequestError::Mismatch));
        }

        #[test]
        fn a_genuine_payload_of_any_bytes_is_answered_without_a_panic(
            payload in prop::collection::vec(any::<u8>(), 0..200), value in "\\PC{0,30}",
        ) {
            prop_assert_ne!(open(&sign(&payload)), Err(SignedRequestError::Mismatch));
            let json = format!(r#"{{"algorithm":"HMAC-SHA256","user_id":{value}}}"#);
            let digits = |id: &MetaId| id.expose().bytes().all(|byte| byte.is_ascii_digit());
            if let Ok(callback) = open(&sign(json)) {
                prop_assert!(callback.user.as_ref().is_none_or(digits));
            }
        }

        //= R8.3
        #[test]
        fn one_changed_byte_is_refused(
            id in "[1-9][0-9]{0,19}", padded in any::<bool>(),
            at in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            let mut signed = sign(GOOD.replace("4811", &id));
            if padded {
                signed = signed.replacen('.', "=.", 1);
            }
            let callback = open(&signed);
            prop_assert_eq!(callback.as_ref().map(|it| text(it.user.as_ref())), Ok(Some(&*id)));

            let mut changed = signed.clone().into_bytes();
            let at = at.index(changed.len());
            prop_assume!(changed[at] != byte);
            changed[at] = byte;
            let changed = String::from_utf8_lossy(&changed);
            prop_assert!(open(&changed).is_err());
            signed.truncate(at);
            prop_assert!(open(&signed).is_err());
        }

        #[test]
        fn a_named_user_is_read_back_exactly(id in "[1-9][0-9]{0,63}", number in any::<bool>()) {
            let value = if number { id.clone() } else { format!("{id:?}") };
            check_user(&value, Ok(Some(&id)));
        }
    }
}
