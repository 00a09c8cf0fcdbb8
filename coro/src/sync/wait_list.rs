//! Who waits, in the order they came; and the wait itself.
//!
//! Who grants something takes the waiter out of the list, under the lock that the list is behind,
//! and unparks it after that. So a waiter that finds itself no longer in the list has what it
//! waited for, and nobody else has: also if it was asked to stop meanwhile, or its deadline came.

use std::time::{Duration, Instant};

use corio_aio::key::{Key, Slots};

use super::WaitError;
use crate::park::{Parked, Parker};
use crate::primitive::Lock;
use crate::record::Wait;
use crate::scheduler;

/// A queue of waiters; each can leave it from anywhere, in constant time.
#[derive(Debug)]
pub(super) struct WaitList<W> {
    entries: Slots<Entry<W>>,
    oldest: Key,
    newest: Key,
}

#[derive(Debug)]
struct Entry<W> {
    waiter: W,
    older: Key,
    newer: Key,
}

impl<W> WaitList<W> {
    pub const fn new() -> WaitList<W> {
        WaitList { entries: Slots::new(), oldest: Key::NONE, newest: Key::NONE }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.oldest == Key::NONE
    }

    /// The one that waits longest.
    pub fn oldest(&self) -> Key {
        self.oldest
    }

    /// The one that came after `key`.
    pub fn newer(&self, key: Key) -> Key {
        self.entries.get(key).map_or(Key::NONE, |entry| entry.newer)
    }

    pub fn get(&self, key: Key) -> Option<&W> {
        self.entries.get(key).map(|entry| &entry.waiter)
    }

    /// Appends a waiter.
    pub fn push(&mut self, waiter: W) -> Key {
        let older = self.newest;
        let key = self.entries.insert(Entry { waiter, older, newer: Key::NONE });
        self.newest = key;
        match self.entries.get_mut(older) {
            Some(entry) => entry.newer = key,
            None => self.oldest = key,
        }
        key
    }

    /// Takes a waiter out, if it is there.
    pub fn remove(&mut self, key: Key) -> Option<W> {
        let Entry { waiter, older, newer } = self.entries.remove(key)?;
        match self.entries.get_mut(older) {
            Some(entry) => entry.newer = newer,
            None => self.oldest = newer,
        }
        match self.entries.get_mut(newer) {
            Some(entry) => entry.older = older,
            None => self.newest = older,
        }
        Some(waiter)
    }

    /// Takes the one out that waits longest.
    pub fn pop(&mut self) -> Option<W> {
        self.remove(self.oldest)
    }

    /// What became of a waiter, if it no longer waits: somebody has taken it out, or else it leaves
    /// because of `failure`.
    pub fn is_over(
        &mut self,
        key: Key,
        failure: Option<WaitError>,
    ) -> Option<Result<(), WaitError>> {
        if self.get(key).is_none() {
            return Some(Ok(()));
        }
        let failure = failure?;
        self.remove(key);
        Some(Err(failure))
    }

    /// All that wait, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &W> {
        let mut key = self.oldest;
        std::iter::from_fn(move || {
            let entry = self.entries.get(key)?;
            key = entry.newer;
            Some(&entry.waiter)
        })
    }
}

impl<W> Default for WaitList<W> {
    fn default() -> WaitList<W> {
        WaitList::new()
    }
}

/// When a wait of this length ends, if ever.
pub(super) fn deadline(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}

/// Waits until `is_over` answers, which is asked after each wake: with the state locked, and with
/// why the wait can't go on, if it can't. It must answer then.
pub(super) fn wait<S, R>(
    parker: &Parker,
    what: &'static str,
    deadline: Option<Instant>,
    state: &Lock<S>,
    mut is_over: impl FnMut(&mut S, Option<WaitError>) -> Option<R>,
) -> R {
    loop {
        let failure = match parker.park(what, deadline) {
            Parked::Woken => None,
            Parked::Expired => Some(WaitError::Expired),
            Parked::Canceled => Some(WaitError::Canceled),
        };
        if let Some(answer) = is_over(&mut state.lock(), failure) {
            return answer;
        }
        assert!(failure.is_none(), "a wait that can't go on is over");
    }
}

/// Waits, in the scheduler of this thread, until `is_over`: of what only this thread brings about,
/// with [`scheduler::let_go_on`]. Says whether that has come.
pub(super) fn wait_here(what: &'static str, is_over: impl Fn() -> bool) -> bool {
    if !scheduler::can_suspend() {
        return scheduler::with_current(|core| core.run_until(is_over)) == Some(true);
    }
    let park = || scheduler::with_current(|core| core.park(Wait::Event(what))) == Some(Ok(()));
    while !is_over() && park() {}
    is_over()
}
