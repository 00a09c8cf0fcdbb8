//! The scheduler of a thread: one ring, the tasks that wait for it, and the order they run in.

mod cancel;
mod deep;
mod embedded;
mod idle;
mod life;
mod list;
pub(crate) mod mailbox;
mod ready;
mod region;
mod remote;
mod spin;
mod team;
mod turn;
mod wait;

use std::cell::{Cell, RefCell};
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use corio_aio as aio;
use corio_aio::guard;
use corio_aio::key::{Key, Slots};
use corio_aio::{Batch, Ring};

pub use deep::with_stack;
use idle::Idle;
pub(crate) use mailbox::{Letter, Mailbox};
use ready::Ready;
use remote::Remote;
pub(crate) use remote::{Bell, PostBox, Workers};
use spin::Spin;

use crate::info::TaskInfo;
use crate::options::Options;
use crate::park::Parked;
use crate::record::{RecordPointer, Wait};
use crate::scope_record::ScopePointer;
use crate::stack::{Pool, watch};
use crate::task::{Canceled, TaskRef};

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

/// Whether operations are being started, by the scheduler of this thread: nothing may wait.
pub(crate) fn is_starting() -> bool {
    with_current(|core| core.is_starting.get()) == Some(true)
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
///
/// Of a race, the rest is canceled when the first is complete.
#[inline]
pub(crate) fn complete<B: Batch, const IS_RACE: bool>(
    mut batch: B,
) -> Result<B::Results, aio::Error> {
    // SAFETY: as in `with_current`.
    match unsafe { current_core().as_ref() } {
        Some(core) if !core.is_starting.get() && !thread::panicking() => {
            core.complete::<B, IS_RACE>(&mut batch)
        }
        _ => block::<B, IS_RACE>(batch),
    }
}

/// Never inlined: its frame, in which a ring is set up, would be part of each task that waits.
#[cold]
#[inline(never)]
fn block<B: Batch, const IS_RACE: bool>(batch: B) -> Result<B::Results, aio::Error> {
    if IS_RACE { aio::race(batch) } else { aio::complete(batch) }
}

/// Owns the operations that no task waits for, but the code that runs the scheduler.
const NO_TASK: u32 = u32::MAX;

/// From here on owners are others than tasks: the one above, and the time limit of a region, as
/// the slot of its task with this bit.
const TIMER: u32 = 1 << 31;

/// Names the task that runs; `None` outside of all tasks.
pub fn current() -> Option<TaskRef> {
    with_current(Core::running)?
}

/// The tasks of the scheduler that runs, also those that have ended and were not joined; none
/// where no scheduler runs.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// corio::scope(|s| {
///     let task = s.spawn_with(corio::SpawnOptions::new().name("sleeper"), || corio::park(7))?;
///     for info in corio::tasks() {
///         assert_eq!(info.task, task.task());
///         assert_eq!(info.state, corio::TaskState::Parked(7));
///         println!("{info}");
///         // task 0v1 "sleeper" (src/main.rs:4:18) is parked with state 7, for 2.1µs
///     }
///     task.wakeup();
///     task.join()?.map_err(Into::into)
/// })?
/// # }
/// ```
pub fn tasks() -> Vec<TaskInfo> {
    with_current(Core::list_tasks).unwrap_or_default()
}

/// Whether the task that runs is to stop, here: what would suspend it answers `Canceled`. For loops
/// that never wait. Outside of a task nobody is asked to stop.
pub fn is_canceled() -> bool {
    with_current(Core::is_canceled) == Some(true)
}

/// Lets the tasks that are ready run before this one goes on. Where no scheduler runs it lets other
/// threads run; while the thread unwinds it does nothing.
pub fn yield_now() {
    if thread::panicking() {
        return;
    }
    if with_current(Core::yield_now).is_none() {
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
        if matches!(core.wait_of(task.key), Some(Wait::Event(_))) {
            core.wake(task.key);
        }
    });
}

/// Whether the caller, which is of the scheduler of this number, can wait in it.
pub(crate) fn can_park(id: u64) -> bool {
    with_current(|core| core.id == id && !core.is_starting.get() && !thread::panicking())
        == Some(true)
}

/// Waits, as [`Parker::park`](crate::park::Parker::park) does, in the scheduler of this number.
pub(crate) fn park_remotely(id: u64, what: &'static str, deadline: Option<Instant>) -> Parked {
    let parked = can_park(id).then(|| with_current(|core| core.park_remotely(what, deadline)));
    parked.flatten().unwrap_or(Parked::Canceled)
}

/// Waits, as `Parker::park_shielded` does, in the scheduler of this number.
pub(crate) fn park_shielded(id: u64, what: &'static str) -> Parked {
    let parked = can_park(id).then(|| with_current(|core| core.park_shielded(what)));
    parked.flatten().unwrap_or(Parked::Canceled)
}

/// Whether this thread is inside of the scheduler of this number, but runs another one that is
/// nested in it.
pub(crate) fn stands_still(id: u64) -> bool {
    with_current(|core| core.id != id) == Some(true) && with_id(id, |_| ()).is_some()
}

