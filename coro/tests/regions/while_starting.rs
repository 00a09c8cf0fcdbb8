//! Code of the user that runs while operations are started, as `as_fd`: it may cancel, and have
//! limits. Only Unixes have operations ask for a descriptor in that way.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use corio::aio::op::{self, Operation};
use corio::{Expired, TaskRef, io, shield, timeout};

use crate::{FOREVER, SOON, in_a_task, is_canceled, on_each_backend, pair};

#[test]
fn a_cancel_from_code_that_runs_while_operations_are_started_ends_the_wait() {
    struct Cancels<'a>(&'a UnixStream, TaskRef);
    impl AsFd for Cancels<'_> {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.1.cancel();
            self.0.as_fd()
        }
    }
    on_each_backend(|scheduler| {
        let (ours, theirs) = pair();
        let both = || io::race((op::timeout(FOREVER), op::timeout(FOREVER))).unwrap();
        let (one, other) = (scheduler.spawn(|| io::single(op::timeout(FOREVER))), both);
        let (one, other) = (one.unwrap(), scheduler.spawn(other).unwrap());
        for task in [one.task(), other.task()] {
            assert_eq!(io::single(op::send(Cancels(&ours, task), b"here")), Ok(4));
        }
        drop(theirs);
        assert!(is_canceled(&one.join().unwrap()));
        let (a, b) = other.join().unwrap();
        assert!(is_canceled(&a) && is_canceled(&b));
    });
}

#[test]
fn code_that_runs_while_operations_are_started_may_have_a_limit() {
    struct Asks<'a>(&'a UnixStream);
    impl AsFd for Asks<'_> {
        fn as_fd(&self) -> BorrowedFd<'_> {
            assert_eq!(timeout(FOREVER, || shield(|| 5)), Ok(5));
            assert_eq!(timeout(SOON, || io::single(op::timeout(SOON))), Err(Expired(Ok(()))));
            self.0.as_fd()
        }
    }
    let (ours, theirs) = pair();
    let exchange = || {
        let mut buf = [0; 8];
        let batch = (op::send(Asks(&theirs), b"here").soft(), op::recv(Asks(&ours), &mut buf));
        assert_eq!(io::multi(batch), Ok((4, 4)));
    };
    in_a_task(exchange);
    on_each_backend(|_| exchange());
}
