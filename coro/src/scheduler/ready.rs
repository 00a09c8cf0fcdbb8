//! The queue of the tasks that are ready: first in, first out, linked through their records.

use std::cell::Cell;

use crate::record::RecordPointer;

#[derive(Default)]
pub(super) struct Ready {
    first: Cell<Option<RecordPointer>>,
    /// Means nothing while there is no first one.
    last: Cell<Option<RecordPointer>>,
}

impl Ready {
    pub fn is_empty(&self) -> bool {
        self.first.get().is_none()
    }

    /// Adds a task, which is in no such queue.
    #[inline]
    pub fn push(&self, task: RecordPointer) {
        task.behind.set(None);
        match self.last.replace(Some(task)) {
            Some(last) if !self.is_empty() => last.behind.set(Some(task)),
            _ => self.first.set(Some(task)),
        }
    }

    #[inline]
    pub fn pop(&self) -> Option<RecordPointer> {
        let first = self.first.get()?;
        let next = first.behind.get();
        self.first.set(next);
        if let Some(next) = next {
            // They are far from each other in memory: it comes near while this one runs.
            next.prefetch();
        }
        Some(first)
    }

    /// Takes all tasks out, into a queue of their own.
    pub fn take(&self) -> Ready {
        Ready { first: Cell::new(self.first.take()), last: Cell::new(self.last.get()) }
    }
}
