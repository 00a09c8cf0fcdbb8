//! `Mutex` and `RwLock`.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Instant;

use corio::Canceled;
use corio::sync::{Mutex, RwLock, WaitError};

use crate::{LATE, SOON, beside, on_each_kind};

#[test]
fn a_mutex_is_free_again_when_its_guard_is_dropped() {
    on_each_kind(|| {
        let mutex = Mutex::new(1);
        *mutex.lock().unwrap() += 1;
        assert_eq!(*mutex.lock().unwrap(), 2);
        assert_eq!(mutex.into_inner(), 2);
    });
}

#[test]
fn a_mutex_can_be_tried_in_vain() {
    let mutex = Mutex::new(1);
    let guard = mutex.try_lock().expect("it is free");
    assert!(mutex.try_lock().is_none());
    assert_eq!(format!("{mutex:?} {guard:?} {guard}"), "Mutex(<locked>) 1 1");
    drop(guard);
    assert_eq!(format!("{mutex:?}"), "Mutex(1)");
}

#[test]
fn a_forgotten_guard_keeps_its_mutex_locked() {
    let mutex = Mutex::new(());
    std::mem::forget(mutex.lock());
    assert!(mutex.try_lock().is_none());
}

#[test]
fn a_lock_of_something_unsized_can_be_shared() {
    let mutex: Arc<Mutex<[i32]>> = Arc::new(Mutex::new([1, 2, 3]));
    mutex.lock().unwrap()[0] = 4;
    assert_eq!(mutex.lock().unwrap().iter().sum::<i32>(), 9);
    let lock: Box<RwLock<dyn Fn() -> i32>> = Box::new(RwLock::new(|| 5));
    assert_eq!(lock.read().unwrap()(), 5);
}

