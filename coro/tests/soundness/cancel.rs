//! A cancel is a request: what has succeeded is reported, what is canceled did not happen.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use corio::aio::op::{self, Any, Events, Link, Operation};
use corio::aio::{self, Cause};
use corio::{Canceled, ResetEvent, io};

use crate::scene::{FOREVER, cause, left_in, pair, write};

const CANCELED: Option<Cause> = Some(Cause::Canceled);

#[test]
fn after_a_cancel_nothing_is_written_into_a_buffer_on_the_stack_of_the_task() {
    let (ours, theirs) = pair();
    corio::scope(|s| {
        let task = s.spawn(|| {
            let mut buf = [7; 64];
            assert_eq!(cause(io::single(op::recv(&ours, &mut buf))), CANCELED);
            write(&theirs, b"too late");
            aio::single(op::poll(&ours, Events::READABLE)).unwrap();
            assert_eq!(buf, [7; 64]);
        });
        task.cancel();
        task.join().unwrap();
    })
    .unwrap();
    assert_eq!(left_in(&ours), b"too late");
}

#[test]
fn what_was_received_before_a_cancel_is_reported() {
    let (ours, theirs) = pair();
    corio::scope(|s| {
        let task = s.spawn(|| {
            let mut buf = [7; 8];
            let received = io::single(op::recv(&ours, &mut buf));
            (received, buf, io::single(op::nop()))
        });
        let name = task.task();
        s.spawn(move || {
            corio::yield_now(); // the receive is in flight now
            write(&theirs, b"here");
            corio::yield_now(); // it is complete now, and the task is to run after this one
            assert!(!name.is_complete());
            name.cancel();
        })
        .detach();
        let (received, buf, next) = task.join().unwrap();
        assert_eq!((received, &buf), (Ok(4), b"here\x07\x07\x07\x07"));
        assert_eq!(cause(next), CANCELED);
    })
    .unwrap();
}

/// Cancels a task that is in `batch`; yields what it got, and how long that took.
fn canceled<R>(batch: impl FnOnce() -> R) -> R {
    let start = Instant::now();
    let result = corio::scope(|s| {
        let task = s.spawn(batch);
        s.spawn(|| io::single(op::timeout(Duration::from_millis(1)))).join().unwrap().unwrap();
        task.cancel();
        task.join().unwrap()
    });
    assert!(start.elapsed() < Duration::from_secs(5), "a cancel is prompt");
    result.unwrap()
}

#[test]
fn a_canceled_soft_chain_says_of_each_operation_what_happened() {
    let ((a, b), mut buf) = (pair(), [7; 8]);
    let (sent, received, answered) = canceled(|| {
        let chain = (op::send(&a, b"1").soft(), op::recv(&a, &mut buf).soft(), op::send(&a, b"2"));
        io::complete(chain).unwrap()
    });
    assert_eq!((sent, cause(received), cause(answered)), (Ok(1), CANCELED, CANCELED));
    assert_eq!((left_in(&b).as_slice(), buf), (b"1".as_slice(), [7; 8]));
}

#[test]
fn a_canceled_hard_chain_ends_promptly_though_its_end_had_not_started() {
    let ((a, _b), mut buf) = (pair(), [7; 8]);
    let (slept, received) =
        canceled(|| io::complete((op::timeout(FOREVER).hard(), op::recv(&a, &mut buf))).unwrap());
    assert_eq!((cause(slept), cause(received), buf), (CANCELED, CANCELED, [7; 8]));
}

#[test]
fn a_canceled_chain_of_many_hard_links_ends_promptly() {
    let batch: Vec<Any<'_>> = (0..9)
        .map(|index| {
            let link = if index == 8 { Link::None } else { Link::Hard };
            Any::new(op::timeout(FOREVER)).link_by(link)
        })
        .collect();
    let results = canceled(|| io::complete(batch).unwrap());
    assert!(results.into_iter().all(|result| cause(result) == CANCELED));
}

#[test]
fn the_hard_linked_rest_of_a_canceled_chain_has_happened_or_has_not() {
    let ((a, b), mut buf) = (pair(), [7; 8]);
    let (received, sent) =
        canceled(|| io::complete((op::recv(&a, &mut buf).hard(), op::send(&a, b"bye"))).unwrap());
    assert_eq!(cause(received), CANCELED);
    let expected: &[u8] = if sent == Ok(3) { b"bye" } else { b"" };
    assert_eq!(left_in(&b), expected);
    assert!(sent == Ok(3) || cause(sent) == CANCELED);
}

