//! Waiting for descriptors, by the libc's poll: it counts in milliseconds, has no place for many,
//! and fails for all if it fails for one.

use std::ffi::{c_int, c_void};
use std::slice;
use std::thread;
use std::time::{Duration, Instant};

use super::{c, errno, fail, kind_of_file, refuse};

/// The most entries that one poll is told: the libc has lists of them on the stack.
const MOST_ENTRIES: usize = 512;

/// How long a wait takes where not all can be polled at once.
const MOMENT: Duration = Duration::from_millis(1);

/// The longest time that the libc is told.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// poll(2).
///
/// # Safety
///
/// There are that many entries.
pub unsafe fn poll(entries: *mut c::pollfd, count: c::nfds_t, timeout_ms: c_int) -> c_int {
    // SAFETY: passed on.
    let entries = unsafe { entries_of(entries, count) };
    // The libc knows nothing that could be waited for but these.
    if entries.iter().any(|entry| entry.events & (c::POLLIN | c::POLLOUT) == 0) {
        return refuse();
    }
    let told = wait(entries, u64::try_from(timeout_ms).ok().map(Duration::from_millis));
    // A file is ready for all, also at its end, which the host tells one after the other.
    for entry in entries.iter_mut().filter(|entry| entry.revents != 0) {
        if kind_of_file(entry.fd) == c::S_IFREG {
            entry.revents = entry.events & (c::POLLIN | c::POLLOUT);
        }
    }
    told
}

/// ppoll(2), without signals. A wait for nothing without an end fails with `EDEADLK`.
///
/// # Safety
///
/// There are that many entries, and the timeout is null or valid.
pub unsafe fn ppoll(
    entries: *mut c::pollfd,
    count: c::nfds_t,
    timeout: *const c::timespec,
    _: *const c_void,
) -> c_int {
    // SAFETY: passed on.
    let entries = unsafe { entries_of(entries, count) };
    // SAFETY: passed on.
    let timeout = unsafe { timeout.as_ref() };
    let span = |time: &c::timespec| Duration::new(time.tv_sec as u64, time.tv_nsec as u32);
    wait(entries, timeout.map(span))
}

/// # Safety
///
/// There are that many entries, for as long as the result is used.
unsafe fn entries_of<'a>(entries: *mut c::pollfd, count: c::nfds_t) -> &'a mut [c::pollfd] {
    match count {
        0 => &mut [],
        // SAFETY: passed on.
        count => unsafe { slice::from_raw_parts_mut(entries, count as usize) },
    }
}

/// Waits until one of `entries` has something to say, or `timeout` has passed; yields how many
/// have.
fn wait(entries: &mut [c::pollfd], timeout: Option<Duration>) -> c_int {
    if entries.is_empty() && timeout.is_none() {
        return fail(c::EDEADLK) as c_int;
    }
    let start = Instant::now();
    let mut is_whole = (1..=MOST_ENTRIES).contains(&entries.len());
    loop {
        let left = timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
        let is_last = left == Some(Duration::ZERO);
        // The host panics where there is nothing at all to wait for.
        let span = left.map_or(DAY, |left| left.min(DAY));
        if is_whole {
            match poll_at_once(entries, span) {
                Err(_) => {
                    is_whole = false;
                    continue;
                }
                Ok(0) if is_last => return 0,
                Ok(0) => {}
                Ok(told) => return told,
            }
        } else {
            match poll_in_parts(entries) {
                0 if is_last => return 0,
                0 if entries.is_empty() => thread::sleep(span),
                0 => thread::sleep(span.min(MOMENT)),
                told => return told,
            }
        }
    }
}

/// Polls all entries by one call, which may end late by less than a millisecond.
pub fn poll_at_once(entries: &mut [c::pollfd], span: Duration) -> Result<c_int, i32> {
    let timeout_ms = span.as_nanos().div_ceil(1_000_000) as c_int;
    // SAFETY: that many entries are there.
    match unsafe { libc::poll(entries.as_mut_ptr(), entries.len() as c::nfds_t, timeout_ms) } {
        0.. if timeout_ms < 0 => Ok(0),
        told @ 0.. => Ok(told),
        _ => Err(errno()),
    }
}

/// Polls the entries one after the other, without waiting: for there are many, or one of them fails
/// the poll of all.
fn poll_in_parts(entries: &mut [c::pollfd]) -> c_int {
    let one = |entry: &mut c::pollfd| match poll_at_once(slice::from_mut(entry), Duration::ZERO) {
        Ok(told) => told,
        Err(code) => {
            entry.revents = match code {
                c::EBADF => c::POLLNVAL,
                // A socket that is neither connected nor listens.
                _ => c::POLLHUP | (entry.events & c::POLLOUT),
            };
            1
        }
    };
    entries.iter_mut().map(one).sum()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsRawFd;

    use super::*;

    const CLOSED: i32 = 1_900;

    fn entry(fd: i32, events: i16) -> c::pollfd {
        c::pollfd { fd, events, revents: 0 }
    }

    #[test]
    fn no_wait_ends_early() {
        for micros in [0, 1, 999, 1_001, 2_500, 10_000] {
            let (start, span) = (Instant::now(), Duration::from_micros(micros));
            assert_eq!(wait(&mut [], Some(span)), 0);
            assert!(start.elapsed() >= span);
        }
    }

    #[test]
    fn a_wait_for_nothing_without_an_end_is_refused() {
        assert_eq!((wait(&mut [], None), errno()), (-1, c::EDEADLK));
    }

    #[test]
    fn one_that_is_closed_does_not_hide_the_others() {
        let dir = File::open(".").unwrap();
        let fd = dir.as_raw_fd();
        let mut entries = [entry(CLOSED, c::POLLIN), entry(1, c::POLLOUT)];
        assert_eq!(wait(&mut entries, None), 2);
        assert_eq!(entries.map(|entry| entry.revents), [c::POLLNVAL, c::POLLOUT]);
        drop(dir);
        let mut entries = [entry(fd, c::POLLIN)];
        assert_eq!(wait(&mut entries, Some(Duration::ZERO)), 1);
        assert_eq!(entries[0].revents, c::POLLNVAL);
    }

    #[test]
    fn more_than_the_libc_has_room_for_are_polled() {
        let mut entries = [entry(CLOSED, c::POLLIN); 2 * MOST_ENTRIES];
        assert_eq!(wait(&mut entries, None) as usize, entries.len());
    }

    #[test]
    fn what_the_libc_can_not_wait_for_is_refused() {
        let mut urgent = entry(1, c::POLLPRI);
        // SAFETY: there is one entry.
        let told = unsafe { poll(&mut urgent, 1, 0) };
        assert_eq!((told, errno()), (-1, c::ENOSYS));
    }
}
