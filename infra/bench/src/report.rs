//! What was measured of meta-webhook, the floor beside it, and the bars.

use std::time::Duration;

use serde_json::{Value, json};

use crate::scenarios::{Account, Bulk, ColdStart, SteadyRun, Watched};
use crate::stats::{median, ms, percentile};
use crate::table::{self, Bar, Row, Section, Table, count, mib};

/// The bars. CPU and start-up are held against the floor of the same run, so that they mean the
/// same on every machine; the others are absolute.
const FLOOR_RATIO_MAX: f64 = 1.5;
const PEAK_MIB_MAX: f64 = 20.0;
const BINARY_MIB_MAX: f64 = 8.0;
const WRITE_UNITS_MAX: f64 = 2.0;
const READ_UNITS_MAX: f64 = 3.0;
const WAVES_MAX: f64 = 3.0;
const BODY_MS_MAX: f64 = 1500.0;

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Results {
    pub(crate) watched: Watched,
    pub(crate) cold_starts: [Vec<ColdStart>; 2],
    pub(crate) steady: SteadyRun,
    pub(crate) new_bodies: Bulk,
    pub(crate) old_bodies: Bulk,
    /// After the single messages: the function's and the floor's, in KiB.
    pub(crate) steady_peak_kib: [u32; 2],
    /// After the large bodies.
    pub(crate) peak_kib: u32,
    /// The function's and the floor's, in bytes.
    pub(crate) binary_len: [u64; 2],
}

impl Results {
    pub(crate) fn table(&self) -> Table {
        table::render(["meta-webhook", "floor"], self.sections())
    }

    fn sections(&self) -> Vec<Section> {
        vec![
            ("Start".to_owned(), self.start()),
            ("One message per webhook".to_owned(), self.single()),
            ("DynamoDB, per message of the above".to_owned(), self.database()),
            ("A large body".to_owned(), self.large()),
        ]
    }

    fn start(&self) -> Vec<Row> {
        let [function, floor] = &self.cold_starts;
        let of = |starts: &[ColdStart], what: fn(&ColdStart) -> Duration| {
            ms(median(&starts.iter().map(what).collect::<Vec<_>>()))
        };
        let both = |what| (of(function, what), of(floor, what));
        let (started, floor_started) = both(|start| start.to_first_response);
        let (cpu, floor_cpu) = both(|start| start.cpu);
        let [binary, floor_binary] = self.binary_len.map(mib);
        vec![
            Row::new("process start to first response, median", "ms", started)
                .beside(floor_started)
                .bar(Bar::MaxRatio(FLOOR_RATIO_MAX)),
            Row::new("CPU of that, median", "ms", cpu).beside(floor_cpu),
            Row::new("stripped binary", "MiB", binary)
                .beside(floor_binary)
                .bar(Bar::Max(BINARY_MIB_MAX)),
        ]
    }

    fn single(&self) -> Vec<Row> {
        let SteadyRun { function, floor, redelivered, .. } = &self.steady;
        let latency = |percent| {
            let of = |latencies: &[Duration]| ms(percentile(latencies, percent));
            (of(&function.latencies), of(&floor.latencies))
        };
        let ((p50, floor_p50), (p99, floor_p99)) = (latency(50), latency(99));
        let [peak, floor_peak] = self.steady_peak_kib.map(|kib| mib(u64::from(kib) * 1024));
        vec![
            Row::new(
                "CPU per webhook, median of rounds",
                "ms",
                ms(median(&function.cpu_per_webhook)),
            )
            .beside(ms(median(&floor.cpu_per_webhook)))
            .decimals(3)
            .bar(Bar::MaxRatio(FLOOR_RATIO_MAX)),
            Row::new("event to response, p50", "ms", p50).beside(floor_p50),
            Row::new("event to response, p99", "ms", p99).beside(floor_p99),
            Row::new("the same webhook again, p50", "ms", ms(median(redelivered))),
            Row::new("peak memory", "MiB", peak).beside(floor_peak).bar(Bar::Max(PEAK_MIB_MAX)),
        ]
    }

