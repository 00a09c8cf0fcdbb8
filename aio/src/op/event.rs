//! Operations on event sources.

use super::private::Sealed;
use super::{Answer, Operation, RawOp};
use crate::error::{Cause, Error};
use crate::event::EventSource;
use crate::kind::OpKind;
use crate::sys::CountedEvent;

/// Adds one to the count of `source`, which lets one waiter go on.
///
/// Source: eventfd(2); `IORING_OP_WRITE`, Linux 5.6.
pub fn notify_event_source(source: &EventSource) -> NotifyEventSource<'_> {
    NotifyEventSource { source, one: 1u64.to_ne_bytes() }
}

/// See [`notify_event_source`].
#[derive(Clone, Copy, Debug)]
pub struct NotifyEventSource<'a> {
    source: &'a EventSource,
    one: [u8; 8],
}

impl Sealed for NotifyEventSource<'_> {}
impl Operation for NotifyEventSource<'_> {
    type Output = ();
    const KIND: OpKind = OpKind::NotifyEventSource;

    fn lower(&mut self) -> RawOp {
        let event = self.source.event();
        match event.writer() {
            Some(fd) => {
                let (buf, offset) = (self.one.as_ptr(), RawOp::OWN_POSITION);
                RawOp::Write { fd, buf, len: CountedEvent::UNIT, offset }
            }
            None => RawOp::NotifyEvent { event },
        }
    }

    fn finish(&mut self, answer: Answer) -> Result<(), Error> {
        answer.done(OpKind::NotifyEventSource)
    }
}

/// Waits until the count of `source` is above zero, and takes one off it.
///
/// # Errors
///
/// - [`Cause::Canceled`](crate::Cause::Canceled): nothing was taken off.
/// - [`Cause::Os`](crate::Cause::Os)`(EDEADLK)`: on WASI, nothing else that is in flight can come
///   to an end, so that nobody will ever notify it.
///
/// Source: eventfd(2); `IORING_OP_READ`, Linux 5.6.
pub fn wait_event_source(source: &EventSource) -> WaitEventSource<'_> {
    WaitEventSource { source, count: [0; 8] }
}

/// See [`wait_event_source`].
#[derive(Clone, Copy, Debug)]
pub struct WaitEventSource<'a> {
    source: &'a EventSource,
    count: [u8; 8],
}

impl Sealed for WaitEventSource<'_> {}
impl Operation for WaitEventSource<'_> {
    type Output = ();
    const KIND: OpKind = OpKind::WaitEventSource;

    fn lower(&mut self) -> RawOp {
        let event = self.source.event();
        match event.reader() {
            Some(fd) => {
                let (buf, offset) = (self.count.as_mut_ptr(), RawOp::OWN_POSITION);
                RawOp::Read { fd, buf, len: CountedEvent::UNIT, offset }
            }
            None => RawOp::WaitEvent { event },
        }
    }

    fn finish(&mut self, answer: Answer) -> Result<(), Error> {
        answer.done(OpKind::WaitEventSource)
    }
}

/// Closes `source`.
///
/// Source: close(2); `IORING_OP_CLOSE`, Linux 5.6.
pub const fn close_event_source(source: EventSource) -> CloseEventSource {
    CloseEventSource { source: Some(source) }
}

/// See [`close_event_source`].
#[derive(Debug)]
pub struct CloseEventSource {
    source: Option<EventSource>,
}

impl Sealed for CloseEventSource {}
impl Operation for CloseEventSource {
    type Output = ();
    const KIND: OpKind = OpKind::CloseEventSource;

    fn lower(&mut self) -> RawOp {
        // It is closed when its turn has come, by being dropped: nobody else can have it.
        RawOp::Nop
    }

    fn finish(&mut self, answer: Answer) -> Result<(), Error> {
        if !matches!(answer.cause(), Some(Cause::Canceled)) {
            self.source = None;
        }
        answer.done(OpKind::CloseEventSource)
    }
}
