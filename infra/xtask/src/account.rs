//! Accounts on the local stack: connecting channels and giving them day keys.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use aws_lc_rs::rand;
use jiff::Timestamp;
use numib::domain::connection::{Connection, ConnectionState};
use numib::domain::ids::{AccountId, Channel, ConnectionId, MemberId, MetaId, RouteId};
use numib::domain::key_window;
use numib::domain::plan::Plan;
use numib::domain::role::Role;
use numib::domain::time::Day;
use numib::edge::clock;
use numib::seal::key_name::KeyName;
use numib::seal::kms::DataKeys;
use numib::seal::pseudonym::{IndexKey, Pepper};
use numib::store::Store;
use numib::store::accounts::Member;
use numib::store::routes::RouteOwner;

use crate::stack::{Login, Stack};

/// A connection and its index key.
#[derive(Debug, Clone)]
pub struct Connected {
    /// The connection, without keys.
    pub connection: Connection,
    /// The key that names its contacts and messages.
    pub index_key: IndexKey,
}

/// A new random id: 16 hexadecimal digits.
///
/// # Errors
/// When the random source fails.
pub fn random_id() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 8];
    rand::fill(&mut bytes).map_err(|_| anyhow::anyhow!("no randomness"))?;
    Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
}

/// A new random password. Its ending has every sort of character that the user pool asks for.
///
/// # Errors
/// When the random source fails.
pub fn random_password() -> anyhow::Result<String> {
    Ok(format!("{}{}Aa1!", random_id()?, random_id()?))
}

/// Makes someone a member of an account, in the user pool and in the database, and signs them in.
///
/// # Errors
/// When the member cannot be made, or cannot sign in.
pub async fn member(
    stack: &Stack,
    (account, role): (&AccountId, Role),
    (email, password): (&str, &str),
) -> anyhow::Result<Login> {
    let login = stack.login(email, role.as_str(), password)?;
    let id = MemberId::parse(&login.sub).context("the user pool's id is no id")?;
    stack.store().put_member(&id, &Member { account: account.clone(), role }).await?;
    Ok(login)
}

/// Connects a channel to an account, and dates the connection back, because the sample messages are
/// old.
///
/// # Errors
/// When the route has an active connection.
pub async fn connect(
    store: &Store,
    pepper: &Pepper,
    account: &AccountId,
    (channel, meta_id): (Channel, &MetaId),
    plan: Plan,
) -> anyhow::Result<Connected> {
    let id = ConnectionId::parse(&random_id()?).ok_or_else(|| anyhow::anyhow!("no id"))?;
    let connection = Connection {
        route: pepper.route(channel, meta_id),
        id,
        account: account.clone(),
        channel,
        plan,
        authorized_by: None,
        state: ConnectionState::Active,
        connected_at: Timestamp::UNIX_EPOCH,
        day_keys: BTreeMap::new(),
    };
    let index_key = IndexKey::generate()?;
    store.create_account(account, plan).await?;
    store.create_connection(&connection, index_key.expose()).await?;
    Ok(Connected { connection, index_key })
}

/// The channel's connection, if this account has one. If nobody has one, this makes a new one.
///
/// # Errors
/// When another account has connected the channel.
pub async fn connected(
    store: &Store,
    pepper: &Pepper,
    account: &AccountId,
    (channel, meta_id): (Channel, &MetaId),
    plan: Plan,
) -> anyhow::Result<Connected> {
    let route = pepper.route(channel, meta_id);
    match active(store, &route).await? {
        None => connect(store, pepper, account, (channel, meta_id), plan).await,
        Some(found) if found.connection.account == *account => Ok(found),
        Some(_) => anyhow::bail!("another account of this stack has that channel connected"),
    }
}

/// The active connection of a route.
///
/// # Errors
/// What the database says.
pub async fn active(store: &Store, route: &RouteId) -> anyhow::Result<Option<Connected>> {
    match store.route(route).await? {
        RouteOwner::Active(connection, key) => {
            Ok(Some(Connected { connection: *connection, index_key: IndexKey::new(&key)? }))
        }
        RouteOwner::Erased | RouteOwner::Nobody => Ok(None),
    }
}

/// Makes day keys and publishes them to intake: for today, for the days beside it (midnight may be
/// a moment away), and for these days, as far as the plan still keeps them.
///
/// # Errors
/// What KMS and the database say.
pub async fn make_keys(
    store: &Store,
    day_keys: &DataKeys,
    connection: &Connection,
    days: impl Iterator<Item = Day>,
) -> anyhow::Result<()> {
    let today = Day::of(clock::now());
    let days: BTreeSet<Day> = days.chain([today.plus(-1), today, today.plus(1)]).collect();
    let mut window = BTreeMap::new();
    for day in days.into_iter().filter(|day| connection.plan.shred_on(*day) > today) {
        let name = KeyName::Day { account: &connection.account, connection: &connection.id, day };
        let pair = day_keys.generate(name).await?;
        let owner = (&connection.account, &connection.id);
        let until = (day, connection.plan.shred_on(day));
        let key = store.put_day_key(owner, until, pair).await?;
        window.insert(day, key);
    }
    window.retain(|day, _| key_window::is_open(*day, today));
    Ok(store.publish_day_keys(connection, &window, key_window::until(today)).await?)
}
