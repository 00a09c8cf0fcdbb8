//! The calls that tasks live in: `run`, `scope`, `Scheduler::with`. Each returns when all of its
//! tasks have ended.

use std::io;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::time::Instant;

use corio_aio as aio;
use corio_aio::guard::NoUnwind;
use corio_aio::{Mode, OwnedDescriptor};

use crate::handle::Handle;
use crate::info::TaskInfo;
use crate::options::{Options, SpawnOptions};
use crate::scheduler::{self, Core};
use crate::scope_record::{ScopePointer, ScopeRecord};
use crate::task::{Task, TaskRef};

/// Where tasks are spawned that may borrow from outside of the [`scope()`] call.
#[derive(Debug)]
pub struct Scope<'scope, 'env: 'scope> {
    scheduler: u64,
    /// It keeps the scope on its thread.
    record: ScopePointer,
    /// Invariant both, as in `std::thread::Scope`.
    _scope: PhantomData<&'scope mut &'scope ()>,
    _env: PhantomData<&'env mut &'env ()>,
}

impl<'scope> Scope<'scope, '_> {
    /// Starts a task, and runs it until it waits for the first time.
    ///
    /// # Panics
    ///
    /// If there is no memory for its stack; see [`try_spawn`](Scope::try_spawn).
    #[track_caller]
    pub fn spawn<T: 'scope, F: FnOnce() -> T + 'scope>(&'scope self, f: F) -> Task<'scope, T> {
        self.try_spawn(f).expect("memory for the stack of a task")
    }

    /// As [`spawn`](Scope::spawn), with an error instead of a panic.
    ///
    /// # Errors
    ///
    /// `ENOMEM`: the process has no memory, or no mappings, left.
    #[track_caller]
    pub fn try_spawn<T: 'scope, F: FnOnce() -> T + 'scope>(
        &'scope self,
        f: F,
    ) -> io::Result<Task<'scope, T>> {
        self.spawn_at(Location::caller(), SpawnOptions::new(), f)
    }

    /// As [`try_spawn`](Scope::try_spawn), set up as `options` say.
    ///
    /// # Errors
    ///
    /// `ENOMEM`: the process has no memory, no mappings or no addresses left.
    #[track_caller]
    pub fn spawn_with<T: 'scope, F: FnOnce() -> T + 'scope>(
        &'scope self,
        options: SpawnOptions<'scope>,
        f: F,
    ) -> io::Result<Task<'scope, T>> {
        self.spawn_at(Location::caller(), options, f)
    }

    pub(crate) fn spawn_at<T: 'scope, F: FnOnce() -> T + 'scope>(
        &'scope self,
        spawned_at: &'static Location<'static>,
        options: SpawnOptions<'scope>,
        f: F,
    ) -> io::Result<Task<'scope, T>> {
        let spawned = scheduler::with_id(self.scheduler, |core| {
            // SAFETY: what outlives `'scope` is good until the call that made this scope has seen
            // all of its tasks end; it waits for that on return and on panic.
            unsafe { core.spawn(self.record, spawned_at, options, f) }
        });
        spawned.expect("the scheduler of a scope outlives it").map(Task::new)
    }

    /// Asks all tasks of the scope to stop, newest first; see [`Task::cancel`].
    pub fn cancel(&self) {
        scheduler::with_id(self.scheduler, |core| core.cancel_scope(self.record));
    }

    /// Calls `f`; if a task calls, what it waits for in `f` is canceled when the scope fails.
    pub(crate) fn fail_fast<R>(&self, f: impl FnOnce() -> R) -> R {
        if scheduler::current().is_none() {
            return f();
        }
        let result = scheduler::with_id(self.scheduler, |core| core.fail_fast(self.record, f));
        let result = result.expect("the scheduler of a scope outlives it");
        result.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Asks all tasks of the scope to stop, and `opener`, the task that opened it, as long as it
    /// is in [`fail_fast`](Scope::fail_fast).
    pub(crate) fn fail(&self, opener: Option<TaskRef>) {
        let opener = opener.map(|task| task.key);
        scheduler::with_id(self.scheduler, |core| core.fail(self.record, opener));
    }
}

