//! `Barrier`, `Semaphore` and `ResetEvent`.

use std::cell::{Cell, RefCell};
use std::thread;
use std::time::Instant;

use corio::sync::{Barrier, Semaphore, WaitError};
use corio::{Canceled, ResetEvent};

use crate::{SOON, on_each_kind};

#[test]
fn a_barrier_lets_tasks_and_threads_go_on_together_and_one_leads() {
    let barrier = Barrier::new(4);
    let leaders = thread::scope(|threads| {
        let plain = [(); 2].map(|()| threads.spawn(|| barrier.wait() == Ok(true)));
        let tasks = corio::scope(|s| {
            let tasks = [(); 2].map(|()| s.spawn(|| barrier.wait() == Ok(true)));
            tasks.map(|task| task.join().unwrap())
        });
        let plain = plain.map(|thread| thread.join().unwrap());
        plain.iter().chain(&tasks.unwrap()).filter(|leads| **leads).count()
    });
    assert_eq!(leaders, 1);
}

#[test]
fn a_barrier_can_be_used_again_and_again() {
    let (barrier, rounds) = (Barrier::new(3), Mutexed::default());
    thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                for round in 0..100 {
                    if barrier.wait().unwrap() {
                        rounds.lock().unwrap().push(round);
                    }
                }
            });
        }
    });
    assert_eq!(rounds.into_inner(), (0..100).collect::<Vec<_>>());
}

type Mutexed = corio::sync::Mutex<Vec<i32>>;

#[test]
fn who_gives_up_at_a_barrier_does_not_count() {
    let barrier = Barrier::new(2);
    corio::scope(|s| {
        let canceled = s.spawn(|| barrier.wait());
        canceled.cancel();
        assert_eq!(canceled.join().unwrap(), Err(Canceled));
        let other = s.spawn(|| barrier.wait());
        corio::yield_now();
        assert!(!other.is_complete());
        assert_eq!(barrier.wait(), Ok(true));
        assert_eq!(other.join().unwrap(), Ok(false));
    })
    .unwrap();
}

#[test]
fn a_wait_at_a_barrier_ends_at_its_deadline() {
    on_each_kind(|| {
        let (barrier, start) = (Barrier::new(2), Instant::now());
        assert_eq!(barrier.wait_timeout(SOON), Err(WaitError::Expired));
        assert_eq!(barrier.wait_until(start + 2 * SOON), Err(WaitError::Expired));
        assert!(start.elapsed() >= 2 * SOON);
        assert_eq!(Barrier::new(0).wait(), Ok(true));
        assert_eq!(Barrier::new(1).wait(), Ok(true));
    });
}

#[test]
fn permits_go_to_who_waits_longest_however_many_it_wants() {
    let (semaphore, order) = (Semaphore::new(2), RefCell::new(Vec::new()));
    corio::scope(|s| {
        let permits = semaphore.acquire_many(2).unwrap();
        for (n, wanted) in [2, 1, 1].into_iter().enumerate() {
            let (semaphore, order) = (&semaphore, &order);
            s.spawn(move || {
                let _permit = semaphore.acquire_many(wanted).unwrap();
                order.borrow_mut().push(n);
                corio::yield_now();
            })
            .detach();
        }
        drop(permits);
        assert!(semaphore.try_acquire().is_none(), "they are promised");
    })
    .unwrap();
    assert_eq!((order.take(), semaphore.available()), (vec![0, 1, 2], 2));
}

#[test]
fn a_canceled_waiter_for_permits_lets_those_behind_it_go_on() {
    let semaphore = Semaphore::new(1);
    corio::scope(|s| {
        let large = s.spawn(|| semaphore.acquire_many(2).map(drop));
        let small = s.spawn(|| semaphore.acquire().map(drop));
        assert!(semaphore.try_acquire().is_none(), "others wait");
        large.cancel();
        assert_eq!(large.join().unwrap(), Err(Canceled));
        assert_eq!(small.join().unwrap(), Ok(()));
    })
    .unwrap();
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn permits_that_were_granted_are_not_lost_on_who_is_canceled_after_that() {
    let semaphore = Semaphore::new(0);
    corio::scope(|s| {
        let task = s.spawn(|| semaphore.acquire().map(std::mem::forget));
        semaphore.release(1);
        task.cancel();
        assert_eq!(task.join().unwrap(), Ok(()));
    })
    .unwrap();
    assert_eq!(semaphore.available(), 0, "a permit that is forgotten is gone");
}

#[test]
fn the_code_outside_of_tasks_waits_for_permits_by_running_them() {
    let semaphore = Semaphore::new(0);
    corio::scope(|s| {
        s.spawn(|| {
            corio::yield_now();
            semaphore.release(1);
        })
        .detach();
        assert!(semaphore.acquire().is_ok());
        assert_eq!(semaphore.acquire_many(2).err(), Some(Canceled), "nobody is left");
    })
    .unwrap();
    assert_eq!(semaphore.try_acquire_many(1).map(drop), Some(()));
    assert_eq!(Semaphore::new(0).acquire().err(), Some(Canceled), "no scheduler runs");
}

#[test]
fn an_event_that_is_set_and_reset_lets_all_go_on_that_waited() {
    let (event, passed) = (ResetEvent::new(), Cell::new(0));
    corio::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| {
                event.wait().unwrap();
                passed.set(passed.get() + 1);
            })
            .detach();
        }
        s.spawn(|| {
            event.set();
            event.reset();
        })
        .detach();
        assert_eq!(event.wait(), Err(Canceled), "it came too late, and nobody will set it");
    })
    .unwrap();
    assert_eq!(passed.get(), 3);
}

#[test]
fn a_canceled_waiter_for_an_event_leaves_the_others_waiting() {
    let event = ResetEvent::new();
    corio::scope(|s| {
        let tasks = [(); 3].map(|()| s.spawn(|| event.wait()));
        tasks[1].cancel();
        corio::yield_now();
        assert_eq!(tasks.each_ref().map(|task| task.is_complete()), [false, true, false]);
        event.set();
        assert_eq!(tasks.map(|task| task.join().unwrap()), [Ok(()), Err(Canceled), Ok(())]);
    })
    .unwrap();
}
