//! The end of an account. It is locked at once, its channels are unreadable at once, and it is gone
//! unless its owner takes the deletion back.

use jiff::{SignedDuration, Timestamp};
use numib::domain::account::AccountState;
use numib::domain::erasure::{Source, State};
use numib::domain::hold::Held;
use numib::domain::hold::Hold;
use numib::domain::ids::HoldId;
use numib::domain::role::Role;
use numib::erasure::Progress;
use numib::store::StoreError;
use serde_json::{Value, json};

use super::{
    CANCEL, CONTACT, DELETE_ACCOUNT, EVERYONE, Office, Said, assert_problem, fill, sign_in,
};
use crate::database::Database;
use crate::shop::{Shop, now};

on_both_databases!(
    deleting_an_account_locks_it_and_makes_its_data_unreadable_before_the_answer,
    a_locked_account_lets_nobody_in_but_its_owner,
    a_locked_account_gets_no_new_channel,
    a_deletion_that_is_asked_for_twice_is_one_request,
    a_deletion_taken_back_lets_everyone_in_again_and_brings_no_data_back,
    a_hold_that_comes_in_between_makes_no_second_deletion,
    what_a_worker_has_begun_cannot_be_taken_back,
    only_the_deletion_of_ones_own_account_can_be_taken_back,
);

async fn delete(office: &Office<'_>, owner: &Value) -> Value {
    let answer = office.call(owner, DELETE_ACCOUNT, Said::default()).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.json()
}

fn code(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap_or_else(|| panic!("no {name} in {answer}")).to_owned()
}

async fn state(db: &Database, shop: &Shop) -> AccountState {
    db.store.account(&shop.connection.account).await.unwrap().unwrap().state
}

//= R5.3, R6.1, R8.3
async fn deleting_an_account_locks_it_and_makes_its_data_unreadable_before_the_answer(
    db: &Database,
) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    fill(db, &shop).await;
    let owner = sign_in(db, &shop.connection.account, Role::Owner).await;
    let answer = delete(&office, &owner).await;
    assert_eq!(state(db, &shop).await, AccountState::Locked);
    assert!(db.store.day_key_days(&shop.connection.id).await.unwrap().is_empty());
    let due_at: Timestamp = code(&answer, "due_at").parse().unwrap();
    assert_eq!(due_at, now() + SignedDuration::from_hours(14 * 24));
    let (account, data) = (code(&answer, "request"), code(&answer, "data_request"));
    let queued = [data.clone(), data.clone(), account.clone()];
    assert_eq!(office.queued(), queued, "workers go on");
    let (account, data) = (office.stored(&account).await, office.stored(&data).await);
    assert_eq!((account.state, account.due_at), (State::Requested, Some(due_at)));
    assert_eq!((data.state, data.due_at), (State::Shredded, None));
    for request in [&account, &data] {
        assert_eq!(request.source, Source::AccountDeletion);
    }
    // A worker that comes before the request's day does nothing.
    assert_eq!(office.work(account.id.as_str()).await, Progress::Nothing);
    assert_eq!(office.stored(account.id.as_str()).await, account);
}

//= R6.1
async fn a_locked_account_lets_nobody_in_but_its_owner(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let account = &shop.connection.account;
    let owner = sign_in(db, account, Role::Owner).await;
    let request = code(&delete(&office, &owner).await, "request");
    for role in EVERYONE {
        let member = sign_in(db, account, role).await;
        let answer = office.get(&member, &request).await;
        let is_let_in = matches!(role, Role::Owner | Role::Operator);
        assert_eq!(answer.status, if is_let_in { 200 } else { 403 }, "{role:?}");
    }
}

//= R6.1
async fn a_locked_account_gets_no_new_channel(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let owner = sign_in(db, &shop.connection.account, Role::Owner).await;
    delete(&office, &owner).await;
    // The account's own channel is erased by now.
    let refused = db.store.create_connection(&shop.connection, &[7; 32]).await;
    assert_eq!(refused, Err(StoreError::Conflict));
}

//= R6.1
async fn a_deletion_that_is_asked_for_twice_is_one_request(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let owner = sign_in(db, &shop.connection.account, Role::Owner).await;
    let other = sign_in(db, &shop.connection.account, Role::Owner).await;
    let first = delete(&office, &owner).await;
    assert_eq!(delete(&office, &other).await, first);
}

