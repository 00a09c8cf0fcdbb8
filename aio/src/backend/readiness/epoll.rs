//! epoll(7): each descriptor registered once, edge-triggered, for as long as its number means it.
//!
//! A number that was registered may have been closed since and name another file, which epoll does
//! not watch. So a registration that is not new is one that is assumed, until it is confirmed.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll;

use super::poller::{Interest, Poller, Ready, Waited};
use crate::error::Cause;
use crate::handle::{BorrowedDescriptor, RawHandle};
use crate::waker::Waker;

/// How many events one call collects.
const EVENTS: usize = 256;

/// Marks events of the waker.
const WAKER: u64 = u64::MAX;

/// An epoll instance.
pub struct Epoll {
    epoll: OwnedFd,
    /// By descriptor.
    registered: Vec<Registration>,
    waker: Option<Waker>,
    events: Vec<libc::epoll_event>,
    has_pwait2: bool,
}

#[derive(Clone, Copy)]
struct Registration {
    /// What epoll was told, if the number still means the same file.
    told: Interest,
    /// What is waited for.
    wanted: Interest,
    /// Tells the events of this registration from those of earlier ones.
    generation: u32,
}

impl Registration {
    const NONE: Registration =
        Registration { told: Interest::NONE, wanted: Interest::NONE, generation: 0 };
}

impl Poller for Epoll {
    const CONFIRMS_WITHOUT_A_CALL: bool = false;

    fn new() -> Result<Epoll, Cause> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(cause)?;
        Ok(Epoll {
            epoll,
            registered: Vec::new(),
            waker: None,
            events: Vec::with_capacity(EVENTS),
            has_pwait2: true,
        })
    }

    #[inline]
    fn is_edge_triggered(&self, _: RawHandle) -> bool {
        true
    }

    fn watch(&mut self, fd: RawHandle, interest: Interest) -> Result<bool, Cause> {
        let index = fd as usize;
        if index >= self.registered.len() {
            self.registered.resize(index + 1, Registration::NONE);
        }
        let registration = &mut self.registered[index];
        registration.wanted = interest;
        if interest == Interest::NONE {
            return Ok(true);
        }
        if registration.told == interest {
            return Ok(false);
        }
        self.confirm(fd).map(|()| true)
    }

    /// Registers the descriptor for what is wanted of it, or finds that it is.
    fn confirm(&mut self, fd: RawHandle) -> Result<(), Cause> {
        let registration = self.registered[fd as usize];
        let Registration { told, wanted, mut generation, .. } = registration;
        let known = told != Interest::NONE;
        let mut operations = [libc::EPOLL_CTL_ADD, libc::EPOLL_CTL_MOD];
        if known {
            operations.reverse();
        }
        let mut result = Ok(());
        for operation in operations {
            if operation == libc::EPOLL_CTL_ADD || !known {
                generation = generation.wrapping_add(1);
            }
            let data = u64::from(generation) << 32 | fd as u64;
            result = self.control(operation, fd, flags(wanted), data);
            // It is not registered though it was, or it is though it was not known to be.
            if !matches!(result, Err(Cause::Os(libc::ENOENT | libc::EEXIST))) {
                break;
            }
        }
        let registration = &mut self.registered[fd as usize];
        registration.generation = generation;
        registration.told = if result.is_ok() { wanted } else { Interest::NONE };
        result
    }

    fn forget(&mut self, fd: RawHandle) {
        if let Some(registration) = self.registered.get_mut(fd as usize) {
            registration.told = Interest::NONE;
        }
    }

    fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> Result<Waited, Cause> {
        let is_woken = match self.wait_once(timeout) {
            Err(Cause::Os(libc::EINTR)) => false,
            count => self.collect(count?, ready),
        };
        Ok(Waited { calls: 1, is_woken })
    }

    fn waker(&mut self) -> Result<Waker, Cause> {
        if let Some(waker) = &self.waker {
            return Ok(waker.clone());
        }
        let waker = Waker::new().map_err(|error| error.cause())?;
        // Edge-triggered, so that it need not be cleared.
        let flags = (libc::EPOLLIN | libc::EPOLLET) as u32;
        self.control(libc::EPOLL_CTL_ADD, waker.signal().as_fd().as_raw_fd(), flags, WAKER)?;
        Ok(self.waker.insert(waker).clone())
    }

    fn descriptor(&self) -> Option<BorrowedDescriptor<'_>> {
        Some(self.epoll.as_fd())
    }
}

