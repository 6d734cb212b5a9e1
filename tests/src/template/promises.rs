//! Promises that the template keeps by itself: backups, and what is offered for signing in.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use numib::domain::policy::BACKUPS;
use serde_norway::Value as Yaml;

use crate::reader::Template;

/// How many days back a table can be restored; `None` where it has no backups.
fn days_back(table: &Yaml) -> Option<i64> {
    let backup = table.get("PointInTimeRecoverySpecification")?;
    let is_on = backup["PointInTimeRecoveryEnabled"].as_bool() == Some(true);
    is_on.then(|| backup["RecoveryPeriodInDays"].as_i64().unwrap())
}

/// A backup of the keys would open everything that was erased within its window.
//= R4.4, R6.6
#[test]
fn every_table_is_backed_up_for_as_long_as_the_policy_says_but_for_the_keys() {
    let template = Template::read();
    let tables = template.resources("AWS::DynamoDB::Table").into_iter();
    let backups: BTreeMap<&str, _> = tables.map(|(name, table)| (name, days_back(table))).collect();
    let days = Some(BACKUPS.as_secs() / SignedDuration::from_hours(24).as_secs());
    let expected =
        [("CoreTable", days), ("KeysTable", None), ("LedgerTable", days), ("MessagesTable", days)];
    assert_eq!(backups, BTreeMap::from(expected));
}

//= R4.2
#[test]
fn every_member_may_have_an_authenticator_and_no_code_comes_by_text_message() {
    let template = Template::read();
    let pools = template.resources("AWS::Cognito::UserPool");
    let [pool] = pools.values().copied().collect::<Vec<_>>()[..] else { panic!("one user pool") };
    assert!(matches!(pool["MfaConfiguration"].as_str(), Some("OPTIONAL" | "ON")));
    let factors = pool["EnabledMfas"].as_sequence().unwrap();
    let factors: Vec<_> = factors.iter().filter_map(Yaml::as_str).collect();
    assert_eq!(factors, ["SOFTWARE_TOKEN_MFA"]);
}
