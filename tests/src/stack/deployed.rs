//! The stack under test, and accounts of its own for every test.

use std::path::Path;
use std::time::Duration;

use numib::domain::connection::Connection;
use numib::domain::ids::{AccountId, Channel, MetaId};
use numib::domain::plan::Plan;
use numib::domain::role::Role;
use numib::domain::time::Day;
use numib::edge::clock;
use numib::meta::webhook;
use numib::seal::kms::DataKeys;
use numib::seal::pseudonym::Pepper;
use numib::store::Store;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use xtask::account::{self, Connected};
use xtask::meta::{self, Answer};
use xtask::python;
use xtask::stack::{Login, Stack};
use xtask::up::{APP_SECRETS, VERIFY_TOKENS};

/// What every test starts from.
pub(crate) struct Deployed {
    pub(crate) stack: Stack,
    pub(crate) store: Store,
    pub(crate) pepper: Pepper,
    pub(crate) makes_keys: DataKeys,
}

/// The stack, with Meta's secrets in place before any function has read them.
pub(crate) async fn deployed() -> Deployed {
    static STACK: OnceCell<(Stack, Pepper)> = OnceCell::const_new();
    let deployed = STACK.get_or_init(async || {
        #[expect(clippy::disallowed_methods, reason = "set by the test command")]
        let file = std::env::var("NUMIB_STACK").expect("run these with `cargo xtask test`");
        let venv = python::emulator_venv().unwrap();
        let stack = Stack::read(&venv, Path::new(&file)).unwrap();
        let secrets = stack.put_meta_secrets(&APP_SECRETS, &VERIFY_TOKENS).await.unwrap();
        (stack, secrets.pepper)
    });
    // Clients belong to the runtime of their test, so each test has its own.
    let (stack, pepper) = deployed.await.clone();
    let role = stack.assume(&stack.deployed.outputs.retention_role).unwrap();
    Deployed { store: stack.store(), makes_keys: stack.day_keys_of(&role), pepper, stack }
}

/// An account with one connected channel.
pub(crate) struct Account {
    pub(crate) id: AccountId,
    pub(crate) channel: Channel,
    pub(crate) meta_id: String,
    pub(crate) connection: Connection,
}

impl Deployed {
    /// A new account with a Page, or an Instagram account, that has keys for today and `days`.
    pub(crate) async fn account(&self, channel: Channel, plan: Plan, days: &[Day]) -> Account {
        let id = AccountId::parse(&account::random_id().unwrap()).unwrap();
        self.connect(id, channel, plan, days).await
    }

    /// One more channel for an account.
    pub(crate) async fn connect(
        &self,
        id: AccountId,
        channel: Channel,
        plan: Plan,
        days: &[Day],
    ) -> Account {
        let meta_id = digits();
        let name = (channel, &MetaId::from(meta_id.clone()));
        let connected = account::connect(&self.store, &self.pepper, &id, name, plan).await.unwrap();
        let Connected { connection, .. } = connected;
        let days = days.iter().copied();
        account::make_keys(&self.store, &self.makes_keys, &connection, days).await.unwrap();
        Account { id, channel, meta_id, connection }
    }

    /// A member of the account in the database and in the user pool.
    pub(crate) async fn member(&self, account: &AccountId, role: Role) -> Login {
        let email = format!("{}@test.example", account::random_id().unwrap());
        let password = account::random_password().unwrap();
        account::member(&self.stack, (account, role), (&email, &password)).await.unwrap()
    }

    /// Follows a request until workers have ended it.
    pub(crate) async fn followed(&self, login: &Login, code: &str) -> Value {
        for _ in 0..120 {
            let answer = self.get(&format!("/v1/requests/{code}"), login);
            assert_eq!(answer.status, 200, "{}", answer.body);
            if answer.json()["state"] == "completed" {
                return answer.json();
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("not completed within a minute");
    }

    /// Delivers a signed webhook, and expects it to be taken in; returns the counts.
    pub(crate) fn deliver(&self, account: &Account, items: &[Value]) -> Value {
        let answer = self.try_deliver(account, items);
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    pub(crate) fn try_deliver(&self, account: &Account, items: &[Value]) -> Answer {
        let body = account.body(items);
        meta::deliver(&self.stack.deployed, APP_SECRETS[0], body.as_bytes()).unwrap()
    }

    /// Sends a request to the API as a member, with a body of this type, if any.
    pub(crate) fn send(&self, what: (&str, &str), login: &Login, body: (&str, &str)) -> Answer {
        meta::send(&self.stack.deployed, what, &login.access_token, body).unwrap()
    }

    /// Reads the API as a member.
    pub(crate) fn get(&self, path: &str, login: &Login) -> Answer {
        meta::get(&self.stack.deployed, path, Some(&login.access_token)).unwrap()
    }
}

impl Account {
    /// A webhook body about this account.
    pub(crate) fn body(&self, items: &[Value]) -> String {
        let object = webhook::object_of(self.channel);
        let time = clock::now().as_millisecond();
        let entry = json!({"id": self.meta_id, "time": time, "messaging": items});
        json!({"object": object, "entry": [entry]}).to_string()
    }

    /// An item from a contact.
    pub(crate) fn from(&self, contact: &str, at: i64, field: &str, value: &Value) -> Value {
        json!({"sender": {"id": contact}, "recipient": {"id": self.meta_id},
               "timestamp": at, field: value})
    }

    /// A text message from a contact.
    pub(crate) fn text(&self, contact: &str, at: i64, mid: &str, text: &str) -> Value {
        self.from(contact, at, "message", &json!({"mid": mid, "text": text}))
    }
}

/// Milliseconds of now.
pub(crate) fn now_ms() -> i64 {
    clock::now().as_millisecond()
}

/// Digits that nobody else has: a Meta id.
pub(crate) fn digits() -> String {
    let number = u64::from_str_radix(&account::random_id().unwrap(), 16).unwrap();
    format!("{:016}", number % 10_u64.pow(16))
}
