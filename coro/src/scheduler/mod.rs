//! The scheduler of a thread: one ring, the tasks that wait for it, and the order they run in.

mod cancel;
mod life;
mod turn;
mod wait;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use corio_aio as aio;
use corio_aio::key::{Key, Slots};
use corio_aio::{Batch, Ring};

use crate::scope::Options;
use crate::stack::Pool;
use crate::task::{Canceled, Payload, Record, TaskRef, Wait};

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
    with_current(|core| core.is_in_task() && !core.is_starting.get()) == Some(true)
        && !thread::panicking()
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
#[inline]
pub(crate) fn complete<B: Batch>(mut batch: B) -> Result<B::Results, aio::Error> {
    // SAFETY: as in `with_current`.
    match unsafe { current_core().as_ref() } {
        Some(core) if !core.is_starting.get() && !thread::panicking() => core.complete(&mut batch),
        _ => aio::complete(batch),
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
    if with_current(|core| core.is_starting.get()) == Some(true) {
        return;
    }
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
    /// Whether operations are being started, so that the ring is in use: code of the user that
    /// runs meanwhile (`as_fd`) must neither suspend nor come back to it.
    is_starting: Cell<bool>,
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
            is_starting: Cell::new(false),
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
}
