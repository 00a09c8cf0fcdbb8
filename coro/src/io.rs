//! Operations in a task: each call suspends the task, not the thread, until it is complete.
//!
//! Outside of all tasks, in the closure of a [`scope()`](crate::scope()) say, the scheduler runs
//! until then. Where there is none, and while the thread unwinds, the thread is blocked, as
//! [`aio::complete`](corio_aio::complete) does.

use corio_aio::op::Operation;
use corio_aio::{Batch, Error};

use crate::scheduler;

/// Completes all operations of `batch`; yields the result of each, in order.
///
/// If the task is asked to stop, the operations are canceled; those that succeed all the same
/// report their success. A task that was asked before starts none: all are
/// [`Canceled`](corio_aio::Cause::Canceled).
///
/// # Errors
///
/// Nothing was started: see [`aio::complete`](corio_aio::complete).
#[inline]
pub fn complete<B: Batch>(batch: B) -> Result<B::Results, Error> {
    scheduler::complete::<B, false>(batch)
}

/// Starts all operations of `batch`, and cancels the others when the first is complete; yields the
/// result of each, in order, when all of them are.
///
/// It is a chain that wins, complete to its end, where operations are linked; a failure is an end,
/// too. Those that succeed in spite of their cancel report their success: nothing is lost. For a
/// race of closures, see [`race`](crate::race()).
///
/// ```
/// use corio::{aio::{Cause, op}, io};
/// # fn main() -> std::io::Result<()> {
/// let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
/// corio::scope(|s| {
///     s.spawn(|| io::single(op::send(&theirs, b"ping"))).detach();
///     let (mut buf, hour) = ([0; 16], std::time::Duration::from_secs(3600));
///     let (received, timeout) = io::race((op::recv(&ours, &mut buf), op::timeout(hour)))?;
///     assert_eq!(received, Ok(4));
///     assert_eq!(timeout.map_err(|error| error.cause()), Err(Cause::Canceled));
///     std::io::Result::Ok(())
/// })?
/// # }
/// ```
///
/// # Errors
///
/// Nothing was started: see [`aio::complete`](corio_aio::complete).
#[inline]
pub fn race<B: Batch>(batch: B) -> Result<B::Results, Error> {
    scheduler::complete::<B, true>(batch)
}

/// Completes all operations of `batch`; yields what each yields, or the failure that the others
/// follow from.
///
/// ```
/// use corio::{aio::op::{self, Operation}, io};
/// # fn main() -> std::io::Result<()> {
/// let (client, server) = std::os::unix::net::UnixStream::pair()?;
/// corio::scope(|s| {
///     s.spawn(|| io::single(op::send(&client, b"ping"))).detach();
///     let mut buf = [0; 16];
///     let (n, _) = io::multi((op::recv(&server, &mut buf).soft(), op::send(&server, b"pong")))?;
///     assert_eq!(&buf[..n], b"ping");
///     std::io::Result::Ok(())
/// })?
/// # }
/// ```
///
/// # Errors
///
/// The first failure that is not a cancel, or else the first one; see
/// [`aio::multi`](corio_aio::multi).
#[inline]
pub fn multi<B: Batch>(batch: B) -> Result<B::Outputs, Error> {
    B::all(complete(batch)?)
}

/// Completes `op`.
///
/// # Errors
///
/// Those of the operation.
#[inline]
pub fn single<O: Operation>(op: O) -> Result<O::Output, Error> {
    let (result,) = complete((op,))?;
    result
}
