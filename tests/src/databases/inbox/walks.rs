//! `GET /v1/conversations`, page by page, while conversations move: the rule that docs/api.md gives
//! finds them all.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Desk;
use crate::database::Database;
use crate::shop::{ago, now};

on_ministack!(
    what_moves_up_during_a_walk_is_found_by_listing_again,
    listing_again_costs_one_page_where_nothing_has_come,
);

const CONVERSATIONS: i64 = 12;
const LIMIT: usize = 3;
/// What the rule allows for: late messages, and clocks that differ.
const LATENESS: SignedDuration = SignedDuration::from_mins(10);
/// Between one page and the next. A conversation moves once a minute at most.
const PAUSE: SignedDuration = SignedDuration::from_secs(70);

/// A client that follows the rule.
struct Client<'a> {
    desk: &'a Desk<'a>,
    clock: Timestamp,
    /// The last message of each conversation that was shown, by its id.
    known: BTreeMap<String, String>,
}

impl Client<'_> {
    /// Lists from the top to the end, or to the first page without anything new since then.
    /// Something happens after each page. Returns the number of pages.
    async fn list(
        &mut self,
        since: Option<Timestamp>,
        mut after_page: impl AsyncFnMut(usize, Timestamp),
    ) -> usize {
        let mut cursor = String::new();
        for page in 1.. {
            let query = format!("limit={LIMIT}{cursor}");
            let answer = self.desk.get(self.clock, &self.desk.agent, None, &query).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            let answer = answer.json();
            let shown = answer["conversations"].as_array().unwrap();
            let old = |one: &Value| since.is_some_and(|since| self.is_old(one, since));
            let is_last = !shown.is_empty() && shown.iter().all(old);
            for one in shown {
                self.known.insert(text(&one["id"]), text(&one["last_message"]["id"]));
            }
            self.clock += PAUSE;
            after_page(page, self.clock).await;
            match answer["cursor"].as_str() {
                Some(next) if !is_last => cursor = format!("&cursor={next}"),
                _ => return page,
            }
        }
        unreachable!()
    }

    /// Whether the conversation was known as it is, and its last message is too old to have moved.
    fn is_old(&self, one: &Value, since: Timestamp) -> bool {
        let message = &one["last_message"];
        let sent_at: Timestamp = text(&message["sent_at"]).parse().unwrap();
        let known = self.known.get(one["id"].as_str().unwrap());
        known == Some(&text(&message["id"])) && sent_at < since - LATENESS
    }

    /// The contacts whose conversations were never shown.
    fn missed(&self) -> BTreeSet<i64> {
        let id = |n: &i64| self.desk.shop.conversation(&n.to_string()).to_string();
        (0..CONVERSATIONS).filter(|n| !self.known.contains_key(&id(n))).collect()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// An inbox of conversations, some minutes old and some hours, and a client that has seen none of
/// them.
async fn open<'a>(desk: &'a Desk<'a>, recent: i64) -> Client<'a> {
    let shop = &desk.shop;
    let minutes = |n: i64| if n < recent { n + 1 } else { 60 + n };
    let item =
        |n: i64| shop.text(&n.to_string(), ago(minutes(n) * 60_000), &format!("m_{n}"), "hi");
    desk.receive(shop, &(0..CONVERSATIONS).map(item).collect::<Vec<_>>()).await;
    Client { desk, clock: now(), known: BTreeMap::new() }
}

/// A contact writes once more.
async fn write(desk: &Desk<'_>, contact: i64, sent_at: Timestamp, arrives_at: Timestamp) {
    let mid = format!("m_{contact}_{sent_at}");
    let item = desk.shop.text(&contact.to_string(), sent_at, &mid, "again");
    desk.intake.deliver_at(arrives_at, &desk.shop.body(&[item])).await.counts();
}

async fn what_moves_up_during_a_walk_is_found_by_listing_again(db: &Database) {
    let desk = Desk::open(db).await;
    let mut client = open(&desk, 5).await;
    let (began, moment) = (client.clock, SignedDuration::from_secs(1));
    let meanwhile = async |page: usize, at: Timestamp| match page {
        1 => {
            write(&desk, 10, at - moment, at).await;
            // A conversation that was shown moves, too, and looks as before: its contact takes the
            // message back.
            write(&desk, 1, at, at).await;
            let unsend = desk.shop.unsend("1", at, &format!("m_1_{at}"));
            desk.intake.deliver_at(at, &desk.shop.body(&[unsend])).await.counts();
        }
        2 => {
            write(&desk, 7, at, at).await;
            write(&desk, 11, at - moment, at).await;
            // A message that was sent before the walk began, and before what the walk had shown by
            // then.
            write(&desk, 9, began - LATENESS * 3 / 5, at).await;
        }
        _ => {}
    };
    let pages = client.list(None, meanwhile).await;
    assert_eq!((pages, client.missed()), (3, BTreeSet::from([7, 9, 10, 11])));

    // While the inbox is listed again, one conversation moves once more.
    let began_again = client.clock;
    let meanwhile = async |page: usize, at: Timestamp| {
        if page == 1 {
            write(&desk, 10, at, at).await;
        }
    };
    let pages = client.list(Some(began), meanwhile).await;
    assert_eq!((pages, client.missed()), (4, BTreeSet::from([10])));

    // The walk took more than a page, so it is repeated.
    let pages = client.list(Some(began_again), async |_, _| {}).await;
    assert_eq!((pages, client.missed()), (4, BTreeSet::new()));
}

async fn listing_again_costs_one_page_where_nothing_has_come(db: &Database) {
    let desk = Desk::open(db).await;
    let mut client = open(&desk, 0).await;
    let began = client.clock;
    assert_eq!(client.list(None, async |_, _| {}).await, 4);
    assert_eq!(client.missed(), BTreeSet::new());
    assert_eq!(client.list(Some(began), async |_, _| {}).await, 1);
}
