//! The scheduler of a thread: one ring, the tasks that wait for it, and the order they run in.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{mem, thread};

use corio_aio as aio;
use corio_aio::guard::{self, NoUnwind};
use corio_aio::key::{Key, Slots};
use corio_aio::{Batch, Mode, Ring};
use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::scope::Options;
use crate::stack::{Pool, Stack};
use crate::task::{Canceled, Payload, Record, ResultSlot, TaskRef, Wait};

thread_local! {
    /// The scheduler whose task runs, or that runs itself.
    static CURRENT: Cell<*const Core> = const { Cell::new(ptr::null()) };
    /// Once the thread's values are being destroyed, no task is resumed any more: it could use
    /// one of them.
    static AT_EXIT: AtExit = const { AtExit };
}

struct AtExit;

impl Drop for AtExit {
    fn drop(&mut self) {
        set_current(ptr::null());
    }
}

/// Never inlined: a compiler that kept a thread-local's address across a switch of stacks would be
/// right as long as tasks don't change threads, which they don't; here it can't even try.
#[inline(never)]
fn current_core() -> *const Core {
    CURRENT.get()
}

#[inline(never)]
fn set_current(core: *const Core) -> *const Core {
    CURRENT.replace(core)
}

/// Calls `f` with the scheduler of this thread, if there is one.
pub(crate) fn with_current<R>(f: impl FnOnce(&Core) -> R) -> Option<R> {
    // SAFETY: a scheduler is current only while the frame that holds it is on the stack (see
    // `Core::enter`), below this one.
    unsafe { current_core().as_ref() }.map(f)
}

/// Whether a task runs that may be suspended.
///
/// While a thread unwinds none may be: it counts its panics for all tasks together.
pub(crate) fn can_suspend() -> bool {
    with_current(Core::is_in_task) == Some(true) && !thread::panicking()
}

/// Calls `f` with the scheduler of this number: the current one, or one that it is nested in.
pub(crate) fn with_id<R>(id: u64, f: impl FnOnce(&Core) -> R) -> Option<R> {
    let mut core = current_core();
    // SAFETY: as in `with_current`; the frames of those that it is nested in are further below.
    while let Some(candidate) = unsafe { core.as_ref() } {
        if candidate.id == id {
            return Some(f(candidate));
        }
        core = candidate.parent;
    }
    None
}

/// Completes a batch: by suspending the task, by running the scheduler if no task runs, or by
/// blocking the thread if there is neither.
pub(crate) fn complete<B: Batch>(batch: B) -> Result<B::Results, aio::Error> {
    if thread::panicking() || current_core().is_null() {
        aio::complete(batch)
    } else {
        with_current(|core| core.complete(batch)).expect("there is a scheduler")
    }
}

/// Owns the operations that no task waits for, but the code that runs the scheduler.
const NO_TASK: u32 = u32::MAX;

/// Names the task that runs; `None` outside of all tasks.
pub fn current() -> Option<TaskRef> {
    with_current(Core::running)?
}

/// Lets the tasks that are ready run before this one goes on. Where no scheduler runs it lets other
/// threads run; while the thread unwinds it does nothing.
pub fn yield_now() {
    if !thread::panicking() && with_current(Core::yield_now).is_none() {
        thread::yield_now();
    }
}

/// Suspends the task until [`TaskRef::wakeup`], or [`TaskRef::wakeup_if`] with this `state`, lets
/// it go on. Others see the state as [`TaskRef::state`].
///
/// A wakeup that comes before it is not kept: whoever wakes looks at the state first.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// corio::scope(|s| {
///     let task = s.spawn(|| corio::park(7));
///     assert_eq!(task.state(), Some(7));
///     assert!(!task.wakeup_if(8));
///     assert!(task.wakeup_if(7));
///     task.join().unwrap()
/// })??;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`Canceled`]: the task was asked to stop; or it can't be suspended, because the thread unwinds
/// or no task runs.
pub fn park(state: u32) -> Result<(), Canceled> {
    if !can_suspend() {
        return Err(Canceled);
    }
    with_current(|core| core.park(Wait::Wakeup(state))).expect("a task has a scheduler")
}

/// Lets a task go on that waits for something of `sync`.
pub(crate) fn let_go_on(task: TaskRef) {
    with_id(task.scheduler, |core| {
        if core.wait_of(task.key) == Some(Wait::Sync) {
            core.wake(task.key);
        }
    });
}

