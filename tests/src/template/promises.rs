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

fn texts(list: &Yaml) -> Vec<&str> {
    list.as_sequence().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
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
    assert_eq!(texts(&pool["EnabledMfas"]), ["SOFTWARE_TOKEN_MFA"]);
}

//= R4.3
#[test]
fn an_address_counts_once_it_is_verified_and_is_changed_in_no_other_way() {
    let template = Template::read();
    let pool = template.resources("AWS::Cognito::UserPool")["UserPool"];
    let verified = &pool["UserAttributeUpdateSettings"];
    assert_eq!(texts(&verified["AttributesRequireVerificationBeforeUpdate"]), ["email"]);
    let client = template.resources("AWS::Cognito::UserPoolClient")["UserPoolClient"];
    assert_eq!(texts(&client["WriteAttributes"]), ["locale"]);
}
