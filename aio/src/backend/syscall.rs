//! Operations as plain system calls: one arm each.

use std::io;

use crate::error::Cause;
use crate::op::RawOp;

/// Whether `op` never waits, so that a plain call costs less than a place in a queue.
pub const fn never_waits(op: &RawOp) -> bool {
    matches!(
        op,
        RawOp::Pipe { .. } | RawOp::Socket { .. } | RawOp::Bind { .. } | RawOp::Listen { .. }
    )
}

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

/// Lets a call that yields its error fail as the others do.
fn fail(code: i32) -> isize {
    // SAFETY: it only says where this thread's `errno` is.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: it is this thread's own.
    unsafe { *errno = code };
    -1
}

/// The system call of `op`: a negative number says that it failed, and `errno` why.
///
/// # Safety
///
/// As for [`call`].
#[expect(clippy::too_many_lines, reason = "a table: one arm for each operation")]
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
        RawOp::Readv { fd, vectors, count, offset: RawOp::OWN_POSITION } => {
            // SAFETY: the list and its buffers are valid, and the latter unused, during the call.
            return Some(unsafe { libc::readv(fd, vectors, count as i32) });
        }
        RawOp::Readv { fd, vectors, count, offset } => {
            // SAFETY: the list and its buffers are valid, and the latter unused, during the call.
            return Some(unsafe { libc::preadv(fd, vectors, count as i32, offset as i64) });
        }
        RawOp::Writev { fd, vectors, count, offset: RawOp::OWN_POSITION } => {
            // SAFETY: the list and its buffers are valid during the call.
            return Some(unsafe { libc::writev(fd, vectors, count as i32) });
        }
        RawOp::Writev { fd, vectors, count, offset } => {
            // SAFETY: the list and its buffers are valid during the call.
            return Some(unsafe { libc::pwritev(fd, vectors, count as i32, offset as i64) });
        }
        // SAFETY: the call takes numbers only.
        RawOp::Ftruncate { fd, len } => unsafe { libc::ftruncate(fd, len as i64) },
        RawOp::Fallocate { fd, mode, offset, len } => {
            // SAFETY: the call takes numbers only.
            unsafe { libc::fallocate(fd, mode, offset as i64, len as i64) }
        }
        RawOp::Fadvise { fd, offset, len, advice } => {
            // SAFETY: the call takes numbers only.
            let code = unsafe { libc::posix_fadvise(fd, offset as i64, len.into(), advice) };
            // It yields the code itself.
            return Some(if code == 0 { 0 } else { fail(code) });
        }
        RawOp::Madvise { address, len, advice } => {
            // SAFETY: the memory is valid, and no advice that there is changes what is in it.
            unsafe { libc::madvise(address.cast_mut().cast(), len as usize, advice) }
        }
        RawOp::SyncFileRange { fd, offset, len, flags } => {
            // SAFETY: the call takes numbers only.
            unsafe { libc::sync_file_range(fd, offset as i64, len.into(), flags) }
        }
        RawOp::Splice { from, mut from_at, to, mut to_at, len, flags } => {
            let place = |at: &mut u64| match *at {
                RawOp::OWN_POSITION => std::ptr::null_mut(),
                _ => std::ptr::from_mut(at).cast(),
            };
            let (from_at, to_at) = (place(&mut from_at), place(&mut to_at));
            // SAFETY: the two offsets are in this frame.
            return Some(unsafe { libc::splice(from, from_at, to, to_at, len as usize, flags) });
        }
        // SAFETY: there is room for two descriptors.
        RawOp::Pipe { ends } => unsafe { libc::pipe2(ends.cast(), libc::O_CLOEXEC) },
        RawOp::Statx { dir, path, flags, mask, stat } => {
            // SAFETY: the path is valid, and so is the room, which is unused, during the call.
            return Some(
                unsafe { libc::syscall(libc::SYS_statx, dir, path, flags, mask, stat) } as isize
            );
        }
        RawOp::RenameAt { from, old, to, new, flags } => {
            // SAFETY: the paths are valid during the call.
            return Some(
                unsafe { libc::syscall(libc::SYS_renameat2, from, old, to, new, flags) } as isize
            );
        }
        // SAFETY: the path is valid during the call.
        RawOp::UnlinkAt { dir, path, flags } => unsafe { libc::unlinkat(dir, path, flags) },
        // SAFETY: the path is valid during the call.
        RawOp::MkdirAt { dir, path, mode } => unsafe { libc::mkdirat(dir, path, mode) },
        // SAFETY: the paths are valid during the call.
        RawOp::SymlinkAt { target, dir, path } => unsafe { libc::symlinkat(target, dir, path) },
        RawOp::LinkAt { from, old, to, new, flags } => {
            // SAFETY: the paths are valid during the call.
            unsafe { libc::linkat(from, old, to, new, flags) }
        }
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
