//! What needs a process of its own: forks and stacks that overflow.

use std::cell::Cell;
use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

use corio::aio::op::{self, Operation};
use corio::aio::{self, Cause};
use corio::io;

use crate::scene::{alone, cause, pair, succeeds_alone, write};

/// Forks; in the child `check` runs, and its success is the exit code. Yields that code.
fn in_a_child(check: impl FnOnce() -> bool) -> i32 {
    // SAFETY: the child uses memory, rings that refuse it, and `_exit`.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let is_right = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check));
        let code = if matches!(is_right, Ok(true)) { 0 } else { 1 };
        // SAFETY: the call ends the process.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: the call writes to `status` only.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(waited, child);
    status
}

#[test]
fn a_forked_child_is_refused_the_scheduler_and_the_parent_goes_on() {
    succeeds_alone(
        "process::a_forked_child_is_refused_the_scheduler_and_the_parent_goes_on",
        || {
            let ((a, b), mut buf) = (pair(), [7; 8]);
            corio::scope(|s| {
                let receiving = s.spawn(|| io::single(op::recv(&a, &mut buf)));
                let task = s.spawn(|| {
                    io::single(op::timeout(Duration::from_micros(1))).unwrap();
                    let status = in_a_child(|| {
                        cause(io::single(op::nop())) == Some(Cause::Forked)
                            && cause(io::single(op::send(&b, b"child"))) == Some(Cause::Forked)
                            && aio::single(op::nop()) == Ok(())
                            && corio::run(|| io::single(op::nop())).unwrap() == Ok(())
                            && s.spawn(|| 5).join().unwrap() == 5
                    });
                    assert_eq!(status, 0, "what the child found");
                    io::multi((op::nop().soft(), op::timeout(Duration::from_micros(1)))).unwrap();
                    write(&b, b"parent");
                });
                task.join().unwrap();
                assert_eq!(receiving.join().unwrap(), Ok(6));
            })
            .unwrap();
            assert_eq!(&buf[..6], b"parent");
        },
    );
}

#[test]
fn in_a_forked_child_what_was_in_flight_answers_that_it_was_forked() {
    succeeds_alone(
        "process::in_a_forked_child_what_was_in_flight_answers_that_it_was_forked",
        || {
            let (a, b) = pair();
            let found = Cell::new(None);
            corio::scope(|s| {
                let receiving = s.spawn(|| {
                    let received = io::single(op::recv(&a, vec![0; 8]));
                    found.set(Some(received));
                });
                s.spawn(|| {
                    io::single(op::timeout(Duration::from_micros(1))).unwrap();
                    let status = in_a_child(|| {
                        while found.get().is_none() {
                            corio::yield_now();
                        }
                        cause(found.get().unwrap()) == Some(Cause::Forked)
                    });
                    assert_eq!(status, 0, "what the child found");
                    write(&b, b"parent");
                })
                .detach();
                receiving.join().unwrap();
            })
            .unwrap();
            assert_eq!(found.get(), Some(Ok(6)));
        },
    );
}

/// Takes more and more of the stack.
fn overflow(depth: usize) -> usize {
    let frame = black_box([depth; 64]);
    if depth == usize::MAX { 0 } else { overflow(depth + 1) + frame[depth % 64] }
}

/// Takes a frame that is larger than a guard page, and than all stacks around.
fn overflow_at_once() -> u8 {
    black_box([7_u8; 512 * 1024])[black_box(5)]
}

#[test]
fn a_stack_that_overflows_ends_the_process() {
    let Some(outcome) = alone("process::a_stack_that_overflows_ends_the_process") else {
        corio::run(|| overflow(0)).expect("no return");
        return;
    };
    let signal = outcome.status.signal();
    assert!(matches!(signal, Some(libc::SIGSEGV | libc::SIGABRT)), "{outcome:?}");
}

#[test]
fn a_stack_that_overflows_by_one_large_frame_ends_the_process() {
    let name = "process::a_stack_that_overflows_by_one_large_frame_ends_the_process";
    let Some(outcome) = alone(name) else {
        corio::run(overflow_at_once).expect("no return");
        return;
    };
    let signal = outcome.status.signal();
    assert!(matches!(signal, Some(libc::SIGSEGV | libc::SIGABRT)), "{outcome:?}");
}

/// Where the neighbours of a stack that overflows keep their bytes.
static NEIGHBOURS: [AtomicPtr<u8>; 4] = [const { AtomicPtr::new(std::ptr::null_mut()) }; 4];
const KEPT: usize = 4096;
const UNTOUCHED: i32 = 77;

/// Looks, after an overflow, at the bytes of the neighbours.
extern "C" fn look(_signal: libc::c_int) {
    let is_untouched = NEIGHBOURS.iter().all(|start| {
        let start = start.load(Ordering::Relaxed);
        // SAFETY: the task that keeps the bytes is parked, and will not go on.
        let bytes = unsafe { std::slice::from_raw_parts(start, KEPT) };
        bytes.iter().all(|byte| *byte == 7)
    });
    // SAFETY: the call ends the process.
    unsafe { libc::_exit(if is_untouched { UNTOUCHED } else { 1 }) };
}

#[test]
fn a_stack_that_overflows_leaves_its_neighbours_alone() {
    let name = "process::a_stack_that_overflows_leaves_its_neighbours_alone";
    if let Some(outcome) = alone(name) {
        assert_eq!(outcome.status.code(), Some(UNTOUCHED), "{outcome:?}");
        return;
    }
    // SAFETY: all zeros is a handler without flags and without a mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = look as *const () as usize;
    action.sa_flags = libc::SA_ONSTACK;
    // SAFETY: the handler reads memory that stays, and ends the process.
    unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, std::ptr::null_mut()) };
    let ended = corio::scope(|s| {
        let keep = |place: &'static AtomicPtr<u8>| {
            let task = s.spawn(move || {
                let mut kept = black_box([7_u8; KEPT]);
                place.store(kept.as_mut_ptr(), Ordering::Relaxed);
                let _ = corio::park(0);
                black_box(kept)[0]
            });
            std::mem::forget(task);
        };
        NEIGHBOURS[..2].iter().for_each(keep);
        let between = s.spawn(|| {
            corio::yield_now();
            overflow(0)
        });
        NEIGHBOURS[2..].iter().for_each(keep);
        between.join().is_ok()
    });
    panic!("an overflow ends the process: {ended:?}");
}
