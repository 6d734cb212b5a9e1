//! Exports on a real database: what is in an archive, and what never is.

pub(crate) mod archive;
mod content;
mod crash;
mod hands;
mod old;

use std::sync::Arc;

use aws_config::SdkConfig;
use data_export::{App, Ended, work};
use jiff::Timestamp;
use numib::archive::exports::Exports;
use numib::domain::export::{Export, LEASE, State};
use numib::domain::ids::ExportId;
use numib::edge::clients;
use numib::edge::clock::Clock;
use numib::edge::queue::ExportQueue;
use numib::identity::UserPool;
use numib::seal::kms::DataKeys;
use numib::seal::receipt::SigningKey;
use numib::store::Store;
use serde_json::Value;
use xtask::account::random_id;

use crate::cloud::Cloud;
use crate::database::Database;
use crate::shop::{Shop, now};
use crate::webhook::Intake;
use archive::Archive;

/// A shop, the cloud around it, and a worker.
struct Desk<'a> {
    db: &'a Database,
    cloud: Cloud,
    intake: Intake,
    shop: Shop,
    app: Arc<App>,
}

impl<'a> Desk<'a> {
    async fn open(db: &'a Database) -> Self {
        let cloud = Cloud::new();
        let shop = Shop::open(db).await;
        let app = app(db, &cloud, data_export::PART_LEN);
        Self { db, cloud, intake: Intake::start(db), shop, app }
    }

    /// With parts of so many bytes.
    fn in_parts_of(self, part_len: usize) -> Self {
        let app = app(self.db, &self.cloud, part_len);
        Self { app, ..self }
    }

    async fn receive(&self, items: &[Value]) {
        self.receive_at(&self.shop, items).await;
    }

    async fn receive_at(&self, shop: &Shop, items: &[Value]) {
        self.intake.deliver(&shop.body(items)).await.counts();
    }

    /// Asks for an export of its account.
    async fn ask(&self) -> ExportId {
        let id = ExportId::parse(&random_id().unwrap()).unwrap();
        let export = Export::new(id.clone(), self.shop.connection.account.clone(), now());
        self.db.store.open_export(&export).await.unwrap();
        id
    }

    async fn stored(&self, id: &ExportId) -> Export {
        self.db.store.export(id).await.unwrap().unwrap()
    }

    /// Works until it is over; returns the archive.
    async fn finish(&self, id: &ExportId) -> Archive {
        while work(&self.app, id, Clock::set_to(later()), &|| true).await.unwrap() == Ended::ForNow
        {
        }
        self.archive(id).await
    }

    /// The finished archive.
    async fn archive(&self, id: &ExportId) -> Archive {
        let export = self.stored(id).await;
        assert_eq!(export.state, State::Ready, "{export:?}");
        let bytes = self.cloud.object(&export.object_key()).expect("an archive");
        assert_eq!(u64::try_from(bytes.len()).unwrap(), export.written.bytes);
        Archive::read(bytes)
    }

    /// Asks, and works until it is over.
    async fn export(&self) -> Archive {
        self.finish(&self.ask().await).await
    }
}

/// When an export no longer belongs to a worker that died.
fn later() -> Timestamp {
    now() + LEASE * 2
}

/// A worker: the database through its wire, all else in the cloud.
fn app(db: &Database, cloud: &Cloud, part_len: usize) -> Arc<App> {
    app_over(&db.wire.tap(&cloud.around(&db.sdk)), db, part_len)
}

fn app_over(sdk: &SdkConfig, db: &Database, part_len: usize) -> Arc<App> {
    let kms = aws_sdk_kms::Client::new(sdk);
    Arc::new(App {
        store: Store::new(aws_sdk_dynamodb::Client::new(sdk), db.tables.clone()),
        keys: DataKeys::new(kms.clone(), "key".to_owned()),
        receipts: SigningKey::new(kms, "key".to_owned()),
        exports: Exports::new(clients::s3(sdk), "exports".to_owned()),
        user_pool: UserPool::new(sdk, "us-east-1_pool".to_owned()),
        part_len,
        queue: ExportQueue::new(aws_sdk_sqs::Client::new(sdk), "https://sqs/queue".to_owned()),
    })
}
