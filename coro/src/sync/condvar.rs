//! Waiting for a change of what a mutex holds.

use std::fmt;
use std::time::{Duration, Instant};

use corio_aio::key::Key;

use super::wait_list::{self, WaitList};
use super::{MutexGuard, WaitError};
use crate::park::{Parker, Unparker};
use crate::primitive::Lock;
use crate::task::Canceled;

/// Waits for a change of what a [`Mutex`](super::Mutex) holds.
///
/// A wait unlocks the mutex, and has locked it again when it returns, whatever came of it: it gives
/// the guard back beside the outcome.
///
/// ```
/// use corio::sync::{Condvar, Mutex};
/// # fn main() -> std::io::Result<()> {
/// let (jobs, more) = (Mutex::new(Vec::new()), Condvar::new());
/// let job = corio::scope(|s| {
///     let worker = s.spawn(|| {
///         let (mut jobs, outcome) = more.wait_while(jobs.lock()?, |jobs| jobs.is_empty());
///         outcome.map(|()| jobs.pop())
///     });
///     jobs.lock()?.push("sweep");
///     more.notify_one();
///     worker.join().unwrap()
/// })??;
/// assert_eq!(job, Some("sweep"));
/// # Ok(())
/// # }
/// ```
///
/// No notification is lost on a waiter that is asked to stop or runs out of time: either it was
/// notified, and says so, or another waiter is.
#[derive(Default)]
pub struct Condvar {
    state: Lock<State>,
}

/// The waiters, of whom the first ones may have been notified already: by `notify_all`, which lets
/// the first of them go on; each lets the next one go on when it has the mutex.
#[derive(Debug)]
struct State {
    waiters: WaitList<Waiter>,
    /// The oldest of those that were not notified.
    unnotified: Key,
    /// How often all were notified.
    rounds: u64,
}

#[derive(Debug)]
struct Waiter {
    unparker: Unparker,
    /// The rounds before its own.
    round: u64,
}

impl Default for State {
    fn default() -> State {
        State::new()
    }
}

impl State {
    const fn new() -> State {
        State { waiters: WaitList::new(), unnotified: Key::NONE, rounds: 0 }
    }

    fn push(&mut self, unparker: Unparker) -> Key {
        let key = self.waiters.push(Waiter { unparker, round: self.rounds });
        if self.unnotified == Key::NONE {
            self.unnotified = key;
        }
        key
    }

    fn remove(&mut self, key: Key) -> Option<Waiter> {
        if self.unnotified == key {
            self.unnotified = self.waiters.newer(key);
        }
        self.waiters.remove(key)
    }

    /// Takes the oldest of those out that `notify_all` has left asleep.
    fn pop_notified(&mut self) -> Option<Waiter> {
        let oldest = self.waiters.oldest();
        let is_notified = oldest != self.unnotified;
        is_notified.then(|| self.waiters.remove(oldest)).flatten()
    }
}

impl Condvar {
    /// A condition that nobody waits for.
    pub const fn new() -> Condvar {
        Condvar { state: Lock::new(State::new()) }
    }

    /// Lets the one go on that waits longest. What it waits for is lost if nobody does.
    pub fn notify_one(&self) {
        let waiter = {
            let mut state = self.state.lock();
            let key = state.unnotified;
            state.remove(key)
        };
        if let Some(waiter) = waiter {
            waiter.unparker.unpark();
        }
    }

    /// Lets all go on that wait: one after the other, in the order they came, each as soon as the
    /// one before it has locked the mutex.
    pub fn notify_all(&self) {
        let first = {
            let mut state = self.state.lock();
            if state.unnotified == Key::NONE {
                return;
            }
            state.rounds += 1;
            state.unnotified = Key::NONE;
            state.pop_notified()
        };
        if let Some(waiter) = first {
            waiter.unparker.unpark();
        }
    }

