//! The steady state allocates nothing: operations, timeouts and tasks on stacks that were used
//! before.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]
#![expect(unsafe_code, reason = "counts what the allocator does")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use corio::aio::op::{self, Operation};
use corio::{Scope, io};

mod system;

use system::{Stream, pair};

/// Counts the allocations of each thread, so that the harness's own are left out.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count() {
    COUNT.set(COUNT.get() + 1);
}

// SAFETY: the system's allocator does the work; counting changes nothing of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(start, layout) }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(start, layout, size) }
    }
}

const ROUNDS: usize = 20_000;

/// How many allocations the work takes, once it has been done before.
fn allocations(work: impl Fn(usize)) -> usize {
    work(ROUNDS / 10);
    let before = COUNT.get();
    work(ROUNDS);
    COUNT.get() - before
}

/// Sends and receives, in one batch, as often as `rounds` says.
fn exchange(socket: &Stream, rounds: usize) {
    // The peer may be a message ahead: there is room for one.
    let mut buf = [0; 9];
    for _ in 0..rounds {
        let batch = (op::send(socket, b"a message").soft(), op::recv(socket, &mut buf));
        assert_eq!(io::multi(batch), Ok((9, 9)));
    }
}

fn round_trips<'scope>(
    s: &'scope Scope<'scope, '_>,
    (client, server): &'scope (Stream, Stream),
    rounds: usize,
) {
    let client = s.spawn(move || exchange(client, rounds));
    let server = s.spawn(move || exchange(server, rounds));
    client.join().unwrap();
    server.join().unwrap();
}

fn timeouts<'scope>(s: &'scope Scope<'scope, '_>, rounds: usize) {
    let task = s.spawn(move || {
        for round in 0..rounds {
            io::single(op::timeout(Duration::from_micros(round as u64 % 2))).unwrap();
        }
    });
    task.join().unwrap();
}

fn limits(rounds: usize) {
    for round in 0..rounds {
        assert_eq!(corio::timeout(Duration::from_secs(3600), || round), Ok(round));
    }
}

fn spawns<'scope>(s: &'scope Scope<'scope, '_>, rounds: usize) {
    for round in 0..rounds {
        let at_once = s.spawn(move || [round; 8]);
        let later = s.spawn(move || {
            corio::yield_now();
            [round; 8]
        });
        assert_eq!(at_once.join().unwrap(), later.join().unwrap());
    }
}

#[test]
fn what_was_done_before_is_done_again_without_an_allocation() {
    let sockets = pair();
    corio::scope(|s| {
        assert_eq!(allocations(|rounds| round_trips(s, &sockets, rounds)), 0, "round trips");
        assert_eq!(allocations(|rounds| timeouts(s, rounds)), 0, "timeouts");
        assert_eq!(s.spawn(|| allocations(limits)).join().unwrap(), 0, "time limits");
        assert_eq!(allocations(|rounds| spawns(s, rounds)), 0, "spawns, from outside of tasks");
        let inside = s.spawn(|| allocations(|rounds| spawns(s, rounds)));
        assert_eq!(inside.join().unwrap(), 0, "spawns, from a task");
    })
    .unwrap();
}
