//! Least privilege, both ways: each role may do what it is for, and the calls next to that are
//! denied.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use numib::domain::ids::{Channel, ConversationId, MessageId};
use numib::domain::key_window;
use numib::domain::plan::Plan;
use numib::domain::time::Day;
use numib::edge::clock;
use numib::seal::key_name::KeyName;
use numib::seal::kms::{DataKeys, KmsError};
use numib::store::messages::MessageKey;
use numib::store::routes::RouteOwner;
use numib::store::{Store, StoreError, Tables};

use crate::deployed::{Account, Deployed, deployed};

/// A role's clients.
struct Actor {
    dynamodb: aws_sdk_dynamodb::Client,
    secrets: aws_sdk_secretsmanager::Client,
    keys: DataKeys,
    store: Store,
}

impl Actor {
    fn new(deployed: &Deployed, role: &str) -> Self {
        let credentials = deployed.stack.assume(role).unwrap();
        let sdk: SdkConfig = deployed.stack.sdk_of(&credentials);
        let dynamodb = aws_sdk_dynamodb::Client::new(&sdk);
        Self {
            store: Store::new(dynamodb.clone(), deployed.stack.tables()),
            keys: deployed.stack.day_keys_of(&credentials),
            secrets: aws_sdk_secretsmanager::Client::new(&sdk),
            dynamodb,
        }
    }

    async fn may_read_secret(&self, deployed: &Deployed) -> bool {
        let arn = &deployed.stack.deployed.outputs.meta_secret_arn;
        allowed(self.secrets.get_secret_value().secret_id(arn).send().await)
    }

    /// Which of DynamoDB's operations this role may use on a table, on a key that is not there.
    async fn operations(&self, table: &str) -> Vec<&'static str> {
        let db = &self.dynamodb;
        let get = |projection: Option<&str>| {
            let get = db.get_item().table_name(table).set_key(Some(key()));
            get.set_projection_expression(projection.map(str::to_owned)).send()
        };
        let keys = KeysAndAttributes::builder().keys(key()).build().unwrap();
        let query = db.query().table_name(table).key_condition_expression("pk = :pk");
        let query = query.expression_attribute_values(":pk", text(NOBODY));
        let update = db.update_item().table_name(table).set_key(Some(key()));
        let update = update.condition_expression("attribute_exists(pk)");
        let put = db.put_item().table_name(table).set_item(Some(key()));
        let put = put.condition_expression("attribute_exists(pk)");
        let tried = [
            ("GetItem", allowed(get(None).await)),
            ("GetItem(wrapped_key)", allowed(get(Some("wrapped_key")).await)),
            ("GetItem(public_key)", allowed(get(Some("public_key")).await)),
            ("BatchGetItem", allowed(db.batch_get_item().request_items(table, keys).send().await)),
            ("Query", allowed(query.send().await)),
            ("Scan", allowed(db.scan().table_name(table).send().await)),
            ("PutItem", allowed(put.send().await)),
            ("UpdateItem", allowed(update.send().await)),
            (
                "DeleteItem",
                allowed(db.delete_item().table_name(table).set_key(Some(key())).send().await),
            ),
        ];
        tried.into_iter().filter(|(_, allowed)| *allowed).map(|(name, _)| name).collect()
    }

    /// Which indexes this role may query: each is a resource of its own, beside its table.
    async fn indexes(&self, tables: &Tables) -> Vec<&'static str> {
        let all = [
            (&tables.core, "inbox", "connection_id"),
            (&tables.core, "provisioning", "provision_shard"),
            (&tables.core, "by_person", "person_id"),
            (&tables.core, "under_way", "under_way"),
            (&tables.core, "by_sweep_date", "sweep_on"),
            (&tables.messages, "by_sent_at", "pk"),
            (&tables.keys, "by_shred_date", "shred_on"),
        ];
        let mut queried = Vec::new();
        for (table, index, partition) in all {
            let query = self.dynamodb.query().table_name(table).index_name(index);
            let query = query.key_condition_expression(format!("{partition} = :of"));
            let query = query.projection_expression("pk, sk");
            if allowed(query.expression_attribute_values(":of", text(NOBODY)).send().await) {
                queried.push(index);
            }
        }
        queried
    }
}

