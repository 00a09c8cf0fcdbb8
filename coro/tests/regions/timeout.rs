//! `timeout` and `shield`.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use corio::aio::Mode;
use corio::aio::op;
use corio::{Canceled, Expired, Options, ResetEvent, Scheduler, io, shield, timeout};

use super::{FOREVER, SOON, in_a_task, is_canceled, on_each_backend, pair, panic_of, unwind};

#[test]
fn what_is_waited_for_when_the_time_is_up_is_canceled_and_so_is_all_after_that() {
    in_a_task(|| {
        let (ours, theirs) = pair();
        let (mut buf, start) = ([7; 8], Instant::now());
        let Err(Expired((received, parked, sent))) = timeout(SOON, || {
            let received = io::single(op::recv(&ours, &mut buf));
            (received, corio::park(1), io::single(op::send(&theirs, b"no")))
        }) else {
            panic!("the time is up")
        };
        assert!(start.elapsed() >= SOON);
        assert!(is_canceled(&received) && parked == Err(Canceled) && is_canceled(&sent));
        assert_eq!(buf, [7; 8]);
        // What comes after the limit has nothing to do with it.
        assert_eq!(io::single(op::send(&theirs, b"yes")), Ok(3));
        assert_eq!(io::single(op::recv(&ours, &mut buf)), Ok(3));
    });
}

#[test]
fn a_closure_that_ends_in_time_yields_its_value_and_leaves_no_timer_in_flight() {
    on_each_backend(|scheduler| {
        let task = scheduler.spawn(|| {
            for number in 0..1000 {
                assert_eq!(timeout(FOREVER, || number), Ok(number));
            }
            let waited = timeout(FOREVER, || io::single(op::timeout(SOON)));
            assert_eq!(waited, Ok(Ok(())));
            corio::park(1)
        });
        let task = task.unwrap();
        while task.state().is_none() {
            scheduler.tick(Mode::Blocking).unwrap();
        }
        // With a timer in flight this would wait for it.
        let error = scheduler.tick(Mode::Blocking).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Deadlock);
        task.wakeup();
        task.join().unwrap().unwrap();
    });
}

#[test]
fn an_operation_that_succeeded_before_the_time_was_noticed_keeps_its_success() {
    in_a_task(|| {
        let (ours, theirs) = pair();
        let mut buf = [0; 8];
        let late = timeout(SOON, || {
            let received = io::complete((op::recv(&ours, &mut buf), op::timeout(FOREVER)));
            let (n, slept) = received.unwrap();
            (n, is_canceled(&slept))
        });
        assert!(late.is_err());
        io::single(op::send(&theirs, b"here")).unwrap();
        // Long enough for the receive to start.
        let late = timeout(SOON * 50, || {
            let received = io::complete((op::recv(&ours, &mut buf), op::timeout(FOREVER)));
            let (n, slept) = received.unwrap();
            (n, is_canceled(&slept))
        });
        assert_eq!(late, Err(Expired((Ok(4), true))));
    });
}

#[test]
fn a_limit_counts_also_for_a_closure_that_never_waits() {
    in_a_task(|| {
        let start = Instant::now();
        let busy = || while start.elapsed() < SOON {};
        assert_eq!(timeout(SOON / 2, busy), Err(Expired(())));
        assert_eq!(timeout(FOREVER, corio::yield_now), Ok(()));
    });
}

#[test]
fn a_limit_that_runs_out_while_the_task_is_busy_is_seen_at_the_next_wait() {
    in_a_task(|| {
        let start = Instant::now();
        let result = timeout(SOON, || {
            while start.elapsed() < SOON * 2 {}
            io::single(op::timeout(FOREVER))
        });
        assert!(is_canceled(&result.unwrap_err().into_inner()));
    });
}

#[test]
fn a_limit_of_nothing_is_up_from_the_start_and_an_endless_one_never() {
    in_a_task(|| {
        assert_eq!(timeout(Duration::ZERO, || corio::park(1)), Err(Expired(Err(Canceled))));
        assert_eq!(timeout(Duration::MAX, || io::single(op::timeout(SOON))), Ok(Ok(())));
        let month = Duration::from_secs(30 * 24 * 3600);
        assert_eq!(timeout(month, || io::single(op::timeout(SOON))), Ok(Ok(())));
    });
}

