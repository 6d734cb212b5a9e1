//! Any bytes as the form of a callback, as its `signed_request`, and as a payload that is signed:
//! only what was signed verifies, and it reads back unchanged.
#![no_main]

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use numib::domain::ids::MetaId;
use numib::meta::signed_request::SignedRequestError::{Mismatch, TooLong};
use numib::meta::signed_request::{Callback, FORM_LEN_MAX, from_form, verify};

const SECRET: &str = "signs the payloads here, and nothing of the seeds";
const OTHER: &str = "signs nothing";

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    check_forged(bytes);
    check_forged(&bytes.repeat(FORM_LEN_MAX / bytes.len().max(1)));
    check_signed(bytes);
});

fn check_forged(bytes: &[u8]) {
    let now = Timestamp::UNIX_EPOCH;
    if let Ok(field) = from_form(bytes) {
        assert!(verify(field.expose(), &[SECRET, OTHER], now).is_err());
    }
    if let Ok(text) = str::from_utf8(bytes) {
        assert!(verify(text, &[SECRET, OTHER], now).is_err());
    }
}

fn check_signed(payload: &[u8]) {
    let now = Timestamp::constant(1_796_100_000, 0);
    let payload = URL_SAFE_NO_PAD.encode(payload);
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, payload.as_bytes()));
    let signed = format!("{signature}.{payload}");
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("signed_request", &signed)
        .finish();
    let field = from_form(form.as_bytes());

    let outcome = verify(&signed, &[OTHER, SECRET], now);
    if outcome == Err(TooLong) {
        assert_eq!(field, Err(TooLong));
        return;
    }
    assert_eq!(field.expect("a form of one field has it").expose(), &signed);
    assert_ne!(outcome, Err(Mismatch), "what is signed is genuine");
    assert_eq!(verify(&signed, &[OTHER], now), Err(Mismatch));
    let cut = &signed[..signed.len() - 1];
    assert!(verify(cut, &[OTHER, SECRET], now).is_err(), "all of it is signed");
    if let Ok(callback) = outcome {
        check_callback(&callback, now);
    }
}

fn check_callback(callback: &Callback, now: Timestamp) {
    let names_someone = |id: &MetaId| {
        let id = id.expose();
        id.len() <= 64
            && id.bytes().all(|byte| byte.is_ascii_digit())
            && id.bytes().any(|byte| byte != b'0')
    };
    assert!(callback.user.as_ref().is_none_or(names_someone));
    assert!(callback.profile.as_ref().is_none_or(names_someone));
    assert!(callback.issued_at.is_none_or(|at| Timestamp::UNIX_EPOCH < at && at <= now));
}
