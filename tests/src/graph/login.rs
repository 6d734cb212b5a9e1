//! Logins: from a code to a token, and whose it is, in every shape that Meta's answers have.

use jiff::{SignedDuration, Timestamp};
use numib::domain::login::{Permission, Task};
use numib::graph::error::{Cause, Failure, Hint};
use numib::graph::secret::LoginCode;

use crate::stand_in::{NOW, StandIn, TOKEN, id, ok, status, token};

const BACK: &str = "https://app.example/v1/connections/return";

fn code(text: &str) -> LoginCode {
    LoginCode::new(text.to_owned())
}

#[tokio::test]
async fn a_code_of_facebook_becomes_a_token() {
    let meta = StandIn::answering([
        ok(r#"{"access_token":"EAA1","token_type":"bearer","expires_in":5183944}"#),
        ok(r#"{"access_token":"EAA2","token_type":"bearer"}"#),
    ])
    .await;
    let grant = meta.graph.exchange_facebook_code(NOW, &code("c/1"), BACK).await.unwrap().value;
    assert_eq!(grant.token.expose(), "EAA1");
    assert_eq!(grant.expires_at, Some(NOW + SignedDuration::from_secs(5_183_944)));
    let long = meta.graph.lengthen_facebook_token(NOW, &grant.token).await.unwrap().value;
    assert_eq!((long.token.expose(), long.expires_at), ("EAA2", None));
    let [exchange, longer] = meta.seen().try_into().unwrap();
    assert_eq!(exchange.what, "GET graph.facebook.com/v27.0/oauth/access_token");
    assert_eq!(exchange.query["code"], "c/1");
    assert_eq!(exchange.query["redirect_uri"], BACK);
    assert_eq!(exchange.query["client_id"], "1001");
    assert_eq!(exchange.query["client_secret"], "facebook-secret-canary");
    assert_eq!(exchange.bearer, None);
    assert_eq!(longer.query["grant_type"], "fb_exchange_token");
    assert_eq!(longer.query["fb_exchange_token"], "EAA1");
}

#[tokio::test]
async fn a_code_of_instagram_becomes_a_token_in_every_shape() {
    for (json, person, granted) in [
        (
            r#"{"access_token":"IG1","user_id":25025320,"permissions":
                ["instagram_business_basic","instagram_business_manage_messages","unheard_of"]}"#,
            "25025320",
            Some(2),
        ),
        (
            r#"{"data":[{"access_token":"IG1","user_id":"17","permissions":
                "instagram_business_basic,instagram_business_manage_messages"}]}"#,
            "17",
            Some(2),
        ),
        (
            r#"{"data":{"access_token":"IG1","user_id":"17","permissions":
                "instagram_business_basic"}}"#,
            "17",
            Some(1),
        ),
        (r#"{"access_token":"IG1","user_id":17841400000000000001}"#, "17841400000000000001", None),
    ] {
        let meta = StandIn::telling(json).await;
        let login = meta.graph.exchange_instagram_code(NOW, &code("AQB#_"), BACK).await;
        let login = login.unwrap().value;
        assert_eq!(login.token.expose(), "IG1", "{json}");
        assert_eq!(login.person, id(person), "{json}");
        assert_eq!(login.granted.map(|granted| granted.len()), granted, "{json}");
        let seen = meta.only();
        assert_eq!(seen.what, "POST api.instagram.com/oauth/access_token");
        assert_eq!(seen.kind.as_deref(), Some("application/x-www-form-urlencoded"));
        assert!(seen.query.is_empty());
        let form: Vec<_> = form_urlencoded::parse(seen.body.as_bytes()).into_owned().collect();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            form,
            [
                pair("client_id", "2002"),
                pair("client_secret", "instagram-secret-canary"),
                pair("grant_type", "authorization_code"),
                pair("redirect_uri", BACK),
                pair("code", "AQB"),
            ]
        );
    }
}

