//! The BSDs, and Darwin.

#[cfg_attr(target_os = "freebsd", path = "freebsd.rs")]
#[cfg_attr(target_os = "netbsd", path = "netbsd.rs")]
#[cfg_attr(target_os = "openbsd", path = "openbsd.rs")]
#[cfg_attr(target_vendor = "apple", path = "darwin.rs")]
mod each;
mod event;
#[cfg(not(target_os = "freebsd"))]
mod files;
mod lacking;
mod queue;

use std::fmt;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::process::Child;

use super::ChildState;
pub use super::posix::{PathUnit, SystemPath};
pub use super::unix::{watch_forks, without_signals};
pub use each::{HAS_FADVISE, HAS_FALLOCATE, c, not_polled};
pub use event::{CountedEvent, Signal};
pub use queue::{Change, Queue};

/// What `c` has on each of these systems.
mod names {
    pub use libc::*;

    pub use super::lacking::{
        FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE, FALLOC_FL_KEEP_SIZE,
        FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE, MADV_COLD, MADV_HUGEPAGE, MADV_NOHUGEPAGE,
        MADV_PAGEOUT, MSG_MORE, RENAME_EXCHANGE, RENAME_NOREPLACE, RWF_NOWAIT, SO_PASSCRED,
        SPLICE_F_MORE, SPLICE_F_MOVE, SPLICE_F_NONBLOCK, SYNC_FILE_RANGE_WAIT_AFTER,
        SYNC_FILE_RANGE_WAIT_BEFORE, SYNC_FILE_RANGE_WRITE, UIO_MAXIOV, accept4, madvise, preadv2,
        pwritev2, recv, recvmsg, renameat2, splice, statx, sync_file_range,
    };

    #[cfg(not(target_os = "freebsd"))]
    pub use super::files::{
        AT_EMPTY_PATH, POSIX_FADV_DONTNEED, POSIX_FADV_NOREUSE, POSIX_FADV_NORMAL,
        POSIX_FADV_RANDOM, POSIX_FADV_SEQUENTIAL, POSIX_FADV_WILLNEED, fallocate, posix_fadvise,
    };
}

/// How the length of a control message is written.
pub type ControlLen = c::socklen_t;

/// What stands before the data of a control message: its length with this, level, kind, and what
/// the data is aligned with.
// SAFETY: the macro counts.
pub const CONTROL_HEADER: usize = unsafe { c::CMSG_LEN(0) } as usize;

/// The next control message starts at a multiple of this.
// SAFETY: the macros count.
pub const CONTROL_ALIGNMENT: usize =
    (unsafe { c::CMSG_SPACE(1) } - unsafe { c::CMSG_SPACE(0) }) as usize;

/// What a child is called for the time that it is waited for: a kqueue that is readable when the
/// child has ended.
#[derive(Debug)]
pub struct ChildName(Queue);

impl ChildName {
    /// Names a child that was not waited for.
    pub fn new(child: &Child) -> io::Result<ChildName> {
        let queue = Queue::new()?;
        let exit = Change {
            flags: c::EV_ADD | c::EV_ONESHOT,
            fflags: c::NOTE_EXIT,
            ..Change::new(child.id() as usize, c::EVFILT_PROC)
        };
        match queue.apply(exit) {
            // It is about to end, or has: there is no more to come than that it can be waited for.
            Err(error) if error.raw_os_error() == Some(c::ESRCH) => {
                let soon = Change {
                    flags: c::EV_ADD | c::EV_ONESHOT,
                    data: MOMENT_MS,
                    ..Change::new(0, c::EVFILT_TIMER)
                };
                queue.apply(soon)?;
            }
            result => result?,
        }
        Ok(ChildName(queue))
    }

    /// The name, in lowered form.
    pub fn raw(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// How long a process that can't be found any more is given to become one that was waited for.
const MOMENT_MS: i64 = 2;

/// What the system says of a process, where one can be waited for that is not a [`Child`].
pub struct ChildInfo(c::siginfo_t);

impl ChildInfo {
    pub fn new() -> ChildInfo {
        // SAFETY: it is made of numbers and pointers, which may be zero.
        ChildInfo(unsafe { mem::zeroed() })
    }

    /// Where the system would write it.
    pub fn as_mut_ptr(&mut self) -> *mut c::siginfo_t {
        &raw mut self.0
    }

    /// The number of the process.
    pub fn pid(&self) -> u32 {
        unreachable!("no wait by descriptor succeeds here")
    }

    /// What became of it.
    pub fn state(&self) -> ChildState {
        unreachable!("no wait by descriptor succeeds here")
    }
}

impl fmt::Debug for ChildInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildInfo").finish_non_exhaustive()
    }
}

