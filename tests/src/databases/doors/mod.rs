//! The functions for accounts and for staff as API Gateway calls them: who may erase what, and what
//! becomes of it.

mod account;
mod accounts;
mod announce;
pub(crate) mod audit;
mod consents;
mod contacts;
mod deletion;
mod exports;
mod holds;
mod lists;
mod lookup;
mod matrix;
mod members;
mod once;
mod operator;
mod requests;
mod roles;

use std::collections::BTreeSet;

use numib::api::route::Route;
use numib::api::who::Who;
use numib::archive::exports::Exports;
use numib::domain::erasure::{Request as Erasure, State};
use numib::domain::ids::{AccountId, MemberId, RequestId};
use numib::domain::plan::Plan;
use numib::domain::role::Role;
use numib::edge::clients;
use numib::edge::clock::Clock;
use numib::edge::queue::{ExportQueue, WorkQueue};
use numib::edge::secrets::SecretsCache;
use numib::erasure::{Eraser, ErasureError, Progress, SETTLED};
use numib::identity::UserPool;
use numib::seal::kms::DataKeys;
use numib::seal::receipt::SigningKey;
use numib::store::accounts::Member;
use serde_json::{Value, json};
use xtask::account::random_id;

use crate::cloud::Cloud;
use crate::database::Database;
use crate::shop::{PEPPER, Shop, ago, now};
use crate::webhook::{Answer, Intake, event, request};
use crate::wire::{Wire, constant};

const DELETE_ACCOUNT: &str = "DELETE /v1/account";
const CANCEL: &str = "POST /v1/requests/{code}/cancel";
const CONNECTION: &str = "DELETE /v1/connections/{id}";
const CONTACT: &str = "DELETE /v1/conversations/{id}";
const MESSAGE: &str = "DELETE /v1/conversations/{id}/messages/{message_id}";
const REQUEST: &str = "GET /v1/requests/{code}";
const LODGE: &str = "POST /v1/operator/requests";
const LISTS: &str = "POST /v1/operator/deletion-lists";
const HOLDS: &str = "GET /v1/operator/holds";
const SET_HOLD: &str = "PUT /v1/operator/holds/{hold_id}";
const LIFT_HOLD: &str = "DELETE /v1/operator/holds/{hold_id}";

const EVERYONE: [Role; 5] = [Role::Owner, Role::Admin, Role::Agent, Role::Privacy, Role::Operator];

/// Both functions, with a queue that a test can look into.
struct Office<'a> {
    db: &'a Database,
    app: privacy_api::App,
    staff: operator_api::App,
    queue: Wire,
}

/// A route of either function.
struct Row {
    key: &'static str,
    who: &'static Who,
    /// The parameters of its path, each with what it is the id of.
    parameters: Vec<(&'static str, &'static str)>,
}

impl<H> From<&&'static Route<H>> for Row {
    fn from(route: &&'static Route<H>) -> Self {
        Self { key: route.key, who: &route.who, parameters: route.parameters().collect() }
    }
}

/// The routes of both functions.
fn rows() -> Vec<Row> {
    let own = privacy_api::routes::ROUTES.iter().map(Row::from);
    own.chain(operator_api::routes::ROUTES.iter().map(Row::from)).collect()
}

/// What a request says besides its route.
#[derive(Debug, Clone, Default)]
struct Said {
    parameters: Value,
    query: String,
    content_type: Option<&'static str>,
    body: Option<String>,
    /// The `Idempotency-Key`.
    key: Option<&'static str>,
    /// The `If-Match`.
    version: Option<&'static str>,
}

impl<'a> Office<'a> {
    /// With a queue that takes everything.
    fn open(db: &'a Database) -> Self {
        Self::with_queue(db, "https://sqs/queue", Some(json!({"MessageId": "m"})))
    }

