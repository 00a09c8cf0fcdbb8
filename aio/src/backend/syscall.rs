//! Operations as plain system calls: one arm each.

use std::io;

use crate::error::Cause;
use crate::handle::RawHandle;
use crate::kind::{Kinds, OpKind};
use crate::op::RawOp;
use crate::sys::{self, c};

/// Those that never wait, so that a plain call costs less than a place in a queue.
pub const NEVER_WAIT: Kinds = Kinds::NONE
    .with(OpKind::Socket)
    .with(OpKind::Bind)
    .with(OpKind::Listen)
    .with(OpKind::GetSocketOption)
    .with(OpKind::SetSocketOption)
    .with(OpKind::Pipe);

/// Those that a plain call can stand in for: it may block, but not for ever.
pub const HAS_CALL: Kinds = NEVER_WAIT
    .with(OpKind::Fsync)
    .with(OpKind::OpenAt)
    .with(OpKind::Ftruncate)
    .with(OpKind::Fallocate)
    .with(OpKind::Fadvise)
    .with(OpKind::Madvise)
    .with(OpKind::SyncFileRange)
    .with(OpKind::Statx)
    .with(OpKind::RenameAt)
    .with(OpKind::UnlinkAt)
    .with(OpKind::MkdirAt)
    .with(OpKind::SymlinkAt)
    .with(OpKind::LinkAt)
    .with(OpKind::Shutdown)
    .with(OpKind::FutexWake);

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
            Some(c::EINTR) if matches!(op, RawOp::Close { .. }) => return Some(Ok(0)),
            Some(c::EINTR) => {}
            code => return Some(Err(cause(code.unwrap_or(c::EIO)))),
        }
    }
}