/// Lets a call that yields its error, or is none, fail as the others do.
pub fn fail(code: i32) -> isize {
    // SAFETY: it only says where this thread's `errno` is.
    let errno = unsafe { c::errno_location() };
    // SAFETY: it is this thread's own.
    unsafe { *errno = code };
    -1
}

/// The code of the last failure.
fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(c::EIO)
}

/// The flags of a call on a socket that does not wait, whatever it was told: some systems wait for
/// the rest once something is there.
#[inline]
pub const fn that_do_not_wait(flags: i32) -> i32 {
    (flags & !c::MSG_WAITALL) | c::MSG_DONTWAIT
}

/// Asks what became of a connect that has begun: succeeded (`EISCONN`), goes on (`EALREADY`), or
/// why not. To ask by connecting once more would begin anew.
///
/// # Safety
///
/// None: it is as elsewhere.
pub unsafe fn connect_again(fd: RawFd, _: *const c::sockaddr, _: u32) -> isize {
    let mut entry = c::pollfd { fd, events: c::POLLOUT, revents: 0 };
    // SAFETY: the entry outlives the call.
    if unsafe { c::poll(&mut entry, 1, 0) } == 0 {
        return fail(c::EALREADY);
    }
    match option(fd, c::SO_ERROR) {
        Ok(0) => {}
        Ok(code) | Err(code) => return fail(code),
    }
    // SAFETY: all zeros are an address, too.
    let mut address: c::sockaddr_storage = unsafe { mem::zeroed() };
    let mut len = size_of::<c::sockaddr_storage>() as c::socklen_t;
    let place = (&raw mut address).cast();
    // SAFETY: there is room for an address.
    match unsafe { c::getpeername(fd, place, &mut len) } {
        0 => fail(c::EISCONN),
        // Its error was asked for by somebody else.
        _ if errno() == c::ENOTCONN => fail(c::ECONNREFUSED),
        failed => failed as isize,
    }
}

/// A number that is an option of a socket, or why there is none.
fn option(fd: RawFd, name: i32) -> Result<i32, i32> {
    let (mut value, mut len) = (0i32, size_of::<i32>() as c::socklen_t);
    let place = (&raw mut value).cast();
    // SAFETY: there is room for a number.
    match unsafe { c::getsockopt(fd, c::SOL_SOCKET, name, place, &mut len) } {
        0 => Ok(value),
        _ => Err(errno()),
    }
}

/// Whether nothing more will come from a socket than what is there, or it is none. Only kqueue says
/// so while something is there.
pub fn has_peer_ended(fd: RawFd) -> bool {
    let Ok(queue) = Queue::new() else { return false };
    let watch = Change { flags: c::EV_ADD, ..Change::new(fd as usize, c::EVFILT_READ) };
    let mut told = Vec::with_capacity(1);
    match queue.wait(&[watch.lowered()], &mut told, Some(&c::timespec { tv_sec: 0, tv_nsec: 0 })) {
        Ok(()) => told.iter().any(|event| event.flags & ENDS != 0),
        Err(_) => true,
    }
}

/// What ends a socket: its peer, or a mistake.
const ENDS: c::Flags = c::EV_EOF | c::EV_ERROR;

/// There is no wait by descriptor.
///
/// # Safety
///
/// None: it is as elsewhere.
pub unsafe fn wait_id(_: RawFd, _: *mut c::siginfo_t, _: i32) -> isize {
    fail(c::ENOSYS)
}

/// Which process was written of: none.
pub const fn pid_of(_: &c::siginfo_t) -> i32 {
    0
}

/// There is no call that wakes who waits with another system's.
///
/// # Safety
///
/// None: it is as elsewhere.
pub unsafe fn wake_futex(_: *const u32, _: u32, _: u32, _: u32) -> isize {
    fail(c::ENOSYS)
}
