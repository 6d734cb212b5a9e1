//! Who is made a member of an account, and by whom; and what is left of those who are not.

use numib::domain::ids::{AccountId, MemberId};
use numib::domain::role::Role;
use numib::domain::time::Day;
use numib::identity::UserPool;
use numib::store::accounts::Member;
use serde_json::{Value, json};
use xtask::account::random_id;

use super::{DELETE_ACCOUNT, Office, Said, assert_problem, operator, sign_in};
use crate::database::Database;
use crate::shop::now;
use crate::webhook::Answer;
use crate::wire::{Fate, Wire, constant};

on_both_databases!(
    an_address_is_taken_for_somebodys_only_once_it_is_verified,
    an_account_that_is_being_deleted_invites_nobody_and_changes_nobody,
    whoever_was_invited_in_vain_is_forgotten_and_who_became_a_member_is_not,
    an_account_has_so_many_members_and_invites_so_many_a_day,
    nobody_gets_rid_of_those_above_them_by_reporting_a_minor,
    a_change_of_role_that_died_halfway_may_be_repeated,
);

pub(super) const ADD: &str = "POST /v1/members";
pub(super) const CHANGE: &str = "PATCH /v1/members/{id}";
pub(super) const REPORT: &str = "POST /v1/members/{id}/minor-report";
pub(super) const OPEN: &str = "POST /v1/operator/accounts";

pub(super) fn an_account() -> AccountId {
    AccountId::parse(&random_id().unwrap()).unwrap()
}

/// A user pool that knows nobody but this one by that address, if anyone, and what it is asked.
pub(super) fn pool(db: &Database, knows: Option<(&str, &str, bool)>) -> (UserPool, Wire) {
    let attribute = |name: &str, value: &str| json!({"Name": name, "Value": value});
    let known = knows.map(|(sub, email, is_verified)| {
        let verified = attribute("email_verified", &is_verified.to_string());
        json!([attribute("sub", sub), attribute("email", email), verified])
    });
    let new = json!([attribute("sub", &random_id().unwrap())]);
    let wire = Wire::default();
    wire.decide(move |call| match (call.operation.as_str(), &known) {
        ("AdminCreateUser", Some(_)) => Fate::Refused("UsernameExistsException"),
        ("AdminCreateUser", None) => Fate::Answered(json!({"User": {"Attributes": new}})),
        ("AdminGetUser", Some(known)) => {
            Fate::Answered(json!({"Username": "u", "UserAttributes": known}))
        }
        ("AdminListGroupsForUser", _) => Fate::Answered(json!({"Groups": []})),
        _ => Fate::Answered(json!({})),
    });
    let nobodys = db.sdk.to_builder().http_client(constant(None)).build();
    (UserPool::new(&wire.tap(&nobodys), "none".to_owned()), wire)
}

async fn add(office: &Office<'_>, by: &Value, role: Role) -> Answer {
    let asked = json!({"email": "new@shop.example", "role": role.as_str()});
    office.post(by, ADD, &asked).await
}

fn asked(wire: &Wire) -> Vec<String> {
    wire.calls().into_iter().map(|call| call.operation).collect()
}

fn id(claims: &Value) -> MemberId {
    MemberId::parse(claims["sub"].as_str().unwrap()).unwrap()
}

//= R4.3
async fn an_address_is_taken_for_somebodys_only_once_it_is_verified(db: &Database) {
    let (mut office, account) = (Office::open(db), an_account());
    let owner = sign_in(db, &account, Role::Owner).await;
    let staff = operator(db).await;
    let sub = random_id().unwrap();
    let claimed = [("new@shop.example", false), ("other@shop.example", true)];
    for (email, is_verified) in claimed {
        let (identities, wire) = pool(db, Some((&sub, email, is_verified)));
        office.ask(identities);
        assert_problem(&add(&office, &owner, Role::Agent).await, 409, "conflict");
        let open = json!({"owner_email": "new@shop.example", "plan_days": 30});
        assert_problem(&office.post(&staff, OPEN, &open).await, 409, "conflict");
        assert!(!asked(&wire).contains(&"AdminAddUserToGroup".to_owned()));
        assert_eq!(db.store.member(&MemberId::parse(&sub).unwrap()).await.unwrap(), None);
    }
    office.ask(pool(db, Some((&sub, "NEW@shop.example", true))).0);
    let added = add(&office, &owner, Role::Agent).await;
    assert_eq!(added.status, 201, "{}", added.text);
    assert_eq!(added.json(), json!({"member": sub, "role": "agent"}));
    assert!(office.queued_as("member").is_empty(), "whoever was there before stays");
}

//= R1.2, R6.1
async fn an_account_that_is_being_deleted_invites_nobody_and_changes_nobody(db: &Database) {
    let (mut office, account) = (Office::open(db), an_account());
    let owner = sign_in(db, &account, Role::Owner).await;
    let agent = sign_in(db, &account, Role::Agent).await;
    assert_eq!(office.delete(&owner, DELETE_ACCOUNT, json!({})).await.status, 202);
    let (identities, wire) = pool(db, None);
    office.ask(identities);
    assert_problem(&add(&office, &owner, Role::Agent).await, 409, "conflict");
    assert_problem(&change(&office, &owner, &id(&agent), "\"agent\"").await, 409, "conflict");
    assert!(asked(&wire).is_empty(), "no e-mail, no identity");
    let role = db.store.member(&id(&agent)).await.unwrap().unwrap().role;
    assert_eq!(role, Role::Agent);
    let (of, roles) = ((&account, &id(&agent)), (Role::Agent, Role::Admin));
    db.store.change_role(of, roles, None).await.unwrap_err();
}

