//! The life of a task: it starts, switches, and ends.

use std::io;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::ptr;

use corio_aio::guard::{self, NoUnwind};
use corio_aio::key::Key;

use super::{Core, current_core, set_current};
use crate::options::SpawnOptions;
use crate::record::{Ended, RecordPointer, Wait, text_of};
use crate::scope_record::ScopePointer;
use crate::stack::{OwnStack, SMALLEST, Stack};
use crate::task::TaskRef;
use crate::trace;

/// What part of its stack a task's result may take, which lies there until it is joined.
const RESULT_SHARE: usize = 16;

impl Core {
    /// Starts a task and runs it until it suspends for the first time.
    ///
    /// # Safety
    ///
    /// What `f` borrows, what is in a `T`, and a stack in `options`, is good until the scope has
    /// ended.
    #[inline]
    pub unsafe fn spawn<T, F: FnOnce() -> T>(
        &self,
        scope: ScopePointer,
        spawned_at: &'static Location<'static>,
        options: SpawnOptions<'_>,
        f: F,
    ) -> io::Result<TaskRef> {
        if size_of::<T>() > SMALLEST / RESULT_SHARE {
            self.check_result(size_of::<T>(), &options);
        }
        let idle = if options.takes_any_worker() { self.idle.pop() } else { None };
        let task = match idle {
            Some(task) => task,
            None => self.hire(scope, options.stack, options.stack_size, options.is_measured)?,
        };
        task.open(scope, spawned_at, self.now.get());
        task.is_detached.set(options.is_detached);
        task.is_measured.set(options.is_measured);
        if self.is_stopping.get() {
            task.is_asked.set(true);
            task.is_canceled.set(true);
        }
        if options.name.is_some() {
            task.owner.name.set(options.name);
        }
        if trace::IS_ON {
            let f = ManuallyDrop::new(self.telling(task, f));
            // SAFETY: as below.
            unsafe { task.begin::<T, _>(&raw const f) };
            return Ok(self.launch(task));
        }
        // The closure stays here until the task takes it, which it does first of all.
        let f = ManuallyDrop::new(f);
        // SAFETY: the task begins in `launch`, in this frame; the scope ends when the task has, and
        // what the closure borrows is good until then.
        unsafe { task.begin::<T, F>(&raw const f) };
        Ok(self.launch(task))
    }

