//! A scope that fails as a whole: the first error of a task asks the others to stop.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::{fmt, io};

use crate::options::SpawnOptions;
use crate::scheduler;
use crate::scope::{Scope, scope};
use crate::task::{Canceled, Task, TaskRef};

/// Where tasks are spawned whose errors are those of the scope; see [`try_scope`].
///
/// A task that is to spawn others takes a clone along.
pub struct TryScope<'scope, 'env, E> {
    scope: &'scope Scope<'scope, 'env>,
    failure: Rc<Failure<E>>,
}

/// What the tasks of a scope know of its failure.
struct Failure<E> {
    /// Whether a task failed or panicked, or the closure failed.
    has_come: Cell<bool>,
    error: RefCell<Option<E>>,
    /// The task that is in the closure of the scope.
    opener: Option<TaskRef>,
}

impl<'scope, E: 'scope> TryScope<'scope, '_, E> {
    /// Starts a task, and runs it until it waits for the first time.
    ///
    /// If it fails or panics, and is the first, the others are asked to stop. Its error goes to the
    /// scope: who joins the task gets [`Canceled`] in its stead. What is spawned after that is
    /// asked to stop before it begins.
    ///
    /// # Panics
    ///
    /// If there is no memory for its stack.
    #[track_caller]
    pub fn spawn<T: 'scope>(
        &self,
        f: impl FnOnce() -> Result<T, E> + 'scope,
    ) -> Task<'scope, Result<T, Canceled>> {
        self.spawn_with(SpawnOptions::new(), f).expect("memory for the stack of a task")
    }

    /// As [`spawn`](TryScope::spawn), set up as `options` say, with an error instead of a panic.
    ///
    /// # Errors
    ///
    /// `ENOMEM`: the process has no memory, no mappings or no addresses left.
    #[track_caller]
    pub fn spawn_with<T: 'scope>(
        &self,
        options: SpawnOptions<'scope>,
        f: impl FnOnce() -> Result<T, E> + 'scope,
    ) -> io::Result<Task<'scope, Result<T, Canceled>>> {
        let scope = self.clone();
        self.scope.spawn_with(options, move || {
            if let (true, Some(task)) = (scope.failure.has_come.get(), scheduler::current()) {
                task.cancel();
            }
            scope.watch(f)
        })
    }
}

impl<E> TryScope<'_, '_, E> {
    /// Asks all tasks of the scope to stop, newest first; see [`Task::cancel`].
    pub fn cancel(&self) {
        self.scope.cancel();
    }

    fn watch<T>(&self, f: impl FnOnce() -> Result<T, E>) -> Result<T, Canceled> {
        match catch_unwind(AssertUnwindSafe(f)) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                self.failure.keep(error);
                self.fail();
                Err(Canceled)
            }
            Err(panic) => {
                self.fail();
                resume_unwind(panic)
            }
        }
    }

    fn fail(&self) {
        if !self.failure.has_come.replace(true) {
            self.scope.fail(self.failure.opener);
        }
    }
}

impl<E> Failure<E> {
    /// Keeps the first error; drops the others.
    fn keep(&self, error: E) {
        let mut first = self.error.borrow_mut();
        if first.is_none() {
            *first = Some(error);
        }
    }
}

impl<E> Clone for TryScope<'_, '_, E> {
    fn clone(&self) -> Self {
        TryScope { scope: self.scope, failure: Rc::clone(&self.failure) }
    }
}

impl<E> fmt::Debug for TryScope<'_, '_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_failed = self.failure.has_come.get();
        f.debug_struct("TryScope").field("has_failed", &has_failed).finish_non_exhaustive()
    }
}

/// A [`scope()`] that fails as a whole: when a task fails or panics, or the closure fails, all
/// others are asked to stop, and so is the closure, if it is in a task. Yields the first error when
/// all tasks have ended, or else what the closure yields.
///
/// ```
/// use std::io::{Error, ErrorKind};
/// # fn main() -> std::io::Result<()> {
/// let sum: Result<u32, Error> = corio::try_scope(|s| {
///     let (half, other) = (s.spawn(|| Ok(20)), s.spawn(|| Ok(22)));
///     Ok(half.join()?? + other.join()??)
/// })?;
/// assert_eq!(sum?, 42);
///
/// let failed: Result<(), Error> = corio::try_scope(|s| {
///     let waits = s.spawn(|| Ok(corio::park(0)?)); // until it is canceled
///     s.spawn(|| Err::<(), _>(ErrorKind::NotFound.into())).detach();
///     Ok(waits.join()??)
/// })?;
/// assert_eq!(failed.unwrap_err().kind(), ErrorKind::NotFound);
/// # Ok(())
/// # }
/// ```
///
/// What others yield when they are asked to stop is theirs to say: errors after the first are
/// dropped.
///
/// # Errors
///
/// Those of [`scope()`]; inside, the first error of a task or the closure.
///
/// # Panics
///
/// With what a task panicked with that was not joined.
pub fn try_scope<'env, T, E>(
    f: impl for<'scope> FnOnce(TryScope<'scope, 'env, E>) -> Result<T, E>,
) -> io::Result<Result<T, E>> {
    let failure = Rc::new(Failure {
        has_come: Cell::new(false),
        error: RefCell::new(None),
        opener: scheduler::current(),
    });
    let value = scope(|s| {
        let scope = TryScope { scope: s, failure: Rc::clone(&failure) };
        let own = scope.clone();
        own.watch(|| s.fail_fast(|| f(scope)))
    })?;
    Ok(match (failure.error.take(), value) {
        (Some(error), _) => Err(error),
        (None, value) => Ok(value.expect("one that failed has left its error")),
    })
}
