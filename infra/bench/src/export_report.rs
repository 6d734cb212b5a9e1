//! What was measured of an export, and the bars.

use serde_json::{Value, json};

use crate::exports::Exported;
use crate::stats::ms;
use crate::table::{self, Bar, Row, Table, count, mib};

const MESSAGES_PER_SECOND_MIN: f64 = 20_000.0;
const PEAK_MIB_MAX: f64 = 96.0;
const UNWRAPPED_MAX: f64 = 1.0;

pub(crate) fn table(exported: &Exported) -> Table {
    let Exported { messages, took, cpu, .. } = exported;
    let messages = count(*messages);
    let peak = mib(u64::from(exported.peak_kib) * 1024);
    let archive_len = mib(u64::try_from(exported.archive_len).unwrap_or(u64::MAX));
    let rows = vec![
        Row::new("messages exported in a second", "", messages / took.as_secs_f64())
            .decimals(0)
            .bar(Bar::Min(MESSAGES_PER_SECOND_MIN)),
        Row::new(
            "messages in a second of its own processor time",
            "",
            messages / cpu.as_secs_f64(),
        )
        .decimals(0),
        Row::new("peak memory", "MiB", peak).bar(Bar::Max(PEAK_MIB_MAX)),
        Row::cost("calls to KMS for a key, in an invocation", "", count(exported.unwrapped_max))
            .decimals(0)
            .bar(Bar::Max(UNWRAPPED_MAX)),
        Row::new("times killed", "", count(exported.killed)).decimals(0),
        Row::new("invocations", "", count(exported.invocations)).decimals(0),
        Row::new("parts uploaded, repeated ones included", "", count(exported.parts_put))
            .decimals(0),
        Row::new("files", "", count(exported.files)).decimals(0),
        Row::new("what is in them", "MiB", mib(exported.content_len)),
        Row::new("archive", "MiB", archive_len),
    ];
    let title = format!("An account with {} messages", exported.messages);
    table::render(["export", ""], vec![(title, rows)])
}

/// Every number behind the table.
pub(crate) fn raw(exported: &Exported) -> Value {
    json!({
        "messages": exported.messages,
        "took_ms": ms(exported.took),
        "cpu_ms": ms(exported.cpu),
        "invocations": exported.invocations,
        "killed": exported.killed,
        "peak_kib": exported.peak_kib,
        "unwrapped_max": exported.unwrapped_max,
        "parts_put": exported.parts_put,
        "archive_len": exported.archive_len,
        "content_len": exported.content_len,
        "files": exported.files,
    })
}
