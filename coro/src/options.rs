//! How schedulers are set up, and tasks that are more than their closure.

use std::borrow::Cow;
use std::time::Duration;

use corio_aio as aio;

use crate::stack::{Guards, OwnStack};

/// How a scheduler is set up.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How its ring is.
    pub ring: aio::Options,
    /// How many bytes of address space a task's stack takes, beside its guard page: rounded up to
    /// whole pages and to 16 KiB. Memory is taken only as far down as the task has ever been.
    ///
    /// A task that needs more ends the process, with a report that names it; see
    /// [`with_stack`](crate::with_stack).
    pub stack_size: usize,
    /// How many stacks keep their memory while no task runs on them, at most: so many of the usual
    /// size, and half as many of each other one that was asked for. Of those beyond, the system
    /// gets the memory back, many at once: of the usual size when they have been idle for a second
    /// or two, as long as the scheduler runs, and of others at once. A task that starts on one of
    /// those pays for the page faults again.
    pub idle_stacks: usize,
    /// How the page below each stack is made one that can't be touched.
    pub guards: Guards,
    /// How long a scheduler that has nothing to do looks for what other threads leave, before it
    /// sleeps for that: a wake that comes meanwhile takes a fraction of a microsecond, and makes
    /// no call of the OS; the end of a sleep takes up to tens of microseconds. Where looks are in
    /// vain they become rare, and where there is a single processor there are none. What it has
    /// queued is handed to the OS before, and looked for after. Zero: it sleeps at once.
    pub spin: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            ring: aio::Options::DEFAULT,
            stack_size: 256 * 1024,
            idle_stacks: 1024,
            guards: Guards::Batched,
            spin: Duration::from_micros(25),
        }
    }
}

/// How a task is set up, for [`Scope::spawn_with`](crate::Scope::spawn_with) and its like.
///
/// ```
/// use corio::SpawnOptions;
/// # fn main() -> std::io::Result<()> {
/// corio::scope(|s| {
///     let options = SpawnOptions::new().name("parser").stack_size(1 << 20);
///     let task = s.spawn_with(options, || corio::current().unwrap().name())?;
///     assert_eq!(task.join()?.as_deref(), Some("parser"));
///     std::io::Result::Ok(())
/// })?
/// # }
/// ```
#[derive(Default, Debug)]
pub struct SpawnOptions<'scope> {
    pub(crate) name: Option<Cow<'static, str>>,
    pub(crate) stack_size: Option<usize>,
    pub(crate) stack: Option<&'scope mut OwnStack>,
    pub(crate) is_detached: bool,
    pub(crate) is_measured: bool,
}

impl<'scope> SpawnOptions<'scope> {
    /// Those of [`Scope::spawn`](crate::Scope::spawn): no name, a stack of the scheduler's size.
    pub const fn new() -> SpawnOptions<'scope> {
        SpawnOptions {
            name: None,
            stack_size: None,
            stack: None,
            is_detached: false,
            is_measured: false,
        }
    }

    /// What the task is called in reports, for people: two tasks may have one name. One that is
    /// not `'static` is allocated.
    #[must_use]
    pub fn name(self, name: impl Into<Cow<'static, str>>) -> SpawnOptions<'scope> {
        SpawnOptions { name: Some(name.into()), ..self }
    }

    /// At least how many bytes the task's stack has, in place of
    /// [`Options::stack_size`](crate::Options::stack_size). A size that is used again finds the
    /// stacks of tasks that have ended.
    #[must_use]
    pub fn stack_size(self, bytes: usize) -> SpawnOptions<'scope> {
        SpawnOptions { stack_size: Some(bytes), ..self }
    }

    /// Gives the task's result up from the start, as [`Task::detach`](crate::Task::detach) does
    /// later: it is dropped when the task ends, and the stack is free at once.
    ///
    /// The handle still serves to look at the task, to wake it and to cancel it; its `join` waits
    /// for the end and then has no result to yield,
    /// [`JoinError::Unreachable`](crate::JoinError::Unreachable). The scope waits for the task as
    /// for any other, and passes its panic on.
    #[must_use]
    pub fn detached(self) -> SpawnOptions<'scope> {
        SpawnOptions { is_detached: true, ..self }
    }

    /// A stack of one's own for the task, which lasts as long as its scope, in place of one of the
    /// scheduler's; what [`stack_size`](SpawnOptions::stack_size) says means nothing then.
    ///
    /// ```
    /// use corio::{SpawnOptions, Stack};
    /// # fn main() -> std::io::Result<()> {
    /// let mut stack = Stack::new(1 << 20)?;
    /// corio::scope(|s| {
    ///     let task = s.spawn_with(SpawnOptions::new().stack(&mut stack), || 6 * 7)?;
    ///     assert_eq!(task.join()?, 42);
    ///     std::io::Result::Ok(())
    /// })??;
    /// assert!(stack.touched() > 0);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn stack(self, stack: &'scope mut OwnStack) -> SpawnOptions<'scope> {
        SpawnOptions { stack: Some(stack), ..self }
    }

    /// Gives the task a stack without memory, so that
    /// [`TaskRef::stack_used`](crate::TaskRef::stack_used) can say how much of it the task has
    /// needed at most. That is for finding the right size: it makes the start of a task several
    /// times as slow.
    #[must_use]
    pub fn measured(self) -> SpawnOptions<'scope> {
        SpawnOptions { is_measured: true, ..self }
    }

    /// Whether any stack of the scheduler's will do.
    pub(crate) fn takes_any_worker(&self) -> bool {
        self.stack_size.is_none() && self.stack.is_none() && !self.is_measured
    }
}
