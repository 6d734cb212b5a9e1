//! The inbox function as API Gateway calls it: what members see, and what nobody sees.

mod access;
mod conversations;
mod messages;
mod vanished;
mod walks;

use jiff::Timestamp;
use numib::domain::ids::{AccountId, Channel, MemberId};
use numib::domain::plan::Plan;
use numib::domain::role::Role;
use numib::domain::time::Day;
use numib::edge::clock::Clock;
use numib::seal::kms::DataKeys;
use numib::store::accounts::Member;
use serde_json::{Value, json};
use xtask::account::random_id;

use crate::database::Database;
use crate::shop::{Shop, now};
use crate::webhook::{Answer, Intake, event, request};

/// An account with a Page, an agent, and the functions that serve it.
pub(crate) struct Desk<'a> {
    db: &'a Database,
    pub(crate) day_keys: DataKeys,
    pub(crate) intake: Intake,
    app: inbox_api::App,
    pub(crate) shop: Shop,
    pub(crate) agent: Value,
}

impl<'a> Desk<'a> {
    async fn open(db: &'a Database) -> Self {
        Self::open_with(db, Plan::Days30, days()).await
    }

    /// On this plan, with keys for these days.
    pub(crate) async fn open_with(
        db: &'a Database,
        plan: Plan,
        days: impl Iterator<Item = Day>,
    ) -> Self {
        let day_keys = db.day_keys().await;
        let shop = Shop::without_keys(db, Channel::Messenger, plan).await;
        shop.make_wrapped_keys(db, &day_keys, days).await;
        let agent = sign_in(db, &shop.connection.account, Role::Agent).await;
        let app = inbox_api::App { store: db.store.clone(), day_keys: day_keys.clone() };
        Self { db, day_keys, intake: Intake::start(db), app, shop, agent }
    }

    /// One more channel of the same account.
    async fn connect_also(&self, channel: Channel) -> Shop {
        let shop = self.shop.connect_also(self.db, channel).await;
        shop.make_wrapped_keys(self.db, &self.day_keys, days()).await;
        shop
    }

    async fn receive(&self, shop: &Shop, items: &[Value]) {
        self.intake.deliver(&shop.body(items)).await.counts();
    }

    /// Reads a list as its agent, now.
    async fn conversations(&self, query: &str) -> Value {
        let answer = self.get(now(), &self.agent, None, query).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    /// Reads a conversation as its agent, now.
    async fn messages(&self, contact: &str, query: &str) -> Value {
        let id = self.shop.conversation(contact).to_string();
        let answer = self.get(now(), &self.agent, Some(&id), query).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    /// Calls the function with these claims, for a conversation or the list of them.
    pub(crate) async fn get(
        &self,
        at: Timestamp,
        claims: &Value,
        conversation: Option<&str>,
        query: &str,
    ) -> Answer {
        let route = match conversation {
            Some(_) => "GET /v1/conversations/{id}/messages",
            None => "GET /v1/conversations",
        };
        let mut event = event(route, query);
        event["rawPath"] = json!("/v1");
        event["requestContext"]["http"]["path"] = json!("/v1");
        if !claims.is_null() {
            event["requestContext"]["authorizer"] = json!({"jwt": {"claims": claims}});
        }
        if let Some(id) = conversation {
            event["pathParameters"] = json!({"id": id});
        }
        Answer::of(
            &Box::pin(inbox_api::handle(&self.app, &request(&event), Clock::set_to(at))).await,
        )
    }
}

fn days() -> impl Iterator<Item = Day> {
    let today = Day::of(now());
    [today.plus(-1), today].into_iter()
}

/// A new member, and the claims of its access token.
async fn sign_in(db: &Database, account: &AccountId, role: Role) -> Value {
    let id = MemberId::parse(&random_id().unwrap()).unwrap();
    db.store.create_account(account, Plan::Days7).await.unwrap();
    db.store.put_member(&id, &Member { account: account.clone(), role }).await.unwrap();
    let groups = format!("[{}]", role.as_str());
    json!({"token_use": "access", "sub": id.as_str(), "cognito:groups": groups})
}

/// The shown texts of a page of messages, or the previews of a page of conversations.
fn texts(page: &Value) -> Vec<&str> {
    let (list, text) = match page["messages"].as_array() {
        Some(list) => (list, "/text"),
        None => (page["conversations"].as_array().unwrap(), "/last_message/text"),
    };
    list.iter().map(|one| one.pointer(text).and_then(Value::as_str).unwrap()).collect()
}
