//! Code of the user that runs in the middle of a call: destructors of results and payloads, and
//! `as_fd`. Whatever it does, no frame is left that the kernel or a task still uses.

use std::cell::Cell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use corio::aio::Closing;
use corio::aio::op::{self, Operation};
use corio::io;

use crate::scene::{OnDrop, left_in, pair, succeeds_alone, unwind, write};

/// A result that completes an operation when it is dropped.
fn waits_on_drop() -> OnDrop<impl FnMut()> {
    OnDrop(|| io::single(op::timeout(Duration::from_micros(10))).expect("a timeout"))
}

#[test]
fn a_result_that_waits_when_it_is_dropped_leaves_others_alone() {
    succeeds_alone("user_code::a_result_that_waits_when_it_is_dropped_leaves_others_alone", || {
        let ((ours, theirs), mut buf) = (pair(), [0; 8]);
        corio::scope(|s| {
            s.spawn(|| {
                corio::yield_now();
                waits_on_drop()
            })
            .detach();
            s.spawn(|| {
                io::single(op::timeout(Duration::from_millis(5))).unwrap();
                write(&theirs, b"here");
            })
            .detach();
            assert_eq!(io::single(op::recv(&ours, &mut buf)), Ok(4));
        })
        .unwrap();
        assert_eq!(&buf[..4], b"here");
    });
}

#[test]
fn a_result_that_yields_when_it_is_dropped_disturbs_no_turn() {
    succeeds_alone("user_code::a_result_that_yields_when_it_is_dropped_disturbs_no_turn", || {
        let ended = Cell::new(0);
        corio::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    corio::yield_now();
                    ended.set(ended.get() + 1);
                    OnDrop(corio::yield_now)
                })
                .detach();
            }
        })
        .unwrap();
        assert_eq!(ended.get(), 3);
    });
}

#[test]
fn a_result_that_waits_when_its_scope_drops_it_works_in_a_task_and_outside() {
    corio::scope(|s| {
        std::mem::forget(s.spawn(waits_on_drop));
        let inside = s.spawn(|| corio::scope(|s| std::mem::forget(s.spawn(waits_on_drop))));
        inside.join().unwrap().unwrap();
    })
    .unwrap();
}

#[test]
fn a_park_in_the_destructor_of_a_result_is_ended_by_its_wakeup_only() {
    let woken = Cell::new(None);
    corio::scope(|s| {
        let task = s.spawn(|| {
            corio::scope(|s| {
                let woken = &woken;
                let result = s.spawn(move || {
                    corio::yield_now();
                    OnDrop(move || {
                        s.spawn(corio::yield_now).detach();
                        woken.set(Some(corio::park(9)));
                    })
                });
                std::mem::forget(result);
            })
        });
        for _ in 0..10 {
            corio::yield_now();
        }
        assert_eq!((woken.get(), task.state()), (None, Some(9)));
        assert!(task.wakeup_if(9));
        task.join().unwrap().unwrap();
        assert_eq!(woken.get(), Some(Ok(())));
    })
    .unwrap();
}

/// A socket whose descriptor can't be had without `before`.
struct Slow<'a, F: Fn()> {
    socket: &'a UnixStream,
    before: F,
}

impl<F: Fn()> AsFd for Slow<'_, F> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        (self.before)();
        self.socket.as_fd()
    }
}

#[test]
fn a_descriptor_that_completes_an_operation_when_it_is_asked_for_works() {
    succeeds_alone(
        "user_code::a_descriptor_that_completes_an_operation_when_it_is_asked_for_works",
        || {
            let (ours, theirs) = pair();
            write(&theirs, b"here");
            corio::scope(|s| {
                let slow = Slow { socket: &ours, before: || io::single(op::nop()).unwrap() };
                let task = s.spawn(move || io::single(op::recv(&slow, vec![0; 8])));
                assert_eq!(task.join().unwrap(), Ok(4));
            })
            .unwrap();
        },
    );
}

/// A socket that completes an operation when it is given up.
struct Ceremonious(UnixStream);

impl AsFd for Ceremonious {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<Ceremonious> for OwnedFd {
    fn from(socket: Ceremonious) -> OwnedFd {
        corio::yield_now();
        io::single(op::timeout(Duration::from_micros(1))).expect("a timeout");
        socket.0.into()
    }
}

#[test]
fn a_handle_that_waits_when_it_is_given_up_disturbs_nobody() {
    corio::scope(|s| {
        let close = || {
            let (ours, theirs) = pair();
            let closing = Closing::new(Ceremonious(ours));
            let sent = io::multi((op::send(&closing, b"bye").soft(), op::close(&closing)));
            io::single(op::close(Ceremonious(theirs))).and(sent)
        };
        s.spawn(|| (0..100).for_each(|_| corio::yield_now())).detach();
        let tasks = [s.spawn(close), s.spawn(close)];
        assert_eq!(close(), Ok((3, ())));
        assert_eq!(tasks.map(|task| task.join().unwrap()), [Ok((3, ())); 2]);
    })
    .unwrap();
}

#[test]
fn a_descriptor_that_yields_when_it_is_asked_for_lets_no_scope_end_too_early() {
    succeeds_alone(
        "user_code::a_descriptor_that_yields_when_it_is_asked_for_lets_no_scope_end_too_early",
        || {
            let ((ours, theirs), (silent, _other)) = (pair(), pair());
            let is_open = Cell::new(false);
            corio::scope(|s| {
                let scoped = s.spawn(|| {
                    is_open.set(true);
                    let _closed = OnDrop(|| is_open.set(false));
                    corio::scope(|s| -> () {
                        s.spawn(|| {
                            assert!(io::single(op::recv(&silent, vec![0; 8])).is_err());
                            assert!(is_open.get(), "the scope has ended before its task");
                        })
                        .detach();
                        corio::yield_now();
                        unwind("on purpose")
                    })
                });
                let slow = Slow { socket: &ours, before: corio::yield_now };
                write(&theirs, b"here");
                let received = s.spawn(move || io::single(op::recv(&slow, vec![0; 8])));
                assert!(scoped.join().is_err());
                assert_eq!(received.join().unwrap(), Ok(4));
            })
            .unwrap();
            assert!(left_in(&ours).is_empty());
        },
    );
}
