//! What a task waits for: operations, wakeups, other tasks, the end of a scope.

use std::task::{Poll, Waker};
use std::{ptr, thread};

use corio_aio::guard::NoUnwind;
use corio_aio::key::Key;
use corio_aio::op::Answer;
use corio_aio::{Batch, Cause, Error, Mode};

use super::{Core, NO_TASK, TIMER, current_core};
use crate::record::{Ended, Payload, RecordPointer, Wait};
use crate::scope_record::ScopePointer;
use crate::task::Canceled;

impl Core {
    /// Completes a batch: a task is suspended until all of it is complete, and everybody else runs
    /// the scheduler until then.
    ///
    /// Of a race, the rest is canceled when the first is complete.
    pub(super) fn complete<B: Batch, const IS_RACE: bool>(
        &self,
        batch: &mut B,
    ) -> Result<B::Results, Error> {
        let me = self.running.get();
        if me.is_some_and(|me| me.is_canceled.get()) {
            batch.check()?;
            return Ok(batch.finish(&mut || Answer::failed(Cause::Canceled)));
        }
        let owner = me.map_or(NO_TASK, |me| {
            me.remaining.set(batch.len());
            me.key.get().slot() as u32
        });
        let guard = NoUnwind;
        self.is_starting.set(true);
        // SAFETY: `batch` stays where it is, borrowed by this frame and untouched, until all of it
        // is complete: the waits below end in no other way, no unwind leaves the frame (`guard`),
        // and if the frame is a task's, its stack is given back only after the task has ended.
        let started = unsafe { self.ring.borrow_mut().start(batch, owner) };
        self.is_starting.set(false);
        if self.owes_cancels.get() {
            self.pay_cancels();
        }
        self.note_completed();
        match (started, me) {
            (Ok(first), Some(me)) => {
                if IS_RACE {
                    self.wait_for_any(me, first);
                }
                // A time limit may have run out since the look above.
                if IS_RACE || me.is_canceled.get() {
                    self.cancel_batch(first);
                }
                self.wait_for_batch(me, first);
            }
            (Ok(first), None) => {
                let mut is_open = IS_RACE;
                while !self.is_batch_complete(first) {
                    if is_open && self.ring.borrow().is_any_complete(first) {
                        is_open = false;
                        self.cancel_batch(first);
                    }
                    self.tick(Mode::Blocking).expect("an operation is in flight");
                }
            }
            (Err(_), _) => {}
        }
        guard.release();
        let mut key = started?;
        let mut ring = self.ring.borrow_mut();
        Ok(batch.finish(&mut || {
            let (answer, next) = ring.take(key);
            key = next;
            answer
        }))
    }

    pub(super) fn is_batch_complete(&self, first: Key) -> bool {
        let ring = self.ring.borrow();
        let mut key = first;
        while ring.is_complete(key) {
            key = ring.next(key);
        }
        key == Key::NONE
    }

    /// Suspends `me`, the task that runs, until its batch, which starts with `first`, is complete.
    pub(super) fn wait_for_batch(&self, me: RecordPointer, first: Key) {
        while me.remaining.get() > 0 {
            me.batch.set(first);
            self.suspend(me, Wait::Operations);
        }
        me.batch.set(Key::NONE);
    }

    /// Suspends `me`, the task that runs, until one of the chains of its batch is complete, or it
    /// is asked to stop.
    fn wait_for_any(&self, me: RecordPointer, first: Key) {
        me.batch.set(first);
        while !me.is_canceled.get() && !self.ring.borrow().is_any_complete(first) {
            self.suspend(me, Wait::AnyOperation);
        }
    }

    /// Makes those tasks ready whose operations are all complete.
    pub(super) fn note_completed(&self) {
        while let Some((owner, key)) = self.note_operations() {
            match owner {
                NO_TASK => {}
                owner => self.note_timer(owner & !TIMER, key),
            }
        }
    }

    /// Notes the operations of tasks that are complete, as far as an operation of somebody else:
    /// its owner and its key.
    fn note_operations(&self) -> Option<(u32, Key)> {
        let mut ring = self.ring.borrow_mut();
        loop {
            match ring.completed()? {
                (owner, _) if owner < TIMER => self.note_operation(owner),
                other => return Some(other),
            }
        }
    }

    /// Notes that an operation of the task in this slot is complete.
    pub(super) fn note_operation(&self, slot: u32) {
        let task = self.task_at(slot);
        task.remaining.set(task.remaining.get() - 1);
        match task.wait.get() {
            Wait::Operations | Wait::Parked(_) if task.remaining.get() > 0 => {}
            Wait::Operations | Wait::Parked(_) | Wait::AnyOperation => self.make_ready(task),
            _ => {}
        }
    }

    /// The books on the task in this slot, which has operations.
    pub(super) fn task_at(&self, slot: u32) -> RecordPointer {
        let mut tasks = self.tasks.borrow_mut();
        *tasks.at_mut(slot as usize).expect("a task outlives its operations").1
    }

