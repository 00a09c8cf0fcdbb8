//! Scopes that fail as a whole.

use std::cell::RefCell;
use std::io::ErrorKind;

use corio::aio::op;
use corio::{Canceled, JoinError, io, try_scope};

use super::{FOREVER, SOON, in_a_task, is_canceled, on_each_backend, panic_of, unwind};

/// Waits until it is canceled; fails then.
fn waits() -> Result<(), &'static str> {
    corio::park(1).map_err(|Canceled| "canceled")
}

fn fails() -> Result<(), &'static str> {
    io::single(op::timeout(SOON)).map_err(|_| "stopped")?;
    Err("failed")
}

#[test]
fn the_first_error_stops_the_others_and_is_the_scopes() {
    let runs = || {
        let results = RefCell::new(Vec::new());
        let failed = try_scope(|s| {
            for _ in 0..3 {
                s.spawn(|| waits().inspect_err(|error| results.borrow_mut().push(*error))).detach();
            }
            s.spawn(fails).detach();
            Ok(())
        });
        assert_eq!(failed.unwrap(), Err("failed"));
        assert_eq!(*results.borrow(), ["canceled"; 3]);
    };
    runs();
    on_each_backend(|_| runs());
    in_a_task(runs);
}

#[test]
fn the_closure_in_a_task_is_stopped_too_and_only_as_long_as_it_is_in_the_scope() {
    in_a_task(|| {
        let mut inside = None;
        let failed: Result<(), _> = try_scope(|s| {
            s.spawn(fails).detach();
            inside = Some((waits(), is_canceled(&io::single(op::timeout(FOREVER)))));
            Ok(())
        })
        .unwrap();
        assert_eq!((failed, inside), (Err("failed"), Some((Err("canceled"), true))));
        assert_eq!(io::single(op::timeout(SOON)), Ok(()));
    });
}

#[test]
fn a_scope_of_which_nothing_fails_yields_what_its_closure_does() {
    in_a_task(|| {
        let result = try_scope(|s| {
            let (a, b) = (s.spawn(|| Ok(1)), s.spawn(|| Ok::<i32, JoinError>(2)));
            Ok(a.join()?.unwrap() + b.join()?.unwrap())
        });
        assert_eq!(result.unwrap().unwrap(), 3);
    });
}

#[test]
fn an_error_of_the_closure_stops_the_tasks() {
    in_a_task(|| {
        let failed: Result<(), _> = try_scope(|s| {
            s.spawn(waits).detach();
            Err("the closure")
        })
        .unwrap();
        assert_eq!(failed, Err("the closure"));
    });
}

#[test]
fn who_joins_a_task_that_failed_learns_so_and_the_scope_keeps_the_error() {
    in_a_task(|| {
        let failed: Result<(), _> = try_scope(|s| {
            assert_eq!(s.spawn(|| Err::<i32, _>("first")).join().unwrap(), Err(Canceled));
            Err("second")
        })
        .unwrap();
        assert_eq!(failed, Err("first"));
    });
}

#[test]
fn what_is_spawned_into_a_scope_that_has_failed_is_stopped_before_it_begins() {
    in_a_task(|| {
        let failed: Result<(), _> = try_scope(|s| {
            let other = s.clone();
            s.spawn(move || {
                waits().unwrap_err();
                assert_eq!(other.spawn(|| Ok(waits())).join().unwrap(), Ok(Err("canceled")));
                Ok(())
            })
            .detach();
            s.spawn(fails).detach();
            Ok(())
        })
        .unwrap();
        assert_eq!(failed, Err("failed"));
    });
}

#[test]
fn a_panic_stops_the_scope_and_comes_out_of_it() {
    in_a_task(|| {
        let results = RefCell::new(Vec::new());
        let text = panic_of(|| {
            try_scope(|s| {
                s.spawn(|| waits().inspect_err(|error| results.borrow_mut().push(*error))).detach();
                s.spawn(|| -> Result<(), _> { unwind("a task") }).detach();
                Ok(())
            })
        });
        assert_eq!((text, results.take()), ("a task", vec!["canceled"]));
        let closure = panic_of(|| try_scope(|_| -> Result<(), ()> { unwind("the closure") }));
        assert_eq!(closure, "the closure");
    });
}

#[test]
fn a_panic_that_was_joined_is_the_closures_affair() {
    in_a_task(|| {
        let result = try_scope(|s| {
            let joined = s.spawn(|| -> Result<(), JoinError> { unwind("a task") }).join();
            Err::<(), _>(joined.unwrap_err())
        });
        assert!(matches!(result, Ok(Err(JoinError::Panicked(_)))));
    });
}

#[test]
fn the_failure_of_an_inner_scope_leaves_the_outer_one_alone() {
    in_a_task(|| {
        let outer = try_scope(|s| {
            let sibling = s.spawn(|| io::single(op::timeout(SOON * 3)).map_err(|_| "stopped"));
            let inner = try_scope(|s| {
                s.spawn(fails).detach();
                waits()
            });
            assert_eq!(inner.unwrap(), Err("failed"));
            Ok(sibling.join().unwrap())
        });
        assert_eq!(outer.unwrap(), Ok(Ok(())));
    });
}

#[test]
fn tasks_that_are_forgotten_fail_and_end_all_the_same() {
    in_a_task(|| {
        let failed: Result<(), _> = try_scope(|s| {
            std::mem::forget(s.spawn(waits));
            std::mem::forget(s.spawn(fails));
            std::mem::forget(s);
            Ok(())
        })
        .unwrap();
        assert_eq!(failed, Err("failed"));
    });
}

#[test]
fn tasks_of_a_scope_that_wait_for_each_other_are_a_deadlock_as_ever() {
    let report = try_scope(|s| {
        s.spawn(waits).detach();
        Ok(())
    });
    assert_eq!(report.unwrap_err().kind(), ErrorKind::Deadlock);
}
