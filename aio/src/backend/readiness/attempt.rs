//! Operations as calls that never wait: done, or not yet.

use std::io;
use std::mem::MaybeUninit;

use crate::backend::syscall;
use crate::error::Cause;
use crate::handle::RawHandle;
use crate::kind::OpKind;
use crate::op::RawOp;

/// How an operation is carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// By a call that never waits.
    Now,
    /// By the clock.
    Timer,
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
    /// A call that may block has to do it; so much was moved.
    Blocks(u32),
}

/// How `op` is carried out.
pub fn way(kind: OpKind, op: &RawOp) -> Way {
    match *op {
        RawOp::Timeout { .. } => Way::Timer,
        RawOp::Read { fd, .. } | RawOp::Accept { fd } => Way::Ready(fd, Side::Read),
        RawOp::Recv { fd, flags, .. } if flags & libc::MSG_OOB != 0 => {
            Way::Ready(fd, Side::Beside(libc::POLLPRI as u32))
        }
        RawOp::Recv { fd, .. } => Way::Ready(fd, Side::Read),
        RawOp::Write { fd, .. } | RawOp::Send { fd, .. } | RawOp::Connect { fd, .. } => {
            Way::Ready(fd, Side::Write)
        }
        RawOp::Poll { fd, events } => Way::Ready(fd, Side::Beside(events)),
        RawOp::Close { .. } | RawOp::Shutdown { .. } => Way::Now,
        _ if syscall::NEVER_WAIT.contains(kind) => Way::Now,
        _ if syscall::HAS_CALL.contains(kind) => Way::Block,
        _ => Way::Never,
    }
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
        RawOp::Recv { fd, buf, len, flags } => {
            let buf = buf.wrapping_add(moved as usize);
            RawOp::Recv { fd, buf, len: len - moved, flags }
        }
        RawOp::Send { fd, buf, len, flags } => {
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
    let left = rest(op, moved);
    match left {
        RawOp::Recv { fd, buf, len, flags } => {
            let now = flags | libc::MSG_DONTWAIT;
            // SAFETY: the buffer is valid and unused during the call.
            let result = retried(|| unsafe { libc::recv(fd, buf.cast(), len as usize, now) });
            socket_transfer(fd, len, flags, moved, result)
        }
        RawOp::Send { fd, buf, len, flags } => {
            let now = flags | libc::MSG_DONTWAIT;
            // SAFETY: the buffer is valid during the call.
            let result = retried(|| unsafe { libc::send(fd, buf.cast(), len as usize, now) });
            socket_transfer(fd, len, flags, moved, result)
        }
        // SAFETY: passed on.
        RawOp::Read { .. } | RawOp::Write { .. } => unsafe { transfer(&left, moved, calls) },
        RawOp::Accept { fd } => accept(fd, calls),
        // SAFETY: passed on.
        RawOp::Connect { fd, address, len } => unsafe { connect(fd, address, len, moved, calls) },
        RawOp::Poll { fd, events } => match ready_events(fd, events) {
            Ok(0) => Attempt::NotReady(0),
            result => Attempt::Done(result),
        },
        _ => Attempt::Blocks(moved),
    }
}

/// Calls `call` until no signal interrupts it; yields what it says, or the code of its failure.
#[inline]
fn retried(mut call: impl FnMut() -> isize) -> Result<u32, i32> {
    loop {
        if let Ok(count) = u32::try_from(call()) {
            return Ok(count);
        }
        let code = io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
        if code != libc::EINTR {
            return Err(code);
        }
    }
}

/// A failure, unless something was moved before it: then that is the answer.
fn failed(moved: u32, code: i32) -> Attempt {
    Attempt::Done(if moved > 0 { Ok(moved) } else { Err(Cause::Os(code)) })
}

/// Reads or writes, of a file what needs no waiting for a disk.
///
/// # Safety
///
/// As for [`attempt`].
unsafe fn transfer(op: &RawOp, moved: u32, calls: &mut u64) -> Attempt {
    let (fd, len) = match *op {
        RawOp::Read { fd, len, .. } | RawOp::Write { fd, len, .. } => (fd, len),
        _ => return Attempt::Blocks(moved),
    };
    // SAFETY: passed on.
    match retried(|| unsafe { without_waiting(op) }) {
        Ok(n) if n == len || n == 0 => Attempt::Done(Ok(moved + n)),
        Ok(n) => {
            *calls += 1;
            match kind_of_file(fd) {
                libc::S_IFREG | libc::S_IFBLK => Attempt::Blocks(moved + n),
                _ => Attempt::Done(Ok(moved + n)),
            }
        }
        Err(libc::EAGAIN | libc::EOPNOTSUPP) => {
            *calls += 1;
            match kind_of_file(fd) {
                libc::S_IFREG | libc::S_IFBLK | libc::S_IFDIR => Attempt::Blocks(moved),
                // SAFETY: passed on.
                _ => unsafe { transfer_when_ready(op, moved, calls) },
            }
        }
        Err(code) => failed(moved, code),
    }
}

/// `preadv2` or `pwritev2` with `RWF_NOWAIT`: it leaves the descriptor's flags alone.
///
/// # Safety
///
/// As for [`attempt`].
unsafe fn without_waiting(op: &RawOp) -> isize {
    let (fd, iov, offset, is_read) = match *op {
        RawOp::Read { fd, buf, len, offset } => {
            (fd, libc::iovec { iov_base: buf.cast(), iov_len: len as usize }, offset, true)
        }
        RawOp::Write { fd, buf, len, offset } => {
            let iov_base = buf.cast_mut().cast();
            (fd, libc::iovec { iov_base, iov_len: len as usize }, offset, false)
        }
        _ => return -1,
    };
    let call = |offset: u64| match is_read {
        // SAFETY: the buffer is valid and unused during the call, the list outlives it.
        true => unsafe { libc::preadv2(fd, &iov, 1, offset as i64, libc::RWF_NOWAIT) },
        // SAFETY: the buffer is valid during the call, the list outlives it.
        false => unsafe { libc::pwritev2(fd, &iov, 1, offset as i64, libc::RWF_NOWAIT) },
    };
    let result = call(offset);
    // What has no position is asked for none, as io_uring does.
    if result < 0 && offset != RawOp::OWN_POSITION && errno() == libc::ESPIPE {
        return call(RawOp::OWN_POSITION);
    }
    result
}

/// Reads or writes what has no call that never waits: by a plain call once it is ready, of no more
/// than a ready pipe has room for.
///
/// # Safety
///
/// As for [`attempt`].
unsafe fn transfer_when_ready(op: &RawOp, moved: u32, calls: &mut u64) -> Attempt {
    let (fd, len, events) = match *op {
        RawOp::Read { fd, len, .. } => (fd, len, libc::POLLIN),
        RawOp::Write { fd, len, .. } => (fd, len, libc::POLLOUT),
        _ => return Attempt::Blocks(moved),
    };
    let (mut moved, mut left) = (moved, len);
    loop {
        *calls += 1;
        match ready_events(fd, events as u32) {
            Ok(0) => return Attempt::NotReady(moved),
            Ok(_) => {}
            Err(cause) => return Attempt::Done(Err(cause)),
        }
        *calls += 1;
        let part = match rest(op, len - left) {
            RawOp::Write { fd, buf, len, .. } => {
                let len = len.min(libc::PIPE_BUF as u32);
                RawOp::Write { fd, buf, len, offset: RawOp::OWN_POSITION }
            }
            RawOp::Read { fd, buf, len, .. } => {
                RawOp::Read { fd, buf, len, offset: RawOp::OWN_POSITION }
            }
            op => op,
        };
        // SAFETY: passed on.
        match unsafe { syscall::call(&part) } {
            Some(Ok(n)) => {
                (moved, left) = (moved + n, left - n);
                if left == 0 || n == 0 || events == libc::POLLIN {
                    return Attempt::Done(Ok(moved));
                }
            }
            Some(Err(Cause::Os(libc::EAGAIN))) => return Attempt::NotReady(moved),
            Some(Err(Cause::Os(code))) => return failed(moved, code),
            _ => return Attempt::Blocks(moved),
        }
    }
}

/// What a send or receive of the last `len` bytes has come to.
#[inline]
fn socket_transfer(
    fd: RawHandle,
    len: u32,
    flags: i32,
    moved: u32,
    result: Result<u32, i32>,
) -> Attempt {
    match result {
        Ok(n) if n < len && n > 0 && flags & libc::MSG_WAITALL != 0 && is_stream(fd) => {
            // Peeked bytes are still there, and peeked at again.
            Attempt::NotReady(if flags & libc::MSG_PEEK != 0 { 0 } else { moved + n })
        }
        Ok(n) => Attempt::Done(Ok(moved + n)),
        Err(libc::EAGAIN) => Attempt::NotReady(moved),
        Err(code) => failed(moved, code),
    }
}

/// Accepts a connection. There is no flag for a call that never waits: the listener is made one
/// that does not, and stays so.
fn accept(fd: RawHandle, calls: &mut u64) -> Attempt {
    *calls += 1;
    if let Err(code) = make_nonblocking(fd) {
        return failed(0, code);
    }
    let nobody = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: no address is asked for.
    let result =
        retried(|| unsafe { libc::accept4(fd, nobody.0, nobody.1, libc::SOCK_CLOEXEC) as isize });
    match result {
        Err(libc::EAGAIN) => Attempt::NotReady(0),
        Err(code) => failed(0, code),
        Ok(socket) => Attempt::Done(Ok(socket)),
    }
}

/// Connects, or asks what became of it; `begun` is 1 once it has begun.
///
/// # Safety
///
/// As for [`attempt`].
unsafe fn connect(
    fd: RawHandle,
    address: *const libc::sockaddr,
    len: u32,
    begun: u32,
    calls: &mut u64,
) -> Attempt {
    *calls += 2;
    let before = match make_nonblocking(fd) {
        Ok(flags) => flags,
        Err(code) => return failed(0, code),
    };
    // SAFETY: the address is valid during the call.
    let result = retried(|| unsafe { libc::connect(fd, address, len) as isize });
    if before & libc::O_NONBLOCK == 0 {
        *calls += 1;
        // SAFETY: the call takes numbers only.
        unsafe { libc::fcntl(fd, libc::F_SETFL, before) };
    }
    match result {
        Ok(_) => Attempt::Done(Ok(0)),
        Err(libc::EISCONN) if begun > 0 => Attempt::Done(Ok(0)),
        Err(libc::EINPROGRESS) => Attempt::NotReady(1),
        Err(libc::EALREADY) if begun > 0 => Attempt::NotReady(1),
        // A Unix listener's queue is full, and nothing says when it has room again.
        Err(libc::EAGAIN) => Attempt::Blocks(0),
        Err(code) => failed(0, code),
    }
}

/// Makes calls on `fd` not wait; yields its flags as they were.
fn make_nonblocking(fd: RawHandle) -> Result<i32, i32> {
    // SAFETY: the call takes numbers only.
    let flags = retried(|| unsafe { libc::fcntl(fd, libc::F_GETFL) as isize })? as i32;
    if flags & libc::O_NONBLOCK == 0 {
        let flags = flags | libc::O_NONBLOCK;
        // SAFETY: the call takes numbers only.
        retried(|| unsafe { libc::fcntl(fd, libc::F_SETFL, flags) as isize })?;
    }
    Ok(flags)
}

/// What of `events` a descriptor is ready for now.
fn ready_events(fd: RawHandle, events: u32) -> Result<u32, Cause> {
    let mut entry = libc::pollfd { fd, events: events as i16, revents: 0 };
    // SAFETY: the entry outlives the call.
    retried(|| unsafe { libc::poll(&mut entry, 1, 0) as isize }).map_err(Cause::Os)?;
    match entry.revents {
        revents if fd < 0 || revents & libc::POLLNVAL != 0 => Err(Cause::Os(libc::EBADF)),
        revents => Ok(u32::from(revents as u16)),
    }
}

/// The kind of file that a descriptor names (`S_IF…`); 0 if it names none.
fn kind_of_file(fd: RawHandle) -> u32 {
    let mut stat = MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: there is room for the answer.
    let failed = unsafe { libc::fstat(fd, stat.as_mut_ptr()) } != 0;
    // SAFETY: all zeros are a `stat`, too.
    let stat = unsafe { stat.assume_init() };
    if failed { 0 } else { stat.st_mode & libc::S_IFMT }
}

/// Whether a socket carries bytes, and not messages.
fn is_stream(fd: RawHandle) -> bool {
    let (mut kind, mut len) = (0i32, size_of::<i32>() as libc::socklen_t);
    let place = std::ptr::from_mut(&mut kind).cast();
    // SAFETY: there is room for the answer.
    unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_TYPE, place, &mut len) };
    kind == libc::SOCK_STREAM || kind == libc::SOCK_SEQPACKET
}

fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
