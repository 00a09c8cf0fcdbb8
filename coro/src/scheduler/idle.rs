//! The workers that have no task, linked through their records: the last to come is the first to
//! go.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::Core;
use crate::record::RecordPointer;

/// How long a worker has had nothing to do, at least, when its stack is given back.
const REST: Duration = Duration::from_secs(1);

pub(super) struct Idle {
    newest: Cell<Option<RecordPointer>>,
    count: Cell<usize>,
    /// How few there were, at least, since the last look: so many have had no task since.
    lowest: Cell<usize>,
    /// How many may be idle for long.
    most: usize,
    /// When the next look is due, if one is.
    look_at: Cell<Option<Instant>>,
}

impl Idle {
    pub fn new(most: usize) -> Idle {
        Idle {
            newest: Cell::new(None),
            count: Cell::new(0),
            lowest: Cell::new(0),
            most,
            look_at: Cell::new(None),
        }
    }

    #[inline]
    pub fn pop(&self) -> Option<RecordPointer> {
        let newest = self.newest.get()?;
        let count = self.count.get() - 1;
        let next = newest.behind.get();
        self.newest.set(next);
        if let Some(next) = next {
            // It comes near while this one gets its task.
            next.prefetch();
        }
        self.count.set(count);
        self.lowest.set(self.lowest.get().min(count));
        Some(newest)
    }

    #[inline]
    pub fn push(&self, worker: RecordPointer) {
        worker.behind.set(self.newest.replace(Some(worker)));
        self.count.set(self.count.get() + 1);
    }

    /// When the next look at those that are too many is due, if there are any.
    pub fn look_at(&self) -> Option<Instant> {
        self.look_at.get().filter(|_| self.is_crowded())
    }

    /// Whether there are more than may be idle for long.
    #[inline]
    pub fn is_crowded(&self) -> bool {
        self.count.get() > self.most
    }

    /// Looks, if that is due, which of those that are too many have had no task since the last
    /// look, and takes them out.
    fn take_rested(&self, now: Instant) -> Vec<RecordPointer> {
        if self.look_at.get().is_some_and(|look_at| now < look_at) {
            return Vec::new();
        }
        let is_first = self.look_at.replace(Some(now + REST)).is_none();
        let rested = if is_first { 0 } else { self.lowest.get().saturating_sub(self.most) };
        let rested = if rested > 0 { self.split_off_oldest(rested) } else { Vec::new() };
        self.lowest.set(self.count.get());
        rested
    }

    fn split_off_oldest(&self, count: usize) -> Vec<RecordPointer> {
        let mut all: Vec<_> = std::iter::from_fn(|| self.pop()).collect();
        let oldest = all.split_off(all.len() - count);
        all.into_iter().rev().for_each(|worker| self.push(worker));
        oldest
    }
}

impl Core {
    /// Gives the stacks back of workers that are too many and have rested; says when to look next,
    /// if there are any that are too many.
    #[inline]
    pub(super) fn trim(&self) -> Option<Instant> {
        if self.idle.is_crowded() { self.trim_rested() } else { None }
    }

    #[cold]
    #[inline(never)]
    fn trim_rested(&self) -> Option<Instant> {
        let rested = self.idle.take_rested(Instant::now());
        rested.into_iter().rev().for_each(|worker| self.dismiss(worker));
        self.idle.look_at()
    }
}
