//! Profile, members and invoices: requests at the same moment, and across accounts.

use numib::domain::account::Use;
use numib::domain::ids::{AccountId, InvoiceId};
use numib::domain::invoice::Jurisdiction;
use numib::domain::role::Role;
use numib::domain::time::Day;
use numib::store::invoices::StoredInvoice;
use serde_json::{Value, json};
use tokio::join;
use xtask::account::random_id;

use super::{Office, Said, assert_problem, operator, sign_in};
use crate::database::Database;
use crate::shop::{key_pair, now};
use crate::webhook::Answer;

on_both_databases!(
    a_correction_of_a_version_that_is_not_the_latest_changes_nothing,
    when_two_owners_remove_each_other_at_once_one_stays,
    an_owner_sees_no_invoice_of_another_account,
    the_longest_invoice_of_the_schema_is_filed,
    every_field_that_is_wrong_is_named_with_its_rule,
);

fn an_account() -> AccountId {
    AccountId::parse(&random_id().unwrap()).unwrap()
}

async fn correct(office: &Office<'_>, owner: &Value, version: Option<&'static str>) -> Answer {
    let content_type = Some("application/merge-patch+json");
    let body = Some(json!({"name": "Ana"}).to_string());
    let said = Said { content_type, body, version, ..Said::default() };
    office.call(owner, "PATCH /v1/account", said).await
}

//= R5.2
async fn a_correction_of_a_version_that_is_not_the_latest_changes_nothing(db: &Database) {
    let (office, account) = (Office::open(db), an_account());
    let owner = sign_in(db, &account, Role::Owner).await;
    db.store.put_account_key(&account, Use::Profile, key_pair()).await.unwrap();
    assert_problem(&correct(&office, &owner, None).await, 428, "precondition-required");
    assert_problem(&correct(&office, &owner, Some("\"7\"")).await, 412, "precondition-failed");
    assert_eq!(db.store.account(&account).await.unwrap().unwrap().profile, None);
    let at_once =
        join!(correct(&office, &owner, Some("\"0\"")), correct(&office, &owner, Some("\"0\"")));
    let mut statuses = [at_once.0.status, at_once.1.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412], "{} {}", at_once.0.text, at_once.1.text);
    assert_eq!(db.store.account(&account).await.unwrap().unwrap().profile_version, 1);
    assert!(!db.dump().await.iter().any(|item| item.contains("Ana")), "it is sealed");
}

//= R4.3
async fn when_two_owners_remove_each_other_at_once_one_stays(db: &Database) {
    let (office, account) = (Office::open(db), an_account());
    let owners =
        [sign_in(db, &account, Role::Owner).await, sign_in(db, &account, Role::Owner).await];
    let remove = |by: usize, whom: usize| {
        let parameters = json!({"id": owners[whom]["sub"]});
        office.delete(&owners[by], "DELETE /v1/members/{id}", parameters)
    };
    let (one, other) = join!(remove(0, 1), remove(1, 0));
    let removed = [&one, &other].iter().filter(|answer| answer.status == 202).count();
    assert_eq!(removed, 1, "{} {}", one.text, other.text);
    let mut left = 0;
    for id in db.store.account_members(&account).await.unwrap() {
        let member = db.store.member(&id).await.unwrap();
        left += usize::from(member.is_some_and(|member| member.role == Role::Owner));
    }
    assert_eq!(left, 1);
}

//= R6.3, R4.3
async fn an_owner_sees_no_invoice_of_another_account(db: &Database) {
    let (office, account) = (Office::open(db), an_account());
    sign_in(db, &account, Role::Owner).await;
    let issued_on = Day::of(now());
    let invoice = StoredInvoice {
        id: InvoiceId::parse("i-1").unwrap(),
        issued_on,
        jurisdiction: Jurisdiction::Guatemala,
        kept_until: Jurisdiction::Guatemala.kept_until(issued_on),
        sealed: b"sealed".to_vec(),
    };
    assert!(db.store.put_invoice(&account, &invoice).await.unwrap());
    let other = sign_in(db, &an_account(), Role::Owner).await;
    for query in ["", "cursor=i-1", "cursor=i-2&limit=1"] {
        let answer = office.look(&other, "GET /v1/invoices", query).await;
        assert_eq!((answer.status, answer.json()), (200, json!({"invoices": []})), "{query}");
    }
}

//= R6.3
async fn the_longest_invoice_of_the_schema_is_filed(db: &Database) {
    let (office, account) = (Office::open(db), an_account());
    sign_in(db, &account, Role::Owner).await;
    let staff = operator(db).await;
    db.store.put_account_key(&account, Use::TaxRecords, key_pair()).await.unwrap();
    let (number, line) = ("😀".repeat(40), "😀".repeat(200));
    let fel =
        json!({"uuid": "0A1B2C3D-0000-4000-8000-00112233AABB", "serie": number, "numero": number});
    let invoice = json!({"issued_on": Day::of(now()).to_string(), "jurisdiction": "GT",
                         "number": number, "currency": "GTQ", "total_minor": 1, "fel": fel,
                         "lines": vec![line; 50]});
    let said = Said {
        parameters: json!({"account_id": account.as_str(), "invoice_id": "i-1"}),
        content_type: Some("application/json"),
        body: Some(invoice.to_string().replace('😀', "\\ud83d\\ude00")),
        ..Said::default()
    };
    let route = "PUT /v1/operator/accounts/{account_id}/invoices/{invoice_id}";
    let filed = office.call(&staff, route, said).await;
    assert_eq!(filed.status, 201, "{}", filed.text);
}

async fn every_field_that_is_wrong_is_named_with_its_rule(db: &Database) {
    let (office, account) = (Office::open(db), an_account());
    let owner = sign_in(db, &account, Role::Owner).await;
    let staff = operator(db).await;
    let fields = |answer: &Answer| {
        assert_eq!(answer.status, 400, "{}", answer.text);
        let errors = answer.json()["errors"].as_array().unwrap().clone();
        assert!(errors.iter().all(|one| one["rule"].as_str().unwrap().len() > 10));
        errors.iter().map(|one| one["field"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for (profile, wrong) in [
        (json!({"phone": 5, "name": []}), &["name", "phone"][..]),
        (json!({"address": {"lines": "x"}}), &["address"]),
        (json!({"phone": "5"}), &["phone"]),
        (json!({"shoe": 5}), &["body"]),
    ] {
        for route in ["PATCH /v1/account", "PUT /v1/account"] {
            let (content_type, body) = (Some("application/json"), Some(profile.to_string()));
            let said = Said { content_type, body, version: Some("\"0\""), ..Said::default() };
            assert_eq!(fields(&office.call(&owner, route, said).await), wrong, "{profile}");
        }
    }
    let asked = json!({"plan_days": "8"});
    let opened = office.post(&staff, "POST /v1/operator/accounts", &asked).await;
    assert_eq!(fields(&opened), ["owner_email", "plan_days"]);
    let lists = office.look(&owner, "GET /v1/members", "limit=0").await;
    assert_eq!(fields(&lists), ["limit"]);
}