const NOBODY: &str = "CONNECTION#nobody";

#[expect(clippy::disallowed_types, reason = "the SDK's own type")]
fn key() -> std::collections::HashMap<String, AttributeValue> {
    [("pk", NOBODY), ("sk", "CONTACT#nobody")].map(|(k, v)| (k.to_owned(), text(v))).into()
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

/// Whether IAM let the call through; that the call itself then fails is another matter.
fn allowed<T, E: ProvideErrorMetadata + std::fmt::Debug, R: std::fmt::Debug>(
    result: Result<T, SdkError<E, R>>,
) -> bool {
    match result {
        Ok(_) => true,
        Err(error) => match error.code() {
            Some("AccessDeniedException") => false,
            Some("ConditionalCheckFailedException") => true,
            _ => panic!("neither allowed nor denied: {error:?}"),
        },
    }
}

/// A connection of the account, with its key of today, wrapped.
async fn wrapped(deployed: &Deployed, account: &Account) -> (Day, Vec<u8>) {
    let today = Day::of(clock::now());
    let key = deployed.store.wrapped_day_key(&account.connection.id, today).await.unwrap();
    (today, key.unwrap().wrapped_key)
}

fn name(account: &Account, day: Day) -> KeyName<'_> {
    KeyName::Day { account: &account.id, connection: &account.connection.id, day }
}

//= R4.5
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn the_intakes_role_writes_sealed_messages_and_can_look_up_and_open_none() {
    let deployed = deployed().await;
    let account = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
    let role = Actor::new(&deployed, &deployed.stack.deployed.outputs.meta_webhook_role);
    let tables = deployed.stack.tables();
    assert_eq!(
        role.operations(&tables.messages).await,
        ["PutItem", "UpdateItem", "DeleteItem"],
        "messages"
    );
    assert_eq!(role.operations(&tables.core).await, ["BatchGetItem", "UpdateItem"], "core");
    // On AWS the batch is of index keys alone.
    let keys = ["GetItem(public_key)", "BatchGetItem"];
    assert_eq!(role.operations(&tables.keys).await, keys, "keys");
    let none: [&str; 0] = [];
    assert_eq!(role.indexes(&tables).await, none, "indexes");
    assert!(role.may_read_secret(&deployed).await);

    let (today, wrapped) = wrapped(&deployed, &account).await;
    let opened = role.keys.unwrap(name(&account, today), &wrapped).await;
    assert!(matches!(opened, Err(KmsError::Denied(_))), "the intake opened a day key");
    let made = role.keys.generate(name(&account, today)).await;
    assert!(matches!(made, Err(KmsError::Denied(_))), "the intake made a day key");

    // What the role is for, done with the function's own code.
    let owner = role.store.route(&account.connection.route).await.unwrap();
    assert!(matches!(owner, RouteOwner::Active(..)));
    let day_key = role.store.public_day_key(&account.connection.id, today).await.unwrap();
    assert!(day_key.is_some());
    let wrapped = role.store.wrapped_day_key(&account.connection.id, today).await;
    assert_eq!(wrapped.unwrap_err(), StoreError::Denied);
}

//= R2.1, R4.5
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn the_inboxs_role_reads_and_opens_and_writes_nothing() {
    let deployed = deployed().await;
    let account = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
    let role = Actor::new(&deployed, &deployed.stack.deployed.outputs.inbox_api_role);
    let tables = deployed.stack.tables();
    let gets = ["GetItem", "GetItem(wrapped_key)", "GetItem(public_key)"];
    let none: [&str; 0] = [];
    assert_eq!(role.operations(&tables.messages).await, none, "messages");
    let reads = [&gets[..], &["BatchGetItem", "Query"]].concat();
    assert_eq!(role.operations(&tables.core).await, reads, "core");
    assert_eq!(role.operations(&tables.keys).await, gets, "keys");
    assert_eq!(role.indexes(&tables).await, ["inbox", "by_sent_at"], "indexes");
    assert!(!role.may_read_secret(&deployed).await);

    let (today, wrapped) = wrapped(&deployed, &account).await;
    assert!(role.keys.unwrap(name(&account, today), &wrapped).await.is_ok());
    let made = role.keys.generate(name(&account, today)).await;
    assert!(matches!(made, Err(KmsError::Denied(_))), "the inbox made a day key");
    let tomorrow = role.keys.unwrap(name(&account, today.plus(1)), &wrapped).await;
    assert!(tomorrow.is_err(), "a key opened under another day's name");
}

