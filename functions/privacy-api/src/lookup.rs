//! What an account looks at: its channels, its requests, what its members did.

use std::collections::BTreeSet;

use lambda_http::RequestExt as _;
use numib::api::described::Described;
use numib::api::done::Done;
use numib::api::page;
use numib::concurrent::try_all;
use numib::domain::audit::{Link, Subject};
use numib::domain::connection::Connection;
use numib::domain::erasure::Request as Erasure;
use numib::domain::ids::{AccountId, RequestId};
use numib::domain::role::Role;
use numib::domain::time::Day;
use numib::edge::problem::Problem;
use numib::store::requests::places::RequestPlace;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::app::{Call, Route};
use crate::requests::{Followed, status_page};
use crate::who::{ADMINS, DECIDERS, FOLLOWERS};

/// Requests that are read at once.
const AT_ONCE: usize = 16;

const NO_ACCOUNT: Problem =
    Problem::field("account_id", "Please name the account whose requests to list: `account_id`.");
const NOT_YOURS: Problem = Problem::field(
    "account_id",
    "Please leave `account_id` out: it is for operators, and your account is known.",
);
const BAD_DAY: Problem = Problem::field("day", "`day` must be a date in UTC, such as 2026-12-01.");

/// The channels of an account.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Connections")]
struct Channels {
    connections: Vec<ShownConnection>,
}

/// A connected channel.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Connection")]
struct ShownConnection {
    id: String,
    /// `messenger` or `instagram`.
    channel: &'static str,
    /// `active`; or `erased`, while its rows are being deleted.
    state: &'static str,
    /// RFC 3339, UTC.
    connected_at: String,
    /// How many days its messages are kept.
    plan_days: u16,
}

pub(crate) static CONNECTIONS: Route = Route {
    key: "GET /v1/connections",
    name: "listConnections",
    summary: "The account's channels",
    who: ADMINS,
    action: None,
    describe: |of| Described::gives::<Channels>(of, 200, "The channels."),
    handler: |call| Box::pin(connections(call)),
};

/// Lists the channels, the latest first.
async fn connections(call: &Call<'_>) -> Result<Done, Problem> {
    let store = &call.app.store;
    let routes: BTreeSet<_> =
        store.account_connections(call.account()).await?.into_iter().collect();
    let sight = store.look_again(&routes, &BTreeSet::new()).await?;
    // A route may be another account's by now.
    let own = sight.connections.into_values().filter(|one| one.account == *call.account());
    let mut connections: Vec<Connection> = own.collect();
    connections.sort_by_key(|one| std::cmp::Reverse(one.connected_at));
    let channel = |one: Connection| ShownConnection {
        id: one.id.to_string(),
        channel: one.channel.as_str(),
        state: one.state.as_str(),
        connected_at: one.connected_at.to_string(),
        plan_days: one.plan.days(),
    };
    let body = Channels { connections: connections.into_iter().map(channel).collect() };
    Ok(Done::ok(&body))
}

