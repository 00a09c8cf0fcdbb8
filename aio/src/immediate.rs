//! The immediate calls: they block the thread until all of a batch is complete.

use std::cell::Cell;

use crate::backend::{Mode, Options};
use crate::batch::Batch;
use crate::error::Error;
use crate::guard::{self, NoUnwind};
use crate::key::Key;
use crate::kind::OpKind;
use crate::op::Operation;
use crate::ring::Ring;

thread_local! {
    /// The thread's ring, while no call uses it: a call inside a call makes one for itself.
    static CACHED: Cell<Option<Ring>> = const { Cell::new(None) };
}

/// Completes all operations of `batch`; yields the result of each, in order.
///
/// The thread is blocked until the last one is complete. Its ring is made by its first call and
/// kept.
///
/// ```
/// use corio_aio::{self as aio, op};
/// # fn main() -> std::io::Result<()> {
/// # let dir = tempfile::tempdir()?;
/// # let (a, b) = (dir.path().join("a"), dir.path().join("b"));
/// # std::fs::write(&a, "hello")?;
/// # std::fs::write(&b, "world!")?;
/// let (a, b) = (std::fs::File::open(a)?, std::fs::File::open(b)?);
/// let (mut ours, mut theirs) = ([0; 64], [0; 64]);
/// let (n, m) = aio::complete((op::read(&a, &mut ours), op::read(&b, &mut theirs)))?;
/// assert_eq!((n?, m?), (5, 6));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Nothing was started: the batch breaks a rule, or the thread can't have a ring (its causes are
/// those of [`Ring::new`] and [`Ring::start`]).
///
/// # Aborts
///
/// If the ring breaks while operations are in flight, the process is aborted: their memory can't
/// be given back.
pub fn complete<B: Batch>(batch: B) -> Result<B::Results, Error> {
    carry_out(batch, false)
}

/// Starts all operations of `batch`, and cancels the others when the first is complete; yields the
/// result of each, in order, when all of them are.
///
/// It is a chain that wins, complete to its end, where operations are linked. Those that succeed
/// in spite of their cancel report their success: nothing is lost.
///
/// ```
/// use corio_aio::{self as aio, Cause, EventSource, op};
/// # fn main() -> std::io::Result<()> {
/// let (source, pause) = (EventSource::new()?, std::time::Duration::from_millis(1));
/// let (waited, paused) = aio::race((op::wait_event_source(&source), op::timeout(pause)))?;
/// assert_eq!(waited.map_err(|error| error.cause()), Err(Cause::Canceled));
/// assert_eq!(paused, Ok(()));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Nothing was started: see [`complete`].
pub fn race<B: Batch>(batch: B) -> Result<B::Results, Error> {
    carry_out(batch, true)
}

fn carry_out<B: Batch>(mut batch: B, mut is_race: bool) -> Result<B::Results, Error> {
    let mut ring = take_ring()?;
    let guard = NoUnwind;
    // SAFETY: `batch` stays in this frame, untouched, until the loop below has seen all of it
    // complete; the loop ends in no other way but an abort, and `guard` stops an unwind.
    let first = unsafe { ring.start(&mut batch, 0) };
    while ring.completed().is_some() {}
    while ring.in_flight() > 0 {
        if is_race && ring.is_any_complete(first.unwrap_or(Key::NONE)) {
            is_race = false;
            ring.cancel_batch(first.unwrap_or(Key::NONE));
        }
        if let Err(error) = ring.wait(Mode::Blocking) {
            guard::abort(&error);
        }
        while ring.completed().is_some() {}
    }
    guard.release();
    let results = first.map(|mut key| {
        batch.finish(&mut || {
            let (answer, next) = ring.take(key);
            key = next;
            answer
        })
    });
    // Where the thread's values are being destroyed already, the ring goes with this call.
    let _ = CACHED.try_with(|cached| cached.set(Some(ring)));
    results
}

/// Completes all operations of `batch`; yields what each yields, or the failure that the others
/// follow from.
///
/// ```
/// use corio_aio::{self as aio, op::{self, Operation}};
/// # fn main() -> std::io::Result<()> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("file");
/// let file = aio::single(op::open_at(aio::Cwd, path).read_write().create())?;
/// let mut buf = [0; 64];
/// let (.., n) = aio::multi((
///     op::write(&file, b"contents").soft(),
///     op::read(&file, &mut buf).at(0),
/// ))?;
/// assert_eq!(&buf[..n], b"contents");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// The first failure that is not a cancel, or else the first one. What had succeeded is dropped
/// (a new descriptor is closed); use [`complete`] to see each result.
pub fn multi<B: Batch>(batch: B) -> Result<B::Outputs, Error> {
    B::all(complete(batch)?)
}

/// Completes `op`.
///
/// # Errors
///
/// Those of the operation; or the thread can't have a ring.
pub fn single<O: Operation>(op: O) -> Result<O::Output, Error> {
    let (result,) = complete((op,))?;
    result
}

/// Whether all these operations can be done here.
///
/// One that can't be answers [`Cause::Unsupported`](crate::Cause::Unsupported), as a value.
///
/// ```
/// use corio_aio::{self as aio, OpKind};
/// assert!(aio::supports(&[OpKind::Recv, OpKind::Send]));
/// ```
pub fn supports(kinds: &[OpKind]) -> bool {
    let Ok(ring) = take_ring() else { return false };
    let all = kinds.iter().all(|kind| ring.supports(*kind));
    let _ = CACHED.try_with(|cached| cached.set(Some(ring)));
    all
}

/// The thread's ring, or a new one if it is in use, missing, or of the parent process.
fn take_ring() -> Result<Ring, Error> {
    match CACHED.try_with(Cell::take) {
        Ok(Some(ring)) if !ring.is_forked() => Ok(ring),
        _ => Ring::new(&Options { entries: 32, ..Options::DEFAULT }),
    }
}