impl Epoll {
    fn control(&self, operation: i32, fd: RawHandle, flags: u32, data: u64) -> Result<(), Cause> {
        let mut event = libc::epoll_event { events: flags, u64: data };
        // SAFETY: one event is read, which outlives the call.
        match unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), operation, fd, &mut event) } {
            0 => Ok(()),
            _ => Err(last_cause()),
        }
    }

    /// Appends what is ready, of so many events; says whether the waker is among them.
    fn collect(&self, count: usize, ready: &mut Vec<Ready>) -> bool {
        let mut is_woken = false;
        for event in &self.events[..count] {
            let (data, events) = (event.u64, event.events);
            let fd = data as u32 as RawHandle;
            if data == WAKER {
                is_woken = true;
                continue;
            }
            if self.registered[fd as usize].generation != (data >> 32) as u32 {
                continue;
            }
            let is_over = events & (libc::EPOLLERR | libc::EPOLLHUP) as u32 != 0;
            let is = |wanted: i32| is_over || events & wanted as u32 != 0;
            ready.push(Ready {
                fd,
                read: is(libc::EPOLLIN | libc::EPOLLRDHUP),
                write: is(libc::EPOLLOUT),
                priority: is(libc::EPOLLPRI),
            });
        }
        is_woken
    }

    /// One call, with a time as exact as the kernel takes it.
    fn wait_once(&mut self, timeout: Option<Duration>) -> Result<usize, Cause> {
        let epoll = self.epoll.as_raw_fd();
        self.events.clear();
        let place = self.events.as_mut_ptr();
        let milliseconds = match timeout {
            None => -1,
            Some(Duration::ZERO) => 0,
            Some(timeout) if self.has_pwait2 => {
                let timeout = timespec(timeout);
                // SAFETY: there is room for that many events, and the time outlives the call.
                let count = unsafe {
                    libc::syscall(
                        libc::SYS_epoll_pwait2,
                        epoll,
                        place,
                        EVENTS,
                        &raw const timeout,
                        std::ptr::null::<libc::sigset_t>(),
                        0usize,
                    )
                };
                if count >= 0 || last_cause() != Cause::Os(libc::ENOSYS) {
                    return self.collected(count as isize);
                }
                self.has_pwait2 = false;
                in_milliseconds(timeout_of(&timeout))
            }
            Some(timeout) => in_milliseconds(timeout),
        };
        // SAFETY: there is room for that many events.
        let count = unsafe { libc::epoll_wait(epoll, place, EVENTS as i32, milliseconds) };
        self.collected(count as isize)
    }

    /// Notes how many events the kernel has written.
    fn collected(&mut self, count: isize) -> Result<usize, Cause> {
        let count = usize::try_from(count).map_err(|_| last_cause())?;
        // SAFETY: the kernel has written that many, which is no more than there is room for.
        unsafe { self.events.set_len(count) };
        Ok(count)
    }
}

/// What epoll is told: edges only.
fn flags(interest: Interest) -> u32 {
    let mut flags = libc::EPOLLET;
    if interest.contains(Interest::READ) {
        flags |= libc::EPOLLIN | libc::EPOLLRDHUP;
    }
    if interest.contains(Interest::WRITE) {
        flags |= libc::EPOLLOUT;
    }
    if interest.contains(Interest::PRIORITY) {
        flags |= libc::EPOLLPRI;
    }
    flags as u32
}

/// Never early: what is left of a millisecond counts as a whole one.
fn in_milliseconds(timeout: Duration) -> i32 {
    let milliseconds = timeout.as_nanos().div_ceil(1_000_000);
    i32::try_from(milliseconds).unwrap_or(i32::MAX)
}

/// One too long for the system is as long as lives.
fn timespec(timeout: Duration) -> libc::timespec {
    let seconds = timeout.as_secs().try_into().unwrap_or(i32::MAX.into());
    libc::timespec { tv_sec: seconds, tv_nsec: timeout.subsec_nanos().into() }
}

fn timeout_of(timespec: &libc::timespec) -> Duration {
    Duration::new(timespec.tv_sec as u64, timespec.tv_nsec as u32)
}

fn cause(errno: rustix::io::Errno) -> Cause {
    Cause::Os(errno.raw_os_error())
}

fn last_cause() -> Cause {
    Cause::Os(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
}
