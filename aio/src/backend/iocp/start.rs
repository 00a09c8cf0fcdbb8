//! How an operation is carried out.

use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;

use windows_sys::Win32::Foundation::{ERROR_INVALID_PARAMETER, ERROR_OPERATION_ABORTED};
use windows_sys::Win32::Networking::WinSock::{SOCK_STREAM, WSAEINVAL};
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult};
use windows_sys::Win32::System::Threading::{CreateEventW, ResetEvent};

use super::codes::{handle_of, last, of_status};
use super::flight::Course;
use super::own::OwnCall;
use super::socket::{Seat, Started};
use super::wait::Wait;
use super::{COUNTED, Iocp, WAITED, calls, console, file, now, packet, socket, winsock};
use crate::backend::threads::Threads;
use crate::error::Cause;
use crate::handle::{CLOSED, RawHandle};
use crate::key::Key;
use crate::kind::OpKind;
use crate::op::RawOp;
use crate::sys::c;

/// Whether operations of this kind can be done.
pub const fn supports(kind: OpKind) -> bool {
    !matches!(
        kind,
        OpKind::Fadvise
            | OpKind::Madvise
            | OpKind::SyncFileRange
            | OpKind::Splice
            | OpKind::WaitId
            | OpKind::FutexWait
            | OpKind::FutexWake
    )
}

impl Iocp {
    /// Starts an operation, in its own way; an answer, if it is complete at once.
    ///
    /// # Safety
    ///
    /// As for [`Backend::start`](crate::backend::Backend::start).
    pub(super) unsafe fn begin(
        &mut self,
        key: Key,
        kind: OpKind,
        op: &RawOp,
    ) -> Option<Result<u32, Cause>> {
        match *op {
            RawOp::Timeout { after } => {
                // SAFETY: who starts the operation keeps the time in place.
                self.timeouts.start(key, unsafe { *after }.duration());
                None
            }
            RawOp::Recv { fd, .. }
            | RawOp::Send { fd, .. }
            | RawOp::SendZc { fd, .. }
            | RawOp::SendMsg { fd, .. }
            | RawOp::RecvMsg { fd, .. } => self.transfer(key, op, fd, Course::Routine),
            RawOp::Accept { fd } | RawOp::Connect { fd, .. } => {
                self.transfer(key, op, fd, Course::Event)
            }
            RawOp::Read { .. }
            | RawOp::Write { .. }
            | RawOp::Readv { .. }
            | RawOp::Writev { .. } => self.transfer_file(key, kind, op),
            RawOp::Poll { fd, .. } if fd == CLOSED => Some(Err(Cause::Os(c::EBADF))),
            RawOp::Poll { .. } => {
                let index = self.flights.board(key, op, Course::Poll);
                self.poll(index)
            }
            RawOp::ChildExit { child } if child == CLOSED => Some(Err(Cause::Os(c::EBADF))),
            RawOp::ChildExit { child } => self.wait_for(key, op, child),
            RawOp::NotifyEvent { event } => {
                // SAFETY: who starts the operation keeps the event in place.
                let notified = unsafe { &*event }.notify_many(1);
                Some(file::failed(notified).map(|()| 0))
            }
            RawOp::WaitEvent { event } => {
                self.flights.board(key, op, Course::Count);
                // SAFETY: as above.
                let event = unsafe { &*event };
                let is_up = event.take_through(&self.port, packet(COUNTED, key));
                is_up.then(|| self.answer_now(key, Ok(0)))
            }
            RawOp::Shutdown { fd, how } => {
                self.traffic.calls += 1;
                let result = now::shut_down(fd, how);
                if result.is_ok() && how != c::SHUT_WR {
                    self.end_receives(fd);
                }
                Some(result)
            }
            // SAFETY: passed on.
            _ => match unsafe { now::call(op) } {
                Some(result) => {
                    self.traffic.calls += 1;
                    Some(result)
                }
                None if calls::has(op) => self.block(key, op),
                None => Some(Err(Cause::Unsupported)),
            },
        }
    }

    /// Answers an operation that has just come on board.
    fn answer_now(&mut self, key: Key, result: Result<u32, Cause>) -> Result<u32, Cause> {
        if let Some(index) = self.flights.find(key) {
            self.leave(index);
        }
        result
    }

    /// Has a thread make the call that does it.
    fn block(&mut self, key: Key, op: &RawOp) -> Option<Result<u32, Cause>> {
        if self.max_threads > 0 {
            self.flights.board(key, op, Course::Thread);
            self.hand_over(key, op);
            return None;
        }
        self.traffic.calls += 1;
        // SAFETY: who started the operation keeps its memory in place until it is answered.
        let result = unsafe { calls::call(op) };
        Some(result.unwrap_or(Err(Cause::Unsupported)))
    }

