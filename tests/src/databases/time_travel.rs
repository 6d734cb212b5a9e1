//! The functions at other times: what lives to the second, what is late from the second on, in
//! leap years, short months and whatever holidays there are.

use jiff::{SignedDuration, Timestamp};
use numib::domain::account::erased_at;
use numib::domain::erasure::{Source, Target};
use numib::domain::plan::Plan;
use numib::domain::time::Day;
use numib::erasure::{self, Asked};
use retention::handle;
use serde_json::Value;

use crate::database::Database;
use crate::inbox::Desk;
use crate::retention::{app, clock_for, event, queue};
use crate::shop::Shop;

on_ministack!(
    a_message_is_shown_to_the_last_second_of_its_plan_and_its_key_is_gone_within_a_day,
    a_request_is_at_risk_and_late_from_the_second_its_day_begins,
    an_account_ends_within_thirty_business_days_however_long_its_grace,
);

const SECOND: SignedDuration = SignedDuration::from_secs(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Runs a scheduled task at that time.
async fn run(db: &Database, task: &str, at: Timestamp) -> Value {
    let app = app(db, db.day_keys().await, queue(db, "https://sqs/queue"));
    Box::pin(handle(&app, event(at, task), clock_for(DAY))).await.unwrap()
}

/// How many messages the inbox shows its agent at that time.
async fn shown(desk: &Desk<'_>, at: Timestamp) -> usize {
    let conversation = desk.shop.conversation("7001").to_string();
    let answer = desk.get(at, &desk.agent, Some(&conversation), "").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["messages"].as_array().unwrap().len()
}

//= R6.2
async fn a_message_is_shown_to_the_last_second_of_its_plan_and_its_key_is_gone_within_a_day(
    db: &Database,
) {
    for (sent, ends) in [
        // The last second of a year; 7, 30, 90 and 365 days on.
        ("2026-12-31T23:59:59Z", ["2027-01-07", "2027-01-30", "2027-03-31", "2027-12-31"]),
        // A February, and one of a leap year.
        ("2027-02-27T00:00:00Z", ["2027-03-06", "2027-03-29", "2027-05-28", "2028-02-27"]),
        ("2028-02-27T00:00:00Z", ["2028-03-05", "2028-03-28", "2028-05-27", "2029-02-26"]),
        ("2028-02-29T12:00:00Z", ["2028-03-07", "2028-03-30", "2028-05-29", "2029-02-28"]),
    ] {
        let hour = sent.split_once('T').unwrap().1;
        let sent = time(sent);
        let plans = [Plan::Days7, Plan::Days30, Plan::Days90, Plan::Days365];
        for (plan, ends) in plans.into_iter().zip(ends) {
            let desk = Desk::open_with(db, plan, [Day::of(sent)].into_iter()).await;
            let body = desk.shop.body(&[desk.shop.text("7001", sent, "m", "text")]);
            let counts = desk.intake.deliver_at(sent + SECOND, &body).await.counts();
            assert_eq!(counts["stored"], 1, "{counts}");
            let ends = time(&format!("{ends}T{hour}"));
            assert_eq!(shown(&desk, ends - SECOND).await, 1, "{sent} {plan:?}");
            assert_eq!(shown(&desk, ends).await, 0, "{sent} {plan:?}");

            let dies = Day::of(ends).plus(1).start();
            assert!(dies > ends && dies.duration_since(ends) <= DAY);
            let keys = async || db.store.day_key_days(&desk.shop.connection.id).await.unwrap();
            run(db, "destroy-expired-keys", dies - SECOND).await;
            assert_eq!(keys().await, [Day::of(sent)], "{sent} {plan:?}");
            run(db, "destroy-expired-keys", dies).await;
            assert_eq!(keys().await, [], "{sent} {plan:?}");
        }
    }
}

/// When it was asked; the last day by the month, and by 30 business days.
const ASKED: [(&str, &str, &str); 6] = [
    // Holy Week lies in between; 30 June; the end of the year.
    ("2026-03-20T15:00:00Z", "2026-04-20", "2026-05-01"),
    ("2026-06-01T00:00:00Z", "2026-07-01", "2026-07-13"),
    ("2026-12-01T23:59:59Z", "2027-01-01", "2027-01-12"),
    // Two kinds of February.
    ("2027-01-31T10:00:00Z", "2027-02-28", "2027-03-12"),
    ("2028-01-31T10:00:00Z", "2028-02-29", "2028-03-13"),
    ("2028-02-29T10:00:00Z", "2028-03-29", "2028-04-11"),
];

async fn ask(db: &Database, target: Target, due_at: Option<Timestamp>, at: Timestamp) {
    let subject = target.subject();
    let source = Source::AccountDeletion;
    let asked = Asked { source, reference: None, subject, targets: vec![target], due_at };
    erasure::begin(&db.store, asked, at).await.unwrap();
}

//= R5.8
async fn a_request_is_at_risk_and_late_from_the_second_its_day_begins(db: &Database) {
    let (mut at_risk, mut late) = (0, 0);
    for (asked, last_day, _) in ASKED {
        let shop = Shop::open(db).await;
        let connection = &shop.connection;
        let target = Target::Connection {
            account: connection.account.clone(),
            route: connection.route.clone(),
            connection: connection.id.clone(),
        };
        ask(db, target, None, time(asked)).await;
        let last_day = Day::parse(last_day).unwrap();
        for (at, is_at_risk, is_late) in [
            (last_day.plus(-6).start() - SECOND, 0, 0),
            (last_day.plus(-6).start(), 1, 0),
            (last_day.plus(1).start() - SECOND, 1, 0),
            (last_day.plus(1).start(), 0, 1),
        ] {
            let watched = run(db, "watch-deadlines", at).await;
            let counts = [&watched["at_risk"], &watched["late"]].map(|n| n.as_u64().unwrap());
            assert_eq!(counts, [at_risk + is_at_risk, late + is_late], "{asked} at {at}");
        }
        // It is never done; the next one is asked later.
        late += 1;
        at_risk = 0;
    }
}

//= R6.1
async fn an_account_ends_within_thirty_business_days_however_long_its_grace(db: &Database) {
    for (asked, month, business_days) in ASKED {
        let shop = Shop::open(db).await;
        let account = shop.connection.account.clone();
        let asked = time(asked);
        let due_at = erased_at(asked, u8::MAX);
        ask(db, Target::Account { account }, Some(due_at), asked).await;
        let [month, business_days] = [month, business_days].map(|day| Day::parse(day).unwrap());
        assert!(due_at <= month.start() && month <= business_days, "{asked}: {due_at}");
        // Queued with the first run that finds it has waited for a quarter of an hour.
        let quarter = SignedDuration::from_mins(15);
        let before = run(db, "resume-erasures", due_at + quarter).await;
        let after = run(db, "resume-erasures", due_at + quarter + SECOND).await;
        let resumed = |ran: &Value| ran["resumed"].as_u64().unwrap();
        assert_eq!(resumed(&after), resumed(&before) + 1, "{asked}");
        assert!(Day::of(due_at + quarter + SECOND) <= month);
    }
}
