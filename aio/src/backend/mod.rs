//! How operations are carried out: the contract that each backend keeps, and the choice of one.

#[cfg(target_os = "linux")]
mod uring;

#[cfg(target_os = "linux")]
pub(crate) use uring::Uring as Chosen;

use std::collections::VecDeque;

use crate::error::{Cause, Error};
use crate::key::Key;
use crate::kind::OpKind;
use crate::op::{Link, RawOp};

/// How long a ring waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Until at least one operation is complete; not at all if none is in flight.
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
    /// Operations that the backend must be able to do, or setting up fails with
    /// [`Cause::Unsupported`].
    pub required: &'static [OpKind],
}

impl Options {
    /// What [`Options::default`] has.
    pub const DEFAULT: Options = Options { entries: 256, required: &[] };
}

impl Default for Options {
    fn default() -> Options {
        Options::DEFAULT
    }
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
pub(crate) type Answered = (Key, Result<u32, Cause>);

/// What a ring asks of the system under it: io_uring's semantics, whatever that system is.
///
/// Every started key is answered exactly once, also when it is canceled, and the OS touches no
/// memory of an operation after it has been answered. Answers are only collected here; no code of
/// the user runs in between.
pub(crate) trait Backend: Sized {
    /// Sets it up, for the calling thread.
    fn new(options: &Options) -> Result<Self, Error>;

    /// How many operations [`reserve`](Backend::reserve) can make room for.
    fn capacity(&self) -> usize;

    /// Makes room for `count` operations, so that the next `count` calls of `start` stay together.
    fn reserve(&mut self, count: usize, answered: &mut VecDeque<Answered>);

    /// Starts the operation, at the latest with the next `wait`.
    ///
    /// One whose `link` is not [`Link::None`] forms a chain with the next one that is started.
    /// `quiet` says that no operation of the chain can be refused before it is tried.
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
        quiet: bool,
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
}
