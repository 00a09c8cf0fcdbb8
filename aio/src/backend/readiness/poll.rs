//! Waiting with poll(2): the system goes through all that is watched at each call, so that
//! watching and unwatching cost nothing, and waiting the more.

use std::io;
use std::ptr;
use std::time::{Duration, Instant};

use super::poller::{Interest, Poller, Ready, Waited};
use crate::error::Cause;
use crate::handle::{BorrowedDescriptor, RawHandle};
use crate::sys::c;
use crate::waker::Waker;

/// What poll(2) is told.
pub struct Poll {
    /// All that is watched.
    pub entries: Vec<c::pollfd>,
    /// Which of the entries is that of a descriptor, by its number.
    places: Vec<u32>,
    waker: Option<Waker>,
}

/// The place of what is not watched.
const NOWHERE: u32 = u32::MAX;

impl Poll {
    /// Which of the entries is that of a descriptor, if it is watched.
    pub fn place(&self, fd: RawHandle) -> Option<usize> {
        let place = *self.places.get(usize::try_from(fd).ok()?)?;
        (place != NOWHERE).then_some(place as usize)
    }

    /// Calls poll(2), again where a signal interrupts it; yields how many entries have something
    /// to say, and how many calls that took.
    fn poll(&mut self, timeout: Option<Duration>) -> Result<(usize, u32), Cause> {
        let limit = timeout.map(|timeout| (Instant::now(), timeout));
        let (mut left, mut calls) = (timeout.map(timespec), 0);
        loop {
            let timeout = left.as_ref().map_or(ptr::null(), ptr::from_ref);
            let count = self.entries.len() as c::nfds_t;
            calls += 1;
            // SAFETY: that many entries are there, and the timeout is null or a local.
            let told = unsafe { c::ppoll(self.entries.as_mut_ptr(), count, timeout, ptr::null()) };
            if let Ok(told) = usize::try_from(told) {
                return Ok((told, calls));
            }
            match io::Error::last_os_error().raw_os_error() {
                Some(c::EINTR) => {
                    let rest = |(start, timeout): (Instant, Duration)| {
                        timespec(timeout.saturating_sub(start.elapsed()))
                    };
                    left = limit.map(rest);
                }
                // More is watched than the process may have open, now that its limit was lowered.
                Some(c::EINVAL) if count > 0 => return Ok((self.guess(timeout), calls + 1)),
                code => return Err(Cause::Os(code.unwrap_or(c::EIO))),
            }
        }
    }

    /// Lets everybody try what they wait for, every millisecond; yields how many that are.
    fn guess(&mut self, timeout: *const c::timespec) -> usize {
        // SAFETY: it is null or a local of the caller's.
        let is_short = unsafe { timeout.as_ref() }
            .is_some_and(|timeout| timeout.tv_sec == 0 && timeout.tv_nsec < 1_000_000);
        let moment = c::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
        let timeout = if is_short { timeout } else { &moment };
        // SAFETY: there are no entries, and the timeout is a local.
        unsafe { c::ppoll(ptr::null_mut(), 0, timeout, ptr::null()) };
        for entry in &mut self.entries {
            entry.revents = entry.events | c::POLLHUP;
        }
        self.entries.len()
    }
}

impl Poller for Poll {
    const CONFIRMS_WITHOUT_A_CALL: bool = false;

    fn new() -> Result<Poll, Cause> {
        Ok(Poll { entries: Vec::new(), places: Vec::new(), waker: None })
    }

    #[inline]
    fn is_edge_triggered(&self, _: RawHandle) -> bool {
        false
    }

    fn watch(&mut self, fd: RawHandle, interest: Interest) -> Result<bool, Cause> {
        if interest == Interest::NONE {
            self.forget(fd);
            return Ok(true);
        }
        let number = usize::try_from(fd).map_err(|_| Cause::Os(c::EBADF))?;
        let entry = c::pollfd { fd, events: events(interest), revents: 0 };
        if let Some(place) = self.place(fd) {
            self.entries[place] = entry;
            return Ok(true);
        }
        if number >= self.places.len() {
            self.places.resize(number + 1, NOWHERE);
        }
        self.places[number] = self.entries.len() as u32;
        self.entries.push(entry);
        Ok(true)
    }

