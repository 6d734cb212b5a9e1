//! Promises that the template keeps by itself: backups, and what is offered for signing in.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use numib::domain::policy::BACKUPS;
use serde_norway::Value;

use crate::source::{Source, root};

fn template() -> Value {
    serde_norway::from_str(&Source::read(&root().join("template.yaml")).text).unwrap()
}

/// How many days back each table can be restored; `None` where it has no backups.
fn backups(template: &Value) -> BTreeMap<String, Option<i64>> {
    let resources = template.get("Resources").and_then(Value::as_mapping).unwrap();
    let is_table = |resource: &Value| {
        resource.get("Type").and_then(Value::as_str) == Some("AWS::DynamoDB::Table")
    };
    let tables = resources.iter().filter(|(_, resource)| is_table(resource));
    tables.map(|(name, table)| (name.as_str().unwrap().to_owned(), days_back(table))).collect()
}

fn days_back(table: &Value) -> Option<i64> {
    let backup = table.get("Properties")?.get("PointInTimeRecoverySpecification")?;
    let is_on = backup.get("PointInTimeRecoveryEnabled").and_then(Value::as_bool) == Some(true);
    is_on.then(|| backup.get("RecoveryPeriodInDays").and_then(Value::as_i64).unwrap())
}

/// A backup of the keys would open everything that was erased within its window.
//= R4.4, R6.6
#[test]
fn every_table_is_backed_up_for_as_long_as_the_policy_says_but_for_the_keys() {
    let days = Some(BACKUPS.as_secs() / SignedDuration::from_hours(24).as_secs());
    let expected =
        [("CoreTable", days), ("KeysTable", None), ("LedgerTable", days), ("MessagesTable", days)];
    let expected = expected.map(|(name, days)| (name.to_owned(), days));
    assert_eq!(backups(&template()), BTreeMap::from(expected));
}

//= R4.2
#[test]
fn every_member_may_have_an_authenticator_and_no_code_comes_by_text_message() {
    let template = template();
    let pool = template.get("Resources").and_then(|all| all.get("UserPool")).unwrap();
    let pool = pool.get("Properties").unwrap();
    let setting = |name: &str| pool.get(name).and_then(Value::as_str);
    assert!(matches!(setting("MfaConfiguration"), Some("OPTIONAL" | "ON")));
    let factors = pool.get("EnabledMfas").and_then(Value::as_sequence).unwrap();
    let factors: Vec<_> = factors.iter().filter_map(Value::as_str).collect();
    assert_eq!(factors, ["SOFTWARE_TOKEN_MFA"]);
}
