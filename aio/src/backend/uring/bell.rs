//! What somebody polls who waits for a ring elsewhere.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use io_uring::IoUring;
use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::io::retry_on_intr;

use crate::waker::Waker;

/// A descriptor that is readable when a ring has something to collect, or was woken.
///
/// The ring's own descriptor does not say the one: what is deferred to our next call wakes nobody
/// who polls that. And the kernel does not reliably write to one eventfd because another one, the
/// waker's, is written to. So it is an epoll of two eventfds.
pub struct Bell {
    epoll: OwnedFd,
    /// Written to by the kernel when there is something to collect.
    rung: OwnedFd,
}

impl Bell {
    /// Lets the kernel ring for `ring`.
    ///
    /// # Errors
    ///
    /// `EMFILE` if the process has no descriptors left.
    pub fn new(ring: &IoUring) -> io::Result<Bell> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let rung = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let bell = Bell { epoll, rung };
        bell.add(bell.rung.as_fd())?;
        ring.submitter().register_eventfd(bell.rung.as_raw_fd())?;
        Ok(bell)
    }

    /// Is readable, too, when the waker was used.
    ///
    /// # Errors
    ///
    /// The system has no memory left.
    pub fn watch(&self, waker: &Waker) -> io::Result<()> {
        self.add(waker.signal().as_fd())
    }

    fn add(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let data = epoll::EventData::new_u64(0);
        Ok(epoll::add(&self.epoll, fd, data, epoll::EventFlags::IN)?)
    }

    /// Makes it unreadable; says whether it was readable, and how many calls that took.
    pub fn silence(&self, ring: &IoUring, waker: Option<&Waker>) -> (bool, u64) {
        let has_rung = retry_on_intr(|| rustix::io::read(&self.rung, &mut [0; 8])).is_ok();
        if has_rung {
            self.renew(ring);
        }
        let is_woken = waker.is_some_and(Waker::clear);
        let calls = 1 + 2 * u64::from(has_rung) + u64::from(waker.is_some());
        (has_rung || is_woken, calls)
    }

    /// Registers it anew, as Linux 6.12 rings but once for each time that it is registered.
    fn renew(&self, ring: &IoUring) {
        let renewed = ring
            .submitter()
            .unregister_eventfd()
            .and_then(|()| ring.submitter().register_eventfd(self.rung.as_raw_fd()));
        if renewed.is_err() {
            // Without it nothing is missed, but who waits does not sleep.
            let _ = retry_on_intr(|| rustix::io::write(&self.rung, &1_u64.to_ne_bytes()));
        }
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}
