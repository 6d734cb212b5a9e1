//! What retention did on a day: sums that add up whoever adds, and the highest of each peak.

use numib::domain::tally::{Peak, Tallies, Tally};
use numib::domain::time::Day;

use crate::database::Database;

on_both_databases!(
    counts_of_a_day_add_up_whoever_adds_them,
    a_peak_keeps_its_highest_value,
    days_are_counted_apart_and_read_together,
    counts_are_kept_for_24_months,
    a_count_of_zero_is_not_written,
);

fn day() -> Day {
    Day::parse("2028-02-29").unwrap()
}

async fn counts_of_a_day_add_up_whoever_adds_them(db: &Database) {
    let counts = [(Tally::KeysDestroyed, 3), (Tally::KeysHeld, 40), (Tally::KeysDestroyedLate, 0)];
    let add = || db.store.add_tally(day(), &counts);
    futures_util::try_join!(add(), add(), add()).unwrap();
    db.store.add_tally(day(), &[(Tally::KeysDestroyed, 1)]).await.unwrap();
    let tally = db.store.tally(day()).await.unwrap();
    let sums = [Tally::KeysDestroyed, Tally::KeysHeld, Tally::KeysDestroyedLate];
    assert_eq!(sums.map(|of| tally.sum(of)), [10, 120, 0]);
}

async fn a_peak_keeps_its_highest_value(db: &Database) {
    let read = async || db.store.tally(day()).await.unwrap().peak(Peak::RowsSeconds);
    assert_eq!(read().await, None);
    for (raised, highest) in [(0, 0), (90, 90), (12, 90), (90, 90), (1000, 1000)] {
        db.store.raise_peak(day(), Peak::RowsSeconds, raised).await.unwrap();
        assert_eq!(read().await, Some(highest));
    }
}

async fn days_are_counted_apart_and_read_together(db: &Database) {
    for (later, count) in [(0, 1), (1, 2), (3, 4), (4, 5)] {
        let counts = [(Tally::RowsRemoved, count)];
        db.store.add_tally(day().plus(later), &counts).await.unwrap();
    }
    let days = db.store.tallies(day().plus(1), day().plus(3)).await.unwrap();
    let sums: Vec<_> = days.iter().map(|(on, of)| (*on, of.sum(Tally::RowsRemoved))).collect();
    assert_eq!(sums, [(day().plus(1), 2), (day().plus(3), 4)]);
    assert_eq!(db.store.tally(day().plus(2)).await.unwrap(), Tallies::default());
}

async fn counts_are_kept_for_24_months(db: &Database) {
    db.store.raise_peak(day(), Peak::KeysSeconds, 1).await.unwrap();
    db.store.add_tally(day().plus(1), &[(Tally::RowsRemoved, 1)]).await.unwrap();
    let items = db.dump_table(&db.tables.core).await;
    for later in [0, 1] {
        let end = format!("expires_at={}", day().plus(later).plus(731).start().as_second());
        assert!(items.iter().any(|item| item.contains(&end)), "{items:?}");
    }
}

async fn a_count_of_zero_is_not_written(db: &Database) {
    db.store.add_tally(day(), &[]).await.unwrap();
    db.store.add_tally(day(), &[(Tally::RowsRemoved, 0)]).await.unwrap();
    assert_eq!(db.dump_table(&db.tables.core).await.len(), 0);
}
