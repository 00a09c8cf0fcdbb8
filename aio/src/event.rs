//! Event sources: a count that threads and operations wait on.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::EventfdFlags;
use rustix::io::retry_on_intr;

/// A counting semaphore that any thread can notify, and that operations wait on
/// ([`op::wait_event_source`](crate::op::wait_event_source)).
///
/// Each [`notify`](EventSource::notify) lets exactly one waiter go on, now or later.
///
/// ```
/// use corio_aio::{self as aio, EventSource, op};
/// # fn main() -> std::io::Result<()> {
/// let source = EventSource::new()?;
/// std::thread::scope(|scope| {
///     scope.spawn(|| source.notify());
///     aio::single(op::wait_event_source(&source))
/// })?;
/// # Ok(())
/// # }
/// ```
///
/// Source: eventfd(2).
#[derive(Debug)]
pub struct EventSource {
    fd: OwnedFd,
}

impl EventSource {
    /// An event source whose count is zero.
    ///
    /// # Errors
    ///
    /// `EMFILE` if the process has no descriptors left.
    pub fn new() -> io::Result<EventSource> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::SEMAPHORE;
        Ok(EventSource { fd: rustix::event::eventfd(0, flags)? })
    }

    /// Adds one to the count. From any thread; it does not wait.
    ///
    /// # Errors
    ///
    /// None in practice: the count's end is out of reach.
    pub fn notify(&self) -> io::Result<()> {
        retry_on_intr(|| rustix::io::write(&self.fd, &1u64.to_ne_bytes()))?;
        Ok(())
    }

    /// Blocks the thread until the count is above zero, and takes one off it.
    ///
    /// # Errors
    ///
    /// None in practice.
    pub fn wait(&self) -> io::Result<()> {
        retry_on_intr(|| rustix::io::read(&self.fd, &mut [0; 8]))?;
        Ok(())
    }
}

impl AsFd for EventSource {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<EventSource> for OwnedFd {
    fn from(source: EventSource) -> OwnedFd {
        source.fd
    }
}
