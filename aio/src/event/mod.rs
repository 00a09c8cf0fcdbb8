//! Event sources: a count that threads and operations wait on.

#[cfg(unix)]
mod unix;

use std::io;

use crate::sys::CountedEvent;

/// A counting semaphore that any thread can notify, and that operations wait on
/// ([`op::wait_event_source`](crate::op::wait_event_source)).
///
/// Each [`notify`](EventSource::notify) lets exactly one waiter go on, now or later; one
/// [`notify_many`](EventSource::notify_many) lets many.
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
/// # Platforms
///
/// On WASI, which has no threads, it is a count in memory: waits end in the order in which they
/// came, and one that nothing can end any more fails with `EDEADLK`.
///
/// Source: eventfd(2).
#[derive(Debug)]
pub struct EventSource {
    event: CountedEvent,
}

impl EventSource {
    /// An event source whose count is zero.
    ///
    /// # Errors
    ///
    /// `EMFILE` if the process has no descriptors left.
    pub fn new() -> io::Result<EventSource> {
        Ok(EventSource { event: CountedEvent::new()? })
    }

    /// Adds one to the count. From any thread; it does not wait.
    ///
    /// # Errors
    ///
    /// None in practice: the count's end is out of reach.
    pub fn notify(&self) -> io::Result<()> {
        self.notify_many(1)
    }

    /// Adds `number` to the count, in one call, which lets as many waiters go on. From any thread;
    /// it waits only where the count would not fit into 64 bits.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `number` is `u64::MAX`.
    pub fn notify_many(&self, number: u64) -> io::Result<()> {
        self.event.notify_many(number)
    }

    /// Blocks the thread until the count is above zero, and takes one off it.
    ///
    /// # Errors
    ///
    /// None in practice; `EDEADLK` on WASI, where nobody could notify it meanwhile.
    pub fn wait(&self) -> io::Result<()> {
        self.event.wait()
    }

    /// What it is counted in.
    pub(crate) fn event(&self) -> &CountedEvent {
        &self.event
    }
}
