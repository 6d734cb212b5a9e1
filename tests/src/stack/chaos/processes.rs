//! The processes in which the emulator runs a function. Tests stop, continue and kill them.
//!
//! The emulator keeps the processes between invocations, as Lambda keeps its sandboxes: one for
//! each invocation that is under way at once. At the function's time-out it ends a process, stopped
//! or not.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use xtask::stack::Stack;

/// How often this looks for new processes. A new process needs longer than that to begin its work.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The processes of one function, whichever there are at the moment.
#[derive(Debug, Clone)]
pub(super) struct Processes {
    /// What only their environment contains: the function's name, and the emulator's address.
    marks: [String; 2],
}

impl Processes {
    /// The processes of the function with this name.
    pub(super) fn of(stack: &Stack, function: &str) -> Self {
        let endpoint = &stack.deployed.endpoint;
        let marks = [
            format!("AWS_LAMBDA_FUNCTION_NAME={function}"),
            format!("AWS_ENDPOINT_URL={endpoint}"),
        ];
        Self { marks }
    }

    /// Stops these processes, and new ones, until the returned value is dropped.
    pub(super) fn stop(&self) -> Standing {
        let mut stopped = self.ids();
        assert!(!stopped.is_empty(), "no process has {:?}", self.marks);
        signal("-STOP", &stopped);
        let go_on = Arc::new(AtomicBool::new(false));
        let (processes, is_over) = (self.clone(), Arc::clone(&go_on));
        let watch = std::thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                let newcomers = &processes.ids() - &stopped;
                signal("-STOP", &newcomers);
                stopped.extend(newcomers);
                std::thread::sleep(LOOK_AGAIN);
            }
        });
        Standing { processes: self.clone(), go_on, watch: Some(watch) }
    }

    /// Kills the processes, as if the machine lost its power.
    pub(super) fn kill(&self) {
        signal("-KILL", &self.ids());
    }

    fn ids(&self) -> BTreeSet<String> {
        // `e` shows the environment behind the arguments.
        let listed = Command::new("ps").args(["axeww", "-o", "pid=,args="]).output().unwrap();
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let has_all = |line: &&str| {
            let words: BTreeSet<&str> = line.split_whitespace().collect();
            self.marks.iter().all(|mark| words.contains(mark.as_str()))
        };
        let id = |line: &str| line.split_whitespace().next().map(str::to_owned);
        listed.lines().filter(has_all).filter_map(id).collect()
    }
}

/// Stopped processes. They go on when this is dropped, so a test that fails leaves none stopped.
#[derive(Debug)]
pub(super) struct Standing {
    processes: Processes,
    go_on: Arc<AtomicBool>,
    watch: Option<JoinHandle<()>>,
}

impl Standing {
    /// Lets the processes go on.
    pub(super) fn go_on(self) {
        drop(self);
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.go_on.store(true, Ordering::Relaxed);
        // Nobody may stop a new process once the others go on.
        let _ = self.watch.take().map(JoinHandle::join);
        signal("-CONT", &self.processes.ids());
    }
}

/// Sends a signal. A process that has ended in between does not matter.
fn signal(signal: &str, ids: &BTreeSet<String>) {
    if !ids.is_empty() {
        let mut kill = Command::new("kill");
        let _ = kill.arg(signal).args(ids).stderr(Stdio::null()).status();
    }
}

#[test]
fn processes_stand_still_until_the_guard_is_dropped_and_so_do_newcomers() {
    let marks = ["AWS_LAMBDA_FUNCTION_NAME=test", &format!("OF={}", std::process::id())];
    let processes = Processes { marks: marks.map(str::to_owned) };
    let start = || {
        let marks = marks.iter().filter_map(|mark| mark.split_once('='));
        Command::new("sleep").arg("60").envs(marks).spawn().unwrap()
    };
    let [mut first, mut second] = [start(), start()];
    let comes_to = |id: u32, state: char| {
        (0..100).any(|_| {
            std::thread::sleep(LOOK_AGAIN / 2);
            let ps = Command::new("ps").args(["-o", "stat=", "-p", &id.to_string()]).output();
            String::from_utf8_lossy(&ps.unwrap().stdout).trim_start().starts_with(state)
        })
    };
    let standing = processes.stop();
    let mut newcomer = start();
    for child in [&first, &second, &newcomer] {
        assert!(comes_to(child.id(), 'T'), "it stands still");
    }
    drop(standing);
    for child in [&first, &second, &newcomer] {
        assert!(comes_to(child.id(), 'S'), "it goes on");
    }
    processes.kill();
    for child in [&mut first, &mut second, &mut newcomer] {
        assert!(!child.wait().unwrap().success());
    }
}
