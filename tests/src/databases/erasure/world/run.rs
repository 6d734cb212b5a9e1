//! The course of a world: whose turn it is, who dies, and what follows from the answers.

use std::time::Duration;

use jiff::SignedDuration;
use numib::domain::ids::RequestId;
use numib::erasure::{ErasureError, Progress};
use numib::store::StoreError;
use serde_json::Value;

use super::World;
use super::actors::{Actor, Outcome, Task, Who, begin};
use super::watch::text;
use crate::wire::Call;

/// More than any world takes.
const STEPS_MAX: usize = 20_000;
/// How often a body is delivered before it is given up, as Meta does.
const TRIES_MAX: usize = 12;
/// Processes that are under way at once.
const ACTORS_MAX: usize = 6;
/// When the queue delivers a message that asks to go on.
const AGAIN: SignedDuration = SignedDuration::from_secs(3);
/// One request in so many is the last one of its process. Doors die more often, for they make fewer
/// requests.
const DEATHS: usize = 30;
const DEATHS_AT_THE_DOOR: usize = 12;

/// What may happen next.
enum Choice {
    Pass(usize),
    Begin(usize),
    Work(usize),
    /// This many seconds go by.
    Leap(i64),
}

impl World {
    /// Runs everything to its end.
    pub(super) async fn go(&mut self) {
        self.until_nothing_is_left().await;
        self.follow_up().await;
        let late = std::mem::take(&mut self.late);
        self.trace.push("all erasures have ended".to_owned());
        let tasks: Vec<Task> = late.iter().map(|late| self.delivery(&late.bodies)).collect();
        self.tasks.extend(tasks);
        self.until_nothing_is_left().await;
        // Everything once more.
        self.deaths_left = 0;
        for number in 0..self.plan.bodies.len() {
            self.tasks.push(self.delivery(&[number]));
            self.until_nothing_is_left().await;
        }
        self.follow_up().await;
        for (number, (_, is_taken)) in &self.answers {
            if !is_taken {
                self.faults.push(format!("body {number} was never answered 200"));
            }
        }
    }

    /// Queues the requests again that nobody works on any more, as retention does.
    async fn follow_up(&mut self) {
        for _ in 0..20 {
            let stuck: Vec<_> = self.unfinished();
            if stuck.is_empty() {
                return;
            }
            self.trace.push(format!("{} requests are found to stand still", stuck.len()));
            self.queue.extend(stuck.into_iter().map(|id| (id, self.clock)));
            self.until_nothing_is_left().await;
        }
        self.faults.push("an erasure never ends".to_owned());
    }

    fn unfinished(&self) -> Vec<RequestId> {
        let tables = self.raw.tables();
        let requests = tables
            .core
            .iter()
            .filter(|((_, sk), item)| sk == "PROGRESS" && text(item, "state") != "completed");
        let id = |pk: &str| RequestId::parse(pk.strip_prefix("REQUEST#").unwrap()).unwrap();
        requests.map(|((pk, _), _)| id(pk)).collect()
    }