#[test]
fn a_mutex_is_handed_over_in_the_order_of_arrival() {
    let (mutex, order) = (Mutex::new(()), RefCell::new(Vec::new()));
    corio::scope(|s| {
        let guard = mutex.lock().unwrap();
        for n in 0..10 {
            let (mutex, order) = (&mutex, &order);
            s.spawn(move || {
                let _guard = mutex.lock().unwrap();
                order.borrow_mut().push(n);
                corio::yield_now();
            })
            .detach();
        }
        drop(guard);
        assert!(mutex.try_lock().is_none(), "it is the first one's, who has not run yet");
    })
    .unwrap();
    assert_eq!(order.take(), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_canceled_waiter_of_a_mutex_hands_its_turn_on() {
    let mutex = Mutex::new(());
    corio::scope(|s| {
        let guard = mutex.lock().unwrap();
        let canceled = s.spawn(|| mutex.lock().map(drop));
        let other = s.spawn(|| mutex.lock().map(drop));
        canceled.cancel();
        assert_eq!(canceled.join().unwrap(), Err(Canceled));
        assert!(!other.is_complete());
        drop(guard);
        assert_eq!(other.join().unwrap(), Ok(()));
    })
    .unwrap();
}

#[test]
fn a_mutex_that_was_handed_over_is_not_lost_on_who_is_canceled_after_that() {
    let mutex = Mutex::new(());
    corio::scope(|s| {
        let guard = mutex.lock().unwrap();
        let granted = s.spawn(|| mutex.lock().map(drop));
        drop(guard);
        granted.cancel();
        assert_eq!(granted.join().unwrap(), Ok(()));
        assert!(mutex.try_lock().is_some());
    })
    .unwrap();
}

#[test]
fn who_was_asked_to_stop_still_locks_what_is_free() {
    let mutex = Mutex::new(());
    corio::scope(|s| {
        let task = s.spawn(|| {
            assert!(corio::park(0).is_err());
            mutex.lock().map(drop)
        });
        task.cancel();
        assert_eq!(task.join().unwrap(), Ok(()));
    })
    .unwrap();
}

#[test]
fn a_wait_for_a_mutex_ends_at_its_deadline() {
    on_each_kind(|| {
        let mutex = Mutex::new(());
        let guard = mutex.lock().unwrap();
        let start = Instant::now();
        assert_eq!(mutex.lock_timeout(SOON).err(), Some(WaitError::Expired));
        assert_eq!(mutex.lock_until(start + 2 * SOON).err(), Some(WaitError::Expired));
        assert!(start.elapsed() >= 2 * SOON);
        drop(guard);
        assert!(mutex.lock_timeout(SOON).is_ok(), "who gave up has left the queue");
        assert!(mutex.lock_until(start).is_ok(), "what is free is had, however late");
    });
}

#[test]
fn a_mutex_goes_from_a_task_to_a_thread_and_back() {
    let mutex = Mutex::new(0);
    beside(
        |sender| {
            let guard = mutex.lock().unwrap();
            sender.send(()).unwrap();
            while mutex.lock_timeout(SOON).is_ok() {}
            drop(guard);
            while *mutex.lock().unwrap() == 0 {
                corio::yield_now();
            }
            *mutex.lock().unwrap() += 1;
        },
        || *mutex.lock().unwrap() += 1,
    );
    assert_eq!(mutex.into_inner(), 2);
}

#[test]
fn a_lock_stays_usable_when_a_panic_drops_its_guard() {
    let (mutex, lock) = (Mutex::new(0), RwLock::new(0));
    corio::scope(|s| {
        let task = s.spawn(|| {
            let _guards = (mutex.lock().unwrap(), lock.write().unwrap());
            std::panic::resume_unwind(Box::new("on purpose"));
        });
        assert!(task.join().is_err());
    })
    .unwrap();
    assert!(mutex.try_lock().is_some() && lock.try_write().is_some());
}

#[test]
fn readers_share_and_a_writer_is_alone() {
    on_each_kind(|| {
        let lock = RwLock::new(1);
        let readers = (lock.read().unwrap(), lock.read().unwrap());
        assert!(lock.try_write().is_none());
        assert_eq!(*readers.0 + *readers.1, 2);
        drop(readers);
        let mut writer = lock.write().unwrap();
        *writer += 1;
        assert!(lock.try_read().is_none() && lock.try_write().is_none());
        drop(writer);
        assert_eq!(format!("{lock:?}"), "RwLock(2)");
        assert_eq!(lock.into_inner(), 2);
    });
}

#[test]
fn a_reader_that_comes_after_a_writer_waits_behind_it() {
    let (lock, order) = (RwLock::new(()), RefCell::new(Vec::new()));
    corio::scope(|s| {
        let guard = lock.read().unwrap();
        let enter = |who: &'static str| {
            let (lock, order) = (&lock, &order);
            s.spawn(move || {
                match who {
                    "writer" => drop(lock.write().map(|_guard| {
                        order.borrow_mut().push(who);
                        corio::yield_now();
                    })),
                    _ => drop(lock.read().map(|_guard| {
                        order.borrow_mut().push(who);
                        corio::yield_now();
                    })),
                };
                order.borrow_mut().push("left");
            })
            .detach();
        };
        ["writer", "reader", "reader", "writer"].into_iter().for_each(enter);
        assert!(lock.try_read().is_none(), "a writer waits");
        drop(guard);
    })
    .unwrap();
    let expected = ["writer", "left", "reader", "reader", "left", "left", "writer", "left"];
    assert_eq!(order.take(), expected);
}

#[test]
fn readers_go_on_when_the_writer_before_them_gives_up() {
    let lock = RwLock::new(());
    corio::scope(|s| {
        let _guard = lock.read().unwrap();
        let canceled = s.spawn(|| lock.write().map(drop));
        let hasty = s.spawn(|| lock.write_timeout(SOON).map(drop));
        let reader = s.spawn(|| lock.read().map(drop));
        canceled.cancel();
        assert_eq!(canceled.join().unwrap(), Err(Canceled));
        assert_eq!(hasty.join().unwrap(), Err(WaitError::Expired));
        assert_eq!(reader.join().unwrap(), Ok(()));
    })
    .unwrap();
}

#[test]
fn a_wait_for_a_lock_ends_at_its_deadline() {
    on_each_kind(|| {
        let lock = RwLock::new(());
        let guard = lock.write().unwrap();
        let start = Instant::now();
        assert_eq!(lock.read_timeout(SOON).err(), Some(WaitError::Expired));
        assert_eq!(lock.write_timeout(SOON).err(), Some(WaitError::Expired));
        assert_eq!(lock.read_until(start + 3 * SOON).err(), Some(WaitError::Expired));
        assert_eq!(lock.write_until(start + 4 * SOON).err(), Some(WaitError::Expired));
        assert!(start.elapsed() >= 4 * SOON);
        drop(guard);
        assert!(lock.write_timeout(SOON).is_ok());
        assert!(lock.read_until(start).is_ok());
    });
}

#[test]
fn a_lock_goes_between_threads_and_tasks() {
    let (lock, seen) = (RwLock::new(0), AtomicU32::new(0));
    thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                corio::run(|| {
                    for _ in 0..100 {
                        *lock.write().unwrap() += 1;
                        corio::yield_now();
                    }
                })
            });
            threads.spawn(|| {
                while *lock.read_timeout(LATE).unwrap() < 200 {
                    thread::yield_now();
                }
                seen.fetch_add(1, Ordering::Relaxed);
            });
        }
    });
    assert_eq!((lock.into_inner(), seen.into_inner()), (200, 2));
}
