//! Darwin.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::BorrowedFd;
use std::slice;

use libc::{c_char, c_int};

use super::{CONTROL_HEADER, fail};

/// Types, constants and calls under the names that they have in C.
pub mod c {
    pub use super::super::names::*;
    pub use libc::__error as errno_location;

    /// What kind of event a queue watches for.
    pub type Filter = i16;

    /// What a queue is to do with a change.
    pub type Flags = u16;

    // What a call can't be told is done after it.
    pub const MSG_CMSG_CLOEXEC: c_int = 0;
    pub const SOCK_CLOEXEC: c_int = 0;

    pub use super::{fdatasync, fsync, pipe2, ppoll, preadv, pwritev, socket};
}

/// Whether the system takes advice on files.
pub const HAS_FADVISE: bool = false;

/// Whether files can be given room.
pub const HAS_FALLOCATE: bool = false;

/// Why poll(2) does not know a descriptor: it can't poll devices.
pub fn not_polled(fd: c_int) -> i32 {
    // SAFETY: the call takes numbers only.
    if unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 { libc::EBADF } else { libc::EPERM }
}

/// What times have beyond seconds: of the last access, change and write, and of the start.
pub fn nanoseconds(stat: &c::stat) -> [c::c_long; 4] {
    [stat.st_atime_nsec, stat.st_ctime_nsec, stat.st_mtime_nsec, stat.st_birthtime_nsec]
}

/// Makes what a call has made close-on-exec, as it can't be told to; a failed call stays one.
fn close_on_exec(fd: c_int) -> c_int {
    if fd >= 0 {
        // SAFETY: the call takes numbers only.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    fd
}

/// Makes a socket raise no signal where its peer is gone; a failed call stays one.
fn without_signal(fd: c_int) -> c_int {
    let on = 1i32;
    let (place, len) = ((&raw const on).cast(), size_of::<i32>() as libc::socklen_t);
    if fd >= 0 {
        // SAFETY: the value outlives the call.
        unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_NOSIGPIPE, place, len) };
    }
    fd
}

/// Makes a socket, close-on-exec.
///
/// # Safety
///
/// None: it is as elsewhere.
pub unsafe fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int {
    // SAFETY: the call takes numbers only.
    without_signal(close_on_exec(unsafe { libc::socket(domain, kind, protocol) }))
}

/// Accepts a connection, close-on-exec; it waits, also if the listener does not.
///
/// # Safety
///
/// There is room for the address, or none is asked for.
pub unsafe fn accept(
    fd: c_int,
    address: *mut libc::sockaddr,
    len: *mut libc::socklen_t,
    _: c_int,
) -> c_int {
    // SAFETY: passed on.
    let socket = without_signal(close_on_exec(unsafe { libc::accept(fd, address, len) }));
    if socket >= 0 {
        // SAFETY: the call takes numbers only.
        let flags = unsafe { libc::fcntl(socket, libc::F_GETFL) };
        // SAFETY: the call takes numbers only.
        unsafe { libc::fcntl(socket, libc::F_SETFL, flags & !libc::O_NONBLOCK) };
    }
    socket
}

/// Makes a pipe, close-on-exec.
///
/// # Safety
///
/// There is room for two descriptors.
pub unsafe fn pipe2(ends: *mut c_int, _: c_int) -> c_int {
    // SAFETY: passed on.
    let result = unsafe { libc::pipe(ends) };
    if result == 0 {
        // SAFETY: the call has written two.
        let ends = unsafe { slice::from_raw_parts(ends, 2) };
        for end in ends {
            close_on_exec(*end);
        }
    }
    result
}

