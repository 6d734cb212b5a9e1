//! The next release loses nothing of what outlives the stack.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use serde_norway::Value as Yaml;
use xtask::released::{COMPARED, FILE, noted};

use crate::reader::{Template, read};

const LEFT_BEHIND: &str = "What it holds would stay behind, known to no stack, and what takes its \
                           place is empty. Leave the resource and its name. If nothing needs it \
                           any more, take it out of infra/released.json in the same commit";

/// What speaks against releasing `next` after `last`, each with what to do instead.
fn objections(last: &Value, next: &Value) -> Vec<String> {
    let mut objections = Vec::new();
    for (name, last) in last.as_object().into_iter().flatten() {
        let Some(next) = next.get(name) else {
            objections.push(format!("{name} is gone. {LEFT_BEHIND}"));
            continue;
        };
        let keys = [last, next].into_iter().flat_map(|it| it.as_object().unwrap().keys());
        for key in keys.collect::<BTreeSet<_>>() {
            let found = objection(key, &last[key], &next[key]);
            objections.extend(found.map(|why| format!("{name}, {key}: {why}")));
        }
    }
    objections
}

/// What speaks against this change.
fn objection(key: &str, last: &Value, next: &Value) -> Option<String> {
    if last == next {
        return None;
    }
    let why = match key {
        "GlobalSecondaryIndexes" => return indexes(last, next),
        "AttributeDefinitions" => return attributes(last, next),
        "StreamSpecification" | "TimeToLiveSpecification" if last.is_null() || next.is_null() => {
            return None;
        }
        "StreamSpecification" | "TimeToLiveSpecification" => {
            "DynamoDB does not change it. Take it away in one release, with what reads it, and \
             add the other in the next"
        }
        "KeySchema" | "TableName" | "ImportSourceSpecification" => {
            "CloudFormation would make an empty table. Add a table under a name of its own, copy \
             the rows, and let the code change over"
        }
        "LocalSecondaryIndexes" => {
            "a local index is made with its table only. Add a global one, or another table"
        }
        "GenerateSecretString" | "SecretString" => {
            "any change makes another pepper, under which no connection is found. Leave it as it \
             is, and put what is new into the secret by hand"
        }
        "DeletionPolicy" | "UpdateReplacePolicy" | "Condition" => {
            "whoever deletes the stack, or replaces the resource, would delete what it holds. \
             Leave it as it is"
        }
        _ => {
            "it cannot be changed, or only by making another resource, which is empty. Add a \
             resource under a name of its own, and let the code change over"
        }
    };
    Some(why.to_owned())
}

/// The entries of a list by their names.
fn by_name<'a>(list: &'a Value, name: &str) -> BTreeMap<&'a str, &'a Value> {
    let entries = list.as_array().into_iter().flatten();
    entries.filter_map(|entry| Some((entry[name].as_str()?, entry))).collect()
}

/// CloudFormation creates or deletes one index of a table in an update, and changes none.
fn indexes(last: &Value, next: &Value) -> Option<String> {
    let [last, next] = [last, next].map(|list| by_name(list, "IndexName"));
    let changed = last.iter().find(|(name, was)| next.get(*name).is_some_and(|is| is != *was));
    if let Some((name, _)) = changed {
        return Some(format!(
            "DynamoDB does not change an index such as {name}. Add another under a new name, let \
             the code change over, and delete the old one in a later release"
        ));
    }
    let created = next.keys().filter(|name| !last.contains_key(*name));
    let deleted = last.keys().filter(|name| !next.contains_key(*name));
    let both: Vec<&str> = created.chain(deleted).copied().collect();
    (both.len() > 1).then(|| {
        format!(
            "CloudFormation creates or deletes one index of a table in an update, not {}. Deploy \
             one of them, then `cargo xtask released`, then the next",
            both.join(" and ")
        )
    })
}

/// An attribute keeps its type; those of new and deleted indexes come and go.
fn attributes(last: &Value, next: &Value) -> Option<String> {
    let [last, next] = [last, next].map(|list| by_name(list, "AttributeName"));
    let changed = last.iter().find(|(name, was)| next.get(*name).is_some_and(|is| is != *was));
    changed.map(|(name, _)| {
        format!("DynamoDB does not change the type of {name}. Add another attribute and its index")
    })
}

fn released() -> Value {
    serde_json::from_str(&read(FILE)).unwrap()
}

//= R15.2
#[test]
fn the_next_release_loses_nothing_that_outlives_the_stack() {
    let objections = objections(&released(), &noted(Template::read().yaml()));
    assert!(
        objections.is_empty(),
        "{}\n\nWhere the release before was deployed everywhere, and was not noted: cargo \
         xtask released",
        objections.join("\n")
    );
}

//= R15.2
#[test]
fn whatever_outlives_the_stack_is_compared_and_outlives_its_replacement() {
    let template = Template::read();
    let noted = noted(template.yaml());
    let all = template.yaml()["Resources"].as_mapping().unwrap().iter();
    let outlive = all.filter(|(_, it)| it["DeletionPolicy"] == "RetainExceptOnCreate");
    let outlive: Vec<_> = outlive.map(|(name, it)| (name.as_str().unwrap(), it)).collect();
    assert!(outlive.len() >= 10, "tables, keys, buckets, the secret and the pool");
    for (name, resource) in outlive {
        assert_eq!(resource["UpdateReplacePolicy"], "Retain", "{name}");
        assert!(noted.get(name).is_some(), "COMPARED lacks the type of {name}");
    }
}

