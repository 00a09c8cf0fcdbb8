//! What a scheduler knows of a task, and what others hold of it.

use std::any::Any;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::panic::Location;
use std::ptr::NonNull;
use std::thread;

use corio_aio::key::Key;
use corosensei::{Coroutine, Yielder};

use crate::scheduler::{self, Core};
use crate::stack::Stack;

/// What a task panicked with.
pub(crate) type Payload = Box<dyn Any + Send>;

/// The books on one task, kept by its scheduler.
pub(crate) struct Record {
    /// Absent while it runs, and after it has ended.
    pub coroutine: Option<Coroutine<(), (), (), Stack>>,
    /// How it suspends itself; on its own stack, from its first instruction to its last.
    pub yielder: *const Yielder<(), ()>,
    pub wait: Wait,
    pub is_canceled: bool,
    /// Whether what it was parked for has come.
    pub was_woken: bool,
    /// The operations that it waits for: the first one's key, and how many are not complete.
    pub batch: Key,
    pub remaining: usize,
    /// Its scope, and its neighbours among the tasks of that.
    pub scope: Key,
    pub older: Key,
    pub newer: Key,
    /// Who joins it.
    pub joiner: Key,
    /// Whether nobody will.
    pub is_detached: bool,
    pub result: ResultSlot,
    /// After it has ended: its stack, with its result on it.
    pub stack: Option<Stack>,
    pub spawned_at: &'static Location<'static>,
}

/// What a task is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wait {
    /// It runs, or is about to.
    Nothing,
    /// For operations to complete.
    Operations,
    /// For `wakeup`.
    Wakeup(u32),
    /// For something of `sync`.
    Sync,
    /// For another task to end.
    Join(Key),
    /// For the tasks of a scope to end.
    Scope(Key),
    /// For nothing any more.
    Ended,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wait::Nothing => f.write_str("runs"),
            Wait::Operations => f.write_str("waits for operations"),
            Wait::Wakeup(state) => write!(f, "is parked with state {state}"),
            Wait::Sync => f.write_str("waits for another task to let it go on"),
            Wait::Join(_) => f.write_str("joins another task"),
            Wait::Scope(_) => f.write_str("waits for the tasks of its scope"),
            Wait::Ended => f.write_str("has ended"),
        }
    }
}

/// Where a task leaves its result: on its own stack, above all that it uses.
#[derive(Clone, Copy)]
pub(crate) struct ResultSlot {
    place: NonNull<()>,
    settle: unsafe fn(NonNull<()>) -> Option<Payload>,
}

impl ResultSlot {
    /// Reserves the place on `stack`.
    pub fn reserve<T>(stack: &mut Stack) -> ResultSlot {
        ResultSlot { place: stack.reserve::<thread::Result<T>>().cast(), settle: settle::<T> }
    }

    /// Leaves the result there.
    ///
    /// # Safety
    ///
    /// The place was reserved for this `T`, its stack was not given back, and it holds nothing.
    pub unsafe fn put<T>(self, result: thread::Result<T>) {
        // SAFETY: the caller's promise.
        unsafe { self.place.cast::<thread::Result<T>>().write(result) };
    }

    /// Takes the result away.
    ///
    /// # Safety
    ///
    /// The place was reserved for this `T`, its stack was not given back, and it holds a result.
    pub unsafe fn take<T>(self) -> thread::Result<T> {
        // SAFETY: the caller's promise.
        unsafe { self.place.cast::<thread::Result<T>>().read() }
    }

    /// Drops the result that nobody took; yields what the task panicked with.
    ///
    /// # Safety
    ///
    /// The stack was not given back, and the place holds a result.
    pub unsafe fn settle(self) -> Option<Payload> {
        // SAFETY: the caller's promise; the function is the one of the type that it was made for.
        unsafe { (self.settle)(self.place) }
    }
}

/// # Safety
///
/// The place holds a `thread::Result<T>`.
unsafe fn settle<T>(place: NonNull<()>) -> Option<Payload> {
    // SAFETY: the caller's promise.
    unsafe { place.cast::<thread::Result<T>>().read() }.err()
}

/// The answer of what would suspend a task that was asked to stop.
///
/// Also the answer where waiting can't end: during unwinding, and outside of all tasks where
/// nothing is left that could end it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Canceled;

impl fmt::Display for Canceled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("canceled")
    }
}

impl std::error::Error for Canceled {}

impl From<Canceled> for io::Error {
    fn from(canceled: Canceled) -> io::Error {
        io::Error::other(canceled)
    }
}

/// Why a task's result can't be had.
pub enum JoinError {
    /// It panicked, with this.
    Panicked(Box<dyn Any + Send>),
    /// It can't end while the caller waits: the caller is unwinding, or is inside of another
    /// scheduler than the task. Or its scheduler is gone, and the result with it.
    Unreachable,
}