    /// Whether the task that runs is to stop.
    pub fn is_canceled(&self) -> bool {
        self.running.get().is_some_and(|me| me.is_canceled.get())
    }

    /// Suspends the task that runs until something other than an operation wakes it, or until it
    /// is asked to stop.
    pub fn park(&self, wait: Wait) -> Result<(), Canceled> {
        let me = self.running.get().expect("a task runs");
        if me.is_canceled.get() {
            return Err(Canceled);
        }
        me.was_woken.set(false);
        self.suspend(me, wait);
        // A cancel that comes after the wake does not undo it.
        if me.was_woken.get() { Ok(()) } else { Err(Canceled) }
    }

    /// Lets a task go on that is parked.
    pub fn wake(&self, key: Key) {
        if let Some(task) = self.task(key) {
            task.was_woken.set(true);
            self.make_ready(task);
        }
    }

    /// Lets the tasks that are ready run before the one that runs goes on.
    pub(super) fn yield_now(&self) {
        if self.is_starting.get() {
            return;
        }
        let Some(me) = self.running.get() else {
            // That nothing can go on is for who waits to find out.
            let _ = self.tick(Mode::NonBlocking);
            return;
        };
        self.ready.push(me);
        self.suspend(me, Wait::Turn);
    }

    /// Waits until a task has ended, if it can, and forgets it.
    #[inline]
    pub fn join(&self, key: Key) -> Option<Ended> {
        let task = self.task(key)?;
        if task.wait.get() != Wait::Ended && !self.wait_for_end(key) {
            return None;
        }
        Some(self.forget(task))
    }

    /// Waits until a task has ended, if it can; says whether it has, and was not joined meanwhile.
    #[inline(never)]
    fn wait_for_end(&self, key: Key) -> bool {
        self.wait_until(Wait::Join(key), || {
            if self.is_canceled() {
                self.cancel(key);
            }
            if let (Some(task), Some(me)) = (self.task(key), self.running.get()) {
                task.joiner.set(me.key.get());
            }
        });
        self.wait_of(key) == Some(Wait::Ended)
    }

    /// Forgets a task that has ended; wakes `waker` once it has, if not. None if there is no such
    /// task.
    pub fn poll_end(&self, key: Key, waker: Waker) -> Option<Poll<Ended>> {
        let task = self.task(key)?;
        if task.wait.get() == Wait::Ended {
            return Some(Poll::Ready(self.forget(task)));
        }
        drop(task.waker.replace(Some(waker)));
        Some(Poll::Pending)
    }

    /// Waits until a scope's tasks have ended, and forgets them; yields what one panicked with.
    pub fn end_scope(&self, scope: ScopePointer) -> Option<Payload> {
        loop {
            let guard = NoUnwind;
            self.wait_until(Wait::Scope(scope), || {
                if self.is_canceled() {
                    self.cancel_scope(scope);
                }
                scope.waiter.set(self.running.get().map_or(Key::NONE, |me| me.key.get()));
            });
            guard.release();
            // A result that is dropped runs code that may spawn again.
            match scope.newest.get() {
                Some(newest) => self.release(newest),
                None if self.is_outermost(scope) && self.start_last_jobs() => {}
                None => break,
            }
        }
        self.open_scopes.set(self.open_scopes.get() - 1);
        if self.is_outermost(scope) {
            self.outermost_scope.set(None);
        }
        scope.panic.take()
    }

    /// Opens a scope.
    pub fn begin_scope(&self, scope: ScopePointer) {
        self.open_scopes.set(self.open_scopes.get() + 1);
        if self.outermost_scope.get().is_none() {
            self.outermost_scope.set(Some(scope));
        }
    }

    /// Whether what a task waits for has come.
    pub(super) fn is_over(&self, wait: Wait) -> bool {
        match wait {
            Wait::Join(key) => self.wait_of(key).is_none_or(|wait| wait == Wait::Ended),
            Wait::Scope(scope) => scope.live.get() == 0,
            _ => true,
        }
    }

    /// Waits for a task or a scope to end: a task by suspending, after `prepare`, everybody else
    /// by running the scheduler. A wait for a task is given up where it can't end.
    pub(super) fn wait_until(&self, wait: Wait, prepare: impl Fn()) {
        while !self.is_over(wait) {
            if thread::panicking() || self.is_starting.get() || !ptr::eq(current_core(), self) {
                return;
            }
            if let Some(me) = self.running.get() {
                if matches!(wait, Wait::Join(_)) && self.deadlock.borrow().is_some() {
                    return;
                }
                prepare();
                if !self.is_over(wait) {
                    self.suspend(me, wait);
                }
            } else if self.tick(Mode::Blocking).is_err() {
                self.break_deadlock();
            }
        }
    }

    /// Runs the scheduler until `is_over`, from outside of its tasks; says whether that came.
    pub fn run_until(&self, is_over: impl Fn() -> bool) -> bool {
        while !is_over() {
            if self.live.get() == 0 || self.tick(Mode::Blocking).is_err() {
                return false;
            }
        }
        true
    }
}
