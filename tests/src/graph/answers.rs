//! How answers are read: errors in every shape, conversations, profiles, subscriptions.

use axum::body::Body;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use numib::domain::login::Login;
use numib::domain::login::Permission;
use numib::graph::error::{Cause, Failure, GraphError, Hint, SendError};
use numib::graph::subscription::fields;
use numib::graph::usage::{Pause, Whose};

use crate::stand_in::{By, NOW, Note, Shop, StandIn, id, ok, status, token};

fn error(code: u32, subcode: u32) -> String {
    format!(
        r#"{{"error":{{"message":"Ana","type":"OAuthException","code":{code},
            "error_subcode":{subcode},"fbtrace_id":"AbC"}}}}"#
    )
}

async fn refused(by: By, answer: Response) -> GraphError {
    let meta = StandIn::answering([answer]).await;
    let error = meta.graph.subscribe(NOW, Shop::new().asset(by)).await.unwrap_err();
    assert_eq!(meta.seen().len(), 1, "nothing is tried twice");
    error
}

async fn send(answer: Response) -> Result<(), SendError> {
    let meta = StandIn::answering([answer]).await;
    let (shop, note) = (Shop::new(), Note::new());
    let sent = meta.graph.send_text(NOW, shop.asset(By::Instagram), note.text()).await;
    assert_eq!(meta.seen().len(), 1, "nothing is tried twice");
    sent.map(|_| ())
}

fn until(minutes: i64) -> Timestamp {
    NOW + SignedDuration::from_mins(minutes)
}

#[tokio::test]
async fn a_refusal_keeps_metas_numbers_and_says_what_to_do() {
    let dead = refused(By::Page, status(400, &error(190, 459))).await;
    assert_eq!(dead.failure, Failure::Reconnect { missing: &[], hint: Hint::ConfirmAtFacebook });
    let Cause::Refused(refused) = dead.cause else { panic!("{dead:?}") };
    assert_eq!((refused.status, refused.code, refused.subcode), (400, Some(190), Some(459)));
    assert_eq!(refused.trace.unwrap().as_str(), "AbC");
}

#[tokio::test]
async fn a_missing_permission_names_what_the_call_needs() {
    let bare = r#"{"error":{"message":"x","type":"OAuthException","code":"10"}}"#;
    let error = refused(By::Instagram, status(403, bare)).await;
    let needed = &[Permission::InstagramBusinessBasic, Permission::InstagramBusinessManageMessages];
    assert_eq!(error.failure, Failure::Reconnect { missing: needed, hint: Hint::Grant });
}

#[tokio::test]
async fn limits_wait_for_as_long_as_meta_says() {
    let throttled = |header: &str, usage: &str| {
        Response::builder()
            .status(400)
            .header(header, usage)
            .body(Body::from(error(80_006, 2_534_040)))
            .unwrap()
    };
    let business = r#"{"17":[{"call_count":100,"estimated_time_to_regain_access":43}]}"#;
    let told = refused(By::Messenger, throttled("x-business-use-case-usage", business)).await;
    let pause = Pause { until: until(43), whose: Whose::Asset };
    assert_eq!(told.failure, Failure::RetryLater(pause));
    let silent = refused(By::Messenger, throttled("x-app-usage", "{}")).await;
    let pause = Pause { until: until(15), whose: Whose::Asset };
    assert_eq!(silent.failure, Failure::RetryLater(pause));
    let bare = refused(By::Messenger, status(429, "slow down")).await;
    assert_eq!(bare.failure, Failure::RetryLater(pause));
}