//= R4.5
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn retentions_role_makes_keys_and_can_neither_open_them_nor_touch_messages() {
    let deployed = deployed().await;
    let account = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
    let role = Actor::new(&deployed, &deployed.stack.deployed.outputs.retention_role);
    let tables = deployed.stack.tables();
    let none: [&str; 0] = [];
    assert_eq!(role.operations(&tables.messages).await, none, "messages");
    let core = ["GetItem", "GetItem(wrapped_key)", "GetItem(public_key)", "BatchGetItem", "Query"];
    let core = [&core[..], &["PutItem", "UpdateItem", "DeleteItem"]].concat();
    assert_eq!(role.operations(&tables.core).await, core, "core");
    let keys = ["GetItem(public_key)", "PutItem", "UpdateItem", "DeleteItem"];
    assert_eq!(role.operations(&tables.keys).await, keys, "keys");
    let ledger = ["Query", "PutItem", "DeleteItem"];
    assert_eq!(role.operations(&tables.ledger).await, ledger, "ledger");
    assert_eq!(
        role.indexes(&tables).await,
        ["provisioning", "under_way", "by_sweep_date", "by_shred_date"],
        "indexes"
    );
    assert!(!role.may_read_secret(&deployed).await);

    let (today, wrapped) = wrapped(&deployed, &account).await;
    let opened = role.keys.unwrap(name(&account, today), &wrapped).await;
    assert!(matches!(opened, Err(KmsError::Denied(_))), "retention opened a day key");
    assert!(role.keys.generate(name(&account, today.plus(30))).await.is_ok());
}

//= R4.3, R4.5
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn the_privacy_apis_role_marks_and_destroys_and_reads_no_message() {
    let deployed = deployed().await;
    let account = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
    let role = Actor::new(&deployed, &deployed.stack.deployed.outputs.privacy_api_role);
    let tables = deployed.stack.tables();
    assert_eq!(role.operations(&tables.messages).await, ["PutItem"], "messages");
    // On AWS the first four are of the keys of accounts alone.
    let keys = ["GetItem", "GetItem(wrapped_key)", "GetItem(public_key)", "PutItem"];
    let keys = [&keys[..], &["DeleteItem"]].concat();
    assert_eq!(role.operations(&tables.keys).await, keys, "keys");
    assert!(!role.operations(&tables.core).await.contains(&"Scan"), "core");
    assert_eq!(role.indexes(&tables).await, ["by_person"], "indexes");

    // It makes and opens keys of accounts. That it makes and opens no day key is a condition on the
    // encryption context, which is read in the template.
    let of = KeyName::Account(&account.id);
    let made = role.keys.generate(of).await.unwrap();
    assert!(role.keys.unwrap(of, &made.wrapped_key).await.is_ok());
    let as_another = role.keys.unwrap(KeyName::Tax(&account.id), &made.wrapped_key).await;
    assert!(as_another.is_err(), "a key of one purpose opened as one of another");

    // What the role is for, done with the function's own code: it finds a row without what is
    // sealed in it.
    let conversation = ConversationId::parse(&format!("{}.p", account.connection.id)).unwrap();
    let key = MessageKey { conversation, message: MessageId::parse("m").unwrap() };
    assert_eq!(role.store.find_row(&key).await.unwrap(), None);
    assert_eq!(role.store.message_row(&key).await.unwrap_err(), StoreError::Denied);
}

