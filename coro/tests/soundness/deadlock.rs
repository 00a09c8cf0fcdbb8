//! Tasks that wait for each other, with nothing in flight, end with a report instead of a hang.

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;

use corio::aio::{Mode, op};
use corio::{Canceled, JoinError, Options, ResetEvent, Scheduler, Scope, Task, io};

use crate::scene::{pair, succeeds_alone};

#[test]
fn parked_tasks_are_asked_to_stop_and_the_error_says_where_they_were_spawned() {
    let results = RefCell::new(Vec::new());
    let push = |result| results.borrow_mut().push(result);
    let event = ResetEvent::new();
    let line = line!() + 2;
    let error = corio::scope(|s| {
        s.spawn(|| push(corio::park(77))).detach();
        s.spawn(|| push(event.wait())).detach();
    });
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Deadlock);
    let text = error.to_string();
    for place in [format!("deadlock.rs:{line}:"), format!("deadlock.rs:{}:", line + 1)] {
        assert!(text.contains(&place), "{place} is not in: {text}");
    }
    assert!(text.contains("parked with state 77"), "{text}");
    assert_eq!(*results.borrow(), [Err(Canceled); 2]);
}

#[test]
fn a_run_whose_main_task_is_parked_is_one() {
    let error = corio::run(|| corio::park(0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Deadlock);
}

#[test]
fn an_inner_scope_whose_task_is_parked_is_one() {
    let error = corio::scope(|s| {
        s.spawn(|| corio::scope(|s| s.spawn(|| corio::park(0)).detach())).detach();
    });
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Deadlock);
}

#[test]
fn a_join_from_outside_of_a_parked_task_is_one_and_yields_the_true_result() {
    let mut joined = None;
    let error = corio::scope(|s| joined = s.spawn(|| corio::park(0)).join().ok());
    assert_eq!((error.unwrap_err().kind(), joined), (ErrorKind::Deadlock, Some(Err(Canceled))));
}

#[test]
fn a_tick_answers_it_and_the_tasks_can_be_helped() {
    Scheduler::with(Options::default(), |scheduler| {
        let task = scheduler.spawn(|| corio::park(0)).unwrap();
        for _ in 0..3 {
            assert_eq!(scheduler.tick(Mode::Blocking).unwrap_err().kind(), ErrorKind::Deadlock);
        }
        assert_eq!(scheduler.run().unwrap_err().kind(), ErrorKind::Deadlock);
        scheduler.tick(Mode::NonBlocking).unwrap();
        assert!(task.wakeup());
        assert_eq!(task.join().unwrap(), Ok(()));
    })
    .unwrap();
}

#[test]
fn what_is_in_flight_is_waited_for() {
    let (a, b) = pair();
    corio::scope(|s| {
        let parked = s.spawn(|| corio::park(0));
        s.spawn(move || {
            io::single(op::timeout(std::time::Duration::from_millis(1))).unwrap();
            parked.wakeup();
            parked.join().unwrap().unwrap();
        })
        .detach();
    })
    .unwrap();
    drop((a, b));
}

#[test]
fn a_task_can_not_run_the_scheduler_that_runs_it() {
    Scheduler::with(Options::default(), |scheduler| {
        let task = scheduler.spawn(move || {
            assert!(scheduler.tick(Mode::Blocking).is_err());
            assert!(scheduler.tick(Mode::NonBlocking).is_err());
            assert!(scheduler.run().is_err());
            corio::yield_now();
            scheduler.tick(Mode::Blocking).is_err()
        });
        assert!(task.unwrap().join().unwrap());
    })
    .unwrap();
}

#[test]
fn without_a_task_a_tick_returns_at_once() {
    Scheduler::with(Options::default(), |scheduler| scheduler.tick(Mode::Blocking))
        .unwrap()
        .unwrap();
}

type Handle<'scope> = RefCell<Option<Task<'scope, Result<(), JoinError>>>>;

/// Spawns a task that joins the task of `handle`, once it is there.
fn join_other<'scope>(
    s: &'scope Scope<'scope, '_>,
    handle: &'scope Handle<'scope>,
) -> Task<'scope, Result<(), JoinError>> {
    s.spawn(move || {
        corio::yield_now();
        let other = handle.take().expect("the other task");
        other.join().and_then(|inner| inner)
    })
}

#[test]
fn two_tasks_that_join_each_other_are_told_so() {
    succeeds_alone("deadlock::two_tasks_that_join_each_other_are_told_so", || {
        let error = corio::scope(|s| {
            let (first, second) = <(Handle<'_>, Handle<'_>)>::default();
            let (first, second) = (Box::leak(Box::new(first)), Box::leak(Box::new(second)));
            *first = RefCell::new(None);
            let (first, second) = (&*first, &*second);
            *second.borrow_mut() = Some(join_other(s, first));
            *first.borrow_mut() = Some(join_other(s, second));
        });
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Deadlock);
    });
}

#[test]
fn a_task_that_joins_itself_is_told_so() {
    succeeds_alone("deadlock::a_task_that_joins_itself_is_told_so", || {
        let answer = Cell::new(None);
        let error = corio::scope(|s| {
            let own: &Handle<'_> = Box::leak(Box::default());
            let task = s.spawn(|| {
                corio::yield_now();
                let joined = own.take().unwrap().join();
                answer.set(Some(matches!(joined, Err(JoinError::Unreachable))));
                Ok(())
            });
            *own.borrow_mut() = Some(task);
        });
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Deadlock);
        assert_eq!(answer.get(), Some(true));
    });
}

#[test]
fn a_join_that_was_given_up_does_not_disturb_who_gave_it_up() {
    succeeds_alone("deadlock::a_join_that_was_given_up_does_not_disturb_who_gave_it_up", || {
        let error = corio::scope(|s| {
            let parked = s.spawn(|| {
                let parked = corio::park(0);
                corio::yield_now();
                parked
            });
            let joining = s.spawn(move || parked.join().is_err());
            std::mem::forget(joining);
        });
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Deadlock);
    });
}
