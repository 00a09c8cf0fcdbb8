//! A kqueue.

use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::process;
use std::ptr;

use super::c;

/// A kqueue.
///
/// A child process does not have it, so that it must not close what bears its number there.
#[derive(Debug)]
pub struct Queue {
    /// Taken out when it is dropped.
    descriptor: Option<OwnedFd>,
    process: u32,
}

/// A change of what a queue watches, with the fields of `struct kevent`, whose types differ.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    pub ident: usize,
    pub filter: c::Filter,
    pub flags: c::Flags,
    pub fflags: u32,
    pub data: i64,
}

impl Change {
    /// One that changes nothing yet.
    pub const fn new(ident: usize, filter: c::Filter) -> Change {
        Change { ident, filter, flags: 0, fflags: 0, data: 0 }
    }

    /// As the system reads it.
    pub fn lowered(self) -> c::kevent {
        // SAFETY: it is made of numbers and a pointer, which may be zero.
        let mut event: c::kevent = unsafe { mem::zeroed() };
        (event.ident, event.filter, event.flags) = (self.ident, self.filter, self.flags);
        (event.fflags, event.data) = (self.fflags, self.data as _);
        event
    }
}

impl Queue {
    /// One that watches nothing.
    pub fn new() -> io::Result<Queue> {
        // SAFETY: the call takes nothing.
        let number = unsafe { c::kqueue() };
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: nobody else owns it.
        let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
        // It would be inherited by what is executed instead of this program.
        rustix::io::fcntl_setfd(&descriptor, rustix::io::FdFlags::CLOEXEC)?;
        Ok(Queue { descriptor: Some(descriptor), process: process::id() })
    }

    /// Makes one change.
    pub fn apply(&self, change: Change) -> io::Result<()> {
        self.call(&[change.lowered()], ptr::null_mut(), 0, Some(&AT_ONCE)).map(drop)
    }

    /// Makes changes, and waits for events as `timeout` says (`None`: for ever); those that were
    /// told are put in the place of what is in `told`, at most as many as that has room for.
    pub fn wait(
        &self,
        changes: &[c::kevent],
        told: &mut Vec<c::kevent>,
        timeout: Option<&c::timespec>,
    ) -> io::Result<()> {
        told.clear();
        let count = self.call(changes, told.as_mut_ptr(), told.capacity(), timeout)?;
        // SAFETY: the system has written that many, which is no more than there is room for.
        unsafe { told.set_len(count) };
        Ok(())
    }

    fn call(
        &self,
        changes: &[c::kevent],
        told: *mut c::kevent,
        room: usize,
        timeout: Option<&c::timespec>,
    ) -> io::Result<usize> {
        let timeout = timeout.map_or(ptr::null(), ptr::from_ref);
        let (queue, count) = (self.as_fd().as_raw_fd(), changes.len());
        // SAFETY: the changes are valid, `told` has so much room, and the timeout outlives the
        // call.
        let told =
            unsafe { c::kevent(queue, changes.as_ptr(), count as _, told, room as _, timeout) };
        usize::try_from(told).map_err(|_| io::Error::last_os_error())
    }
}

const AT_ONCE: c::timespec = c::timespec { tv_sec: 0, tv_nsec: 0 };

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_ref().expect("it is there until it is dropped").as_fd()
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        if process::id() != self.process {
            mem::forget(self.descriptor.take());
        }
    }
}
