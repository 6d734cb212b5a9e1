//! A world in which intake, doors, workers and holds act at once. Their requests go out one at a
//! time, in an order that a seed decides, and any of them may die at any request. Whatever the
//! order, in the end nothing is left of what was to be erased, everything else is there, and
//! receipts and ledger say once what was erased.
//!
//! Nothing here waits for a clock. The database is in this process, time stands still while
//! anything is under way, and simulated time moves when the seed says so. So a seed always has the
//! same order. A failure names its seed: `NUMIB_WORLD_SEEDS=7..8` tries seed 7 alone.

mod actors;
mod dice;
mod judge;
mod plan;
mod run;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use jiff::{SignedDuration, Timestamp};
use numib::domain::erasure::Target;
use numib::domain::hold::Hold;
use numib::domain::ids::{AccountId, Channel, ConnectionId, HoldId, MemberId, RequestId};
use numib::domain::key_window;
use numib::domain::plan::Plan as Kept;
use numib::domain::role::Role;
use numib::domain::time::Day;
use numib::seal::pseudonym::IndexKey;
use numib::store::accounts::Member;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use self::actors::{Actor, Ear, Outcome, Task, Who};
use self::dice::Dice;
use self::plan::{BESIDE, Delivery, Plan, Shops};
use self::watch::{Item, Key, Raw, Tables, Watch};
use crate::cloud::Cloud;
use crate::database::Database;
use crate::shop::{Names, Shop, now};
use crate::webhook::Intake;

/// Later than everything that happens in a world.
const FAR: SignedDuration = SignedDuration::from_hours(1);

/// Worlds that are run at once.
const THREADS: usize = 2;

/// Everything in a world.
struct World {
    db: Database,
    raw: Raw,
    shops: Shops,
    plan: Plan,
    /// The targets of all requests together.
    cover: BTreeSet<Target>,
    /// Items that must not change.
    apart: BTreeMap<Key, Item>,
    watch: Watch,
    dice: Dice,
    clock: Timestamp,
    actors: Vec<Actor>,
    /// Tasks that nobody has begun.
    tasks: Vec<Task>,
    late: Vec<Delivery>,
    /// The messages of the queue, and when each is delivered.
    queue: Vec<(RequestId, Timestamp)>,
    /// For each body, how often it was delivered, and whether an answer was 200.
    answers: BTreeMap<usize, (usize, bool)>,
    deaths_left: usize,
    begun: usize,
    ear: Ear,
    heard: UnboundedReceiver<(Who, Outcome)>,
    /// What happened, in order.
    trace: Vec<String>,
    faults: Vec<String>,
}

fn names(number: u8, account: &str) -> Names {
    Names {
        account: AccountId::parse(account).unwrap(),
        connection: ConnectionId::parse(&format!("channel{number}")).unwrap(),
        index_key: IndexKey::new(&[number; 32]).unwrap(),
        meta_id: format!("90000000000000{number}"),
    }
}

async fn shop(db: &Database, number: u8, account: &str) -> Shop {
    let kind = (Channel::Messenger, Kept::Days30);
    let shop = Shop::connect_as(db, names(number, account), kind, Timestamp::UNIX_EPOCH).await;
    shop.make_keys(db, key_window::days(Day::of(now())).skip(2).take(2)).await;
    shop
}

impl World {
    async fn new(seed: u64) -> Self {
        let dynoxide = dynoxide::Database::memory().unwrap();
        let mut db = Database::in_process(dynoxide.clone()).await;
        let raw = Raw::new(dynoxide, db.tables.clone());
        // A request that fails is the last one of its process: the SDK does not repeat it.
        db.sdk = Cloud::new()
            .around(&db.sdk)
            .into_builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::disabled())
            .build();
        let shops = Shops {
            own: shop(&db, 1, "business").await,
            beside: shop(&db, 2, "business").await,
            stranger: shop(&db, 3, "stranger").await,
        };
        let member = MemberId::parse("member").unwrap();
        let of = Member { account: shops.own.connection.account.clone(), role: Role::Agent };
        db.store.add_member(&member, &of).await.unwrap();
        let mut dice = Dice::new(seed);
        let plan = Plan::draw(&mut dice, &shops, &member);
        let intake = Intake::start(&db);
        for body in &plan.old {
            intake.deliver(&shops.webhook(body)).await.counts();
        }
        let stranger = &shops.stranger;
        let item = stranger.text("7001", now(), "m_0", "hi");
        intake.deliver(&stranger.body(&[item])).await.counts();
        let mut tasks: Vec<Task> = hold(&db, &plan).await.into_iter().collect();
        tasks.extend(plan.doors.iter().map(|asked| Task::Ask(Box::new(asked.clone()))));
        let cover: BTreeSet<Target> =
            plan.doors.iter().flat_map(|asked| asked.targets.clone()).collect();
        let (ear, heard) = unbounded_channel();
        let mut world = Self {
            apart: apart(&raw, &shops, &cover),
            watch: Watch::start(raw.clone(), cover.clone()),
            db,
            raw,
            shops,
            plan,
            cover,
            clock: now(),
            actors: Vec::new(),
            tasks,
            late: Vec::new(),
            queue: Vec::new(),
            answers: BTreeMap::new(),
            deaths_left: dice.below(5),
            dice,
            begun: 0,
            ear,
            heard,
            trace: Vec::new(),
            faults: Vec::new(),
        };
        for delivery in world.plan.deliveries.clone() {
            if delivery.is_late {
                world.late.push(delivery);
            } else {
                let task = world.delivery(&delivery.bodies);
                world.tasks.push(task);
            }
        }
        world
    }

    fn delivery(&self, bodies: &[usize]) -> Task {
        let webhook = |number: &usize| (*number, self.shops.webhook(&self.plan.bodies[*number]));
        Task::Deliver(bodies.iter().map(webhook).collect())
    }

    /// What happened, with names instead of ids.
    fn story(&self) -> String {
        let doors = self.plan.doors.iter().enumerate().map(|(number, asked)| {
            let targets: Vec<String> = asked.targets.iter().map(Target::to_string).collect();
            format!("door {number} is for {}", targets.join(" and "))
        });
        let held = self.plan.held.iter().map(|held| format!("a hold is on {held:?}"));
        let trace = self.trace.iter().cloned();
        let mut story = doors.chain(held).chain(trace).collect::<Vec<_>>().join("\n  ");
        let tables = self.raw.tables();
        let requests = tables.core.keys().filter(|(_, sk)| sk == "REQUEST");
        let requests = requests.filter_map(|(pk, _)| pk.strip_prefix("REQUEST#"));
        let mut requests: Vec<&str> = requests.collect();
        requests.sort_by_key(|id| story.find(id));
        for (number, id) in requests.into_iter().enumerate() {
            story = story.replace(id, &format!("r{}", number + 1));
        }
        let Shops { own, beside, .. } = &self.shops;
        let contacts = plan::CONTACTS.iter().map(|contact| (own, contact));
        for (shop, contact) in contacts.chain(BESIDE.iter().map(|contact| (beside, contact))) {
            let pseudonym = shop.conversation(contact).contact;
            story = story.replace(pseudonym.as_str(), contact);
            for number in 0..3 {
                let mid = format!("m_{contact}_{number}");
                let message = shop.key(contact, &mid).message;
                story = story.replace(message.as_str(), &mid);
            }
        }
        story
    }
}

