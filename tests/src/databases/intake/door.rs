//! Who is let in: Meta's handshake and its signatures.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use meta_webhook::BODY_LEN_MAX;
use numib::edge::clock::Stopwatch;
use serde_json::{Value, json};
use xtask::meta::signature;

use crate::database::Database;
use crate::shop::{PEPPER, Shop, ago, now};
use crate::webhook::{APP_SECRETS, Answer, Intake, VERIFY_TOKEN, event, request};
use crate::wire::{Fate, Wire};

async fn post(intake: &Intake, headers: &Value, body: &str) -> Answer {
    intake.post(now(), headers, &json!({"body": body, "isBase64Encoded": false})).await
}

fn signed(secret: &str, body: &str) -> Value {
    json!({"X-Hub-Signature-256": signature(secret, body.as_bytes())})
}

//= R8.1
#[tokio::test]
async fn an_unsigned_or_wrongly_signed_body_is_refused_before_the_database_hears_of_it() {
    let db = Database::on_dynoxide().await;
    let shop = Shop::open(&db).await;
    let intake = Intake::start(&db);
    let body = shop.body(&[shop.text("7001", ago(9), "m_1", "hi")]).to_string();
    let right = signature(APP_SECRETS[0], body.as_bytes());
    db.wire.calls();
    let bad = [
        json!({}),
        json!({"x-hub-signature-256": ""}),
        json!({"x-hub-signature-256": right.replace("sha256=", "")}),
        json!({"x-hub-signature-256": right.to_uppercase()}),
        json!({"x-hub-signature-256": format!("{right}00")}),
        json!({"x-hub-signature-256": "sha256=ñ"}),
        json!({"x-hub-signature": right.replace("sha256=", "sha1=")}),
        signed("another secret", &body),
        signed("", &body),
        signed(APP_SECRETS[0], &format!("{body} ")),
    ];
    for headers in bad {
        let answer = post(&intake, &headers, &body).await;
        assert_eq!(answer.status, 401, "{headers}");
        assert_eq!(answer.content_type, "application/problem+json");
        assert_eq!(answer.json()["type"], "tag:numib.app,2026:problem/signature");
    }
    assert!(db.wire.calls().is_empty());
    let answer = post(&intake, &json!({"X-Hub-Signature-256": right}), &body).await;
    assert_eq!(answer.counts(), json!({"stored": 1}));
}

//= R8.1
#[tokio::test]
async fn every_configured_secret_signs_and_an_encoded_body_is_decoded_first() {
    let db = Database::on_dynoxide().await;
    let shop = Shop::open(&db).await;
    let intake = Intake::start(&db);
    for (number, secret) in APP_SECRETS.into_iter().enumerate() {
        let body = shop.body(&[shop.text("7001", ago(9), &format!("m_{number}"), "hej å")]);
        let body = body.to_string();
        let encoded = json!({"body": STANDARD.encode(&body), "isBase64Encoded": true});
        let answer = intake.post(now(), &signed(secret, &body), &encoded).await;
        assert_eq!(answer.counts(), json!({"stored": 1}));
        assert_eq!(post(&intake, &signed(secret, &body), &body).await.status, 200);
    }
}

