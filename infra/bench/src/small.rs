//! Every benchmark, small: none stops working, and none starts to cost more, without a test that
//! fails. The functions are debug builds, so what is measured of speed and size says nothing here.

use std::sync::LazyLock;

use clap::Parser as _;
use serde_json::Value;
use xtask::documents::Shown;

use crate::table::Table;
use crate::{Options, Report, run};

/// Built once, before the first benchmark runs.
static BINARIES: LazyLock<String> = LazyLock::new(|| {
    let packages = ["meta-webhook", "floor", "worker", "data-export"];
    xtask::functions::build(&packages).unwrap().to_str().unwrap().to_owned()
});

/// Runs the benchmark that these arguments ask for; returns the numbers behind its table, whose
/// bars on costs are on these measures and hold.
async fn costs_hold(arguments: &str, measures: &[&str]) -> Value {
    let given = ["bench", "--binaries", &BINARIES].into_iter().chain(arguments.split(' '));
    let Report { table, raw } = run(&Options::parse_from(given)).await.unwrap();
    let Table { text, costs, .. } = table;
    let (held, missed): (Vec<_>, Vec<_>) = costs.into_iter().partition(|(_, holds)| *holds);
    assert_eq!(missed, [], "{text}");
    assert_eq!(held.iter().map(|(measure, _)| *measure).collect::<Vec<_>>(), measures, "{text}");
    raw
}

#[test]
fn every_benchmark_of_the_documents_can_be_asked_for() {
    let shown = xtask::documents::commands("cargo").unwrap().into_iter();
    let shown =
        shown.filter(|shown| shown.words.get(1..3) == Some(&["xtask", "bench"].map(String::from)));
    let mut count = 0;
    for Shown { at, words } in shown {
        let given = words.iter().skip(2);
        assert!(Options::try_parse_from(given).is_ok(), "{at}: {}", words.join(" "));
        count += 1;
    }
    assert!(count > 3, "the benchmarks are not where they were");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn intake_is_measured_and_its_costs_are_within_their_bars() {
    let amounts = "--cold-starts 2 --webhooks 20 --contacts 5 \
                   --bodies 1 --body-messages 60 --body-contacts 60";
    let measures = [
        "write units: row and index",
        "read units",
        "round trips that wait for one another",
        "KMS calls, all scenarios",
    ];
    let raw = costs_hold(amounts, &measures).await;
    assert_eq!(raw["steady"]["calls"]["messages"], 20, "{raw}");
    assert_eq!(raw["bodies"]["calls"]["messages"], 60, "{raw}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erasures_are_measured_and_their_costs_are_within_their_bars() {
    let of_one = [
        "calls until then",
        "write units per message: row and index",
        "write units per message: all of it",
    ];
    let raw = costs_hold("--erasures 1000,1200 --erasure-samples 2", &[of_one; 2].concat()).await;
    assert_eq!((&raw[0]["messages"], &raw[1]["messages"]), (&1000.into(), &1200.into()), "{raw}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expiries_are_measured_and_cost_the_same_whatever_lives_on() {
    let of_one = [
        "keys: write units",
        "keys: read units",
        "keys: calls",
        "rows: write units",
        "rows: read units",
        "rows: calls",
    ];
    let raw = costs_hold("--expiries 100,500 --channels 5", &[of_one; 2].concat()).await;
    assert_eq!((&raw[0]["live"], &raw[1]["live"]), (&100.into(), &500.into()), "{raw}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_measured_and_unwraps_a_key_once() {
    let raw = costs_hold("--exports 1000", &["calls to KMS for a key, in an invocation"]).await;
    assert_eq!((&raw["messages"], &raw["killed"]), (&1000.into(), &3.into()), "{raw}");
}