/// Sets the hold of the plan, if there is one. Returns the task that lifts it.
async fn hold(db: &Database, plan: &Plan) -> Option<Task> {
    let held = plan.held.clone()?;
    let id = HoldId::parse("h").unwrap();
    let (reason, reference) = ("a lawsuit".to_owned(), "case 7".to_owned());
    let hold = Hold { id: id.clone(), reason, reference, set_at: now() };
    db.store.put_hold(&held, &hold).await.unwrap();
    Some(Task::Lift(held, id))
}

/// The items of others: of another account, and of a contact that no body speaks of.
fn apart(raw: &Raw, shops: &Shops, cover: &BTreeSet<Target>) -> BTreeMap<Key, Item> {
    let is_beside_erased = cover.iter().any(|target| match target {
        Target::Connection { connection, .. } => *connection == shops.beside.connection.id,
        Target::Account { .. }
        | Target::Member { .. }
        | Target::Contact { .. }
        | Target::Message { .. } => false,
    });
    let stranger = shops.stranger.connection.id.as_str();
    let contact = shops.beside.conversation(BESIDE[1]).contact;
    let Tables { messages, core, keys } = raw.tables();
    let all = messages.into_iter().chain(core).chain(keys);
    all.filter(|((pk, sk), _)| {
        let is_contacts = pk.contains(contact.as_str()) || sk.contains(contact.as_str());
        pk.contains(stranger) || (is_contacts && !is_beside_erased)
    })
    .collect()
}

/// The end of a world.
struct Ended {
    seed: u64,
    faults: Vec<String>,
    story: String,
}

/// Runs the world of a seed.
async fn run(seed: u64) -> Ended {
    let mut world = World::new(seed).await;
    world.go().await;
    let mut faults = std::mem::take(&mut world.faults);
    faults.extend(judge::judge(&world).await);
    Ended { seed, faults, story: world.story() }
}

/// Runs the world on a clock that stands still. A world that panics is wrong, too.
fn run_alone(seed: u64) -> Ended {
    let run = || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(Box::pin(run(seed)))
    };
    std::panic::catch_unwind(run).unwrap_or_else(|_| {
        let faults = vec!["it panicked; see above".to_owned()];
        Ended { seed, faults, story: String::new() }
    })
}

/// Fails with a line about each fault, and with the story of the first world that is wrong.
fn run_all(seeds: Range<u64>) {
    let next = AtomicU64::new(seeds.start);
    let work = || {
        let mut wrong = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if !seeds.contains(&seed) {
                return wrong;
            }
            let ended = run_alone(seed);
            if !ended.faults.is_empty() {
                wrong.push(ended);
            }
        }
    };
    let mut wrong: Vec<Ended> = std::thread::scope(|scope| {
        let hands: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        hands.into_iter().flat_map(|hand| hand.join().unwrap()).collect()
    });
    wrong.sort_by_key(|ended| ended.seed);
    let Some(Ended { seed, faults, story }) = wrong.first() else { return };
    let lines = wrong.iter().flat_map(|ended| {
        let line = |fault: &String| fault.lines().next().unwrap_or_default().to_owned();
        ended.faults.iter().map(move |fault| format!("seed {}: {}", ended.seed, line(fault)))
    });
    panic!(
        "{} of {} worlds are wrong.\n{}\n\nSeed {seed}:\n  {}\n\nWhat happened:\n  {story}\n",
        wrong.len(),
        seeds.count(),
        lines.collect::<Vec<_>>().join("\n"),
        faults.join("\n  "),
    );
}

//= R8.3, R8.5, R8.6
#[test]
fn in_no_world_does_a_receipt_say_more_than_is_true() {
    run_all(seeds().unwrap_or(0..52));
}

/// The seeds that the environment asks for, `FROM..TO`.
fn seeds() -> Option<Range<u64>> {
    #[expect(clippy::disallowed_methods, reason = "set by who wants other seeds")]
    let seeds = std::env::var("NUMIB_WORLD_SEEDS").ok()?;
    let (from, to) = seeds.split_once("..").expect("FROM..TO");
    Some(from.parse().unwrap()..to.parse().unwrap())
}
