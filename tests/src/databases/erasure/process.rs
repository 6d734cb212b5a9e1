//! A process whose requests go out one at a time, when a test lets them.

use std::collections::VecDeque;

use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

use crate::database::Database;
use crate::wire::{Call, Fate, Turn, Wire};

/// A process on its own connection to the database.
pub(super) struct Process {
    arrivals: UnboundedReceiver<(Call, Turn)>,
    waiting: VecDeque<(Call, Turn)>,
    is_over: bool,
    task: JoinHandle<()>,
}

impl Process {
    /// Starts the process. Only those of its requests wait for which `is_seen` is true.
    pub(super) fn start<F>(
        db: &Database,
        is_seen: fn(&Call) -> bool,
        run: impl FnOnce(Database) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (arrives, arrivals) = unbounded_channel();
        let wire = Wire::default();
        let db = db.through(&wire);
        wire.decide(move |call| {
            if !is_seen(call) {
                return Fate::Passes;
            }
            let turn = Turn::default();
            arrives.send((call.clone(), turn.clone())).unwrap();
            Fate::Waits(turn)
        });
        let task = tokio::spawn(async move {
            run(db).await;
            // No further request arrives.
            wire.heal();
        });
        Self { arrivals, waiting: VecDeque::new(), is_over: false, task }
    }

    /// Lets so many requests pass, one after the other, or fewer if there are no more.
    pub(super) async fn go(&mut self, requests: usize) {
        for _ in 0..requests {
            while self.waiting.is_empty() && !self.is_over {
                match self.arrivals.recv().await {
                    Some(arrived) => self.waiting.push_back(arrived),
                    None => self.is_over = true,
                }
            }
            self.take_in();
            let Some((_, turn)) = self.waiting.pop_front() else { return };
            turn.take().await;
        }
    }

    fn take_in(&mut self) {
        loop {
            match self.arrivals.try_recv() {
                Ok(arrived) => self.waiting.push_back(arrived),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.is_over = true;
                    return;
                }
            }
        }
    }

    /// How many requests wait.
    pub(super) fn waiting(&mut self) -> usize {
        self.take_in();
        // If one of several requests fails, the process gives up the others.
        self.waiting.retain(|(_, turn)| !turn.is_over());
        self.waiting.len()
    }

    /// Lets one of the waiting requests pass, and returns it.
    pub(super) async fn pass(&mut self, number: usize) -> Call {
        let (call, turn) = self.waiting.remove(number).unwrap();
        turn.take().await;
        call
    }

    /// Ends the process at one of the waiting requests. The request still arrives, or not.
    pub(super) async fn die(&mut self, number: usize, arrives: bool) -> Call {
        let (call, turn) = self.waiting.remove(number).unwrap();
        if arrives {
            turn.take_unheard().await;
        }
        self.task.abort();
        call
    }

    /// Whether the process has ended.
    pub(super) fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    /// How the process ended: an error if it panicked or was killed.
    pub(super) async fn end(self) -> Result<(), tokio::task::JoinError> {
        self.task.await
    }
}
