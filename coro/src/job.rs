//! A closure on its way to the thread that runs it, and its result on the way back.

use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use crate::options::SpawnOptions;
use crate::park::{Parker, Unparker};
use crate::scheduler;
use crate::task::JoinError;

/// Says to a closure on a thread of a pool whether its result is still wanted.
#[derive(Debug, Default)]
pub struct CancellationToken {
    is_canceled: AtomicBool,
}

impl CancellationToken {
    /// Whether the closure was asked to stop: by a cancel of the task that waits for it, or of its
    /// [`JoinHandle`](crate::JoinHandle).
    pub fn is_canceled(&self) -> bool {
        self.is_canceled.load(Ordering::Acquire)
    }

    pub(crate) fn cancel(&self) {
        self.is_canceled.store(true, Ordering::Release);
    }
}

/// A closure that was not started. Dropping it says so to who waits for its result.
pub(crate) struct Job {
    errand: Arc<dyn Errand>,
    pub spawned_at: &'static Location<'static>,
    pub options: SpawnOptions<'static>,
}

/// What a thread does with a closure whose type it does not know.
trait Errand: Send + Sync {
    fn run(&self);
    fn give_up(&self);
    fn is_waiting(&self) -> bool;
}

/// What the owner of a handle does with a result, whatever the closure was.
pub(crate) trait Outcome<T>: Send + Sync {
    /// Takes the result; or keeps the waker, if there is one, until it is there.
    fn take(&self, waker: Option<&Waker>) -> Option<Result<T, JoinError>>;
    fn cancel(&self);
    fn is_complete(&self) -> bool;
    /// Whether it can't end while the caller waits.
    fn stands_still(&self) -> bool;
}

/// The closure, and then its result.
struct Packet<F, T> {
    state: Mutex<State<F, T>>,
    /// What tells a closure on a thread of a pool that it is not wanted any more.
    token: Option<Arc<CancellationToken>>,
}

struct State<F, T> {
    stage: Stage<F, T>,
    /// Who waits for the result.
    waker: Option<Waker>,
}

enum Stage<F, T> {
    /// It may be started: by this scheduler, or by several.
    Waiting(F, Option<u64>),
    /// It is run by this task or thread.
    Running(Unparker),
    Ended(Result<T, JoinError>),
    Taken,
}

impl Job {
    /// Packs a closure up, for a task of this scheduler or of any; the other half waits for its
    /// result.
    pub fn new<T: Send + 'static>(
        options: SpawnOptions<'static>,
        spawned_at: &'static Location<'static>,
        scheduler: Option<u64>,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> (Job, Arc<dyn Outcome<T>>) {
        pack(options, spawned_at, scheduler, None, f)
    }

    /// Packs a closure up for a thread of a pool.
    pub fn for_pool<T: Send + 'static>(
        spawned_at: &'static Location<'static>,
        f: impl FnOnce(&CancellationToken) -> T + Send + 'static,
    ) -> (Job, Arc<dyn Outcome<T>>) {
        let token = Arc::new(CancellationToken::default());
        let own = token.clone();
        pack(SpawnOptions::new(), spawned_at, None, Some(token), move || f(&own))
    }

    /// Whether it is still wanted.
    pub fn is_wanted(&self) -> bool {
        self.errand.is_waiting()
    }

    /// Runs it here, if it is still wanted.
    pub fn run(self) {
        self.errand.run();
    }
}

fn pack<T: Send + 'static>(
    options: SpawnOptions<'static>,
    spawned_at: &'static Location<'static>,
    scheduler: Option<u64>,
    token: Option<Arc<CancellationToken>>,
    f: impl FnOnce() -> T + Send + 'static,
) -> (Job, Arc<dyn Outcome<T>>) {
    let state = State { stage: Stage::Waiting(f, scheduler), waker: None };
    let packet = Arc::new(Packet { state: Mutex::new(state), token });
    (Job { errand: packet.clone(), spawned_at, options }, packet)
}

impl Drop for Job {
    fn drop(&mut self) {
        self.errand.give_up();
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Job({})", self.spawned_at)
    }
}

impl<F, T> Packet<F, T> {
    /// No code of the user runs while it is held.
    fn lock(&self) -> MutexGuard<'_, State<F, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, result: Result<T, JoinError>) {
        let mut state = self.lock();
        state.stage = Stage::Ended(result);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes the closure out, if it has not been started, and ends with `why`.
    fn withdraw(&self, why: JoinError) -> Option<F> {
        let mut state = self.lock();
        if !matches!(state.stage, Stage::Waiting(..)) {
            return None;
        }
        let before = mem::replace(&mut state.stage, Stage::Ended(Err(why)));
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        match before {
            Stage::Waiting(f, _) => Some(f),
            _ => None,
        }
    }
}

impl<F: FnOnce() -> T + Send, T: Send> Errand for Packet<F, T> {
    fn run(&self) {
        let here = Parker::current().unparker();
        let mut state = self.lock();
        if !matches!(state.stage, Stage::Waiting(..)) {
            return;
        }
        let before = mem::replace(&mut state.stage, Stage::Running(here));
        drop(state);
        if let Stage::Waiting(f, _) = before {
            self.end(catch_unwind(AssertUnwindSafe(f)).map_err(JoinError::Panicked));
        }
    }

    fn give_up(&self) {
        // This may be the scheduler's loop, which no panic may leave; and what a payload does when
        // it is dropped may be to panic again.
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(self.withdraw(JoinError::Lost))));
        if let Err(payload) = dropped {
            mem::forget(payload);
        }
    }

    fn is_waiting(&self) -> bool {
        matches!(self.lock().stage, Stage::Waiting(..))
    }
}

impl<F: FnOnce() -> T + Send, T: Send> Outcome<T> for Packet<F, T> {
    fn take(&self, waker: Option<&Waker>) -> Option<Result<T, JoinError>> {
        let waker = waker.cloned();
        let mut state = self.lock();
        match mem::replace(&mut state.stage, Stage::Taken) {
            Stage::Ended(result) => Some(result),
            Stage::Taken => Some(Err(JoinError::Unreachable)),
            before => {
                state.stage = before;
                let older = mem::replace(&mut state.waker, waker);
                drop(state);
                drop(older);
                None
            }
        }
    }

    fn cancel(&self) {
        drop(self.withdraw(JoinError::Canceled));
        if let Some(token) = &self.token {
            token.cancel();
        }
        let task = match &self.lock().stage {
            Stage::Running(task) => Some(task.clone()),
            _ => None,
        };
        if let Some(task) = task {
            task.cancel();
        }
    }

    fn is_complete(&self) -> bool {
        matches!(self.lock().stage, Stage::Ended(_) | Stage::Taken)
    }

    fn stands_still(&self) -> bool {
        let scheduler = match &self.lock().stage {
            Stage::Waiting(_, scheduler) => *scheduler,
            Stage::Running(task) => task.scheduler(),
            Stage::Ended(_) | Stage::Taken => None,
        };
        scheduler.is_some_and(scheduler::stands_still)
    }
}