//= R6.1
async fn a_deletion_taken_back_lets_everyone_in_again_and_brings_no_data_back(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    fill(db, &shop).await;
    let account = &shop.connection.account;
    let (owner, officer) =
        (sign_in(db, account, Role::Owner).await, sign_in(db, account, Role::Privacy).await);
    let first = code(&delete(&office, &owner).await, "request");
    for _ in 0..2 {
        let answer = cancel(&office, &owner, &first).await;
        assert_eq!((answer.status, &answer.json()["state"]), (200, &json!("cancelled")));
        assert_eq!(state(db, &shop).await, AccountState::Active);
    }
    assert_eq!(office.get(&officer, &first).await.status, 200);
    let conversation = json!({"id": shop.conversation("7001").to_string()});
    let gone = office.delete(&officer, CONTACT, conversation).await;
    assert_problem(&gone, 404, "not-found");
    // Asked again, it is a new request.
    let again = code(&delete(&office, &owner).await, "request");
    assert_ne!(again, first);
    assert_eq!(state(db, &shop).await, AccountState::Locked);
    assert_eq!(cancel(&office, &owner, &first).await.status, 200);
    assert_eq!(state(db, &shop).await, AccountState::Locked, "for the other request");
}

//= R6.1, R6.7
async fn a_hold_that_comes_in_between_makes_no_second_deletion(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let account = &shop.connection.account;
    let owner = sign_in(db, account, Role::Owner).await;
    let first = code(&delete(&office, &owner).await, "request");
    let on = Held::Account(account.clone());
    let (id, text) = (HoldId::parse("h").unwrap(), "x".to_owned());
    let hold = Hold { id: id.clone(), reason: text.clone(), reference: text, set_at: now() };
    db.store.put_hold(&on, &hold).await.unwrap();
    assert_eq!(code(&delete(&office, &owner).await, "request"), first);
    assert_eq!(cancel(&office, &owner, &first).await.status, 200);
    db.store.lift_hold(&on, &id).await.unwrap();
    let stored = office.stored(&first).await;
    let due_at = stored.due_at.unwrap();
    let after = numib::erasure::shred(&db.store, stored, due_at).await.unwrap();
    assert_eq!(after.state, State::Cancelled);
    assert_eq!(state(db, &shop).await, AccountState::Active);
}

//= R6.1
async fn what_a_worker_has_begun_cannot_be_taken_back(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let owner = sign_in(db, &shop.connection.account, Role::Owner).await;
    let request = code(&delete(&office, &owner).await, "request");
    let stored = office.stored(&request).await;
    let due_at = stored.due_at.unwrap();
    let read_before = stored.clone();
    let shredded = numib::erasure::shred(&db.store, stored, due_at).await.unwrap();
    assert_eq!(shredded.state, State::Shredded);
    assert_eq!(state(db, &shop).await, AccountState::Erased);
    assert_problem(&cancel(&office, &owner, &request).await, 403, "forbidden");
    let late = db.store.cancel_request(read_before).await;
    assert_eq!(late, Err(StoreError::Conflict), "whoever read it before that is too late too");
    assert_eq!(state(db, &shop).await, AccountState::Erased);
}

//= R4.3, R6.1
async fn only_the_deletion_of_ones_own_account_can_be_taken_back(db: &Database) {
    let (office, shop, other) = (Office::open(db), Shop::open(db).await, Shop::open(db).await);
    fill(db, &shop).await;
    let owner = sign_in(db, &shop.connection.account, Role::Owner).await;
    let stranger = sign_in(db, &other.connection.account, Role::Owner).await;
    let conversation = json!({"id": shop.conversation("7001").to_string()});
    let erased = office.delete(&owner, CONTACT, conversation).await;
    let contact = code(&erased.json(), "request");
    assert_problem(&cancel(&office, &owner, &contact).await, 409, "conflict");
    let request = code(&delete(&office, &owner).await, "request");
    let foreign = cancel(&office, &stranger, &request).await;
    assert_problem(&foreign, 404, "not-found");
    assert_eq!(cancel(&office, &stranger, "none").await.text, foreign.text);
    assert_eq!(state(db, &shop).await, AccountState::Locked);
}

async fn cancel(office: &Office<'_>, member: &Value, code: &str) -> crate::webhook::Answer {
    let parameters = json!({ "code": code });
    office.call(member, CANCEL, Said { parameters, ..Said::default() }).await
}