    async fn until_nothing_is_left(&mut self) {
        for _ in 0..STEPS_MAX {
            self.settle().await;
            let choices = self.choices();
            if choices.is_empty() {
                if self.actors.is_empty() {
                    return;
                }
                // An actor pauses.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
            let weights: Vec<usize> = choices.iter().map(|(weight, _)| *weight).collect();
            match choices[self.dice.weighted(&weights)].1 {
                Choice::Pass(actor) => self.pass(actor).await,
                Choice::Begin(task) => {
                    let task = self.tasks.remove(task);
                    self.begin(task);
                }
                Choice::Work(number) => {
                    let (id, _) = self.queue.remove(number);
                    self.begin(Task::Work(id));
                }
                Choice::Leap(seconds) => self.leap(SignedDuration::from_secs(seconds)).await,
            }
        }
        panic!("no end after {STEPS_MAX} steps: {}", self.story());
    }

    /// Lets everything come to rest, and takes the results.
    async fn settle(&mut self) {
        // Time stands still while anything can go on. So when this returns, nothing can.
        tokio::time::sleep(Duration::from_millis(1)).await;
        while let Ok((who, outcome)) = self.heard.try_recv() {
            self.hear(who, outcome);
        }
        let (over, rest) = std::mem::take(&mut self.actors)
            .into_iter()
            .partition(|actor: &Actor| actor.process.is_over());
        self.actors = rest;
        let over: Vec<Actor> = over;
        for actor in over {
            if let Err(error) = actor.process.end().await {
                self.faults.push(format!("{}: {error}", actor.who));
            }
        }
    }

    fn choices(&mut self) -> Vec<(usize, Choice)> {
        let mut choices = Vec::new();
        for (number, actor) in self.actors.iter_mut().enumerate() {
            if actor.process.waiting() > 0 {
                choices.push((actor.speed, Choice::Pass(number)));
            }
        }
        if self.actors.len() < ACTORS_MAX {
            let begin = |number| (2, Choice::Begin(number));
            choices.extend((0..self.tasks.len()).map(begin));
            let workers =
                self.actors.iter().filter(|actor| matches!(actor.task, Task::Work(_))).count();
            let due = self.queue.iter().enumerate().filter(|(_, (_, at))| *at <= self.clock);
            let work = |(number, _)| (4, Choice::Work(number));
            choices.extend(due.filter(|_| workers < 2).map(work));
        }
        if self.queue.iter().any(|(_, at)| *at > self.clock) {
            choices.extend([1, 3, 11].map(|seconds| (2, Choice::Leap(seconds))));
        } else if !choices.is_empty() {
            choices.push((1, Choice::Leap(1)));
        }
        choices
    }

    fn begin(&mut self, task: Task) {
        self.begun += 1;
        let number = self.begun;
        let who = match &task {
            Task::Deliver(bodies) => {
                for (body, _) in bodies {
                    self.answers.entry(*body).or_default().0 += 1;
                }
                Who::Intake(number)
            }
            Task::Ask(_) => Who::Door(number),
            Task::Work(_) => Who::Worker(number),
            Task::Lift(..) => Who::Lifter(number),
        };
        let what = match &task {
            Task::Deliver(bodies) => {
                let of = |(number, _): &(usize, Value)| {
                    let items = self.plan.bodies[*number].iter();
                    let items = items.map(|(message, word)| format!("{word:?} {}", message.mid));
                    format!("body {number} ({})", items.collect::<Vec<_>>().join(", "))
                };
                bodies.iter().map(of).collect::<Vec<_>>().join(" and ")
            }
            Task::Ask(asked) => format!("asks for {:?}", asked.subject),
            Task::Work(_) => "works".to_owned(),
            Task::Lift(held, _) => format!("lifts {held:?}"),
        };
        self.trace.push(format!("{who} begins: {what}"));
        let looks = if self.dice.one_in(3) { self.dice.below(3) } else { usize::MAX };
        let speed = *self.dice.pick(&[1, 4, 16, 64]);
        let process = begin(&self.db, (who, task.clone()), (self.clock, looks), self.ear.clone());
        self.actors.push(Actor { who, task, born: self.clock, speed, process });
    }

    /// Lets a request of an actor pass, unless the actor dies at it.
    async fn pass(&mut self, number: usize) {
        let deaths = match self.actors[number].task {
            Task::Ask(_) => DEATHS_AT_THE_DOOR,
            Task::Deliver(_) | Task::Work(_) | Task::Lift(..) => DEATHS,
        };
        if self.deaths_left > 0 && self.dice.one_in(deaths) {
            self.deaths_left -= 1;
            return self.die(number).await;
        }
        let actor = &mut self.actors[number];
        let request = self.dice.below(actor.process.waiting());
        let call = actor.process.pass(request).await;
        let who = actor.who;
        self.trace.push(format!("{who}: {}", describe(&call)));
        self.watch.look(who, &call);
    }

    async fn die(&mut self, number: usize) {
        let mut actor = self.actors.remove(number);
        let request = self.dice.below(actor.process.waiting());
        let arrives = self.dice.one_in(2);
        let call = actor.process.die(request, arrives).await;
        let how = if arrives { "after" } else { "before" };
        self.trace.push(format!("{} dies {how} {}", actor.who, describe(&call)));
        if arrives {
            self.watch.look(actor.who, &call);
        }
        match actor.task {
            Task::Work(id) => self.queue.push((id, self.clock + AGAIN)),
            Task::Deliver(bodies) if self.dice.one_in(3) && !self.late_is_over() => {
                let bodies = bodies.into_iter().map(|(body, _)| body).collect();
                self.late.push(super::Delivery { bodies, is_late: true });
            }
            task @ (Task::Deliver(_) | Task::Ask(_) | Task::Lift(..)) => self.tasks.push(task),
        }
    }

    fn late_is_over(&self) -> bool {
        self.trace.iter().any(|line| line == "all erasures have ended")
    }

    /// Time goes by. Actors that would be too old by then are finished or ended before.
    async fn leap(&mut self, by: SignedDuration) {
        let then = self.clock + by;
        self.trace.push(format!("{} s go by", by.as_secs()));
        loop {
            self.settle().await;
            let is_old = |actor: &Actor| actor.born + actor.task.life() < then;
            let Some(number) = self.actors.iter().position(is_old) else { break };
            if self.actors[number].process.waiting() == 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            } else if self.dice.one_in(12) {
                self.die(number).await;
            } else {
                self.pass(number).await;
            }
        }
        self.clock = then;
    }

