//! Who belongs to an account, and that somebody always owns it.

use aws_sdk_dynamodb::types::AttributeValue;
use numib::domain::ids::{AccountId, MemberId};
use numib::domain::plan::Plan;
use numib::domain::role::Role;
use numib::store::StoreError;
use numib::store::accounts::Member;
use serde_json::Value;
use tokio::join;
use xtask::account::random_id;
use xtask::documents;

use crate::database::Database;

on_both_databases!(
    an_account_opens_with_its_owner_or_not_at_all,
    a_person_belongs_to_one_account,
    a_member_who_moves_to_another_account_leaves_no_place_behind,
    the_last_owner_stays_one,
    when_two_owners_leave_at_once_one_stays,
    when_two_owners_step_down_at_once_one_stays,
    a_role_changes_only_from_the_role_that_was_read,
    a_member_who_is_shut_out_belongs_to_no_account_at_once,
    the_operator_that_the_documents_put_by_hand_is_a_member,
);

fn id() -> MemberId {
    MemberId::parse(&random_id().unwrap()).unwrap()
}

/// An account with so many owners.
async fn owned(db: &Database, owners: usize) -> (AccountId, Vec<MemberId>) {
    let account = AccountId::parse(&random_id().unwrap()).unwrap();
    let ids: Vec<_> = (0..owners).map(|_| id()).collect();
    db.store.open_account(&account, Plan::Days30, &ids[0]).await.unwrap();
    for id in &ids[1..] {
        add(db, &account, id, Role::Owner).await.unwrap();
    }
    (account, ids)
}

async fn add(
    db: &Database,
    account: &AccountId,
    id: &MemberId,
    role: Role,
) -> Result<(), StoreError> {
    db.store.add_member(id, &Member { account: account.clone(), role }).await
}

async fn role(db: &Database, id: &MemberId) -> Option<Role> {
    db.store.member(id).await.unwrap().map(|member| member.role)
}

//= R4.3
async fn an_account_opens_with_its_owner_or_not_at_all(db: &Database) {
    let (account, owners) = owned(db, 1).await;
    assert_eq!(role(db, &owners[0]).await, Some(Role::Owner));
    assert_eq!(db.store.account_members(&account).await.unwrap(), owners);
    let other = AccountId::parse("other").unwrap();
    let again = db.store.open_account(&other, Plan::Days7, &owners[0]).await;
    assert_eq!(again.unwrap_err(), StoreError::Conflict);
    assert_eq!(db.store.account(&other).await.unwrap(), None);
}

//= R4.3
async fn a_person_belongs_to_one_account(db: &Database) {
    let (first, owners) = owned(db, 1).await;
    let (second, _) = owned(db, 1).await;
    assert_eq!(add(db, &second, &owners[0], Role::Agent).await, Err(StoreError::Conflict));
    assert_eq!(add(db, &first, &owners[0], Role::Agent).await, Err(StoreError::Conflict));
    assert_eq!(role(db, &owners[0]).await, Some(Role::Owner));
    let nowhere = AccountId::parse("nowhere").unwrap();
    assert_eq!(add(db, &nowhere, &id(), Role::Agent).await, Err(StoreError::Conflict));
}

//= R4.3
async fn a_member_who_moves_to_another_account_leaves_no_place_behind(db: &Database) {
    let (first, _) = owned(db, 1).await;
    let (second, _) = owned(db, 1).await;
    let id = id();
    for account in [&first, &second] {
        let member = Member { account: account.clone(), role: Role::Agent };
        db.store.put_member(&id, &member).await.unwrap();
    }
    assert!(!db.store.account_members(&first).await.unwrap().contains(&id));
    assert!(db.store.account_members(&second).await.unwrap().contains(&id));
}

//= R4.3
async fn the_last_owner_stays_one(db: &Database) {
    let (account, owners) = owned(db, 1).await;
    add(db, &account, &id(), Role::Admin).await.unwrap();
    assert_eq!(db.store.another_owner(&account, &owners[0]).await.unwrap(), None);
    // Whoever names someone else than an owner gets nowhere.
    let admin = db.store.account_members(&account).await.unwrap();
    let admin = admin.iter().find(|id| *id != &owners[0]);
    let of = (&account, &owners[0]);
    let removed = db.store.shut_out(of, Role::Owner, admin).await;
    assert_eq!(removed.unwrap_err(), StoreError::Conflict);
    let demoted = db.store.change_role(of, (Role::Owner, Role::Agent), admin).await;
    assert_eq!(demoted.unwrap_err(), StoreError::Conflict);
    assert_eq!(role(db, &owners[0]).await, Some(Role::Owner));
}

