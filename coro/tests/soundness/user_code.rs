//! Code of the user that runs in the middle of a call: destructors of results and payloads.
//! Whatever it does, no frame is left that the kernel or a task still uses.

use std::cell::Cell;
use std::time::Duration;

use corio::aio::op;
use corio::io;

use crate::scene::{OnDrop, pair, succeeds_alone, write};

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