    fn database(&self) -> Vec<Row> {
        let SteadyRun { account, new_contacts, moves, redelivery, .. } = &self.steady;
        let dynamo_calls: usize = account.operations.values().sum();
        let kms_calls = [account, &self.new_bodies.account, &self.old_bodies.account, redelivery]
            .map(|account| account.kms_calls)
            .iter()
            .sum();
        let per_move = |account: &Account| account.move_units.write / count(account.moves);
        let messages = count(account.messages);
        vec![
            Row::cost("write units: row and index", "WRU", account.units.write / messages)
                .bar(Bar::Max(WRITE_UNITS_MAX)),
            Row::cost("read units", "RRU", account.units.read / messages)
                .bar(Bar::Max(READ_UNITS_MAX)),
            Row::cost("calls", "", count(dynamo_calls) / messages),
            Row::cost("round trips that wait for one another", "", count(self.watched.waves))
                .decimals(0)
                .bar(Bar::Max(WAVES_MAX)),
            Row::cost("KMS calls, all scenarios", "", count(kms_calls))
                .decimals(0)
                .bar(Bar::Max(0.0)),
            Row::cost("first message of a contact, on top", "WRU", per_move(new_contacts)),
            Row::cost("first message in a minute, on top", "WRU", per_move(moves)),
            Row::cost(
                "the same webhook again, write units",
                "WRU",
                redelivery.units.write / count(redelivery.messages),
            ),
        ]
    }

    fn large(&self) -> Vec<Row> {
        let bodies = count(self.new_bodies.latencies.len());
        let messages = count(self.new_bodies.account.messages);
        let cpu: Duration = self.new_bodies.cpu.iter().sum();
        let slowest = |bulk: &Bulk| ms(percentile(&bulk.latencies, 100));
        let calls: usize = self.new_bodies.account.operations.values().sum();
        vec![
            Row::new("messages in it", "", messages / bodies).decimals(0),
            Row::new("event to response, median", "ms", ms(median(&self.new_bodies.latencies)))
                .decimals(0),
            Row::new("event to response, slowest", "ms", slowest(&self.new_bodies))
                .decimals(0)
                .bar(Bar::Max(BODY_MS_MAX)),
            Row::new("the same body again, slowest", "ms", slowest(&self.old_bodies))
                .decimals(0)
                .bar(Bar::Max(BODY_MS_MAX)),
            Row::new("CPU per message", "ms", ms(cpu) / messages).decimals(3),
            Row::cost("calls per message", "", count(calls) / messages),
            Row::cost(
                "write units per message, moves included",
                "WRU",
                (self.new_bodies.account.units + self.new_bodies.account.move_units).write
                    / messages,
            ),
            Row::cost(
                "read units per message",
                "RRU",
                self.new_bodies.account.units.read / messages,
            ),
            Row::new("peak memory after all of it", "MiB", mib(u64::from(self.peak_kib) * 1024))
                .bar(Bar::Max(PEAK_MIB_MAX)),
        ]
    }

    /// Every number behind the table.
    pub(crate) fn raw(&self) -> Value {
        let all =
            |durations: &[Duration]| -> Vec<f64> { durations.iter().copied().map(ms).collect() };
        let account = |account: &Account| {
            json!({
                "messages": account.messages,
                "operations": account.operations,
                "kms_calls": account.kms_calls,
                "read_units": account.units.read,
                "write_units": account.units.write,
                "moves": account.moves,
                "move_write_units": account.move_units.write,
            })
        };
        let starts =
            |starts: &[ColdStart]| -> Vec<Value> { starts.iter().map(raw_start).collect() };
        let bulk = |bulk: &Bulk| {
            json!({
                "latencies_ms": all(&bulk.latencies),
                "cpu_ms": all(&bulk.cpu),
                "calls": account(&bulk.account),
            })
        };
        let [function_starts, floor_starts] = &self.cold_starts;
        let steady = &self.steady;
        json!({
            "waves": self.watched.waves,
            "cold_starts": {"function": starts(function_starts), "floor": starts(floor_starts)},
            "steady": {
                "function_latencies_ms": all(&steady.function.latencies),
                "function_cpu_per_webhook_ms": all(&steady.function.cpu_per_webhook),
                "floor_latencies_ms": all(&steady.floor.latencies),
                "floor_cpu_per_webhook_ms": all(&steady.floor.cpu_per_webhook),
                "calls": account(&steady.account),
                "calls_of_new_contacts": account(&steady.new_contacts),
                "calls_of_moves": account(&steady.moves),
                "redelivered_latencies_ms": all(&steady.redelivered),
                "calls_of_redelivery": account(&steady.redelivery),
            },
            "bodies": bulk(&self.new_bodies),
            "bodies_again": bulk(&self.old_bodies),
            "steady_peak_kib": self.steady_peak_kib,
            "peak_kib": self.peak_kib,
            "binary_len": self.binary_len,
        })
    }
}

fn raw_start(start: &ColdStart) -> Value {
    json!({"first_response_ms": ms(start.to_first_response), "cpu_ms": ms(start.cpu)})
}
