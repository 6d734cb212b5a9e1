//! An account with connected Pages, as provisioning leaves it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use jiff::Timestamp;
use numib::domain::connection::{Connection, ConnectionState};
use numib::domain::ids::{AccountId, Channel, ConnectionId, MetaId};
use numib::domain::key_window;
use numib::domain::plan::Plan;
use numib::domain::sealed::{PublicKey, WrappedPair};
use numib::domain::time::Day;
use numib::seal::day_key::public_key_from_der;
use numib::seal::pseudonym::{IndexKey, Pepper};
use numib::store::{Store, Tables};
use p256::elliptic_curve::Generate as _;
use p256::pkcs8::EncodePublicKey as _;
use serde_json::json;

/// Signs every webhook of the run.
pub(crate) const APP_SECRET: &str = "bench-app-secret";
const PEPPER: &str = "bench-pepper-bench-pepper-bench-pepper";
/// The connected Pages.
pub(crate) const PAGES: [&str; 5] =
    ["900000000000101", "900000000000202", "900000000000303", "900000000000404", "900000000000505"];
/// Bytes of a private key as KMS wraps it. Nobody opens these.
const WRAPPED_LEN: usize = 324;

/// The secret that holds both.
pub(crate) fn secret() -> String {
    json!({"app_secrets": [APP_SECRET], "verify_tokens": ["bench"], "pepper": PEPPER}).to_string()
}

/// Creates the template's tables at this endpoint and fills them.
pub(crate) async fn seed(
    database_url: &str,
    template: &Path,
    now: Timestamp,
) -> anyhow::Result<Tables> {
    let (store, tables) = database(database_url, template).await?;
    let pepper = Pepper::new(PEPPER.as_bytes())?;
    for (number, page) in PAGES.iter().enumerate() {
        connect(&store, &connection(&pepper, number, page)?, Day::of(now)).await?;
    }
    Ok(tables)
}

/// A Page to connect.
pub(crate) fn one() -> anyhow::Result<Connection> {
    let [page, ..] = PAGES;
    connection(&Pepper::new(PEPPER.as_bytes())?, 0, page)
}

/// One of many Pages to connect.
pub(crate) fn numbered(number: usize) -> anyhow::Result<Connection> {
    connection(&Pepper::new(PEPPER.as_bytes())?, number, &format!("8{number:0>14}"))
}

/// Creates the template's tables at this endpoint.
pub(crate) async fn database(
    database_url: &str,
    template: &Path,
) -> anyhow::Result<(Store, Tables)> {
    let client = client(database_url);
    let tables = xtask::tables::create(&client, template, "bench-").await?;
    Ok((Store::new(client, tables.clone()), tables))
}

/// A client that signs and speaks plain HTTP.
pub(crate) fn client(url: &str) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("bench", "bench", None, None, "bench"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(url)
        .build();
    Client::from_conf(config)
}

fn connection(pepper: &Pepper, number: usize, page: &str) -> anyhow::Result<Connection> {
    // As long as real ids are, since they are part of every key.
    let id = |kind: &str| format!("{kind}{number:0>20}");
    Ok(Connection {
        route: pepper.route(Channel::Messenger, &MetaId::from(page.to_owned())),
        id: ConnectionId::parse(&id("c-")).context("connection id")?,
        account: AccountId::parse(&id("a-")).context("account id")?,
        channel: Channel::Messenger,
        plan: Plan::Days30,
        authorized_by: None,
        state: ConnectionState::Active,
        connected_at: Timestamp::UNIX_EPOCH,
        day_keys: BTreeMap::new(),
    })
}

/// Connects a Page, with its keys; an erased one anew.
pub(crate) async fn connect(
    store: &Store,
    connection: &Connection,
    today: Day,
) -> anyhow::Result<()> {
    store.create_account(&connection.account, connection.plan).await?;
    store.create_connection(connection, IndexKey::generate()?.expose()).await?;
    let day_keys = make_keys(store, connection, key_window::days(today)).await?;
    store.publish_day_keys(connection, &day_keys, key_window::until(today)).await?;
    Ok(())
}

/// Makes a Page's keys of these days; a day that has one keeps it.
pub(crate) async fn make_keys(
    store: &Store,
    connection: &Connection,
    days: impl Iterator<Item = Day>,
) -> anyhow::Result<BTreeMap<Day, PublicKey>> {
    let mut day_keys = BTreeMap::new();
    for day in days {
        let wrapped_key = vec![0; WRAPPED_LEN];
        let pair = WrappedPair { public_key: public_key()?, wrapped_key };
        let owner = (&connection.account, &connection.id);
        let shred_on = connection.plan.shred_on(day);
        day_keys.insert(day, store.put_day_key(owner, (day, shred_on), pair).await?);
    }
    Ok(day_keys)
}

fn public_key() -> anyhow::Result<PublicKey> {
    let key = p256::SecretKey::generate().public_key();
    let der = key.to_public_key_der().ok().context("encoding a key")?;
    Ok(public_key_from_der(der.as_bytes())?)
}
