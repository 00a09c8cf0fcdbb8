//! The way into the kernel: `io_uring_enter`, through a registered descriptor once that pays.

use std::io;
use std::os::fd::RawFd;
use std::ptr;
use std::time::Duration;

use crate::op::Timespec;

/// How often a ring is entered before its descriptor is registered: one that lives shorter would
/// not earn the call back.
const CALLS_BEFORE: u32 = 128;

const REGISTER_RING_FDS: libc::c_long = 20;
const UNREGISTER_RING_FDS: libc::c_long = 21;
const ANY_SLOT: u32 = u32::MAX;

/// Lets the kernel work off completions, also where nobody waits for any.
const GET_EVENTS: libc::c_long = 1;
const EXTENDED_ARGUMENT: libc::c_long = 1 << 3;
const REGISTERED_RING: libc::c_long = 1 << 4;

/// How a ring is entered. It belongs to the thread of its ring.
#[derive(Debug)]
pub struct Door {
    ring: RawFd,
    /// How many calls are left before it is registered.
    calls_left: u32,
    /// Its place among the thread's registered rings: the kernel need not look it up in the
    /// process's descriptors then.
    slot: Option<u32>,
}

/// `struct io_uring_rsrc_update`
#[repr(C)]
struct Update {
    slot: u32,
    reserved: u32,
    ring: u64,
}

/// `struct io_uring_getevents_arg`
#[repr(C)]
struct Wait {
    signals: u64,
    signals_len: u32,
    reserved: u32,
    timeout: *const Timespec,
}

impl Door {
    /// The way into `ring`, which stays open as long as this is used.
    pub fn new(ring: RawFd) -> Door {
        Door { ring, calls_left: CALLS_BEFORE, slot: None }
    }

    /// Submits `count` entries and waits for `want` completions, as long as `patience` (`None`: for
    /// ever); yields how many were submitted. That the time is up is `ETIME`, if nothing was.
    pub fn enter(
        &mut self,
        count: usize,
        want: usize,
        patience: Option<Duration>,
    ) -> io::Result<usize> {
        if self.calls_left > 0 {
            self.calls_left -= 1;
            if self.calls_left == 0 {
                self.slot = self.register();
            }
        }
        let (ring, mut flags) = match self.slot {
            Some(slot) => (slot as libc::c_long, GET_EVENTS | REGISTERED_RING),
            None => (self.ring as libc::c_long, GET_EVENTS),
        };
        let timeout = Timespec::new(patience.unwrap_or_default());
        let wait = Wait { signals: 0, signals_len: 0, reserved: 0, timeout: &timeout };
        let (mut argument, mut len) = (ptr::null(), 0);
        if patience.is_some() {
            flags |= EXTENDED_ARGUMENT;
            (argument, len) = (&raw const wait, size_of::<Wait>());
        }
        let (count, want) = (count as libc::c_long, want as libc::c_long);
        let enter = libc::SYS_io_uring_enter;
        // SAFETY: the argument is null, or outlives the call; that what the entries name stays in
        // place is promised to who put them into the queue.
        let submitted = unsafe { libc::syscall(enter, ring, count, want, flags, argument, len) };
        usize::try_from(submitted).map_err(|_| io::Error::last_os_error())
    }

    /// Registers the ring: Linux 5.18, and at most 16 rings in a thread. Without it all works.
    fn register(&self) -> Option<u32> {
        let mut update = Update { slot: ANY_SLOT, reserved: 0, ring: self.ring as u64 };
        (self.update(REGISTER_RING_FDS, &mut update) == 1).then_some(update.slot)
    }

    fn update(&self, what: libc::c_long, update: &mut Update) -> libc::c_long {
        let (ring, count) = (self.ring as libc::c_long, 1usize);
        // SAFETY: the kernel reads and writes one update, which outlives the call.
        unsafe {
            libc::syscall(libc::SYS_io_uring_register, ring, what, ptr::from_mut(update), count)
        }
    }
}

/// A registered ring would not be closed before its thread ends.
impl Drop for Door {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            self.update(UNREGISTER_RING_FDS, &mut Update { slot, reserved: 0, ring: 0 });
        }
    }
}
