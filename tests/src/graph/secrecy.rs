//! Nothing that is secret or personal can be printed, whatever becomes of a call.

use std::fmt::Debug;

use numib::graph::secret::LoginCode;

use crate::stand_in::{By, NOW, Note, Shop, StandIn, id, ok, status, token};

/// Part of everything that must not be shown: tokens, secrets, codes, names, ids, texts of Meta's.
const CANARY: &str = "canary";

#[track_caller]
fn silent(shown: &dyn Debug) {
    let shown = format!("{shown:?} {shown:#?}");
    assert!(!shown.contains(CANARY), "{shown}");
    assert!(!shown.contains("127.0.0.1"), "a URL: {shown}");
}

#[tokio::test]
async fn no_answer_shows_what_is_in_it() {
    let grant = r#"{"access_token":"canary","user_id":"canary","permissions":"canary"}"#;
    let pages = r#"{"data":[{"id":"canary","name":"canary","access_token":"canary",
        "instagram_business_account":{"id":"canary","username":"canary"}}],
        "paging":{"cursors":{"after":"canary"},"next":"canary"}}"#;
    let facts = r#"{"data":{"app_id":"canary","user_id":"canary","scopes":["pages_messaging"],
        "granular_scopes":[{"scope":"pages_messaging","target_ids":["canary"]}]}}"#;
    let account = r#"{"id":"canary","user_id":"canary","username":"canary","name":"canary"}"#;
    let thread = r#"{"data":[{"id":"canary","updated_time":1,"participants":{"data":
        [{"id":"person-canary","name":"canary"}]}}]}"#;
    let message = r#"{"id":"canary","created_time":1,"message":"canary","message_id":"canary",
        "from":{"id":"canary","name":"canary"}}"#;
    let shop = Shop::new();
    let asset = shop.asset(By::Page);
    let person = id("person-canary");
    let code = LoginCode::new("code-canary".to_owned());
    silent(&(&code, &asset, Note::new().text()));
    let answers = [grant, grant, pages, facts, account, account, thread, message, message];
    let meta = StandIn::answering(answers.map(ok)).await;
    let graph = &meta.graph;
    silent(&graph.exchange_facebook_code(NOW, &code, CANARY).await.unwrap());
    silent(&graph.exchange_instagram_code(NOW, &code, CANARY).await.unwrap());
    silent(&graph.pages(NOW, &token(), None).await.unwrap());
    silent(&graph.inspect_facebook_token(NOW, &token()).await.unwrap());
    silent(&graph.instagram_account(NOW, &token()).await.unwrap());
    silent(&graph.profile(NOW, asset, &person).await.unwrap());
    silent(&graph.thread_with(NOW, asset, &person).await.unwrap());
    silent(&graph.message(NOW, asset, &person).await.unwrap());
    silent(&graph.send_text(NOW, asset, Note::new().text()).await.unwrap());
    assert!(!format!("{graph:?}").contains(CANARY));
}

/// Meta's texts can have names in them, and what is wrong with a request quotes the request.
#[tokio::test]
async fn no_error_shows_what_was_asked_or_what_meta_wrote() {
    let error = r#"{"error":{"message":"canary","type":"canary","code":190,"error_subcode":460,
        "error_user_title":"canary","error_user_msg":"canary","fbtrace_id":"a canary"}}"#;
    let other = r#"{"error_type":"canary","code":"canary","error_message":"canary"}"#;
    let answers = || {
        [
            status(400, error),
            status(400, other),
            status(404, "canary"),
            ok("canary"),
            ok("[\"canary\"]"),
            ok(r#"{"canary":"canary"}"#),
            axum::response::Response::builder()
                .status(302)
                .header("location", "https://canary.example/?canary")
                .body(axum::body::Body::empty())
                .unwrap(),
            ok(&CANARY.repeat(20_000)),
        ]
    };
    let code = LoginCode::new("code-canary".to_owned());
    let meta = StandIn::answering(answers()).await;
    for _ in answers() {
        let error = meta.graph.exchange_instagram_code(NOW, &code, CANARY).await.unwrap_err();
        silent(&(error.to_string(), &error));
    }
    let shop = Shop::new();
    let meta = StandIn::answering(answers()).await;
    for _ in answers() {
        let sent = meta.graph.send_text(NOW, shop.asset(By::Messenger), Note::new().text()).await;
        let error = sent.unwrap_err();
        silent(&(error.to_string(), &error));
    }
}
