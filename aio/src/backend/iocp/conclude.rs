//! The end of a flight: how it is asked for, and what follows from it: an answer, or another one.

use windows_sys::Win32::Foundation::ERROR_OPERATION_ABORTED;
use windows_sys::Win32::Networking::WinSock::WSAECONNRESET;
use windows_sys::Win32::System::IO::CancelIoEx;

use super::codes::handle_of;
use super::flight::{Course, Luggage};
use super::poll::Poller;
use super::{Iocp, file, message, socket};
use crate::error::Cause;
use crate::handle::RawHandle;
use crate::op::RawOp;
use crate::sys::c;

impl Iocp {
    /// Asks the system to stop what it does for a flight, which says in any case what came of it.
    pub(super) fn ask(&mut self, index: usize) {
        let overlapped = self.flights.overlapped(index);
        let book = self.flights.book(index);
        let handle = match book.course {
            Course::Poll => self.poller.as_ref().map(Poller::handle),
            _ => book.op.descriptor().map(handle_of),
        };
        if let Some(handle) = handle {
            // SAFETY: the flight is in place. What is not at work any more is left alone.
            unsafe { CancelIoEx(handle, overlapped) };
        }
    }

    /// What the end of an operation means that somebody has asked to stop, or whose socket was
    /// shut down; other ends mean what they say.
    fn ended(&mut self, index: usize, code: u32) -> Option<Result<u32, Cause>> {
        let book = self.flights.book(index);
        match code {
            ERROR_OPERATION_ABORTED if book.moved > 0 => Some(Ok(book.moved)),
            ERROR_OPERATION_ABORTED if book.is_shut => Some(Ok(0)),
            ERROR_OPERATION_ABORTED if book.is_asked => Some(Err(Cause::Canceled)),
            _ => None,
        }
    }

    /// Whether an operation is not complete with these bytes.
    pub(super) fn goes_on(&mut self, index: usize, bytes: u32) -> bool {
        let book = self.flights.book(index);
        let flags = match book.op {
            RawOp::Recv { flags, .. }
            | RawOp::Send { flags, .. }
            | RawOp::SendZc { flags, .. }
            | RawOp::SendMsg { flags, .. } => flags,
            RawOp::RecvMsg { flags, .. } if !matches!(book.luggage, Luggage::Buffers { .. }) => {
                flags
            }
            _ => return false,
        };
        if flags & c::MSG_WAITALL == 0 || flags & c::MSG_PEEK != 0 || bytes == 0 || book.is_asked {
            return false;
        }
        // SAFETY: who started it keeps its memory in place until it is answered.
        let whole = unsafe { book.op.whole() }.unwrap_or(0);
        u64::from(book.moved) + u64::from(bytes) < whole
    }

    /// What follows from the end of a flight: an answer, or another flight.
    pub(super) fn conclude(
        &mut self,
        index: usize,
        code: u32,
        bytes: u32,
    ) -> Option<Result<u32, Cause>> {
        // What was moved before it was stopped is not lost.
        let code = if code == ERROR_OPERATION_ABORTED && bytes > 0 { 0 } else { code };
        if let Some(result) = self.ended(index, code) {
            return Some(result);
        }
        let room = self.flights.room(index);
        if code == 0 && self.goes_on(index, bytes) {
            self.flights.book(index).moved += bytes;
            return self.fly(index);
        }
        let book = self.flights.book(index);
        match book.op {
            RawOp::Accept { fd } => match code {
                0 => Some(socket::accepted(fd, &mut book.luggage)),
                // That one is gone; there may be others.
                code if code == WSAECONNRESET as u32 && !book.is_asked => self.fly(index),
                code if code == WSAECONNRESET as u32 => Some(Err(Cause::Canceled)),
                code => Some(socket::result(&book.op, code, bytes)),
            },
            RawOp::Connect { fd, .. } => {
                Some(socket::result(&book.op, code, 0).and_then(|_| socket::connected(fd)))
            }
            RawOp::Poll { .. } => self.polled(index, code),
            RawOp::RecvMsg { header, .. } => {
                let result = socket::result(&book.op, code, bytes);
                if result.is_ok() {
                    // SAFETY: who started it keeps the header in place until it is answered.
                    unsafe { message::tell_header(header, &book.luggage, room, code != 0) };
                }
                Some(partly(book.moved, result))
            }
            op if file::transfer_of(&op).is_some() => Some(self.transferred(index, code, bytes)),
            op => Some(partly(book.moved, socket::result(&op, code, bytes))),
        }
    }

    /// The answer of a read or a write that has ended; its file's position moves on.
    fn transferred(&mut self, index: usize, code: u32, bytes: u32) -> Result<u32, Cause> {
        let book = self.flights.book(index);
        let moved = file::result(&book.op, code, bytes)?;
        // SAFETY: who started it keeps its memory in place until it is answered.
        unsafe { file::scatter(&book.op, &book.luggage, moved) };
        if let (Some(position), Some((fd, _, is_write))) =
            (book.position, file::transfer_of(&book.op))
        {
            let after = match is_write && file::appends(fd) {
                true => file::size(fd)?,
                false => position + u64::from(moved),
            };
            file::set_position(fd, after);
        }
        Ok(moved)
    }

    /// Ends the receives of a socket that was shut down for them.
    pub(super) fn end_receives(&mut self, fd: RawHandle) {
        let mut keys = Vec::new();
        self.flights.users_of(fd, &mut keys);
        for key in keys {
            let Some(index) = self.flights.find(key) else { continue };
            let book = self.flights.book(index);
            if matches!(book.op, RawOp::Recv { .. } | RawOp::RecvMsg { .. }) {
                book.is_shut = true;
                self.ask(index);
            }
        }
    }
}

/// A result with what was moved before: a failure does not undo that.
fn partly(moved: u32, result: Result<u32, Cause>) -> Result<u32, Cause> {
    match result {
        Ok(count) => Ok(moved + count),
        Err(_) if moved > 0 => Ok(moved),
        Err(cause) => Err(cause),
    }
}
