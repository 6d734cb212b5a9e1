//! An account with at least one stored item of every kind, where the items are found, and the
//! functions around it.

use std::sync::Arc;

use aws_config::SdkConfig;
use data_export::{Ended, work};
use jiff::{SignedDuration, Timestamp};
use numib::archive::attestations::Attestations;
use numib::archive::exports::Exports;
use numib::domain::account::Use;
use numib::domain::audit::{Action, Actor, Event, Outcome};
use numib::domain::consent::{Choice, Decision, Purpose};
use numib::domain::data_kind::DataKind;
use numib::domain::erasure::{Source, State, Target};
use numib::domain::export::Export;
use numib::domain::hold::{Held, Hold};
use numib::domain::ids::{
    AccountId, Channel, EventId, ExportId, HoldId, InvoiceId, MemberId, PolicyVersion,
};
use numib::domain::invoice::{Content, Jurisdiction};
use numib::domain::plan::Plan;
use numib::domain::profile::Profile;
use numib::domain::role::Role;
use numib::domain::time::Day;
use numib::edge::clients;
use numib::edge::clock::Clock;
use numib::edge::queue::{ExportQueue, WorkQueue};
use numib::erasure::{self, Asked, Eraser, Progress, SETTLED};
use numib::identity::UserPool;
use numib::retention::sweep_expired_rows;
use numib::seal::account::{seal_invoice, seal_profile};
use numib::seal::key_pair::Sealer;
use numib::seal::kms::DataKeys;
use numib::seal::receipt::SigningKey;
use numib::store::accounts::Member;
use numib::store::answers::{Answer, Attempt};
use numib::store::invoices::StoredInvoice;
use retention::handle;
use xtask::account::random_id;

use crate::cloud::Cloud;
use crate::database::{Database, Place};
use crate::retention::{clock_for, event};
use crate::shop::{Shop, ago, key_pair, now};
use crate::webhook::Intake;

/// Tasks of retention that end what its own clocks are for.
const TASKS: [&str; 4] =
    ["destroy-expired-keys", "cut-audit", "purge-tax-records", "carry-on-exports"];

/// The kind of data that an item belongs to; `None` for numbers about nobody.
pub(super) fn kind_of(place: &Place) -> Option<DataKind> {
    let Place { table, pk, sk } = place;
    let (of, within) = (pk.split('#').next().unwrap(), sk.split('#').next().unwrap());
    Some(match (table.as_str(), of, within) {
        ("messages", ..) => DataKind::Message,
        ("keys", "CONNECTION", "DAY") => DataKind::DayKey,
        ("keys", "ROUTE", "INDEX") => DataKind::IndexKey,
        ("keys", "ACCOUNT", "KEY") => DataKind::AccountKey,
        ("keys", "TAX", "KEY") => DataKind::TaxKey,
        ("ledger", "ERASURES" | "HEAD" | "REQUEST", _) => DataKind::LedgerEntry,
        ("ledger", "AUDIT" | "AUDITED", _) => DataKind::AuditEvent,
        ("core", "CONNECTION", "CONTACT") => DataKind::Contact,
        ("core", "ROUTE" | "ACCOUNT", "CONNECTION") => DataKind::Connection,
        ("core", "ACCOUNT", "ACCOUNT") => DataKind::Account,
        ("core", "ACCOUNT" | "MEMBER", "MEMBER") => DataKind::Member,
        ("core", "ANSWER", _) => DataKind::Answer,
        ("core", "CONSENTS", _) => DataKind::Consent,
        ("core", "EXPORT" | "EXPORTS", _) => DataKind::Export,
        ("core", "TAX" | "TAX-DUE", _) => DataKind::Invoice,
        ("core", "POLICY", "POLICY") | ("core", "POLICIES", _) => DataKind::PolicyVersion,
        ("core", "POLICY", "MEMBER") => DataKind::PolicyNotice,
        ("core", "REQUEST" | "REQUESTS" | "SUBJECT" | "ONCE" | "LANE", _) => DataKind::Request,
        ("core", "HOLD" | "HOLDS" | "WAIT", _) => DataKind::Hold,
        ("core", "RETENTION", _) => return None,
        _ => panic!("an item of no kind of data: {place:?}"),
    })
}

pub(super) struct Home<'a> {
    db: &'a Database,
    pub(super) cloud: Cloud,
    sdk: SdkConfig,
    shop: Shop,
    member: MemberId,
    policy: PolicyVersion,
}