    /// Wraps a task's closure up in one that tells subscribers of its panic.
    fn telling<T, F: FnOnce() -> T>(&self, task: RecordPointer, f: F) -> impl FnOnce() -> T {
        let core: *const Core = self;
        move || {
            catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|payload| {
                // SAFETY: the scheduler's frame outlives its tasks: it waits for them.
                unsafe { &*core }.tell(|| task.span.panic(text_of(&payload)));
                resume_unwind(payload)
            })
        }
    }

    /// Panics if a result is too large for the stack of a task with these options.
    #[cold]
    fn check_result(&self, bytes: usize, options: &SpawnOptions<'_>) {
        let size = match (&options.stack, options.stack_size) {
            (Some(stack), _) => stack.size(),
            (None, Some(size)) => size.max(SMALLEST),
            (None, None) => self.stacks.borrow().usual_size(),
        };
        let fits = bytes <= size / RESULT_SHARE;
        assert!(fits, "a task's result is too large for its stack: box it");
    }

    /// A worker on the user's stack, or on one of at least so many bytes, or of the usual size.
    #[cold]
    #[inline(never)]
    fn hire(
        &self,
        scope: ScopePointer,
        own: Option<&mut OwnStack>,
        bytes: Option<usize>,
        is_clean: bool,
    ) -> io::Result<RecordPointer> {
        let mut stack = match (own, bytes) {
            (Some(own), _) => own.lend(),
            (None, None) => self.stacks.borrow_mut().take()?,
            (None, Some(bytes)) => self.stacks.borrow_mut().take_sized(bytes)?,
        };
        if is_clean {
            stack.trim();
        }
        let is_kept = self.stacks.borrow().is_usual(&stack);
        let worker = RecordPointer::hire(stack, is_kept, scope, self.now.get());
        worker.key.set(self.tasks.borrow_mut().insert(worker));
        Ok(worker)
    }

    /// Lists a task that is about to begin, and runs it until it suspends for the first time.
    #[inline(never)]
    fn launch(&self, task: RecordPointer) -> TaskRef {
        let key = task.key.get();
        task.scope.get().add(task);
        self.live.set(self.live.get() + 1);
        self.is_settled.set(false);
        self.tell(|| task.span.begin(key, &task.owner));
        let before = current_core();
        if !ptr::eq(before, self) {
            set_current(self);
        }
        // SAFETY: it has begun, and did not run yet.
        unsafe { self.switch_to(task) };
        if !ptr::eq(before, self) {
            set_current(before);
        }
        self.name(key)
    }

    /// Runs a task until it suspends or ends. It may be called from another task's stack: the
    /// switch back leads there.
    ///
    /// # Safety
    ///
    /// The task has begun, and is suspended; this is the current scheduler.
    #[inline(always)]
    pub(super) unsafe fn resume(&self, task: RecordPointer) {
        self.note(task, Wait::Nothing);
        // SAFETY: the caller's promise.
        unsafe { self.switch_to(task) };
    }

    /// As [`resume`](Core::resume), for a task of which is noted that it runs.
    ///
    /// # Safety
    ///
    /// As there.
    #[inline(always)]
    unsafe fn switch_to(&self, task: RecordPointer) {
        self.tell(|| task.span.enter());
        let before = self.running.replace(Some(task));
        // SAFETY: the caller's promise.
        let has_ended = unsafe { task.resume() };
        self.running.set(before);
        self.tell(|| task.span.exit());
        if has_ended {
            self.end(task);
        }
    }

    /// Calls `f`, which tells subscribers of something. What they do with it neither unwinds nor
    /// switches, and lets no task end: what the scheduler holds meanwhile stays good.
    #[inline]
    pub(super) fn tell(&self, f: impl FnOnce()) {
        if !trace::IS_ON {
            return;
        }
        let guard = NoUnwind;
        let was_starting = self.is_starting.replace(true);
        // A task of a scheduler that is nested in this one could be suspended otherwise.
        let before = set_current(self);
        f();
        set_current(before);
        self.is_starting.set(was_starting);
        guard.release();
        if !was_starting && self.owes_cancels.get() {
            self.pay_cancels();
        }
    }

    /// Suspends `me`, the task that runs, until it is resumed.
    #[inline]
    pub(super) fn suspend(&self, me: RecordPointer, wait: Wait) {
        debug_assert!(self.running.get() == Some(me), "a task suspends itself");
        debug_assert!(ptr::eq(current_core(), self), "what resumed it finds its scheduler again");
        self.note(me, wait);
        // SAFETY: it is the one that runs: only tasks call this, with what `running` says.
        unsafe { me.suspend() };
    }

    /// Notes what the task is about from this moment on.
    #[inline]
    fn note(&self, task: RecordPointer, wait: Wait) {
        task.wait.set(wait);
        task.since.set(self.now.get());
    }

    /// Lets a suspended task run in its turn.
    #[inline]
    pub(super) fn make_ready(&self, task: RecordPointer) {
        match task.wait.get() {
            Wait::Nothing | Wait::Turn => {}
            Wait::Ended => debug_assert!(false, "a task that has ended stays so"),
            _ => {
                self.note(task, Wait::Turn);
                self.ready.push(task);
            }
        }
    }

    /// Notes that a task has ended.
    fn end(&self, task: RecordPointer) {
        if !task.regions.is_empty() {
            // Only who switches stacks by other means can have left its frames behind.
            guard::abort(&"a task has ended before the calls that it was in");
        }
        self.tell(|| task.span.end());
        let (key, scope, joiner) = (task.key.get(), task.scope.get(), task.joiner.get());
        self.note(task, Wait::Ended);
        self.live.set(self.live.get() - 1);
        self.ended.set(self.ended.get() + 1);
        // Who gave its wait up in the meantime waits for something else, or has ended.
        if joiner != Key::NONE {
            self.wake_from(joiner, Wait::Join(key));
        }
        if task.is_detached.get() {
            self.give_back(self.forget(task));
        }
        let live = scope.live.get() - 1;
        scope.live.set(live);
        if live == 0 && scope.waiter.get() != Key::NONE {
            self.wake_from(scope.waiter.get(), Wait::Scope(scope));
        }
    }

    /// Lets the task go on if it waits for just this.
    fn wake_from(&self, waiter: Key, wait: Wait) {
        if let Some(waiter) = self.task(waiter)
            && waiter.wait.get() == wait
        {
            self.make_ready(waiter);
        }
    }

    /// Gives the result of a task up, now or when it ends.
    pub fn detach(&self, key: Key) {
        let Some(task) = self.task(key) else { return };
        task.is_detached.set(true);
        if task.wait.get() == Wait::Ended {
            self.release(task);
        }
    }

    /// Drops the result of a task that has ended, and forgets the task.
    pub(super) fn release(&self, task: RecordPointer) {
        let scope = task.scope.get();
        let ended = self.forget(task);
        // SAFETY: nobody took it: the scheduler knew the task until now.
        let settled = catch_unwind(AssertUnwindSafe(|| unsafe { ended.settle() }));
        self.give_back(ended);
        scope.note_panic(settled);
    }

    /// Forgets a task that has ended; yields what is left of it.
    #[inline]
    pub(super) fn forget(&self, task: RecordPointer) -> Ended {
        assert!(
            task.wait.replace(Wait::Task) == Wait::Ended,
            "a task is forgotten once, at its end"
        );
        let renewed = self.tasks.borrow_mut().renew(task.key.get());
        task.key.set(renewed.expect("each worker is in the table"));
        task.scope.get().remove(task);
        task.owner.name.set(None);
        // SAFETY: it has ended, so that it is neither ready nor runs; it is out of its scope's
        // list, where it was once, and its key names nothing.
        unsafe { Ended::new(task) }
    }

    /// Takes the worker of a task back, whose result was taken or settled.
    #[inline]
    pub fn give_back(&self, ended: Ended) {
        let worker = ended.into_worker();
        if !worker.is_kept {
            self.dismiss(worker);
        } else {
            self.idle.push(worker);
        }
    }

    /// Ends a worker that has no task, and takes its stack back.
    #[cold]
    pub(super) fn dismiss(&self, worker: RecordPointer) {
        self.tasks.borrow_mut().remove(worker.key.get());
        // SAFETY: it has no task; it is out of the table, and in no list.
        let stack = unsafe { worker.dismiss() };
        self.give_stack(stack);
    }

    pub fn give_stack(&self, stack: Stack) {
        self.stacks.borrow_mut().give(stack);
    }
}
