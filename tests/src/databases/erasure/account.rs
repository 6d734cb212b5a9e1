//! The end of an account, and of a member: keys, profile, tax records.

use numib::domain::account::Use;
use numib::domain::consent::{Choice, Decision, Purpose};
use numib::domain::data_kind::DataKind;
use numib::domain::erasure::{State, Target};
use numib::domain::ids::{AccountId, InvoiceId, MemberId, PolicyVersion};
use numib::domain::invoice::Jurisdiction;
use numib::domain::plan::Plan;
use numib::domain::role::Role;
use numib::domain::time::Day;
use numib::erasure::Eraser;
use numib::identity::UserPool;
use numib::store::accounts::Member;
use numib::store::answers::{Attempt, Begun};
use numib::store::invoices::StoredInvoice;
use serde_json::json;
use xtask::account::random_id;

use super::{ask, claims, counted, counts, erase, eraser, later, signing_key, stored};
use crate::database::Database;
use crate::shop::{key_pair, now};
use crate::wire::constant;

on_ministack!(
    an_erased_account_with_all_its_data_leaves_only_records_of_the_erasure,
    no_key_opens_the_profile_of_an_erased_account_and_its_tax_records_stay,
    an_account_without_tax_records_takes_their_key_along,
    an_account_that_is_restored_is_erased_again_with_its_key,
);

on_both_databases!(a_member_who_is_erased_is_out_before_the_answer,);

/// An account with a profile and both keys.
async fn account(db: &Database) -> AccountId {
    let id = AccountId::parse(&random_id().unwrap()).unwrap();
    db.store.create_account(&id, Plan::Days30).await.unwrap();
    for of in [Use::Profile, Use::TaxRecords] {
        db.store.put_account_key(&id, of, key_pair()).await.unwrap();
    }
    db.store.put_profile(&id, 0, b"sealed".to_vec()).await.unwrap();
    id
}

async fn bill(db: &Database, account: &AccountId) {
    let issued_on = Day::of(now());
    let invoice = StoredInvoice {
        id: InvoiceId::parse("i1").unwrap(),
        issued_on,
        jurisdiction: Jurisdiction::Guatemala,
        kept_until: Jurisdiction::Guatemala.kept_until(issued_on),
        sealed: b"sealed".to_vec(),
    };
    assert!(db.store.put_invoice(account, &invoice).await.unwrap());
}

async fn keys(db: &Database, account: &AccountId) -> [bool; 2] {
    let has = async |of| db.store.has_account_key(account, of).await.unwrap();
    [has(Use::Profile).await, has(Use::TaxRecords).await]
}

//= R6.1, R6.3, R6.6
async fn no_key_opens_the_profile_of_an_erased_account_and_its_tax_records_stay(db: &Database) {
    let account = account(db).await;
    bill(db, &account).await;
    let key = signing_key(db).await;
    let target = Target::Account { account: account.clone() };
    let asked = ask(db, std::slice::from_ref(&target)).await.unwrap();
    assert_eq!(asked.state, State::Shredded);
    assert_eq!(keys(db, &account).await, [false, true], "before any row is deleted");
    let request = erase(db, &key, &[target]).await;
    assert_eq!(request.state, State::Completed);
    let expected = counted(&[(DataKind::Account, 1), (DataKind::AccountKey, 1)]);
    assert_eq!(counts(&request), expected);
    let claims = claims(&key, &request).await;
    assert_eq!(claims["keys_destroyed"], 1);
    let kept = claims["kept"].as_array().unwrap();
    assert!(kept.contains(&json!({"kind": "invoice", "basis": "tax-record"})), "{kept:?}");
    assert_eq!(db.store.account(&account).await.unwrap(), None);
    assert_eq!(db.store.invoices(&account, None, 9).await.unwrap().len(), 1);
    assert_eq!(keys(db, &account).await, [false, true]);
}