/// Why a call that says `code` has failed.
pub fn cause(code: i32) -> Cause {
    if code == c::ENOSYS { Cause::Unsupported } else { Cause::Os(code) }
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
            return Some(unsafe { c::read(fd, buf.cast(), len as usize) });
        }
        RawOp::Read { fd, buf, len, offset } => {
            // SAFETY: the buffer is valid and unused during the call.
            return Some(unsafe { c::pread(fd, buf.cast(), len as usize, offset as i64) });
        }
        RawOp::Write { fd, buf, len, offset: RawOp::OWN_POSITION } => {
            // SAFETY: the buffer is valid during the call.
            return Some(unsafe { c::write(fd, buf.cast(), len as usize) });
        }
        RawOp::Write { fd, buf, len, offset } => {
            // SAFETY: the buffer is valid during the call.
            return Some(unsafe { c::pwrite(fd, buf.cast(), len as usize, offset as i64) });
        }
        // SAFETY: the call takes numbers only.
        RawOp::Fsync { fd, data_only: true } => unsafe { c::fdatasync(fd) },
        // SAFETY: the call takes numbers only.
        RawOp::Fsync { fd, data_only: false } => unsafe { c::fsync(fd) },
        // SAFETY: the path is valid during the call.
        RawOp::OpenAt { dir, path, flags, mode } => unsafe { c::openat(dir, path, flags, mode) },
        RawOp::Readv { fd, vectors, count, offset: RawOp::OWN_POSITION } => {
            // SAFETY: the list and its buffers are valid, and the latter unused, during the call.
            return Some(unsafe { c::readv(fd, vectors, count as i32) });
        }
        RawOp::Readv { fd, vectors, count, offset } => {
            // SAFETY: the list and its buffers are valid, and the latter unused, during the call.
            return Some(unsafe { c::preadv(fd, vectors, count as i32, offset as i64) });
        }
        RawOp::Writev { fd, vectors, count, offset: RawOp::OWN_POSITION } => {
            // SAFETY: the list and its buffers are valid during the call.
            return Some(unsafe { c::writev(fd, vectors, count as i32) });
        }
        RawOp::Writev { fd, vectors, count, offset } => {
            // SAFETY: the list and its buffers are valid during the call.
            return Some(unsafe { c::pwritev(fd, vectors, count as i32, offset as i64) });
        }
        // SAFETY: the call takes numbers only.
        RawOp::Ftruncate { fd, len } => unsafe { c::ftruncate(fd, len as i64) },
        RawOp::Fallocate { fd, mode, offset, len } => {
            // SAFETY: the call takes numbers only.
            unsafe { c::fallocate(fd, mode, offset as i64, len as i64) }
        }
        RawOp::Fadvise { fd, offset, len, advice } => {
            // SAFETY: the call takes numbers only.
            let code = unsafe { c::posix_fadvise(fd, offset as i64, len.into(), advice) };
            // It yields the code itself.
            return Some(if code == 0 { 0 } else { sys::fail(code) });
        }
        RawOp::Madvise { address, len, advice } => {
            // SAFETY: the memory is valid, and no advice that there is changes what is in it.
            unsafe { c::madvise(address.cast_mut().cast(), len as usize, advice) }
        }
        RawOp::SyncFileRange { fd, offset, len, flags } => {
            // SAFETY: the call takes numbers only.
            unsafe { c::sync_file_range(fd, offset as i64, len.into(), flags) }
        }
        RawOp::Splice { from, mut from_at, to, mut to_at, len, flags } => {
            let place = |at: &mut u64| match *at {
                RawOp::OWN_POSITION => std::ptr::null_mut(),
                _ => std::ptr::from_mut(at).cast(),
            };
            let (from_at, to_at) = (place(&mut from_at), place(&mut to_at));
            // SAFETY: the two offsets are in this frame.
            return Some(unsafe { c::splice(from, from_at, to, to_at, len as usize, flags) });
        }
        // SAFETY: there is room for two descriptors.
        RawOp::Pipe { ends } => unsafe { c::pipe2(ends.cast(), c::O_CLOEXEC) },
        RawOp::Statx { dir, path, flags, mask, stat } => {
            // SAFETY: the path is valid, and so is the room, which is unused, during the call.
            unsafe { c::statx(dir, path, flags, mask, stat.cast()) }
        }
        RawOp::RenameAt { from, old, to, new, flags } => {
            // SAFETY: the paths are valid during the call.
            unsafe { c::renameat2(from, old, to, new, flags) }
        }
        // SAFETY: the path is valid during the call.
        RawOp::UnlinkAt { dir, path, flags } => unsafe { c::unlinkat(dir, path, flags) },
        // SAFETY: the path is valid during the call.
        RawOp::MkdirAt { dir, path, mode } => unsafe { c::mkdirat(dir, path, mode as _) },
        // SAFETY: the paths are valid during the call.
        RawOp::SymlinkAt { target, dir, path } => unsafe { c::symlinkat(target, dir, path) },
        RawOp::LinkAt { from, old, to, new, flags } => {
            // SAFETY: the paths are valid during the call.
            unsafe { c::linkat(from, old, to, new, flags) }
        }
        // Who started it keeps the descriptor.
        RawOp::Close { lingers: true, .. } | RawOp::Nop => 0,
        // SAFETY: who started it gave the descriptor up.
        RawOp::Close { fd, .. } => unsafe { c::close(fd) },
        // SAFETY: the call takes numbers only.
        RawOp::Socket { domain, kind, protocol } => unsafe { c::socket(domain, kind, protocol) },
        // SAFETY: the address is valid during the call.
        RawOp::Bind { fd, address, len } => unsafe { c::bind(fd, address, len) },
        // SAFETY: the call takes numbers only.
        RawOp::Listen { fd, backlog } => unsafe { c::listen(fd, backlog) },
        // SAFETY: the call takes numbers only.
        RawOp::Shutdown { fd, how } => unsafe { c::shutdown(fd, how) },
        RawOp::SendMsg { fd, header, flags } => {
            // SAFETY: the header and what it points to are valid during the call.
            return Some(unsafe { c::sendmsg(fd, header, flags) });
        }
        RawOp::RecvMsg { fd, header, flags } => {
            // SAFETY: the header and what it points to are valid and unused during the call.
            return Some(unsafe { c::recvmsg(fd, header, flags) });
        }
        RawOp::SendZc { fd, buf, len, flags } => {
            // SAFETY: the buffer is valid during the call.
            return Some(unsafe { c::send(fd, buf.cast(), len as usize, flags) });
        }
        RawOp::GetOption { fd, level, name, value, mut len } => {
            // SAFETY: the value is valid and unused during the call.
            match unsafe { c::getsockopt(fd, level, name, value.cast(), &mut len) } {
                0 => return Some(len as isize),
                failed => failed,
            }
        }
        RawOp::SetOption { fd, level, name, value, len } => {
            // SAFETY: the value is valid during the call.
            unsafe { c::setsockopt(fd, level, name, value.cast(), len) }
        }
        RawOp::WaitId { pidfd, info, options } => {
            // SAFETY: the info is valid and unused during the call.
            return Some(unsafe { sys::wait_id(pidfd, info, options) });
        }
        // The call would wake one.
        RawOp::FutexWake { count: 0, .. } => 0,
        // SAFETY: the word is valid during the call.
        RawOp::FutexWake { word, count, mask, flags } => unsafe {
            return Some(sys::wake_futex(word, count, mask, flags));
        },
        RawOp::FutexWait { .. }
        | RawOp::Accept { .. }
        | RawOp::Connect { .. }
        | RawOp::Send { .. }
        | RawOp::Recv { .. }
        | RawOp::Timeout { .. }
        | RawOp::LinkTimeout { .. }
        | RawOp::Cancel { .. }
        | RawOp::ChildExit { .. }
        | RawOp::WaitEvent { .. }
        | RawOp::Poll { .. } => return None,
        // SAFETY: the event is valid during the call.
        RawOp::NotifyEvent { event } => match unsafe { &*event }.notify_many(1) {
            Ok(()) => 0,
            Err(error) => return Some(sys::fail(error.raw_os_error().unwrap_or(c::EIO))),
        },
    };
    Some(result as isize)
}

