//! Operations on time, on other operations, and on nothing.

use std::ops::BitOr;
use std::time::Duration;

use super::private::Sealed;
use super::{Answer, Operation, RawOp, Timespec};
use crate::error::{Cause, Error};
use crate::handle::{Descriptor, IntoDescriptor};
use crate::key::Id;
use crate::kind::OpKind;
use crate::sys::c;

/// Does nothing, successfully: for measuring, and for the ends of chains.
///
/// Source: `IORING_OP_NOP`, Linux 5.1.
pub const fn nop() -> Nop {
    Nop
}

/// See [`nop`].
#[derive(Clone, Copy, Debug)]
pub struct Nop;

impl Sealed for Nop {}
impl Operation for Nop {
    type Output = ();
    const KIND: OpKind = OpKind::Nop;

    fn lower(&mut self) -> RawOp {
        RawOp::Nop
    }

    fn finish(&mut self, answer: Answer) -> Result<(), Error> {
        answer.done(OpKind::Nop)
    }
}

/// Waits until `after` has passed.
///
/// That it has passed is a success, and does not break a chain. It never fires early; the clock is
/// the monotonic one, and a `Duration::MAX` waits for ever. Where it stands alone it may fire 65 µs
/// late, beside what the OS takes, so that timeouts that are close to each other fire together; on
/// WASI, whose waits are counted in milliseconds, a millisecond.
///
/// # Errors
///
/// - [`Cause::Canceled`]: it was canceled before the time was up.
///
/// Source: `IORING_OP_TIMEOUT`, Linux 5.4, in a chain; a deadline of the ring's where it stands
/// alone.
pub const fn timeout(after: Duration) -> Timeout {
    Timeout { after: Timespec::new(after) }
}

/// See [`timeout`].
#[derive(Clone, Copy, Debug)]
pub struct Timeout {
    after: Timespec,
}

impl Sealed for Timeout {}
impl Operation for Timeout {
    type Output = ();
    const KIND: OpKind = OpKind::Timeout;

    fn lower(&mut self) -> RawOp {
        RawOp::Timeout { after: &self.after }
    }

    fn finish(&mut self, answer: Answer) -> Result<(), Error> {
        answer.done(OpKind::Timeout)
    }
}

/// Bounds the time that the operation before it, which must be linked to it, may take.
///
/// It succeeds if the operation came first, whatever that one's result. The clock is the monotonic
/// one and starts when the operation before does.
///
/// ```
/// use std::time::Duration;
/// use corio_aio::{self as aio, Cause, EventSource, op, op::Operation};
/// # fn main() -> Result<(), aio::Error> {
/// let source = EventSource::new().expect("a descriptor");
/// let (waited, expired) = aio::complete((
///     op::wait_event_source(&source).soft(),
///     op::link_timeout(Duration::from_millis(1)),
/// ))?;
/// assert_eq!(waited.unwrap_err().cause(), Cause::Canceled);
/// assert_eq!(expired.unwrap_err().cause(), Cause::Expired);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// - [`Cause::Expired`]: the time was up first; the operation before it was canceled.
///
/// Source: `IORING_OP_LINK_TIMEOUT`, Linux 5.5.
pub const fn link_timeout(after: Duration) -> LinkTimeout {
    LinkTimeout { after: Timespec::new(after) }
}

/// See [`link_timeout`].
#[derive(Clone, Copy, Debug)]
pub struct LinkTimeout {
    after: Timespec,
}

impl Sealed for LinkTimeout {}
impl Operation for LinkTimeout {
    type Output = ();
    const KIND: OpKind = OpKind::LinkTimeout;

    fn lower(&mut self) -> RawOp {
        RawOp::LinkTimeout { after: &self.after }
    }

    fn finish(&mut self, answer: Answer) -> Result<(), Error> {
        answer.done(OpKind::LinkTimeout)
    }
}

/// Asks the operation that `id` names to stop.
///
/// It is a request: what has succeeded by then reports its success. An operation that waits for
/// the one before it in its chain has not started, and is not found.
///
/// # Errors
///
/// - [`Cause::NotFound`]: it is unknown to this ring, has not started, or is complete.
/// - [`Cause::InProgress`]: it is in the middle of a call, and will complete, stopped or not.
///
/// Source: `IORING_OP_ASYNC_CANCEL`, Linux 5.5.
pub const fn cancel(id: Id) -> Cancel {
    Cancel { id }
}

/// See [`cancel`].
#[derive(Clone, Copy, Debug)]
pub struct Cancel {
    id: Id,
}

impl Sealed for Cancel {}
impl Operation for Cancel {
    type Output = ();
    const KIND: OpKind = OpKind::Cancel;

    fn lower(&mut self) -> RawOp {
        RawOp::Cancel { ring: self.id.ring(), target: self.id.key() }
    }

    fn finish(&mut self, answer: Answer) -> Result<(), Error> {
        match answer.cause() {
            Some(Cause::Os(c::ENOENT)) => Err(Error::new(OpKind::Cancel, Cause::NotFound)),
            Some(Cause::Os(c::EALREADY)) => Err(Error::new(OpKind::Cancel, Cause::InProgress)),
            _ => answer.done(OpKind::Cancel),
        }
    }
}

/// What a descriptor can be ready for; joined with `|`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Events(u32);

impl Events {
    /// Reading would not wait.
    pub const READABLE: Events = Events(c::POLLIN as u32);
    /// Writing would not wait.
    pub const WRITABLE: Events = Events(c::POLLOUT as u32);
    /// Something exceptional is there, such as out-of-band data.
    pub const PRIORITY: Events = Events(c::POLLPRI as u32);
    /// An error is pending; always reported.
    pub const ERROR: Events = Events(c::POLLERR as u32);
    /// The peer is gone; always reported.
    pub const HANG_UP: Events = Events(c::POLLHUP as u32);

    /// Whether all of `other` is in it.
    pub const fn contains(self, other: Events) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Events {
    type Output = Events;

    fn bitor(self, other: Events) -> Events {
        Events(self.0 | other.0)
    }
}

/// Waits until `fd` is ready for one of `events`; yields what it is ready for.
///
/// # Errors
///
/// - [`Cause::Canceled`]: it was canceled before `fd` was ready.
/// - [`Cause::Os`]`(EBADF)`: `fd` is closed.
///
/// # Platforms
///
/// All. WASI knows of reading and writing only: if neither is asked for, the answer is
/// [`Cause::Unsupported`]. So it is of pipes and consoles of Windows, where a socket whose peer has
/// closed its side counts as hung up.
///
/// Source: poll(2); `IORING_OP_POLL_ADD`, Linux 5.1; `\Device\Afd`.
pub fn poll<F: IntoDescriptor>(fd: F, events: Events) -> Poll<F::Descriptor> {
    let fd = fd.into_descriptor();
    Poll { fd, events }
}

/// See [`poll`].
#[derive(Clone, Copy, Debug)]
pub struct Poll<F> {
    /// What is waited for.
    pub fd: F,
    /// What it is to be ready for.
    pub events: Events,
}

impl<F> Sealed for Poll<F> {}
impl<F: Descriptor> Operation for Poll<F> {
    type Output = Events;
    const KIND: OpKind = OpKind::Poll;

    fn lower(&mut self) -> RawOp {
        RawOp::Poll { fd: self.fd.raw(), events: self.events.0 }
    }

    fn finish(&mut self, answer: Answer) -> Result<Events, Error> {
        answer.count(OpKind::Poll).map(|events| Events(events as u32))
    }
}
