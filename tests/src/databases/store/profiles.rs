//! What an account says about itself, and what it accepted.

use numib::domain::account::{Acceptance, Use};
use numib::domain::ids::{AccountId, MemberId, PolicyVersion};
use numib::domain::plan::Plan;
use numib::domain::profile::Profile;
use numib::domain::time::Day;
use numib::seal::account::{open_profile, seal_profile};
use numib::seal::key_name::KeyName;
use numib::seal::key_pair::{Opener, PrivateKey, Sealer};
use numib::store::StoreError;
use xtask::account::random_id;

use crate::database::Database;
use crate::shop::{ago, key_pair, now};

on_both_databases!(
    a_corrected_profile_leaves_nothing_of_the_old_one,
    one_of_two_corrections_of_the_same_version_is_refused,
    an_account_gets_one_key_of_each_sort_and_none_when_it_is_erased,
    every_version_that_an_account_accepted_is_kept_with_who_first_did_and_when,
    a_policy_version_has_one_day_and_each_owner_is_told_of_it_once,
);

async fn account(db: &Database) -> AccountId {
    let id = AccountId::parse(&random_id().unwrap()).unwrap();
    db.store.create_account(&id, Plan::Days30).await.unwrap();
    id
}

//= R5.2, R1.2
async fn a_corrected_profile_leaves_nothing_of_the_old_one(db: &Database) {
    let id = account(db).await;
    let key = db.store.put_account_key(&id, Use::Profile, key_pair()).await.unwrap();
    let seal = |name: &str| {
        let profile = Profile { name: Some(name.to_owned()), ..Profile::default() };
        seal_profile(&mut Sealer::default(), (&id, &key), &profile).unwrap()
    };
    let old = seal("old-canary");
    assert_eq!(db.store.put_profile(&id, 0, old.clone()).await.unwrap(), 1);
    assert_eq!(db.store.put_profile(&id, 1, seal("new-canary")).await.unwrap(), 2);
    let stored = db.store.account(&id).await.unwrap().unwrap();
    assert_eq!((stored.profile_version, stored.account_key.as_ref()), (2, Some(&key)));
    let dump = db.dump().await;
    let old = old.escape_ascii().to_string();
    assert!(!dump.iter().any(|item| item.contains(&old)), "the old ciphertext is stored still");
    assert!(!dump.iter().any(|item| item.contains("canary")), "something is in clear");
    let wrapped = db.store.wrapped_account_key(&id, Use::Profile).await.unwrap().unwrap();
    let private = PrivateKey::from_der(&wrapped).unwrap();
    let mut opener = Opener::new(KeyName::Account(&id), private);
    let profile = open_profile(&mut opener, &id, &stored.profile.unwrap()).unwrap();
    assert_eq!(profile.name.as_deref(), Some("new-canary"));
}

//= R5.2
async fn one_of_two_corrections_of_the_same_version_is_refused(db: &Database) {
    let id = account(db).await;
    for version in [0, 1] {
        db.store.put_profile(&id, version, b"first".to_vec()).await.unwrap();
        let second = db.store.put_profile(&id, version, b"second".to_vec()).await;
        assert_eq!(second.unwrap_err(), StoreError::Conflict);
    }
    let stored = db.store.account(&id).await.unwrap().unwrap();
    assert_eq!(stored.profile.as_deref(), Some(&b"first"[..]));
}

//= R6.1
async fn an_account_gets_one_key_of_each_sort_and_none_when_it_is_erased(db: &Database) {
    let id = account(db).await;
    for of in [Use::Profile, Use::TaxRecords] {
        assert!(!db.store.has_account_key(&id, of).await.unwrap());
        db.store.put_account_key(&id, of, key_pair()).await.unwrap();
        let again = db.store.put_account_key(&id, of, key_pair()).await;
        assert_eq!(again.unwrap_err(), StoreError::Conflict);
    }
    let stored = db.store.account(&id).await.unwrap().unwrap();
    assert!(stored.account_key.is_some() && stored.account_key != stored.tax_key);
    let erased = account(db).await;
    db.store.mark_account_erased(&erased).await.unwrap();
    let late = db.store.put_account_key(&erased, Use::Profile, key_pair()).await;
    assert_eq!(late.unwrap_err(), StoreError::Conflict);
    assert!(!db.store.has_account_key(&erased, Use::Profile).await.unwrap());
}

//= R10.1
async fn every_version_that_an_account_accepted_is_kept_with_who_first_did_and_when(db: &Database) {
    let id = account(db).await;
    let acceptance = |version, effective_on, at, by| Acceptance {
        version: PolicyVersion::parse(version).unwrap(),
        effective_on: Day::parse(effective_on).unwrap(),
        at,
        by: MemberId::parse(by).unwrap(),
    };
    let accept = async |one: &Acceptance| db.store.accept_policy(&id, one).await.unwrap();
    assert_eq!(db.store.acceptances(&id).await.unwrap(), []);
    let new = acceptance("v2", "2027-01-01", ago(5000), "ana");
    let old = acceptance("v1", "2026-11-01", now(), "eva");
    accept(&new).await;
    accept(&acceptance("v2", "2027-01-01", now(), "eva")).await;
    accept(&old).await;
    assert_eq!(db.store.acceptances(&id).await.unwrap(), [new.clone(), old.clone()]);
    let accepted = db.store.account(&id).await.unwrap().unwrap().accepted;
    assert_eq!(accepted, Some(new), "an older one takes nothing back");
    let nobody = AccountId::parse("nobody").unwrap();
    let refused = db.store.accept_policy(&nobody, &old).await;
    assert_eq!(refused.unwrap_err(), StoreError::Conflict);
}

//= R10.1
async fn a_policy_version_has_one_day_and_each_owner_is_told_of_it_once(db: &Database) {
    let version = |text| PolicyVersion::parse(text).unwrap();
    let (first, second) = (version("2027-01"), version("2027-02"));
    let day = |text| Day::parse(text).unwrap();
    assert_eq!(db.store.policy_version(&first).await.unwrap(), None);
    assert!(db.store.put_policy_version(&first, day("2027-01-15")).await.unwrap());
    assert!(!db.store.put_policy_version(&first, day("2027-01-15")).await.unwrap());
    let other = db.store.put_policy_version(&first, day("2027-01-16")).await;
    assert_eq!(other.unwrap_err(), StoreError::Conflict);
    assert_eq!(db.store.policy_version(&first).await.unwrap(), Some(day("2027-01-15")));
    let owner = MemberId::parse("m1").unwrap();
    let told = async |version| db.store.was_told(&owner, version).await.unwrap();
    assert!(!told(&first).await);
    db.store.put_told(&owner, &first, now()).await.unwrap();
    assert!(told(&first).await && !told(&second).await);
}