/// Asks what has become of a process; `None` if nothing that a poll of its pidfd would tell.
///
/// # Safety
///
/// The info is valid and unused during the call.
pub unsafe fn wait_id_now(
    pidfd: RawHandle,
    info: *mut c::siginfo_t,
    options: i32,
) -> Option<Result<u32, Cause>> {
    // SAFETY: passed on.
    unsafe { info.write_bytes(0, 1) };
    // SAFETY: passed on.
    let result = unsafe { call(&RawOp::WaitId { pidfd, info, options: options | c::WNOHANG }) };
    // SAFETY: all zeros are valid, and so is what the call has written.
    let pid = sys::pid_of(unsafe { &*info });
    match result {
        // A pidfd is ready when its process has ended, and at no other time.
        Some(Ok(_)) if pid == 0 && options & (c::WSTOPPED | c::WCONTINUED) != 0 => {
            Some(Err(Cause::Unsupported))
        }
        Some(Ok(_)) if pid == 0 => None,
        result => result,
    }
}

/// Does an operation by its plain call.
#[cfg(unix)]
#[cfg(test)]
pub fn plainly<O: crate::op::Operation>(mut op: O) -> Result<O::Output, crate::error::Error> {
    let lowered = op.lower();
    // SAFETY: the operation stays where it is until it is answered.
    let result = unsafe { call(&lowered) }.expect("it has a plain call");
    // SAFETY: the call has made what it answers.
    op.finish(unsafe { crate::op::Answer::new(result) })
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::op::{self, SocketOption};

    #[test]
    fn messages_go_plainly() {
        let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
        let file = File::open("/dev/null").expect("a file");
        let sent = plainly(op::send_msg(&ours, ["a", "b"]).descriptors([&file]));
        assert_eq!((sent, plainly(op::send_zc(&ours, "c"))), (Ok(2), Ok(1)));
        let received = plainly(op::recv_msg(&theirs, [&mut [0; 2]]).descriptors(1));
        let received = received.expect("a message");
        assert_eq!((received.len, received.descriptors.len()), (2, 1));
    }

    #[test]
    fn options_are_set_and_asked_for_plainly() {
        let (ours, _theirs) = UnixStream::pair().expect("a pair of sockets");
        let option = SocketOption::KEEP_ALIVE;
        assert_eq!(plainly(op::set_socket_option(&ours, option, true)), Ok(()));
        assert_eq!(plainly(op::get_socket_option(&ours, option)), Ok(true));
    }
}
