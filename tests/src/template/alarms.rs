//! Who is told when something is wrong, and with what: every alarm has an entry in the runbook and
//! a place on the dashboard, and no alarm, graph or text names what does not exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use serde_norway::Value as Yaml;

use crate::reader::{Template, read, root};

const NAMESPACE: &str = "Numib";

/// The alarms, by their names.
fn alarms(template: &Template) -> BTreeMap<&str, &Yaml> {
    let alarms = template.resources("AWS::CloudWatch::Alarm");
    assert!(alarms.len() >= 20, "the alarms are not where they were");
    alarms
}

/// What a metric belongs to: `Function`, or another dimension of ours, and whose it is.
type Named = (String, String, String);

/// Our metrics that alarms name.
fn named_by_alarms(template: &Template) -> BTreeSet<Named> {
    let ours = alarms(template).into_values().filter(|alarm| alarm["Namespace"] == NAMESPACE);
    let named = ours.map(|alarm| {
        let dimension = &alarm["Dimensions"][0];
        let Yaml::Tagged(of) = &dimension["Value"] else { panic!("a dimension by !Ref") };
        let text = |value: &Yaml| value.as_str().unwrap().to_owned();
        (text(&alarm["MetricName"]), text(&dimension["Name"]), text(&of.value))
    });
    named.collect()
}

/// Our metrics that the dashboard names, with `.` replaced by what it repeats.
fn named_by_dashboard(dashboard: &Value) -> BTreeSet<Named> {
    let mut named = BTreeSet::new();
    for widget in dashboard["widgets"].as_array().unwrap() {
        let mut last: Vec<String> = Vec::new();
        for metric in widget["properties"]["metrics"].as_array().into_iter().flatten() {
            let words = metric.as_array().unwrap().iter().filter_map(Value::as_str);
            let words = words.enumerate();
            let words: Vec<String> = words
                .map(|(at, word)| if word == "." { last[at].clone() } else { word.to_owned() })
                .collect();
            if words.first().is_some_and(|namespace| namespace == NAMESPACE) {
                let of = words[3].trim_start_matches("${").trim_end_matches('}').to_owned();
                named.insert((words[1].clone(), words[2].clone(), of));
            }
            if !words.is_empty() {
                last = words;
            }
        }
    }
    assert!(named.len() > 20, "the graphs are not where they were");
    named
}

/// All Rust of a folder.
fn code(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &code(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &fs::read_to_string(path).unwrap();
        }
    }
    text
}

/// All Rust of a function, and of the files that the functions behind the HTTP API share those
/// that it calls.
fn code_of(function: &str) -> String {
    let mut text = code(&root().join("functions").join(function).join("src"));
    let shared = fs::read_dir(root().join("shared/src/api")).unwrap();
    let mut shared: Vec<PathBuf> = shared.map(|entry| entry.unwrap().path()).collect();
    while let Some(at) = shared.iter().position(|path| {
        let name = path.file_stem().unwrap().to_str().unwrap();
        text.contains(&format!("{name}::"))
    }) {
        text += &fs::read_to_string(shared.remove(at)).unwrap();
    }
    text
}

/// The metrics that code writes: each is a name beside a unit.
fn written(code: &str) -> BTreeSet<&str> {
    let before_units = code.split("\", Unit::").map(|text| text.rsplit('"').next().unwrap());
    before_units.filter(|name| name.chars().all(char::is_alphanumeric)).collect()
}

fn headings(text: &str) -> BTreeSet<&str> {
    text.lines().filter_map(|line| line.strip_prefix("### ")).collect()
}

