//! Linux.

use std::fmt;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::io::retry_on_intr;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::ChildState;
pub use super::posix::{PathUnit, SystemPath};
pub use super::unix::{watch_forks, without_signals};

/// Types, constants and calls under the names that they have in C.
pub mod c {
    pub use libc::*;

    use crate::sys::Status;
    use crate::sys::unix::{receive_now, send_now};

    /// The call itself, as musl takes no more than a kilobyte of control messages.
    ///
    /// # Safety
    ///
    /// As for that of the same name.
    pub unsafe fn sendmsg(fd: c_int, header: *const msghdr, flags: c_int) -> isize {
        // SAFETY: passed on.
        (unsafe { syscall(SYS_sendmsg, fd, header, flags) }) as isize
    }

    /// By its number, as musl has no name for it until 1.2.5. Where the kernel can't be asked not
    /// to wait for a socket, it receives.
    ///
    /// # Safety
    ///
    /// As for that of the same name.
    pub unsafe fn preadv2(
        fd: c_int,
        vectors: *const iovec,
        count: c_int,
        offset: off64_t,
        flags: c_int,
    ) -> isize {
        let (low, high) = halves(offset);
        // SAFETY: passed on.
        let read = unsafe { syscall(SYS_preadv2, fd, vectors, count as c_ulong, low, high, flags) };
        // SAFETY: passed on.
        if is_unknown(read) { unsafe { receive_now(fd, vectors, count) } } else { read as isize }
    }

    /// By its number, as musl has no name for it until 1.2.5. Where the kernel can't be asked not
    /// to wait for a socket, it sends.
    ///
    /// # Safety
    ///
    /// As for that of the same name.
    pub unsafe fn pwritev2(
        fd: c_int,
        vectors: *const iovec,
        count: c_int,
        offset: off64_t,
        flags: c_int,
    ) -> isize {
        let (low, high) = halves(offset);
        // SAFETY: passed on.
        let written =
            unsafe { syscall(SYS_pwritev2, fd, vectors, count as c_ulong, low, high, flags) };
        // SAFETY: passed on.
        if is_unknown(written) { unsafe { send_now(fd, vectors, count) } } else { written as isize }
    }

    /// Whether a call answered that it can't be asked not to wait: for sockets, as Linux did once,
    /// or for anything, as an emulator does that has not heard of the call.
    fn is_unknown(answer: c_long) -> bool {
        let code = || std::io::Error::last_os_error().raw_os_error();
        answer < 0 && matches!(code(), Some(EOPNOTSUPP | ENOSYS))
    }

    /// By its number, as not every libc has a name for it.
    ///
    /// # Safety
    ///
    /// As for that of the same name.
    pub unsafe fn statx(
        dir: c_int,
        path: *const c_char,
        flags: c_int,
        mask: u32,
        status: *mut Status,
    ) -> c_int {
        // SAFETY: passed on.
        (unsafe { syscall(SYS_statx, dir, path, flags, mask, status) }) as c_int
    }

    /// By its number, as not every libc has a name for it.
    ///
    /// # Safety
    ///
    /// As for that of the same name.
    pub unsafe fn renameat2(
        from: c_int,
        old: *const c_char,
        to: c_int,
        new: *const c_char,
        flags: c_uint,
    ) -> c_int {
        // SAFETY: passed on.
        (unsafe { syscall(SYS_renameat2, from, old, to, new, flags) }) as c_int
    }

    /// An offset in two registers; where one holds all of it, the kernel ignores the second.
    fn halves(offset: off64_t) -> (c_ulong, c_ulong) {
        (offset as c_ulong, (offset >> 32) as c_ulong)
    }
}

/// How the length of a control message is written.
pub type ControlLen = usize;

/// What stands before the data of a control message: its length with this, level and kind.
pub const CONTROL_HEADER: usize = size_of::<ControlLen>() + 2 * size_of::<i32>();

/// The next control message starts at a multiple of this.
pub const CONTROL_ALIGNMENT: usize = size_of::<usize>();

/// A count that threads and operations wait on: an eventfd.
#[derive(Debug)]
pub struct CountedEvent(OwnedFd);

impl CountedEvent {
    /// How many bytes stand for one.
    pub const UNIT: u32 = 8;

    pub fn new() -> io::Result<CountedEvent> {
        Ok(CountedEvent(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::SEMAPHORE)?))
    }

    /// Adds `number`.
    pub fn notify_many(&self, number: u64) -> io::Result<()> {
        retry_on_intr(|| rustix::io::write(&self.0, &number.to_ne_bytes()))?;
        Ok(())
    }

    /// Blocks the thread until the count is above zero, and takes one off.
    pub fn wait(&self) -> io::Result<()> {
        retry_on_intr(|| rustix::io::read(&self.0, &mut [0; 8]))?;
        Ok(())
    }

    /// What [`UNIT`](CountedEvent::UNIT) bytes are read from to take one off the count; `None`
    /// where only the operations that are made for it can do that.
    pub fn reader(&self) -> Option<RawFd> {
        Some(self.0.as_raw_fd())
    }

    /// What is readable while the count is above zero, for the operation that is made for it.
    pub fn waited_on(&self) -> Option<RawFd> {
        None
    }

    /// Takes one off the count, if it is above zero, for the operation that is made for it.
    pub fn take(&self) -> bool {
        false
    }

    /// What so many bytes are written to to add one; `None` as above.
    pub fn writer(&self) -> Option<RawFd> {
        Some(self.0.as_raw_fd())
    }
}

