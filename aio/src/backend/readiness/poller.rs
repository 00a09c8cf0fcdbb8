//! What the readiness backend asks of the system call that waits.

use std::ops::{BitOr, BitOrAssign};
use std::time::Duration;

use crate::error::Cause;
use crate::handle::{BorrowedDescriptor, RawHandle};
use crate::waker::Waker;

/// What is waited for on a descriptor; joined with `|`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interest(u8);

impl Interest {
    /// Nothing.
    pub const NONE: Interest = Interest(0);
    /// That it can be read from, or accepted on.
    pub const READ: Interest = Interest(1);
    /// That it can be written to, or that it is connected.
    pub const WRITE: Interest = Interest(2);
    /// That there is something urgent.
    pub const PRIORITY: Interest = Interest(4);
    /// That it fails or that its peer is gone, which is told in any case.
    pub const END: Interest = Interest(8);

    /// Whether all of `other` is in it.
    pub const fn contains(self, other: Interest) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Interest {
    type Output = Interest;

    fn bitor(self, other: Interest) -> Interest {
        Interest(self.0 | other.0)
    }
}

impl BitOrAssign for Interest {
    fn bitor_assign(&mut self, other: Interest) {
        *self = *self | other;
    }
}

/// What a descriptor is ready for.
///
/// Errors and hang-ups count as all three, and so does a descriptor that is not open: the operation
/// is to find out itself. More may be said than was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ready {
    /// The descriptor.
    pub fd: RawHandle,
    /// A read does not block.
    pub read: bool,
    /// A write does not block.
    pub write: bool,
    /// There is something urgent.
    pub priority: bool,
}

/// What a wait came to, beside what is ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Waited {
    /// How many system calls it took.
    pub calls: u32,
    /// Whether it was woken.
    pub is_woken: bool,
}

/// A way to wait until one of many descriptors is ready.
///
/// What is ready when a watch begins or changes is told, and then at least each time that something
/// more comes; some tell it with each wait.
pub trait Poller: Sized {
    /// Whether to confirm costs no call, and whatever is ready is told anew then: so that nothing
    /// has to be assumed.
    const CONFIRMS_WITHOUT_A_CALL: bool;

    /// A poller that watches nothing.
    ///
    /// # Errors
    ///
    /// The system refused.
    fn new() -> Result<Self, Cause>;

    /// Whether it tells of `fd` only what comes after it was told: then it may go on watching for
    /// what nobody waits for.
    fn is_edge_triggered(&self, fd: RawHandle) -> bool;

    /// From now on `fd` is watched for exactly `interest` (nothing: no longer watched), until this
    /// is called again. Says whether that is certain: else it is assumed, because it was so when
    /// the number was last used, until it is [confirmed](Poller::confirm).
    ///
    /// # Errors
    ///
    /// `EPERM`: it can't be polled, which only some pollers say.
    fn watch(&mut self, fd: RawHandle, interest: Interest) -> Result<bool, Cause>;

    /// Makes certain that `fd` is watched for what it was last said to be.
    ///
    /// # Errors
    ///
    /// As for [`Poller::watch`].
    fn confirm(&mut self, fd: RawHandle) -> Result<(), Cause>;

    /// The descriptor's number was closed, or has just come to name a new file: what is known of
    /// it is void.
    fn forget(&mut self, fd: RawHandle);

    /// Waits until something is ready or `timeout` (`None`: for ever) has passed, never less, and
    /// appends what is ready. An interrupted wait is no error.
    ///
    /// # Errors
    ///
    /// The poller is broken, or the system has no memory left.
    fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> Result<Waited, Cause>;

    /// What ends a wait, or the next one; made at the first call.
    ///
    /// # Errors
    ///
    /// `EMFILE` if the process has no descriptors left.
    fn waker(&mut self) -> Result<Waker, Cause>;

    /// Whether something is watched that the descriptor does not tell.
    fn has_untold(&self) -> bool {
        false
    }

    /// A descriptor that is readable when a wait would not wait, if there is one.
    fn descriptor(&self) -> Option<BorrowedDescriptor<'_>>;
}
