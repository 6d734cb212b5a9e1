//! Webhooks as Meta sends them, in events as API Gateway makes them of them.

use axum::body::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

/// One message from a contact to a Page.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) page: String,
    pub(crate) contact: String,
    /// Its number in this run: every message has another.
    pub(crate) number: usize,
    pub(crate) sent_at: Timestamp,
}

impl Message {
    fn update(&self) -> Value {
        let sent_at = self.sent_at.as_millisecond();
        json!({
            "sender": {"id": self.contact},
            "recipient": {"id": self.page},
            "timestamp": sent_at,
            "message": {
                // As long as Meta's are.
                "mid": format!("m_{:A>86}", self.number),
                "text": format!("Hello, is the walnut desk no. {} still in stock?", self.number),
            },
        })
    }
}

/// A signed `POST /meta/webhook` with one entry per message.
pub(crate) fn event(app_secret: &str, messages: &[Message]) -> Bytes {
    let entry = |message: &Message| {
        let time = message.sent_at.as_millisecond();
        json!({"id": message.page, "time": time, "messaging": [message.update()]})
    };
    let entries: Vec<Value> = messages.iter().map(entry).collect();
    let body = json!({"object": "page", "entry": entries}).to_string();
    let signature = xtask::meta::signature(app_secret, body.as_bytes());
    let host = "abcdef1234.execute-api.us-east-1.amazonaws.com";
    let agent = "facebookexternalua";
    let event = json!({
        "version": "2.0",
        "routeKey": "POST /meta/webhook",
        "rawPath": "/meta/webhook",
        "rawQueryString": "",
        "headers": {
            "accept": "*/*",
            "content-length": body.len().to_string(),
            "content-type": "application/json",
            "host": host,
            "user-agent": agent,
            "x-amzn-trace-id": "Root=1-6740d5c0-0123456789abcdef01234567",
            "x-forwarded-for": "192.0.2.1",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
            "x-hub-signature": "sha1=0000000000000000000000000000000000000000",
            "x-hub-signature-256": signature,
        },
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "abcdef1234",
            "domainName": host,
            "domainPrefix": "abcdef1234",
            "http": {
                "method": "POST",
                "path": "/meta/webhook",
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": agent,
            },
            "requestId": "BenchBenchBench=",
            "routeKey": "POST /meta/webhook",
            "stage": "$default",
            "time": "24/Nov/2026:00:00:00 +0000",
            "timeEpoch": 1_795_478_400_000_i64,
        },
        "body": body,
        "isBase64Encoded": false,
    });
    Bytes::from(event.to_string())
}

/// What intake says it did, from its answer through API Gateway; `None` unless that is a 200.
pub(crate) fn tally(answer: &[u8]) -> Option<Value> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    if answer.get("statusCode")? != 200 {
        return None;
    }
    serde_json::from_str(answer.get("body")?.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use numib::meta::signature;
    use numib::meta::webhook;

    use super::*;

    #[test]
    fn an_event_carries_a_body_that_intake_takes_for_metas() {
        let messages: Vec<_> = (0..3)
            .map(|number| Message {
                page: "900".to_owned(),
                contact: format!("70{number}"),
                number,
                sent_at: Timestamp::from_second(1_796_100_000).unwrap(),
            })
            .collect();
        let event: Value = serde_json::from_slice(&event("secret", &messages)).unwrap();
        let body = event["body"].as_str().unwrap().as_bytes();
        let header = event["headers"]["x-hub-signature-256"].as_str();
        assert_eq!(signature::verify(&["secret"], header, body), Ok(0));
        let delivery = webhook::parse(body);
        assert_eq!((delivery.updates.len(), delivery.ignored.len()), (3, 0));
    }

    #[test]
    fn only_a_200_has_a_tally() {
        let answer = |status: u16| {
            json!({"statusCode": status, "body": r#"{"stored":1}"#}).to_string().into_bytes()
        };
        assert_eq!(tally(&answer(200)).unwrap()["stored"], 1);
        assert_eq!(tally(&answer(500)), None);
        assert_eq!(tally(b"junk"), None);
    }
}