#[tokio::test]
async fn a_body_over_four_mebibytes_is_refused_and_one_of_just_that_is_not() {
    let db = Database::on_dynoxide().await;
    let intake = Intake::start(&db);
    let padded = |length: usize| {
        let (start, end) = (r#"{"object":"page","entry":[],"x":""#, r#""}"#);
        format!("{start}{}{end}", "x".repeat(length - start.len() - end.len()))
    };
    for (length, status) in [(BODY_LEN_MAX, 200), (BODY_LEN_MAX + 1, 413)] {
        let body = padded(length);
        let answer = post(&intake, &signed(APP_SECRETS[0], &body), &body).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    let body = padded(BODY_LEN_MAX + 1);
    let answer = post(&intake, &signed(APP_SECRETS[0], &body), &body).await;
    assert_eq!(answer.json()["type"], "tag:numib.app,2026:problem/too-large");
}

//= R8.1
#[tokio::test]
async fn the_handshake_echoes_a_plain_challenge_to_whoever_knows_the_token() {
    let db = Database::on_dynoxide().await;
    let intake = Intake::start(&db);
    let ask =
        async |query: &str| intake.call(&request(&event("GET /meta/webhook", query)), now()).await;
    let query = |token: &str, challenge: &str| {
        format!("hub.mode=subscribe&hub.verify_token={token}&hub.challenge={challenge}")
    };
    let good = ask(&query(VERIFY_TOKEN, "1158201444")).await;
    assert_eq!((good.status, good.text.as_str()), (200, "1158201444"));
    assert_eq!(good.content_type, "text/plain; charset=utf-8");
    for token in ["other", ""] {
        let wrong = ask(&query(token, "1158201444")).await;
        assert_eq!(wrong.status, 403, "{token:?}");
        assert!(!wrong.text.contains("1158201444"));
    }
    let bad = [
        String::new(),
        "hub.mode=subscribe".to_owned(),
        query(VERIFY_TOKEN, ""),
        query(VERIFY_TOKEN, "%3Cscript%3E"),
        query(VERIFY_TOKEN, &"1".repeat(1000)),
        query(VERIFY_TOKEN, "1").replace("subscribe", "unsubscribe"),
    ];
    for query in bad {
        assert_eq!(ask(&query).await.status, 400, "{query}");
    }
    assert_eq!(intake.call(&request(&event("PUT /meta/webhook", "")), now()).await.status, 405);
}

fn secret(app_secret: &str, verify_token: &str) -> Value {
    let secret = json!({
        "app_secrets": [app_secret], "verify_tokens": [verify_token], "pepper": PEPPER,
    });
    json!({"ARN": "arn", "Name": "meta", "SecretString": secret.to_string()})
}

//= R8.1
#[tokio::test(start_paused = true)]
async fn a_new_secret_is_known_half_a_minute_later_and_costs_one_fetch() {
    let db = Database::on_dynoxide().await;
    let wire = Wire::default();
    let intake = Intake::with_sdk(&db, &wire.tap(&db.sdk));
    let serve = |secret: Value| wire.decide(move |_| Fate::Answered(secret.clone()));
    let body = r#"{"object":"whatsapp_business_account","entry":[]}"#;
    let signs = async |secret: &str| post(&intake, &signed(secret, body), body).await.status;
    serve(secret("old secret", "old token"));
    assert_eq!(signs("old secret").await, 200);
    serve(secret("new secret", "new token"));
    wire.calls();
    // Soon after a fetch, a wrong signature counts as wrong, and not as a rotation.
    for _ in 0..3 {
        assert_eq!(signs("new secret").await, 401);
    }
    assert_eq!(wire.calls().len(), 0);
    tokio::time::advance(Duration::from_secs(31)).await;
    assert_eq!(signs("new secret").await, 200);
    assert_eq!(signs("old secret").await, 401);
    assert_eq!(wire.calls().len(), 1);
    // The same holds for a new token.
    serve(secret("new secret", "newest-token"));
    tokio::time::advance(Duration::from_secs(31)).await;
    let query = "hub.mode=subscribe&hub.verify_token=newest-token&hub.challenge=1";
    let asked = request(&event("GET /meta/webhook", query));
    assert_eq!(intake.call(&asked, now()).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn while_secrets_manager_is_slow_the_last_secrets_serve_and_it_is_asked_now_and_then() {
    let db = Database::on_dynoxide().await;
    let wire = Wire::default();
    let intake = Intake::with_sdk(&db, &wire.tap(&db.sdk));
    let body = r#"{"object":"whatsapp_business_account","entry":[]}"#;
    let signs = async |secret: &str| {
        let watch = Stopwatch::start();
        let status = post(&intake, &signed(secret, body), body).await.status;
        (status, watch.elapsed().as_secs())
    };
    wire.decide(|_| Fate::Answered(secret("a secret", "a token")));
    assert_eq!(signs("a secret").await, (200, 0));
    wire.decide(|_| Fate::Late(Duration::from_mins(1)));
    tokio::time::advance(Duration::from_mins(6)).await;
    wire.calls();
    assert_eq!(signs("a secret").await, (200, 1), "it waits for a second at most");
    assert_eq!(wire.calls().len(), 1);
    // Nobody waits a second time, whether they are let in or not.
    assert_eq!(signs("a secret").await, (200, 0));
    assert_eq!(signs("another").await, (401, 0));
    assert_eq!(wire.calls().len(), 0);
    tokio::time::advance(Duration::from_secs(31)).await;
    assert_eq!(signs("another").await, (401, 1));
    wire.decide(|_| Fate::Answered(secret("another", "a token")));
    tokio::time::advance(Duration::from_secs(31)).await;
    assert_eq!(signs("another").await, (200, 0));
}

#[tokio::test]
async fn without_its_secrets_intake_lets_nobody_in_and_meta_comes_again() {
    let db = Database::on_dynoxide().await;
    let shop = Shop::open(&db).await;
    let body = shop.body(&[shop.text("7001", ago(9), "m_1", "hi")]);
    let malformed = json!({"SecretString": "{\"app_secrets\":[\"\"]}"});
    for answer in [None, Some(malformed)] {
        let intake = Intake::with_secrets_manager(&db, answer);
        assert_eq!(intake.deliver(&body).await.status, 500);
        assert_eq!(shop.row(&db, "7001", "m_1").await, None);
    }
}