/// Opens a scope on `core`, and returns when its tasks have ended.
fn open<'env, R>(core: &Core, f: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> R) -> R {
    let record = ScopeRecord::new();
    // SAFETY: the record stays in this frame until `end_scope` has seen to it that nobody uses the
    // pointer any more; no unwind leaves the frame sooner.
    let record = unsafe { ScopePointer::new(&record) };
    core.begin_scope(record);
    let scope = Scope { scheduler: core.id(), record, _scope: PhantomData, _env: PhantomData };
    let result = catch_unwind(AssertUnwindSafe(|| f(&scope)));
    let guard = NoUnwind;
    if result.is_err() {
        core.cancel_scope(record);
        if core.is_outermost(record) {
            core.drop_jobs();
        }
    }
    let panic = core.end_scope(record);
    guard.release();
    match (result, panic) {
        (Err(panic), _) | (Ok(_), Some(panic)) => resume_unwind(panic),
        (Ok(value), None) => value,
    }
}

/// Lets tasks borrow what lives outside of the call; returns when all of them have ended.
///
/// Inside a task, that task waits. Outside, a scheduler runs on this thread until they have ended.
/// If the closure panics, the tasks are asked to stop, newest first, and waited for.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let mut numbers = [1, 2, 3];
/// let sum = corio::scope(|s| {
///     let (head, tail) = numbers.split_at_mut(1);
///     let first = s.spawn(|| head[0]);
///     let rest = s.spawn(|| tail.iter().sum::<i32>());
///     first.join().unwrap() + rest.join().unwrap()
/// })?;
/// assert_eq!(sum, 6);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// - The thread can't have a ring; see [`aio::Ring::new`].
/// - `Deadlock`: all tasks waited for each other and nothing was in flight. They were asked to
///   stop; the error says who waited for what.
///
/// # Panics
///
/// With what a task panicked with that was not joined.
pub fn scope<'env, R>(
    f: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> R,
) -> io::Result<R> {
    let mut f = Some(f);
    let mut take = || f.take().expect("called once");
    match scheduler::with_current(|core| open(core, take())) {
        Some(value) => Ok(value),
        None => with_core(Options::default(), |core| open(core, take())),
    }
}

fn with_core<R>(options: Options, f: impl FnOnce(&Core) -> R) -> io::Result<R> {
    let core = Core::new(&options)?;
    let value = core.enter(|| f(&core));
    core.take_deadlock()?;
    Ok(value)
}

/// Runs `main` as a task; returns its value when every task has ended.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let answer = corio::run(|| {
///     let half = corio::spawn(|| 21)?.join()?;
///     std::io::Result::Ok(half * 2)
/// })??;
/// assert_eq!(answer, 42);
/// # Ok(())
/// # }
/// ```
///
/// Inside of a task it is a scheduler of its own, while whose run the outer one stands still.
///
/// # Errors
///
/// Those of [`scope()`].
///
/// # Panics
///
/// With what `main`, or a task that was not joined, panicked with.
#[track_caller]
pub fn run<T>(main: impl FnOnce() -> T) -> io::Result<T> {
    let spawned_at = Location::caller();
    let joined = Scheduler::with(Options::default(), |scheduler| {
        let task = scheduler.scope.spawn_at(spawned_at, SpawnOptions::new(), main)?;
        scheduler.run()?;
        io::Result::Ok(task.join())
    });
    joined??.or_else(|error| error.resume())
}

/// Starts a task that borrows nothing, in the outermost scope of the scheduler that runs, and runs
/// it until it waits for the first time.
///
/// # Errors
///
/// - `Unsupported`: no scheduler runs on this thread.
/// - `ENOMEM`: the process has no memory, or no mappings, left.
#[track_caller]
pub fn spawn<T: 'static>(f: impl FnOnce() -> T + 'static) -> io::Result<Task<'static, T>> {
    spawn_with(SpawnOptions::new(), f)
}

