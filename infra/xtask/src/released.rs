//! `cargo xtask released`: notes what outlives the stack of the release that was just deployed. A
//! test compares the next release with that note, since CloudFormation would carry out changes that
//! nobody can take back: an empty table in place of a full one, or another pepper.

use std::fs;

use anyhow::Context as _;
use serde_json::{Map, Value, json};
use serde_norway::Value as Yaml;

use crate::progress::note;
use crate::project;

/// The note, from the root of the project.
pub const FILE: &str = "infra/released.json";

/// What each resource of these types is compared by. The properties are those that CloudFormation
/// changes by making another resource (`createOnlyProperties` of the type's schema), that DynamoDB,
/// KMS, S3 and Cognito let nobody change, and that make another secret.
pub const COMPARED: [(&str, &[&str]); 5] = [
    (
        "AWS::DynamoDB::Table",
        &[
            "AttributeDefinitions",
            "GlobalSecondaryIndexes",
            "ImportSourceSpecification",
            "KeySchema",
            "LocalSecondaryIndexes",
            "StreamSpecification",
            "TableName",
            "TimeToLiveSpecification",
        ],
    ),
    ("AWS::KMS::Key", &["KeySpec", "KeyUsage", "MultiRegion", "Origin"]),
    (
        "AWS::S3::Bucket",
        &["BucketName", "BucketNamePrefix", "BucketNamespace", "ObjectLockEnabled"],
    ),
    ("AWS::SecretsManager::Secret", &["GenerateSecretString", "Name", "SecretString"]),
    (
        "AWS::Cognito::UserPool",
        &["AliasAttributes", "Schema", "UsernameAttributes", "UsernameConfiguration"],
    ),
];

/// What every such resource is compared by besides its properties.
const OF_EACH: [&str; 4] = ["Condition", "DeletionPolicy", "Type", "UpdateReplacePolicy"];

/// Writes the note.
///
/// # Errors
/// When the template cannot be read.
pub fn write() -> anyhow::Result<()> {
    let template = fs::read_to_string(project::template())?;
    let noted = noted(&serde_norway::from_str(&template).context("template.yaml")?);
    fs::write(project::root().join(FILE), serde_json::to_string_pretty(&noted)? + "\n")?;
    note(&format!("{FILE} is written: the next release is compared with it."));
    Ok(())
}

/// What the note says of a template: by their names, the resources that are compared.
#[must_use]
pub fn noted(template: &Yaml) -> Value {
    let mut noted = Map::new();
    let resources = template.get("Resources").and_then(Yaml::as_mapping).into_iter().flatten();
    for (name, resource) in resources {
        let kind = resource.get("Type").and_then(Yaml::as_str);
        let compared = COMPARED.iter().find(|(compared, _)| kind == Some(compared));
        if let (Some(name), Some((_, properties))) = (name.as_str(), compared) {
            let of_each = OF_EACH.iter().map(|key| (*key, resource.get(key)));
            let own = properties.iter();
            let own = own.map(|key| (*key, resource.get("Properties").and_then(|it| it.get(key))));
            let all = of_each.chain(own).filter_map(|(key, value)| Some((key, plain(value?))));
            let all: Map<_, _> = all.map(|(key, value)| (key.to_owned(), value)).collect();
            noted.insert(name.to_owned(), all.into());
        }
    }
    noted.into()
}

/// YAML as JSON, with a call like `!Ref Name` as `{"!Ref": "Name"}`.
fn plain(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::Tagged(call) => json!({ call.tag.to_string(): plain(&call.value) }),
        Yaml::Sequence(items) => items.iter().map(plain).collect(),
        Yaml::Mapping(entries) => {
            let entries = entries.iter();
            let entries = entries.map(|(key, value)| (key.as_str().unwrap_or_default(), value));
            entries.map(|(key, value)| (key.to_owned(), plain(value))).collect::<Map<_, _>>().into()
        }
        Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::String(_) => {
            serde_json::to_value(yaml).unwrap_or_default()
        }
    }
}