impl<'a> Home<'a> {
    /// An account with an item of every kind.
    pub(super) async fn full(db: &'a Database) -> Self {
        let cloud = Cloud::new();
        let home = Self {
            db,
            sdk: cloud.around(&db.sdk),
            cloud,
            shop: Shop::open_with(db, Channel::Messenger, Plan::Days7).await,
            member: MemberId::parse(&random_id().unwrap()).unwrap(),
            policy: PolicyVersion::parse(&random_id().unwrap()).unwrap(),
        };
        // An export comes last: an erasure takes it away.
        for kind in DataKind::ALL.iter().rev() {
            home.make(*kind).await;
        }
        home
    }

    pub(super) const fn account(&self) -> &AccountId {
        &self.shop.connection.account
    }

    /// Stores an item of a kind as the product does.
    async fn make(&self, kind: DataKind) {
        let store = &self.db.store;
        let account = self.account();
        match kind {
            // With the shop, the invoice, and the request.
            DataKind::DayKey
            | DataKind::IndexKey
            | DataKind::Connection
            | DataKind::Account
            | DataKind::TaxKey
            | DataKind::LedgerEntry => {}
            DataKind::Message | DataKind::Contact => {
                let sent = self.shop.text("7001", ago(9000), "m_1", "hi");
                Intake::start(self.db).deliver(&self.shop.body(&[sent])).await.counts();
            }
            DataKind::Member => {
                let owner = Member { account: account.clone(), role: Role::Owner };
                store.add_member(&self.member, &owner).await.unwrap();
            }
            DataKind::Answer => self.answer().await,
            DataKind::Consent => {
                let decision = Decision {
                    purpose: Purpose::MarketingEmail,
                    choice: Choice::Granted,
                    policy_version: self.policy.clone(),
                    decided_by: self.member.clone(),
                    decided_at: ago(1000),
                };
                store.keep_decision(account, &decision).await.unwrap();
            }
            DataKind::AccountKey => {
                let key = store.put_account_key(account, Use::Profile, key_pair()).await.unwrap();
                let to = (account, &key);
                let sealed = seal_profile(&mut Sealer::default(), to, &Profile::default());
                store.put_profile(account, 0, sealed.unwrap()).await.unwrap();
            }
            DataKind::Invoice => self.invoice().await,
            DataKind::PolicyVersion => {
                assert!(store.put_policy_version(&self.policy, Day::of(now())).await.unwrap());
            }
            DataKind::PolicyNotice => {
                store.put_told(&self.member, &self.policy, now()).await.unwrap();
            }
            DataKind::Request => {
                // Of a message that is gone by then: it proves itself.
                let key = self.shop.key("7001", "m_gone");
                let target = Target::Message {
                    account: account.clone(),
                    conversation: key.conversation,
                    message: key.message,
                };
                self.erase(target).await;
            }
            DataKind::Hold => self.hold().await,
            DataKind::AuditEvent => {
                let id = EventId::parse(&random_id().unwrap()).unwrap();
                let (actor, action) = (Actor::Operator, Action::OpenAccount);
                let event = Event::from_outside(id, now(), actor, action, &[]);
                assert_eq!(event.outcome, Outcome::Done);
                store.append_audit_event(account, event).await.unwrap();
            }
            DataKind::Export => {
                self.export().await;
            }
        }
    }

    async fn answer(&self) {
        let attempt = Attempt {
            member: self.member.clone(),
            key: "k".to_owned(),
            fingerprint: "f".to_owned(),
            at: now(),
        };
        self.db.store.begin_attempt(&attempt).await.unwrap();
        let (content_type, body) = ("application/json".to_owned(), "{}".to_owned());
        let answer = Answer { status: 200, content_type, body };
        self.db.store.keep_answer(&attempt, &answer).await.unwrap();
    }

    /// On another account, which nothing here erases: this one's erasure would wait for it.
    async fn hold(&self) {
        let other = AccountId::parse(&random_id().unwrap()).unwrap();
        let hold = Hold {
            id: HoldId::parse("h").unwrap(),
            reason: "a lawsuit".to_owned(),
            reference: "case 7".to_owned(),
            set_at: now(),
        };
        assert!(self.db.store.put_hold(&Held::Account(other), &hold).await.unwrap());
    }

