//! Regions, as the scheduler sees them: it opens and closes them, and hears their timers.

use std::thread;
use std::time::Duration;

use corio_aio::guard::NoUnwind;
use corio_aio::key::Key;
use corio_aio::op;

use super::{Core, TIMER};
use crate::record::RecordPointer;
use crate::region::Purpose;
use crate::scope_record::ScopePointer;

impl Core {
    /// Calls `f`, in which the task that runs is not asked to stop by what comes from outside.
    pub fn shielded<R>(&self, f: impl FnOnce() -> R) -> thread::Result<R> {
        self.within(Purpose::Shield, false, f)
    }

    /// Calls `f`, in which the task that runs is asked to stop when the scope fails.
    pub fn fail_fast<R>(&self, scope: ScopePointer, f: impl FnOnce() -> R) -> thread::Result<R> {
        self.within(Purpose::FailFast(scope), false, f)
    }

    /// Calls `f`, in which the task that runs is asked to stop when the time is up.
    pub fn limited<R>(&self, limit: Duration, f: impl FnOnce() -> R) -> thread::Result<R> {
        if limit.is_zero() {
            return self.within(Purpose::Limit(Key::NONE), true, f);
        }
        let me = self.running.get().expect("a task runs");
        let mut timeout = (op::timeout(limit),);
        let guard = NoUnwind;
        let owner = me.key.get().slot() as u32 | TIMER;
        // SAFETY: `timeout` stays in this frame, untouched, until it is complete: `reap` waits for
        // that, a panic of `f` is held until then, no other unwind leaves the frame (`guard`), and
        // the stack that it is on is given back only after the task has ended.
        let started = unsafe { self.ring.borrow_mut().start(&mut timeout, owner) };
        // Nothing else can be the matter with a timeout than that the process was forked: then
        // nothing in `f` can wait either.
        let timer = started.unwrap_or(Key::NONE);
        let result = self.within(Purpose::Limit(timer), false, f);
        if timer != Key::NONE {
            self.reap(me, timer);
        }
        guard.release();
        result
    }

    pub(super) fn within<R>(
        &self,
        purpose: Purpose,
        is_up: bool,
        f: impl FnOnce() -> R,
    ) -> thread::Result<R> {
        let me = self.running.get().expect("a task runs");
        let look = || me.is_canceled.set(me.regions.is_canceled(me.is_asked.get()));
        let f = || {
            look();
            f()
        };
        // SAFETY: the task that runs calls, and its record is on its stack.
        let result = unsafe { me.regions.within(purpose, is_up, f) };
        look();
        result
    }

    /// Ends the timer of a region that `me`, the task that runs, has left.
    fn reap(&self, me: RecordPointer, timer: Key) {
        if !self.ring.borrow().is_complete(timer) {
            me.remaining.set(1);
            self.cancel_batch(timer);
            self.wait_for_batch(me, timer);
        }
        self.ring.borrow_mut().take(timer);
    }

    /// Notes that a timer of the task in this slot has ended: the time of a region is up, or the
    /// region was left and the timer stopped.
    pub(super) fn note_timer(&self, slot: u32, timer: Key) {
        let task = self.task_at(slot);
        if task.regions.stop(Purpose::Limit(timer)) {
            self.reconsider(task);
        } else {
            self.note_operation(slot);
        }
    }

    /// Asks all tasks of a scope to stop, and the task `opener` as long as it is in the closure of
    /// the scope.
    pub fn fail(&self, scope: ScopePointer, opener: Option<Key>) {
        if let Some(task) = opener.and_then(|opener| self.task(opener))
            && task.regions.stop(Purpose::FailFast(scope))
        {
            self.reconsider(task);
        }
        self.cancel_scope(scope);
    }
}