//= R1.2, R6.1
async fn whoever_was_invited_in_vain_is_forgotten_and_who_became_a_member_is_not(db: &Database) {
    let (mut office, account) = (Office::open(db), an_account());
    let owner = sign_in(db, &account, Role::Owner).await;
    office.ask(pool(db, None).0);
    let (store, locked) = (db.store.clone(), account.clone());
    // It is locked while the invitation is under way.
    db.wire.before("TransactWriteItems", async move {
        store.mark_account_erased(&locked).await.unwrap();
    });
    assert_problem(&add(&office, &owner, Role::Agent).await, 409, "conflict");
    let [refused] = office.queued_as("member").try_into().unwrap();
    let other = an_account();
    let owner = sign_in(db, &other, Role::Owner).await;
    office.ask(pool(db, None).0);
    let added = add(&office, &owner, Role::Agent).await;
    assert_eq!(added.status, 201, "{}", added.text);
    let [added] = office.queued_as("member").try_into().unwrap();
    for (invited, account, is_forgotten) in [(refused, &account, true), (added, &other, false)] {
        let (user_pool, wire) = pool(db, None);
        let eraser = office.eraser(user_pool);
        let invited = MemberId::parse(&invited).unwrap();
        eraser.forget_unless_member(&invited, account).await.unwrap();
        assert_eq!(asked(&wire) == ["AdminDeleteUser"], is_forgotten);
        // They are shut out, and an erasure that a hold keeps waiting names them.
        if !is_forgotten {
            db.store.shut_out((account, &invited), Role::Agent, None).await.unwrap();
            eraser.forget_unless_member(&invited, account).await.unwrap();
            assert!(asked(&wire).is_empty());
        }
    }
}

//= R4.3
async fn an_account_has_so_many_members_and_invites_so_many_a_day(db: &Database) {
    let (mut office, account) = (Office::open(db), an_account());
    let owner = sign_in(db, &account, Role::Owner).await;
    let (today, store) = (Day::of(now()), &db.store);
    for _ in 0..50 {
        store.count_invitation(&account, today, 50).await.unwrap();
    }
    let (identities, wire) = pool(db, None);
    office.ask(identities);
    assert_problem(&add(&office, &owner, Role::Agent).await, 429, "too-many-requests");
    store.count_invitation(&account, today.plus(1), 50).await.unwrap();
    let crowd = an_account();
    let owner = sign_in(db, &crowd, Role::Owner).await;
    for _ in 0..99 {
        sign_in(db, &crowd, Role::Agent).await;
    }
    assert_problem(&add(&office, &owner, Role::Agent).await, 409, "conflict");
    assert!(asked(&wire).is_empty());
}

async fn report(office: &Office<'_>, by: &Value, whom: &Value) -> Answer {
    let parameters = json!({"id": whom["sub"]});
    office.call(by, REPORT, Said { parameters, ..Said::default() }).await
}

//= R4.3, R9.1
async fn nobody_gets_rid_of_those_above_them_by_reporting_a_minor(db: &Database) {
    let (mut office, account) = (Office::open(db), an_account());
    let roles = [Role::Owner, Role::Owner, Role::Admin, Role::Privacy, Role::Agent];
    let mut members = Vec::new();
    for role in roles {
        members.push(sign_in(db, &account, role).await);
    }
    let [owner, second, admin, privacy, agent] = members.try_into().unwrap();
    office.ask(pool(db, None).0);
    assert_problem(&add(&office, &admin, Role::Privacy).await, 403, "forbidden");
    for above in [&owner, &admin] {
        assert_problem(&report(&office, &privacy, above).await, 403, "forbidden");
        assert!(db.store.member(&id(above)).await.unwrap().is_some());
    }
    for (by, whom) in [(&privacy, &agent), (&owner, &admin), (&owner, &second)] {
        let reported = report(&office, by, whom).await;
        assert_eq!(reported.status, 202, "{}", reported.text);
    }
}

async fn change(office: &Office<'_>, by: &Value, whom: &MemberId, version: &'static str) -> Answer {
    let said = Said {
        parameters: json!({"id": whom.as_str()}),
        content_type: Some("application/json"),
        body: Some(json!({"role": "admin"}).to_string()),
        version: Some(version),
        ..Said::default()
    };
    office.call(by, CHANGE, said).await
}

//= R4.3
async fn a_change_of_role_that_died_halfway_may_be_repeated(db: &Database) {
    let (mut office, account) = (Office::open(db), an_account());
    let owner = sign_in(db, &account, Role::Owner).await;
    let agent = id(&sign_in(db, &account, Role::Agent).await);
    office.ask(super::user_pool(db, None));
    assert_problem(
        &change(&office, &owner, &agent, "\"privacy\"").await,
        412,
        "precondition-failed",
    );
    assert_problem(&change(&office, &owner, &agent, "\"agent\"").await, 500, "internal");
    let admin = Member { account: account.clone(), role: Role::Admin };
    assert_eq!(db.store.member(&agent).await.unwrap(), Some(admin));
    let (identities, wire) = pool(db, None);
    office.ask(identities);
    for version in ["\"agent\"", "\"admin\"", "*"] {
        let again = change(&office, &owner, &agent, version).await;
        assert_eq!(again.status, 200, "{}", again.text);
        assert!(asked(&wire).contains(&"AdminUserGlobalSignOut".to_owned()));
    }
}
