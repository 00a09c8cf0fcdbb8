//! Futures in tasks: who waits for one is suspended, and woken from wherever it is woken.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use corio::aio::op;
use corio::{Canceled, block_on, io, run, scope};

/// A flag that a future waits for.
#[derive(Default)]
struct Flag(Mutex<(bool, Option<Waker>)>);

impl Flag {
    async fn raised(&self) {
        poll_fn(|context| {
            let mut flag = self.0.lock().unwrap();
            if flag.0 {
                return Poll::Ready(());
            }
            flag.1 = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn raise(&self) {
        let mut flag = self.0.lock().unwrap();
        flag.0 = true;
        let waker = flag.1.take();
        drop(flag);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

#[test]
fn another_thread_wakes_a_task_that_waits_for_a_future() {
    for _ in 0..200 {
        let flag = Flag::default();
        thread::scope(|threads| {
            threads.spawn(|| flag.raise());
            run(|| block_on(flag.raised())).unwrap().unwrap();
        });
    }
}

#[test]
fn while_one_task_waits_for_a_thread_the_others_run() {
    let flag = Arc::new(Flag::default());
    let raiser = flag.clone();
    let (start, started) = mpsc::channel();
    let thread = thread::spawn(move || {
        started.recv().unwrap();
        raiser.raise();
    });
    scope(|s| {
        let waiting = s.spawn(|| block_on(flag.raised()));
        let running = s.spawn(|| io::single(op::timeout(Duration::from_millis(5))));
        running.join().unwrap().unwrap();
        assert!(!waiting.is_complete());
        start.send(()).unwrap();
        waiting.join().unwrap()
    })
    .unwrap()
    .unwrap();
    thread.join().unwrap();
}

#[test]
fn a_task_of_the_same_scheduler_wakes_it_too() {
    let flag = Flag::default();
    let order = Cell::new(0);
    scope(|s| {
        let waiting = s.spawn(|| {
            block_on(flag.raised()).unwrap();
            assert_eq!(order.replace(2), 1);
        });
        s.spawn(|| {
            order.set(1);
            flag.raise();
        })
        .join()
        .unwrap();
        waiting.join().unwrap();
    })
    .unwrap();
    assert_eq!(order.get(), 2);
}

#[test]
fn a_future_that_wakes_itself_is_polled_again() {
    let polls = Cell::new(0);
    let future = poll_fn(|context| {
        polls.set(polls.get() + 1);
        context.waker().wake_by_ref();
        if polls.get() == 3 { Poll::Ready(()) } else { Poll::Pending }
    });
    run(|| block_on(future)).unwrap().unwrap();
    assert_eq!(polls.get(), 3);
}

#[test]
fn a_canceled_task_gives_its_future_up() {
    let canceled = scope(|s| {
        let task = s.spawn(|| block_on(pending::<()>()));
        task.cancel();
        task.join().unwrap()
    });
    assert_eq!(canceled.unwrap(), Err(Canceled));
}

#[test]
fn outside_of_a_task_the_scheduler_runs_until_the_future_is_ready() {
    let flag = Flag::default();
    scope(|s| {
        let raiser = s.spawn(|| {
            io::single(op::timeout(Duration::from_millis(1))).unwrap();
            flag.raise();
        });
        block_on(flag.raised()).unwrap();
        raiser.join().unwrap();
    })
    .unwrap();
}

#[test]
fn outside_of_a_task_another_thread_may_make_it_ready() {
    let flag = Flag::default();
    thread::scope(|threads| {
        threads.spawn(|| flag.raise());
        scope(|_| block_on(flag.raised()).unwrap()).unwrap();
    });
}

#[test]
fn without_a_scheduler_the_thread_is_blocked() {
    let flag = Flag::default();
    thread::scope(|threads| {
        threads.spawn(|| flag.raise());
        block_on(flag.raised()).unwrap();
    });
}

#[test]
fn a_waker_that_outlives_its_scheduler_wakes_nobody() {
    let flag = Flag::default();
    let canceled = scope(|s| {
        let task = s.spawn(|| block_on(flag.raised()));
        task.cancel();
        task.join().unwrap()
    });
    assert_eq!(canceled.unwrap(), Err(Canceled));
    flag.raise();
}