impl AsFd for CountedEvent {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What ends a wait from any thread: an eventfd that never blocks.
#[derive(Debug)]
pub struct Signal(OwnedFd);

impl Signal {
    pub fn new() -> io::Result<Signal> {
        Ok(Signal(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    pub fn set(&self) {
        // It can fail only where the count is at its end, which is out of reach.
        let _ = retry_on_intr(|| rustix::io::write(&self.0, &1u64.to_ne_bytes()));
    }

    /// Takes the signal back; says whether it was set.
    pub fn clear(&self) -> bool {
        retry_on_intr(|| rustix::io::read(&self.0, &mut [0; 8])).is_ok()
    }

    /// Blocks the thread until it is set, or somebody interrupts it.
    pub fn wait(&self) {
        let _ = poll(&mut [PollFd::new(&self.0, PollFlags::IN)], None);
    }

    /// What is readable while it is set, if there is such a thing.
    pub fn raw(&self) -> Option<RawFd> {
        Some(self.0.as_raw_fd())
    }
}

impl AsFd for Signal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What a child is called for the time that it is waited for: a pidfd.
#[derive(Debug)]
pub struct ChildName(OwnedFd);

impl ChildName {
    /// Names a child that was not waited for.
    pub fn new(child: &Child) -> io::Result<ChildName> {
        let pid = Pid::from_raw(child.id() as i32).expect("a child has a number");
        Ok(ChildName(pidfd_open(pid, PidfdFlags::empty())?))
    }

    /// The name, in lowered form.
    pub fn raw(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// What the system says of a process.
pub struct ChildInfo(c::siginfo_t);

impl ChildInfo {
    pub fn new() -> ChildInfo {
        // SAFETY: it is made of numbers and pointers, which may be zero.
        ChildInfo(unsafe { mem::zeroed() })
    }

    /// Where the system writes it.
    pub fn as_mut_ptr(&mut self) -> *mut c::siginfo_t {
        &raw mut self.0
    }

    /// The number of the process.
    pub fn pid(&self) -> u32 {
        // SAFETY: all of it is initialized, and the OS has written it for a child.
        (unsafe { self.0.si_pid() }) as u32
    }

    /// What became of it.
    pub fn state(&self) -> ChildState {
        // SAFETY: all of it is initialized, and the OS has written it for a child.
        let status = unsafe { self.0.si_status() };
        match self.0.si_code {
            c::CLD_EXITED => ChildState::Exited(ExitStatus::from_raw((status & 0xff) << 8)),
            c::CLD_DUMPED => ChildState::Exited(ExitStatus::from_raw(status | 0x80)),
            c::CLD_STOPPED | c::CLD_TRAPPED => ChildState::Stopped(status),
            c::CLD_CONTINUED => ChildState::Continued,
            _ => ChildState::Exited(ExitStatus::from_raw(status)),
        }
    }
}

/// Lets a call that yields its error fail as the others do.
pub fn fail(code: i32) -> isize {
    // SAFETY: it only says where this thread's `errno` is.
    let errno = unsafe { c::__errno_location() };
    // SAFETY: it is this thread's own.
    unsafe { *errno = code };
    -1
}

/// The flags of a call on a socket that does not wait, whatever it was told.
#[inline]
pub const fn that_do_not_wait(flags: i32) -> i32 {
    flags | c::MSG_DONTWAIT
}

/// Asks what became of a connect that has begun: succeeded (`EISCONN`), goes on (`EALREADY`), or
/// why not.
///
/// # Safety
///
/// The address is valid during the call.
pub unsafe fn connect_again(fd: RawFd, address: *const c::sockaddr, len: u32) -> isize {
    // SAFETY: passed on.
    (unsafe { c::connect(fd, address, len) }) as isize
}

/// Whether nothing more will come from a socket than what is there, or it is none.
pub fn has_peer_ended(fd: RawFd) -> bool {
    let mut entry = c::pollfd { fd, events: c::POLLRDHUP, revents: 0 };
    // SAFETY: the entry outlives the call.
    unsafe { c::poll(&mut entry, 1, 0) != 0 }
}

/// Why poll(2) does not know a descriptor.
pub fn not_polled(_: RawFd) -> i32 {
    c::EBADF
}

/// Waits for a process.
///
/// # Safety
///
/// The info is valid and unused during the call.
pub unsafe fn wait_id(pidfd: RawFd, info: *mut c::siginfo_t, options: i32) -> isize {
    // SAFETY: passed on.
    (unsafe { c::waitid(c::P_PIDFD, pidfd as c::id_t, info, options) }) as isize
}

/// Which process was written of; 0 if none was.
pub fn pid_of(info: &c::siginfo_t) -> i32 {
    // SAFETY: the fields are those of a child's signal, or zero.
    unsafe { info.si_pid() }
}

/// futex(2), whose flags differ from those of its successor.
///
/// # Safety
///
/// The word is valid during the call.
pub unsafe fn wake_futex(word: *const u32, count: u32, mask: u32, flags: u32) -> isize {
    let private = if flags & FUTEX2_PRIVATE != 0 { c::FUTEX_PRIVATE_FLAG } else { 0 };
    let (what, nobody) = (c::FUTEX_WAKE_BITSET | private, std::ptr::null::<()>());
    // SAFETY: the caller promises it.
    unsafe { c::syscall(c::SYS_futex, word, what, count, nobody, nobody, mask) as isize }
}

const FUTEX2_PRIVATE: u32 = 0x80;

impl fmt::Debug for ChildInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildInfo").finish_non_exhaustive()
    }
}