#[tokio::test]
async fn an_answer_says_when_to_slow_down() {
    let answer = Response::builder()
        .header("x-app-usage", r#"{"call_count":91,"total_time":2,"total_cputime":3}"#)
        .body(Body::from(r#"{"success":true}"#))
        .unwrap();
    let meta = StandIn::answering([answer]).await;
    let answer = meta.graph.subscribe(NOW, Shop::new().asset(By::Page)).await.unwrap();
    assert_eq!(answer.pauses, [Pause { until: until(10), whose: Whose::App }]);
}

#[tokio::test]
async fn what_makes_no_sense_takes_nothing_from_the_connection() {
    for answer in [
        ok(""),
        ok("<html>"),
        ok("[1]"),
        ok(r#"{"success":false}"#),
        ok("{}"),
        ok(r#"{"success":"#),
        status(502, "<html>"),
        status(500, r#"{"error":{"code":987654}}"#),
        status(500, r#"{"error":"gone"}"#),
    ] {
        let error = refused(By::Page, answer).await;
        assert!(matches!(error.failure, Failure::RetryLater(_)), "{error:?}");
    }
    for answer in [status(404, "<html>"), status(400, r#"{"error":{"code":-3}}"#)] {
        assert_eq!(refused(By::Page, answer).await.failure, Failure::Permanent);
    }
}

#[tokio::test]
async fn a_send_that_meta_refused_was_not_sent() {
    let window = r#"{"error":{"message":"x","type":"IGApiException","code":10,
        "error_subcode":2534022}}"#;
    for (answer, failure) in [
        (status(403, window), Failure::OutsideWindow),
        (status(400, &error(551, 1_545_041)), Failure::Unavailable),
        (status(400, &error(10, 2_018_300)), Failure::AnsweredElsewhere),
        (status(400, &error(368, 1)), Failure::PausedByMeta),
        (status(400, &error(190, 460)), Failure::Reconnect { missing: &[], hint: Hint::LogIn }),
        (
            status(400, &error(4, 1)),
            Failure::RetryLater(Pause { until: until(15), whose: Whose::App }),
        ),
    ] {
        match send(answer).await {
            Err(SendError::NotSent(error)) => assert_eq!(error.failure, failure),
            other => panic!("{failure:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_send_that_nobody_can_be_sure_of_is_unknown() {
    for answer in [
        status(500, &error(1, 1_357_046)),
        status(500, &error(2, 0)),
        status(400, &error(987_654, 1)),
        status(400, r#"{"error":{"code":987654,"is_transient":true}}"#),
        status(502, "<html>"),
        ok("{}"),
        ok("<html>"),
        ok(r#"{"recipient_id":"9","message_id":""}"#),
    ] {
        let sent = send(answer).await;
        assert!(matches!(sent, Err(SendError::Unknown(_))), "{sent:?}");
    }
}

#[tokio::test]
async fn a_subscription_is_compared_field_by_field() {
    let all = fields(Login::Facebook).join(r#"",""#);
    let read = async |json: String| {
        let meta = StandIn::telling(&json).await;
        let asset = Shop::new();
        meta.graph.subscription(NOW, asset.asset(By::Page)).await.unwrap().value
    };
    let ours = format!(r#"{{"data":[{{"id":"1001","subscribed_fields":["{all}","feed"]}}]}}"#);
    assert!(read(ours).await.is_whole());
    let foreign = format!(r#"{{"data":[{{"id":"1002","subscribed_fields":["{all}"]}}]}}"#);
    let missing = read(foreign).await.missing;
    assert_eq!(missing, fields(Login::Facebook).iter().copied().collect());
    let fewer = all.replace(r#""standby","#, "");
    let fewer = format!(r#"{{"data":[{{"id":1001,"subscribed_fields":["{fewer}"]}}]}}"#);
    assert_eq!(read(fewer).await.missing, ["standby"].into());
    assert!(!read(r#"{"data":[{"id":"1001"}]}"#.to_owned()).await.is_whole());
}

#[tokio::test]
async fn nothing_known_of_a_person_is_told_from_a_failure() {
    let ask = async |by, answer| {
        let meta = StandIn::answering([answer]).await;
        meta.graph.profile(NOW, Shop::new().asset(by), &id("9")).await
    };
    let known = ask(By::Page, ok(r#"{"name":null,"username":"ana.b","id":"9"}"#)).await;
    let known = known.unwrap().value;
    assert_eq!((known.name, known.username), (None, Some(id("ana.b"))));
    let bare = ask(By::Messenger, ok(r#"{"name":"Ana B","id":"9"}"#)).await.unwrap().value;
    assert_eq!((bare.name, bare.username), (Some(id("Ana B")), None));
    for nothing in ["{}", r#"{"id":"9"}"#, r#"{"name":"","username":""}"#] {
        let profile = ask(By::Messenger, ok(nothing)).await.unwrap().value;
        assert_eq!(profile, numib::graph::profile::Profile::default());
    }
    for (code, subcode) in [(230, 0), (100, 2_018_218), (100, 2_018_247), (100, 33)] {
        let error = ask(By::Page, status(400, &error(code, subcode))).await.unwrap_err();
        assert_eq!(error.failure, Failure::NothingKnown, "{code}/{subcode}");
    }
    let dead = ask(By::Page, status(400, &error(190, 463))).await.unwrap_err();
    assert!(matches!(dead.failure, Failure::Reconnect { .. }));
}

#[tokio::test]
async fn conversations_are_read_with_times_of_both_kinds() {
    let list = r#"{"data":[{"id":"t_1","updated_time":"2026-11-30T12:00:00+0000"},
        {"id":"t_2","updated_time":1796040000},{"id":"t_3","updated_time":"1796040000"},
        {"id":"t_4","updated_time":"soon"}],
        "paging":{"cursors":{"after":"x"},"next":"https://elsewhere.example"}}"#;
    let meta = StandIn::telling(list).await;
    let threads = meta.graph.threads(NOW, Shop::new().asset(By::Messenger), None).await;
    let threads = threads.unwrap().value;
    assert_eq!(threads.threads.len(), 3);
    assert!(threads.threads.iter().all(|thread| thread.updated_at == NOW));
    assert!(threads.next.is_some());

    let message = |n: u32| format!(r#"{{"id":"m_{n}","created_time":"2026-11-30T12:00:00+0000"}}"#);
    let messages: Vec<_> = (0..25).map(message).collect();
    let thread = format!(r#"{{"id":"t_1","messages":{{"data":[{}]}}}}"#, messages.join(","));
    let meta = StandIn::telling(&thread).await;
    let asset = Shop::new();
    let asset = asset.asset(By::Messenger);
    let messages = meta.graph.messages_of(NOW, asset, &id("t_1")).await.unwrap().value;
    assert_eq!(messages.len(), 20);
    assert_eq!(messages.first().map(|message| &message.mid), Some(&id("m_0")));
}

#[tokio::test]
async fn a_thread_names_the_person_where_the_profile_does_not() {
    let list = r#"{"data":[{"id":"t_1","updated_time":1796040000,"participants":{"data":[
        {"id":"17","name":"Shop"},{"id":"9","name":"Ana B","email":"9@facebook.com"}]}}]}"#;
    let meta = StandIn::answering([ok(list), ok(r#"{"data":[]}"#)]).await;
    let (shop, person) = (Shop::new(), id("9"));
    let asset = shop.asset(By::Messenger);
    let found = meta.graph.thread_with(NOW, asset, &person).await.unwrap().value.unwrap();
    assert_eq!((found.thread.id, found.profile.name), (id("t_1"), Some(id("Ana B"))));
    assert_eq!(meta.graph.thread_with(NOW, asset, &person).await.unwrap().value, None);
}

#[tokio::test]
async fn a_message_that_meta_does_not_show_is_no_unsend() {
    let shown = r#"{"id":"m_1","created_time":"2026-11-30T12:00:00+0000","message":"hola",
        "from":{"id":"9","username":"ana.b"},"to":{"data":[{"id":"17","username":"shop"}]}}"#;
    let wordless = r#"{"id":"m_2","created_time":1796040000,"message":"","from":{"id":"9"}}"#;
    let gone = r#"{"error":{"message":"deleted","code":9000001}}"#;
    let meta =
        StandIn::answering([ok(shown), ok(wordless), status(400, gone), status(400, &error(1, 2))])
            .await;
    let shop = Shop::new();
    let fetch = async |mid| meta.graph.message(NOW, shop.asset(By::Page), &id(mid)).await;
    let fetched = fetch("m_1").await.unwrap().value.unwrap();
    assert_eq!((fetched.mid, fetched.sent_at), (id("m_1"), NOW));
    assert_eq!(fetched.text, Some(id("hola")));
    assert_eq!(fetched.from.id, id("9"));
    assert_eq!(fetched.from.profile.username, Some(id("ana.b")));
    assert_eq!(fetched.to.len(), 1);
    assert_eq!(fetch("m_2").await.unwrap().value.unwrap().text, None);
    assert_eq!(fetch("m_3").await.unwrap().value, None);
    assert!(matches!(fetch("m_4").await.unwrap_err().failure, Failure::RetryLater(_)));
}

#[tokio::test]
async fn an_account_that_meta_does_not_open_yet_is_not_eligible() {
    let answer = status(400, r#"{"error":{"code":36103}}"#);
    let meta = StandIn::answering([answer]).await;
    let error = meta.graph.instagram_account(NOW, &token()).await.unwrap_err();
    assert_eq!(error.failure, Failure::NotEligible);
}
