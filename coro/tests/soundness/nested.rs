//! Schedulers inside of tasks, scopes inside of scopes, threads side by side.

use std::cell::Cell;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use corio::aio::op::{self, Operation};
use corio::{Canceled, JoinError, Options, ResetEvent, Scheduler, io};

use crate::scene::{OnDrop, pair};

#[test]
fn a_scope_in_a_task_in_a_scope_waits_for_its_own_tasks_only() {
    let (sum, never) = (Cell::new(0), ResetEvent::new());
    corio::scope(|s| {
        let waiting = s.spawn(|| never.wait());
        let task = s.spawn(|| {
            let local = Cell::new(0);
            corio::scope(|s| {
                for number in 1..=3 {
                    let local = &local;
                    s.spawn(move || {
                        corio::yield_now();
                        local.set(local.get() + number);
                    })
                    .detach();
                }
            })
            .unwrap();
            sum.set(local.get());
        });
        task.join().unwrap();
        assert!(!waiting.is_complete());
        never.set();
        assert_eq!(waiting.join().unwrap(), Ok(()));
    })
    .unwrap();
    assert_eq!(sum.get(), 6);
}

#[test]
fn a_run_inside_of_a_task_is_a_scheduler_of_its_own_while_whose_run_the_outer_one_stands_still() {
    let turns = Cell::new(0);
    corio::scope(|s| {
        let other = s.spawn(|| {
            while corio::park(0).is_ok() {
                turns.set(turns.get() + 1);
            }
        });
        let name = other.task();
        let turns = &turns;
        let task = s.spawn(move || {
            let outer = corio::current();
            name.wakeup();
            let inner = corio::run(|| {
                io::single(op::timeout(Duration::from_millis(1))).unwrap();
                corio::yield_now();
                let nested = corio::run(|| corio::spawn(|| 1).unwrap().join().unwrap());
                (nested.unwrap(), corio::current())
            });
            let (one, inner) = inner.unwrap();
            assert!(inner != outer && inner.is_some());
            assert_eq!((one, corio::current(), turns.get()), (1, outer, 0));
            corio::yield_now();
            assert_eq!(turns.get(), 1);
        });
        task.join().unwrap();
        other.cancel();
    })
    .unwrap();
}

#[test]
fn tasks_can_be_spawned_on_an_outer_scope_from_within_an_inner_run() {
    let ((a, b), ended) = (pair(), Cell::new(0));
    corio::scope(|s| {
        let task = s.spawn(|| {
            corio::run(|| {
                s.spawn(|| {
                    let mut buf = [0; 8];
                    assert_eq!(io::single(op::recv(&a, &mut buf)), Ok(4));
                    ended.set(ended.get() + 1);
                })
                .detach();
                assert_eq!(s.spawn(|| 5).join().unwrap(), 5);
                assert_eq!(io::single(op::send(&b, b"here")), Ok(4));
                io::single(op::timeout(Duration::from_millis(1))).unwrap();
                assert_eq!(ended.get(), 0);
            })
        });
        task.join().unwrap().unwrap();
    })
    .unwrap();
    assert_eq!(ended.get(), 1);
}

#[test]
fn a_join_across_schedulers_is_refused_and_the_result_is_not_lost_track_of() {
    corio::scope(|s| {
        let (waiting, done) = (s.spawn(|| corio::park(1)), s.spawn(|| 5));
        let name = waiting.task();
        let task = s.spawn(move || {
            corio::run(|| {
                assert!(matches!(waiting.join(), Err(JoinError::Unreachable)));
                done.join().unwrap()
            })
        });
        assert_eq!(task.join().unwrap().unwrap(), 5);
        assert!(name.wakeup());
    })
    .unwrap();
}

#[test]
fn outer_tasks_can_be_woken_and_canceled_from_within_an_inner_run() {
    let (a, _b) = pair();
    corio::scope(|s| {
        let parked = s.spawn(|| corio::park(1));
        let canceled = s.spawn(|| corio::park(1));
        let receiving = s.spawn(|| io::single(op::recv(&a, vec![0; 8])).is_err());
        let event = ResetEvent::new();
        let event = &*Box::leak(Box::new(event));
        let waiting = s.spawn(|| event.wait());
        let names = (parked.task(), canceled.task(), receiving.task());
        let task = s.spawn(move || {
            corio::run(|| {
                assert!(names.0.wakeup_if(1));
                names.1.cancel();
                names.2.cancel();
                event.set();
                corio::yield_now();
                assert!(!names.0.is_complete());
            })
        });
        task.join().unwrap().unwrap();
        assert_eq!((parked.join().unwrap(), canceled.join().unwrap()), (Ok(()), Err(Canceled)));
        assert_eq!((receiving.join().unwrap(), waiting.join().unwrap()), (true, Ok(())));
    })
    .unwrap();
}

