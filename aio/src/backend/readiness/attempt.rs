//! Operations as calls that never wait: done, or not yet.

use std::io;

use super::{socket, transfer};
use crate::backend::syscall;
use crate::backend::system::LACKS;
use crate::error::Cause;
use crate::handle::RawHandle;
use crate::kind::OpKind;
use crate::op::RawOp;
use crate::sys::{self, c};

/// How an operation is carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// By a call that never waits.
    Now,
    /// By the clock.
    Timer,
    /// When a count that has no descriptor is above zero.
    Counted,
    /// When the descriptor is ready.
    Ready(RawHandle, Side),
    /// By a call that can only block.
    Block,
    /// Not at all.
    Never,
}

/// What an operation waits for, and whom it waits behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Something to read.
    Read,
    /// Room to write.
    Write,
    /// These events, beside everybody else.
    Beside(u32),
}

/// What came of an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attempt {
    /// It is complete.
    Done(Result<u32, Cause>),
    /// The descriptor is not ready; so much was moved.
    NotReady(u32),
    /// Another descriptor is not ready.
    Elsewhere(RawHandle, Side),
    /// A call that may block has to do it; so much was moved.
    Blocks(u32),
}

/// How `op` is carried out.
///
/// # Safety
///
/// What `op` names is valid during the call.
pub unsafe fn way(kind: OpKind, op: &RawOp) -> Way {
    match *op {
        _ if LACKS.contains(kind) => Way::Never,
        RawOp::Timeout { .. } => Way::Timer,
        RawOp::Recv { fd, flags, .. } | RawOp::RecvMsg { fd, flags, .. }
            if flags & c::MSG_OOB != 0 =>
        {
            Way::Ready(fd, Side::Beside(c::POLLPRI as u32))
        }
        RawOp::Read { fd, .. }
        | RawOp::Readv { fd, .. }
        | RawOp::Recv { fd, .. }
        | RawOp::RecvMsg { fd, .. }
        | RawOp::Accept { fd }
        | RawOp::WaitId { pidfd: fd, .. }
        | RawOp::Splice { from: fd, .. } => Way::Ready(fd, Side::Read),
        RawOp::Write { fd, .. }
        | RawOp::Writev { fd, .. }
        | RawOp::Send { fd, .. }
        | RawOp::SendZc { fd, .. }
        | RawOp::SendMsg { fd, .. }
        | RawOp::Connect { fd, .. } => Way::Ready(fd, Side::Write),
        RawOp::Poll { fd, events } => Way::Ready(fd, Side::Beside(events)),
        RawOp::ChildExit { child } => Way::Ready(child, Side::Beside(c::POLLIN as u32)),
        // SAFETY: passed on.
        RawOp::WaitEvent { event } => match unsafe { &*event }.waited_on() {
            Some(fd) => Way::Ready(fd, Side::Read),
            None => Way::Counted,
        },
        RawOp::Close { .. } | RawOp::Shutdown { .. } | RawOp::NotifyEvent { .. } => Way::Now,
        RawOp::FutexWake { .. } => Way::Now,
        _ if syscall::NEVER_WAIT.contains(kind) => Way::Now,
        _ if syscall::HAS_CALL.contains(kind) => Way::Block,
        _ => Way::Never,
    }
}

/// Whether operations of this kind can be done.
pub const fn supports(kind: OpKind) -> bool {
    !matches!(kind, OpKind::FutexWait) && !LACKS.contains(kind)
}

/// What is left of `op` after `moved` bytes.
#[inline]
pub fn rest(op: &RawOp, moved: u32) -> RawOp {
    if moved == 0 {
        return *op;
    }
    let at = |offset: u64| match offset {
        RawOp::OWN_POSITION => RawOp::OWN_POSITION,
        offset => offset + u64::from(moved),
    };
    match *op {
        RawOp::Read { fd, buf, len, offset } => {
            let buf = buf.wrapping_add(moved as usize);
            RawOp::Read { fd, buf, len: len - moved, offset: at(offset) }
        }
        RawOp::Write { fd, buf, len, offset } => {
            let buf = buf.wrapping_add(moved as usize);
            RawOp::Write { fd, buf, len: len - moved, offset: at(offset) }
        }
        RawOp::Send { fd, buf, len, flags } | RawOp::SendZc { fd, buf, len, flags } => {
            let buf = buf.wrapping_add(moved as usize);
            RawOp::Send { fd, buf, len: len - moved, flags }
        }
        op => op,
    }
}

