//! A database with tables of its own for every test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use numib::edge::clients::sdk_config;
use numib::edge::config::Config;
use numib::seal::kms::DataKeys;
use numib::store::{Store, Tables};
use tokio::net::TcpListener;
use xtask::account::random_id;

use crate::in_process;
use crate::wire::Wire;

/// Runs each test on both databases, as `name::on_dynoxide` and `name::on_ministack`.
macro_rules! on_both_databases {
    ($($test:ident),+ $(,)?) => {$(
        mod $test {
            #[tokio::test]
            async fn on_dynoxide() {
                let db = $crate::database::Database::on_dynoxide().await;
                Box::pin(super::$test(&db)).await;
            }

            #[ignore = "needs MiniStack: cargo xtask test"]
            #[tokio::test]
            async fn on_ministack() {
                let db = $crate::database::Database::on_ministack().await;
                Box::pin(super::$test(&db)).await;
                db.drop_tables().await;
            }
        }
    )+};
}

/// Runs each test in this process alone: it makes more requests than MiniStack answers in good
/// time.
macro_rules! on_dynoxide {
    ($($test:ident),+ $(,)?) => {$(
        mod $test {
            #[tokio::test]
            async fn on_dynoxide() {
                let db = $crate::database::Database::on_dynoxide().await;
                Box::pin(super::$test(&db)).await;
            }
        }
    )+};
}

/// Runs each test where KMS is.
macro_rules! on_ministack {
    ($($test:ident),+ $(,)?) => {$(
        mod $test {
            #[ignore = "needs MiniStack: cargo xtask test"]
            #[tokio::test]
            async fn on_ministack() {
                let db = $crate::database::Database::on_ministack().await;
                Box::pin(super::$test(&db)).await;
                db.drop_tables().await;
            }
        }
    )+};
}

/// Fresh tables, empty, as the template describes them.
#[derive(Clone)]
pub(crate) struct Database {
    /// What the product talks through.
    pub(crate) store: Store,
    /// What goes to and fro there.
    pub(crate) wire: Wire,
    /// A way past the wire, for a test to look and to meddle.
    pub(crate) raw: Client,
    pub(crate) tables: Tables,
    pub(crate) sdk: SdkConfig,
}

impl Database {
    /// In this process, gone with the test.
    pub(crate) async fn on_dynoxide() -> Self {
        Self::on(dynoxide::Database::memory().unwrap()).await
    }

