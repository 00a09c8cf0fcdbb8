//! Time limits for whatever a closure waits for, and the shield against them.

use std::panic::resume_unwind;
use std::time::{Duration, Instant};
use std::{error, fmt, io, thread};

use crate::scheduler;
use crate::scope::scope;

/// The time was up before the closure had ended; this is what it yielded all the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Expired<T>(pub T);

impl<T> Expired<T> {
    /// What the closure yielded.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Display for Expired<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time is up")
    }
}

impl<T: fmt::Debug> error::Error for Expired<T> {}

/// Of kind [`TimedOut`](io::ErrorKind::TimedOut), without the value.
impl<T> From<Expired<T>> for io::Error {
    fn from(expired: Expired<T>) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, expired.to_string())
    }
}

/// Calls `f` with a time limit on all that it waits for.
///
/// When the time is up, what the task waits for is canceled, and everything after that in `f` that
/// would suspend it answers `Canceled`, as after [`Task::cancel`](crate::Task::cancel), but only
/// until `f` ends. That is a request: `f` runs to its end, and its value is never lost. An
/// operation that succeeds all the same reports its success.
///
/// ```
/// use corio::{aio::op, io};
/// use std::time::Duration;
/// # fn main() -> std::io::Result<()> {
/// let (ours, _theirs) = std::os::unix::net::UnixStream::pair()?;
/// corio::run(|| {
///     let mut buf = [0; 64];
///     let pause = Duration::from_millis(1);
///     let received = corio::timeout(pause, || io::single(op::recv(&ours, &mut buf)));
///     let why = received.expect_err("nobody has sent anything").into_inner();
///     assert!(why.expect_err("nothing has come").is_canceled());
/// })
/// # }
/// ```
///
/// Limits can be nested: each counts for what is inside of it. In a [`shield`] one from outside
/// waits until the shield ends. Tasks that are spawned inside are not limited themselves; but while
/// a task or a scope is waited for, it is asked to stop when the time is up, wherever it was
/// spawned, and the wait goes on to its true result.
///
/// Outside of a task `f` runs as a task of its own, in a [`scope()`], on a stack of that. While the
/// thread unwinds nothing can be suspended, so that nothing is canceled: the limit only shows in
/// the answer.
///
/// A limit of nothing is up from the start; one that ends after the clock does is none.
///
/// # Errors
///
/// [`Expired`], with the value: the time was up before `f` ended, whether `f` noticed or not.
///
/// # Panics
///
/// With what `f` panicked with. Outside of a task also if there is no memory for a task, or no ring
/// for the thread.
pub fn timeout<T>(limit: Duration, f: impl FnOnce() -> T) -> Result<T, Expired<T>> {
    let Some(deadline) = Instant::now().checked_add(limit) else { return Ok(f()) };
    if !scheduler::can_suspend() && !thread::panicking() && !scheduler::is_starting() {
        return in_a_task(limit, f);
    }
    let f = || {
        let value = f();
        (value, Instant::now())
    };
    let (value, ended) = if scheduler::can_suspend() {
        let result = scheduler::with_current(|core| core.limited(limit, f));
        result.expect("a task has a scheduler").unwrap_or_else(|panic| resume_unwind(panic))
    } else {
        f()
    };
    if ended < deadline { Ok(value) } else { Err(Expired(value)) }
}

fn in_a_task<T>(limit: Duration, f: impl FnOnce() -> T) -> Result<T, Expired<T>> {
    let mut result = None;
    let ended = scope(|s| s.spawn(|| result = Some(timeout(limit, f))).detach());
    match (result, ended) {
        (Some(result), _) => result,
        (None, ended) => panic!("no task for a time limit: {:?}", ended.err()),
    }
}

/// Calls `f`, in which the task is not asked to stop.
///
/// A cancel of the task, and a [`timeout`] or a failed [`try_scope`](crate::try_scope()) that it is
/// in, wait until `f` has ended: what would suspend the task after that answers `Canceled`. What
/// `f` itself opens works in it: a time limit inside of the shield counts.
///
/// It is for what must not be left half done. A shield that waits for something that never comes
/// holds up everything that waits for the task.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// corio::scope(|s| {
///     let task = s.spawn(|| (corio::shield(|| corio::park(1)), corio::park(2)));
///     task.cancel();
///     assert_eq!(task.state(), Some(1)); // it still waits
///     task.wakeup();
///     assert_eq!(task.join().unwrap(), (Ok(()), Err(corio::Canceled)));
/// })
/// # }
/// ```
///
/// Outside of a task nobody is asked to stop, and it just calls `f`. Where all tasks wait for each
/// other, which is reported as a deadlock, shielded waits are ended, too.
pub fn shield<T>(f: impl FnOnce() -> T) -> T {
    if scheduler::current().is_none() {
        return f();
    }
    let result = scheduler::with_current(|core| core.shielded(f));
    result.expect("a task has a scheduler").unwrap_or_else(|panic| resume_unwind(panic))
}