    fn hear(&mut self, who: Who, outcome: Outcome) {
        let said = match &outcome {
            Outcome::Answered(body, status) => format!("answers body {body} with {status}"),
            Outcome::Asked(Ok(request)) => format!("answers {:?}", request.state),
            Outcome::Asked(Err(error)) | Outcome::Worked(_, Err(error)) => {
                format!("fails: {error}")
            }
            Outcome::Worked(_, Ok(Progress::Completed(request))) => {
                format!("has completed it: {:?}", request.counts)
            }
            Outcome::Worked(_, Ok(progress)) => format!("says {progress:?}"),
            Outcome::Lifted(Ok(waiting)) => format!("{} waited", waiting.len()),
            Outcome::Lifted(Err(error)) => format!("fails: {error}"),
        };
        self.trace.push(format!("{who} {said}"));
        let task = self.actors.iter().find(|actor| actor.who == who);
        let task = task.map(|actor| actor.task.clone());
        match outcome {
            Outcome::Answered(body, status) => {
                let (tries, is_taken) = self.answers.entry(body).or_default();
                *is_taken |= status == 200;
                if status != 200 && *tries < TRIES_MAX {
                    let again = self.delivery(&[body]);
                    self.tasks.push(again);
                }
            }
            Outcome::Asked(Ok(request)) => {
                if request.state.is_work() {
                    self.queue.push((request.id, self.clock));
                }
            }
            Outcome::Worked(id, Ok(Progress::More)) => {
                self.queue.push((id, self.clock + AGAIN));
            }
            Outcome::Worked(id, Ok(Progress::Behind(other))) => {
                self.queue.push((other, self.clock));
                self.queue.push((id, self.clock + AGAIN));
            }
            Outcome::Worked(_, Ok(_)) => {}
            Outcome::Worked(id, Err(error)) => {
                if !matches!(error, ErasureError::Store(StoreError::Conflict)) {
                    self.faults.push(format!("{who}: {error}"));
                }
                self.queue.push((id, self.clock + AGAIN));
            }
            Outcome::Lifted(Ok(waiting)) => {
                self.queue.extend(waiting.into_iter().map(|id| (id, self.clock)));
            }
            Outcome::Asked(Err(_)) | Outcome::Lifted(Err(_)) => self.tasks.extend(task),
        }
    }
}

/// A request, in a line.
fn describe(call: &Call) -> String {
    let Call { operation, body } = call;
    let table = body["TableName"].as_str().unwrap_or_default();
    let table = table.split_once('-').map_or("", |(_, table)| table).trim_end_matches("Table");
    let pair = |key: &Value| {
        let part = |name: &str| key[name]["S"].as_str().unwrap_or_default();
        format!("{} / {}", part("pk"), part("sk"))
    };
    let mut keys = Vec::new();
    for place in ["Key", "Item"] {
        keys.extend(body.get(place).map(pair));
    }
    keys.extend(body["ExpressionAttributeValues"][":pk"]["S"].as_str().map(str::to_owned));
    let requests = body["RequestItems"].as_object().into_iter().flatten();
    for (_, requests) in requests {
        let gets = requests["Keys"].as_array().into_iter().flatten();
        keys.extend(gets.map(pair));
        let writes = requests.as_array().into_iter().flatten();
        keys.extend(writes.map(|write| pair(&write["DeleteRequest"]["Key"])));
    }
    for write in body["TransactItems"].as_array().into_iter().flatten() {
        for (_, write) in write.as_object().into_iter().flatten() {
            let of = if write["Item"].is_object() { &write["Item"] } else { &write["Key"] };
            keys.push(pair(of));
        }
    }
    let state = body["Item"]["state"]["S"].as_str().map(|state| format!(" {state}"));
    format!("{operation} {table} {}{}", keys.join(", "), state.unwrap_or_default())
}