#[test]
fn the_inner_of_two_limits_stops_what_is_in_it_and_nothing_else() {
    in_a_task(|| {
        let outer = timeout(FOREVER, || {
            let inner = timeout(SOON, || io::single(op::timeout(FOREVER)));
            (is_canceled(&inner.unwrap_err().0), io::single(op::timeout(SOON)))
        });
        assert_eq!(outer, Ok((true, Ok(()))));
    });
}

#[test]
fn the_outer_of_two_limits_stops_what_is_in_both_and_only_it_has_expired() {
    in_a_task(|| {
        let outer = timeout(SOON, || timeout(FOREVER, || io::single(op::timeout(FOREVER))));
        let inner = outer.unwrap_err().into_inner();
        assert!(is_canceled(&inner.expect("there was time")));
    });
}

#[test]
fn many_limits_that_are_up_at_once_end_as_many_waits() {
    on_each_backend(|scheduler| {
        let wait = || timeout(SOON, || timeout(SOON, || io::single(op::timeout(FOREVER))));
        let tasks: Vec<_> = (0..5000).map(|_| scheduler.spawn(wait).unwrap()).collect();
        for task in tasks {
            assert!(is_canceled(&task.join().unwrap().unwrap_err().0.unwrap_err().0));
        }
    });
}

#[test]
fn a_panic_passes_through_a_limit_and_leaves_no_timer_in_flight() {
    on_each_backend(|scheduler| {
        let task = scheduler.spawn(|| {
            assert_eq!(panic_of(|| timeout(FOREVER, || unwind("inside"))), "inside");
            let late = || {
                let _ = io::single(op::timeout(FOREVER));
                unwind("late")
            };
            assert_eq!(panic_of(|| timeout(SOON, late)), "late");
            assert_eq!(panic_of(|| shield(|| unwind("shielded"))), "shielded");
            assert_eq!(timeout(FOREVER, || io::single(op::timeout(SOON))), Ok(Ok(())));
            corio::park(1)
        });
        let task = task.unwrap();
        while task.state().is_none() {
            scheduler.tick(Mode::Blocking).unwrap();
        }
        assert!(scheduler.tick(Mode::Blocking).is_err(), "a timer is in flight");
        task.wakeup();
        task.join().unwrap().unwrap();
    });
}

#[test]
fn while_the_thread_unwinds_a_limit_shows_in_the_answer() {
    struct WaitsOnDrop;
    impl Drop for WaitsOnDrop {
        fn drop(&mut self) {
            let result = timeout(SOON, || io::single(op::timeout(SOON * 2)));
            assert_eq!(result, Err(Expired(Ok(()))));
            assert_eq!(shield(|| io::single(op::nop())), Ok(()));
        }
    }
    in_a_task(|| {
        let text = panic_of(|| {
            let _waits = WaitsOnDrop;
            unwind("first")
        });
        assert_eq!(text, "first");
    });
}

#[test]
fn outside_of_tasks_a_limit_holds_as_well() {
    let wait = || {
        let result = timeout(SOON, || io::single(op::timeout(FOREVER)));
        assert!(is_canceled(&result.unwrap_err().into_inner()));
        assert_eq!(timeout(FOREVER, || 5), Ok(5));
        assert_eq!(panic_of(|| timeout(FOREVER, || unwind("inside"))), "inside");
        let event = ResetEvent::new();
        assert_eq!(timeout(SOON, || event.wait()), Err(Expired(Err(Canceled))));
        assert_eq!(shield(|| 7), 7);
    };
    wait();
    on_each_backend(|_| wait());
    // On a scheduler in another one's task.
    corio::run(|| Scheduler::with(Options::default(), |_| wait())).unwrap().unwrap();
}

#[test]
fn a_limit_ends_the_waits_for_events_and_futures() {
    in_a_task(|| {
        let event = ResetEvent::new();
        assert_eq!(timeout(SOON, || event.wait()), Err(Expired(Err(Canceled))));
        let never = || corio::block_on(std::future::pending::<()>());
        assert_eq!(timeout(SOON, never), Err(Expired(Err(Canceled))));
        event.set();
        assert_eq!(timeout(FOREVER, || event.wait()), Ok(Ok(())));
    });
}

