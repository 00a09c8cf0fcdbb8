//! Loops of somebody else's that wait for a ring.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use corio_aio::Ring;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::system::watching;
use crate::{collect, rings, start_recv};

#[test]
fn a_foreign_loop_wakes_up_for_what_is_complete() {
    for (name, mut ring) in rings().filter(|(name, _)| *name != "poll") {
        let foreign = watching(ring.descriptor().unwrap());
        for _ in 0..20 {
            let (recv, mut theirs) = start_recv(&mut ring);
            assert_eq!(collect(&mut ring), [], "{name}");
            assert_eq!(ring.next_deadline(), None, "{name}");
            thread::scope(|scope| {
                scope.spawn(|| {
                    thread::sleep(Duration::from_millis(5));
                    theirs.write_all(b"hey").unwrap();
                });
                let mut watched = [PollFd::new(&foreign, PollFlags::IN)];
                let limit = Timespec { tv_sec: 10, tv_nsec: 0 };
                assert_eq!(poll(&mut watched, Some(&limit)), Ok(1), "{name}");
            });
            assert_eq!(collect(&mut ring), [recv], "{name}");
            let mut watched = [PollFd::new(&foreign, PollFlags::IN)];
            assert_eq!(poll(&mut watched, Some(&Timespec::default())), Ok(0), "{name}");
        }
    }
}

#[test]
fn a_foreign_loop_is_not_kept_awake_by_what_nobody_waits_for() {
    for (name, mut ring) in rings().filter(|(name, _)| *name != "poll") {
        let number = ring.descriptor().unwrap().as_raw_fd();
        let (recv, mut theirs) = start_recv(&mut ring);
        assert_eq!(collect(&mut ring), [], "{name}");
        for _ in 0..3 {
            theirs.write_all(b"hey").unwrap();
            let complete = collect(&mut ring);
            assert!(complete.is_empty() || complete == [recv], "{name}");
            let readable = ring.descriptor().unwrap();
            assert_eq!(readable.as_raw_fd(), number);
            let mut watched = [PollFd::new(&readable, PollFlags::IN)];
            assert_eq!(poll(&mut watched, Some(&Timespec::default())), Ok(0), "{name}");
        }
    }
}

#[test]
fn a_foreign_loop_wakes_up_for_a_wake() {
    for (name, mut ring) in rings().filter(|(name, _)| *name != "poll") {
        let waker = ring.waker().unwrap();
        ring.descriptor().unwrap();
        let is_readable = |ring: &Ring, limit| {
            let readable = ring.descriptor().unwrap();
            let mut watched = [PollFd::new(&readable, PollFlags::IN)];
            poll(&mut watched, Some(&limit)) == Ok(1)
        };
        for _ in 0..20 {
            assert_eq!(collect(&mut ring), [], "{name}");
            // The kernel may ring late for wakes before, but it comes to an end.
            let (mut silent, limit) = (0, Instant::now() + Duration::from_secs(10));
            while silent < 20 {
                assert!(Instant::now() < limit, "{name}");
                assert_eq!(collect(&mut ring), [], "{name}");
                let is_late = is_readable(&ring, Timespec { tv_sec: 0, tv_nsec: 100_000 });
                silent = if is_late { 0 } else { silent + 1 };
            }
            thread::scope(|scope| {
                scope.spawn(|| waker.wake());
                assert!(is_readable(&ring, Timespec { tv_sec: 10, tv_nsec: 0 }), "{name}");
            });
        }
    }
}