/// A page of requests, the latest first.
#[derive(Debug, Serialize, JsonSchema)]
struct Requests {
    requests: Vec<Followed>,
    /// Where the next page starts; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

pub(crate) static REQUESTS: Route = Route {
    key: "GET /v1/requests",
    name: "listRequests",
    summary: "The requests about an account",
    who: FOLLOWERS,
    action: None,
    describe: |of| {
        let account = json!({"type": "string", "description": "For operators only."});
        page::describe::<Requests>(of).asks("account_id", false, &account)
    },
    handler: |call| Box::pin(requests(call)),
};

/// Lists requests about an account: for operators, of the one that they name.
//= R5.8
async fn requests(call: &Call<'_>) -> Result<Done, Problem> {
    let account = whose(call)?;
    let after = page::cursor(call.request, read_place)?;
    let store = &call.app.store;
    let limit = page::limit(call.request)?;
    let (places, more) = store.account_requests(&account, after.as_ref(), limit).await?;
    let cursor = places.last().filter(|_| more).map(write_place);
    let found = places.iter().map(|place| store.request(&place.request));
    let found = try_all(found, AT_ONCE).await?;
    let found = found.into_iter().flatten().map(|stored| stored.request);
    // It may have come to be about several accounts while it waited.
    let own = found.filter(|found| found.is_of(&account));
    let followed = |one: Erasure| Followed::new(&one, status_page(call, &one.id));
    let body = Requests { requests: own.map(followed).collect(), cursor };
    Ok(Done::ok(&body))
}

fn whose(call: &Call<'_>) -> Result<AccountId, Problem> {
    let query = call.request.query_string_parameters();
    match (call.member.role, query.first("account_id")) {
        (Role::Operator, Some(id)) => AccountId::parse(id).ok_or(NO_ACCOUNT),
        (Role::Operator, None) => Err(NO_ACCOUNT),
        (Role::Owner | Role::Admin | Role::Agent | Role::Privacy, None) => {
            Ok(call.account().clone())
        }
        (Role::Owner | Role::Admin | Role::Agent | Role::Privacy, Some(_)) => Err(NOT_YOURS),
    }
}

fn write_place(place: &RequestPlace) -> String {
    format!("{}.{}", place.asked_at.as_millisecond(), place.request)
}

fn read_place(cursor: &str) -> Option<RequestPlace> {
    let (at, request) = cursor.split_once('.')?;
    let asked_at = jiff::Timestamp::from_millisecond(at.parse().ok()?).ok()?;
    Some(RequestPlace { asked_at, request: RequestId::parse(request)? })
}

/// A page of a day's events, the earliest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditEvents")]
struct Events {
    events: Vec<Event>,
    /// Where the next page starts; absent at the end of the day.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// Something that someone did, or tried to do.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditEvent")]
struct Event {
    id: String,
    /// RFC 3339, UTC.
    at: String,
    /// `member` and an id, `meta`, or `schedule`.
    actor: String,
    action: &'static str,
    /// `done`, `refused` or `failed`.
    outcome: &'static str,
    /// What it was about: words and ids of ours.
    subjects: Vec<String>,
    /// A pseudonym of the IP address: the same address has the same.
    address: Option<String>,
    /// A pseudonym of the user agent.
    user_agent: Option<String>,
}

pub(crate) static EVENTS: Route = Route {
    key: "GET /v1/audit-events",
    name: "listAuditEvents",
    summary: "What was done in the account on a day, and by whom",
    who: DECIDERS,
    action: None,
    describe: |of| {
        let day = json!({"type": "string", "format": "date"});
        page::describe::<Events>(of).asks("day", false, &day)
    },
    handler: |call| Box::pin(events(call)),
};

/// Lists the events of a day; without a day, today's.
//= R1.3
async fn events(call: &Call<'_>) -> Result<Done, Problem> {
    let query = call.request.query_string_parameters();
    let day = match query.first("day") {
        Some(text) => Day::parse(text).ok_or(BAD_DAY)?,
        None => Day::of(call.now),
    };
    let from = page::cursor(call.request, |text| text.parse().ok())?.unwrap_or_default();
    let limit = page::limit(call.request)?;
    let (links, more) = call.app.store.audit_day(call.account(), (day, from), limit).await?;
    let next = links.last().map(|link| link.number.saturating_add(1).to_string());
    let cursor = next.filter(|_| more);
    let body = Events { events: links.into_iter().map(event).collect(), cursor };
    Ok(Done::ok(&body))
}

fn event(link: Link) -> Event {
    let event = link.event;
    let subject = |subject: &Subject| subject.as_str().to_owned();
    Event {
        id: event.id.to_string(),
        at: event.at.to_string(),
        actor: event.actor.to_string(),
        action: event.action.as_str(),
        outcome: event.outcome.as_str(),
        subjects: event.subjects.iter().map(subject).collect(),
        address: event.address.map(|id| id.to_string()),
        user_agent: event.user_agent.map(|id| id.to_string()),
    }
}
