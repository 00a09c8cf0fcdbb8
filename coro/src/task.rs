//! What others hold of a task: its name, and the handle that joins it.

use std::any::Any;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use corio_aio::key::Key;

use crate::record::{Ended, Wait, text_of};
use crate::scheduler::{self, Core};

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
    /// scheduler than the task. Or its scheduler is gone, or its result was taken already.
    Unreachable,
    /// It was canceled before it was started: [`JoinHandle::cancel`](crate::JoinHandle::cancel).
    Canceled,
    /// It was not started: the scheduler or pool that it was sent to had ended, or was asked to, or
    /// had no memory for its stack.
    Lost,
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
            _ => panic!("{self}"),
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
                write!(f, "the task panicked: {}", text_of(payload))
            }
            JoinError::Unreachable => f.write_str("the task can't be waited for from here"),
            JoinError::Canceled => f.write_str("the task was canceled before it was started"),
            JoinError::Lost => f.write_str("the task was not started: its scheduler has ended"),
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
    /// What [`SpawnOptions::name`](crate::SpawnOptions::name) called it, until it was joined.
    pub fn name(&self) -> Option<String> {
        self.with(|core| core.name_of(self.key))?
    }

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
    /// waits for a scope, that task or scope is asked as well. While it is in a
    /// [`shield`](crate::shield) it does not notice.
    pub fn cancel(&self) {
        self.with(|core| core.cancel(self.key));
    }

    /// Whether it has ended.
    pub fn is_complete(&self) -> bool {
        !matches!(self.with(|core| core.wait_of(self.key)), Some(Some(wait)) if wait != Wait::Ended)
    }

    /// How many bytes of its stack it has used at the same time, at most, from its start until this
    /// moment, or until its end if it was not joined yet: if it was spawned
    /// [`measured`](crate::SpawnOptions::measured). What it does inside of
    /// [`with_stack`](crate::with_stack) is on another stack.
    ///
    /// It counts whole pages, so that it can be a page too much, and with them what the scheduler
    /// keeps on the stack; a page that the system has moved to a swap device is not seen, if it is
    /// the lowest.
    ///
    /// ```
    /// use corio::SpawnOptions;
    /// # fn main() -> std::io::Result<()> {
    /// corio::scope(|s| {
    ///     let task = s.spawn_with(SpawnOptions::new().measured(), || {
    ///         std::hint::black_box([1_u8; 50_000]);
    ///     })?;
    ///     let used = task.stack_used().unwrap();
    ///     assert!((50_000..200_000).contains(&used));
    ///     Ok(task.join()?)
    /// })?
    /// # }
    /// ```
    pub fn stack_used(&self) -> Option<usize> {
        self.with(|core| core.stack_used(self.key))?
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
        let joined =
            self.task.with(|core| core.join(self.task.key).map(|ended| Self::take(core, ended)));
        std::mem::forget(self);
        joined.flatten().unwrap_or(Err(JoinError::Unreachable))
    }

    /// Takes the result of the handle's task, which has ended.
    fn take(core: &Core, ended: Ended) -> Result<T, JoinError> {
        // SAFETY: the task's closure yields a `T`, as its handle says; nobody took it: the
        // scheduler knew the task until now.
        let result = unsafe { ended.take::<T>() };
        core.give_back(ended);
        result.map_err(JoinError::Panicked)
    }

    /// Gives its result up. It goes on, and its scope waits for it.
    pub fn detach(self) {
        drop(self);
    }

    /// See [`TaskRef::name`].
    pub fn name(&self) -> Option<String> {
        self.task.name()
    }

    /// See [`TaskRef::cancel`].
    pub fn cancel(&self) {
        self.task.cancel();
    }

    /// See [`TaskRef::is_complete`].
    pub fn is_complete(&self) -> bool {
        self.task.is_complete()
    }

    /// See [`TaskRef::stack_used`].
    pub fn stack_used(&self) -> Option<usize> {
        self.task.stack_used()
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

/// Yields what [`join`](Task::join) would. Dropping the future detaches the task.
impl<T> Future for Task<'_, T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let waker = context.waker().clone();
        let polled = self.task.with(|core| {
            let polled = core.poll_end(self.task.key, waker)?;
            if polled.is_pending() && scheduler::stands_still(self.task.scheduler) {
                return None;
            }
            Some(polled.map(|ended| Self::take(core, ended)))
        });
        polled.flatten().unwrap_or(Poll::Ready(Err(JoinError::Unreachable)))
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