#[test]
fn every_alarm_has_an_entry_in_the_runbook_and_every_entry_an_alarm() {
    let (template, runbook) = (Template::read(), read("docs/runbook.md"));
    let (_, section) = runbook.split_once("\n## Alarms\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let alarms: BTreeSet<&str> = alarms(&template).into_keys().collect();
    assert_eq!(headings(section), alarms);
    for entry in section.split("\n### ").skip(1) {
        for part in ["*Means*: ", "*Users notice*: ", "*Look*", "*Verify*: "] {
            let entry = entry.replace('\n', " ");
            assert!(entry.contains(part), "no {part} in {}", entry.lines().next().unwrap());
        }
    }
}

#[test]
fn every_alarm_calls_someone_says_what_to_do_and_is_on_the_dashboard() {
    let template = Template::read();
    let dashboard = template.dashboard();
    let shown = dashboard["widgets"][0]["properties"]["alarms"].as_array().unwrap();
    let shown: BTreeSet<&str> = shown.iter().map(|arn| arn.as_str().unwrap()).collect();
    for (name, alarm) in alarms(&template) {
        assert!(!alarm["AlarmActions"].is_null(), "{name} calls nobody");
        assert!(alarm["AlarmDescription"].as_str().unwrap().len() > 60, "{name} says nothing");
        assert!(!alarm["TreatMissingData"].is_null(), "{name} does not say what silence means");
        assert!(shown.contains(format!("${{{name}.Arn}}").as_str()), "{name} is not shown");
    }
    assert_eq!(shown.len(), alarms(&template).len());
}

/// An alarm on a metric that nobody writes is silent for ever.
#[test]
fn every_metric_of_an_alarm_or_graph_is_written_by_the_function_that_it_names() {
    let template = Template::read();
    let functions = template.functions();
    let mut named = named_by_alarms(&template);
    named.extend(named_by_dashboard(&template.dashboard()));
    let filters = template.resources("AWS::Logs::MetricFilter");
    let counted: BTreeSet<&str> = filters
        .values()
        .map(|filter| &filter["MetricTransformations"][0])
        .filter(|made| made["Dimensions"][0]["Key"] == "ApiId")
        .map(|made| made["MetricName"].as_str().unwrap())
        .collect();
    for (metric, dimension, of) in &named {
        if dimension == "ApiId" {
            assert!(counted.contains(metric.as_str()), "nothing counts {metric}");
            continue;
        }
        let folder = functions.get(of.as_str());
        let folder = folder.unwrap_or_else(|| panic!("{metric} of {of}, which is no function"));
        let text = code_of(folder);
        assert!(written(&text).contains(metric.as_str()), "{folder} does not write {metric}");
    }
    let alarmed: BTreeSet<&str> = named.iter().map(|(metric, ..)| metric.as_str()).collect();
    assert!(counted.is_subset(&alarmed), "{counted:?} are counted and looked at by nobody");
}

#[test]
fn every_metric_that_is_written_is_in_the_runbook() {
    let runbook = read("docs/runbook.md");
    let (_, table) = runbook.split_once("\n### Metrics\n").unwrap();
    let table = table.split("\n### ").next().unwrap();
    let text = code(&root().join("functions")) + &code(&root().join("shared/src/api"));
    let written = written(&text);
    assert!(written.len() > 15, "the code does not look as it did");
    for metric in written {
        assert!(table.contains(&format!("`{metric}`")), "{metric} is explained nowhere");
    }
}

#[test]
fn the_dashboard_names_only_what_the_stack_has_and_nothing_covers_anything() {
    let template = Template::read();
    let dashboard = template.dashboard();
    let text = dashboard.to_string();
    for name in text.split("${").skip(1).map(|rest| rest.split('}').next().unwrap()) {
        let name = name.split('.').next().unwrap();
        let exists = !template.yaml()["Resources"][name].is_null() || name == "AWS::Region";
        assert!(exists, "the stack has no {name}");
    }
    let mut taken = BTreeSet::new();
    for widget in dashboard["widgets"].as_array().unwrap() {
        let side = |name: &str| widget[name].as_u64().unwrap();
        assert!(side("x") + side("width") <= 24, "a dashboard has 24 columns");
        for x in side("x")..side("x") + side("width") {
            for y in side("y")..side("y") + side("height") {
                assert!(taken.insert((x, y)), "two widgets at {x}, {y}");
            }
        }
    }
    let texts = dashboard["widgets"].as_array().unwrap().iter();
    for widget in texts.filter(|widget| widget["type"] == "text") {
        let text = widget["properties"]["markdown"].as_str().unwrap();
        assert!(text.starts_with("## ") && text.contains("\n**Normal:**"), "{text}");
    }
}

/// Every write would invoke the function otherwise, and what an erasure deletes would be counted.
#[test]
fn the_stream_of_messages_invokes_for_what_time_to_live_deletes_alone() {
    let template = Template::read();
    let functions = template.resources("AWS::Serverless::Function");
    let mapping = &functions["RetentionFunction"]["Events"]["ExpiredRows"]["Properties"];
    let filters = mapping["FilterCriteria"]["Filters"].as_sequence().unwrap();
    let [filter] = &filters[..] else { panic!("filters are alternatives: one") };
    let pattern: Value = serde_json::from_str(filter["Pattern"].as_str().unwrap()).unwrap();
    let expected = serde_json::json!({
        "eventName": ["REMOVE"],
        "userIdentity": {"type": ["Service"], "principalId": ["dynamodb.amazonaws.com"]},
    });
    assert_eq!(pattern, expected);
    // What the function cannot take is left behind, so it holds up nothing.
    assert_eq!(mapping["BisectBatchOnFunctionError"], true);
    assert!(mapping["MaximumRetryAttempts"].as_u64().unwrap() <= 5);
    assert!(!mapping["DestinationConfig"]["OnFailure"].is_null());
    assert!(mapping["BatchSize"].as_u64().unwrap() <= 100, "more than a metric takes values");
    let tables = template.resources("AWS::DynamoDB::Table");
    let stream = &tables["MessagesTable"]["StreamSpecification"];
    assert_eq!(stream["StreamViewType"], "OLD_IMAGE", "the expiry is in the old image");
}
