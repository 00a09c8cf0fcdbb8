//! What tells when descriptors are ready.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Cause;
use crate::handle::RawHandle;

/// What is waited for on a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Interest {
    /// Something to read.
    pub read: bool,
    /// Room to write.
    pub write: bool,
    /// Out-of-band data.
    pub priority: bool,
}

/// A descriptor that is ready.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    pub fd: RawHandle,
    pub read: bool,
    pub write: bool,
    pub priority: bool,
}

pub trait Poller: Sized {
    fn new() -> Result<Self, Cause>;
    fn watch(&mut self, fd: RawHandle, interest: Interest) -> Result<(), Cause>;
    fn forget(&mut self, fd: RawHandle);
    fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> Result<u32, Cause>;
    fn waker(&mut self) -> Result<Arc<OwnedFd>, Cause>;
}
