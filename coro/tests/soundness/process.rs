//! Forks: what the child can do, and that the parent goes on.

use std::cell::Cell;
use std::time::Duration;

use corio::aio::op::{self, Operation};
use corio::aio::{self, Cause};
use corio::io;

use crate::scene::{cause, pair, succeeds_alone, write};

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
