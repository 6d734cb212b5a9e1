//! What was measured of erasures, the smallest volume beside each, and the bars.

use std::time::Duration;

use serde_json::{Value, json};

use crate::erasures::{Erased, Sweep};
use crate::stats::{ms, percentile};
use crate::table::{self, Bar, Row, Section, Table, count, mib};

/// The bars: the ratio is to the volume that was named first.
const VOLUME_RATIO_MAX: f64 = 1.5;
const CALLS_RATIO_MAX: f64 = 1.0;
const MESSAGES_PER_MINUTE_MIN: f64 = 20_000.0;
const ROW_WRITE_UNITS_MAX: f64 = 2.0;
const WRITE_UNITS_MAX: f64 = 2.15;
const PEAK_MIB_MAX: f64 = 64.0;

pub(crate) fn table(all: &[Erased]) -> Table {
    let sections = all.iter().filter_map(|erased| Some(section(erased, all.first()?)));
    table::render(["worker", "the first"], sections.collect())
}

fn section(erased: &Erased, first: &Erased) -> Section {
    let Erased { volume, at_once, unreadable, calls, waves, sweep } = erased;
    let time = |name, percent| {
        Row::new(name, "ms", ms(percentile(unreadable, percent)))
            .beside(ms(percentile(&first.unreadable, percent)))
    };
    let mut rows = vec![
        time("unreadable after, median", 50).bar(Bar::MaxRatio(VOLUME_RATIO_MAX)),
        time("unreadable after, p10", 10),
        time("unreadable after, p90", 90),
        time("unreadable after, slowest", 100),
        Row::new("the very first, right after filling", "ms", ms(*at_once))
            .beside(ms(first.at_once)),
        Row::cost("calls until then", "", count(*calls))
            .beside(count(first.calls))
            .decimals(0)
            .bar(Bar::MaxRatio(CALLS_RATIO_MAX)),
        Row::cost("of them one after the other", "", count(*waves))
            .beside(count(first.waves))
            .decimals(0),
    ];
    rows.extend(swept(sweep, *volume));
    (format!("A connection with {volume} messages"), rows)
}

fn swept(sweep: &Sweep, volume: usize) -> [Row; 6] {
    let messages = count(volume);
    let minutes = sweep.took.iter().sum::<Duration>().as_secs_f64() / 60.0;
    let peak = mib(u64::from(sweep.peak_kib) * 1024);
    [
        Row::new("messages swept in a minute", "", messages / minutes)
            .decimals(0)
            .bar(Bar::Min(MESSAGES_PER_MINUTE_MIN)),
        Row::new("invocations", "", count(sweep.took.len())).decimals(0),
        Row::cost(
            "write units per message: row and index",
            "WRU",
            sweep.row_units.write / messages,
        )
        .bar(Bar::Max(ROW_WRITE_UNITS_MAX)),
        Row::cost("write units per message: all of it", "WRU", sweep.units.write / messages)
            .bar(Bar::Max(WRITE_UNITS_MAX)),
        Row::cost("read units per message", "RRU", sweep.units.read / messages),
        Row::new("peak memory", "MiB", peak).bar(Bar::Max(PEAK_MIB_MAX)),
    ]
}

/// Every number behind the table.
pub(crate) fn raw(all: &[Erased]) -> Value {
    let times =
        |durations: &[Duration]| -> Vec<f64> { durations.iter().copied().map(ms).collect() };
    let one = |erased: &Erased| {
        json!({
            "messages": erased.volume,
            "at_once_ms": ms(erased.at_once),
            "unreadable_ms": times(&erased.unreadable),
            "calls": erased.calls,
            "waves": erased.waves,
            "invocations_ms": times(&erased.sweep.took),
            "write_units": erased.sweep.units.write,
            "write_units_of_rows": erased.sweep.row_units.write,
            "read_units": erased.sweep.units.read,
            "peak_kib": erased.sweep.peak_kib,
        })
    };
    all.iter().map(one).collect()
}
