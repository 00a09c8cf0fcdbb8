//! Park, wakeup, state, events: no wake is lost, and none hits the wrong task.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use corio::aio::op;
use corio::{Canceled, ResetEvent, TaskRef, io};

#[test]
fn a_parked_task_shows_its_state_and_is_woken_by_it_alone() {
    corio::scope(|s| {
        let task = s.spawn(|| (corio::park(1), corio::park(2)));
        assert_eq!(task.state(), Some(1));
        assert!(!task.wakeup_if(2));
        assert!(task.wakeup_if(1));
        assert_eq!((task.state(), task.wakeup(), task.wakeup_if(1)), (None, false, false));
        corio::yield_now();
        assert_eq!(task.state(), Some(2));
        assert!(task.wakeup());
        assert_eq!(task.join().unwrap(), (Ok(()), Ok(())));
    })
    .unwrap();
}

#[test]
fn a_cancel_that_comes_after_the_wake_does_not_undo_it() {
    corio::scope(|s| {
        let task = s.spawn(|| (corio::park(1), corio::park(2)));
        assert!(task.wakeup());
        task.cancel();
        assert_eq!(task.join().unwrap(), (Ok(()), Err(Canceled)));
    })
    .unwrap();
}

#[test]
fn a_wake_that_comes_after_the_cancel_wakes_nobody_and_says_so() {
    corio::scope(|s| {
        let task = s.spawn(|| corio::park(1));
        task.cancel();
        assert!(!task.wakeup());
        assert_eq!(task.join().unwrap(), Err(Canceled));
    })
    .unwrap();
}

#[test]
fn a_wakeup_wakes_nobody_but_a_parked_task() {
    let event = ResetEvent::new();
    corio::scope(|s| {
        let sleeping = s.spawn(|| io::single(op::timeout(Duration::from_millis(1))));
        let waiting = s.spawn(|| event.wait());
        let yielding = s.spawn(corio::yield_now);
        for task in [sleeping.task(), waiting.task(), yielding.task()] {
            assert_eq!((task.state(), task.wakeup(), task.is_complete()), (None, false, false));
        }
        event.set();
        assert_eq!((sleeping.join().unwrap(), waiting.join().unwrap()), (Ok(()), Ok(())));
    })
    .unwrap();
}

#[test]
fn a_name_that_is_stale_does_nothing_though_its_slot_is_used_again() {
    corio::scope(|s| {
        let first = s.spawn(|| ());
        let stale = first.task();
        first.join().unwrap();
        let second = s.spawn(|| corio::park(1));
        assert_ne!(stale, second.task());
        assert_eq!((stale.state(), stale.wakeup(), stale.wakeup_if(1)), (None, false, false));
        stale.cancel();
        assert!(stale.is_complete() && !second.is_complete());
        assert!(second.wakeup());
        assert_eq!(second.join().unwrap(), Ok(()));
    })
    .unwrap();
}

#[test]
fn a_name_whose_scheduler_is_gone_does_nothing() {
    let name = corio::run(|| corio::current().unwrap()).unwrap();
    corio::run(|| {
        assert_ne!(corio::current(), Some(name));
        assert_eq!((name.state(), name.wakeup(), name.is_complete()), (None, false, true));
        name.cancel();
        io::single(op::nop()).unwrap();
    })
    .unwrap();
}

#[test]
fn a_task_that_has_ended_is_complete_and_keeps_its_result() {
    corio::scope(|s| {
        let task = s.spawn(|| 5);
        task.cancel();
        assert!(task.is_complete() && !task.wakeup());
        assert_eq!(task.join().unwrap(), 5);
    })
    .unwrap();
}

#[test]
fn where_no_task_runs_nobody_is_named_and_nobody_parks() {
    assert_eq!((corio::current(), corio::park(0)), (None, Err(Canceled)));
    assert!(corio::spawn(|| ()).is_err());
    corio::yield_now();
    corio::scope(|_| assert_eq!((corio::current(), corio::park(0)), (None, Err(Canceled))))
        .unwrap();
    assert_eq!(ResetEvent::new().wait(), Err(Canceled));
}

#[test]
fn an_event_lets_all_go_on_in_the_order_they_came_also_if_it_is_reset_at_once() {
    let (event, order) = (ResetEvent::new(), RefCell::new(Vec::new()));
    corio::scope(|s| {
        let (event, order) = (&event, &order);
        for number in 0..5 {
            s.spawn(move || {
                event.wait().unwrap();
                order.borrow_mut().push(number);
            })
            .detach();
        }
        event.set();
        event.reset();
    })
    .unwrap();
    assert_eq!((&*order.borrow(), event.is_set()), (&vec![0, 1, 2, 3, 4], false));
}

#[test]
fn a_canceled_wait_for_an_event_leaves_no_trace() {
    let (event, other) = (ResetEvent::new(), ResetEvent::new());
    corio::scope(|s| {
        let first = s.spawn(|| event.wait());
        first.cancel();
        assert_eq!(first.join().unwrap(), Err(Canceled));
        let second = s.spawn(|| other.wait());
        event.set();
        corio::yield_now();
        assert!(!second.is_complete());
        other.set();
        assert_eq!(second.join().unwrap(), Ok(()));
    })
    .unwrap();
}

#[test]
fn the_closure_of_a_scope_may_wait_for_an_event_that_a_task_sets() {
    let event = ResetEvent::new();
    let waited = corio::scope(|s| {
        s.spawn(|| {
            io::single(op::timeout(Duration::from_micros(100))).unwrap();
            event.set();
        })
        .detach();
        event.wait()
    });
    assert_eq!(waited.unwrap(), Ok(()));
}

#[test]
fn two_tasks_pass_the_turn_to_each_other_without_losing_one() {
    const TURNS: usize = 10_000;
    let (names, turns) = (Cell::new([None::<TaskRef>; 2]), Cell::new(0));
    corio::scope(|s| {
        let play = |me: usize| {
            let (names, turns) = (&names, &turns);
            s.spawn(move || {
                let mut all = names.get();
                all[me] = corio::current();
                names.set(all);
                while turns.get() < TURNS {
                    if let Some(other) = names.get()[1 - me] {
                        turns.set(turns.get() + 1);
                        other.wakeup_if(7);
                    }
                    corio::park(7).unwrap();
                }
                names.get()[1 - me].unwrap().wakeup();
            })
        };
        let (first, second) = (play(0), play(1));
        first.join().unwrap();
        second.join().unwrap();
    })
    .unwrap();
    assert_eq!(turns.get(), TURNS);
}

#[test]
fn who_yields_comes_after_those_that_were_ready() {
    let order = RefCell::new(Vec::new());
    corio::scope(|s| {
        let order = &order;
        for number in 0..3 {
            s.spawn(move || {
                for round in 0..3 {
                    order.borrow_mut().push((round, number));
                    corio::yield_now();
                }
            })
            .detach();
        }
    })
    .unwrap();
    let mut sorted = order.borrow().clone();
    sorted.sort_by_key(|(round, number)| (*round > 0, *round, *number));
    assert_eq!(*order.borrow(), sorted);
}