//= R4.3, R4.5
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn the_operators_role_marks_and_destroys_and_touches_no_message() {
    let deployed = deployed().await;
    let account = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
    let role = Actor::new(&deployed, &deployed.stack.deployed.outputs.operator_api_role);
    let tables = deployed.stack.tables();
    let none: [&str; 0] = [];
    assert_eq!(role.operations(&tables.messages).await, none, "messages");
    // On AWS the first four are of the keys of tax records alone.
    let keys = ["GetItem", "GetItem(wrapped_key)", "GetItem(public_key)", "PutItem"];
    let keys = [&keys[..], &["UpdateItem", "DeleteItem"]].concat();
    assert_eq!(role.operations(&tables.keys).await, keys, "keys");
    assert!(!role.operations(&tables.core).await.contains(&"Scan"), "core");
    assert_eq!(role.indexes(&tables).await, ["by_person"], "indexes");
    let of = KeyName::Tax(&account.id);
    let made = role.keys.generate(of).await.unwrap();
    assert!(role.keys.unwrap(of, &made.wrapped_key).await.is_ok());
}

/// The schedule's task, run as deployed: it makes what is missing, and nothing twice.
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn the_scheduled_task_gives_a_new_connection_keys_for_the_whole_window_once() {
    let deployed = deployed().await;
    let account = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
    let now = clock::now();
    // As if it had last been provisioned long ago.
    let (before, today) = (Day::of(now).plus(-20), Day::of(now));
    let empty = BTreeMap::new();
    deployed.store.publish_day_keys(&account.connection, &empty, before).await.unwrap();
    let first = deployed.stack.run_task("provision-day-keys", &now.to_string()).unwrap();
    assert_eq!(first["connections_failed"], 0, "{first}");
    let published = deployed.store.connection(&account.connection.route, true).await.unwrap();
    let published = published.unwrap().day_keys;
    assert!(published.keys().copied().eq(key_window::days(today)));
    let second = deployed.stack.run_task("provision-day-keys", &now.to_string()).unwrap();
    assert_eq!(second["connections_failed"], 0, "{second}");
    let again = deployed.store.connection(&account.connection.route, true).await.unwrap();
    assert_eq!(again.unwrap().day_keys, published);
}

#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn a_scheduled_event_that_names_no_task_or_time_fails_loudly() {
    let stack = deployed().await.stack;
    let task = stack.run_task("make-coffee", "2026-11-24T08:00:00Z").unwrap_err();
    assert!(format!("{task:#}").contains("UnknownTask"), "{task:#}");
    let time = stack.run_task("provision-day-keys", "yesterday").unwrap_err();
    assert!(format!("{time:#}").contains("BadTime"), "{time:#}");
}

//= R4.5
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn the_worker_deletes_and_proves_and_the_callbacks_mark_and_destroy_and_neither_opens() {
    let deployed = deployed().await;
    let account = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
    let tables = deployed.stack.tables();
    let outputs = &deployed.stack.deployed.outputs;
    let (today, wrapped) = wrapped(&deployed, &account).await;
    let (both, delete) = (&["UpdateItem", "DeleteItem"][..], &["DeleteItem"][..]);
    for (role, messages, keys, indexes, reads_secret) in [
        (
            &outputs.worker_role,
            &["PutItem", "UpdateItem", "DeleteItem"][..],
            both,
            &["inbox", "under_way", "by_sweep_date", "by_sent_at", "by_shred_date"][..],
            false,
        ),
        (&outputs.data_deletion_role, &[], delete, &["by_person"], true),
    ] {
        let role = Actor::new(&deployed, role);
        assert_eq!(role.operations(&tables.messages).await, messages, "messages");
        assert_eq!(role.operations(&tables.keys).await, keys, "keys");
        assert!(!role.operations(&tables.core).await.contains(&"Scan"));
        assert_eq!(role.indexes(&tables).await, indexes, "indexes");
        assert_eq!(role.may_read_secret(&deployed).await, reads_secret);
        let opened = role.keys.unwrap(name(&account, today), &wrapped).await;
        assert!(matches!(opened, Err(KmsError::Denied(_))), "it opened a day key");
        let made = role.keys.generate(name(&account, today)).await;
        assert!(matches!(made, Err(KmsError::Denied(_))), "it made a day key");
    }
}
