//! What goes out: host, version, path, parameters, proof.

use std::collections::BTreeMap;

use numib::graph::error::{Cause, Failure, SendError};
use numib::graph::send::{Text, Window};
use serde_json::{Value, json};

use crate::stand_in::{By, NOW, Note, Shop, StandIn, TOKEN, id, ok, token};

const BY: [By; 3] = [By::Messenger, By::Page, By::Instagram];

/// HMAC-SHA256 of `token-canary|1796040000` under the app's secret.
const PROOF: &str = "a0db604861d1a2ef68076b64082fa084e4bada512f720cd0cafc0bb3c4b94423";
/// The same of `1001|facebook-secret-canary|1796040000`.
const APP_PROOF: &str = "4024e7229922d09b86c8f18b1f68d243aa7492b7267fc7b66bb35242c92f3dd0";

fn proven(proof: &str, parameters: &[(&str, &str)]) -> BTreeMap<String, String> {
    plain(&[parameters, &[("appsecret_proof", proof), ("appsecret_time", "1796040000")]].concat())
}

fn plain(parameters: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    parameters.iter().map(owned).collect()
}

#[tokio::test]
async fn calls_by_facebook_prove_that_the_secret_is_ours() {
    let meta = StandIn::telling(r#"{"data":[]}"#).await;
    meta.graph.pages(NOW, &token(), None).await.unwrap();
    let seen = meta.only();
    assert_eq!(seen.what, "GET graph.facebook.com/v27.0/me/accounts");
    assert_eq!(seen.bearer.as_deref(), Some(&*format!("Bearer {TOKEN}")));
    let fields = "id,name,tasks,access_token,instagram_business_account{id,username}";
    assert_eq!(seen.query, proven(PROOF, &[("fields", fields), ("limit", "100")]));
    assert_eq!(seen.body, "");
}

#[tokio::test]
async fn the_app_itself_asks_what_a_token_is_good_for() {
    let meta = StandIn::telling(r#"{"data":{}}"#).await;
    meta.graph.inspect_facebook_token(NOW, &token()).await.unwrap();
    let seen = meta.only();
    assert_eq!(seen.what, "GET graph.facebook.com/v27.0/debug_token");
    assert_eq!(seen.bearer.as_deref(), Some("Bearer 1001|facebook-secret-canary"));
    assert_eq!(seen.query, proven(APP_PROOF, &[("input_token", TOKEN)]));
}

#[tokio::test]
async fn calls_by_instagram_go_to_its_own_host_without_a_proof() {
    let meta = StandIn::telling(r#"{"id":"1","user_id":"2"}"#).await;
    meta.graph.instagram_account(NOW, &token()).await.unwrap();
    let seen = meta.only();
    assert_eq!(seen.what, "GET graph.instagram.com/v27.0/me");
    assert_eq!(seen.bearer.as_deref(), Some(&*format!("Bearer {TOKEN}")));
    assert_eq!(seen.query, plain(&[("fields", "id,user_id,username")]));
}

/// What Meta refuses whole for one wrong name. Read receipts, deliveries and reactions are no part
/// of it.
//= R1.1
#[tokio::test]
async fn each_login_subscribes_to_its_own_fields_and_no_more() {
    let page = "messages,message_echoes,message_edits,messaging_postbacks,standby,\
                messaging_handovers,messaging_policy_enforcement";
    for by in BY {
        let meta = StandIn::telling(r#"{"success":"true"}"#).await;
        meta.graph.subscribe(NOW, Shop::new().asset(by)).await.unwrap();
        let seen = meta.only();
        if let By::Instagram = by {
            let fields = "messages,message_edit,messaging_postbacks";
            assert_eq!(seen.what, "POST graph.instagram.com/v27.0/17/subscribed_apps");
            assert_eq!(seen.query, plain(&[("subscribed_fields", fields)]));
        } else {
            assert_eq!(seen.what, "POST graph.facebook.com/v27.0/17/subscribed_apps");
            assert_eq!(seen.query, proven(PROOF, &[("subscribed_fields", page)]));
        }
    }
}

#[tokio::test]
async fn a_subscription_is_read_and_ended_where_it_was_made() {
    let meta = StandIn::answering([ok(r#"{"data":[]}"#), ok(r#"{"success":true}"#)]).await;
    let shop = Shop::new();
    meta.graph.subscription(NOW, shop.asset(By::Instagram)).await.unwrap();
    meta.graph.unsubscribe(NOW, shop.asset(By::Page)).await.unwrap();
    let what: Vec<_> = meta.seen().into_iter().map(|seen| seen.what).collect();
    assert_eq!(
        what,
        [
            "GET graph.instagram.com/v27.0/17/subscribed_apps",
            "DELETE graph.facebook.com/v27.0/17/subscribed_apps",
        ]
    );
}

/// No picture, no followers, no language.
//= R1.1
#[tokio::test]
async fn only_names_are_asked_for() {
    for (by, fields) in BY.into_iter().zip(["name", "name,username", "name,username"]) {
        let meta = StandIn::telling("{}").await;
        meta.graph.profile(NOW, Shop::new().asset(by), &id("9")).await.unwrap();
        let seen = meta.only();
        assert_eq!(seen.query["fields"], fields, "{by:?}");
        assert!(seen.what.ends_with("/v27.0/9"), "{}", seen.what);
    }
}

#[tokio::test]
async fn conversations_are_asked_for_by_channel() {
    let thread = id("t_1");
    for (by, of, platform) in [
        (By::Messenger, "graph.facebook.com/v27.0/17", "messenger"),
        (By::Page, "graph.facebook.com/v27.0/17", "instagram"),
        (By::Instagram, "graph.instagram.com/v27.0/me", "instagram"),
    ] {
        let shop = Shop::new();
        let empty = || ok(r#"{"data":[]}"#);
        let meta = StandIn::answering([empty(), empty(), ok("{}")]).await;
        meta.graph.threads(NOW, shop.asset(by), None).await.unwrap();
        meta.graph.thread_with(NOW, shop.asset(by), &id("9")).await.unwrap();
        meta.graph.messages_of(NOW, shop.asset(by), &thread).await.unwrap();
        let [threads, with, messages] = meta.seen().try_into().unwrap();
        assert_eq!(threads.what, format!("GET {of}/conversations"));
        assert_eq!(threads.query["platform"], platform);
        assert_eq!(threads.query["fields"], "id,updated_time");
        assert_eq!(with.query["user_id"], "9");
        assert!(messages.what.ends_with("/v27.0/t_1"));
        assert_eq!(messages.query["fields"], "messages");
    }
}

/// A `mid` is opaque: it can have characters that mean something in a URL.
#[tokio::test]
async fn an_id_stays_one_part_of_the_path() {
    let mid = id("mid.$cAA/b?c#d%2F:e=");
    let meta = StandIn::telling("{}").await;
    let message = meta.graph.message(NOW, Shop::new().asset(By::Messenger), &mid).await;
    assert!(matches!(message.unwrap_err().cause, Cause::Unreadable));
    let path = "mid.%24cAA%2Fb%3Fc%23d%252F%3Ae%3D";
    assert_eq!(meta.only().what, format!("GET graph.facebook.com/v27.0/{path}"));
}

#[tokio::test]
async fn what_is_no_id_or_no_token_is_not_sent() {
    let meta = StandIn::answering([]).await;
    for bad in ["", ".", "..", "a b", "a\nb", "é", &"x".repeat(1025)] {
        let asked = meta.graph.profile(NOW, Shop::new().asset(By::Page), &id(bad)).await;
        let error = asked.unwrap_err();
        assert_eq!((error.failure, error.cause), (Failure::Permanent, Cause::Input), "{bad:?}");
    }
    let broken = numib::graph::secret::AccessToken::new("a\r\nb: c".to_owned());
    let error = meta.graph.instagram_account(NOW, &broken).await.unwrap_err();
    assert_eq!(error.cause, Cause::Input);
    assert!(meta.seen().is_empty());
}

#[tokio::test]
async fn a_login_without_an_app_makes_no_call() {
    let meta = StandIn::answering([]).await;
    let graph = meta.graph.with_apps(numib::graph::Apps::default());
    let error = graph.subscription(NOW, Shop::new().asset(By::Page)).await.unwrap_err();
    assert_eq!(error.cause, Cause::NoApp);
    let sent = graph.send_text(NOW, Shop::new().asset(By::Messenger), Note::new().text()).await;
    assert!(matches!(sent, Err(SendError::NotSent(error)) if error.cause == Cause::NoApp));
    assert!(meta.seen().is_empty());
}

#[tokio::test]
async fn a_text_goes_out_as_json_from_the_account_that_the_path_names() {
    let meta = StandIn::telling(r#"{"recipient_id":"person-canary","message_id":"m_1"}"#).await;
    let note = Note::new();
    let text = Text { window: Window::HumanAgent, metadata: Some("ours"), ..note.text() };
    let sent = meta.graph.send_text(NOW, Shop::new().asset(By::Messenger), text).await.unwrap();
    assert_eq!(sent.value.mid.expose(), "m_1");
    let seen = meta.only();
    assert_eq!(seen.what, "POST graph.facebook.com/v27.0/17/messages");
    assert_eq!(seen.query, proven(PROOF, &[]));
    assert_eq!(seen.kind.as_deref(), Some("application/json"));
    assert_eq!(
        serde_json::from_str::<Value>(&seen.body).unwrap(),
        json!({
            "recipient": { "id": "person-canary" },
            "messaging_type": "MESSAGE_TAG",
            "tag": "HUMAN_AGENT",
            "message": { "text": "text-canary", "metadata": "ours" },
        })
    );
}