    async fn invoice(&self) {
        let (store, account) = (&self.db.store, self.account());
        let key = store.put_account_key(account, Use::TaxRecords, key_pair()).await.unwrap();
        let content = Content {
            number: "A-1".to_owned(),
            currency: "GTQ".to_owned(),
            total_minor: 100,
            fel: None,
            lines: vec!["a month".to_owned()],
        };
        let id = InvoiceId::parse("i1").unwrap();
        let to = (account, &key);
        let sealed = seal_invoice(&mut Sealer::default(), to, &id, &content).unwrap();
        let issued_on = Day::of(now());
        let jurisdiction = Jurisdiction::Guatemala;
        let kept_until = jurisdiction.kept_until(issued_on);
        let invoice = StoredInvoice { id, issued_on, jurisdiction, kept_until, sealed };
        assert!(store.put_invoice(account, &invoice).await.unwrap());
    }

    /// Asks for an export of the account, and writes its archive.
    pub(super) async fn export(&self) -> Vec<u8> {
        let id = ExportId::parse(&random_id().unwrap()).unwrap();
        let export = Export::new(id.clone(), self.account().clone(), now());
        self.db.store.open_export(&export).await.unwrap();
        let kms = aws_sdk_kms::Client::new(&self.sdk);
        let app = Arc::new(data_export::App {
            store: self.db.store.clone(),
            keys: DataKeys::new(kms.clone(), "key".to_owned()),
            receipts: SigningKey::new(kms, "key".to_owned()),
            exports: self.exports(),
            user_pool: UserPool::new(&self.sdk, "us-east-1_pool".to_owned()),
            part_len: data_export::PART_LEN,
            queue: self.export_queue(),
        });
        assert_eq!(work(&app, &id, Clock::set_to(now()), &|| true).await.unwrap(), Ended::ForGood);
        self.cloud.object(&export.object_key()).expect("an archive")
    }

    fn exports(&self) -> Exports {
        Exports::new(clients::s3(&self.sdk), "exports".to_owned())
    }

    fn export_queue(&self) -> ExportQueue {
        ExportQueue::new(aws_sdk_sqs::Client::new(&self.sdk), "https://sqs/queue".to_owned())
    }

    /// Erases the account, with its channels.
    pub(super) async fn erase_account(&self) {
        self.erase(Target::Account { account: self.account().clone() }).await;
    }

    /// Asks for an erasure, and works until it is completed.
    async fn erase(&self, target: Target) {
        let asked = Asked {
            source: Source::Account,
            reference: None,
            subject: target.subject(),
            targets: vec![target],
            due_at: None,
        };
        let eraser = Eraser {
            store: self.db.store.clone(),
            user_pool: UserPool::new(&self.sdk, "us-east-1_pool".to_owned()),
            receipts: SigningKey::new(aws_sdk_kms::Client::new(&self.sdk), "key".to_owned()),
            exports: self.exports(),
        };
        let first = erasure::begin(&self.db.store, asked, now()).await.unwrap().id;
        let mut waiting = vec![first.clone()];
        let mut at = now();
        while let Some(id) = waiting.last() {
            match eraser.work(id, at, &|| true).await.unwrap() {
                Progress::More => {}
                Progress::Behind(other) => waiting.push(other),
                Progress::Completed(_) | Progress::Nothing => {
                    waiting.pop();
                }
            }
            at += SETTLED;
            assert!(at < now() + SETTLED * 20, "it comes to an end");
        }
        let request = self.db.store.request(&first).await.unwrap().unwrap().request;
        assert_eq!(request.state, State::Completed);
    }

    /// Runs everything that ends data in its time, at a time.
    pub(super) async fn expire(&self, at: Timestamp) {
        let kms = aws_sdk_kms::Client::new(&self.sdk);
        let queue = aws_sdk_sqs::Client::new(&self.sdk);
        let app = retention::App {
            store: self.db.store.clone(),
            day_keys: DataKeys::new(kms.clone(), "key".to_owned()),
            queue: WorkQueue::new(queue, "https://sqs/queue".to_owned()),
            receipts: SigningKey::new(kms, "key".to_owned()),
            attestations: Attestations::new(clients::s3(&self.sdk), "filed".to_owned()),
            exports: self.exports(),
            export_queue: self.export_queue(),
        };
        for task in TASKS {
            let clock = clock_for(SignedDuration::from_mins(5));
            Box::pin(handle(&app, event(at, task), clock)).await.unwrap();
        }
        // Before the database's own time to live, which would leave nothing to see.
        assert!(sweep_expired_rows(&self.db.store, at, &|| true).await.unwrap().complete);
        self.db.time_to_live(at).await;
    }
}