    fn confirm(&mut self, _: RawHandle) -> Result<(), Cause> {
        Ok(())
    }

    fn forget(&mut self, fd: RawHandle) {
        let Some(place) = self.place(fd) else { return };
        self.entries.swap_remove(place);
        if let Some(moved) = self.entries.get(place) {
            self.places[moved.fd as usize] = place as u32;
        }
        self.places[fd as usize] = NOWHERE;
    }

    fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> Result<Waited, Cause> {
        // A waker without a descriptor is not told of.
        let mut is_woken =
            self.waker.as_ref().is_some_and(|waker| waker.raw().is_none() && waker.clear());
        let timeout = if is_woken { Some(Duration::ZERO) } else { timeout };
        let (told, mut calls) = self.poll(timeout)?;
        let telling = self.entries.iter().filter(|entry| entry.revents != 0);
        for entry in telling.take(told) {
            match &self.waker {
                Some(waker) if waker.raw() == Some(entry.fd) => {
                    calls += 1;
                    is_woken = waker.clear();
                }
                _ => ready.push(ready_for(entry)),
            }
        }
        Ok(Waited { calls, is_woken })
    }

    fn waker(&mut self) -> Result<Waker, Cause> {
        if let Some(waker) = &self.waker {
            return Ok(waker.clone());
        }
        let waker = Waker::new().map_err(|error| error.cause())?;
        if let Some(fd) = waker.raw() {
            self.watch(fd, Interest::READ)?;
        }
        Ok(self.waker.insert(waker).clone())
    }

    fn descriptor(&self) -> Option<BorrowedDescriptor<'_>> {
        None
    }
}

fn events(interest: Interest) -> c::c_short {
    let event = |asked_for, event| if interest.contains(asked_for) { event } else { 0 };
    event(Interest::READ, c::POLLIN)
        | event(Interest::WRITE, c::POLLOUT)
        | event(Interest::PRIORITY, c::POLLPRI)
}

fn ready_for(entry: &c::pollfd) -> Ready {
    let is = |event| entry.revents & (event | c::POLLERR | c::POLLHUP | c::POLLNVAL) != 0;
    let (read, write, priority) = (is(c::POLLIN), is(c::POLLOUT), is(c::POLLPRI));
    Ready { fd: entry.fd, read, write, priority }
}

