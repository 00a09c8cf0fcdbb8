//! Nothing relies on a destructor: what is forgotten leaks at most until its scope ends.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use corio::aio::op;
use corio::{JoinError, Options, Scheduler, Task, io};

use crate::scene::{OnDrop, pair, write};

#[test]
fn the_result_of_a_forgotten_task_is_dropped_when_its_scope_ends() {
    let result = Rc::new(());
    corio::scope(|s| {
        std::mem::forget(s.spawn(|| result.clone()));
        let later = s.spawn(|| {
            corio::yield_now();
            result.clone()
        });
        std::mem::forget(later);
        assert_eq!(Rc::strong_count(&result), 2);
    })
    .unwrap();
    assert_eq!(Rc::strong_count(&result), 1);
}

#[test]
fn a_scope_waits_for_forgotten_tasks_with_operations_in_flight() {
    let ((ours, theirs), mut buf) = (pair(), [0; 4]);
    corio::scope(|s| {
        let task = s.spawn(|| {
            std::mem::forget(OnDrop(|| panic!("nobody drops it")));
            io::single(op::recv(&ours, &mut buf))
        });
        std::mem::forget((task.task(), corio::current(), task));
        write(&theirs, b"here");
    })
    .unwrap();
    assert_eq!(&buf, b"here");
}

#[test]
fn a_dropped_task_is_detached_and_its_scope_waits_for_it() {
    let (result, ended) = (Rc::new(()), Cell::new(false));
    corio::scope(|s| {
        drop(s.spawn(|| {
            io::single(op::timeout(std::time::Duration::from_millis(1))).unwrap();
            ended.set(true);
            result.clone()
        }));
        assert!(!ended.get());
    })
    .unwrap();
    assert_eq!((ended.get(), Rc::strong_count(&result)), (true, 1));
}

#[test]
fn the_result_of_a_detached_task_is_dropped_when_it_ends() {
    let result = Rc::new(());
    corio::scope(|s| {
        s.spawn(|| {
            corio::yield_now();
            result.clone()
        })
        .detach();
        corio::yield_now();
        assert_eq!(Rc::strong_count(&result), 1);
        let ended = s.spawn(|| result.clone());
        assert_eq!(Rc::strong_count(&result), 2);
        ended.detach();
        assert_eq!(Rc::strong_count(&result), 1);
    })
    .unwrap();
}

#[test]
fn what_a_task_owns_and_yields_is_dropped_once() {
    let drops = Cell::new(0);
    let count = || OnDrop(|| drops.set(drops.get() + 1));
    corio::scope(|s| {
        let (captured, local) = (count(), count());
        let task = s.spawn(move || {
            let (_captured, _local) = (captured, local);
            corio::yield_now();
            count()
        });
        let result = task.join().unwrap();
        assert_eq!(drops.get(), 2);
        drop(result);
    })
    .unwrap();
    assert_eq!(drops.get(), 3);
}

#[test]
fn a_task_of_static_life_may_outlive_its_scheduler_as_a_number() {
    thread_local! {
        static KEPT: RefCell<Vec<Task<'static, String>>> = const { RefCell::new(Vec::new()) };
    }
    corio::run(|| {
        for _ in 0..3 {
            let task = corio::spawn(|| {
                corio::yield_now();
                "a result".to_owned()
            });
            KEPT.with_borrow_mut(|kept| kept.push(task.unwrap()));
        }
    })
    .unwrap();
    let stale = KEPT.with_borrow_mut(|kept| kept.pop().unwrap());
    assert!(stale.is_complete() && !stale.wakeup());
    stale.cancel();
    assert!(matches!(stale.join(), Err(JoinError::Unreachable)));
    corio::run(|| {
        let stale = KEPT.with_borrow_mut(|kept| kept.pop().unwrap());
        assert!(matches!(stale.join(), Err(JoinError::Unreachable)));
        drop(KEPT.take());
    })
    .unwrap();
}

#[test]
fn tasks_keep_what_they_borrow_from_outside_and_share_it() {
    let (sum, mut numbers) = (Cell::new(0), [1, 2, 3, 4]);
    corio::scope(|s| {
        let (head, tail) = numbers.split_at_mut(2);
        for half in [head, tail] {
            let sum = &sum;
            s.spawn(move || {
                for number in half {
                    sum.set(sum.get() + *number);
                    corio::yield_now();
                    *number = 0;
                }
            })
            .detach();
        }
    })
    .unwrap();
    assert_eq!((sum.get(), numbers), (10, [0; 4]));
}

#[test]
fn a_result_that_spawns_when_it_is_dropped_is_waited_for() {
    let ended = Cell::new(0);
    corio::scope(|s| {
        for _ in 0..3 {
            let (s, ended) = (s, &ended);
            let task = s.spawn(move || {
                OnDrop(move || {
                    s.spawn(|| {
                        corio::yield_now();
                        ended.set(ended.get() + 1);
                    })
                    .detach();
                })
            });
            std::mem::forget(task);
        }
    })
    .unwrap();
    assert_eq!(ended.get(), 3);
}

#[test]
fn a_scheduler_waits_for_what_nobody_ran() {
    let ended = Cell::new(false);
    Scheduler::with(Options::default(), |scheduler| {
        let task = scheduler.spawn(|| {
            io::single(op::timeout(std::time::Duration::from_micros(10))).unwrap();
            ended.set(true);
        });
        std::mem::forget(task);
    })
    .unwrap();
    assert!(ended.get());
}