//= R6.1, R6.3
async fn an_erased_account_with_all_its_data_leaves_only_records_of_the_erasure(db: &Database) {
    let account = account(db).await;
    bill(db, &account).await;
    let member = MemberId::parse(&random_id().unwrap()).unwrap();
    let owner = Member { account: account.clone(), role: Role::Owner };
    db.store.add_member(&member, &owner).await.unwrap();
    let decision = Decision {
        purpose: Purpose::MarketingEmail,
        choice: Choice::Granted,
        policy_version: PolicyVersion::parse("2026-11").unwrap(),
        decided_by: member.clone(),
        decided_at: now(),
    };
    db.store.keep_decision(&account, &decision).await.unwrap();
    let (key, fingerprint) = ("k".to_owned(), "f".to_owned());
    let attempt = Attempt { member: member.clone(), key, fingerprint, at: now() };
    assert_eq!(db.store.begin_attempt(&attempt).await.unwrap(), Begun::First);

    let key = signing_key(db).await;
    let target = Target::Account { account: account.clone() };
    let request = ask(db, &[target]).await.unwrap();
    let pool = db.sdk.to_builder().http_client(constant(Some(json!({})))).build();
    let user_pool = UserPool::new(&pool, "none".to_owned());
    let eraser = Eraser { user_pool, ..eraser(db, &key) };
    for at in [now(), later()] {
        eraser.work(&request.id, at, &|| true).await.unwrap();
    }
    let request = stored(db, &request).await;
    assert_eq!(request.state, State::Completed);
    // The account's id and the member's: they are left in the request, and in what the receipt says
    // is kept.
    let kept = ["REQUEST#", "REQUESTS#", "SUBJECT#", "ERASURES", "TAX#", "TAX-DUE"];
    let names = |item: &str| item.contains(account.as_str()) || item.contains(member.as_str());
    for item in db.dump().await.iter().filter(|item| names(item)) {
        assert!(kept.iter().any(|kept| item.contains(&format!("pk={kept}"))), "{item}");
    }
    assert!(!db.dump().await.iter().any(|item| item.contains(member.as_str())));
    let claims = claims(&key, &request).await;
    let kept = claims["kept"].as_array().unwrap();
    assert!(kept.contains(&json!({"kind": "invoice", "basis": "tax-record"})), "{kept:?}");
}

//= R6.3
async fn an_account_without_tax_records_takes_their_key_along(db: &Database) {
    let account = account(db).await;
    let key = signing_key(db).await;
    let request = erase(db, &key, &[Target::Account { account: account.clone() }]).await;
    assert_eq!(request.state, State::Completed);
    assert_eq!(keys(db, &account).await, [false, false]);
}

//= R6.6, R8.6
async fn an_account_that_is_restored_is_erased_again_with_its_key(db: &Database) {
    let account = account(db).await;
    let key = signing_key(db).await;
    erase(db, &key, &[Target::Account { account: account.clone() }]).await;
    // A restore of `core` brings the account back. `keys` is never restored.
    db.store.create_account(&account, Plan::Days30).await.unwrap();
    let done = eraser(db, &key).reapply(0, now(), &|| true).await.unwrap();
    assert_eq!((done.found, done.complete), (1, false));
    assert_eq!(db.store.account(&account).await.unwrap(), None);
}

//= R9.1, R4.3
async fn a_member_who_is_erased_is_out_before_the_answer(db: &Database) {
    let account = account(db).await;
    let id = MemberId::parse(&random_id().unwrap()).unwrap();
    let member = Member { account: account.clone(), role: Role::Agent };
    db.store.add_member(&id, &member).await.unwrap();
    let target = Target::Member { account: account.clone(), member: id.clone() };
    let request = ask(db, &[target]).await.unwrap();
    assert_eq!(request.state, State::Shredded);
    assert_eq!(db.store.member(&id).await.unwrap(), None);
    assert!(db.store.has_member_place(&account, &id).await.unwrap(), "for the worker to find");
}