/// A scheduler, in the frame of the call that runs it.
pub(crate) struct Core {
    id: u64,
    ring: RefCell<Ring>,
    tasks: RefCell<Slots<RecordPointer>>,
    /// The workers that wait for a task.
    idle: Idle,
    outermost_scope: Cell<Option<ScopePointer>>,
    /// How many scopes have not been left.
    open_scopes: Cell<usize>,
    ready: Ready,
    /// The task that runs, if one does.
    running: Cell<Option<RecordPointer>>,
    /// Whether operations are being started, so that the ring is in use, or subscribers are told
    /// of something: code of the user that runs meanwhile must neither suspend nor come back to it.
    is_starting: Cell<bool>,
    /// Whether that code asked a task to stop whose operations are to be canceled when the ring is
    /// free.
    owes_cancels: Cell<bool>,
    /// Whether all tasks are asked to stop, also those that are yet to be started.
    is_stopping: Cell<bool>,
    /// Whether somebody else's loop polls its descriptor, and sleeps in its place.
    is_polled: Cell<bool>,
    /// Whether that loop may sleep: the last turn, which did not wait, found nothing to do, and
    /// nothing was started or canceled since.
    is_settled: Cell<bool>,
    /// How many of its stacks calls run on, beside those of the tasks.
    lent_stacks: Cell<usize>,
    /// How many tasks have not ended.
    live: Cell<usize>,
    /// How many have.
    ended: Cell<usize>,
    /// When it last came back from the OS with something to do.
    now: Cell<Instant>,
    /// Why no task could ever have gone on, once that has happened.
    deadlock: RefCell<Option<String>>,
    /// What it has to do with other threads.
    remote: Remote,
    spin: Spin,
    /// The scheduler that was current before.
    parent: *const Core,
    /// Comes last: the stacks outlive all that is on them.
    stacks: RefCell<Pool>,
}

impl Core {
    /// A scheduler for the calling thread.
    pub fn new(options: &Options) -> io::Result<Core> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        Ok(Core {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            ring: RefCell::new(Ring::new(&options.ring)?),
            tasks: RefCell::new(Slots::new()),
            idle: Idle::new(options.idle_stacks.div_ceil(2)),
            outermost_scope: Cell::new(None),
            open_scopes: Cell::new(0),
            ready: Ready::default(),
            running: Cell::new(None),
            is_starting: Cell::new(false),
            owes_cancels: Cell::new(false),
            is_stopping: Cell::new(false),
            is_polled: Cell::new(false),
            is_settled: Cell::new(false),
            lent_stacks: Cell::new(0),
            live: Cell::new(0),
            ended: Cell::new(0),
            now: Cell::new(Instant::now()),
            deadlock: RefCell::new(None),
            remote: Remote::default(),
            spin: Spin::new(options.spin),
            parent: current_core(),
            // The other half of those that keep their memory has workers.
            stacks: RefCell::new(Pool::new(
                options.stack_size,
                options.idle_stacks / 2,
                options.guards,
            )),
        })
    }

    /// Makes it the thread's scheduler while `f` runs.
    pub fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Restore<'a>(&'a Core);
        impl Drop for Restore<'_> {
            fn drop(&mut self) {
                let is_innermost = ptr::eq(set_current(self.0.parent), self.0);
                let is_left = self.0.open_scopes.get() == 0 && self.0.lent_stacks.get() == 0;
                if !(is_innermost && is_left) && AT_EXIT.try_with(|_| ()).is_ok() {
                    // Only who switches stacks by other means can leave them in another order.
                    guard::abort(&"schedulers were left in another order than they were entered");
                }
            }
        }
        watch(deep::find_overflowed);
        // Where the thread ends already, there is nothing left to guard against.
        let _ = AT_EXIT.try_with(|_| ());
        set_current(self);
        let _restore = Restore(self);
        f()
    }

    pub fn id(&self) -> u64 {
        self.id
    }

    pub fn traffic(&self) -> aio::Traffic {
        self.ring.borrow().traffic()
    }

    /// How many tasks have not ended.
    pub fn live(&self) -> usize {
        self.live.get()
    }

    /// How many tasks have ended.
    pub fn ended(&self) -> usize {
        self.ended.get()
    }

    pub fn outermost_scope(&self) -> Option<ScopePointer> {
        self.outermost_scope.get()
    }

    pub fn is_outermost(&self, scope: ScopePointer) -> bool {
        self.outermost_scope.get() == Some(scope)
    }

    /// Whether one of its tasks runs.
    pub fn is_in_task(&self) -> bool {
        self.running.get().is_some()
    }

    /// Names the task that runs, if one does.
    pub fn running(&self) -> Option<TaskRef> {
        self.running.get().map(|task| self.name(task.key.get()))
    }

    pub fn name(&self, key: Key) -> TaskRef {
        TaskRef { scheduler: self.id, key, _not_send: std::marker::PhantomData }
    }

    /// What the task is called, if there still is one.
    pub fn name_of(&self, key: Key) -> Option<String> {
        self.task(key)?.name()
    }

    /// How much of its stack the task has used, if there still is one, and that is measured.
    pub fn stack_used(&self, key: Key) -> Option<usize> {
        self.task(key)?.stack_used()
    }

    /// What the task is about, if there still is one.
    pub fn wait_of(&self, key: Key) -> Option<Wait> {
        self.task(key).map(|task| task.wait.get())
    }

    /// The books on a task, if there still is one.
    fn task(&self, key: Key) -> Option<RecordPointer> {
        self.tasks.borrow().get(key).copied()
    }
}
