//! What a success says of descriptors, for the attempts to come.

use super::{Poller, Readiness};
use crate::handle::RawHandle;
use crate::op::RawOp;
use crate::sys::c;

/// A receive with one of these does not take what is next.
pub const NOT_THE_NEXT: i32 = c::MSG_PEEK | c::MSG_OOB;

/// Whether an operation would only find out that nothing is there to read.
pub fn is_in_vain(op: &RawOp) -> bool {
    match *op {
        RawOp::Read { len, .. } => len > 0,
        RawOp::Recv { len, flags, .. } => len > 0 && flags & NOT_THE_NEXT == 0,
        _ => false,
    }
}

impl<P: Poller> Readiness<P> {
    /// Notes what a success says of a descriptor.
    #[inline]
    pub(super) fn note(&mut self, op: &RawOp, count: u32) {
        let (RawOp::Recv { fd, len, .. } | RawOp::Read { fd, len, .. }) = *op else {
            return self.note_new(op, count);
        };
        if let RawOp::Recv { flags, .. } = *op
            && flags & NOT_THE_NEXT != 0
        {
            return;
        }
        // The end of a stream does not go away, and is told at each attempt.
        match count > 0 && count < len {
            true => self.waiters.note_short(fd),
            false => self.waiters.set_drained(fd, false),
        }
    }

    /// Notes that a number means a new file, if an operation has made one.
    #[inline(never)]
    pub(super) fn note_new(&mut self, op: &RawOp, count: u32) {
        match op {
            RawOp::Socket { .. } | RawOp::Accept { .. } | RawOp::OpenAt { .. } => {
                self.forget(count as RawHandle);
            }
            _ => {}
        }
    }

    pub(super) fn forget(&mut self, fd: RawHandle) {
        if self.waiters.knows(fd) {
            self.waiters.forget(fd);
            self.poller.forget(fd);
        }
    }
}