/// Receives a message; descriptors that came with it are made close-on-exec.
///
/// # Safety
///
/// The header and what it points to are valid and unused during the call.
pub unsafe fn receive_message(fd: c_int, header: *mut libc::msghdr, flags: c_int) -> isize {
    // SAFETY: passed on.
    let result = unsafe { libc::recvmsg(fd, header, flags) };
    if result < 0 {
        return result;
    }
    // SAFETY: the call has filled in what the header points to.
    let mut control = unsafe { libc::CMSG_FIRSTHDR(header) };
    // SAFETY: it is null, or a whole header within what was filled in.
    while let Some(message) = unsafe { control.as_ref() } {
        if (message.cmsg_level, message.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            let count = (message.cmsg_len as usize - CONTROL_HEADER) / size_of::<c_int>();
            // SAFETY: it is where the data of this message is.
            let numbers = unsafe { libc::CMSG_DATA(control) }.cast::<c_int>();
            for index in 0..count {
                // SAFETY: the message has that many numbers.
                close_on_exec(unsafe { numbers.wrapping_add(index).read_unaligned() });
            }
        }
        // SAFETY: it is a header of this message.
        control = unsafe { libc::CMSG_NXTHDR(header, control) };
    }
    result
}

/// Writes to the device, and not only to its cache.
///
/// # Safety
///
/// None: it is as elsewhere.
pub unsafe fn fsync(fd: c_int) -> c_int {
    // SAFETY: the call takes numbers only.
    unsafe { libc::fcntl(fd, libc::F_FULLFSYNC) }
}

pub use fsync as fdatasync;

/// Reads, by a call that older systems lack, or else one buffer after the other.
///
/// # Safety
///
/// The list and its buffers are valid and unused during the call.
pub unsafe fn preadv(fd: c_int, vectors: *const libc::iovec, count: c_int, offset: i64) -> isize {
    // SAFETY: passed on: the type has the form of the other one.
    let buffers = unsafe {
        slice::from_raw_parts_mut(vectors.cast_mut().cast::<IoSliceMut<'_>>(), count as usize)
    };
    // SAFETY: who calls has the descriptor open, or nobody is harmed: the call fails.
    answer(rustix::io::preadv(unsafe { BorrowedFd::borrow_raw(fd) }, buffers, offset as u64))
}

/// Writes, by a call that older systems lack, or else one buffer after the other.
///
/// # Safety
///
/// The list and its buffers are valid during the call.
pub unsafe fn pwritev(fd: c_int, vectors: *const libc::iovec, count: c_int, offset: i64) -> isize {
    // SAFETY: passed on: the type has the form of the other one.
    let buffers = unsafe { slice::from_raw_parts(vectors.cast::<IoSlice<'_>>(), count as usize) };
    // SAFETY: as above.
    answer(rustix::io::pwritev(unsafe { BorrowedFd::borrow_raw(fd) }, buffers, offset as u64))
}

fn answer(result: rustix::io::Result<usize>) -> isize {
    match result {
        Ok(count) => count as isize,
        Err(error) => fail(error.raw_os_error()),
    }
}

/// Polls, for whole milliseconds: never less than it is told.
///
/// # Safety
///
/// That many entries are there, and the timeout is null or valid.
pub unsafe fn ppoll(
    entries: *mut libc::pollfd,
    count: libc::nfds_t,
    timeout: *const libc::timespec,
    _: *const libc::sigset_t,
) -> c_int {
    // SAFETY: passed on.
    let milliseconds = unsafe { timeout.as_ref() }.map_or(-1, |timeout| {
        let part = (timeout.tv_nsec + 999_999) / 1_000_000;
        let sum = timeout.tv_sec.checked_mul(1000).and_then(|whole| whole.checked_add(part));
        sum.and_then(|sum| c_int::try_from(sum).ok()).unwrap_or(c_int::MAX)
    });
    // SAFETY: passed on.
    unsafe { libc::poll(entries, count, milliseconds) }
}

/// Renames where nothing is, or exchanges two names.
///
/// # Safety
///
/// The paths are valid during the call.
pub unsafe fn rename_specially(
    from: c_int,
    old: *const c_char,
    to: c_int,
    new: *const c_char,
    flags: u32,
) -> c_int {
    let is_exchange = flags & c::RENAME_EXCHANGE != 0;
    let flags = if is_exchange { libc::RENAME_SWAP } else { libc::RENAME_EXCL };
    // SAFETY: passed on.
    unsafe { libc::renameatx_np(from, old, to, new, flags) }
}
