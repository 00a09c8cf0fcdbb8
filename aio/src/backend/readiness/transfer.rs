//! Reads, writes and splices that never wait.

use std::io;
use std::mem::MaybeUninit;
use std::slice;

use super::attempt::{Attempt, Side, failed, ready_events, rest, retried};
use super::socket;
use crate::backend::syscall;
use crate::error::Cause;
use crate::handle::RawHandle;
use crate::op::RawOp;
use crate::sys::c;

/// Reads or writes, of a file what needs no waiting for a disk.
///
/// # Safety
///
/// As for [`attempt`](super::attempt::attempt).
pub unsafe fn one(op: &RawOp, moved: u32, calls: &mut u64) -> Attempt {
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
                c::S_IFREG | c::S_IFBLK => Attempt::Blocks(moved + n),
                _ => Attempt::Done(Ok(moved + n)),
            }
        }
        Err(c::EAGAIN | c::EOPNOTSUPP) => {
            *calls += 1;
            match kind_of_file(fd) {
                c::S_IFREG | c::S_IFBLK | c::S_IFDIR => Attempt::Blocks(moved),
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
/// As for [`attempt`](super::attempt::attempt).
unsafe fn without_waiting(op: &RawOp) -> isize {
    let (fd, iov, offset, is_read) = match *op {
        RawOp::Read { fd, buf, len, offset } => {
            (fd, c::iovec { iov_base: buf.cast(), iov_len: len as usize }, offset, true)
        }
        RawOp::Write { fd, buf, len, offset } => {
            let iov_base = buf.cast_mut().cast();
            (fd, c::iovec { iov_base, iov_len: len as usize }, offset, false)
        }
        _ => return -1,
    };
    let call = |offset: u64| match is_read {
        // SAFETY: the buffer is valid and unused during the call, the list outlives it.
        true => unsafe { c::preadv2(fd, &iov, 1, offset as i64, c::RWF_NOWAIT) },
        // SAFETY: the buffer is valid during the call, the list outlives it.
        false => unsafe { c::pwritev2(fd, &iov, 1, offset as i64, c::RWF_NOWAIT) },
    };
    let result = call(offset);
    // What has no position is asked for none, as io_uring does.
    if result < 0 && offset != RawOp::OWN_POSITION && errno() == c::ESPIPE {
        return call(RawOp::OWN_POSITION);
    }
    result
}

/// Reads or writes what has no call that never waits: by a plain call once it is ready, of no more
/// than a ready pipe has room for.
///
/// # Safety
///
/// As for [`attempt`](super::attempt::attempt).
unsafe fn transfer_when_ready(op: &RawOp, moved: u32, calls: &mut u64) -> Attempt {
    let (fd, len, events) = match *op {
        RawOp::Read { fd, len, .. } => (fd, len, c::POLLIN),
        RawOp::Write { fd, len, .. } => (fd, len, c::POLLOUT),
        RawOp::Readv { fd, .. } => (fd, u32::MAX, c::POLLIN),
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
                let len = len.min(c::PIPE_BUF as u32);
                RawOp::Write { fd, buf, len, offset: RawOp::OWN_POSITION }
            }
            RawOp::Read { fd, buf, len, .. } => {
                RawOp::Read { fd, buf, len, offset: RawOp::OWN_POSITION }
            }
            RawOp::Readv { fd, vectors, count, .. } => {
                RawOp::Readv { fd, vectors, count, offset: RawOp::OWN_POSITION }
            }
            op => op,
        };
        // SAFETY: passed on.
        match unsafe { syscall::call(&part) } {
            Some(Ok(n)) => {
                (moved, left) = (moved + n, left - n);
                if left == 0 || n == 0 || events == c::POLLIN {
                    return Attempt::Done(Ok(moved));
                }
            }
            Some(Err(Cause::Os(c::EAGAIN))) => return Attempt::NotReady(moved),
            Some(Err(Cause::Os(code))) => return failed(moved, code),
            _ => return Attempt::Blocks(moved),
        }
    }
}

