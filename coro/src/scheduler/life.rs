//! The life of a task: it starts, switches, and ends.

use std::io;
use std::mem::{self, ManuallyDrop};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::ptr;
use std::thread;

use corio_aio::guard::NoUnwind;
use corio_aio::key::Key;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::{Core, set_current};
use crate::stack::Stack;
use crate::task::{Payload, Record, ResultSlot, TaskRef, Wait};

impl Core {
    /// Starts a task and runs it until it suspends for the first time.
    ///
    /// # Safety
    ///
    /// What `f` borrows, and what is in a `T`, is good until the scope has ended.
    pub unsafe fn spawn<T, F: FnOnce() -> T>(
        &self,
        scope: Key,
        spawned_at: &'static Location<'static>,
        f: F,
    ) -> io::Result<TaskRef> {
        let mut stack = self.stacks.borrow_mut().take()?;
        let result = ResultSlot::reserve::<T>(&mut stack);
        let core: *const Core = self;
        // The closure stays here until the task takes it: it may be larger than what corosensei
        // takes along.
        let f = ManuallyDrop::new(f);
        let place = &raw const f;
        let body = move |yielder: &Yielder<(), ()>, ()| {
            // SAFETY: the scheduler's frame outlives its tasks: it waits for them.
            let core = unsafe { &*core };
            core.task(core.running.get(), |task| task.yielder = yielder);
            // SAFETY: the frame that spawns the task is below, in `resume`; the closure is taken
            // once, here.
            let f = unsafe { place.read() };
            let outcome = catch_unwind(AssertUnwindSafe(ManuallyDrop::into_inner(f)));
            // SAFETY: the place was reserved for a `T`, on the stack that this runs on.
            unsafe { result.put(outcome) };
            if core.task(core.running.get(), |task| task.is_detached) == Some(true) {
                // Here, where it may wait, and not in the scheduler's loop.
                // SAFETY: it was put there just now; that the task is detached keeps all others
                // away from it.
                core.note_panic(scope, catch_unwind(|| unsafe { result.settle() }));
            }
        };
        // SAFETY: the coroutine is driven to its end before the scope ends, and what the closure
        // borrows is good until then.
        let coroutine = unsafe { Coroutine::with_stack_unchecked(stack, body) };
        let older = self.scope(scope, |scope| {
            scope.live += 1;
            scope.newest
        });
        let key = self.tasks.borrow_mut().insert(Record {
            coroutine: Some(coroutine),
            yielder: ptr::null(),
            wait: Wait::Nothing,
            is_canceled: false,
            was_woken: false,
            batch: Key::NONE,
            remaining: 0,
            scope,
            older,
            newer: Key::NONE,
            joiner: Key::NONE,
            is_detached: false,
            result,
            stack: None,
            spawned_at,
        });
        self.task(older, |older| older.newer = key);
        self.scope(scope, |scope| scope.newest = key);
        self.live.set(self.live.get() + 1);
        self.resume(key);
        Ok(self.name(key))
    }

    /// Runs a task until it suspends or ends. It may be called from another task's stack: the
    /// switch back leads there.
    pub(super) fn resume(&self, key: Key) {
        let Some(Some(mut coroutine)) = self.task(key, |task| task.coroutine.take()) else {
            return;
        };
        let before = self.running.replace(key);
        let current = set_current(self);
        let guard = NoUnwind;
        let result = coroutine.resume(());
        guard.release();
        set_current(current);
        self.running.set(before);
        match result {
            CoroutineResult::Yield(()) => {
                self.task(key, |task| task.coroutine = Some(coroutine));
            }
            CoroutineResult::Return(()) => self.end(key, coroutine.into_stack()),
        }
    }

    /// Suspends the task that runs, until it is made ready.
    pub(super) fn suspend(&self, wait: Wait) {
        let yielder = self.task(self.running.get(), |task| {
            task.wait = wait;
            task.yielder
        });
        self.switch_back(yielder.expect("the task that runs has a record"));
    }

    /// Switches from the task that runs, whose yielder this is, to whoever resumed it.
    pub(super) fn switch_back(&self, yielder: *const Yielder<(), ()>) {
        // SAFETY: it is on the stack of the task that runs, this one, which has not ended.
        unsafe { &*yielder }.suspend(());
    }

    /// Lets a suspended task run in its turn.
    pub(super) fn make_ready(&self, key: Key) {
        let was_suspended = self.task(key, |task| {
            let wait = mem::replace(&mut task.wait, Wait::Nothing);
            debug_assert!(wait != Wait::Ended, "a task that has ended stays so");
            wait != Wait::Nothing
        });
        if was_suspended == Some(true) {
            self.ready.borrow_mut().push_back(key);
        }
    }

    /// Notes that a task has ended.
    pub(super) fn end(&self, key: Key, stack: Stack) {
        let ended = self.task(key, |task| {
            task.wait = Wait::Ended;
            task.stack = Some(stack);
            (task.scope, task.joiner, task.is_detached)
        });
        let (scope, joiner, is_detached) = ended.expect("a task that runs has a record");
        self.live.set(self.live.get() - 1);
        // Who gave its wait up in the meantime waits for something else, or has ended.
        if self.wait_of(joiner) == Some(Wait::Join(key)) {
            self.make_ready(joiner);
        }
        if is_detached && let Some((_, stack)) = self.take_result(key) {
            self.give_stack(stack);
        }
        let waiter = self.scope(scope, |scope| {
            scope.live -= 1;
            if scope.live == 0 { scope.waiter } else { Key::NONE }
        });
        if self.wait_of(waiter) == Some(Wait::Scope(scope)) {
            self.make_ready(waiter);
        }
    }

    /// Gives the result of a task up, now or when it ends.
    pub fn detach(&self, key: Key) {
        let has_ended = self.task(key, |task| {
            task.is_detached = true;
            task.wait == Wait::Ended
        });
        if has_ended == Some(true) {
            self.release(key);
        }
    }

    /// Drops the result of a task that has ended, and forgets the task.
    pub(super) fn release(&self, key: Key) {
        let Some(scope) = self.task(key, |task| task.scope) else { return };
        let Some((result, stack)) = self.take_result(key) else { return };
        // SAFETY: the task has ended, so that its result is in place; its record, which is gone,
        // was all that led there.
        let settled = catch_unwind(|| unsafe { result.settle() });
        self.give_stack(stack);
        self.note_panic(scope, settled);
    }

    /// Keeps the first panic of a scope's tasks; drops the others.
    fn note_panic(&self, scope: Key, settled: thread::Result<Option<Payload>>) {
        let mut panic = settled.unwrap_or_else(Some);
        self.scope(scope, |scope| {
            if scope.panic.is_none() {
                scope.panic = panic.take();
            }
        });
        // What a payload does when it is dropped is the user's; that it panics again is too much.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
            mem::forget(again);
        }
    }

    /// Forgets a task that has ended; yields where its result is, and the stack that is on.
    pub fn take_result(&self, key: Key) -> Option<(ResultSlot, Stack)> {
        let stack = self.task(key, |task| task.stack.take())??;
        let record = self.tasks.borrow_mut().remove(key)?;
        self.task(record.older, |older| older.newer = record.newer);
        if self.task(record.newer, |newer| newer.older = record.older).is_none() {
            self.scope(record.scope, |scope| scope.newest = record.older);
        }
        Some((record.result, stack))
    }

    pub fn give_stack(&self, stack: Stack) {
        self.stacks.borrow_mut().give(stack);
    }
}