    /// Gives a thread something to do.
    fn hand_over(&mut self, key: Key, op: &RawOp) {
        let (most, waker) = (self.max_threads, &self.waker);
        let threads = self.threads.get_or_insert_with(|| Threads::new(most, waker.clone()));
        // SAFETY: who started the operation keeps its memory in place until it is answered.
        unsafe { threads.start(key, op) };
    }

    /// Has a call made that may wait for ever.
    pub(super) fn call_apart(&mut self, index: usize) {
        let port = &self.port;
        let book = self.flights.book(index);
        let (key, op) = (book.key, book.op);
        book.course = Course::OwnThread;
        // SAFETY: who started the operation keeps its memory in place until it is answered.
        match unsafe { OwnCall::new(&op, port, packet(WAITED, key)) } {
            Ok(call) => book.call = Some(call),
            Err(_) => {
                book.course = Course::Thread;
                self.hand_over(key, &op);
            }
        }
    }

    /// Waits for a handle to be signaled.
    pub(super) fn wait_for(
        &mut self,
        key: Key,
        op: &RawOp,
        fd: RawHandle,
    ) -> Option<Result<u32, Cause>> {
        let index = self.flights.board(key, op, Course::Object);
        match Wait::new(handle_of(fd), &self.port, packet(WAITED, key)) {
            Ok(wait) => {
                self.flights.book(index).wait = Some(wait);
                None
            }
            Err(cause) => Some(self.answer_now(key, Err(cause))),
        }
    }

    /// Starts an operation on a socket.
    fn transfer(
        &mut self,
        key: Key,
        op: &RawOp,
        fd: RawHandle,
        course: Course,
    ) -> Option<Result<u32, Cause>> {
        if fd == CLOSED {
            return Some(Err(Cause::Os(c::EBADF)));
        }
        // SAFETY: who started the operation keeps its memory in place until it is answered.
        if !unsafe { socket::can_be(op) } {
            return Some(Err(Cause::Unsupported));
        }
        // A stream has nothing to wait for; a receive of Windows' waits for something to come.
        if let RawOp::Recv { len: 0, .. } = *op
            && winsock::kind_of(fd) == Ok(SOCK_STREAM)
        {
            return Some(Ok(0));
        }
        let index = self.flights.board(key, op, course);
        self.fly_and_leave(index)
    }

    /// Starts a read or a write.
    fn transfer_file(&mut self, key: Key, kind: OpKind, op: &RawOp) -> Option<Result<u32, Cause>> {
        let (fd, offset, _) = file::transfer_of(op)?;
        if kind == OpKind::ReadTty && console::is_console(fd) {
            return self.start_console(key, op, fd);
        }
        let manner = match file::manner(fd) {
            Ok(manner) => manner,
            Err(cause) => return Some(Err(cause)),
        };
        if offset != RawOp::OWN_POSITION && !manner.has_position {
            return Some(Err(Cause::Os(c::ESPIPE)));
        }
        if manner.waits && (manner.has_position || self.max_threads == 0) {
            return self.block(key, op);
        }
        if manner.waits {
            let index = self.flights.board(key, op, Course::OwnThread);
            self.call_apart(index);
            return None;
        }
        // SAFETY: who started the operation keeps its memory in place until it is answered.
        if unsafe { file::len_of(op) } == 0 {
            return Some(Ok(0));
        }
        let index = self.flights.board(key, op, Course::Routine);
        if manner.has_position && offset == RawOp::OWN_POSITION {
            let book = self.flights.book(index);
            book.position = Some(0);
            if !self.turns.ask(fd, key) {
                book.course = Course::Queued;
                return None;
            }
        }
        let result = self.take_turn(index)?;
        self.leave(index);
        Some(result)
    }

    /// Starts a read or a write whose turn has come; an answer, if it is complete.
    pub(super) fn take_turn(&mut self, index: usize) -> Option<Result<u32, Cause>> {
        let book = self.flights.book(index);
        book.course = Course::Routine;
        if book.position.is_some()
            && let Some(fd) = book.op.descriptor()
        {
            match file::position(fd) {
                Ok(position) => book.position = Some(position),
                Err(cause) => return Some(Err(cause)),
            }
        }
        self.fly(index)
    }

    /// As [`fly`](Iocp::fly), and takes the operation off the books if it is complete.
    fn fly_and_leave(&mut self, index: usize) -> Option<Result<u32, Cause>> {
        let result = self.fly(index)?;
        self.leave(index);
        Some(result)
    }

