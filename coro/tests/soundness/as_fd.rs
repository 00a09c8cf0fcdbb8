//! Code of the user that runs where a descriptor is asked for: `as_fd`, and the conversion that
//! gives one up. Only Unixes have operations ask for one in that way.

use std::cell::{Cell, RefCell};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use corio::aio::Closing;
use corio::aio::op::{self, Operation};
use corio::{TaskInfo, io};

use crate::scene::{OnDrop, left_in, pair, succeeds_alone, unwind, write};

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
        "as_fd::a_descriptor_that_completes_an_operation_when_it_is_asked_for_works",
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
        "as_fd::a_descriptor_that_yields_when_it_is_asked_for_lets_no_scope_end_too_early",
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

/// Looks at the tasks where operations are being started.
struct Looks<'a>(&'a UnixStream, &'a RefCell<Vec<TaskInfo>>);

impl AsFd for Looks<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        *self.1.borrow_mut() = corio::tasks();
        self.0.as_fd()
    }
}

#[test]
fn code_that_runs_while_operations_are_started_may_look_at_the_tasks() {
    let ((ours, theirs), seen) = (pair(), RefCell::default());
    corio::scope(|s| {
        let waiting = s.spawn(|| io::single(op::recv(&theirs, &mut [0; 8])).unwrap());
        io::single(op::send(Looks(&ours, &seen), b"here")).unwrap();
        assert_eq!(seen.borrow()[0].task, waiting.task());
        assert_eq!(waiting.join().unwrap(), 4);
    })
    .unwrap();
}