/// Tries `op`, of which `moved` bytes have been moved before; counts the calls that it makes.
///
/// # Safety
///
/// The memory that `op` names is valid during the call and, where it is written to, unused.
#[inline]
pub unsafe fn attempt(op: &RawOp, moved: u32, calls: &mut u64) -> Attempt {
    *calls += 1;
    if let RawOp::Recv { fd, buf, len, flags } = *op {
        let (buf, len) = (buf.wrapping_add(moved as usize), len - moved);
        // SAFETY: passed on.
        return unsafe { socket::receive(fd, buf, len, flags, moved) };
    }
    let left = rest(op, moved);
    match left {
        // SAFETY: passed on.
        RawOp::Send { fd, buf, len, flags } | RawOp::SendZc { fd, buf, len, flags } => unsafe {
            socket::send(fd, buf, len, flags, moved)
        },
        // SAFETY: passed on.
        _ => unsafe { attempt_others(&left, moved, calls) },
    }
}

/// Tries an operation that is not a send or a receive.
///
/// # Safety
///
/// As for [`attempt`].
unsafe fn attempt_others(op: &RawOp, moved: u32, calls: &mut u64) -> Attempt {
    match *op {
        // SAFETY: passed on; so in all of these.
        RawOp::Read { .. } | RawOp::Write { .. } => unsafe { transfer::one(op, moved, calls) },
        // SAFETY: see above.
        RawOp::Readv { .. } | RawOp::Writev { .. } => unsafe {
            transfer::several(op, moved, calls)
        },
        RawOp::Splice { .. } => transfer::splice(op, calls),
        // SAFETY: see above.
        RawOp::SendMsg { fd, header, flags } => unsafe {
            socket::message(fd, header.cast_mut(), flags, moved, socket::send_message)
        },
        // SAFETY: see above.
        RawOp::RecvMsg { fd, header, flags } => unsafe {
            socket::message(fd, header, flags, moved, c::recvmsg)
        },
        RawOp::Accept { fd } => socket::accept(fd, calls),
        // SAFETY: see above.
        RawOp::Connect { fd, address, len } => unsafe {
            socket::connect(fd, address, len, moved, calls)
        },
        RawOp::ChildExit { child } => match ready_events(child, c::POLLIN as u32) {
            Ok(0) => Attempt::NotReady(0),
            result => Attempt::Done(result),
        },
        RawOp::Poll { fd, events } => match ready_events(fd, events) {
            Ok(0) => Attempt::NotReady(0),
            result => Attempt::Done(result),
        },
        // SAFETY: see above.
        RawOp::WaitId { pidfd, info, options } => {
            // SAFETY: see above.
            let now = unsafe { syscall::wait_id_now(pidfd, info, options) };
            now.map_or(Attempt::NotReady(0), Attempt::Done)
        }
        // SAFETY: see above.
        RawOp::WaitEvent { event } => match unsafe { &*event }.take() {
            true => Attempt::Done(Ok(0)),
            false => Attempt::NotReady(0),
        },
        _ => Attempt::Blocks(moved),
    }
}

/// Calls `call` until no signal interrupts it; yields what it says, or the code of its failure.
#[inline]
pub fn retried(mut call: impl FnMut() -> isize) -> Result<u32, i32> {
    loop {
        if let Ok(count) = u32::try_from(call()) {
            return Ok(count);
        }
        let code = io::Error::last_os_error().raw_os_error().unwrap_or(c::EIO);
        if code != c::EINTR {
            return Err(code);
        }
    }
}

/// A failure, unless something was moved before it: then that is the answer.
pub fn failed(moved: u32, code: i32) -> Attempt {
    Attempt::Done(if moved > 0 { Ok(moved) } else { Err(syscall::cause(code)) })
}

/// What of `events` a descriptor is ready for now.
pub fn ready_events(fd: RawHandle, events: u32) -> Result<u32, Cause> {
    let mut entry = c::pollfd { fd, events: events as i16, revents: 0 };
    // SAFETY: the entry outlives the call.
    retried(|| unsafe { c::poll(&mut entry, 1, 0) as isize }).map_err(syscall::cause)?;
    match entry.revents {
        revents if fd < 0 || revents & c::POLLNVAL != 0 => Err(Cause::Os(sys::not_polled(fd))),
        revents => Ok(u32::from(revents as u16)),
    }
}
