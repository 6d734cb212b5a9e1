//! How late time to live is, from the records of a stream that a database wrote. It is dynoxide's:
//! MiniStack removes what has expired without a word in the stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::types::{StreamSpecification, StreamViewType, TimeToLiveSpecification};
use dynoxide::actions::{describe_stream, get_records, get_shard_iterator, list_streams};
use dynoxide::storage_backend::Clock;
use jiff::{SignedDuration, Timestamp};
use numib::domain::ids::{ConversationId, MessageId};
use numib::domain::sealed::Sealed;
use numib::domain::tally::{Peak, Tallies, Tally};
use numib::domain::time::Day;
use numib::edge::clock;
use numib::edge::queue::WorkQueue;
use numib::seal::kms::DataKeys;
use numib::store::messages::{MessageKey, NewMessage};
use numib::store::pace::Pace;
use retention::{Event, handle};
use serde_json::{Value, json};

use crate::database::Database;
use crate::retention::app;
use crate::shop::now;

/// The database's own clock, that the test sets.
#[derive(Clone)]
struct Hands(Arc<AtomicI64>);

impl Hands {
    fn set(&self, at: Timestamp) {
        self.0.store(at.as_second(), Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn now_unix_secs(&self) -> u64 {
        self.0.load(Ordering::SeqCst).try_into().unwrap()
    }

    fn now_unix_secs_f64(&self) -> f64 {
        u32::try_from(self.now_unix_secs()).unwrap().into()
    }
}

struct Watched {
    db: Database,
    dynoxide: dynoxide::Database,
    clock: Hands,
}

impl Watched {
    /// A database whose table of messages has what the template gives it, here at the test's hour.
    async fn start() -> Self {
        let clock = Hands(Arc::new(AtomicI64::new(now().as_second())));
        let dynoxide = dynoxide::Database::memory_with_clock(Arc::new(clock.clone())).unwrap();
        let db = Database::on(dynoxide.clone()).await;
        let stream = StreamSpecification::builder()
            .stream_enabled(true)
            .stream_view_type(StreamViewType::OldImage);
        let table = db.raw.update_table().table_name(&db.tables.messages);
        table.stream_specification(stream.build().unwrap()).send().await.unwrap();
        let expiry =
            TimeToLiveSpecification::builder().attribute_name("expires_at").enabled(true).build();
        let table = db.raw.update_time_to_live().table_name(&db.tables.messages);
        table.time_to_live_specification(expiry.unwrap()).send().await.unwrap();
        Self { db, dynoxide, clock }
    }

    async fn put(&self, name: &str, expires_at: Timestamp) {
        let sealed = Sealed { day: Day::of(now()), bytes: b"sealed".to_vec() };
        let message = NewMessage { sent_at: now(), sealed, expires_at };
        self.db.store.put_message(&key(name), message, None).await.unwrap();
    }

    /// Everything in the stream, as Lambda delivers it.
    fn records(&self) -> Value {
        let streams = self.dynoxide.list_streams(list_streams::ListStreamsRequest::default());
        let stream_arn = streams.unwrap().streams[0].stream_arn.clone();
        let described = self.dynoxide.describe_stream(describe_stream::DescribeStreamRequest {
            stream_arn: stream_arn.clone(),
            ..Default::default()
        });
        let shard_id = described.unwrap().stream_description.shards[0].shard_id.clone();
        let from = get_shard_iterator::GetShardIteratorRequest {
            stream_arn,
            shard_id,
            shard_iterator_type: "TRIM_HORIZON".to_owned(),
            sequence_number: None,
        };
        let from = self.dynoxide.get_shard_iterator(from).unwrap().shard_iterator.unwrap();
        let request = get_records::GetRecordsRequest { shard_iterator: from, limit: None };
        json!({ "Records": self.dynoxide.get_records(request).unwrap().records })
    }

    /// Of each day, how many rows were removed, and how late one was at most.
    async fn tallied(&self) -> Vec<(u64, Option<u64>)> {
        let (first, last) = (Day::of(Timestamp::UNIX_EPOCH), Day::of(Timestamp::MAX));
        let days = self.db.store.tallies(first, last).await.unwrap();
        let of_day = |day: &Tallies| (day.sum(Tally::RowsRemoved), day.peak(Peak::RowsSeconds));
        days.values().map(of_day).collect()
    }

    /// What the function makes of them.
    async fn measured(&self, records: Value) -> Value {
        let event: Event = serde_json::from_value(records).unwrap();
        let queue = WorkQueue::new(aws_sdk_sqs::Client::new(&self.db.sdk), String::new());
        let day_keys = DataKeys::new(aws_sdk_kms::Client::new(&self.db.sdk), String::new());
        let app = app(&self.db, day_keys, queue);
        let invoked = clock::Clock { lasts: Duration::ZERO, ..clock::Clock::start() };
        handle(&app, event, invoked).await.unwrap()
    }
}

fn key(name: &str) -> MessageKey {
    let conversation = ConversationId::parse("connection.contact").unwrap();
    MessageKey { conversation, message: MessageId::parse(name).unwrap() }
}

//= R6.2
#[tokio::test]
async fn rows_that_time_to_live_removed_are_counted_with_how_late_it_was() {
    let watched = Watched::start().await;
    let expiry = now() + SignedDuration::from_hours(1);
    watched.put("m_1", expiry).await;
    watched.put("m_2", expiry + SignedDuration::from_hours(30)).await;
    watched.put("m_3", expiry + SignedDuration::from_hours(500)).await;
    watched.clock.set(expiry + SignedDuration::from_hours(73));
    assert_eq!(watched.dynoxide.sweep_ttl().unwrap(), 2);
    let records = watched.records();
    assert_eq!(records["Records"].as_array().unwrap().len(), 5, "three writes, two removals");
    let expected = json!({"task": "time-to-live", "removed": 2,
                          "seconds_late_max": 73 * 3600, "unreadable": 0});
    assert_eq!(watched.measured(records).await, expected);
    assert_eq!(watched.tallied().await, [(2, Some(73 * 3600))]);
}

//= R6.2
#[tokio::test]
async fn rows_that_an_erasure_removed_are_not_counted() {
    let watched = Watched::start().await;
    let expired = now() - SignedDuration::from_hours(1);
    watched.put("m_1", expired).await;
    watched.put("m_2", now() + SignedDuration::from_hours(1)).await;
    watched.db.store.delete_rows(&[key("m_1"), key("m_2")], &mut Pace::default()).await.unwrap();
    let records = watched.records();
    let removals = records["Records"].as_array().unwrap().iter();
    assert_eq!(removals.filter(|record| record["eventName"] == "REMOVE").count(), 2);
    let nothing = json!({"task": "time-to-live", "removed": 0,
                         "seconds_late_max": null, "unreadable": 0});
    assert_eq!(watched.measured(records).await, nothing);
    assert_eq!(watched.tallied().await, []);
}

#[tokio::test]
async fn a_malformed_record_costs_the_others_nothing() {
    let watched = Watched::start().await;
    watched.put("m_1", now()).await;
    watched.clock.set(now() + SignedDuration::from_secs(90));
    watched.dynoxide.sweep_ttl().unwrap();
    let mut records = watched.records();
    let all = records["Records"].as_array_mut().unwrap();
    let mut blank = all[1].clone();
    blank["dynamodb"].as_object_mut().unwrap().remove("OldImage");
    all.splice(0..0, [Value::Null, json!({"eventName": "REMOVE"}), blank]);
    let expected = json!({"task": "time-to-live", "removed": 1,
                          "seconds_late_max": 90, "unreadable": 2});
    assert_eq!(watched.measured(records).await, expected);
}
