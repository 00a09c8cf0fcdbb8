//! While the thread unwinds no task is suspended: what would suspend one blocks, or answers.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use corio::aio::Mode;
use corio::aio::op::{self, Operation};
use corio::{Canceled, JoinError, Options, ResetEvent, Scheduler, io};

use crate::scene::{OnDrop, pair, unwind, write};

/// Runs `check` while a task unwinds, and once more while the closure of a scope does.
fn while_unwinding(check: impl Fn()) {
    let checked = Cell::new(0);
    let guarded = || -> () {
        let _guard = OnDrop(|| {
            check();
            checked.set(checked.get() + 1);
        });
        unwind("on purpose")
    };
    corio::scope(|s| {
        let task = s.spawn(guarded);
        assert!(matches!(task.join(), Err(JoinError::Panicked(_))));
        let task = s.spawn(|| {
            corio::yield_now();
            guarded();
        });
        assert!(matches!(task.join(), Err(JoinError::Panicked(_))));
    })
    .unwrap();
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| corio::scope(|_| guarded())))
        .expect_err("it unwinds");
    assert_eq!(checked.get(), 3);
}

#[test]
fn an_operation_blocks_and_lets_no_other_task_run() {
    let (a, b) = pair();
    let turns = Cell::new(0);
    corio::scope(|s| {
        let other = s.spawn(|| {
            while corio::park(0).is_ok() {
                turns.set(turns.get() + 1);
            }
        });
        let name = other.task();
        let (a, b, turns) = (&a, &b, &turns);
        let task = s.spawn(move || {
            let _guard = OnDrop(|| {
                name.wakeup();
                let mut buf = [0; 8];
                io::single(op::timeout(Duration::from_millis(2))).unwrap();
                let moved = io::multi((op::send(a, b"bye").soft(), op::recv(b, &mut buf)));
                assert_eq!((moved, &buf[..3]), (Ok((3, 3)), b"bye".as_slice()));
                assert_eq!(turns.get(), 0);
            });
            unwind("on purpose")
        });
        assert!(matches!(task.join(), Err(JoinError::Panicked(_))));
        corio::yield_now();
        assert_eq!(turns.get(), 1);
        other.cancel();
    })
    .unwrap();
}

#[test]
fn yield_now_lets_nobody_run() {
    let turns = Cell::new(0);
    corio::scope(|s| {
        let task = s.spawn(|| {
            s.spawn(|| {
                corio::yield_now();
                turns.set(1);
            })
            .detach();
            let _guard = OnDrop(|| {
                (0..10).for_each(|_| corio::yield_now());
                assert_eq!(turns.get(), 0);
            });
            unwind("on purpose")
        });
        assert!(task.join().is_err());
    })
    .unwrap();
    assert_eq!(turns.get(), 1);
}

#[test]
fn what_would_suspend_answers_that_it_can_not() {
    let (set, unset) = (ResetEvent::new(), ResetEvent::new());
    set.set();
    while_unwinding(|| {
        assert_eq!(corio::park(0), Err(Canceled));
        assert_eq!((set.wait(), unset.wait()), (Ok(()), Err(Canceled)));
        corio::yield_now();
    });
}

#[test]
fn a_spawned_task_runs_to_its_end_at_once() {
    let (a, b) = pair();
    while_unwinding(|| {
        let spawned = corio::spawn(move || {
            io::single(op::timeout(Duration::from_micros(1))).unwrap();
            corio::yield_now();
            corio::park(0)
        });
        let spawned = spawned.unwrap();
        assert!(spawned.is_complete());
        assert_eq!(spawned.join().unwrap(), Err(Canceled));
        let panicked = corio::spawn(|| unwind("one more")).unwrap();
        assert!(matches!(panicked.join(), Err(JoinError::Panicked(_))));
    });
    drop((a, b));
}

#[test]
fn a_scope_and_a_run_work() {
    let (a, b) = pair();
    while_unwinding(|| {
        let received = corio::scope(|s| {
            s.spawn(|| write(&b, b"hello")).detach();
            s.spawn(|| io::single(op::recv(&a, vec![0; 8]))).join().unwrap()
        });
        assert_eq!(received.unwrap(), Ok(5));
        assert_eq!(corio::run(|| 2 + 2).unwrap(), 4);
    });
}

#[test]
fn a_join_of_a_task_that_has_not_ended_says_unreachable_and_the_scope_waits_for_it() {
    let ended = Cell::new(0);
    corio::scope(|s| {
        let task = s.spawn(|| {
            let other = RefCell::new(Some(s.spawn(|| {
                corio::yield_now();
                ended.set(ended.get() + 1);
            })));
            let _guard = OnDrop(|| {
                let joined = other.take().unwrap().join();
                assert!(matches!(joined, Err(JoinError::Unreachable)));
            });
            unwind("on purpose")
        });
        assert!(matches!(task.join(), Err(JoinError::Panicked(_))));
    })
    .unwrap();
    assert_eq!(ended.get(), 1);
}

#[test]
fn a_tick_is_refused() {
    let unwound = std::panic::catch_unwind(|| {
        Scheduler::with(Options::default(), |scheduler| {
            let _guard = OnDrop(move || {
                scheduler.tick(Mode::NonBlocking).unwrap_err();
            });
            unwind("on purpose")
        })
    });
    assert!(unwound.is_err());
}