impl JoinError {
    /// Goes on with the panic of the task.
    ///
    /// # Panics
    ///
    /// Always: with what the task panicked with, if that is the reason.
    pub fn resume(self) -> ! {
        match self {
            JoinError::Panicked(payload) => std::panic::resume_unwind(payload),
            JoinError::Unreachable => panic!("{self}"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::Panicked(payload) => {
                let text = payload.downcast_ref::<&str>().copied();
                let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
                write!(f, "the task panicked: {}", text.unwrap_or("(not with a text)"))
            }
            JoinError::Unreachable => f.write_str("the task can't be waited for from here"),
        }
    }
}

impl std::error::Error for JoinError {}

impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> io::Error {
        io::Error::other(error.to_string())
    }
}

/// Names a task of this thread: a number, which is stale once the task has ended.
///
/// Its calls do nothing for a task that has ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TaskRef {
    pub(crate) scheduler: u64,
    pub(crate) key: Key,
    /// Tasks never change threads, and neither do their names.
    pub(crate) _not_send: PhantomData<*mut ()>,
}

impl TaskRef {
    /// The state that it is [parked](crate::park) with, if it is.
    pub fn state(&self) -> Option<u32> {
        match self.with(|core| core.wait_of(self.key)) {
            Some(Some(Wait::Wakeup(state))) => Some(state),
            _ => None,
        }
    }

    /// Lets it go on, if it is [parked](crate::park); says whether it was.
    pub fn wakeup(&self) -> bool {
        self.state().is_some() && self.with(|core| core.wake(self.key)).is_some()
    }

    /// Lets it go on, if it is [parked](crate::park) with this state; says whether it was.
    pub fn wakeup_if(&self, state: u32) -> bool {
        self.state() == Some(state) && self.wakeup()
    }

    /// Asks it to stop.
    ///
    /// It is a request: what it waits for is canceled, it gets the true result of that, and
    /// everything after that would suspend it answers `Canceled` instead. While it joins a task or
    /// waits for a scope, that task or scope is asked as well.
    pub fn cancel(&self) {
        self.with(|core| core.cancel(self.key));
    }

    /// Whether it has ended.
    pub fn is_complete(&self) -> bool {
        !matches!(self.with(|core| core.wait_of(self.key)), Some(Some(wait)) if wait != Wait::Ended)
    }

    fn with<R>(&self, f: impl FnOnce(&Core) -> R) -> Option<R> {
        scheduler::with_id(self.scheduler, f)
    }
}

/// A task whose result can be waited for. Dropping it detaches the task.
///
/// It is a number: forgetting it keeps the task's result until the scope ends, and no more.
#[must_use = "dropping it detaches the task"]
pub struct Task<'scope, T> {
    task: TaskRef,
    _result: PhantomData<(T, &'scope ())>,
}

impl<T> Task<'_, T> {
    pub(crate) fn new(task: TaskRef) -> Self {
        Task { task, _result: PhantomData }
    }

    /// Its name, which can be copied.
    pub fn task(&self) -> TaskRef {
        self.task
    }

    /// Waits until it has ended; yields its result.
    ///
    /// If the caller is asked to stop while it waits, so is the task; the wait goes on, and yields
    /// the true result.
    ///
    /// # Errors
    ///
    /// - [`JoinError::Panicked`]: it panicked.
    /// - [`JoinError::Unreachable`]: it can't end while the caller waits.
    pub fn join(self) -> Result<T, JoinError> {
        let joined = self.task.with(|core| {
            if !core.wait_for_task(self.task.key) {
                return Err(JoinError::Unreachable);
            }
            let (result, stack) = core.take_result(self.task.key).ok_or(JoinError::Unreachable)?;
            // SAFETY: the slot was reserved for the type of the task's closure, which is that of
            // this handle; the task has ended, so that it holds a result, and nobody took it: the
            // record of the task was here until now.
            let result = unsafe { result.take::<T>() };
            core.give_stack(stack);
            result.map_err(JoinError::Panicked)
        });
        std::mem::forget(self);
        joined.unwrap_or(Err(JoinError::Unreachable))
    }

    /// Gives its result up. It goes on, and its scope waits for it.
    pub fn detach(self) {
        drop(self);
    }

    /// See [`TaskRef::cancel`].
    pub fn cancel(&self) {
        self.task.cancel();
    }

    /// See [`TaskRef::is_complete`].
    pub fn is_complete(&self) -> bool {
        self.task.is_complete()
    }

    /// See [`TaskRef::state`].
    pub fn state(&self) -> Option<u32> {
        self.task.state()
    }

    /// See [`TaskRef::wakeup`].
    pub fn wakeup(&self) -> bool {
        self.task.wakeup()
    }

    /// See [`TaskRef::wakeup_if`].
    pub fn wakeup_if(&self, state: u32) -> bool {
        self.task.wakeup_if(state)
    }
}

impl<T> Drop for Task<'_, T> {
    fn drop(&mut self) {
        self.task.with(|core| core.detach(self.task.key));
    }
}

impl<T> fmt::Debug for Task<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Task").field(&self.task.key).finish()
    }
}