/// A span of time; one that is longer than some systems take is as long as they do: three years.
pub fn timespec(duration: Duration) -> c::timespec {
    let seconds = duration.as_secs().min(100_000_000) as u32;
    c::timespec { tv_sec: seconds.into(), tv_nsec: duration.subsec_nanos() as _ }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::io::{Read, Write, pipe};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::*;

    const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

    fn ready(fd: &impl AsRawFd, interest: Interest) -> Ready {
        let [read, write, priority] =
            [Interest::READ, Interest::WRITE, Interest::PRIORITY].map(|one| interest.contains(one));
        Ready { fd: fd.as_raw_fd(), read, write, priority }
    }

    fn all(fd: RawHandle) -> Ready {
        Ready { fd, read: true, write: true, priority: true }
    }

    fn wait(poll: &mut Poll, timeout: Option<Duration>) -> Vec<Ready> {
        let mut ready = Vec::new();
        poll.wait(timeout, &mut ready).unwrap();
        ready
    }

    #[test]
    fn what_is_ready_is_told_for_as_long_as_it_is_and_is_watched() {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let (mut poll, fd) = (Poll::new().unwrap(), ours.as_raw_fd());
        poll.watch(fd, Interest::READ).unwrap();
        assert_eq!(wait(&mut poll, AT_ONCE), []);
        theirs.write_all(b"x").unwrap();
        assert_eq!(wait(&mut poll, None), [ready(&ours, Interest::READ)]);
        assert_eq!(wait(&mut poll, None), [ready(&ours, Interest::READ)]);
        poll.watch(fd, Interest::WRITE).unwrap();
        assert_eq!(wait(&mut poll, None), [ready(&ours, Interest::WRITE)]);
        let both = Interest::READ | Interest::WRITE;
        poll.watch(fd, both).unwrap();
        assert_eq!(wait(&mut poll, None), [ready(&ours, both)]);
        ours.read_exact(&mut [0]).unwrap();
        assert_eq!(wait(&mut poll, None), [ready(&ours, Interest::WRITE)]);
        poll.watch(fd, Interest::NONE).unwrap();
        assert_eq!(wait(&mut poll, AT_ONCE), []);
        poll.watch(fd, Interest::NONE).unwrap();
    }

    #[test]
    fn what_is_full_is_not_writable() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        while (&ours).write(&[0; 4096]).is_ok() {}
        let mut poll = Poll::new().unwrap();
        poll.watch(ours.as_raw_fd(), Interest::WRITE).unwrap();
        assert_eq!(wait(&mut poll, AT_ONCE), []);
        theirs.set_nonblocking(true).unwrap();
        while theirs.read(&mut [0; 4096]).is_ok() {}
        assert_eq!(wait(&mut poll, None), [ready(&ours, Interest::WRITE)]);
    }

    #[test]
    fn urgent_data_is_told_to_who_asks_for_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (theirs, _) = listener.accept().unwrap();
        let mut poll = Poll::new().unwrap();
        poll.watch(ours.as_raw_fd(), Interest::PRIORITY).unwrap();
        assert_eq!(wait(&mut poll, AT_ONCE), []);
        socket2::SockRef::from(&theirs).send_out_of_band(b"!").unwrap();
        assert_eq!(wait(&mut poll, None), [ready(&ours, Interest::PRIORITY)]);
    }

    #[test]
    fn hang_ups_errors_and_closed_descriptors_are_ready_for_everything() {
        let (reader, writer) = pipe().unwrap();
        let (widow, lost) = pipe().unwrap();
        let mut poll = Poll::new().unwrap();
        poll.watch(reader.as_raw_fd(), Interest::READ).unwrap();
        assert_eq!(wait(&mut poll, AT_ONCE), []);
        drop(writer);
        assert_eq!(wait(&mut poll, None), [all(reader.as_raw_fd())]);
        poll.forget(reader.as_raw_fd());
        poll.watch(lost.as_raw_fd(), Interest::READ).unwrap();
        drop(widow);
        assert_eq!(wait(&mut poll, None), [all(lost.as_raw_fd())]);
        poll.forget(lost.as_raw_fd());
        let never_open = 60_000;
        poll.watch(never_open, Interest::PRIORITY).unwrap();
        assert_eq!(wait(&mut poll, None), [all(never_open)]);
        assert_eq!(poll.watch(-1, Interest::READ), Err(Cause::Os(libc::EBADF)));
        poll.forget(-1);
    }

    #[test]
    fn whatever_is_unwatched_the_others_are_still_watched() {
        let pipes: Vec<_> = (0..30).map(|_| pipe().unwrap()).collect();
        let mut poll = Poll::new().unwrap();
        for (reader, writer) in &pipes {
            poll.watch(reader.as_raw_fd(), Interest::READ).unwrap();
            poll.watch(writer.as_raw_fd(), Interest::WRITE).unwrap();
        }
        let mut expected: Vec<RawHandle> = Vec::new();
        for (index, (reader, writer)) in pipes.iter().enumerate() {
            poll.watch(reader.as_raw_fd(), Interest::NONE).unwrap();
            match index % 3 {
                0 => poll.forget(writer.as_raw_fd()),
                _ => expected.push(writer.as_raw_fd()),
            }
        }
        let told = |poll: &mut Poll| {
            let mut told: Vec<_> = wait(poll, None).iter().map(|ready| ready.fd).collect();
            told.sort_unstable();
            told
        };
        expected.sort_unstable();
        assert_eq!(told(&mut poll), expected);
        for (_, writer) in &pipes {
            poll.watch(writer.as_raw_fd(), Interest::WRITE).unwrap();
        }
        assert_eq!(told(&mut poll).len(), 30);
        pipes.iter().for_each(|(_, writer)| poll.forget(writer.as_raw_fd()));
        assert_eq!(wait(&mut poll, AT_ONCE), []);
        assert!(poll.entries.is_empty());
    }

    #[test]
    fn a_waker_ends_a_wait_once_and_is_not_told() {
        let mut poll = Poll::new().unwrap();
        let waker = poll.waker().unwrap();
        let again = poll.waker().unwrap();
        assert_eq!(waker.raw(), again.raw());
        let waited = |calls, is_woken| Ok(Waited { calls, is_woken });
        thread::scope(|scope| {
            scope.spawn(|| waker.wake());
            let mut ready = Vec::new();
            assert_eq!(poll.wait(None, &mut ready), waited(2, true));
            assert_eq!(ready, []);
        });
        let mut ready = Vec::new();
        assert_eq!(poll.wait(AT_ONCE, &mut ready), waited(1, false));
        let (reader, mut writer) = pipe().unwrap();
        poll.watch(reader.as_raw_fd(), Interest::READ).unwrap();
        writer.write_all(b"x").unwrap();
        waker.wake();
        waker.wake();
        assert_eq!(poll.wait(None, &mut ready), waited(2, true));
        assert_eq!(poll.wait(None, &mut ready), waited(1, false));
        assert_eq!(ready, [self::ready(&reader, Interest::READ); 2]);
    }

    #[test]
    fn no_wait_ends_early() {
        let mut poll = Poll::new().unwrap();
        for micros in [0, 1, 100, 999, 1_000, 1_001, 2_500, 10_000] {
            let (start, timeout) = (Instant::now(), Duration::from_micros(micros));
            assert_eq!(wait(&mut poll, Some(timeout)), []);
            assert!(start.elapsed() >= timeout);
        }
    }

    #[test]
    fn the_longest_timeout_is_one() {
        let (reader, mut writer) = pipe().unwrap();
        let mut poll = Poll::new().unwrap();
        poll.watch(reader.as_raw_fd(), Interest::READ).unwrap();
        writer.write_all(b"x").unwrap();
        assert_eq!(wait(&mut poll, Some(Duration::MAX)), [ready(&reader, Interest::READ)]);
    }

    extern "C" fn ignore(_: libc::c_int) {}

    #[test]
    fn a_signal_does_not_end_a_wait() {
        // SAFETY: all zero is an action without flags and with an empty mask.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = ignore as extern "C" fn(libc::c_int) as usize;
        // SAFETY: the handler does nothing.
        let set = unsafe { libc::sigaction(libc::SIGUSR2, &raw const action, ptr::null_mut()) };
        assert_eq!(set, 0);
        // On some systems a thread's name is a pointer, which would stay on its thread.
        // SAFETY: the call takes and changes nothing.
        let waiting = unsafe { libc::pthread_self() } as usize;
        let (has_ended, timeout) = (AtomicBool::new(false), Duration::from_millis(50));
        let mut poll = Poll::new().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                while !has_ended.load(Ordering::Relaxed) {
                    // SAFETY: the thread does not end before this scope does.
                    unsafe { libc::pthread_kill(waiting as libc::pthread_t, libc::SIGUSR2) };
                    thread::sleep(Duration::from_millis(2));
                }
            });
            let (start, mut ready) = (Instant::now(), Vec::new());
            let calls = poll.wait(Some(timeout), &mut ready);
            let elapsed = start.elapsed();
            has_ended.store(true, Ordering::Relaxed);
            assert!(calls.unwrap().calls > 1, "it was never interrupted");
            assert!(elapsed >= timeout && ready.is_empty());
        });
    }
}