/// As [`spawn`], set up as `options` say.
///
/// # Errors
///
/// Those of [`spawn`].
#[track_caller]
pub fn spawn_with<T: 'static>(
    options: SpawnOptions<'static>,
    f: impl FnOnce() -> T + 'static,
) -> io::Result<Task<'static, T>> {
    let spawned_at = Location::caller();
    let spawned = scheduler::with_current(|core| {
        // SAFETY: nothing is borrowed.
        Some(unsafe { core.spawn(core.outermost_scope()?, spawned_at, options, f) })
    });
    let spawned = spawned.flatten().unwrap_or_else(|| Err(io::ErrorKind::Unsupported.into()));
    spawned.map(Task::new)
}

/// A scheduler, as the code sees it that runs it turn by turn.
///
/// ```
/// use corio::{Options, Scheduler, aio::Mode};
/// # fn main() -> std::io::Result<()> {
/// let sum = Scheduler::with(Options::default(), |scheduler| {
///     let task = scheduler.spawn(|| {
///         corio::yield_now();
///         1 + 1
///     })?;
///     while !task.is_complete() {
///         scheduler.tick(Mode::Blocking)?;
///     }
///     std::io::Result::Ok(task.join()?)
/// })??;
/// assert_eq!(sum, 2);
/// # Ok(())
/// # }
/// ```
///
/// It exists inside of [`Scheduler::with`] only. Were it a value that can be kept anywhere, then
/// tasks could outlive the thread-locals that they borrow.
#[derive(Clone, Copy, Debug)]
pub struct Scheduler<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
}

impl<'scope, 'env> Scheduler<'scope, 'env> {
    /// Sets a scheduler up for `f`; returns when all of its tasks have ended.
    ///
    /// # Errors
    ///
    /// Those of [`scope()`].
    ///
    /// # Panics
    ///
    /// With what a task panicked with that was not joined.
    pub fn with<R>(
        options: Options,
        f: impl for<'s> FnOnce(Scheduler<'s, 'env>) -> R,
    ) -> io::Result<R> {
        with_core(options, |core| open(core, |scope| f(Scheduler { scope })))
    }

