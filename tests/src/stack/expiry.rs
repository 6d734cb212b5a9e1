//! What time does to an account, on the deployed functions.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use numib::domain::ids::{AccountId, Channel, ConversationId};
use numib::domain::plan::Plan;
use numib::domain::role::Role;
use numib::domain::time::Day;
use numib::edge::clock;
use numib::store::messages::MessageKey;
use serde_json::json;

use crate::deployed::{deployed, digits, now_ms};

const DAY_MS: i64 = 24 * 3600 * 1000;

//= R6.2, R6.5
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn a_downgrade_hides_what_is_too_old_at_once_and_a_key_is_destroyed_when_its_day_comes() {
    let deployed = deployed().await;
    let today = Day::of(clock::now());
    let days = [today.plus(-8), today.plus(-9)];
    let account = deployed.account(Channel::Messenger, Plan::Days30, &days).await;
    let agent = deployed.member(&account.id, Role::Agent).await;
    let staff = AccountId::parse("numib").unwrap();
    let operator = deployed.member(&staff, Role::Operator).await;
    let contact = digits();
    deployed.deliver(&account, &[account.text(&contact, now_ms() - 8 * DAY_MS, "m_old", "old")]);
    let at = now_ms() - 60_000;
    let day = Day::of(Timestamp::from_millisecond(at).unwrap());
    deployed.deliver(&account, &[account.text(&contact, at, "m_new", "new")]);
    let conversation = deployed.get("/v1/conversations", &agent).json();
    let conversation = conversation["conversations"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/conversations/{conversation}/messages");
    let shown = || deployed.get(&path, &agent).json()["messages"].as_array().unwrap().len();
    assert_eq!(shown(), 2);

    let plan = format!("/v1/operator/accounts/{}/plan", account.id);
    let wanted = json!({"plan_days": 7}).to_string();
    let body = ("application/json", wanted.as_str());
    assert_eq!(deployed.send(("PUT", &plan), &agent, body).status, 403);
    let changed = deployed.send(("PUT", &plan), &operator, body);
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!(shown(), 1);
    let keys = deployed.store.day_key_days(&account.connection.id).await.unwrap();
    assert!(keys.contains(&day) && keys.iter().all(|day| *day > today.plus(-8)), "{keys:?}");
    // The rows follow, once nobody writes by the old plan any more.
    let id = deployed.store.account_channels(&account.id).await.unwrap()[0].1.clone();
    let contacts = deployed.store.contacts_after(&id, None).await.unwrap();
    let conversation = ConversationId { connection: id, contact: contacts[0].clone() };
    for tries in 0.. {
        let rows = deployed.store.rows_after(&conversation, None, 10).await.unwrap().0;
        if rows.len() == 1 {
            break;
        }
        assert!(tries < 200, "the old row is still there");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }

    // Moves the key's shredding day to today. Trying a later day would destroy the keys of other
    // tests.
    deployed.store.retime_key(&account.connection.id, day, today, today).await.unwrap();
    let time = clock::now().to_string();
    let ran = deployed.stack.run_task("destroy-expired-keys", &time).unwrap();
    assert!(ran["destroyed"].as_u64().unwrap() >= 1, "{ran}");
    assert_eq!((&ran["complete"], &ran["task"]), (&json!(true), &json!("destroy-expired-keys")));
    let keys = deployed.store.day_key_days(&account.connection.id).await.unwrap();
    assert!(!keys.contains(&day), "{keys:?}");
    assert_eq!(shown(), 0);
    let watched = deployed.stack.run_task("watch-deadlines", &time).unwrap();
    assert_eq!((&watched["at_risk"], &watched["late"]), (&json!(0), &json!(0)));
}

//= R6.2
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn what_has_expired_is_swept_by_the_worker_on_the_day_that_its_contact_names() {
    let deployed = deployed().await;
    let account = deployed.account(Channel::Messenger, Plan::Days7, &[]).await;
    let contact = digits();
    deployed.deliver(&account, &[account.text(&contact, now_ms() - 60_000, "m_1", "text")]);
    let store = &deployed.store;
    let connection = account.connection.id.clone();
    let contact = store.contacts_after(&connection, None).await.unwrap().remove(0);
    let conversation = ConversationId { connection, contact };
    let row = store.rows_after(&conversation, None, 10).await.unwrap().0.remove(0);
    let key = MessageKey { conversation: conversation.clone(), message: row.message.clone() };
    // Pretends that eight days are over. Trying a later day would sweep the rows of other tests.
    let over = clock::now() - SignedDuration::from_hours(24);
    store.retime_row(&key, &row, over, false).await.unwrap();
    store.visit_by(&conversation, Day::of(clock::now())).await.unwrap();
    let ran = deployed.stack.run_task("sweep-expired-rows", &clock::now().to_string()).unwrap();
    assert_eq!(ran, json!({"task": "sweep-expired-rows", "queued": true}));
    let asked = BTreeSet::from([conversation.clone()]);
    for tries in 0.. {
        // Time to live may be there first, but only the sweep takes the day away.
        let seen = store.look_again(&BTreeSet::new(), &asked).await.unwrap();
        if seen.contacts[&conversation].sweep_on.is_none() {
            break;
        }
        assert!(tries < 200, "nobody has visited it");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(store.rows_after(&conversation, None, 10).await.unwrap().0, []);
}