/// A scheduler, in the frame of the call that runs it.
pub(crate) struct Core {
    id: u64,
    ring: RefCell<Ring>,
    tasks: RefCell<Slots<Record>>,
    scopes: RefCell<Slots<ScopeRecord>>,
    outermost_scope: Cell<Key>,
    ready: RefCell<VecDeque<Key>>,
    /// The task that runs, if one does.
    running: Cell<Key>,
    /// How many operations the code outside of all tasks waits for.
    remaining: Cell<usize>,
    /// How many tasks have not ended.
    live: Cell<usize>,
    /// Why no task could ever have gone on, once that has happened.
    deadlock: RefCell<Option<String>>,
    /// The scheduler that was current before.
    parent: *const Core,
    /// Comes last: the stacks outlive all that is on them.
    stacks: RefCell<Pool>,
}

/// The books on a scope.
struct ScopeRecord {
    /// How many of its tasks have not ended.
    live: usize,
    /// Its newest task that was not joined.
    newest: Key,
    /// The task that waits for its end.
    waiter: Key,
    /// What the first of its tasks panicked with that nobody joined.
    panic: Option<Payload>,
}

impl Core {
    /// A scheduler for the calling thread.
    pub fn new(options: &Options) -> io::Result<Core> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        Ok(Core {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            ring: RefCell::new(Ring::new(&options.ring)?),
            tasks: RefCell::new(Slots::new()),
            scopes: RefCell::new(Slots::new()),
            outermost_scope: Cell::new(Key::NONE),
            ready: RefCell::new(VecDeque::new()),
            running: Cell::new(Key::NONE),
            remaining: Cell::new(0),
            live: Cell::new(0),
            deadlock: RefCell::new(None),
            parent: current_core(),
            stacks: RefCell::new(Pool::new(options.stack_size)),
        })
    }

    /// Makes it the thread's scheduler while `f` runs.
    pub fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Restore(*const Core);
        impl Drop for Restore {
            fn drop(&mut self) {
                set_current(self.0);
            }
        }
        // Where the thread ends already, there is nothing left to guard against.
        let _ = AT_EXIT.try_with(|_| ());
        let _restore = Restore(set_current(self));
        f()
    }

    pub fn id(&self) -> u64 {
        self.id
    }

    pub fn traffic(&self) -> aio::Traffic {
        self.ring.borrow().traffic()
    }

    pub fn outermost_scope(&self) -> Key {
        self.outermost_scope.get()
    }

    /// Whether one of its tasks runs.
    pub fn is_in_task(&self) -> bool {
        self.running.get() != Key::NONE
    }

    /// Names the task that runs, if one does.
    pub fn running(&self) -> Option<TaskRef> {
        let key = self.running.get();
        (key != Key::NONE).then(|| self.name(key))
    }

    pub fn name(&self, key: Key) -> TaskRef {
        TaskRef { scheduler: self.id, key, _not_send: std::marker::PhantomData }
    }

    /// What the task is about, if there still is one.
    pub fn wait_of(&self, key: Key) -> Option<Wait> {
        self.tasks.borrow().get(key).map(|task| task.wait)
    }

    /// Calls `f` with the books on a task, if there still is one. `f` runs no code of the user.
    fn task<R>(&self, key: Key, f: impl FnOnce(&mut Record) -> R) -> Option<R> {
        self.tasks.borrow_mut().get_mut(key).map(f)
    }

    /// Calls `f` with the books on a scope. `f` runs no code of the user.
    fn scope<R>(&self, key: Key, f: impl FnOnce(&mut ScopeRecord) -> R) -> R {
        f(self.scopes.borrow_mut().get_mut(key).expect("a scope outlives its tasks"))
    }

    // Tasks: start, switch, end.

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
        let body = move |yielder: &Yielder<(), ()>, ()| {
            // SAFETY: the scheduler's frame outlives its tasks: it waits for them.
            let core = unsafe { &*core };
            core.task(core.running.get(), |task| task.yielder = yielder);
            let outcome = catch_unwind(AssertUnwindSafe(f));
            // SAFETY: the place was reserved for a `T`, on the stack that this runs on.
            unsafe { result.put(outcome) };
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
    fn resume(&self, key: Key) {
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
    fn suspend(&self, wait: Wait) {
        let yielder = self.task(self.running.get(), |task| {
            task.wait = wait;
            task.yielder
        });
        let yielder = yielder.expect("the task that runs has a record");
        // SAFETY: it is on the stack of the task that runs, this one, which has not ended.
        unsafe { &*yielder }.suspend(());
    }

    /// Lets a suspended task run in its turn.
    fn make_ready(&self, key: Key) {
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
    fn end(&self, key: Key, stack: Stack) {
        let ended = self.task(key, |task| {
            task.wait = Wait::Ended;
            task.stack = Some(stack);
            (task.scope, task.joiner, task.is_detached)
        });
        let (scope, joiner, is_detached) = ended.expect("a task that runs has a record");
        self.live.set(self.live.get() - 1);
        if joiner != Key::NONE {
            self.make_ready(joiner);
        }
        if is_detached {
            self.release(key);
        }
        let waiter = self.scope(scope, |scope| {
            scope.live -= 1;
            if scope.live == 0 { scope.waiter } else { Key::NONE }
        });
        if waiter != Key::NONE {
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
    fn release(&self, key: Key) {
        let Some(scope) = self.task(key, |task| task.scope) else { return };
        let Some((result, stack)) = self.take_result(key) else { return };
        // SAFETY: the task has ended, so that its result is in place; its record, which is gone,
        // was all that led there.
        let settled = catch_unwind(|| unsafe { result.settle() });
        self.give_stack(stack);
        if let Some(panic) = settled.unwrap_or_else(Some) {
            self.scope(scope, |scope| _ = scope.panic.get_or_insert(panic));
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

    // Waits: for operations, tasks, scopes, wakeups.

    /// Completes a batch: a task is suspended until all of it is complete, and everybody else runs
    /// the scheduler until then.
    fn complete<B: Batch>(&self, mut batch: B) -> Result<B::Results, aio::Error> {
        let me = self.running.get();
        let count = batch.len();
        self.remaining.set(if self.is_in_task() { 0 } else { count });
        let is_canceled = self.task(me, |task| {
            task.remaining = count;
            task.is_canceled
        });
        if is_canceled == Some(true) {
            batch.check()?;
            return Ok(batch.finish(&mut || aio::op::Answer::failed(aio::Cause::Canceled)));
        }
        let owner = if self.is_in_task() { me.slot() as u32 } else { NO_TASK };
        let guard = NoUnwind;
        // SAFETY: `batch` stays in this frame, untouched, until all of it is complete: the waits
        // below end in no other way, no unwind leaves the frame (`guard`), and if the frame is a
        // task's, its stack is given back only after the task has ended.
        let started = unsafe { self.ring.borrow_mut().start(&mut batch, owner) };
        self.note_completed();
        match started {
            Ok(first) if self.is_in_task() => self.wait_for_batch(first),
            Ok(_) => {
                while self.remaining.get() > 0 {
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

    /// Suspends the task that runs until its batch, which starts with `first`, is complete.
    fn wait_for_batch(&self, first: Key) {
        let is_over = |task: &mut Record| {
            task.batch = if task.remaining == 0 { Key::NONE } else { first };
            task.remaining == 0
        };
        while self.task(self.running.get(), is_over) == Some(false) {
            self.suspend(Wait::Operations);
        }
    }

    /// Makes those tasks ready whose operations are all complete.
    fn note_completed(&self) {
        while let Some((owner, _)) = { self.ring.borrow_mut().completed() } {
            if owner == NO_TASK {
                self.remaining.set(self.remaining.get() - 1);
                continue;
            }
            let mut tasks = self.tasks.borrow_mut();
            let (key, task) = tasks.at_mut(owner as usize).expect("a task outlives its operations");
            task.remaining -= 1;
            let is_done = task.remaining == 0 && task.wait == Wait::Operations;
            drop(tasks);
            if is_done {
                self.make_ready(key);
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
    fn yield_now(&self) {
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
    fn is_over(&self, wait: Wait) -> bool {
        match wait {
            Wait::Join(key) => self.wait_of(key).is_none_or(|wait| wait == Wait::Ended),
            Wait::Scope(key) => self.scope(key, |scope| scope.live == 0),
            Wait::Nothing | Wait::Operations | Wait::Wakeup(_) | Wait::Sync | Wait::Ended => true,
        }
    }

    /// Waits for a task or a scope to end: a task by suspending, after `prepare`, everybody else
    /// by running the scheduler. A wait for a task is given up where it can't end.
    fn wait_until(&self, wait: Wait, prepare: impl Fn()) {
        while !self.is_over(wait) {
            if thread::panicking() || !ptr::eq(current_core(), self) {
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

    // Cancel.

    /// Asks a task to stop, and with it what it waits for.
    pub fn cancel(&self, key: Key) {
        let mut asked = vec![key];
        while let Some(key) = asked.pop() {
            let waits = self.task(key, |task| {
                let was_canceled = mem::replace(&mut task.is_canceled, true);
                (!was_canceled).then_some((task.wait, task.batch))
            });
            match waits {
                Some(Some((Wait::Operations, first))) => self.cancel_batch(first),
                Some(Some((Wait::Wakeup(_) | Wait::Sync, _))) => self.make_ready(key),
                Some(Some((Wait::Join(other), _))) => asked.push(other),
                Some(Some((Wait::Scope(scope), _))) => asked.extend(self.tasks_of(scope)),
                Some(Some((Wait::Nothing | Wait::Ended, _)) | None) | None => {}
            }
        }
    }

    /// Asks the tasks of a scope to stop, newest first.
    pub fn cancel_scope(&self, scope: Key) {
        self.tasks_of(scope).into_iter().rev().for_each(|key| self.cancel(key));
    }

    /// The tasks of a scope, oldest first.
    fn tasks_of(&self, scope: Key) -> Vec<Key> {
        let mut keys = Vec::new();
        let mut key = self.scope(scope, |scope| scope.newest);
        while let Some(older) = self.task(key, |task| task.older) {
            keys.push(key);
            key = older;
        }
        keys.reverse();
        keys
    }

    fn cancel_batch(&self, first: Key) {
        let mut key = first;
        while key != Key::NONE {
            let mut ring = self.ring.borrow_mut();
            ring.cancel(key);
            key = ring.next(key);
        }
        self.note_completed();
    }

    // The loop.

    /// One turn: runs the tasks that are ready, hands their operations over, and, if none is
    /// ready, waits as `mode` says.
    ///
    /// # Errors
    ///
    /// `Deadlock`: all tasks wait for each other and nothing is in flight.
    pub fn tick(&self, mode: Mode) -> io::Result<()> {
        if self.is_in_task() || thread::panicking() {
            return Err(io::Error::other("a task can't run the scheduler that runs it"));
        }
        let count = self.ready.borrow().len();
        for _ in 0..count {
            let key = self.ready.borrow_mut().pop_front();
            self.resume(key.expect("nobody else takes from the queue"));
        }
        let is_idle = self.ready.borrow().is_empty();
        let mut ring = self.ring.borrow_mut();
        if is_idle && mode == Mode::Blocking && ring.in_flight() == 0 {
            if self.live.get() == 0 {
                return Ok(());
            }
            return Err(io::Error::new(io::ErrorKind::Deadlock, self.list_waits()));
        }
        if let Err(error) = ring.wait(if is_idle { mode } else { Mode::NonBlocking }) {
            guard::abort(&error);
        }
        drop(ring);
        self.note_completed();
        Ok(())
    }

    /// Runs the scheduler until all tasks have ended.
    ///
    /// # Errors
    ///
    /// `Deadlock`: all tasks wait for each other and nothing is in flight.
    pub fn run(&self) -> io::Result<()> {
        while self.live.get() > 0 {
            self.tick(Mode::Blocking)?;
        }
        Ok(())
    }

    /// Says who waits for what.
    fn list_waits(&self) -> String {
        let mut text = String::from("all tasks wait for each other and nothing is in flight:");
        for (_, task) in self.tasks.borrow().iter().filter(|(_, task)| task.wait != Wait::Ended) {
            text += &format!("\n  the task spawned at {} {}", task.spawned_at, task.wait);
        }
        text
    }

    /// Lets tasks that wait for each other end: asks all to stop, and gives up all joins.
    fn break_deadlock(&self) {
        let report = self.list_waits();
        self.deadlock.borrow_mut().get_or_insert(report);
        let keys: Vec<Key> = self.tasks.borrow().iter().map(|(key, _)| key).collect();
        for key in keys {
            self.cancel(key);
            if matches!(self.wait_of(key), Some(Wait::Join(_))) {
                self.make_ready(key);
            }
        }
    }

    /// The report of a deadlock that had to be broken.
    pub fn take_deadlock(&self) -> io::Result<()> {
        match self.deadlock.take() {
            Some(report) => Err(io::Error::new(io::ErrorKind::Deadlock, report)),
            None => Ok(()),
        }
    }
}