    /// Gives a flight to the system; an answer, if that is done with it at once.
    pub(super) fn fly(&mut self, index: usize) -> Option<Result<u32, Cause>> {
        let mut started = self.give(index);
        let is_refused = matches!(
            started,
            Started::Failed(code) if code == WSAEINVAL as u32 || code == ERROR_INVALID_PARAMETER
        );
        if is_refused && self.flights.book(index).course == Course::Routine {
            // It belongs to a port of somebody else's, and goes without routines.
            self.flights.book(index).course = Course::Event;
            started = self.give(index);
        }
        let has_routine = self.flights.book(index).course == Course::Routine;
        if let Started::Failed(code) = started
            && let Some(bytes) = self.warned(index)
        {
            // A buffer that was too short is no failure to the system, and is told as a success is.
            if !has_routine {
                return self.conclude(index, code, bytes);
            }
            started = Started::Pending;
        }
        match started {
            Started::Pending => {
                self.flights.take_off(index);
                if !has_routine && let Err(cause) = self.wait_for_event(index) {
                    return self.wait_here(index, cause);
                }
                None
            }
            Started::Done(bytes) if has_routine => {
                self.flights.take_off(index);
                // What goes on after this needs the flight, which the routine gives back.
                if self.goes_on(index, bytes) { None } else { self.conclude(index, 0, bytes) }
            }
            Started::Done(bytes) => self.conclude(index, 0, bytes),
            Started::Failed(code) => self.conclude(index, code, 0),
        }
    }

    /// How many bytes a call has moved that has said that it failed, if that was a warning only.
    fn warned(&self, index: usize) -> Option<u32> {
        const SEVERITY: u32 = 3 << 30;
        const WARNING: u32 = 2 << 30;
        let (status, bytes) = self.flights.status(index);
        (status as u32 & SEVERITY == WARNING).then_some(bytes)
    }

    /// Makes the call of a flight.
    fn give(&mut self, index: usize) -> Started {
        self.traffic.calls += 1;
        let book = self.flights.book(index);
        let has_routine = book.course == Course::Routine;
        let event = match has_routine {
            true => ptr::null_mut(),
            false => match event(&mut book.event) {
                Ok(event) => {
                    // It may be set from its last use.
                    // SAFETY: it is open.
                    unsafe { ResetEvent(event) };
                    socket::untold(event)
                }
                Err(code) => return Started::Failed(code),
            },
        };
        let offset = match (file::transfer_of(&book.op), book.position) {
            (Some(_), Some(position)) => position,
            (Some((_, offset, _)), None) if offset != RawOp::OWN_POSITION => offset,
            _ => 0,
        };
        let is_file = file::transfer_of(&book.op).is_some();
        self.flights.prepare(index, offset, event);
        let seat = Seat::of(&self.flights, index, has_routine);
        let book = self.flights.book(index);
        match is_file {
            // SAFETY: who started the operation keeps its memory in place until it is answered, and
            // the flight stays where it is.
            true => unsafe { file::start(book, &seat) },
            // SAFETY: as above.
            false => unsafe { socket::start(book, &seat) },
        }
    }

    /// Has a packet sent when the event of a flight is set.
    pub(super) fn wait_for_event(&mut self, index: usize) -> Result<(), Cause> {
        let port = &self.port;
        let book = self.flights.book(index);
        let event = book.event.as_ref().map_or(ptr::null_mut(), |event| event.as_raw_handle());
        book.wait = Some(Wait::new(event, port, packet(WAITED, book.key))?);
        Ok(())
    }

    /// Where nobody can be found who waits for an event: stops the flight, and waits here.
    pub(super) fn wait_here(&mut self, index: usize, why: Cause) -> Option<Result<u32, Cause>> {
        let overlapped = self.flights.overlapped(index);
        let fd = self.flights.book(index).op.descriptor().unwrap_or(CLOSED);
        let mut bytes = 0;
        // SAFETY: the flight is in place.
        unsafe { CancelIoEx(handle_of(fd), overlapped) };
        // SAFETY: as above; it waits for the event that the flight has.
        unsafe { GetOverlappedResult(handle_of(fd), overlapped, &mut bytes, 1) };
        let (status, bytes) = self.flights.status(index);
        self.flights.land(index);
        match of_status(status) {
            ERROR_OPERATION_ABORTED => Some(Err(why)),
            code => self.conclude(index, code, bytes),
        }
    }
}

/// The event of a flight, which the system sets when it is done.
fn event(kept: &mut Option<OwnedHandle>) -> Result<std::os::windows::io::RawHandle, u32> {
    if kept.is_none() {
        // SAFETY: it has no conditions.
        let event = unsafe { CreateEventW(ptr::null(), 1, 0, ptr::null()) };
        if event.is_null() {
            return Err(last());
        }
        // SAFETY: it was made here, and nobody else has it.
        *kept = Some(unsafe { OwnedHandle::from_raw_handle(event) });
    }
    Ok(kept.as_ref().map_or(ptr::null_mut(), |event| event.as_raw_handle()))
}