#[tokio::test]
async fn a_code_that_is_no_good_asks_for_another_login() {
    let used = r#"{"error_type":"OAuthException","code":400,
        "error_message":"Matching code was not found or was already used"}"#;
    let meta = StandIn::answering([status(400, used)]).await;
    let error = meta.graph.exchange_instagram_code(NOW, &code("c"), BACK).await.unwrap_err();
    assert_eq!(error.failure, Failure::Reconnect { missing: &[], hint: Hint::LogIn });
    for (subcode, failure) in [
        ("", error.failure),
        (r#","error_subcode":36007"#, error.failure),
        (r#","error_subcode":36009"#, error.failure),
        (r#","error_subcode":36008"#, Failure::Permanent),
    ] {
        let json = format!(r#"{{"error":{{"message":"x","code":100{subcode}}}}}"#);
        let meta = StandIn::answering([status(400, &json)]).await;
        let error = meta.graph.exchange_facebook_code(NOW, &code("c"), BACK).await.unwrap_err();
        assert_eq!(error.failure, failure, "{json}");
    }
    let busy = r#"{"error_type":"OAuthException","code":503,"error_message":"x"}"#;
    let meta = StandIn::answering([status(400, busy)]).await;
    let error = meta.graph.exchange_instagram_code(NOW, &code("c"), BACK).await.unwrap_err();
    assert!(matches!(error.failure, Failure::RetryLater(_)));
}

#[tokio::test]
async fn a_token_of_instagram_is_lengthened_and_refreshed() {
    let answer = || ok(r#"{"access_token":"IG2","token_type":"bearer","expires_in":"5184000"}"#);
    let meta = StandIn::answering([answer(), answer()]).await;
    let long = meta.graph.lengthen_instagram_token(NOW, &token()).await.unwrap().value;
    assert_eq!(long.token.expose(), "IG2");
    assert_eq!(long.expires_at, Some(NOW + SignedDuration::from_hours(60 * 24)));
    meta.graph.refresh_instagram_token(NOW, &token()).await.unwrap();
    let [longer, fresh] = meta.seen().try_into().unwrap();
    assert_eq!(longer.what, "GET graph.instagram.com/access_token");
    assert_eq!(longer.query["grant_type"], "ig_exchange_token");
    assert_eq!(longer.query["client_secret"], "instagram-secret-canary");
    assert_eq!(longer.query["access_token"], TOKEN);
    assert_eq!(fresh.what, "GET graph.instagram.com/refresh_access_token");
    assert_eq!(fresh.query["grant_type"], "ig_refresh_token");
    assert_eq!(fresh.query["access_token"], TOKEN);
}

#[tokio::test]
async fn an_answer_without_a_token_is_no_token() {
    for json in [r#"{"access_token":""}"#, "{}", "[]", r#"{"access_token":null}"#, ""] {
        let meta = StandIn::telling(json).await;
        let error = meta.graph.refresh_instagram_token(NOW, &token()).await.unwrap_err();
        assert_eq!(error.cause, Cause::Unreadable, "{json}");
        assert!(matches!(error.failure, Failure::RetryLater(_)), "{json}");
    }
}

#[tokio::test]
async fn both_ids_of_an_instagram_account_are_known() {
    let json = r#"{"id":"25025320","user_id":"17841405309211844","username":"shop"}"#;
    let meta = StandIn::telling(json).await;
    let account = meta.graph.instagram_account(NOW, &token()).await.unwrap().value;
    assert_eq!(account.account, id("17841405309211844"));
    assert_eq!(account.person, id("25025320"));
    assert_eq!(account.username, Some(id("shop")));
}

#[tokio::test]
async fn a_token_says_what_it_is_good_for_and_where() {
    let json = r#"{"data":{"app_id":"1001","type":"USER","is_valid":true,"expires_at":0,
        "data_access_expires_at":1803816000,"issued_at":1796040000,"user_id":"1234",
        "scopes":["pages_show_list","pages_messaging","public_profile"],
        "granular_scopes":[{"scope":"pages_messaging","target_ids":["17","18"]},
                           {"scope":"pages_show_list"}]}}"#;
    let meta = StandIn::telling(json).await;
    let facts = meta.graph.inspect_facebook_token(NOW, &token()).await.unwrap().value;
    assert!(facts.is_ours && facts.is_valid);
    assert_eq!((facts.issued_at, facts.expires_at), (Some(NOW), None));
    assert_eq!(facts.data_access_expires_at, Timestamp::from_second(1_803_816_000).ok());
    assert_eq!(facts.person, Some(id("1234")));
    assert_eq!(facts.granted_for(&id("18")), facts.granted);
    assert_eq!(facts.granted_for(&id("19")), [Permission::PagesShowList].into());

    let foreign = StandIn::telling(r#"{"data":{"app_id":"1002","is_valid":false}}"#).await;
    let facts = foreign.graph.inspect_facebook_token(NOW, &token()).await.unwrap().value;
    assert!(!facts.is_ours && !facts.is_valid && facts.granted.is_empty());
}

/// `paging.next` has the token in it, and leads wherever it says.
#[tokio::test]
async fn all_pages_are_listed_by_cursor() {
    let first = r#"{"data":[
        {"id":"17","name":"Café \ud83d","tasks":["ADVERTISE","MESSAGING","MODERATE"],
         "access_token":"PAGE17","instagram_business_account":{"id":"1784","username":"cafe"}},
        {"id":18,"name":"Bare"}],
        "paging":{"cursors":{"before":"b","after":"a/1"},"next":"http://127.0.0.1:9/steal"}}"#;
    let last = r#"{"data":[{"id":"19"}],"paging":{"cursors":{"before":"b","after":"a/2"}}}"#;
    let meta = StandIn::answering([ok(first), ok(last)]).await;
    let list = meta.graph.pages(NOW, &token(), None).await.unwrap().value;
    let [full, bare] = list.pages.try_into().unwrap();
    assert_eq!((full.id, full.name), (id("17"), Some(id("Café \u{fffd}"))));
    assert_eq!(full.tasks, [Task::Messaging, Task::Moderate].into());
    assert_eq!(full.token.unwrap().expose(), "PAGE17");
    let linked = full.instagram.unwrap();
    assert_eq!((linked.id, linked.username), (id("1784"), Some(id("cafe"))));
    assert_eq!((bare.id, bare.token, bare.instagram), (id("18"), None, None));
    let rest = meta.graph.pages(NOW, &token(), list.next.as_ref()).await.unwrap().value;
    assert_eq!((rest.pages.len(), rest.next), (1, None));
    assert_eq!(meta.seen().last().unwrap().query["after"], "a/1");
}

#[tokio::test]
async fn one_page_tells_which_account_is_linked_to_it_now() {
    let meta = StandIn::telling(r#"{"id":"17","name":"Shop"}"#).await;
    let page = meta.graph.page(NOW, &id("17"), &token()).await.unwrap().value;
    assert_eq!(page.instagram, None);
    assert_eq!(meta.only().what, "GET graph.facebook.com/v27.0/17");
}

#[tokio::test]
async fn browsers_are_sent_to_metas_own_pages() {
    let meta = StandIn::answering([]).await;
    let facebook = meta.graph.facebook_dialog("555", BACK, "s&1").unwrap();
    let (page, query) = facebook.split_once('?').unwrap();
    assert!(page.ends_with("/www.facebook.com/v27.0/dialog/oauth"), "{page}");
    assert_eq!(
        query,
        "client_id=1001&redirect_uri=https%3A%2F%2Fapp.example%2Fv1%2Fconnections%2Freturn\
         &response_type=code&config_id=555&state=s%261&auth_type=rerequest"
    );
    let instagram = meta.graph.instagram_dialog(BACK, "s&1").unwrap();
    let (page, query) = instagram.split_once('?').unwrap();
    assert!(page.ends_with("/www.instagram.com/oauth/authorize"), "{page}");
    assert!(query.starts_with("client_id=2002&"), "{query}");
    let scope = "instagram_business_basic%2Cinstagram_business_manage_messages";
    assert!(query.ends_with(&format!("&response_type=code&scope={scope}&state=s%261")), "{query}");
}
