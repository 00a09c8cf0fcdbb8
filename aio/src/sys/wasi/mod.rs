//! WASI: one process with one thread, without signals; what is counted lies in its memory.

/// Types, constants and calls under the names that they have in C.
#[path = "names.rs"]
pub mod c;
mod files;
mod poll;
#[cfg_attr(target_env = "p1", path = "preview1.rs")]
#[cfg_attr(not(target_env = "p1"), path = "preview2.rs")]
mod preview;
mod sockets;
mod transfers;

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::ChildState;
pub use super::posix::{PathUnit, SystemPath};
use preview::FILES_HAVE_POSITIONS;
pub use preview::{MAKES_SOCKETS, net};
pub use sockets::connect_again;

/// How the length of a control message is written.
pub type ControlLen = c::socklen_t;

/// What stands before the data of a control message: its length with this, level and kind.
pub const CONTROL_HEADER: usize = size_of::<ControlLen>() + 2 * size_of::<i32>();

/// The next control message starts at a multiple of this.
pub const CONTROL_ALIGNMENT: usize = size_of::<usize>();

/// A count that operations wait on: a number.
#[derive(Debug, Default)]
pub struct CountedEvent(AtomicU64);

impl CountedEvent {
    /// How many bytes stand for one.
    pub const UNIT: u32 = 8;

    pub fn new() -> io::Result<CountedEvent> {
        Ok(CountedEvent::default())
    }

    /// Adds `number`.
    pub fn notify_many(&self, number: u64) -> io::Result<()> {
        if number == u64::MAX {
            return Err(io::Error::from_raw_os_error(c::EINVAL));
        }
        let add = |count: u64| count.checked_add(number).filter(|count| *count < u64::MAX);
        // Nobody can make room while this waits.
        let added = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, add);
        added.map(drop).map_err(|_| io::Error::from_raw_os_error(c::EDEADLK))
    }

    /// Takes one off the count. There is nobody who could notify while this waits: a count of zero
    /// is an error.
    pub fn wait(&self) -> io::Result<()> {
        match self.take() {
            true => Ok(()),
            false => Err(io::Error::from_raw_os_error(c::EDEADLK)),
        }
    }

    /// Takes one off the count, unless that is zero.
    pub fn take(&self) -> bool {
        let less = |count: u64| count.checked_sub(1);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, less).is_ok()
    }

    /// There is no descriptor.
    pub fn reader(&self) -> Option<RawFd> {
        None
    }

    /// There is no descriptor.
    pub fn waited_on(&self) -> Option<RawFd> {
        None
    }

    /// There is no descriptor.
    pub fn writer(&self) -> Option<RawFd> {
        None
    }
}

/// What ends a wait, or the next one: a flag.
#[derive(Debug, Default)]
pub struct Signal(AtomicBool);

impl Signal {
    pub fn new() -> io::Result<Signal> {
        Ok(Signal::default())
    }

    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Takes the signal back; says whether it was set.
    pub fn clear(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }

    /// Does not wait: there is nobody who could set it meanwhile.
    pub fn wait(&self) {}

    /// There is no descriptor: who waits looks at [`clear`](Signal::clear) before.
    pub fn raw(&self) -> Option<RawFd> {
        None
    }
}

/// What a child is called: there are none.
#[derive(Debug)]
pub enum ChildName {}

impl ChildName {
    pub fn new(_: &Child) -> io::Result<ChildName> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The name, in lowered form.
    pub fn raw(&self) -> RawFd {
        match *self {}
    }
}

/// What the system says of a process: it knows none, and nothing is ever written here.
#[derive(Debug)]
pub struct ChildInfo(c::siginfo_t);

impl ChildInfo {
    pub fn new() -> ChildInfo {
        ChildInfo(c::siginfo_t { _nothing: 0 })
    }

    /// Where the system would write it.
    pub fn as_mut_ptr(&mut self) -> *mut c::siginfo_t {
        &raw mut self.0
    }

    /// The number of the process.
    pub fn pid(&self) -> u32 {
        0
    }

    /// What became of it.
    pub fn state(&self) -> ChildState {
        ChildState::Exited(ExitStatus::default())
    }
}

/// Has `handler` called in each process that is forked from this one: there are none.
///
/// # Safety
///
/// None is needed.
pub unsafe fn watch_forks(_: unsafe extern "C" fn()) {}

/// Calls `f`: there are no signals.
pub fn without_signals<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// Lets a call fail.
pub fn fail(code: i32) -> isize {
    // SAFETY: it only says where this thread's `errno` is.
    let errno = unsafe { c::__errno_location() };
    // SAFETY: it is this thread's own.
    unsafe { *errno = code };
    -1
}

/// Refuses what can't be done.
fn refuse() -> c_int {
    fail(c::ENOSYS) as c_int
}

fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// The kind of file that a descriptor names (`S_IF…`); 0 if that is not known, as of a stream that
/// the program was given.
fn kind_of_file(fd: c_int) -> u32 {
    let mut stat = MaybeUninit::<c::stat>::zeroed();
    // SAFETY: there is room for the answer.
    let failed = unsafe { c::fstat(fd, stat.as_mut_ptr()) } != 0;
    // SAFETY: all zeros are a `stat`, too.
    let stat = unsafe { stat.assume_init() };
    if failed { 0 } else { stat.st_mode & c::S_IFMT }
}

/// The flags of a call on a socket that does not wait, whatever it was told.
pub const fn that_do_not_wait(flags: i32) -> i32 {
    flags | c::MSG_DONTWAIT
}

/// Whether nothing more will come from a socket than what is there: nothing says that it will.
pub fn has_peer_ended(_: RawFd) -> bool {
    true
}

/// Why a poll does not know a descriptor.
pub fn not_polled(_: RawFd) -> i32 {
    c::EBADF
}

/// Waits for a process: there are none.
///
/// # Safety
///
/// None is needed.
pub unsafe fn wait_id(_: RawFd, _: *mut c::siginfo_t, _: i32) -> isize {
    refuse() as isize
}

/// Which process was written of: none was.
pub fn pid_of(_: &c::siginfo_t) -> i32 {
    0
}

/// There is nobody to be woken.
///
/// # Safety
///
/// None is needed.
pub unsafe fn wake_futex(_: *const u32, _: u32, _: u32, _: u32) -> isize {
    refuse() as isize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_taken_off_as_often_as_it_was_notified() {
        let event = CountedEvent::new().unwrap();
        assert_eq!(event.wait().unwrap_err().raw_os_error(), Some(c::EDEADLK));
        event.notify_many(2).unwrap();
        assert!(event.wait().is_ok() && event.take() && !event.take());
    }

    #[test]
    fn a_count_does_not_overflow() {
        let event = CountedEvent::new().unwrap();
        let code = |number| event.notify_many(number).err().and_then(|error| error.raw_os_error());
        assert_eq!(code(u64::MAX), Some(c::EINVAL));
        assert_eq!(code(u64::MAX - 1), None);
        assert_eq!(code(1), Some(c::EDEADLK));
        assert!(event.take());
        assert_eq!(code(1), None);
    }

    #[test]
    fn a_signal_is_told_once() {
        let signal = Signal::new().unwrap();
        assert!(!signal.clear());
        signal.set();
        signal.set();
        assert!(signal.clear() && !signal.clear());
    }
}
