//! Following a request.

use numib::domain::erasure::{Source, State};
use numib::domain::role::Role;
use numib::erasure::{self, Asked};
use serde_json::{Value, json};

use super::{CONTACT, Office, assert_problem, code, fill, operator, sign_in};
use crate::database::Database;
use crate::shop::{Shop, now};

on_both_databases!(
    an_account_follows_its_own_requests_and_operators_follow_all,
    a_request_about_several_accounts_is_shown_to_none_of_them,
);

//= R5.3, R5.8
async fn an_account_follows_its_own_requests_and_operators_follow_all(db: &Database) {
    let (office, shop, other) = (Office::open(db), Shop::open(db).await, Shop::open(db).await);
    fill(db, &shop).await;
    let account = &shop.connection.account;
    let owner = sign_in(db, account, Role::Owner).await;
    let id = json!({"id": shop.conversation("7001").to_string()});
    let code = code(&office.delete(&owner, CONTACT, id).await, State::Shredded);
    office.work(&code).await;
    let answer = office.get(&owner, &code).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let stored = office.stored(&code).await;
    let expected = json!({
        "request": code, "state": "verified", "source": "account", "reference": null,
        "data_held": true, "held": false, "held_part": null, "due_at": null,
        "requested_at": now().to_string(), "deadline": stored.deadline.to_string(),
        "unreadable_since": now().to_string(), "completed_at": null,
        "removed": {"message": 2}, "status_url": format!("https://d/data-deletion/{code}"),
    });
    assert_eq!(answer.json(), expected);
    for member in [sign_in(db, account, Role::Privacy).await, operator(db).await] {
        assert_eq!(office.get(&member, &code).await.text, answer.text);
    }
    let stranger = sign_in(db, &other.connection.account, Role::Owner).await;
    let foreign = office.get(&stranger, &code).await;
    assert_problem(&foreign, 404, "not-found");
    for unknown in ["unknown", "a#b", ""] {
        assert_eq!(office.get(&owner, unknown).await.text, foreign.text);
    }
}

//= R4.3
async fn a_request_about_several_accounts_is_shown_to_none_of_them(db: &Database) {
    let (office, shop, other) = (Office::open(db), Shop::open(db).await, Shop::open(db).await);
    let target = |shop: &Shop| numib::domain::erasure::Target::Contact {
        account: shop.connection.account.clone(),
        conversation: shop.conversation("7001"),
        until: now(),
    };
    let owner = sign_in(db, &shop.connection.account, Role::Owner).await;
    let operator = operator(db).await;
    for (subject, targets) in [("both", vec![target(&shop), target(&other)]), ("none", vec![])] {
        let subject = subject.to_owned();
        let asked =
            Asked { source: Source::MetaDeletion, reference: None, subject, targets, due_at: None };
        let request = erasure::begin(&db.store, asked, now()).await.unwrap();
        let code = request.id.as_str();
        assert_problem(&office.get(&owner, code).await, 404, "not-found");
        let seen: Value = office.get(&operator, code).await.json();
        assert_eq!(seen["request"], code);
    }
}
