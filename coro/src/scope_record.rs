//! The books on a scope, which lie in the frame of the call that opened it.

use std::cell::Cell;
use std::mem;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::thread;

use corio_aio::key::Key;

use crate::record::{Payload, RecordPointer};

/// The books on a scope.
pub(crate) struct ScopeRecord {
    /// How many of its tasks have not ended.
    pub live: Cell<usize>,
    /// Its newest task that was not joined.
    pub newest: Cell<Option<RecordPointer>>,
    /// The task that waits for its end.
    pub waiter: Cell<Key>,
    /// What the first of its tasks panicked with that nobody joined.
    pub panic: Cell<Option<Payload>>,
}

impl ScopeRecord {
    /// The books on a scope without tasks.
    pub fn new() -> ScopeRecord {
        ScopeRecord {
            live: Cell::new(0),
            newest: Cell::new(None),
            waiter: Cell::new(Key::NONE),
            panic: Cell::new(None),
        }
    }

    /// Counts a task as one of its own, and lists it.
    #[inline]
    pub fn add(&self, task: RecordPointer) {
        self.live.set(self.live.get() + 1);
        let older = self.newest.replace(Some(task));
        if let Some(older) = older {
            older.newer.set(Some(task));
        }
        task.older.set(older);
        task.newer.set(None);
    }

    /// Takes a task that has ended off its list.
    #[inline]
    pub fn remove(&self, task: RecordPointer) {
        let (older, newer) = (task.older.get(), task.newer.get());
        if let Some(older) = older {
            older.newer.set(newer);
        }
        match newer {
            Some(newer) => newer.older.set(older),
            None => self.newest.set(older),
        }
    }

    /// Keeps the first panic of its tasks; drops the others.
    pub fn note_panic(&self, settled: thread::Result<Option<Payload>>) {
        let Some(panic) = settled.unwrap_or_else(Some) else { return };
        let first = self.panic.take();
        let (first, other) = match first {
            None => (panic, None),
            Some(first) => (first, Some(panic)),
        };
        self.panic.set(Some(first));
        // What a payload does when it is dropped is the user's; that it panics again is too much.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(other))) {
            mem::forget(again);
        }
    }
}

/// Leads to the books on a scope, until the call that opened it has ended it.
///
/// Held by its tasks, who have all been forgotten then; by who waits for its end; and by the
/// scheduler, if it is the outermost one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ScopePointer(NonNull<ScopeRecord>);

impl ScopePointer {
    /// # Safety
    ///
    /// The record stays in place for as long as the pointer, or a copy of it, is used.
    pub unsafe fn new(record: &ScopeRecord) -> ScopePointer {
        ScopePointer(NonNull::from(record))
    }
}

impl Deref for ScopePointer {
    type Target = ScopeRecord;

    #[inline]
    fn deref(&self) -> &ScopeRecord {
        // SAFETY: the promise of who made it.
        unsafe { self.0.as_ref() }
    }
}
