//! `Condvar`.

use std::cell::RefCell;
use std::thread;
use std::time::{Duration, Instant};

use corio::Canceled;
use corio::sync::{Condvar, Mutex, WaitError};

use crate::{LATE, SOON, beside, on_each_kind};

#[test]
fn a_wait_has_the_mutex_again_whatever_came_of_it() {
    on_each_kind(|| {
        let (mutex, condvar) = (Mutex::new(1), Condvar::new());
        let start = Instant::now();
        let (guard, outcome) = condvar.wait_timeout(mutex.lock().unwrap(), SOON);
        assert_eq!((*guard, outcome), (1, Err(WaitError::Expired)));
        let (guard, outcome) = condvar.wait_until(guard, start + 2 * SOON);
        assert_eq!((*guard, outcome), (1, Err(WaitError::Expired)));
        let (guard, outcome) = condvar.wait_timeout_while(guard, SOON, |n| *n == 1);
        assert_eq!((*guard, outcome), (1, Err(WaitError::Expired)));
        assert!(start.elapsed() >= 3 * SOON);
        assert!(mutex.try_lock().is_none());
        let (_guard, outcome) = condvar.wait_while(guard, |n| *n == 0);
        assert_eq!(outcome, Ok(()), "it need not wait");
    });
}

#[test]
fn notifying_one_lets_the_one_go_on_that_waits_longest() {
    let (mutex, condvar, order) = (Mutex::new(()), Condvar::new(), RefCell::new(Vec::new()));
    corio::scope(|s| {
        for n in 0..3 {
            let (mutex, condvar, order) = (&mutex, &condvar, &order);
            s.spawn(move || {
                let (_guard, outcome) = condvar.wait(mutex.lock().unwrap());
                order.borrow_mut().push((n, outcome));
            })
            .detach();
        }
        for _ in 0..3 {
            condvar.notify_one();
        }
    })
    .unwrap();
    assert_eq!(order.take(), [(0, Ok(())), (1, Ok(())), (2, Ok(()))]);
}

#[test]
fn notifying_all_lets_them_go_on_one_after_the_other() {
    let (mutex, condvar, order) = (Mutex::new(()), Condvar::new(), RefCell::new(Vec::new()));
    corio::scope(|s| {
        let wait = |n| {
            let (mutex, condvar, order) = (&mutex, &condvar, &order);
            move || {
                let (_guard, outcome) = condvar.wait(mutex.lock().unwrap());
                order.borrow_mut().push((n, outcome));
                corio::yield_now();
            }
        };
        let tasks = [0, 1, 2, 3].map(|n| s.spawn(wait(n)));
        condvar.notify_all();
        let late = s.spawn(wait(4));
        corio::yield_now();
        tasks.into_iter().for_each(|task| task.join().unwrap());
        assert!(!late.is_complete(), "it was not there when all were notified");
        condvar.notify_one();
        late.join().unwrap();
    })
    .unwrap();
    assert_eq!(order.take(), [0, 1, 2, 3, 4].map(|n| (n, Ok(()))));
}

#[test]
fn a_canceled_waiter_that_was_not_notified_leaves_the_notification_to_the_next() {
    let (mutex, condvar) = (Mutex::new(()), Condvar::new());
    corio::scope(|s| {
        let wait = || condvar.wait(mutex.lock().unwrap()).1;
        let (canceled, other) = (s.spawn(wait), s.spawn(wait));
        canceled.cancel();
        condvar.notify_one();
        assert_eq!(canceled.join().unwrap(), Ok(()), "it was there when one was notified");
        let canceled = s.spawn(wait);
        other.cancel();
        assert_eq!(other.join().unwrap(), Err(Canceled));
        condvar.notify_one();
        assert_eq!(canceled.join().unwrap(), Ok(()));
    })
    .unwrap();
}

#[test]
fn a_canceled_waiter_waits_for_the_mutex_all_the_same() {
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    corio::scope(|s| {
        let waiter = s.spawn(|| {
            let (guard, outcome) = condvar.wait(mutex.lock().unwrap());
            (*guard, outcome)
        });
        let mut guard = mutex.lock().unwrap();
        waiter.cancel();
        for _ in 0..3 {
            corio::yield_now();
        }
        assert!(!waiter.is_complete());
        *guard = 1;
        drop(guard);
        assert_eq!(waiter.join().unwrap(), (1, Err(Canceled)));
    })
    .unwrap();
}

#[test]
fn a_wait_during_an_unwind_keeps_the_mutex() {
    struct WaitsOnDrop<'a>(&'a Mutex<()>, &'a Condvar);
    impl Drop for WaitsOnDrop<'_> {
        fn drop(&mut self) {
            let (guard, outcome) = self.1.wait(self.0.lock().unwrap());
            assert!(self.0.try_lock().is_none());
            assert_eq!(outcome, Err(Canceled));
            drop(guard);
        }
    }
    let (mutex, condvar) = (Mutex::new(()), Condvar::new());
    corio::scope(|s| {
        let task = s.spawn(|| {
            let _waits = WaitsOnDrop(&mutex, &condvar);
            std::panic::resume_unwind(Box::new("on purpose"));
        });
        assert!(task.join().is_err());
    })
    .unwrap();
    assert!(mutex.try_lock().is_some());
}

#[test]
fn a_thread_and_a_task_tell_each_other() {
    let (turn, condvar) = (Mutex::new(0), Condvar::new());
    let play = |own: u32| {
        let mut guard = turn.lock().unwrap();
        while *guard < 100 {
            let outcome;
            (guard, outcome) =
                condvar.wait_timeout_while(guard, LATE, |n| *n % 2 != own && *n < 100);
            assert_eq!(outcome, Ok(()));
            *guard += 1;
            condvar.notify_all();
        }
    };
    beside(
        |sender| {
            sender.send(()).unwrap();
            play(0);
        },
        || play(1),
    );
    assert!(turn.into_inner() >= 100);
}

#[test]
fn many_threads_that_are_notified_at_once_all_go_on() {
    let (mutex, condvar) = (Mutex::new((0, false)), Condvar::new());
    thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                let mut guard = mutex.lock().unwrap();
                guard.0 += 1;
                condvar.wait_while(guard, |(_, goes)| !*goes).1.unwrap();
            });
        }
        while mutex.lock().unwrap().0 < 8 {
            thread::sleep(Duration::from_micros(100));
        }
        mutex.lock().unwrap().1 = true;
        condvar.notify_all();
    });
}
