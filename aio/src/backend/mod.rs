//! How operations are carried out: the contract that each backend keeps, and the choice of one.

mod absent;
mod choice;
#[cfg_attr(
    not(any(target_os = "linux", windows, test)),
    expect(dead_code, reason = "some drivers answer all at once")
)]
mod emulate;
#[cfg(windows)]
mod iocp;
mod links;
#[cfg(not(windows))]
mod readiness;
#[cfg(not(windows))]
mod syscall;
mod threads;
mod timeouts;
mod timers;
#[cfg(target_os = "linux")]
mod uring;

/// The backends that this system has, the best one first, and those that it lacks.
#[cfg_attr(target_os = "linux", path = "systems/linux.rs")]
#[cfg_attr(all(unix, not(target_os = "linux")), path = "systems/bsd.rs")]
#[cfg_attr(target_os = "wasi", path = "systems/wasi.rs")]
#[cfg_attr(windows, path = "systems/windows.rs")]
mod system;

#[cfg(windows)]
use iocp::calls as syscall;

pub(crate) use choice::Chosen;
pub use choice::{Custom, Kind, backend};
pub(crate) use emulate::{Driver, Emulate, Stop};

use std::collections::VecDeque;
use std::time::Instant;

use crate::error::{Cause, Error};
use crate::handle::BorrowedDescriptor;
use crate::key::Key;
use crate::kind::{Kinds, OpKind};
use crate::op::{Link, RawOp};
use crate::waker::Waker;

/// How long a ring waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Until at least one operation is complete or the ring's [waker](crate::Waker) is used; not at
    /// all if no operation is in flight and no waker was made.
    Blocking,
    /// Not at all: what is complete is reported.
    NonBlocking,
}

/// How a ring is set up.
///
/// ```
/// use corio_aio::{Dynamic, OpKind, Options};
/// let options = Options { required: &[OpKind::Recv, OpKind::Send], ..Options::default() };
/// let ring = Dynamic::with_options(16, options)?;
/// # Ok::<(), corio_aio::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many operations are handed to the OS in one go, at most; rounded up to a power of two.
    /// More can be in flight. A chain of linked operations can't be longer.
    pub entries: u32,
    /// Operations that the backend must be able to do. Without a `backend`, the first one that can
    /// is chosen; if there is none, setting up fails with [`Cause::Unsupported`].
    pub required: &'static [OpKind],
    /// The backend; `None` for the one that [`backend()`] names.
    pub backend: Option<Kind>,
    /// How many threads the process may have for calls that can only block, such as those on
    /// files, where the OS has no queue for them. They are started when they are needed, and end
    /// when they are not. With 0, and on WASI, which has no threads, such calls block the thread
    /// that waits.
    pub max_threads: usize,
}

impl Options {
    /// What [`Options::default`] has.
    pub const DEFAULT: Options =
        Options { entries: 256, required: &[], backend: None, max_threads: 4 };
}

impl Default for Options {
    fn default() -> Options {
        Options::DEFAULT
    }
}

/// What can be set up for the calling thread as `options` ask for.
pub(crate) trait SetUp: Sized {
    /// Sets it up.
    ///
    /// # Errors
    ///
    /// [`Cause::Unsupported`]: the system has none. [`Cause::Os`]: it refused.
    fn set_up(options: &Options) -> Result<Self, Error>;
}

/// What has gone to and fro between a ring and the OS since it was set up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Traffic {
    /// Calls of the OS to submit and to wait.
    pub calls: u64,
    /// Entries handed over; an operation can take more than one, or none.
    pub submitted: u64,
    /// Completions that the OS reported.
    pub completed: u64,
}

/// An operation that is complete: its key and what the OS answered.
pub type Answered = (Key, Result<u32, Cause>);

/// Operations that are about to be started.
#[derive(Clone, Copy, Debug)]
pub struct Announced {
    /// How many.
    pub count: usize,
    /// Their kinds, and perhaps more.
    pub kinds: Kinds,
    /// The kinds of those that are softly linked, and perhaps more.
    pub soft: Kinds,
    /// Whether the report of a linked success may wait for the rest of its chain.
    pub is_quiet: bool,
}

/// What a ring asks of the system under it: io_uring's semantics, whatever that system is.
///
/// Most programs never see it. It is public so that one can be plugged in: see [`Custom`].
///
/// # Safety
///
/// Every started key is answered exactly once, also when it is canceled, and nothing touches the
/// memory of an operation after it has been answered. A number that answers an operation that makes
/// a descriptor is a descriptor that nobody else owns (a pipe has written two). Answers are only
/// collected; no code of the user runs in between.
pub unsafe trait Backend {
    /// How many operations [`begin`](Backend::begin) can make room for.
    fn capacity(&self) -> usize;

    /// Operations are about to be started, and their chains are to stay together.
    fn begin(&mut self, announced: &Announced, answered: &mut VecDeque<Answered>);

    /// Starts the operation, at the latest with the next `wait`.
    ///
    /// One whose `link` is not [`Link::None`] forms a chain with the next one that is started.
    ///
    /// # Safety
    ///
    /// The memory that `op` names stays valid, in place and, where it is written to, unused, until
    /// `key` has been answered.
    unsafe fn start(
        &mut self,
        key: Key,
        kind: OpKind,
        op: &RawOp,
        link: Link,
        answered: &mut VecDeque<Answered>,
    );

    /// Asks the operation to stop, and keeps asking until it has been answered, also if it has not
    /// started yet.
    fn cancel(&mut self, key: Key, answered: &mut VecDeque<Answered>);

    /// Starts what is to be started and collects answers: in one call of the OS, or in none where
    /// none is needed.
    ///
    /// # Errors
    ///
    /// The backend is broken: nothing in flight can be waited for any more.
    fn wait(&mut self, mode: Mode, answered: &mut VecDeque<Answered>) -> Result<(), Error>;

    /// What has gone to and fro so far.
    fn traffic(&self) -> Traffic;

    /// Whether operations of this kind can be done.
    fn supports(&self, kind: OpKind) -> bool;

    /// A descriptor that is readable when `wait` has something to collect other than timeouts:
    /// see [`Ring::descriptor`](crate::Ring::descriptor).
    ///
    /// # Errors
    ///
    /// [`Cause::Unsupported`]: it has none; or the system refused.
    fn descriptor(&self) -> Result<BorrowedDescriptor<'_>, Error> {
        Err(Error::of_ring(Cause::Unsupported))
    }

    /// What ends `wait`, or the next one, from any thread: see [`Ring::waker`](crate::Ring::waker).
    /// A `wait` that it ends may answer nothing, also if it is blocking.
    ///
    /// # Errors
    ///
    /// [`Cause::Unsupported`]: it has none; or the system refused.
    fn waker(&mut self) -> Result<Waker, Error> {
        Err(Error::of_ring(Cause::Unsupported))
    }

    /// When `wait` is to be called again, though the descriptor is not readable.
    fn next_deadline(&self) -> Option<Instant> {
        None
    }
}