    /// With a queue that answers this to everything, or fails.
    fn with_queue(db: &'a Database, url: &str, answer: Option<Value>) -> Self {
        let queue = Wire::default();
        let sqs = db.sdk.to_builder().http_client(constant(answer)).build();
        let export_sqs = aws_sdk_sqs::Client::new(&sqs);
        let sqs = aws_sdk_sqs::Client::new(&queue.tap(&sqs));
        let secret = json!({"app_secrets": [], "verify_tokens": [], "pepper": PEPPER});
        let secret = json!({"ARN": "arn", "Name": "meta", "SecretString": secret.to_string()});
        let secrets = db.sdk.to_builder().http_client(constant(Some(secret))).build();
        let secrets = aws_sdk_secretsmanager::Client::new(&secrets);
        let secrets = || SecretsCache::new(secrets.clone(), "meta".to_owned());
        let user_pool = user_pool(db, Some(json!({"Username": "u", "UserAttributes": []})));
        let app = privacy_api::App {
            store: db.store.clone(),
            secrets: secrets(),
            queue: WorkQueue::new(sqs, url.to_owned()),
            exports: Exports::new(clients::s3(&Cloud::new().around(&db.sdk)), "x".to_owned()),
            export_queue: ExportQueue::new(export_sqs, url.to_owned()),
            user_pool,
            keys: DataKeys::new(nobodys_kms(db), "none".to_owned()),
            grace_days: 14,
            public_url: None,
        };
        let staff = operator_api::App {
            store: db.store.clone(),
            secrets: secrets(),
            queue: app.queue.clone(),
            export_queue: app.export_queue.clone(),
            user_pool: app.user_pool.clone(),
            keys: app.keys.clone(),
            public_url: None,
            list_time: operator_api::LIST_TIME,
        };
        Self { db, app, staff, queue }
    }

    /// Gives both functions this user pool.
    fn ask(&mut self, user_pool: UserPool) {
        self.staff.user_pool = user_pool.clone();
        self.app.user_pool = user_pool;
    }

    /// Calls a route with these claims, now.
    async fn call(&self, claims: &Value, route: &str, said: Said) -> Answer {
        let mut event = event(route, &said.query);
        if !claims.is_null() {
            event["requestContext"]["authorizer"] = json!({"jwt": {"claims": claims}});
        }
        event["pathParameters"] = said.parameters;
        if let Some(content_type) = said.content_type {
            event["headers"]["content-type"] = json!(content_type);
        }
        if let Some(key) = said.key {
            event["headers"]["idempotency-key"] = json!(key);
        }
        if let Some(version) = said.version {
            event["headers"]["if-match"] = json!(version);
        }
        event["body"] = json!(said.body);
        let (request, clock) = (request(&event), Clock::set_to(now()));
        let answer = if operator_api::routes::ROUTES.iter().any(|one| one.key == route) {
            Box::pin(operator_api::handle(&self.staff, &request, clock)).await
        } else {
            Box::pin(privacy_api::handle(&self.app, &request, clock)).await
        };
        Answer::of(&answer)
    }

    async fn delete(&self, claims: &Value, route: &str, parameters: Value) -> Answer {
        self.call(claims, route, Said { parameters, ..Said::default() }).await
    }

    async fn post(&self, claims: &Value, route: &str, body: &Value) -> Answer {
        let (content_type, body) = (Some("application/json"), Some(body.to_string()));
        self.call(claims, route, Said { content_type, body, ..Said::default() }).await
    }

    async fn look(&self, claims: &Value, route: &str, query: &str) -> Answer {
        self.call(claims, route, Said { query: query.to_owned(), ..Said::default() }).await
    }

    async fn get(&self, claims: &Value, code: &str) -> Answer {
        let parameters = json!({"code": code});
        self.call(claims, REQUEST, Said { parameters, ..Said::default() }).await
    }

    /// The requests that were queued since the last time of asking.
    fn queued(&self) -> Vec<String> {
        self.queued_as("request")
    }