#[test]
fn a_run_inside_of_the_closure_of_a_scope_is_a_scheduler_of_its_own() {
    corio::scope(|s| {
        let parked = s.spawn(|| corio::park(1));
        assert!(corio::run(|| corio::current().is_some()).unwrap());
        assert!(parked.wakeup());
        assert_eq!(parked.join().unwrap(), Ok(()));
    })
    .unwrap();
}

#[test]
fn a_panic_of_an_inner_run_leaves_the_outer_scheduler_in_place() {
    corio::scope(|s| {
        let task = s.spawn(|| {
            let before = corio::current();
            let panic = std::panic::catch_unwind(|| corio::run(|| crate::scene::unwind("inner")));
            assert!(panic.is_err());
            io::single(op::timeout(Duration::from_micros(1))).unwrap();
            before == corio::current()
        });
        assert!(task.join().unwrap());
    })
    .unwrap();
    assert_eq!(corio::current(), None);
}

#[test]
fn schedulers_on_two_threads_do_not_see_each_other() {
    let ((a, b), both) = (pair(), Barrier::new(2));
    let play = |socket: &crate::system::Stream, is_first: bool| {
        corio::scope(|s| {
            let task = s.spawn(|| {
                both.wait();
                let mut buf = [0; 8];
                for _ in 0..1000 {
                    if is_first {
                        let batch = (op::send(socket, b"ball").soft(), op::recv(socket, &mut buf));
                        io::multi(batch).unwrap();
                    } else {
                        io::single(op::recv(socket, &mut buf)).unwrap();
                        io::single(op::send(socket, b"ball")).unwrap();
                    }
                }
            });
            let spinning = s.spawn(|| corio::park(0));
            task.join().unwrap();
            spinning.cancel();
        })
        .unwrap();
    };
    thread::scope(|threads| {
        threads.spawn(|| play(&a, true));
        threads.spawn(|| play(&b, false));
    });
}

#[test]
fn a_scheduler_runs_while_the_values_of_a_thread_are_destroyed() {
    type Late = OnDrop<Box<dyn FnMut()>>;
    thread_local! {
        static LATE: Cell<Option<Late>> = const { Cell::new(None) };
    }
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = thread::spawn(move || {
        LATE.set(Some(OnDrop(Box::new(move || {
            let answer = corio::run(|| {
                io::single(op::timeout(Duration::from_micros(1))).unwrap();
                corio::spawn(|| 42).unwrap().join().unwrap()
            });
            sender.send(answer.unwrap()).unwrap();
        }))));
        corio::run(|| io::single(op::nop())).unwrap().unwrap();
    });
    thread.join().unwrap();
    assert_eq!(receiver.recv(), Ok(42));
}

#[test]
fn the_code_outside_of_all_tasks_waits_for_its_own_operations() {
    let ((a, b), mut buf) = (pair(), [0; 8]);
    corio::scope(|s| {
        s.spawn(|| {
            corio::yield_now();
            for _ in 0..10 {
                io::single(op::timeout(Duration::from_micros(10))).unwrap();
                io::multi([op::nop(), op::nop()]).unwrap();
            }
            io::single(op::send(&b, b"at last")).unwrap();
        })
        .detach();
        assert_eq!(io::single(op::recv(&a, &mut buf)), Ok(7));
    })
    .unwrap();
    assert_eq!(&buf[..7], b"at last");
}

#[test]
fn the_code_outside_of_all_tasks_completes_operations_while_tasks_run() {
    let (a, b) = pair();
    Scheduler::with(Options::default(), |scheduler| {
        let task = scheduler.spawn(|| {
            let mut buf = [0; 8];
            io::multi((op::recv(&a, &mut buf).soft(), op::send(&a, b"pong"))).unwrap()
        });
        let mut buf = [0; 8];
        let batch = (op::send(&b, b"ping").soft(), op::recv(&b, &mut buf));
        assert_eq!(io::multi(batch), Ok((4, 4)));
        assert_eq!(task.unwrap().join().unwrap(), (4, 4));
    })
    .unwrap();
}
