//! Exports: who asks for, follows and downloads them, and until when.

use jiff::SignedDuration;
use numib::domain::export::{EXPORTS_MAX, Export, Failure, KEPT, State};
use numib::domain::ids::{AccountId, ExportId};
use numib::domain::role::Role;
use serde_json::{Value, json};

use super::{Office, Said, assert_problem, sign_in};
use crate::database::Database;
use crate::shop::{Shop, now};

on_both_databases!(
    an_owner_asks_once_and_follows_the_export,
    a_link_is_made_for_each_click_and_lives_for_five_minutes,
    an_export_without_an_archive_says_so,
    another_accounts_export_is_not_found,
    an_account_has_twenty_exports_at_most,
    no_archive_outlives_the_deletion_of_its_account_or_a_change_of_its_plan,
);

const ASK: &str = "POST /v1/exports";
const LIST: &str = "GET /v1/exports";
const FOLLOW: &str = "GET /v1/exports/{export_id}";
const DOWNLOAD: &str = "POST /v1/exports/{export_id}/download";

fn named(id: &str) -> Said {
    Said { parameters: json!({ "export_id": id }), ..Said::default() }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

/// An export of this account that ended in this state.
async fn ended(db: &Database, account: &AccountId, (id, state): (&str, State)) -> Export {
    let export = Export::new(ExportId::parse(id).unwrap(), account.clone(), now());
    db.store.open_export(&export).await.unwrap();
    db.store.end_export(Export { state, ready_at: Some(now()), ..export }).await.unwrap()
}

//= R5.1, R5.4
async fn an_owner_asks_once_and_follows_the_export(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let owner = sign_in(db, &shop.connection.account, Role::Owner).await;
    let asked = office.call(&owner, ASK, Said::default()).await;
    assert_eq!(asked.status, 202, "{}", asked.text);
    let asked = asked.json();
    assert_eq!(text(&asked, "state"), "asked");
    let again = office.call(&owner, ASK, Said::default()).await.json();
    assert_eq!(again["export"], asked["export"]);
    let followed = office.call(&owner, FOLLOW, named(text(&asked, "export"))).await;
    assert_eq!(followed.json(), asked);
    let privacy = sign_in(db, &shop.connection.account, Role::Privacy).await;
    let listed = office.call(&privacy, LIST, Said::default()).await.json();
    assert_eq!(listed, json!({ "exports": [asked] }));
    let early = office.call(&owner, DOWNLOAD, named(text(&asked, "export"))).await;
    assert_problem(&early, 409, "conflict");
}

//= R5.4, R1.3
async fn a_link_is_made_for_each_click_and_lives_for_five_minutes(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let account = &shop.connection.account;
    let owner = sign_in(db, account, Role::Owner).await;
    let export = ended(db, account, ("export-1", State::Ready)).await;
    let said = Said { key: Some("click"), ..named("export-1") };
    let link = office.call(&owner, DOWNLOAD, said).await;
    assert_eq!(link.status, 200, "{}", link.text);
    let link = link.json();
    let url = text(&link, "url");
    assert!(url.contains(&export.object_key()) && url.contains("X-Amz-Expires=300"), "{url}");
    assert_eq!(text(&link, "expires_at"), (now() + SignedDuration::from_mins(5)).to_string());
    let stored = db.dump().await;
    assert!(!stored.iter().any(|item| item.contains("X-Amz")), "a link is stored nowhere");
    let chain = db.dump_table(&db.tables.ledger).await;
    let is_recorded =
        |item: &String| item.contains("action=download-export") && item.contains("export export-1");
    assert!(chain.iter().any(is_recorded), "{chain:?}");
}

//= R5.4, R8.3
async fn an_export_without_an_archive_says_so(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let account = &shop.connection.account;
    let owner = sign_in(db, account, Role::Owner).await;
    ended(db, account, ("void", State::Void)).await;
    ended(db, account, ("failed", State::Failed)).await;
    let old = Export::new(ExportId::parse("old").unwrap(), account.clone(), now() - KEPT);
    db.store.open_export(&old).await.unwrap();
    db.store.end_export(Export { state: State::Ready, ..old }).await.unwrap();
    for (id, status, kind) in
        [("void", 410, "gone"), ("old", 410, "gone"), ("failed", 409, "conflict")]
    {
        let answer = office.call(&owner, DOWNLOAD, named(id)).await;
        assert_problem(&answer, status, kind);
    }
}

//= R4.3
async fn another_accounts_export_is_not_found(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let other = Shop::open(db).await;
    let owner = sign_in(db, &other.connection.account, Role::Owner).await;
    ended(db, &shop.connection.account, ("theirs", State::Ready)).await;
    for route in [FOLLOW, DOWNLOAD] {
        let theirs = office.call(&owner, route, named("theirs")).await;
        let none = office.call(&owner, route, named("none")).await;
        assert_eq!((theirs.status, &theirs.text), (404, &none.text), "{route}");
    }
    let listed = office.call(&owner, LIST, Said::default()).await.json();
    assert_eq!(listed, json!({ "exports": [] }));
}

//= R5.4
async fn an_account_has_twenty_exports_at_most(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let account = &shop.connection.account;
    let owner = sign_in(db, account, Role::Owner).await;
    for n in 0..EXPORTS_MAX - 1 {
        ended(db, account, (&format!("e{n}"), State::Failed)).await;
    }
    let last = office.call(&owner, ASK, Said::default()).await;
    assert_eq!(last.status, 202, "{}", last.text);
    let again = office.call(&owner, ASK, Said::default()).await;
    assert_eq!(again.json()["export"], last.json()["export"], "the one under way");
    let id = ExportId::parse(text(&last.json(), "export")).unwrap();
    let export = db.store.export(&id).await.unwrap().unwrap();
    db.store.end_export(export.failed(Failure::TooLarge)).await.unwrap();
    assert_problem(&office.call(&owner, ASK, Said::default()).await, 429, "exports");
}

//= R6.1, R6.5
async fn no_archive_outlives_the_deletion_of_its_account_or_a_change_of_its_plan(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let account = &shop.connection.account;
    let owner = sign_in(db, account, Role::Owner).await;
    let operator = sign_in(db, &AccountId::parse("numib").unwrap(), Role::Operator).await;
    let state = async |id: &str| {
        let id = ExportId::parse(id).unwrap();
        db.store.export(&id).await.unwrap().unwrap().state
    };
    ended(db, account, ("e1", State::Ready)).await;
    let shorter = Said {
        parameters: json!({ "account_id": account.as_str() }),
        content_type: Some("application/json"),
        body: Some(json!({ "plan_days": 7 }).to_string()),
        ..Said::default()
    };
    let changed =
        office.call(&operator, "PUT /v1/operator/accounts/{account_id}/plan", shorter).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!(state("e1").await, State::Void);
    // The channels are gone by then. Only the account itself is left.
    shop.erase(db).await;
    ended(db, account, ("e2", State::Ready)).await;
    let deleted = office.call(&owner, "DELETE /v1/account", Said::default()).await;
    assert_eq!(deleted.status, 202, "{}", deleted.text);
    assert_eq!(state("e2").await, State::Void);
}
