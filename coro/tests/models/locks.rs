//! Models of `Mutex`, `RwLock`, `Condvar` and `Barrier`.

use std::sync::Arc;

use corio::model::Task;
use corio::sync::{Barrier, Condvar, Mutex, RwLock};
use loom::cell::Cell;

use crate::SOON;

/// Shares a mutex. Loom makes what it is of at the first use, which no other thread may be at.
fn share<T>(mutex: Mutex<T>) -> Arc<Mutex<T>> {
    drop(mutex.try_lock());
    Arc::new(mutex)
}

/// Shares a lock; see [`share`].
fn share_lock<T>(lock: RwLock<T>) -> Arc<RwLock<T>> {
    drop(lock.try_read());
    Arc::new(lock)
}

/// Shares a condition and its mutex; see [`share`].
fn share_pair<T>(value: T) -> Arc<(Mutex<T>, Condvar)> {
    let pair = (Mutex::new(value), Condvar::new());
    drop(pair.0.try_lock());
    Arc::new(pair)
}

/// Changes a value in two steps; loom finds whoever looks at it meanwhile.
fn increment(value: &Cell<u32>) {
    let old = value.get();
    value.set(old + 1);
}

#[test]
fn a_mutex_is_locked_by_one_at_a_time() {
    loom::model(|| {
        let mutex = share(Mutex::new(Cell::new(0)));
        let tasks = [(); 2].map(|()| {
            let mutex = mutex.clone();
            Task::spawn(move || increment(&mutex.lock().unwrap()))
        });
        increment(&mutex.lock().unwrap());
        tasks.into_iter().for_each(Task::join);
        assert_eq!(mutex.try_lock().expect("it is free").get(), 3);
    });
}

#[test]
fn a_canceled_waiter_of_a_mutex_leaves_it_to_the_next() {
    loom::model(|| {
        let mutex = share(Mutex::new(Cell::new(0)));
        let guard = mutex.lock().unwrap();
        let canceled = {
            let mutex = mutex.clone();
            Task::spawn(move || mutex.lock().map(|value| increment(&value)).is_ok())
        };
        let other = {
            let mutex = mutex.clone();
            Task::spawn(move || increment(&mutex.lock().unwrap()))
        };
        canceled.cancel();
        drop(guard);
        other.join();
        let expected = 1 + u32::from(canceled.join());
        assert_eq!(mutex.try_lock().expect("it is free").get(), expected);
    });
}

#[test]
fn a_waiter_of_a_mutex_that_runs_out_of_time_leaves_it_to_the_next() {
    loom::model(|| {
        let mutex = share(Mutex::new(Cell::new(0)));
        let hasty = {
            let mutex = mutex.clone();
            Task::spawn(move || mutex.lock_timeout(SOON).map(|value| increment(&value)).is_ok())
        };
        let other = {
            let mutex = mutex.clone();
            Task::spawn(move || increment(&mutex.lock().unwrap()))
        };
        increment(&mutex.lock().unwrap());
        other.join();
        let expected = 2 + u32::from(hasty.join());
        assert_eq!(mutex.try_lock().expect("it is free").get(), expected);
    });
}

#[test]
fn a_writer_is_alone() {
    loom::model(|| {
        let lock = share_lock(RwLock::new(Cell::new(0)));
        let writer = {
            let lock = lock.clone();
            Task::spawn(move || increment(&lock.write().unwrap()))
        };
        let reader = {
            let lock = lock.clone();
            Task::spawn(move || lock.read().unwrap().get())
        };
        increment(&lock.write().unwrap());
        writer.join();
        assert!(reader.join() <= 2);
        assert_eq!(lock.try_write().expect("it is free").get(), 2);
    });
}

#[test]
fn a_writer_that_leaves_the_queue_lets_in_the_readers_behind_it() {
    for is_hasty in [false, true] {
        loom::model(move || {
            let lock = share_lock(RwLock::new(Cell::new(0)));
            let guard = lock.read().unwrap();
            let writer = {
                let lock = lock.clone();
                Task::spawn(move || match is_hasty {
                    true => lock.write_timeout(SOON).map(drop).is_ok(),
                    false => lock.write().map(drop).is_ok(),
                })
            };
            let reader = {
                let lock = lock.clone();
                Task::spawn(move || lock.read().unwrap().get())
            };
            if !is_hasty {
                writer.cancel();
            }
            assert_eq!(reader.join(), 0, "it need not wait for the guard of this thread");
            drop(guard);
            writer.join();
            assert!(lock.try_write().is_some());
        });
    }
}

