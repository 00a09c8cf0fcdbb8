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
    scheduler::complete(batch)
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
