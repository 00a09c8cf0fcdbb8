//! What a ring's wait costs, and that who waits elsewhere, or not at all, misses nothing.
#![expect(unsafe_code, reason = "starts operations over its frames")]
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

#[cfg(unix)]
mod foreign_loops;
#[path = "../system/mod.rs"]
#[allow(unsafe_code, reason = "asks the system")]
mod system;

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use corio_aio::backend::Kind;
use corio_aio::key::Key;
use corio_aio::{Batch, Cause, Mode, Options, Ring, op};

use crate::system::{Stream, pair};

/// A timeout that is not up before the test is over.
const LONG: Duration = Duration::from_secs(1000);

const A_MOMENT: Duration = Duration::from_millis(20);

fn rings() -> impl Iterator<Item = (&'static str, Ring)> {
    Kind::CANDIDATES.iter().copied().filter_map(|kind| {
        let ring = Ring::new(&Options { backend: Some(kind), ..Options::default() });
        ring.ok().map(|ring| (kind.name(), ring))
    })
}

/// Starts a batch that is never given back.
fn start(ring: &mut Ring, batch: impl Batch + 'static) -> Key {
    let batch = Box::leak(Box::new(batch));
    // SAFETY: nobody else has the batch, and it lives for ever, as does what it borrows.
    unsafe { ring.start(batch, 0) }.unwrap()
}

/// A receive that waits for what is written to the other end.
fn start_recv(ring: &mut Ring) -> (Key, Stream) {
    let (ours, theirs) = pair();
    (start(ring, (op::recv(ours, vec![0; 8]),)), theirs)
}

/// Waits without blocking until nothing more is complete; yields what is.
fn collect(ring: &mut Ring) -> Vec<Key> {
    let mut complete = Vec::new();
    loop {
        ring.wait(Mode::NonBlocking).unwrap();
        let before = complete.len();
        complete.extend(std::iter::from_fn(|| ring.completed()).map(|(_, key)| key));
        if complete.len() == before {
            return complete;
        }
    }
}

#[test]
fn a_sleep_takes_no_entry_and_one_call() {
    for (name, mut ring) in rings() {
        start(&mut ring, (op::timeout(LONG),));
        let before = ring.traffic();
        let sleep = start(&mut ring, (op::timeout(A_MOMENT),));
        let start = Instant::now();
        ring.wait(Mode::Blocking).unwrap();
        assert!(start.elapsed() >= A_MOMENT, "{name}");
        assert_eq!(ring.completed(), Some((0, sleep)), "{name}");
        let traffic = ring.traffic();
        assert!(traffic.calls - before.calls <= 2, "{name}");
        if name == "uring" {
            assert_eq!((traffic.submitted, traffic.completed), (0, 0));
        }
    }
}

#[test]
#[cfg_attr(target_os = "wasi", ignore = "there are no threads")]
fn a_timeout_longer_than_the_kernel_can_count_waits_without_a_spin() {
    for (name, mut ring) in rings() {
        for after in [u64::MAX, 1 << 34, 1 << 33, (1 << 33) + (1 << 29), 1 << 32] {
            start(&mut ring, (op::timeout(Duration::from_secs(after)),));
        }
        let (recv, mut theirs) = start_recv(&mut ring);
        collect(&mut ring);
        let before = ring.traffic().calls;
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(A_MOMENT);
                theirs.write_all(b"hey").unwrap();
            });
            ring.wait(Mode::Blocking).unwrap();
        });
        assert_eq!(ring.completed(), Some((0, recv)), "{name}");
        assert!(ring.traffic().calls - before <= 4, "{name}");
    }
}

