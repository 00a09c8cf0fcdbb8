//! Operations on event sources.

use super::private::Sealed;
use super::{Answer, Close, Operation, RawOp, close};
use crate::error::Error;
use crate::event::EventSource;
use crate::handle::{Descriptor, Owned};
use crate::kind::OpKind;

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
        let fd = self.source.raw();
        RawOp::Write { fd, buf: self.one.as_ptr(), len: 8, offset: RawOp::OWN_POSITION }
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
        let fd = self.source.raw();
        RawOp::Read { fd, buf: self.count.as_mut_ptr(), len: 8, offset: RawOp::OWN_POSITION }
    }

    fn finish(&mut self, answer: Answer) -> Result<(), Error> {
        answer.done(OpKind::WaitEventSource)
    }
}

/// Closes `source`.
///
/// Source: close(2); `IORING_OP_CLOSE`, Linux 5.6.
pub fn close_event_source(source: EventSource) -> Close<Owned> {
    close(source)
}