//= R4.3
async fn when_two_owners_leave_at_once_one_stays(db: &Database) {
    for _ in 0..5 {
        let (account, owners) = owned(db, 2).await;
        let leave = async |from: usize, other: usize| {
            db.store.shut_out((&account, &owners[from]), Role::Owner, Some(&owners[other])).await
        };
        let (first, second) = join!(leave(0, 1), leave(1, 0));
        assert!(first.is_err() || second.is_err());
        let left = [role(db, &owners[0]).await, role(db, &owners[1]).await];
        assert!(left.contains(&Some(Role::Owner)), "{left:?}");
    }
}

//= R4.3
async fn when_two_owners_step_down_at_once_one_stays(db: &Database) {
    for _ in 0..5 {
        let (account, owners) = owned(db, 2).await;
        let to = (Role::Owner, Role::Agent);
        let step_down = async |from: usize, other: usize| {
            db.store.change_role((&account, &owners[from]), to, Some(&owners[other])).await
        };
        let (first, second) = join!(step_down(0, 1), step_down(1, 0));
        assert!(first.is_err() || second.is_err());
        let left = [role(db, &owners[0]).await, role(db, &owners[1]).await];
        assert!(left.contains(&Some(Role::Owner)), "{left:?}");
    }
}

//= R4.3
async fn a_role_changes_only_from_the_role_that_was_read(db: &Database) {
    let (account, _) = owned(db, 1).await;
    let id = id();
    add(db, &account, &id, Role::Agent).await.unwrap();
    let change = async |from, to| db.store.change_role((&account, &id), (from, to), None).await;
    assert_eq!(change(Role::Privacy, Role::Admin).await, Err(StoreError::Conflict));
    change(Role::Agent, Role::Admin).await.unwrap();
    assert_eq!(role(db, &id).await, Some(Role::Admin));
    let (other, _) = owned(db, 1).await;
    let foreign = (Role::Admin, Role::Agent);
    let foreign = db.store.change_role((&other, &id), foreign, None).await;
    assert_eq!(foreign.unwrap_err(), StoreError::Conflict);
}

//= R4.3, R9.1
async fn a_member_who_is_shut_out_belongs_to_no_account_at_once(db: &Database) {
    let (account, _) = owned(db, 1).await;
    let id = id();
    add(db, &account, &id, Role::Agent).await.unwrap();
    db.store.shut_out((&account, &id), Role::Agent, None).await.unwrap();
    assert_eq!(role(db, &id).await, None);
    assert!(db.store.has_member_place(&account, &id).await.unwrap(), "to be erased still");
    let again = add(db, &account, &id, Role::Agent).await;
    assert_eq!(again, Err(StoreError::Conflict), "whose identity is about to go");
    db.store.delete_member(&account, &id).await.unwrap();
    assert!(!db.store.has_member_place(&account, &id).await.unwrap());
}

/// `docs/deploy.md` shows how the first operator is made.
async fn the_operator_that_the_documents_put_by_hand_is_a_member(db: &Database) {
    let shown = documents::commands("aws").unwrap();
    let mut puts = shown.iter().filter(|shown| shown.words.iter().any(|word| word == "put-item"));
    let words = &puts.next().unwrap().words;
    let at = words.iter().position(|word| word == "--item").unwrap();
    let id = id();
    let item = words[at + 1].replace("$SUB", id.as_str());
    let item: Value = serde_json::from_str(&item).unwrap();
    let mut put = db.raw.put_item().table_name(&db.tables.core);
    for (name, value) in item.as_object().unwrap() {
        put = put.item(name, AttributeValue::S(value["S"].as_str().unwrap().to_owned()));
    }
    put.send().await.unwrap();
    assert_eq!(role(db, &id).await, Some(Role::Operator));
}
