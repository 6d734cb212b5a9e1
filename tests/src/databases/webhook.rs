//! The intake function as Lambda calls it, and Meta as it calls the API.

use aws_config::SdkConfig;
use jiff::Timestamp;
use lambda_http::{Body, Request, Response};
use meta_webhook::{App, handle};
use numib::edge::clock::Clock;
use numib::edge::secrets::SecretsCache;
use serde_json::{Value, json};
use xtask::meta::signature;

use crate::database::Database;
use crate::shop::{PEPPER, now};
use crate::wire::constant;

/// The Facebook app's secret, and the Instagram app's.
pub(crate) const APP_SECRETS: [&str; 2] = ["test-app-secret", "test-instagram-secret"];
pub(crate) const VERIFY_TOKEN: &str = "test-verify-token";

/// One warm container of `meta-webhook`.
pub(crate) struct Intake(App);

/// An answer to Meta.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn of(response: &Response<Body>) -> Self {
        let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
        let text = String::from_utf8(response.body().to_vec()).unwrap();
        Self { status: response.status().as_u16(), content_type, text }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The counts of a body that was taken in.
    pub(crate) fn counts(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        let mut counts = self.json();
        let counts = counts.as_object_mut().unwrap();
        let number = |name: &str| counts[name].as_u64().unwrap();
        let sum = ["stored", "edited", "unsent", "ignored"].map(number).iter().sum::<u64>();
        assert_eq!(number("received"), sum, "every item is accounted for: {counts:?}");
        let reasons = counts["reasons"].as_object().unwrap().values();
        assert_eq!(number("ignored"), reasons.filter_map(Value::as_u64).sum::<u64>());
        counts.retain(|name, value| name != "received" && name != "ignored" && *value != json!(0));
        counts.retain(|_, value| *value != json!({}));
        Value::Object(std::mem::take(counts))
    }
}

impl Intake {
    /// A container that has just started.
    pub(crate) fn start(db: &Database) -> Self {
        let secret = json!({
            "app_secrets": APP_SECRETS, "verify_tokens": [VERIFY_TOKEN], "pepper": PEPPER,
        });
        let answer = json!({"ARN": "arn", "Name": "meta", "SecretString": secret.to_string()});
        Self::with_secrets_manager(db, Some(answer))
    }

    /// A container whose Secrets Manager answers this to everything, or fails.
    pub(crate) fn with_secrets_manager(db: &Database, answer: Option<Value>) -> Self {
        Self::with_sdk(db, &db.sdk.to_builder().http_client(constant(answer)).build())
    }

    /// A container that reaches Secrets Manager with this.
    pub(crate) fn with_sdk(db: &Database, sdk: &SdkConfig) -> Self {
        let client = aws_sdk_secretsmanager::Client::new(sdk);
        Self(App::new(db.store.clone(), SecretsCache::new(client, "meta".to_owned())))
    }

    /// Delivers a signed body at the tests' hour.
    pub(crate) async fn deliver(&self, body: &Value) -> Answer {
        self.deliver_at(now(), body).await
    }

    pub(crate) async fn deliver_at(&self, now: Timestamp, body: &Value) -> Answer {
        let body = body.to_string();
        let signature = signature(APP_SECRETS[0], body.as_bytes());
        let headers = json!({"x-hub-signature-256": signature});
        self.post(now, &headers, &json!({"body": body, "isBase64Encoded": false})).await
    }

    /// Posts a body with these headers.
    pub(crate) async fn post(&self, now: Timestamp, headers: &Value, body: &Value) -> Answer {
        let mut event = event("POST /meta/webhook", "");
        event["headers"] = headers.clone();
        event["body"] = body["body"].clone();
        event["isBase64Encoded"] = body["isBase64Encoded"].clone();
        self.call(&request(&event), now).await
    }

    /// Calls the function.
    pub(crate) async fn call(&self, request: &Request, now: Timestamp) -> Answer {
        Answer::of(&Box::pin(handle(&self.0, request, Clock::set_to(now))).await)
    }
}

/// An event of the HTTP API for a route, by its key.
pub(crate) fn event(route_key: &str, query: &str) -> Value {
    let (method, path) = route_key.split_once(' ').unwrap();
    let parameters: serde_json::Map<_, _> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    json!({
        "version": "2.0", "routeKey": route_key, "rawPath": path, "rawQueryString": query,
        "headers": {}, "queryStringParameters": parameters, "isBase64Encoded": false,
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": "d", "domainPrefix": "d",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1",
                     "sourceIp": "127.0.0.1", "userAgent": "test"},
            "requestId": "r", "routeKey": route_key, "stage": "$default",
            "time": "01/Dec/2026:04:41:00 +0000", "timeEpoch": 0,
        },
    })
}

/// The event as the runtime hands it over.
pub(crate) fn request(event: &Value) -> Request {
    lambda_http::request::from_str(&event.to_string()).unwrap()
}
