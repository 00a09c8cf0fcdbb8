//! How a runtime ends: it drains, then cancels, and says what became of whom.

use std::any::Any;
use std::fmt;
use std::panic::Location;
use std::time::{Duration, Instant};

use super::{Runtime, Shared, Stage, worker};
use crate::park::{Parked, Parker};

/// What became of a [`Runtime`]'s tasks when it was shut down.
#[derive(Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// How many tasks ended by themselves, after the shutdown had begun.
    pub ended: usize,
    /// How many tasks had not ended when the time was up, and were canceled.
    pub canceled: usize,
    /// How many closures had not been started by then, and were dropped.
    pub not_started: usize,
    /// Who had not ended when [`RuntimeOptions::patience`](crate::RuntimeOptions) was over, too:
    /// up to 50 of each thread.
    pub stragglers: Vec<Straggler>,
    /// What a task panicked with, if one did that nobody can join: one that was started with
    /// [`spawn`](crate::spawn) and detached.
    pub panic: Option<Box<dyn Any + Send>>,
}

/// Who had not ended long after it was canceled.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Straggler {
    /// The number of the thread.
    pub worker: usize,
    /// What [`SpawnOptions::name`](crate::SpawnOptions::name) called the task.
    pub name: Option<String>,
    /// Where the task was spawned; `None` if the thread does not say which task keeps it, because
    /// it computes or blocks.
    pub spawned_at: Option<&'static Location<'static>>,
    /// What it is about, for people.
    pub description: String,
}

impl fmt::Display for Straggler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {}: {}", self.worker, self.description)
    }
}

impl fmt::Debug for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShutdownReport")
            .field("ended", &self.ended)
            .field("canceled", &self.canceled)
            .field("not_started", &self.not_started)
            .field("stragglers", &self.stragglers)
            .field("has_panicked", &self.panic.is_some())
            .finish()
    }
}

impl ShutdownReport {
    /// Adds what a worker has to say, which knows nothing of what was not started.
    fn add(&mut self, other: ShutdownReport) {
        self.ended += other.ended;
        self.canceled += other.canceled;
        self.stragglers.extend(other.stragglers);
        if self.panic.is_none() {
            self.panic = other.panic;
        }
    }
}

impl Runtime {
    /// Lets no more closures in, waits up to `drain` for the tasks to end, cancels those that have
    /// not, and waits for their end. Closures that were let in before are still started while it
    /// drains; those that were not are dropped then. What canceled tasks spawn on their way out is
    /// asked to stop before it begins.
    ///
    /// Who has not ended some time after that ([`RuntimeOptions::patience`](crate::RuntimeOptions))
    /// is named in the log, as a warning, while this waits: no task is ever ended by force.
    ///
    /// A task of another scheduler is suspended meanwhile. If it is canceled, or if one of the
    /// runtime's own tasks calls this and is canceled with all others, the time for draining is
    /// over. The runtime's own task does not wait then: it would wait for itself.
    pub fn shutdown(mut self, drain: Duration) -> ShutdownReport {
        self.stop(drain)
    }

    fn stop(&mut self, drain: Duration) -> ShutdownReport {
        let (shared, parker) = (&self.handle.shared, Parker::current());
        let mut report = ShutdownReport::default();
        // Said before it is done: who is refused may ask whether the runtime is closed.
        shared.enter(Stage::Draining);
        shared.team.mailboxes().for_each(|mailbox| mailbox.refuse());
        if shared.await_end(&parker, drain).is_err() {
            let unstarted = shared.team.mailboxes().map(|mailbox| mailbox.evict().len());
            report.not_started = unstarted.sum();
            shared.enter(Stage::Canceling);
            if shared.await_end(&parker, shared.options.patience) == Err(Parked::Expired) {
                report.stragglers = shared.silent_workers();
            }
            if worker::is_one_of(shared) || !parker.can_wait() {
                self.threads.clear();
            } else {
                shared.await_end_shielded(&parker);
            }
        }
        for thread in self.threads.drain(..) {
            // What it panicked with is in its report.
            let _ = thread.join();
        }
        let mut books = shared.lock();
        books.workers.iter_mut().filter_map(|worker| worker.report.take()).for_each(|of_worker| {
            report.add(of_worker);
        });
        drop(books);
        report
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if !self.threads.is_empty() {
            self.stop(Duration::ZERO);
        }
    }
}

impl Shared {
    fn have_ended(&self, parker: &Parker) -> bool {
        let mut books = self.lock();
        books.waiter = Some(parker.unparker());
        books.workers.iter().all(|worker| worker.report.is_some())
    }

    /// Waits until all workers have ended, or says what came before that.
    fn await_end(&self, parker: &Parker, patience: Duration) -> Result<(), Parked> {
        let deadline = Instant::now().checked_add(patience);
        while !self.have_ended(parker) {
            match parker.park("the end of a runtime", deadline) {
                Parked::Woken => {}
                other => return Err(other),
            }
        }
        Ok(())
    }

    fn await_end_shielded(&self, parker: &Parker) {
        while !self.have_ended(parker) {
            parker.park_shielded("the end of a runtime");
        }
    }

    /// The workers that did not see yet that their tasks are to be canceled.
    fn silent_workers(&self) -> Vec<Straggler> {
        let mut silent = Vec::new();
        for (worker, books) in self.lock().workers.iter().enumerate() {
            if !books.has_canceled && books.report.is_none() {
                let description = "a task computes or blocks, and lets no other run".into();
                silent.push(Straggler { worker, name: None, spawned_at: None, description });
            }
        }
        for straggler in &silent {
            log::warn!("canceled, and goes on: {straggler}");
        }
        silent
    }
}
