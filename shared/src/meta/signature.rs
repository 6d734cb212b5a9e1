//! `X-Hub-Signature-256`: proof that a body comes from Meta and arrived as it was sent
//! (docs/meta-platform.md#signatures).

use aws_lc_rs::hmac;
use thiserror::Error;

/// Why a body is not accepted as Meta's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// The header is missing.
    #[error("the signature header is missing")]
    Missing,
    /// The header is not `sha256=` and 64 lower-case hexadecimal digits.
    #[error("the signature header is malformed")]
    Malformed,
    /// No secret makes this signature of this body.
    #[error("the signature matches no secret")]
    Mismatch,
}

/// Checks the header against the raw body, and says which of the candidate secrets signed it.
///
/// Several secrets can be valid at once: the Facebook app's, the Instagram app's, and during a
/// rotation the old and the new one. All are tried in any case, each in constant time. An empty
/// secret never matches, for anyone can sign with it. A signature has one spelling only, Meta's, so
/// no changed header passes. SHA-1 (`X-Hub-Signature`) is not accepted.
///
/// # Errors
///
/// [`SignatureError`], by what is wrong with the header.
//= R8.1
pub fn verify<S: AsRef<[u8]>>(
    secrets: &[S],
    header: Option<&str>,
    body: &[u8],
) -> Result<usize, SignatureError> {
    let signature = decode(header.ok_or(SignatureError::Missing)?)?;
    let mut matched = Err(SignatureError::Mismatch);
    for (index, secret) in secrets.iter().enumerate() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_ref());
        let valid = hmac::verify(&key, body, &signature).is_ok() && !secret.as_ref().is_empty();
        if valid && matched.is_err() {
            matched = Ok(index);
        }
    }
    matched
}

fn decode(header: &str) -> Result<[u8; 32], SignatureError> {
    let digits = header.strip_prefix("sha256=").ok_or(SignatureError::Malformed)?;
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let signature: Option<Vec<u8>> =
        pairs.iter().map(|&[high, low]| Some(hex_digit(high)? << 4 | hex_digit(low)?)).collect();
    match signature.map(<[u8; 32]>::try_from) {
        Some(Ok(signature)) if rest.is_empty() => Ok(signature),
        _ => Err(SignatureError::Malformed),
    }
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "demo-app-secret-0001-not-real";

    fn sign(secret: &str, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let digits = |byte: &u8| {
            [byte >> 4, byte & 15].map(|n| char::from(b"0123456789abcdef"[usize::from(n)]))
        };
        let hex: String = hmac::sign(&key, body).as_ref().iter().flat_map(digits).collect();
        format!("sha256={hex}")
    }

    #[test]
    fn the_published_test_vector_verifies() {
        // RFC 4231, test case 2.
        let header = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(verify(&["Jefe"], Some(header), b"what do ya want for nothing?"), Ok(0));
    }

    //= R8.1
    #[test]
    fn the_first_secret_that_signed_the_body_is_named() {
        let header = sign(SECRET, b"body");
        let check = |secrets: &[&str]| verify(secrets, Some(&header), b"body");
        assert_eq!(check(&["old", "", SECRET]), Ok(2));
        assert_eq!(check(&[SECRET, "new", SECRET]), Ok(0));
        assert_eq!(check(&["old", "new"]), Err(SignatureError::Mismatch));
        assert_eq!(check(&[]), Err(SignatureError::Mismatch));
    }

    //= R8.1
    #[test]
    fn an_empty_secret_opens_to_nobody() {
        assert_eq!(verify(&[""], Some(&sign("", b"x")), b"x"), Err(SignatureError::Mismatch));
    }

    //= R8.1
    #[test]
    fn a_missing_header_and_any_other_spelling_are_refused() {
        let good = sign(SECRET, b"x");
        let check = |header| verify(&[SECRET], header, b"x");
        assert_eq!(check(Some(good.as_str())), Ok(0));
        assert_eq!(check(None), Err(SignatureError::Missing));
        let digits = good.strip_prefix("sha256=").unwrap();
        for bad in [
            "",
            "sha256=",
            digits,
            &format!("sha1={digits}"),
            "sha1=2fd4e1c67a2d28fced849ee1bb76e7391b93eb12",
            &format!("SHA256={digits}"),
            &format!("sha256= {digits}"),
            &format!("sha256={}", digits.to_uppercase()),
            &format!("{good} "),
            &format!("{good}0"),
            &format!("{good}00"),
            good.strip_suffix(|_| true).unwrap(),
            good.strip_suffix(|_| true).unwrap().strip_suffix(|_| true).unwrap(),
            &format!("sha256={}", "g".repeat(64)),
            &format!("sha256={}", "é".repeat(32)),
        ] {
            assert_eq!(check(Some(bad)), Err(SignatureError::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn the_body_is_taken_byte_for_byte() {
        let body = br#"{"text":"\u017d\/\u003C"}"#;
        let header = sign(SECRET, body);
        assert_eq!(verify(&[SECRET], Some(&header), body), Ok(0));
        let rewritten = r#"{"text":"Ž/<"}"#.as_bytes();
        assert_eq!(verify(&[SECRET], Some(&header), rewritten), Err(SignatureError::Mismatch));
    }

    fn flip(bytes: &mut [u8], bit: usize) {
        let bit = bit % (bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
    }

    proptest! {
        //= R8.1
        #[test]
        fn one_flipped_bit_of_body_or_header_fails(
            mut body in prop::collection::vec(any::<u8>(), 1..300), bit in any::<usize>(),
        ) {
            let header = sign(SECRET, &body);
            prop_assert_eq!(verify(&[SECRET], Some(&header), &body), Ok(0));

            let mut flipped = header.clone().into_bytes();
            flip(&mut flipped, bit);
            let flipped = String::from_utf8_lossy(&flipped);
            prop_assert!(verify(&[SECRET], Some(&flipped), &body).is_err());

            flip(&mut body, bit);
            prop_assert_eq!(
                verify(&[SECRET], Some(&header), &body),
                Err(SignatureError::Mismatch)
            );
        }

        #[test]
        fn any_header_is_answered_without_a_panic(header in ".*") {
            prop_assert!(verify(&[SECRET], Some(&header), b"x").is_err());
        }
    }
}
