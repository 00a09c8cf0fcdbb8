//! Operations as plain system calls: one arm each.

use std::io;

use crate::error::Cause;
use crate::kind::{Kinds, OpKind};
use crate::op::RawOp;

/// Those that never wait, so that a plain call costs less than a place in a queue.
pub const NEVER_WAIT: Kinds =
    Kinds::NONE.with(OpKind::Socket).with(OpKind::Bind).with(OpKind::Listen);

/// Those that a plain call can stand in for: it may block, but not for ever.
pub const HAS_CALL: Kinds =
    NEVER_WAIT.with(OpKind::OpenAt).with(OpKind::Fsync).with(OpKind::Shutdown);

/// Does `op` as its system call does it, blocking where that blocks; `None` if it has none.
///
/// # Safety
///
/// The memory that `op` names is valid during the call and, where it is written to, unused.
pub unsafe fn call(op: &RawOp) -> Option<Result<u32, Cause>> {
    loop {
        // SAFETY: passed on.
        let result = unsafe { call_once(op) }?;
        if result >= 0 {
            return Some(Ok(result as u32));
        }
        match io::Error::last_os_error().raw_os_error() {
            // The descriptor is gone all the same.
            Some(libc::EINTR) if matches!(op, RawOp::Close { .. }) => return Some(Ok(0)),
            Some(libc::EINTR) => {}
            code => return Some(Err(Cause::Os(code.unwrap_or(libc::EIO)))),
        }
    }
}

/// The system call of `op`: a negative number says that it failed, and `errno` why.
///
/// # Safety
///
/// As for [`call`].
unsafe fn call_once(op: &RawOp) -> Option<isize> {
    let result = match *op {
        RawOp::Read { fd, buf, len, offset: RawOp::OWN_POSITION } => {
            // SAFETY: the buffer is valid and unused during the call.
            return Some(unsafe { libc::read(fd, buf.cast(), len as usize) });
        }
        RawOp::Read { fd, buf, len, offset } => {
            // SAFETY: the buffer is valid and unused during the call.
            return Some(unsafe { libc::pread(fd, buf.cast(), len as usize, offset as i64) });
        }
        RawOp::Write { fd, buf, len, offset: RawOp::OWN_POSITION } => {
            // SAFETY: the buffer is valid during the call.
            return Some(unsafe { libc::write(fd, buf.cast(), len as usize) });
        }
        RawOp::Write { fd, buf, len, offset } => {
            // SAFETY: the buffer is valid during the call.
            return Some(unsafe { libc::pwrite(fd, buf.cast(), len as usize, offset as i64) });
        }
        // SAFETY: the call takes numbers only.
        RawOp::Fsync { fd, data_only: true } => unsafe { libc::fdatasync(fd) },
        // SAFETY: the call takes numbers only.
        RawOp::Fsync { fd, data_only: false } => unsafe { libc::fsync(fd) },
        // SAFETY: the path is valid during the call.
        RawOp::OpenAt { dir, path, flags, mode } => unsafe { libc::openat(dir, path, flags, mode) },
        // Who started it keeps the descriptor.
        RawOp::Close { lingers: true, .. } | RawOp::Nop => 0,
        // SAFETY: who started it gave the descriptor up.
        RawOp::Close { fd, .. } => unsafe { libc::close(fd) },
        // SAFETY: the call takes numbers only.
        RawOp::Socket { domain, kind, protocol } => unsafe { libc::socket(domain, kind, protocol) },
        // SAFETY: the address is valid during the call.
        RawOp::Bind { fd, address, len } => unsafe { libc::bind(fd, address, len) },
        // SAFETY: the call takes numbers only.
        RawOp::Listen { fd, backlog } => unsafe { libc::listen(fd, backlog) },
        // SAFETY: the call takes numbers only.
        RawOp::Shutdown { fd, how } => unsafe { libc::shutdown(fd, how) },
        RawOp::Accept { .. }
        | RawOp::Connect { .. }
        | RawOp::Send { .. }
        | RawOp::Recv { .. }
        | RawOp::Timeout { .. }
        | RawOp::LinkTimeout { .. }
        | RawOp::Cancel { .. }
        | RawOp::Poll { .. } => return None,
    };
    Some(result as isize)
}