#[test]
fn the_last_reader_lets_the_writer_in() {
    loom::model(|| {
        let lock = share_lock(RwLock::new(Cell::new(0)));
        let guard = lock.read().unwrap();
        let reader = {
            let lock = lock.clone();
            Task::spawn(move || lock.read().unwrap().get())
        };
        let writer = {
            let lock = lock.clone();
            Task::spawn(move || increment(&lock.write().unwrap()))
        };
        assert_eq!(guard.get(), 0);
        drop(guard);
        assert!(reader.join() <= 1);
        writer.join();
        assert_eq!(lock.try_read().expect("it is free").get(), 1);
    });
}

#[test]
fn a_condition_that_is_changed_under_the_mutex_is_never_missed() {
    loom::model(|| {
        let pair = share_pair(0);
        let waiter = {
            let pair = pair.clone();
            Task::spawn(move || {
                let (guard, outcome) = pair.1.wait_while(pair.0.lock().unwrap(), |n| *n == 0);
                assert_eq!(outcome, Ok(()));
                *guard
            })
        };
        *pair.0.lock().unwrap() = 7;
        pair.1.notify_one();
        assert_eq!(waiter.join(), 7);
    });
}

#[test]
fn notifying_all_lets_all_go_on() {
    loom::model(|| {
        let pair = share_pair(0);
        let waiters = [(); 2].map(|()| {
            let pair = pair.clone();
            Task::spawn(move || {
                let (_guard, outcome) = pair.1.wait_while(pair.0.lock().unwrap(), |n| *n == 0);
                assert_eq!(outcome, Ok(()));
            })
        });
        *pair.0.lock().unwrap() = 1;
        pair.1.notify_all();
        waiters.into_iter().for_each(Task::join);
        assert!(pair.0.try_lock().is_some());
    });
}

#[test]
fn a_notification_of_one_is_not_lost_on_a_canceled_waiter() {
    loom::model(|| {
        // How many have come to wait.
        let pair = share_pair(0);
        let wait = |pair: Arc<(Mutex<u32>, Condvar)>| {
            move || {
                let Ok(mut waiting) = pair.0.lock() else { return false };
                *waiting += 1;
                pair.1.wait(waiting).1.is_ok()
            }
        };
        let canceled = Task::spawn(wait(pair.clone()));
        let other = Task::spawn(wait(pair.clone()));
        canceled.cancel();
        let notifies = *pair.0.lock().unwrap() == 2;
        if notifies {
            pair.1.notify_one();
        }
        if canceled.join() || !notifies {
            other.cancel();
            assert!(!other.join(), "one notification is for one waiter");
        } else {
            assert!(other.join(), "it was not for the canceled one");
        }
    });
}

#[test]
fn a_waiter_that_takes_no_notification_leaves_it_to_the_other() {
    loom::model(|| {
        let pair = share_pair(());
        let hasty = {
            let pair = pair.clone();
            Task::spawn(move || pair.1.wait_timeout(pair.0.lock().unwrap(), SOON).1.is_ok())
        };
        let notifier = {
            let pair = pair.clone();
            Task::spawn(move || {
                drop(pair.0.lock().unwrap());
                pair.1.notify_one();
            })
        };
        // In the queue before the notification can come.
        let (guard, outcome) = pair.1.wait_timeout(pair.0.lock().unwrap(), SOON);
        drop(guard);
        notifier.join();
        let both = outcome.is_ok() && hasty.join();
        assert!(!both, "one notification is for one waiter");
    });
}

#[test]
fn a_barrier_lets_all_go_on_and_one_leads() {
    loom::model(|| {
        let barrier = Arc::new(Barrier::new(3));
        let tasks = [(); 2].map(|()| {
            let barrier = barrier.clone();
            Task::spawn(move || barrier.wait().unwrap())
        });
        let own = barrier.wait().unwrap();
        let leaders = tasks.map(Task::join).iter().filter(|leads| **leads).count();
        assert_eq!(leaders + usize::from(own), 1);
    });
}

#[test]
fn who_leaves_a_barrier_does_not_count() {
    loom::model(|| {
        let barrier = Arc::new(Barrier::new(2));
        let tasks = [(); 2].map(|()| {
            let barrier = barrier.clone();
            Task::spawn(move || barrier.wait())
        });
        tasks[0].cancel();
        let [canceled, other] = tasks;
        match canceled.join() {
            Ok(leads) => assert_eq!(other.join(), Ok(!leads)),
            Err(_) => {
                let leads = barrier.wait().unwrap();
                assert_eq!(other.join(), Ok(!leads));
            }
        }
    });
}