    /// Starts a task, and runs it until it waits for the first time.
    ///
    /// # Errors
    ///
    /// `ENOMEM`: the process has no memory, or no mappings, left.
    #[track_caller]
    pub fn spawn<T: 'scope>(&self, f: impl FnOnce() -> T + 'scope) -> io::Result<Task<'scope, T>> {
        self.scope.spawn_at(Location::caller(), SpawnOptions::new(), f)
    }

    /// As [`spawn`](Scheduler::spawn), set up as `options` say.
    ///
    /// # Errors
    ///
    /// `ENOMEM`: the process has no memory, no mappings or no addresses left.
    #[track_caller]
    pub fn spawn_with<T: 'scope>(
        &self,
        options: SpawnOptions<'scope>,
        f: impl FnOnce() -> T + 'scope,
    ) -> io::Result<Task<'scope, T>> {
        self.scope.spawn_at(Location::caller(), options, f)
    }

    /// Its tasks, also those that have ended and were not joined; see [`tasks`](crate::tasks).
    pub fn tasks(&self) -> Vec<TaskInfo> {
        scheduler::with_id(self.scope.scheduler, Core::list_tasks)
            .expect("the scheduler of a scope outlives it")
    }

    /// One turn: runs the tasks that are ready; or, if none is, hands their operations over and
    /// waits as `mode` says. With no task left it returns at once.
    ///
    /// # Errors
    ///
    /// - `Deadlock`: all tasks wait for each other and nothing is in flight.
    /// - A task called it: it can't run the scheduler that runs it.
    pub fn tick(&self, mode: Mode) -> io::Result<()> {
        scheduler::with_id(self.scope.scheduler, |core| core.tick(mode))
            .expect("the scheduler of a scope outlives it")
    }

    /// A descriptor for a loop of somebody else's, which polls it beside its own: it is readable
    /// when [`tick`](Scheduler::tick) has something to do.
    ///
    /// That loop calls `tick(Mode::NonBlocking)`, once in each of its rounds, and then sleeps until
    /// the descriptor is readable or [`next_deadline`](Scheduler::next_deadline) has come. Nothing
    /// is missed: neither operations nor timers, nor what other threads wake and send. Between that
    /// look at the deadline and the sleep it leaves the scheduler and its tasks alone.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use corio::aio::{Mode, op};
    /// use corio::{Options, Scheduler, io};
    /// use rustix::event::{PollFd, PollFlags, Timespec, poll};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// Scheduler::with(Options::default(), |scheduler| {
    ///     let readable = scheduler.descriptor()?;
    ///     let task = scheduler.spawn(|| io::single(op::timeout(Duration::from_millis(1))))?;
    ///     loop {
    ///         scheduler.tick(Mode::NonBlocking)?;
    ///         if task.is_complete() {
    ///             break;
    ///         }
    ///         let (next, now) = (scheduler.next_deadline(), Instant::now());
    ///         let left = next.map(|next| next.saturating_duration_since(now));
    ///         let left = left.and_then(|left| Timespec::try_from(left).ok());
    ///         poll(&mut [PollFd::new(&readable, PollFlags::IN)], left.as_ref())?;
    ///     }
    ///     Ok(task.join()??)
    /// })?
    /// # }
    /// ```
    ///
    /// Ask for it once, and keep it: each call makes another one. It may be readable though nothing
    /// is to be done; and the OS may interrupt the sleep (`EINTR`) where it has work for the ring,
    /// which is a wake like any other. From the first call on, each turn that does not wait takes
    /// some calls of the OS.
    ///
    /// On io_uring one thing is missed: a wait for an [`EventSource`](aio::EventSource), or for
    /// another eventfd. Linux 6.18 tells the poller of the first, and then of no more. What is of
    /// [`sync`](crate::sync) is not concerned.
    ///
    /// The scheduler is not `AsFd` itself, because that can't fail.
    ///
    /// # Errors
    ///
    /// - `Unsupported`: the backend has none: `poll`, or one of the program's own. The loop can
    ///   call `tick` at intervals then: nothing ends its sleep.
    /// - `EMFILE`, `ENFILE`: no descriptor is left.
    pub fn descriptor(&self) -> io::Result<OwnedDescriptor> {
        scheduler::with_id(self.scope.scheduler, Core::descriptor)
            .expect("the scheduler of a scope outlives it")
    }

    /// When [`tick`](Scheduler::tick) has something to do next, whatever the
    /// [`descriptor`](Scheduler::descriptor) says: at the earliest timeout; at once, while tasks
    /// are ready, or something was started or sent that the last `tick(Mode::NonBlocking)` did not
    /// see. `None`: never.
    pub fn next_deadline(&self) -> Option<Instant> {
        scheduler::with_id(self.scope.scheduler, Core::next_deadline)
            .expect("the scheduler of a scope outlives it")
    }

    /// Runs until all tasks have ended.
    ///
    /// # Errors
    ///
    /// Those of [`tick`](Scheduler::tick).
    pub fn run(&self) -> io::Result<()> {
        scheduler::with_id(self.scope.scheduler, Core::run)
            .expect("the scheduler of a scope outlives it")
    }

    /// What has gone to and fro between the scheduler's ring and the OS.
    pub fn traffic(&self) -> aio::Traffic {
        scheduler::with_id(self.scope.scheduler, Core::traffic)
            .expect("the scheduler of a scope outlives it")
    }

    /// Asks all tasks to stop, newest first; see [`Task::cancel`].
    pub fn cancel(&self) {
        self.scope.cancel();
    }

    /// What starts tasks on it from other threads.
    pub fn handle(&self) -> Handle {
        scheduler::with_id(self.scope.scheduler, Handle::new)
            .expect("the scheduler of a scope outlives it")
    }
}
