//! Operations as plain system calls: one arm each.

use std::io;

use crate::error::Cause;
use crate::handle::RawHandle;
use crate::kind::{Kinds, OpKind};
use crate::op::RawOp;

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

/// Whether what `socket` sends need not be copied: TCP and UDP over IP.
pub fn sends_without_copy(socket: RawHandle) -> bool {
    let option = |name| {
        let mut value = 0i32;
        let bytes = (&raw mut value).cast();
        let op =
            RawOp::GetOption { fd: socket, level: libc::SOL_SOCKET, name, value: bytes, len: 4 };
        // SAFETY: the value is as long as said, and outlives the call.
        let result = unsafe { call(&op) };
        (result == Some(Ok(4))).then_some(value)
    };
    matches!(option(libc::SO_DOMAIN), Some(libc::AF_INET | libc::AF_INET6))
        && matches!(option(libc::SO_PROTOCOL), Some(libc::IPPROTO_TCP | libc::IPPROTO_UDP))
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
        RawOp::SendMsg { fd, header, flags } => {
            // SAFETY: the header and what it points to are valid during the call.
            return Some(unsafe { libc::sendmsg(fd, header, flags) });
        }
        RawOp::RecvMsg { fd, header, flags } => {
            // SAFETY: the header and what it points to are valid and unused during the call.
            return Some(unsafe { libc::recvmsg(fd, header, flags) });
        }
        RawOp::SendZc { fd, buf, len, flags } => {
            // SAFETY: the buffer is valid during the call.
            return Some(unsafe { libc::send(fd, buf.cast(), len as usize, flags) });
        }
        RawOp::GetOption { fd, level, name, value, mut len } => {
            // SAFETY: the value is valid and unused during the call.
            match unsafe { libc::getsockopt(fd, level, name, value.cast(), &mut len) } {
                0 => return Some(len as isize),
                failed => failed,
            }
        }
        RawOp::SetOption { fd, level, name, value, len } => {
            // SAFETY: the value is valid during the call.
            unsafe { libc::setsockopt(fd, level, name, value.cast(), len) }
        }
        RawOp::WaitId { pidfd, info, options } => {
            // SAFETY: the info is valid and unused during the call.
            unsafe { libc::waitid(libc::P_PIDFD, pidfd as libc::id_t, info, options) }
        }
        // The call would wake one.
        RawOp::FutexWake { count: 0, .. } => 0,
        // SAFETY: the word is valid during the call.
        RawOp::FutexWake { word, count, mask, flags } => unsafe {
            return Some(wake(word, count, mask, flags));
        },
        RawOp::FutexWait { .. }
        | RawOp::Accept { .. }
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

/// Asks what has become of a process; `None` if nothing that a poll of its pidfd would tell.
///
/// # Safety
///
/// The info is valid and unused during the call.
pub unsafe fn wait_id_now(
    pidfd: RawHandle,
    info: *mut libc::siginfo_t,
    options: i32,
) -> Option<Result<u32, Cause>> {
    // SAFETY: passed on.
    unsafe { info.write_bytes(0, 1) };
    // SAFETY: passed on.
    let result = unsafe { call(&RawOp::WaitId { pidfd, info, options: options | libc::WNOHANG }) };
    // SAFETY: all zeros are valid, and so is what the call has written.
    let info = unsafe { &*info };
    // SAFETY: the fields are those of a child's signal, or zero.
    let pid = unsafe { info.si_pid() };
    match result {
        // A pidfd is ready when its process has ended, and at no other time.
        Some(Ok(_)) if pid == 0 && options & (libc::WSTOPPED | libc::WCONTINUED) != 0 => {
            Some(Err(Cause::Unsupported))
        }
        Some(Ok(_)) if pid == 0 => None,
        result => result,
    }
}

/// futex(2), whose flags differ from those of its successor.
///
/// # Safety
///
/// The word is valid during the call.
unsafe fn wake(word: *const u32, count: u32, mask: u32, flags: u32) -> isize {
    let private = if flags & FUTEX2_PRIVATE != 0 { libc::FUTEX_PRIVATE_FLAG } else { 0 };
    let (what, nobody) = (libc::FUTEX_WAKE_BITSET | private, std::ptr::null::<()>());
    // SAFETY: the caller promises it.
    unsafe { libc::syscall(libc::SYS_futex, word, what, count, nobody, nobody, mask) as isize }
}

const FUTEX2_PRIVATE: u32 = 0x80;

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::net::UnixStream;
    use std::process::Command;
    use std::sync::atomic::AtomicU32;

    use rustix::process::{Pid, PidfdFlags, pidfd_open};

    use super::*;
    use crate::error::Error;
    use crate::op::{self, Answer, ChildState, Operation, SocketOption};

    fn plainly<O: Operation>(mut op: O) -> Result<O::Output, Error> {
        let lowered = op.lower();
        // SAFETY: the operation stays where it is until it is answered.
        let result = unsafe { call(&lowered) }.expect("it has a plain call");
        // SAFETY: the call has made what it answers.
        op.finish(unsafe { Answer::new(result) })
    }

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

    #[test]
    #[expect(clippy::zombie_processes, reason = "it is the operation that waits")]
    fn a_process_is_waited_for_plainly() {
        let child = Command::new("true").spawn().expect("a program");
        let pid = Pid::from_raw(child.id() as i32).expect("a number");
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).expect("a child");
        let waited = plainly(op::wait_id(pidfd)).expect("it ends");
        assert!(matches!(waited.state, ChildState::Exited(status) if status.success()));
    }

    #[test]
    fn a_futex_is_woken_plainly() {
        let word = AtomicU32::new(0);
        std::thread::scope(|scope| {
            let ours = scope.spawn(|| {
                let what = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
                let for_ever = std::ptr::null::<libc::timespec>();
                // SAFETY: the word outlives the call.
                unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), what, 0, for_ever) }
            });
            assert_eq!(plainly(op::futex_wake(&word, 0)), Ok(0));
            while plainly(op::futex_wake(&word, 1)) == Ok(0) {
                std::thread::yield_now();
            }
            assert_eq!(ours.join().expect("no panic"), 0);
        });
        let refused = plainly(op::futex_wake(&word, 1).mask(0)).map_err(|error| error.cause());
        assert_eq!(refused, Err(Cause::Os(libc::EINVAL)));
    }
}
