//! Creates the tables of `template.yaml` in any DynamoDB: the template alone describes them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType,
    LocalSecondaryIndex, Projection, ProjectionType, ScalarAttributeType, TableStatus,
};
use numib::store::Tables;
use serde::Deserialize;
use serde_norway::Value;

/// How often this asks whether a new table is active, and the pause between.
const ASKED_MAX: u32 = 300;
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// Creates every table of the template as `{prefix}{logical id}` and waits until all are active. A
/// table that is already there stays as it is.
///
/// Protection, backups, time to live and streams are left out. These tables are for tests and
/// benchmarks, and nothing else may remove a row there.
///
/// # Errors
/// When the template cannot be read, lacks a table that [`Tables`] names, or a table is refused.
pub async fn create(client: &Client, template: &Path, prefix: &str) -> anyhow::Result<Tables> {
    let definitions = read(template).with_context(|| format!("reading {}", template.display()))?;
    for (logical_id, table) in &definitions {
        let name = format!("{prefix}{logical_id}");
        let creation = table.creation(client)?.table_name(&name);
        create_one(client, creation, &name).await.with_context(|| format!("creating {name}"))?;
    }
    let name = |logical_id: &str| {
        definitions.get(logical_id).with_context(|| format!("the template has no {logical_id}"))?;
        anyhow::Ok(format!("{prefix}{logical_id}"))
    };
    Ok(Tables {
        core: name("CoreTable")?,
        messages: name("MessagesTable")?,
        keys: name("KeysTable")?,
        ledger: name("LedgerTable")?,
    })
}

async fn create_one(
    client: &Client,
    creation: CreateTableFluentBuilder,
    name: &str,
) -> anyhow::Result<()> {
    let is_active = |status: Option<&TableStatus>| status == Some(&TableStatus::Active);
    match creation.send().await {
        Ok(made) if is_active(made.table_description().and_then(|it| it.table_status())) => {
            return Ok(());
        }
        Ok(_) => {}
        Err(error) => match error.as_service_error() {
            Some(CreateTableError::ResourceInUseException(_)) => {}
            _ => return Err(error.into()),
        },
    }
    for _ in 0..ASKED_MAX {
        let described = client.describe_table().table_name(name).send().await?;
        if is_active(described.table().and_then(|it| it.table_status())) {
            return Ok(());
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
    bail!("still not active")
}

/// The tables of a template, by their logical ids.
fn read(template: &Path) -> anyhow::Result<BTreeMap<String, TableDefinition>> {
    let template: Template = serde_norway::from_str(&std::fs::read_to_string(template)?)?;
    let tables = template.resources.into_iter().filter(|(_, one)| one.kind == TABLE);
    tables
        .map(|(logical_id, resource)| {
            let table = serde_norway::from_value(resource.properties)
                .with_context(|| format!("the properties of {logical_id}"))?;
            Ok((logical_id, table))
        })
        .collect()
}

const TABLE: &str = "AWS::DynamoDB::Table";

#[derive(Deserialize)]
struct Template {
    #[serde(rename = "Resources")]
    resources: BTreeMap<String, Resource>,
}

#[derive(Deserialize)]
struct Resource {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(rename = "Properties", default)]
    properties: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TableDefinition {
    attribute_definitions: Vec<Attribute>,
    key_schema: Vec<Key>,
    #[serde(default)]
    local_secondary_indexes: Vec<Index>,
    #[serde(default)]
    global_secondary_indexes: Vec<Index>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    attribute_name: String,
    attribute_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Key {
    attribute_name: String,
    key_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Index {
    #[serde(rename = "IndexName")]
    name: String,
    key_schema: Vec<Key>,
    projection: ProjectionDefinition,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ProjectionDefinition {
    projection_type: String,
    non_key_attributes: Option<Vec<String>>,
}

impl TableDefinition {
    /// The request that makes the table, without the name.
    fn creation(&self, client: &Client) -> anyhow::Result<CreateTableFluentBuilder> {
        let mut creation = client
            .create_table()
            .billing_mode(BillingMode::PayPerRequest)
            .set_key_schema(Some(key_schema(&self.key_schema)?));
        for attribute in &self.attribute_definitions {
            let kind = ScalarAttributeType::from(attribute.attribute_type.as_str());
            let definition = AttributeDefinition::builder()
                .attribute_name(&attribute.attribute_name)
                .attribute_type(kind);
            creation = creation.attribute_definitions(definition.build()?);
        }
        for index in &self.local_secondary_indexes {
            let definition = LocalSecondaryIndex::builder()
                .index_name(&index.name)
                .set_key_schema(Some(key_schema(&index.key_schema)?))
                .projection(index.projection.build());
            creation = creation.local_secondary_indexes(definition.build()?);
        }
        for index in &self.global_secondary_indexes {
            let definition = GlobalSecondaryIndex::builder()
                .index_name(&index.name)
                .set_key_schema(Some(key_schema(&index.key_schema)?))
                .projection(index.projection.build());
            creation = creation.global_secondary_indexes(definition.build()?);
        }
        Ok(creation)
    }
}

impl ProjectionDefinition {
    fn build(&self) -> Projection {
        Projection::builder()
            .projection_type(ProjectionType::from(self.projection_type.as_str()))
            .set_non_key_attributes(self.non_key_attributes.clone())
            .build()
    }
}

fn key_schema(keys: &[Key]) -> anyhow::Result<Vec<KeySchemaElement>> {
    let element = |key: &Key| {
        KeySchemaElement::builder()
            .attribute_name(&key.attribute_name)
            .key_type(KeyType::from(key.key_type.as_str()))
            .build()
    };
    Ok(keys.iter().map(element).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_describes_the_tables_their_indexes_and_projections() {
        let template = concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml");
        let tables = read(Path::new(template)).unwrap();
        let names: Vec<&str> = tables.keys().map(String::as_str).collect();
        assert_eq!(names, ["CoreTable", "KeysTable", "LedgerTable", "MessagesTable"]);
        let index = &tables["MessagesTable"].local_secondary_indexes[0];
        assert_eq!((index.name.as_str(), index.key_schema.len()), ("by_sent_at", 2));
        assert_eq!(index.projection.projection_type, "ALL");
        assert_eq!(tables["CoreTable"].global_secondary_indexes.len(), 5);
    }
}