    /// What was queued under this word since the last time of asking; all else is forgotten.
    fn queued_as(&self, word: &str) -> Vec<String> {
        let body = |call: crate::wire::Call| {
            let work = call.body["MessageBody"].as_str().map(str::to_owned);
            let work: Value = serde_json::from_str(&work.unwrap()).unwrap();
            work[word].as_str().map(str::to_owned)
        };
        self.queue.calls().into_iter().filter_map(body).collect()
    }

    async fn stored(&self, code: &str) -> Erasure {
        let code = RequestId::parse(code).unwrap();
        self.db.store.request(&code).await.unwrap().unwrap().request
    }

    /// What workers do with it: one shreds it, where that waited; the next finds it shredded, and
    /// one sweeps it once intake has settled. Nobody signs its receipt.
    async fn work(&self, code: &str) -> Progress {
        let code = RequestId::parse(code).unwrap();
        let eraser = self.eraser(user_pool(self.db, None));
        for run in 0..3 {
            match eraser.work(&code, now() + SETTLED * run, &|| true).await {
                Ok(Progress::More) => {}
                Err(ErasureError::Signing(_)) => break,
                ended => return ended.unwrap(),
            }
        }
        Progress::More
    }

    /// What a worker has.
    fn eraser(&self, user_pool: UserPool) -> Eraser {
        let receipts = SigningKey::new(nobodys_kms(self.db), "none".to_owned());
        let exports = Exports::new(clients::s3(&Cloud::new().around(&self.db.sdk)), "x".to_owned());
        Eraser { store: self.db.store.clone(), user_pool, receipts, exports }
    }
}

/// KMS that does not answer.
fn nobodys_kms(db: &Database) -> aws_sdk_kms::Client {
    aws_sdk_kms::Client::new(&db.sdk.to_builder().http_client(constant(None)).build())
}

/// A user pool that answers this to everything, or fails.
fn user_pool(db: &Database, answer: Option<Value>) -> UserPool {
    UserPool::new(&db.sdk.to_builder().http_client(constant(answer)).build(), "none".to_owned())
}

/// The code of a request that was accepted in this state.
fn code(answer: &Answer, state: State) -> String {
    assert_eq!(answer.status, 202, "{}", answer.text);
    let body = answer.json();
    assert_eq!(body["state"], state.as_str());
    let code = body["request"].as_str().unwrap().to_owned();
    assert_eq!(body["status_url"], format!("https://d/data-deletion/{code}").as_str());
    code
}

fn assert_problem(answer: &Answer, status: u16, kind: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.content_type, "application/problem+json");
    assert_eq!(answer.json()["type"], format!("tag:numib.app,2026:problem/{kind}").as_str());
}

/// A new member, and the claims of its access token.
async fn sign_in(db: &Database, account: &AccountId, role: Role) -> Value {
    let id = MemberId::parse(&random_id().unwrap()).unwrap();
    db.store.create_account(account, Plan::Days7).await.unwrap();
    db.store.put_member(&id, &Member { account: account.clone(), role }).await.unwrap();
    let groups = format!("[{}]", role.as_str());
    let auth_time = now().as_second().to_string();
    json!({"token_use": "access", "sub": id.as_str(), "cognito:groups": groups,
           "auth_time": auth_time})
}

async fn operator(db: &Database) -> Value {
    sign_in(db, &AccountId::parse("numib").unwrap(), Role::Operator).await
}

/// What is stored besides what is recorded of those who came.
async fn dump(db: &Database) -> BTreeSet<String> {
    let mut dump = db.dump().await;
    dump.retain(|item| !item.contains("pk=AUDIT"));
    dump
}

/// Two contacts: two messages of one, one of the other.
async fn fill(db: &Database, shop: &Shop) {
    let items = [
        shop.text("7001", ago(3000), "m_1", "one"),
        shop.text("7001", ago(2000), "m_2", "two"),
        shop.text("7002", ago(1000), "m_3", "three"),
    ];
    let counts = Intake::start(db).deliver(&shop.body(&items)).await.counts();
    assert_eq!(counts["stored"], 3, "{counts}");
}
