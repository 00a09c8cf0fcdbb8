//! Wakers: how other threads end a ring's wait.

use std::sync::Arc;

use crate::error::{Cause, Error};
use crate::handle::RawHandle;
use crate::sys::Signal;

/// Ends a ring's [`wait`](crate::Ring::wait) from any thread: see [`waker`](crate::Ring::waker).
///
/// Its clones wake the same ring. One that outlives its ring does nothing.
#[derive(Clone, Debug)]
pub struct Waker {
    signal: Arc<Signal>,
}

impl Waker {
    /// One that nobody waits for yet. It is for [backends](crate::backend::Backend), which wait
    /// until it [can be read from](Waker::raw); everybody else asks a ring for its own.
    ///
    /// # Errors
    ///
    /// `EMFILE` if the process has no descriptors left.
    pub fn new() -> Result<Waker, Error> {
        let signal = Signal::new().map_err(|error| {
            Error::of_ring(error.raw_os_error().map_or(Cause::Unsupported, Cause::Os))
        })?;
        Ok(Waker { signal: Arc::new(signal) })
    }

    /// Ends the ring's wait or, where it does not wait, its next one. From any thread, in one call
    /// of the OS; it does not wait.
    pub fn wake(&self) {
        self.signal.set();
    }

    /// Takes back what the wakes so far have told; says whether there were any. For backends that
    /// would be told of one wake again and again.
    pub fn clear(&self) -> bool {
        self.signal.clear()
    }

    /// What it is made of.
    pub(crate) fn signal(&self) -> &Signal {
        &self.signal
    }

    /// What can be read from when it was woken, and not [cleared](Waker::clear) since; open as long
    /// as the waker is. On Windows it is a completion port, at which each wake arrives as a packet.
    /// `None` where a system has no such thing (WASI): then whoever waits looks at
    /// [`clear`](Waker::clear) before.
    pub fn raw(&self) -> Option<RawHandle> {
        self.signal.raw()
    }
}
