//! A panic stays in its task, and comes out of `join` or of the scope; who shares the thread with
//! it goes on.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use corio::aio::op::{self, Operation};
use corio::{Canceled, JoinError, io};

use crate::scene::{OnDrop, cause, left_in, pair, succeeds_alone, text, unwind, write};

/// What the call panics with.
fn panic_of<R>(call: impl FnOnce() -> R) -> Option<&'static str> {
    catch_unwind(AssertUnwindSafe(call)).err().map(text)
}

#[test]
fn the_panic_of_a_task_arrives_in_its_join() {
    corio::scope(|s| {
        let at_once: JoinError = s.spawn(|| unwind("at once")).join().unwrap_err();
        let later = s.spawn(|| {
            corio::yield_now();
            unwind("later")
        });
        let Err(JoinError::Panicked(later)) = later.join() else { panic!("it panicked") };
        assert_eq!(at_once.to_string(), "the task panicked: at once");
        assert_eq!(text(later), "later");
        let task = s.spawn(|| s.spawn(|| unwind("resumed")).join().unwrap_or_else(|e| e.resume()));
        let Err(JoinError::Panicked(resumed)) = task.join() else { panic!("it panicked") };
        assert_eq!(text(resumed), "resumed");
    })
    .unwrap();
}

#[test]
fn the_panic_of_a_task_that_is_not_joined_comes_out_of_the_scope() {
    let kept = panic_of(|| corio::scope(|s| std::mem::forget(s.spawn(|| unwind("forgotten")))));
    assert_eq!(kept, Some("forgotten"));
    let detached = panic_of(|| {
        corio::scope(|s| {
            s.spawn(|| {
                corio::yield_now();
                unwind("detached")
            })
            .detach();
        })
    });
    assert_eq!(detached, Some("detached"));
    assert_eq!(panic_of(|| corio::run(|| unwind("main"))), Some("main"));
}

#[test]
fn the_panic_of_an_inner_scope_is_one_of_the_task_that_opened_it() {
    corio::scope(|s| {
        let task = s.spawn(|| corio::scope(|s| s.spawn(|| unwind("inner")).detach()));
        let Err(JoinError::Panicked(payload)) = task.join() else { panic!("it panicked") };
        assert_eq!(text(payload), "inner");
    })
    .unwrap();
}

#[test]
fn of_several_panics_one_comes_out_and_all_tasks_end() {
    let ended = Cell::new(0);
    let panic = panic_of(|| {
        corio::scope(|s| {
            for round in 0..20 {
                let ended = &ended;
                let task = s.spawn(move || {
                    (0..round % 3).for_each(|_| corio::yield_now());
                    ended.set(ended.get() + 1);
                    if round % 2 == 0 {
                        unwind("one of many")
                    }
                });
                if round % 4 == 0 { task.detach() } else { std::mem::forget(task) }
            }
        })
    });
    assert_eq!((panic, ended.get()), (Some("one of many"), 20));
}

#[test]
fn the_closures_own_panic_comes_before_those_of_its_tasks() {
    let panic = panic_of(|| {
        corio::scope(|s| -> () {
            s.spawn(|| unwind("task")).detach();
            unwind("closure")
        })
    });
    assert_eq!(panic, Some("closure"));
}

#[test]
fn a_panic_leaves_the_operations_of_other_tasks_alone() {
    let ((a, b), (c, d)) = (pair(), pair());
    corio::scope(|s| {
        let other = s.spawn(|| {
            let mut buf = [0; 8];
            io::multi((op::recv(&a, &mut buf).soft(), op::send(&a, b"answer"))).map(|_| buf)
        });
        let task = s.spawn(|| {
            corio::scope(|s| -> () {
                s.spawn(|| cause(io::single(op::recv(&c, vec![0; 8])))).detach();
                corio::yield_now();
                unwind("with operations in flight")
            })
        });
        assert!(matches!(task.join(), Err(JoinError::Panicked(_))));
        write(&d, b"nobody listens");
        write(&b, b"go on");
        assert_eq!(&other.join().unwrap().unwrap()[..5], b"go on");
    })
    .unwrap();
    assert_eq!(left_in(&b), b"answer");
    assert_eq!(left_in(&c), b"nobody listens");
}

#[test]
fn a_scope_that_ends_by_panic_cancels_its_newest_task_first_and_waits() {
    let (ours, theirs) = pair();
    let (mut buf, order) = ([7; 64], RefCell::new(Vec::new()));
    let panic = panic_of(|| {
        corio::scope(|s| {
            let order = &order;
            for number in 0..4 {
                s.spawn(move || {
                    assert_eq!(corio::park(0), Err(Canceled));
                    order.borrow_mut().push(number);
                    corio::yield_now();
                })
                .detach();
            }
            s.spawn(|| io::single(op::recv(&ours, &mut buf))).detach();
            if order.borrow().is_empty() {
                unwind("a scope's end")
            }
        })
    });
    write(&theirs, b"nobody listens");
    assert_eq!(left_in(&ours), b"nobody listens");
    assert_eq!((panic, buf), (Some("a scope's end"), [7; 64]));
    assert_eq!(*order.borrow(), [3, 2, 1, 0]);
}

#[test]
fn a_panic_while_a_task_is_spawned_does_not_stop_the_spawner() {
    corio::scope(|s| {
        let outer = s.spawn(|| {
            let inner = s.spawn(|| unwind("at once"));
            assert!(!thread::panicking());
            io::single(op::timeout(Duration::from_micros(1))).unwrap();
            inner.join().is_err()
        });
        assert!(outer.join().unwrap());
    })
    .unwrap();
}

#[test]
fn a_task_may_catch_its_panic_and_wait_on() {
    corio::scope(|s| {
        let task = s.spawn(|| {
            let caught = panic_of(|| unwind("caught"));
            io::single(op::timeout(Duration::from_micros(1))).unwrap();
            corio::yield_now();
            caught
        });
        assert_eq!(task.join().unwrap(), Some("caught"));
    })
    .unwrap();
}

/// Panics when it is dropped.
fn bomb(text: &'static str) -> OnDrop<impl FnMut()> {
    OnDrop(move || unwind(text))
}

#[test]
fn the_panic_of_a_result_that_is_dropped_comes_out_of_the_scope() {
    let kept = panic_of(|| corio::scope(|s| std::mem::forget(s.spawn(|| bomb("kept")))));
    assert_eq!(kept, Some("kept"));
    let detached = panic_of(|| {
        corio::scope(|s| {
            s.spawn(|| {
                corio::yield_now();
                bomb("detached")
            })
            .detach();
        })
    });
    assert_eq!(detached, Some("detached"));
    let joined = panic_of(|| corio::scope(|s| drop(s.spawn(|| bomb("joined")).join())));
    assert_eq!(joined, Some("joined"));
}

#[test]
fn payloads_that_spawn_when_they_are_dropped_are_survived() {
    succeeds_alone("panics::payloads_that_spawn_when_they_are_dropped_are_survived", || {
        let spawn_on_drop = || OnDrop(|| drop(corio::spawn(|| ())));
        let panic = catch_unwind(|| {
            corio::scope(|s| {
                for _ in 0..3 {
                    s.spawn(|| {
                        corio::yield_now();
                        std::panic::resume_unwind(Box::new(spawn_on_drop()))
                    })
                    .detach();
                }
            })
        });
        assert!(panic.is_err());
    });
}
