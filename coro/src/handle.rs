//! Handles, which go to other threads: of a scheduler, and of the tasks that it is sent.

use std::fmt;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::job::{Job, Outcome};
use crate::options::SpawnOptions;
use crate::park::{Parked, Parker};
use crate::scheduler::{self, Core, PostBox};
use crate::task::JoinError;

/// Starts tasks on a scheduler from any thread.
///
/// While somebody has one, a scheduler whose tasks all wait sleeps: a task that comes from
/// elsewhere may wake them. Without, it would say that they wait for each other.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// corio::run(|| {
///     let handle = corio::handle()?;
///     let elsewhere = std::thread::spawn(move || {
///         let here = std::thread::current().id();
///         handle.spawn(move || here != std::thread::current().id()).join()
///     });
///     // Waiting for a thread blocks this one: so that happens on another one.
///     let joined = corio::blocking(|| elsewhere.join().unwrap())?;
///     assert!(joined.unwrap());
///     std::io::Result::Ok(())
/// })?
/// # }
/// ```
pub struct Handle {
    scheduler: u64,
    mailbox: Arc<PostBox>,
}

impl Handle {
    pub(crate) fn new(core: &Core) -> Handle {
        let mailbox = core.mailbox().clone();
        mailbox.add_handle();
        Handle { scheduler: core.id(), mailbox }
    }

    /// Starts a task on the scheduler, in its outermost scope, in one of its next turns.
    ///
    /// The scheduler's [`run`](crate::run), or `with`, returns when all tasks have ended and
    /// nothing that was sent is left to be started. What is sent later is dropped, and its `join`
    /// answers [`JoinError::Lost`]; so is what is not started when the scheduler's scope panics.
    #[track_caller]
    pub fn spawn<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        self.spawn_with(SpawnOptions::new(), f)
    }

    /// As [`spawn`](Handle::spawn), set up as `options` say.
    #[track_caller]
    pub fn spawn_with<T: Send + 'static>(
        &self,
        options: SpawnOptions<'static>,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let (job, outcome) = Job::new(options, Location::caller(), Some(self.scheduler), f);
        // Where it is not let in it is dropped here, which its `join` says.
        drop(self.mailbox.post(job));
        JoinHandle::new(outcome)
    }

    /// Whether the scheduler has ended, or is about to, and starts nothing that is sent.
    pub fn is_closed(&self) -> bool {
        !self.mailbox.is_open()
    }
}

impl Clone for Handle {
    fn clone(&self) -> Handle {
        self.mailbox.add_handle();
        Handle { scheduler: self.scheduler, mailbox: self.mailbox.clone() }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.mailbox.drop_handle();
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.scheduler).finish()
    }
}

/// A handle of the scheduler that runs, for other threads. In a task of a
/// [`Runtime`](crate::Runtime) it is that of the one worker that the task runs on.
///
/// # Errors
///
/// `Unsupported`: no scheduler runs on this thread.
pub fn handle() -> io::Result<Handle> {
    scheduler::with_current(Handle::new).ok_or_else(|| io::ErrorKind::Unsupported.into())
}

/// The result of a closure that runs elsewhere, to be waited for from any task or thread, or as a
/// future. Dropping it detaches the closure: what it yields, or panics with, is dropped.
#[must_use = "dropping it detaches the task"]
pub struct JoinHandle<T> {
    outcome: Arc<dyn Outcome<T>>,
}

impl<T> JoinHandle<T> {
    pub(crate) fn new(outcome: Arc<dyn Outcome<T>>) -> JoinHandle<T> {
        JoinHandle { outcome }
    }

    /// Waits until it has ended: a task is suspended; outside of tasks the scheduler runs
    /// meanwhile, and a plain thread blocks.
    ///
    /// If the caller is asked to stop while it waits, so is what it waits for; the wait goes on,
    /// and yields the true result.
    ///
    /// # Errors
    ///
    /// - [`JoinError::Panicked`]: it panicked.
    /// - [`JoinError::Canceled`]: it was canceled before it was started.
    /// - [`JoinError::Lost`]: who was to run it did not start it.
    /// - [`JoinError::Unreachable`]: it can't end while the caller waits.
    pub fn join(self) -> Result<T, JoinError> {
        const WHAT: &str = "a task elsewhere to end";
        if let Some(result) = self.outcome.take(None) {
            return result;
        }
        let parker = Parker::current();
        let waker = Waker::from(Arc::new(parker.unparker()));
        let mut is_canceled = false;
        loop {
            if let Some(result) = self.outcome.take(Some(&waker)) {
                return result;
            }
            if !parker.can_wait() || self.outcome.stands_still() {
                return Err(JoinError::Unreachable);
            }
            if is_canceled {
                parker.park_shielded(WHAT);
            } else if parker.park(WHAT, None) == Parked::Canceled {
                is_canceled = true;
                self.outcome.cancel();
            }
        }
    }

    /// Asks it to stop, from any thread: as [`Task::cancel`](crate::Task::cancel) does, or with
    /// the token of a closure in a [`ThreadPool`](crate::ThreadPool). What was not started is
    /// dropped here, and never started.
    pub fn cancel(&self) {
        self.outcome.cancel();
    }

    /// Whether it has ended, or will never be started.
    pub fn is_complete(&self) -> bool {
        self.outcome.is_complete()
    }

    /// Gives its result up; it goes on.
    pub fn detach(self) {
        drop(self);
    }
}

/// Yields what [`join`](JoinHandle::join) would. Dropping the future detaches the closure.
impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.outcome.take(Some(context.waker())) {
            Some(result) => Poll::Ready(result),
            None if self.outcome.stands_still() => Poll::Ready(Err(JoinError::Unreachable)),
            None => Poll::Pending,
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("is_complete", &self.is_complete()).finish()
    }
}
