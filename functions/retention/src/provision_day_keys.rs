//! Makes day keys a week ahead for every active connection.
//!
//! An index finds the connections that are due, those with the fewest days left first. A run
//! finishes a connection before it begins the next, so wherever it stops, the next run goes on. A
//! connection that fails is counted and left to the next run. A day that has a key keeps it, so
//! runs may overlap.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use numib::domain::connection::{Connection, ConnectionState};
use numib::domain::ids::RouteId;
use numib::domain::key_window;
use numib::domain::sealed::PublicKey;
use numib::domain::time::Day;
use numib::edge::telemetry::{Metrics, Unit};
use numib::seal::key_name::KeyName;
use numib::seal::kms::KmsError;
use numib::store::StoreError;
use numib::store::connections::PROVISION_SHARDS;
use serde::Serialize;

use crate::{App, HasTime};

/// The pause before each key. At most 40 keys a second are made: KMS's quota for P-256 pairs is
/// higher, and readers do not share it.
const PACE: Duration = Duration::from_millis(25);
/// Connections taken from the index at once.
const BATCH: i32 = 50;

/// What a run did.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Run {
    pub(crate) connections_done: u64,
    pub(crate) connections_failed: u64,
    pub(crate) keys_made: u64,
    /// For how many days after today every connection has a key; `None` without connections.
    pub(crate) horizon_days: Option<i64>,
    /// Whether nothing is left to do.
    pub(crate) complete: bool,
}

#[derive(Debug, thiserror::Error)]
enum ProvisionError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Kms(#[from] KmsError),
}

/// Provisions until every connection is served or time runs out.
pub(crate) async fn run(
    app: &App,
    now: Timestamp,
    has_time: HasTime<'_>,
) -> Result<Run, StoreError> {
    let today = Day::of(now);
    let run = Run { complete: true, ..Run::default() };
    let mut provisioning = Provisioning { app, today, has_time, run };
    for shard in 0..PROVISION_SHARDS {
        if !provisioning.serve_shard(shard).await? {
            provisioning.run.complete = false;
            break;
        }
    }
    let mut run = provisioning.run;
    run.complete &= run.connections_failed == 0;
    run.horizon_days = horizon(app, today).await?;
    report(&run, now);
    Ok(run)
}

/// One run.
struct Provisioning<'a> {
    app: &'a App,
    today: Day,
    has_time: HasTime<'a>,
    run: Run,
}

impl Provisioning<'_> {
    /// Serves the connections of a shard. False if time ran out or KMS throttles: then the next run
    /// goes on.
    async fn serve_shard(&mut self, shard: u8) -> Result<bool, StoreError> {
        let until = key_window::until(self.today);
        let mut after = None;
        loop {
            let (routes, next) = self.app.store.routes_due(shard, until, BATCH, after).await?;
            for route in &routes {
                if !(self.has_time)() {
                    return Ok(false);
                }
                match self.serve(route).await {
                    Ok(served) => {
                        let done = self.run.connections_done.saturating_add(served.into());
                        self.run.connections_done = done;
                    }
                    Err(ProvisionError::Kms(KmsError::Throttled)) => return Ok(false),
                    Err(error) => {
                        let failed = self.run.connections_failed.saturating_add(1);
                        self.run.connections_failed = failed;
                        tracing::error!(route = %route, error = %error, "not provisioned");
                    }
                }
            }
            after = next;
            if after.is_none() {
                return Ok(true);
            }
        }
    }

    /// Gives the route's connection a key for every day of the window, and publishes the keys to
    /// intake. False if no active connection is there.
    async fn serve(&mut self, route: &RouteId) -> Result<bool, ProvisionError> {
        let store = &self.app.store;
        let Some(connection) = store.connection(route, true).await? else { return Ok(false) };
        if connection.state != ConnectionState::Active {
            return Ok(false);
        }
        let mut window: BTreeMap<Day, PublicKey> = BTreeMap::new();
        for day in key_window::days(self.today) {
            let known = match connection.day_keys.get(&day) {
                Some(key) => Some(key.clone()),
                None => store.public_day_key(&connection.id, day).await?,
            };
            let key = if let Some(key) = known {
                key
            } else {
                self.run.keys_made = self.run.keys_made.saturating_add(1);
                make(self.app, &connection, day).await?
            };
            window.insert(day, key);
        }
        let until = key_window::until(self.today);
        match store.publish_day_keys(&connection, &window, until).await {
            // The connection was erased or replaced meanwhile. A new one gets keys by the next run.
            Err(StoreError::Conflict) => Ok(false),
            published => Ok(published.map(|()| true)?),
        }
    }
}

async fn make(app: &App, connection: &Connection, day: Day) -> Result<PublicKey, ProvisionError> {
    tokio::time::sleep(PACE).await;
    let name = KeyName::Day { account: &connection.account, connection: &connection.id, day };
    let pair = app.day_keys.generate(name).await?;
    let owner = (&connection.account, &connection.id);
    let days = (day, connection.plan.shred_on(day));
    Ok(app.store.put_day_key(owner, days, pair).await?)
}

/// For how many days the worst-served connection has keys. Below 3, an alarm rings.
async fn horizon(app: &App, today: Day) -> Result<Option<i64>, StoreError> {
    let mut shortest: Option<Day> = None;
    for shard in 0..PROVISION_SHARDS {
        let of_shard = app.store.shortest_keys(shard).await?;
        shortest = shortest.into_iter().chain(of_shard).min();
    }
    // A connection without any key counts as one day behind.
    Ok(shortest.map(|day| day.days_since(today).max(-1)))
}

fn report(done: &Run, now: Timestamp) {
    tracing::info!(
        connections_done = done.connections_done,
        connections_failed = done.connections_failed,
        keys_made = done.keys_made,
        horizon_days = done.horizon_days,
        complete = done.complete,
        "day keys provisioned"
    );
    let mut metrics = Metrics::new(now);
    metrics.add("KeysProvisioned", Unit::Count, done.keys_made);
    metrics.add("ConnectionsProvisioned", Unit::Count, done.connections_done);
    metrics.add("ProvisioningFailures", Unit::Count, done.connections_failed);
    // Without connections no key is missing, so the horizon is the full window.
    let full = i64::from(key_window::DAYS_AHEAD);
    metrics.add("KeyHorizonDays", Unit::None, done.horizon_days.unwrap_or(full));
    metrics.emit();
}
