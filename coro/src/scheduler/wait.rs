//! What a task waits for: operations, wakeups, other tasks, the end of a scope.

use std::{ptr, thread};

use corio_aio::guard::NoUnwind;
use corio_aio::key::Key;
use corio_aio::op::Answer;
use corio_aio::{Batch, Cause, Error, Mode};

use super::{Core, NO_TASK, ScopeRecord, current_core};
use crate::task::{Canceled, Payload, Wait};

impl Core {
    /// Completes a batch: a task is suspended until all of it is complete, and everybody else runs
    /// the scheduler until then.
    pub(super) fn complete<B: Batch>(&self, batch: &mut B) -> Result<B::Results, Error> {
        let me = self.running.get();
        let count = batch.len();
        let is_canceled = self.task(me, |task| {
            task.remaining = count;
            task.is_canceled
        });
        if is_canceled == Some(true) {
            batch.check()?;
            return Ok(batch.finish(&mut || Answer::failed(Cause::Canceled)));
        }
        let owner = if self.is_in_task() { me.slot() as u32 } else { NO_TASK };
        let guard = NoUnwind;
        self.is_starting.set(true);
        // SAFETY: `batch` stays where it is, borrowed by this frame and untouched, until all of it
        // is complete: the waits below end in no other way, no unwind leaves the frame (`guard`),
        // and if the frame is a task's, its stack is given back only after the task has ended.
        let started = unsafe { self.ring.borrow_mut().start(batch, owner) };
        self.is_starting.set(false);
        self.note_completed();
        match started {
            Ok(first) if self.is_in_task() => self.wait_for_batch(first),
            Ok(first) => {
                while !self.is_batch_complete(first) {
                    self.tick(Mode::Blocking).expect("an operation is in flight");
                }
            }
            Err(_) => {}
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

    /// Suspends the task that runs until its batch, which starts with `first`, is complete.
    pub(super) fn wait_for_batch(&self, first: Key) {
        loop {
            let yielder = self.task(self.running.get(), |task| {
                if task.remaining == 0 {
                    task.batch = Key::NONE;
                    return None;
                }
                (task.batch, task.wait) = (first, Wait::Operations);
                Some(task.yielder)
            });
            let Some(Some(yielder)) = yielder else { return };
            self.switch_back(yielder);
        }
    }

    /// Makes those tasks ready whose operations are all complete.
    pub(super) fn note_completed(&self) {
        let mut ring = self.ring.borrow_mut();
        let mut tasks = self.tasks.borrow_mut();
        while let Some((owner, _)) = ring.completed() {
            if owner == NO_TASK {
                continue;
            }
            let (key, task) = tasks.at_mut(owner as usize).expect("a task outlives its operations");
            task.remaining -= 1;
            if task.remaining == 0 && task.wait == Wait::Operations {
                task.wait = Wait::Nothing;
                self.ready.borrow_mut().push_back(key);
            }
        }
    }

    /// Whether the task that runs was asked to stop.
    pub fn is_canceled(&self) -> bool {
        self.task(self.running.get(), |task| task.is_canceled) == Some(true)
    }

    /// Suspends the task that runs until something other than an operation wakes it, or until it
    /// is asked to stop.
    pub fn park(&self, wait: Wait) -> Result<(), Canceled> {
        if self.is_canceled() {
            return Err(Canceled);
        }
        let me = self.running.get();
        self.task(me, |task| task.was_woken = false);
        self.suspend(wait);
        // A cancel that comes after the wake does not undo it.
        if self.task(me, |task| task.was_woken) == Some(true) { Ok(()) } else { Err(Canceled) }
    }

    /// Lets a task go on that is parked.
    pub fn wake(&self, key: Key) {
        self.task(key, |task| task.was_woken = true);
        self.make_ready(key);
    }

    /// Lets the tasks that are ready run before the one that runs goes on.
    pub(super) fn yield_now(&self) {
        if !self.is_in_task() {
            // That nothing can go on is for who waits to find out.
            let _ = self.tick(Mode::NonBlocking);
            return;
        }
        self.ready.borrow_mut().push_back(self.running.get());
        self.suspend(Wait::Nothing);
    }

    /// Waits until a task has ended; says whether it has.
    pub fn wait_for_task(&self, key: Key) -> bool {
        self.wait_until(Wait::Join(key), || {
            if self.running.get() == Key::NONE {
                return;
            }
            if self.is_canceled() {
                self.cancel(key);
            }
            self.task(key, |task| task.joiner = self.running.get());
        });
        self.wait_of(key) == Some(Wait::Ended)
    }

    /// Waits until a scope's tasks have ended, and forgets it; yields what one panicked with.
    pub fn end_scope(&self, key: Key) -> Option<Payload> {
        loop {
            let guard = NoUnwind;
            self.wait_until(Wait::Scope(key), || {
                if self.is_canceled() {
                    self.cancel_scope(key);
                }
                self.scope(key, |scope| scope.waiter = self.running.get());
            });
            guard.release();
            // A result that is dropped runs code that may spawn again.
            match self.scope(key, |scope| scope.newest) {
                Key::NONE => return self.scopes.borrow_mut().remove(key)?.panic,
                newest => self.release(newest),
            }
        }
    }

    /// Opens a scope.
    pub fn begin_scope(&self) -> Key {
        let (newest, waiter) = (Key::NONE, Key::NONE);
        let scope = ScopeRecord { live: 0, newest, waiter, panic: None };
        let key = self.scopes.borrow_mut().insert(scope);
        if self.outermost_scope.get() == Key::NONE {
            self.outermost_scope.set(key);
        }
        key
    }

    /// Whether what a task waits for has come.
    pub(super) fn is_over(&self, wait: Wait) -> bool {
        match wait {
            Wait::Join(key) => self.wait_of(key).is_none_or(|wait| wait == Wait::Ended),
            Wait::Scope(key) => self.scope(key, |scope| scope.live == 0),
            Wait::Nothing | Wait::Operations | Wait::Wakeup(_) | Wait::Sync | Wait::Ended => true,
        }
    }

    /// Waits for a task or a scope to end: a task by suspending, after `prepare`, everybody else
    /// by running the scheduler. A wait for a task is given up where it can't end.
    pub(super) fn wait_until(&self, wait: Wait, prepare: impl Fn()) {
        while !self.is_over(wait) {
            if thread::panicking() || self.is_starting.get() || !ptr::eq(current_core(), self) {
                return;
            }
            if self.is_in_task() {
                if matches!(wait, Wait::Join(_)) && self.deadlock.borrow().is_some() {
                    return;
                }
                prepare();
                if !self.is_over(wait) {
                    self.suspend(wait);
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