#[test]
fn a_limit_passes_on_to_what_is_joined_and_the_join_yields_the_true_result() {
    in_a_task(|| {
        corio::scope(|s| {
            let inner = s.spawn(|| is_canceled(&io::single(op::timeout(FOREVER))));
            let joined = timeout(SOON, || inner.join().unwrap());
            assert_eq!(joined, Err(Expired(true)));
        })
        .unwrap();
        let scoped = timeout(SOON, || {
            let wait = || assert!(is_canceled(&io::single(op::timeout(FOREVER))));
            corio::scope(|s| (0..3).for_each(|_| s.spawn(wait).detach()))
        });
        assert!(scoped.is_err());
        assert_eq!(io::single(op::nop()), Ok(()));
    });
}

#[test]
fn a_shield_defers_a_cancel_to_the_wait_after_it() {
    on_each_backend(|scheduler| {
        let task = scheduler.spawn(|| {
            let inside = shield(|| (io::single(op::timeout(SOON)), io::single(op::nop())));
            (inside, io::single(op::nop()))
        });
        let task = task.unwrap();
        task.cancel();
        let (inside, after) = task.join().unwrap();
        assert_eq!(inside, (Ok(()), Ok(())));
        assert!(is_canceled(&after));
    });
}

#[test]
fn a_task_that_was_canceled_waits_in_a_shield_as_ever() {
    on_each_backend(|scheduler| {
        let task = scheduler.spawn(|| {
            corio::park(1).unwrap_err();
            let inside = shield(|| io::single(op::timeout(SOON)));
            let nested = shield(|| timeout(SOON, || io::single(op::timeout(FOREVER))));
            (inside, is_canceled(&nested.unwrap_err().0), corio::park(2))
        });
        let task = task.unwrap();
        task.cancel();
        assert_eq!(task.join().unwrap(), (Ok(()), true, Err(Canceled)));
    });
}

#[test]
fn a_shield_defers_a_limit_around_it_but_not_one_in_it() {
    in_a_task(|| {
        let outer = timeout(SOON, || {
            let inside = shield(|| {
                let slept = io::single(op::timeout(SOON * 3));
                (slept, timeout(SOON, || io::single(op::timeout(FOREVER))))
            });
            (inside, io::single(op::nop()))
        });
        let ((slept, inner), after) = outer.unwrap_err().into_inner();
        assert_eq!(slept, Ok(()));
        assert!(is_canceled(&inner.unwrap_err().0) && is_canceled(&after));
    });
}

#[test]
fn a_shielded_join_does_not_pass_a_cancel_on() {
    on_each_backend(|scheduler| {
        let inner = scheduler.spawn(|| io::single(op::timeout(SOON))).unwrap();
        let outer = scheduler.spawn(move || (shield(|| inner.join().unwrap()), corio::park(1)));
        let outer = outer.unwrap();
        outer.cancel();
        assert_eq!(outer.join().unwrap(), (Ok(()), Err(Canceled)));
    });
}

#[test]
fn tasks_that_wait_for_each_other_in_shields_are_reported_and_ended() {
    let event = ResetEvent::new();
    let report = corio::scope(|s| {
        s.spawn(|| shield(|| assert_eq!(event.wait(), Err(Canceled)))).detach();
        s.spawn(|| shield(|| assert_eq!(corio::park(7), Err(Canceled)))).detach();
        // While a limit can still end a wait it is none.
        s.spawn(|| assert!(timeout(SOON, || corio::park(8)).is_err())).detach();
    });
    let report = report.unwrap_err();
    assert_eq!(report.kind(), ErrorKind::Deadlock);
    let text = report.to_string();
    assert!(text.contains("state 7") && !text.contains("state 8"), "{text}");
}

#[test]
fn the_value_and_the_kind_of_error_are_there_for_whoever_asks() {
    let expired = timeout(Duration::ZERO, || 5).unwrap_err();
    assert_eq!((expired.into_inner(), expired.to_string()), (5, "the time is up".into()));
    assert_eq!(std::io::Error::from(expired).kind(), ErrorKind::TimedOut);
    let limited = || -> std::io::Result<i32> { Ok(timeout(Duration::ZERO, || 5)?) };
    assert_eq!(limited().unwrap_err().kind(), ErrorKind::TimedOut);
}
