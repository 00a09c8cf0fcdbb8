//! The calls that tasks live in: `run`, `scope`, `Scheduler::with`. Each returns when all of its
//! tasks have ended.

use std::io;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};

use corio_aio as aio;
use corio_aio::Mode;
use corio_aio::key::Key;

use crate::scheduler::{self, Core};
use crate::task::Task;

/// How a scheduler is set up.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How its ring is.
    pub ring: aio::Options,
    /// How many bytes of address space a task's stack takes, beside its guard page. Memory is
    /// taken only as far down as the task has ever been.
    pub stack_size: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { ring: aio::Options::DEFAULT, stack_size: 256 * 1024 }
    }
}

/// Where tasks are spawned that may borrow from outside of the [`scope()`] call.
#[derive(Debug)]
pub struct Scope<'scope, 'env: 'scope> {
    scheduler: u64,
    key: Key,
    /// Invariant both, as in `std::thread::Scope`.
    _scope: PhantomData<&'scope mut &'scope ()>,
    _env: PhantomData<&'env mut &'env ()>,
    _not_send: PhantomData<*mut ()>,
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
        self.spawn_at(Location::caller(), f)
    }

    fn spawn_at<T: 'scope, F: FnOnce() -> T + 'scope>(
        &'scope self,
        spawned_at: &'static Location<'static>,
        f: F,
    ) -> io::Result<Task<'scope, T>> {
        let spawned = scheduler::with_id(self.scheduler, |core| {
            // SAFETY: what outlives `'scope` is good until the call that made this scope has seen
            // all of its tasks end; it waits for that on return and on panic.
            unsafe { core.spawn(self.key, spawned_at, f) }
        });
        spawned.expect("the scheduler of a scope outlives it").map(Task::new)
    }

    /// Asks all tasks of the scope to stop, newest first; see [`Task::cancel`].
    pub fn cancel(&self) {
        scheduler::with_id(self.scheduler, |core| core.cancel_scope(self.key));
    }
}

/// Opens a scope on `core`, and returns when its tasks have ended.
fn open<'env, R>(core: &Core, f: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> R) -> R {
    let key = core.begin_scope();
    let scope = Scope {
        scheduler: core.id(),
        key,
        _scope: PhantomData,
        _env: PhantomData,
        _not_send: PhantomData,
    };
    let result = catch_unwind(AssertUnwindSafe(|| f(&scope)));
    if result.is_err() {
        core.cancel_scope(key);
    }
    let panic = core.end_scope(key);
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
        let task = scheduler.scope.spawn_at(spawned_at, main)?;
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
    let spawned_at = Location::caller();
    let spawned = scheduler::with_current(|core| {
        // SAFETY: nothing is borrowed.
        unsafe { core.spawn(core.outermost_scope(), spawned_at, f) }
    });
    let spawned = spawned.unwrap_or_else(|| Err(io::ErrorKind::Unsupported.into()));
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
        self.scope.spawn_at(Location::caller(), f)
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
}
