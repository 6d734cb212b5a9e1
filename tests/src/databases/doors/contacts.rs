//! Contacts are found, restricted, and reported as minors.

use numib::domain::erasure::{Source, State};
use numib::domain::role::Role;
use serde_json::{Value, json};

use super::{CONTACT, Office, Said, assert_problem, code, fill, sign_in};
use crate::database::Database;
use crate::shop::{Shop, now};
use crate::webhook::Intake;

on_both_databases!(
    a_person_is_found_by_meta_id_in_the_own_account_alone,
    a_restriction_takes_effect_for_the_next_event_and_so_does_lifting_it,
    nobody_restricts_what_is_not_theirs_or_not_there,
    who_is_reported_to_be_a_minor_is_erased_and_nobody_is_told_why,
);

const SEARCH: &str = "POST /v1/contacts/search";
const RESTRICT: &str = "PUT /v1/conversations/{id}/restriction";
const LIFT: &str = "DELETE /v1/conversations/{id}/restriction";
const MINOR: &str = "POST /v1/conversations/{id}/minor-report";

async fn on(
    office: &Office<'_>,
    member: &Value,
    route: &str,
    id: &(impl ToString + Sync),
) -> crate::webhook::Answer {
    let parameters = json!({"id": id.to_string()});
    office.call(member, route, Said { parameters, ..Said::default() }).await
}

//= R5.3
async fn a_person_is_found_by_meta_id_in_the_own_account_alone(db: &Database) {
    let (office, shop, other) = (Office::open(db), Shop::open(db).await, Shop::open(db).await);
    fill(db, &shop).await;
    fill(db, &other).await;
    let owner = sign_in(db, &shop.connection.account, Role::Owner).await;
    let sought = json!({"meta_id": "7001"});
    let found = office.post(&owner, SEARCH, &sought).await;
    assert_eq!(found.status, 200, "{}", found.text);
    let conversation = shop.conversation("7001");
    let contact = json!({"conversation": conversation.to_string(), "restricted_at": null,
                         "connection_id": shop.connection.id.as_str()});
    assert_eq!(found.json(), json!({"contacts": [contact]}));
    on(&office, &owner, CONTACT, &conversation).await;
    for id in ["7001", "7009"] {
        let found = office.post(&owner, SEARCH, &json!({"meta_id": id})).await;
        assert_eq!(found.json(), json!({"contacts": []}), "{id}");
    }
    for id in ["", "0", "ana", &"1".repeat(65)] {
        let answer = office.post(&owner, SEARCH, &json!({"meta_id": id})).await;
        assert_problem(&answer, 400, "meta_id");
        assert_eq!(answer.json()["errors"][0]["field"], "meta_id");
    }
}

//= R2.3
async fn a_restriction_takes_effect_for_the_next_event_and_so_does_lifting_it(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    fill(db, &shop).await;
    let privacy = sign_in(db, &shop.connection.account, Role::Privacy).await;
    let conversation = shop.conversation("7001");
    let restricted = on(&office, &privacy, RESTRICT, &conversation).await;
    assert_eq!(restricted.status, 200, "{}", restricted.text);
    assert_eq!(restricted.json()["restricted_at"], now().to_string());
    assert_eq!(on(&office, &privacy, RESTRICT, &conversation).await.text, restricted.text);
    let intake = Intake::start(db);
    let next = async |mid: &str| {
        intake.deliver(&shop.body(&[shop.text("7001", now(), mid, "next")])).await.counts()
    };
    let counts = next("m_10").await;
    assert_eq!(counts["stored"], Value::Null, "acknowledged and dropped: {counts}");
    let found = office.post(&privacy, SEARCH, &json!({"meta_id": "7001"})).await.json();
    assert_eq!(found["contacts"][0]["restricted_at"], now().to_string());
    let lifted = on(&office, &privacy, LIFT, &conversation).await;
    assert_eq!(lifted.json()["restricted_at"], Value::Null, "{}", lifted.text);
    assert_eq!(next("m_11").await["stored"], 1);
    assert_eq!(on(&office, &privacy, LIFT, &conversation).await.text, lifted.text);
    let contact = format!("sk=CONTACT#{}", conversation.contact);
    let core = db.dump_table(&db.tables.core).await;
    let contact = core.iter().find(|item| item.contains(&contact)).unwrap();
    assert!(contact.contains("expires_at="), "it has an end again: {contact}");
}

//= R2.3, R4.3
async fn nobody_restricts_what_is_not_theirs_or_not_there(db: &Database) {
    let (office, shop, other) = (Office::open(db), Shop::open(db).await, Shop::open(db).await);
    fill(db, &other).await;
    let owner = sign_in(db, &shop.connection.account, Role::Owner).await;
    let core = db.dump_table(&db.tables.core).await;
    for route in [RESTRICT, LIFT, MINOR] {
        let foreign = on(&office, &owner, route, &other.conversation("7001")).await;
        assert_problem(&foreign, 404, "not-found");
        for id in ["x.y", "x", &shop.conversation("7001").to_string()] {
            assert_eq!(on(&office, &owner, route, &id).await.text, foreign.text, "{id}");
        }
    }
    assert_eq!(db.dump_table(&db.tables.core).await, core, "nothing is changed");
}

//= R9.1
async fn who_is_reported_to_be_a_minor_is_erased_and_nobody_is_told_why(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    fill(db, &shop).await;
    let admin = sign_in(db, &shop.connection.account, Role::Admin).await;
    let answer = on(&office, &admin, MINOR, &shop.conversation("7001")).await;
    let code = code(&answer, State::Shredded);
    assert_eq!(office.stored(&code).await.source, Source::Minor);
    let seen = office.get(&admin, &code).await;
    assert!(!seen.text.contains("minor"), "{}", seen.text);
    office.work(&code).await;
    assert_eq!(office.get(&admin, &code).await.json()["removed"]["message"], 2);
}
