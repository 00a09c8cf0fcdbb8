//! `Task::cancel` of a task that is in the middle of something.

use corio::aio::op;
use corio::{Canceled, io, shield, timeout, try_scope};

use super::{FOREVER, SOON, in_a_task, is_canceled, on_each_backend};

#[test]
fn a_cancel_goes_through_a_limit_that_has_not_run_out() {
    on_each_backend(|scheduler| {
        let task = scheduler.spawn(|| {
            let limited = timeout(FOREVER, || io::single(op::timeout(FOREVER)));
            (is_canceled(&limited.expect("there was time")), corio::park(1))
        });
        let task = task.unwrap();
        task.cancel();
        task.cancel();
        assert_eq!(task.join().unwrap(), (true, Err(Canceled)));
    });
}

#[test]
fn a_task_that_was_canceled_opens_limits_that_let_nothing_wait() {
    on_each_backend(|scheduler| {
        let task = scheduler.spawn(|| {
            corio::park(1).unwrap_err();
            timeout(FOREVER, || (corio::park(2), is_canceled(&io::single(op::nop()))))
        });
        let task = task.unwrap();
        task.cancel();
        assert_eq!(task.join().unwrap(), Ok((Err(Canceled), true)));
    });
}

#[test]
fn a_cancel_goes_through_a_scope_that_fails_as_a_whole() {
    on_each_backend(|scheduler| {
        let task = scheduler.spawn(|| {
            try_scope(|s| {
                s.spawn(|| Ok(corio::park(1).unwrap_err())).detach();
                corio::park(2)
            })
        });
        let task = task.unwrap();
        task.cancel();
        assert_eq!(task.join().unwrap().unwrap(), Err(Canceled));
    });
}

#[test]
fn a_cancel_ends_the_wait_for_a_future() {
    on_each_backend(|scheduler| {
        let never = || corio::block_on(std::future::pending::<()>());
        let task = scheduler.spawn(never).unwrap();
        task.cancel();
        assert_eq!(task.join().unwrap(), Err(Canceled));
        let task = scheduler.spawn(move || timeout(FOREVER, never)).unwrap();
        task.cancel();
        assert_eq!(task.join().unwrap(), Ok(Err(Canceled)));
    });
}

#[test]
fn a_cancel_of_a_task_that_has_ended_does_nothing() {
    on_each_backend(|scheduler| {
        let task = scheduler.spawn(|| timeout(FOREVER, || 5)).unwrap();
        let name = task.task();
        task.cancel();
        assert_eq!(task.join().unwrap(), Ok(5));
        name.cancel();
        let next = scheduler.spawn(|| io::single(op::timeout(SOON))).unwrap();
        name.cancel();
        assert_eq!(next.join().unwrap(), Ok(()));
    });
}

#[test]
fn a_task_that_cancels_itself_in_a_shield_is_canceled_after_it() {
    in_a_task(|| {
        let inside = shield(|| {
            corio::current().unwrap().cancel();
            io::single(op::timeout(SOON))
        });
        assert_eq!(inside, Ok(()));
        assert!(is_canceled(&io::single(op::nop())));
    });
}

#[test]
fn a_cancel_that_comes_while_a_timer_is_stopped_is_seen_after_it() {
    on_each_backend(|scheduler| {
        let task = scheduler.spawn(|| {
            timeout(FOREVER, corio::yield_now).unwrap();
            corio::park(1)
        });
        let task = task.unwrap();
        scheduler.tick(corio::aio::Mode::NonBlocking).unwrap();
        task.cancel();
        assert_eq!(task.join().unwrap(), Err(Canceled));
    });
}