    /// On a database that the test can reach into.
    pub(crate) async fn on(dynoxide: dynoxide::Database) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(dynoxide::server::serve_on(listener, dynoxide));
        Self::at(endpoint).await
    }

    /// In this process, and asked without a socket in between: a request takes no time but its own.
    pub(crate) async fn in_process(dynoxide: dynoxide::Database) -> Self {
        let sdk = Self::sdk("http://in-process".to_owned()).into_builder();
        Self::of(sdk.http_client(in_process::client(dynoxide)).build()).await
    }

    /// On the emulator that the test command started.
    pub(crate) async fn on_ministack() -> Self {
        #[expect(clippy::disallowed_methods, reason = "set by the test command")]
        let endpoint = std::env::var("NUMIB_MINISTACK_ENDPOINT")
            .expect("NUMIB_MINISTACK_ENDPOINT says where MiniStack is; `cargo xtask test` sets it");
        Self::at(endpoint).await
    }

    async fn at(endpoint: String) -> Self {
        Self::of(Self::sdk(endpoint)).await
    }

    fn sdk(endpoint: String) -> SdkConfig {
        let config = Config {
            function: "test".to_owned(),
            region: "us-east-1".to_owned(),
            endpoint_url: Some(endpoint),
            log_level: tracing::Level::INFO,
        };
        let credentials = Credentials::new("test", "test", None, None, "test");
        sdk_config(&config)
            .into_builder()
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build()
    }

    async fn of(sdk: SdkConfig) -> Self {
        let raw = Client::new(&sdk);
        let template = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml"));
        let prefix = format!("t{}-", random_id().unwrap());
        let tables = xtask::tables::create(&raw, template, &prefix).await.unwrap();
        let wire = Wire::default();
        let store = Store::new(Client::new(&wire.tap(&sdk)), tables.clone());
        Self { store, wire, raw, tables, sdk }
    }

    /// The same database through another wire.
    pub(crate) fn through(&self, wire: &Wire) -> Self {
        let store = Store::new(Client::new(&wire.tap(&self.sdk)), self.tables.clone());
        Self { store, wire: wire.clone(), ..self.clone() }
    }

    /// KMS, through the same wire, with a key of its own.
    pub(crate) async fn day_keys(&self) -> DataKeys {
        let kms = aws_sdk_kms::Client::new(&self.wire.tap(&self.sdk));
        let key = kms.create_key().send().await.unwrap();
        DataKeys::new(kms, key.key_metadata.unwrap().arn.unwrap())
    }

    /// Removes the tables, so that other tests do not meet them. After a failure the tables stay.
    pub(crate) async fn drop_tables(&self) {
        for table in self.table_names() {
            self.raw.delete_table().table_name(table).send().await.unwrap();
        }
    }

    fn table_names(&self) -> [&str; 4] {
        let Tables { core, messages, keys, ledger } = &self.tables;
        [core, messages, keys, ledger]
    }

    /// Every item of every table, as text that compares and can be searched.
    pub(crate) async fn dump(&self) -> BTreeSet<String> {
        let mut items = BTreeSet::new();
        for table in self.table_names() {
            items.extend(self.dump_table(table).await);
        }
        items
    }

    /// Every item of one table.
    pub(crate) async fn dump_table(&self, table: &str) -> BTreeSet<String> {
        let items = self.items(table).await.into_iter();
        items.map(|item| text(&AttributeValue::M(item))).collect()
    }

    /// Every item of every table, by where it is, as text that compares.
    pub(crate) async fn by_place(&self) -> BTreeMap<Place, String> {
        let mut items = BTreeMap::new();
        for (table, name) in ["core", "messages", "keys", "ledger"].iter().zip(self.table_names()) {
            for item in self.items(name).await {
                let key = |name: &str| item[name].as_s().unwrap().clone();
                let place = Place { table: (*table).to_owned(), pk: key("pk"), sk: key("sk") };
                items.insert(place, text(&AttributeValue::M(item)));
            }
        }
        items
    }

    /// Removes what has expired at a time, as the database itself does where it may.
    pub(crate) async fn time_to_live(&self, at: Timestamp) {
        for table in [&self.tables.core, &self.tables.messages] {
            for mut item in self.items(table).await {
                let expires_at = item.get("expires_at").and_then(|value| value.as_n().ok());
                let expires_at = expires_at.map(|seconds| seconds.parse::<i64>().unwrap());
                if expires_at.is_some_and(|seconds| seconds <= at.as_second()) {
                    item.retain(|name, _| ["pk", "sk"].contains(&name.as_str()));
                    let delete = self.raw.delete_item().table_name(table).set_key(Some(item));
                    delete.send().await.unwrap();
                }
            }
        }
    }

    /// All that is stored, to be put back.
    pub(crate) async fn snapshot(&self) -> Snapshot {
        let mut items = Vec::new();
        for table in self.table_names() {
            items.extend(self.items(table).await.into_iter().map(|item| (table.to_owned(), item)));
        }
        Snapshot(items)
    }

    /// Puts back what the database held then, and removes everything else.
    pub(crate) async fn restore(&self, Snapshot(items): &Snapshot) {
        for table in self.table_names() {
            for mut item in self.items(table).await {
                item.retain(|name, _| ["pk", "sk"].contains(&name.as_str()));
                let delete = self.raw.delete_item().table_name(table).set_key(Some(item));
                delete.send().await.unwrap();
            }
        }
        for (table, item) in items {
            let put = self.raw.put_item().table_name(table).set_item(Some(item.clone()));
            put.send().await.unwrap();
        }
    }

    async fn items(&self, table: &str) -> Vec<Item> {
        let pages = self.raw.scan().table_name(table).consistent_read(true);
        let items: Result<Vec<_>, _> = pages.into_paginator().items().send().collect().await;
        items.unwrap()
    }
}

#[expect(clippy::disallowed_types, reason = "the SDK's own type")]
type Item = std::collections::HashMap<String, AttributeValue>;

/// Where an item is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Its table: `core`, `messages`, `keys` or `ledger`.
    pub(crate) table: String,
    pub(crate) pk: String,
    pub(crate) sk: String,
}

/// What tables held at some time.
pub(crate) struct Snapshot(Vec<(String, Item)>);

/// Attributes by name, and bytes as the text in them, so that a search would find it.
fn text(value: &AttributeValue) -> String {
    if let Ok(text) = value.as_s().or_else(|_| value.as_n()) {
        return text.clone();
    }
    if let Ok(bytes) = value.as_b() {
        return bytes.as_ref().escape_ascii().to_string();
    }
    let Ok(entries) = value.as_m() else { return format!("{value:?}") };
    let entries: BTreeSet<_> =
        entries.iter().map(|(name, value)| format!("{name}={}", text(value))).collect();
    entries.into_iter().collect::<Vec<_>>().join(" ")
}