#[test]
#[cfg_attr(target_env = "p1", ignore = "no sockets can be made")]
fn who_never_blocks_misses_nothing_and_pays_for_nothing() {
    for (name, mut ring) in rings() {
        let (recv, mut theirs) = start_recv(&mut ring);
        start(&mut ring, (op::timeout(LONG),));
        assert_eq!(collect(&mut ring), []);
        let before = ring.traffic().calls;
        (0..1000).for_each(|_| assert_eq!(collect(&mut ring), []));
        if name == "uring" {
            assert_eq!(ring.traffic().calls, before);
        }
        theirs.write_all(b"hey").unwrap();
        let limit = Instant::now() + Duration::from_secs(10);
        let mut complete = collect(&mut ring);
        while complete.is_empty() && Instant::now() < limit {
            complete = collect(&mut ring);
        }
        assert_eq!(complete, [recv], "{name}");
        let sleep = start(&mut ring, (op::timeout(Duration::from_millis(1)),));
        while complete.len() < 2 && Instant::now() < limit {
            complete.extend(collect(&mut ring));
        }
        assert_eq!(complete[1], sleep, "{name}");
    }
}

#[test]
fn a_foreign_loop_is_told_of_the_earliest_timeout() {
    for (name, mut ring) in rings() {
        assert_eq!(ring.next_deadline(), None, "{name}");
        start(&mut ring, (op::timeout(Duration::MAX),));
        assert_eq!(ring.next_deadline(), None, "{name}");
        let start_time = Instant::now();
        start(&mut ring, (op::timeout(LONG),));
        let sleep = start(&mut ring, (op::timeout(A_MOMENT),));
        let deadline = ring.next_deadline().unwrap();
        assert!(deadline >= start_time + A_MOMENT, "{name}");
        assert_eq!(collect(&mut ring), [], "{name}");
        thread::sleep(deadline.saturating_duration_since(Instant::now()));
        assert_eq!(collect(&mut ring), [sleep], "{name}");
        assert!(ring.next_deadline().unwrap() >= start_time + LONG, "{name}");
    }
}

#[test]
fn a_ring_without_a_descriptor_says_so() {
    for (name, ring) in rings() {
        let cause = ring.descriptor().err().map(|error| error.cause());
        assert_eq!(cause, matches!(name, "poll" | "iocp").then_some(Cause::Unsupported), "{name}");
    }
}

#[test]
fn wakes_that_nobody_waits_for_end_one_wait_at_most() {
    for (name, mut ring) in rings() {
        let waker = ring.waker().unwrap();
        for _ in 0..3 {
            (0..100).for_each(|_| waker.wake());
            let sleep = start(&mut ring, (op::timeout(A_MOMENT),));
            let mut waits = 0;
            while !ring.has_completed() {
                ring.wait(Mode::Blocking).unwrap();
                waits += 1;
            }
            assert!(waits <= 2, "{name}: {waits}");
            assert_eq!(ring.completed(), Some((0, sleep)), "{name}");
        }
    }
}

#[test]
#[cfg_attr(target_os = "wasi", ignore = "there are no threads")]
fn a_wake_ends_a_wait_for_operations_which_go_on() {
    for (name, mut ring) in rings() {
        let waker = ring.waker().unwrap();
        let (recv, mut theirs) = start_recv(&mut ring);
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(A_MOMENT);
                waker.wake();
            });
            ring.wait(Mode::Blocking).unwrap();
        });
        assert!(!ring.has_completed(), "{name}");
        theirs.write_all(b"hey").unwrap();
        while !ring.has_completed() {
            ring.wait(Mode::Blocking).unwrap();
        }
        assert_eq!(ring.completed(), Some((0, recv)), "{name}");
    }
}

#[test]
#[cfg_attr(target_os = "wasi", ignore = "a wake takes no call")]
fn a_wake_and_the_wait_for_it_take_a_call_each() {
    const WAITS: u64 = 100;
    for (name, mut ring) in rings() {
        let waker = ring.waker().unwrap();
        collect(&mut ring);
        let before = ring.traffic();
        for _ in 0..WAITS {
            waker.wake();
            ring.wait(Mode::Blocking).unwrap();
        }
        // They take the wake off what tells them of it.
        let own = u64::from(matches!(name, "poll" | "kqueue"));
        let after = ring.traffic();
        assert_eq!(after.calls - before.calls, WAITS * (1 + own), "{name}");
        assert_eq!(after.submitted, before.submitted, "{name}");
    }
}

#[cfg(not(unix))]
#[test]
#[ignore = "no loop of another library can wait for a ring here"]
fn what_foreign_loops_are_told() {}
