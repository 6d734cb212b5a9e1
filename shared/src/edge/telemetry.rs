//! Logs and metrics: lines of JSON on standard output, which Lambda sends to CloudWatch.
//!
//! They hold counts, words of our own and random ids, and nothing personal.

use std::io::Write as _;
use std::sync::OnceLock;

use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::config::Config;

/// The CloudWatch namespace of every metric.
const NAMESPACE: &str = "Numib";
/// Values of one metric in a line at most. The limit is CloudWatch's.
const VALUES_MAX: usize = 100;
/// The common crate.
const COMMON: &str = env!("CARGO_CRATE_NAME");

/// The deployed name of this function. The template's alarms find the metrics by this name.
static FUNCTION: OnceLock<String> = OnceLock::new();

/// Sends log events to standard output. The crate of the function (its `module_path!()`) and the
/// common crate log at the configured level. Other crates log errors only: nobody here vouches for
/// the rest. From then on metrics carry the function's name; before that, none are written.
pub fn install(config: &Config, function: &'static str) {
    let _ = FUNCTION.set(config.function.clone());
    let level = LevelFilter::from_level(config.log_level);
    let ours = [COMMON, function].map(|target| (target, level));
    let targets = Targets::new().with_targets(ours).with_default(LevelFilter::ERROR);
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_target(false);
    tracing_subscriber::registry().with(targets).with(lines).init();
}

/// The unit of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// A plain number.
    None,
}

impl Unit {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Milliseconds => "Milliseconds",
            Self::Seconds => "Seconds",
            Self::None => "None",
        }
    }
}

/// Metrics of one invocation, as CloudWatch Embedded Metric Format.
#[derive(Debug)]
pub struct Metrics {
    now: Timestamp,
    values: Vec<(&'static str, Unit, Value)>,
    ignored: Vec<(&'static str, u64)>,
}

impl Metrics {
    /// Metrics of this function at this time.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self { now, values: Vec::new(), ignored: Vec::new() }
    }

    /// Adds a single value.
    pub fn add(&mut self, name: &'static str, unit: Unit, value: impl Into<Value>) {
        self.values.push((name, unit, value.into()));
    }

    /// Adds several observations of one metric. Only the first hundred count.
    pub fn observe(&mut self, name: &'static str, unit: Unit, mut values: Vec<i64>) {
        values.truncate(VALUES_MAX);
        if !values.is_empty() {
            self.values.push((name, unit, values.into()));
        }
    }

    /// Adds a count of ignored updates under their reason.
    pub fn ignored(&mut self, reason: &'static str, count: u64) {
        self.ignored.push((reason, count));
    }

    /// Writes the metrics: one line, and one more for each reason. Without a function's name nobody
    /// would find the metrics, so then nothing is written.
    pub fn emit(&self) {
        if FUNCTION.get().is_none() {
            return;
        }
        for line in self.lines() {
            // A failure to write to standard output has nowhere to be told.
            let _ = std::io::stdout().write_all(format!("{line}\n").as_bytes());
        }
    }

    fn lines(&self) -> Vec<Value> {
        let mut lines = Vec::new();
        if !self.values.is_empty() {
            lines.push(self.line(&["Function"], &self.values));
        }
        for (reason, count) in &self.ignored {
            let ignored = [("Ignored", Unit::Count, Value::from(*count))];
            let mut line = self.line(&["Function", "Reason"], &ignored);
            if let Some(line) = line.as_object_mut() {
                line.insert("Reason".to_owned(), Value::from(*reason));
            }
            lines.push(line);
        }
        lines
    }

    fn line(&self, dimensions: &[&str], metrics: &[(&str, Unit, Value)]) -> Value {
        let definitions: Vec<Value> = metrics
            .iter()
            .map(|(name, unit, _)| json!({ "Name": name, "Unit": unit.as_str() }))
            .collect();
        let mut line = json!({
            "_aws": {
                "Timestamp": self.now.as_millisecond(),
                "CloudWatchMetrics": [{
                    "Namespace": NAMESPACE,
                    "Dimensions": [dimensions],
                    "Metrics": definitions,
                }],
            },
            "Function": FUNCTION.get().map_or("", String::as_str),
        });
        if let Some(line) = line.as_object_mut() {
            line.extend(metrics.iter().map(|(name, _, value)| ((*name).to_owned(), value.clone())));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_embedded_metric_format() {
        let now = Timestamp::from_millisecond(1_796_100_000_000).unwrap();
        let mut metrics = Metrics::new(now);
        metrics.add("Stored", Unit::Count, 3);
        metrics.observe("EventLagMs", Unit::Milliseconds, (0..150).collect());
        metrics.ignored("reaction", 2);
        let lines = metrics.lines();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["Stored"], 3);
        assert_eq!(lines[0]["EventLagMs"].as_array().unwrap().len(), 100);
        assert_eq!(lines[0]["_aws"]["Timestamp"], 1_796_100_000_000_i64);
        let declared = &lines[0]["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(declared["Namespace"], "Numib");
        assert_eq!(declared["Dimensions"], json!([["Function"]]));
        assert_eq!(declared["Metrics"][0], json!({"Name": "Stored", "Unit": "Count"}));
        assert_eq!(lines[1]["Reason"], "reaction");
        assert_eq!(lines[1]["Ignored"], 2);
        let dimensions = &lines[1]["_aws"]["CloudWatchMetrics"][0]["Dimensions"];
        assert_eq!(dimensions, &json!([["Function", "Reason"]]));
    }
}
