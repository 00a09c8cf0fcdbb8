//! What the readiness backend asks of the system call that waits.

use std::ops::{BitOr, BitOrAssign};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Cause;
use crate::handle::RawHandle;

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

/// A way to wait until one of many descriptors is ready.
///
/// What is ready when a watch begins or changes is told, and then at least each time that something
/// more comes; some tell it with each wait.
pub trait Poller: Sized {
    /// A poller that watches nothing.
    ///
    /// # Errors
    ///
    /// The system refused.
    fn new() -> Result<Self, Cause>;

    /// From now on `fd` is watched for exactly `interest` (nothing: no longer watched), until this
    /// is called again.
    ///
    /// # Errors
    ///
    /// `EPERM`: it can't be polled, which only some pollers say.
    fn watch(&mut self, fd: RawHandle, interest: Interest) -> Result<(), Cause>;

    /// The descriptor's number was closed, or has just come to name a new file: what is known of
    /// it is void.
    fn forget(&mut self, fd: RawHandle);

    /// Waits until something is ready or `timeout` (`None`: for ever) has passed, never less, and
    /// appends what is ready. An interrupted wait is no error. Yields how many system calls it
    /// took.
    ///
    /// # Errors
    ///
    /// The poller is broken, or the system has no memory left.
    fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> Result<u32, Cause>;

    /// An eventfd, made at the first call, whose being written to ends a wait. The wait takes what
    /// was written, and reports nothing of it.
    ///
    /// # Errors
    ///
    /// `EMFILE` if the process has no descriptors left.
    fn waker(&mut self) -> Result<Arc<OwnedFd>, Cause>;
}