#[test]
fn a_canceled_batch_of_unlinked_operations_keeps_the_successes() {
    let ((a, _b), (c, d)) = (pair(), pair());
    write(&d, b"here");
    let (mut silent, mut loud) = ([0; 8], [0; 8]);
    let results = canceled(|| {
        let (silent, loud) = (op::recv(&a, &mut silent), op::recv(&c, &mut loud));
        io::complete((silent, loud, op::timeout(FOREVER), op::nop())).unwrap()
    });
    assert_eq!((results.1, results.3, &loud[..4]), (Ok(4), Ok(()), b"here".as_slice()));
    assert_eq!((cause(results.0), cause(results.2)), (CANCELED, CANCELED));
}

#[test]
fn a_canceled_operation_with_a_time_limit_says_that_it_was_canceled() {
    let ((a, _b), mut buf) = (pair(), [0; 8]);
    let (received, limit) = canceled(|| {
        io::complete((op::recv(&a, &mut buf).soft(), op::link_timeout(FOREVER))).unwrap()
    });
    assert_eq!(cause(received), CANCELED);
    assert!(limit.is_ok() || cause(limit) == CANCELED);
}

#[test]
fn a_task_that_was_canceled_before_its_first_operation_starts_none() {
    let (a, b) = pair();
    corio::scope(|s| {
        let task = s.spawn(|| {
            corio::yield_now();
            io::complete((op::send(&a, b"no").hard(), op::nop())).unwrap()
        });
        task.cancel();
        let (sent, nop) = task.join().unwrap();
        assert_eq!((cause(sent), cause(nop)), (CANCELED, CANCELED));
    })
    .unwrap();
    assert!(left_in(&b).is_empty());
}

#[test]
fn every_wait_after_a_cancel_answers_canceled_and_the_task_goes_on() {
    let (unset, set) = (ResetEvent::new(), ResetEvent::new());
    set.set();
    corio::scope(|s| {
        let task = s.spawn(|| {
            assert_eq!(corio::park(1), Err(Canceled));
            for _ in 0..3 {
                assert_eq!(corio::park(1), Err(Canceled));
                assert_eq!(unset.wait(), Err(Canceled));
                assert_eq!(set.wait(), Ok(()));
                assert_eq!(cause(io::single(op::timeout(FOREVER))), CANCELED);
                assert_eq!(cause(io::complete(Vec::<op::Nop>::new())), Some(Cause::InvalidBatch));
                corio::yield_now();
                assert_eq!(s.spawn(|| 5).join().unwrap(), 5);
            }
            "the end"
        });
        task.cancel();
        task.cancel();
        assert_eq!(task.join().unwrap(), "the end");
    })
    .unwrap();
}

#[test]
fn a_task_can_cancel_itself() {
    corio::scope(|s| {
        let task = s.spawn(|| {
            corio::current().unwrap().cancel();
            corio::park(0)
        });
        assert_eq!(task.join().unwrap(), Err(Canceled));
    })
    .unwrap();
}

#[test]
fn a_cancel_reaches_the_task_that_is_joined_and_the_join_yields_the_true_result() {
    let (a, _b) = pair();
    corio::scope(|s| {
        let outer = s.spawn(|| {
            let inner = s.spawn(|| cause(io::single(op::recv(&a, vec![0; 8]))));
            (inner.join().unwrap(), corio::park(0))
        });
        outer.cancel();
        assert_eq!(outer.join().unwrap(), (CANCELED, Err(Canceled)));
    })
    .unwrap();
}

#[test]
fn a_join_that_begins_after_the_cancel_passes_it_on() {
    corio::scope(|s| {
        let outer = s.spawn(|| {
            let inner = s.spawn(|| corio::park(0));
            corio::yield_now();
            inner.join().unwrap()
        });
        outer.cancel();
        assert_eq!(outer.join().unwrap(), Err(Canceled));
    })
    .unwrap();
}

#[test]
fn a_cancel_reaches_the_tasks_of_a_scope_that_is_waited_for() {
    let results = RefCell::new(Vec::new());
    corio::scope(|s| {
        let outer = s.spawn(|| {
            corio::scope(|s| {
                for _ in 0..3 {
                    s.spawn(|| {
                        let parked = corio::park(0);
                        results.borrow_mut().push(parked);
                    })
                    .detach();
                }
            })
        });
        outer.cancel();
        outer.join().unwrap().unwrap();
    })
    .unwrap();
    assert_eq!(*results.borrow(), [Err(Canceled); 3]);
}

#[test]
fn a_scope_cancels_its_newest_task_first() {
    let order = RefCell::new(Vec::new());
    let order = &order;
    corio::scope(|s| {
        for number in 0..5 {
            s.spawn(move || {
                corio::park(0).unwrap_err();
                order.borrow_mut().push(number);
            })
            .detach();
        }
        s.cancel();
    })
    .unwrap();
    assert_eq!(*order.borrow(), [4, 3, 2, 1, 0]);
}