/// What is objected to when the note is changed so.
fn changed(pointer: &str, value: Value) -> Vec<String> {
    let last = noted(Template::read().yaml());
    let mut next = last.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = next.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        parent.remove(key);
    } else {
        parent.insert(key.to_owned(), value);
    }
    objections(&last, &next)
}

fn index(name: &str) -> Value {
    json!({"IndexName": name, "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}]})
}

/// The indexes of the core table but the first so many, and these.
fn core_indexes(without: usize, with: &[&str]) -> Value {
    let noted = noted(Template::read().yaml());
    let indexes = noted["CoreTable"]["GlobalSecondaryIndexes"].as_array().unwrap().clone();
    let new = with.iter().map(|name| index(name));
    indexes.into_iter().skip(without).chain(new).collect()
}

#[test]
fn one_index_of_a_table_comes_or_goes_in_a_release() {
    let at = "/CoreTable/GlobalSecondaryIndexes";
    assert!(changed(at, core_indexes(0, &["by_day"])).is_empty());
    assert!(changed(at, core_indexes(1, &[])).is_empty());
    for both in [
        core_indexes(0, &["by_day", "by_hour"]),
        core_indexes(2, &[]),
        core_indexes(1, &["by_day"]),
    ] {
        let [objection] = &changed(at, both)[..] else { panic!("one objection") };
        assert!(objection.contains("cargo xtask released"), "{objection}");
    }
    let mut another = core_indexes(1, &[]);
    another.as_array_mut().unwrap().push(index("inbox"));
    let [objection] = &changed(at, another)[..] else { panic!("one objection") };
    assert!(objection.contains("such as inbox"), "{objection}");
}

//= R15.2
#[test]
fn nothing_that_would_be_lost_is_changed() {
    let key = json!([{"AttributeName": "id", "KeyType": "HASH"}]);
    for (pointer, value) in [
        ("/CoreTable", Value::Null),
        ("/CoreTable/TableName", json!("core")),
        ("/KeysTable/KeySchema", key),
        ("/MessagesTable/LocalSecondaryIndexes", Value::Null),
        ("/LedgerTable/LocalSecondaryIndexes", json!([index("by_day")])),
        ("/LedgerTable/AttributeDefinitions/0/AttributeType", json!("N")),
        ("/MessagesTable/StreamSpecification", json!({"StreamViewType": "NEW_IMAGE"})),
        ("/CoreTable/TimeToLiveSpecification", json!({"AttributeName": "gone_at"})),
        ("/MetaSecret/GenerateSecretString/PasswordLength", json!(32)),
        ("/DataKey/KeySpec", json!("ECC_NIST_P256")),
        ("/ReceiptKey/DeletionPolicy", json!("Delete")),
        ("/ExportBucket/BucketName", Value::Null),
        ("/AttestationBucket/Condition", json!("HasTls")),
        ("/UserPool/UsernameAttributes", json!(["phone_number"])),
    ] {
        assert_eq!(changed(pointer, value).len(), 1, "{pointer}");
    }
}

#[test]
fn what_can_be_taken_back_is_free_to_change() {
    let mut template = Template::read().yaml().clone();
    let last = noted(&template);
    let table = &mut template["Resources"]["CoreTable"]["Properties"];
    table["DeletionProtectionEnabled"] = Yaml::Bool(false);
    assert!(objections(&last, &noted(&template)).is_empty());
    assert!(changed("/CoreTable/StreamSpecification", Value::Null).is_empty());
    assert!(changed("/NewTable", json!({"Type": "AWS::DynamoDB::Table"})).is_empty());
}

/// The stack policy refuses on AWS what is refused here.
#[test]
fn the_stack_policy_protects_what_is_compared() {
    let policy: Value = serde_json::from_str(&read("infra/stack-policy.json")).unwrap();
    let statements = policy["Statement"].as_array().unwrap();
    let denied = |action: &str| {
        let of =
            |one: &&Value| one["Effect"] == "Deny" && one["Action"].to_string().contains(action);
        statements.iter().find(of).unwrap()
    };
    let types = &denied("Update:Replace")["Condition"]["StringEquals"]["ResourceType"];
    let mut types: Vec<&str> = types.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let mut compared = COMPARED.map(|(kind, _)| kind);
    types.sort_unstable();
    compared.sort_unstable();
    assert_eq!(types, compared);
    let noted = noted(Template::read().yaml());
    let secrets = noted.as_object().unwrap().iter();
    let secrets = secrets.filter(|(_, of)| of["Type"] == "AWS::SecretsManager::Secret");
    let secrets = secrets.map(|(name, _)| format!("LogicalResourceId/{name}"));
    assert_eq!(denied("Update:*")["Resource"], json!(secrets.collect::<Vec<_>>()));
}