    /// Unlocks the mutex, waits until it is notified, and locks the mutex again.
    ///
    /// It is not let go on without reason; all the same, what it waits for may have changed again
    /// when it has the mutex: see [`wait_while`](Condvar::wait_while).
    ///
    /// # Errors
    ///
    /// [`Canceled`], beside the guard: the task was asked to stop before it was notified, or can't
    /// be suspended because the thread unwinds.
    ///
    /// # Panics
    ///
    /// If the mutex can never be locked again: all tasks wait for each other.
    pub fn wait<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
    ) -> (MutexGuard<'a, T>, Result<(), Canceled>) {
        let (guard, outcome) = self.wait_before(guard, None);
        (guard, outcome.map_err(|_| Canceled))
    }

    /// As [`wait`](Condvar::wait), as long as `condition` holds.
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Condvar::wait); the condition holds then.
    pub fn wait_while<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        condition: impl FnMut(&mut T) -> bool,
    ) -> (MutexGuard<'a, T>, Result<(), Canceled>) {
        let (guard, outcome) = self.wait_while_before(guard, None, condition);
        (guard, outcome.map_err(|_| Canceled))
    }

    /// As [`wait`](Condvar::wait), for at most this long, and until it has the mutex.
    ///
    /// # Errors
    ///
    /// Also [`WaitError::Expired`]: it was not notified in time.
    pub fn wait_timeout<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> (MutexGuard<'a, T>, Result<(), WaitError>) {
        self.wait_before(guard, wait_list::deadline(timeout))
    }

    /// As [`wait`](Condvar::wait), but not beyond `deadline`, and until it has the mutex.
    ///
    /// # Errors
    ///
    /// Also [`WaitError::Expired`]: it was not notified in time.
    pub fn wait_until<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Instant,
    ) -> (MutexGuard<'a, T>, Result<(), WaitError>) {
        self.wait_before(guard, Some(deadline))
    }

    /// As [`wait_while`](Condvar::wait_while), for at most this long, and until it has the mutex.
    ///
    /// # Errors
    ///
    /// Also [`WaitError::Expired`]: the condition still held then.
    pub fn wait_timeout_while<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
        condition: impl FnMut(&mut T) -> bool,
    ) -> (MutexGuard<'a, T>, Result<(), WaitError>) {
        self.wait_while_before(guard, wait_list::deadline(timeout), condition)
    }

    fn wait_while_before<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        deadline: Option<Instant>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> (MutexGuard<'a, T>, Result<(), WaitError>) {
        let mut outcome = Ok(());
        while condition(&mut guard) {
            if outcome.is_err() {
                return (guard, outcome);
            }
            (guard, outcome) = self.wait_before(guard, deadline);
        }
        (guard, Ok(()))
    }

    fn wait_before<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Option<Instant>,
    ) -> (MutexGuard<'a, T>, Result<(), WaitError>) {
        let parker = Parker::current();
        if !parker.can_wait() {
            return (guard, Err(WaitError::Canceled));
        }
        let mutex = guard.mutex;
        let key = self.state.lock().push(parker.unparker());
        drop(guard);
        let outcome = self.wait_for_notice(&parker, key, deadline);
        let is_locked = mutex.raw.try_lock() || mutex.raw.wait_shielded(&parker);
        // Those that are left of a `notify_all` have only this one to let them go on.
        let next = self.state.lock().pop_notified();
        if let Some(waiter) = next {
            waiter.unparker.unpark();
        }
        assert!(is_locked, "all tasks wait for each other, one of them for a mutex to go on with");
        (mutex.guard(), outcome)
    }

    fn wait_for_notice(
        &self,
        parker: &Parker,
        key: Key,
        deadline: Option<Instant>,
    ) -> Result<(), WaitError> {
        let what = "a condition";
        wait_list::wait(parker, what, deadline, &self.state, |state, failure| {
            let Some(waiter) = state.waiters.get(key) else { return Some(Ok(())) };
            if waiter.round < state.rounds {
                state.remove(key);
                return Some(Ok(()));
            }
            let failure = failure?;
            state.remove(key);
            Some(Err(failure))
        })
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").field("waiters", &self.state.lock().waiters.len()).finish()
    }
}