/// Reads or writes several buffers: of a file, a thread does it whole.
///
/// # Safety
///
/// As for [`attempt`](super::attempt::attempt).
pub unsafe fn several(op: &RawOp, moved: u32, calls: &mut u64) -> Attempt {
    let (fd, vectors, count, offset, is_read) = match *op {
        RawOp::Readv { fd, vectors, count, offset } => (fd, vectors, count, offset, true),
        RawOp::Writev { fd, vectors, count, offset } => (fd, vectors, count, offset, false),
        _ => return Attempt::Blocks(moved),
    };
    *calls += 1;
    if let c::S_IFREG | c::S_IFBLK | c::S_IFDIR = kind_of_file(fd) {
        return Attempt::Blocks(moved);
    }
    let call = |offset: u64| match is_read {
        // SAFETY: the list and its buffers are valid and unused during the call.
        true => unsafe { c::preadv2(fd, vectors, count as i32, offset as i64, c::RWF_NOWAIT) },
        // SAFETY: the list and its buffers are valid during the call.
        false => unsafe { c::pwritev2(fd, vectors, count as i32, offset as i64, c::RWF_NOWAIT) },
    };
    let result = match retried(|| call(offset)) {
        // What has no position is asked for none, as io_uring does.
        Err(c::ESPIPE) => retried(|| call(RawOp::OWN_POSITION)),
        result => result,
    };
    match result {
        Ok(n) => Attempt::Done(Ok(n)),
        Err(c::EAGAIN) => Attempt::NotReady(0),
        // One call takes what is in a pipe, and does not wait for more; Linux before 6.4 has none
        // for pipes that never waits.
        // SAFETY: passed on.
        Err(c::EOPNOTSUPP) if is_read && kind_of_file(fd) == c::S_IFIFO => unsafe {
            transfer_when_ready(op, 0, calls)
        },
        // SAFETY: passed on.
        Err(c::EOPNOTSUPP) => unsafe { first_when_ready(op, moved, calls) },
        Err(code) => failed(0, code),
    }
}

/// Reads or writes of several buffers where there is no call that never waits: the one that comes
/// next, when it is ready.
///
/// # Safety
///
/// As for [`attempt`](super::attempt::attempt).
unsafe fn first_when_ready(op: &RawOp, moved: u32, calls: &mut u64) -> Attempt {
    let (fd, vectors, count) = match *op {
        RawOp::Readv { fd, vectors, count, .. } | RawOp::Writev { fd, vectors, count, .. } => {
            (fd, vectors, count)
        }
        _ => return Attempt::Blocks(moved),
    };
    let (mut skipped, mut moved) = (0, moved);
    // SAFETY: the list has that many.
    for buffer in unsafe { slice::from_raw_parts(vectors, count as usize) } {
        let end = skipped + RawOp::clamp(buffer.iov_len);
        if moved < end || end == 0 {
            let (done, len) = (moved - skipped, end - skipped);
            let buf = buffer.iov_base.cast();
            let part = match op {
                RawOp::Readv { .. } => RawOp::Read { fd, buf, len, offset: RawOp::OWN_POSITION },
                _ => RawOp::Write { fd, buf, len, offset: RawOp::OWN_POSITION },
            };
            // SAFETY: passed on.
            match unsafe { transfer_when_ready(&rest(&part, done), 0, calls) } {
                Attempt::Done(Ok(n)) if n == len - done => moved += n,
                Attempt::Done(Ok(n)) => return Attempt::Done(Ok(moved + n)),
                Attempt::NotReady(n) => return Attempt::NotReady(moved + n),
                Attempt::Done(Err(Cause::Os(code))) => return failed(moved, code),
                other => return other,
            }
        }
        skipped = end;
        // What was read is what was there.
        if moved > 0 && matches!(op, RawOp::Readv { .. }) {
            break;
        }
    }
    Attempt::Done(Ok(moved))
}

/// Moves bytes from one descriptor to the other, if both are ready.
pub fn splice(op: &RawOp, calls: &mut u64) -> Attempt {
    let RawOp::Splice { from, from_at, to, to_at, len, flags } = *op else {
        return Attempt::Blocks(0);
    };
    // Pipes and files go by the flag of the call; of others nothing is known but this.
    *calls += 1;
    if let c::S_IFSOCK | c::S_IFCHR = kind_of_file(from) {
        *calls += 1;
        if ready_events(from, c::POLLIN as u32) == Ok(0) {
            return Attempt::Elsewhere(from, Side::Read);
        }
    }
    // A socket looks at its own flag.
    *calls += 3;
    let before = match socket::make_nonblocking(to) {
        Ok(flags) => flags,
        Err(code) => return failed(0, code),
    };
    let flags = flags | c::SPLICE_F_NONBLOCK;
    // SAFETY: it names no memory.
    let result = unsafe { syscall::call(&RawOp::Splice { from, from_at, to, to_at, len, flags }) };
    socket::restore_flags(to, before);
    match result {
        Some(Err(Cause::Os(c::EAGAIN))) => {
            *calls += 1;
            match ready_events(from, c::POLLIN as u32) {
                Ok(0) => Attempt::Elsewhere(from, Side::Read),
                _ => Attempt::Elsewhere(to, Side::Write),
            }
        }
        Some(result) => Attempt::Done(result),
        None => Attempt::Blocks(0),
    }
}

/// The kind of file that a descriptor names (`S_IF…`); 0 if it names none.
fn kind_of_file(fd: RawHandle) -> c::mode_t {
    let mut stat = MaybeUninit::<c::stat>::zeroed();
    // SAFETY: there is room for the answer.
    let failed = unsafe { c::fstat(fd, stat.as_mut_ptr()) } != 0;
    // SAFETY: all zeros are a `stat`, too.
    let stat = unsafe { stat.assume_init() };
    if failed { 0 } else { stat.st_mode & c::S_IFMT }
}

fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
