//! Every route × every role × own, another account's and unknown ids, and nobody: what is let in is
//! what the table says, and nothing answers across accounts.

use numib::domain::export::Export;
use numib::domain::ids::ExportId;
use numib::domain::role::Role;
use serde_json::{Value, json};
use xtask::account::random_id;

use super::{EVERYONE, Office, Row, Said, assert_problem, code, fill, rows, sign_in};
use crate::database::Database;
use crate::shop::{Shop, now};
use crate::webhook::Answer;

on_both_databases!(
    every_route_lets_in_the_roles_of_its_row_and_nobody_else,
    another_accounts_ids_answer_as_ids_that_never_were,
    nobody_without_a_token_is_let_in,
);

/// Ids of one account, by what they are of.
struct Ids {
    shop: Shop,
    request: String,
    member: String,
    export: String,
}

impl Ids {
    /// An account with two contacts and a request.
    async fn of_a_new_account(db: &Database, office: &Office<'_>) -> Self {
        let shop = Shop::open(db).await;
        fill(db, &shop).await;
        let owner = sign_in(db, &shop.connection.account, Role::Owner).await;
        let contact = json!({"id": shop.conversation("7002").to_string()});
        let erased = office.delete(&owner, super::CONTACT, contact).await;
        let request = code(&erased, numib::domain::erasure::State::Shredded);
        let agent = sign_in(db, &shop.connection.account, Role::Agent).await;
        let member = agent["sub"].as_str().unwrap().to_owned();
        let export = random_id().unwrap();
        let account = shop.connection.account.clone();
        let asked = Export::new(ExportId::parse(&export).unwrap(), account, now());
        db.store.open_export(&asked).await.unwrap();
        Self { shop, request, member, export }
    }

    /// What the path of a route takes, of this account.
    fn parameters(&self, route: &Row) -> Value {
        let id = |of: &str| match of {
            "connection" => self.shop.connection.id.to_string(),
            "conversation" => self.shop.conversation("7001").to_string(),
            "message" => self.shop.key("7001", "m_1").message.to_string(),
            "request" => self.request.clone(),
            "member" => self.member.clone(),
            "export" => self.export.clone(),
            "account" => self.shop.connection.account.to_string(),
            "consent" => "marketing-email".to_owned(),
            _ => "some-id".to_owned(),
        };
        route.parameters.iter().map(|(of, name)| ((*name).to_owned(), json!(id(of)))).collect()
    }
}

/// Ids of nothing.
fn unknown(route: &Row) -> Value {
    let id = |of: &str| if of == "conversation" { "no.where" } else { "nowhere" };
    route.parameters.iter().map(|(of, name)| ((*name).to_owned(), json!(id(of)))).collect()
}

async fn call(office: &Office<'_>, member: &Value, route: &Row, parameters: Value) -> Answer {
    // A role, for the route that reads its body before it looks whom it is about.
    let (content_type, body) = (Some("application/json"), Some(json!({"role": "agent"})));
    let body = body.map(|body| body.to_string());
    office.call(member, route.key, Said { parameters, content_type, body, ..Said::default() }).await
}

/// Whether a route is about ids of an account: others answer to what the caller says.
fn is_about_an_account(route: &Row) -> bool {
    let of_accounts = ["connection", "conversation", "request", "member", "export"];
    let names_one = route.parameters.iter().any(|(of, _)| of_accounts.contains(of));
    names_one && !route.who.roles.contains(&Role::Operator)
        || route.key == "GET /v1/requests/{code}"
}

//= R4.3, R5.3, R5.7
async fn every_route_lets_in_the_roles_of_its_row_and_nobody_else(db: &Database) {
    let office = Office::open(db);
    for role in EVERYONE {
        for route in &rows() {
            // Each has an account of its own, since some of these routes end the account.
            let shop = Shop::open(db).await;
            let member = sign_in(db, &shop.connection.account, role).await;
            let answer = call(&office, &member, route, unknown(route)).await;
            let is_let_in = answer.status != 403;
            let expected = route.who.roles.contains(&role);
            assert_eq!(is_let_in, expected, "{role:?} at {}: {}", route.key, answer.text);
            assert!(answer.status < 500, "{role:?} at {}: {}", route.key, answer.text);
            if !is_let_in {
                assert_problem(&answer, 403, "forbidden");
            }
        }
    }
}

//= R4.3
async fn another_accounts_ids_answer_as_ids_that_never_were(db: &Database) {
    let office = Office::open(db);
    let other = Ids::of_a_new_account(db, &office).await;
    for role in [Role::Owner, Role::Admin, Role::Privacy, Role::Agent] {
        let own = Ids::of_a_new_account(db, &office).await;
        let member = sign_in(db, &own.shop.connection.account, role).await;
        for route in rows().iter().filter(|route| is_about_an_account(route)) {
            let never = call(&office, &member, route, unknown(route)).await;
            let before = db.dump_table(&db.tables.core).await;
            let foreign = call(&office, &member, route, other.parameters(route)).await;
            assert_eq!(foreign.text, never.text, "{role:?} at {}", route.key);
            assert_eq!(foreign.status, never.status, "{role:?} at {}", route.key);
            let expected = if route.who.roles.contains(&role) { 404 } else { 403 };
            assert_eq!(foreign.status, expected, "{role:?} at {}", route.key);
            assert_eq!(db.dump_table(&db.tables.core).await, before, "{}", route.key);
        }
    }
    // The owner's own ids are found. Each route has an account of its own, since many routes erase
    // what they name.
    for route in rows().iter().filter(|route| is_about_an_account(route)) {
        let own = Ids::of_a_new_account(db, &office).await;
        let owner = sign_in(db, &own.shop.connection.account, Role::Owner).await;
        let answer = call(&office, &owner, route, own.parameters(route)).await;
        assert_ne!(answer.status, 404, "{}: {}", route.key, answer.text);
    }
}

//= R4.3
async fn nobody_without_a_token_is_let_in(db: &Database) {
    let office = Office::open(db);
    let ids = Ids::of_a_new_account(db, &office).await;
    for route in &rows() {
        let answer = call(&office, &Value::Null, route, ids.parameters(route)).await;
        assert_problem(&answer, 403, "forbidden");
    }
}
