//! Schedulers on several threads: where closures go, and how all of it ends.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::cell::Cell;
use std::collections::HashSet;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use corio::aio::backend::Kind;
use corio::aio::op;
use corio::{
    JoinError, Runtime, RuntimeOptions, SpawnOptions, handle, io, run, spawn, worker_index,
    yield_now,
};

mod system;

const FOREVER: Duration = Duration::from_secs(3600);
const LONG: Duration = Duration::from_secs(30);

fn runtime(threads: usize) -> Runtime {
    let patience = Duration::from_millis(50);
    Runtime::new(RuntimeOptions { threads, patience, ..RuntimeOptions::default() }).unwrap()
}

fn sleep(duration: Duration) {
    // A cancel ends it early.
    let _ = io::single(op::timeout(duration));
}

#[test]
fn closures_run_on_the_workers_and_their_results_come_back_to_tasks_and_threads() {
    let runtime = runtime(2);
    assert_eq!((runtime.threads(), worker_index()), (2, None));
    let spawner = runtime.handle();
    let from_task = runtime.spawn(move || {
        let tasks: Vec<_> = (0..100).map(|n| spawner.spawn(move || n * 2)).collect();
        tasks.into_iter().map(|task| task.join().unwrap()).sum::<i32>()
    });
    assert_eq!(from_task.join().unwrap(), 9900);
    for index in 0..2 {
        let name = format!("corio-{index}");
        let on_it = runtime.spawn_on(index, move || {
            assert_eq!(thread::current().name(), Some(&*name));
            worker_index()
        });
        assert_eq!(run(|| on_it.join()).unwrap().unwrap(), Some(index));
    }
    let each = runtime.spawn_on_each(|index| Some(index) == worker_index());
    assert!(each.into_iter().all(|task| task.join().unwrap()));
}

#[test]
fn what_waits_behind_a_long_computation_is_taken_by_another_worker() {
    let runtime = runtime(2);
    let gate = Arc::new(AtomicBool::new(false));
    for blocked in 0..2 {
        gate.store(false, Ordering::Release);
        let (held, at_gate) = (gate.clone(), mpsc::channel());
        let blocker = runtime.spawn_on(blocked, move || {
            at_gate.0.send(()).unwrap();
            while !held.load(Ordering::Acquire) {
                thread::sleep(Duration::from_millis(1)); // blocks the worker, and not only the task
            }
        });
        at_gate.1.recv().unwrap();
        let tasks: Vec<_> = (0..200).map(|_| runtime.spawn(worker_index)).collect();
        for task in tasks {
            assert_eq!(task.join().unwrap(), Some(1 - blocked));
        }
        gate.store(true, Ordering::Release);
        blocker.join().unwrap();
    }
}

#[test]
fn what_a_task_sends_before_it_computes_for_long_is_taken_by_another_worker() {
    let runtime = runtime(2);
    for _ in 0..20 {
        let spawner = runtime.handle();
        let busy = runtime.spawn(move || {
            let tasks: Vec<_> = (0..10).map(|_| spawner.spawn(|| ())).collect();
            let deadline = Instant::now() + LONG;
            while !tasks.iter().all(|task| task.is_complete()) && Instant::now() < deadline {
                thread::yield_now(); // computes, and lets no other task of this thread run
            }
            Instant::now() < deadline
        });
        assert!(busy.join().unwrap());
    }
}

#[test]
fn no_worker_sleeps_while_closures_wait_10000_times() {
    let runtime = runtime(2);
    for round in 0..10_000 {
        assert_eq!(runtime.spawn(move || round).join().unwrap(), round);
    }
}

#[test]
fn a_panic_of_a_task_leaves_its_worker_alone() {
    let runtime = runtime(1);
    let panics = runtime.spawn(|| std::panic::resume_unwind(Box::new("on purpose")));
    assert!(matches!(panics.join(), Err::<(), _>(JoinError::Panicked(_))));
    let nested = runtime.spawn(|| {
        spawn(|| std::panic::resume_unwind(Box::new("detached"))).unwrap().detach();
        1
    });
    assert_eq!(nested.join().unwrap(), 1);
    assert_eq!(runtime.spawn(|| 2).join().unwrap(), 2);
    let report = runtime.shutdown(LONG);
    assert_eq!(*report.panic.unwrap().downcast::<&str>().unwrap(), "detached");
}

#[test]
fn thread_locals_are_those_of_the_worker_from_a_tasks_start_to_its_end() {
    thread_local!(static SEEN: Cell<usize> = const { Cell::new(0) });
    let runtime = runtime(2);
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            runtime.spawn(|| {
                let (index, id) = (worker_index(), thread::current().id());
                for _ in 0..10 {
                    let before = SEEN.get();
                    SEEN.set(before + 1);
                    yield_now();
                    assert!(SEEN.get() > before);
                    assert_eq!((index, id), (worker_index(), thread::current().id()));
                }
            })
        })
        .collect();
    tasks.into_iter().for_each(|task| task.join().unwrap());
    let sums = runtime.spawn_on_each(|_| SEEN.get());
    assert_eq!(sums.into_iter().map(|sum| sum.join().unwrap()).sum::<usize>(), 500);
}

#[test]
fn a_shutdown_drains_then_cancels_and_reports_both() {
    let runtime = runtime(2);
    let (started, all_started) = mpsc::channel();
    let spawn = |duration| {
        let started = started.clone();
        runtime.spawn(move || {
            started.send(()).unwrap();
            sleep(duration);
        })
    };
    let short: Vec<_> = (0..6).map(|_| spawn(Duration::from_millis(20))).collect();
    let long: Vec<_> = (0..4).map(|_| spawn(FOREVER)).collect();
    (0..10).for_each(|_| all_started.recv().unwrap());
    let (refused, late) = (runtime.handle(), runtime.handle());
    let before = Instant::now();
    let report = runtime.shutdown(Duration::from_millis(500));
    assert!(before.elapsed() >= Duration::from_millis(500));
    assert_eq!((report.ended, report.canceled, report.not_started), (6, 4, 0));
    assert!(report.stragglers.is_empty() && report.panic.is_none());
    assert!(short.into_iter().chain(long).all(|task| task.join().is_ok()));
    assert!(refused.is_closed());
    assert!(matches!(late.spawn(|| ()).join(), Err(JoinError::Lost)));
}

#[test]
fn nothing_is_lost_before_the_runtime_says_that_it_is_closed() {
    for _ in 0..10 {
        // So many that closing them takes a while.
        let runtime = runtime(32);
        let (handle, (started, is_started)) = (runtime.handle(), mpsc::channel());
        let sender = thread::spawn(move || {
            loop {
                let task = handle.spawn_on(0, || ());
                let _ = started.send(());
                if !task.is_complete() {
                    task.detach();
                } else if matches!(task.join(), Err(JoinError::Lost)) {
                    return handle.is_closed();
                }
            }
        });
        is_started.recv().unwrap();
        drop(runtime.shutdown(LONG));
        assert!(sender.join().unwrap());
    }
}

#[test]
fn a_shutdown_with_nothing_to_do_does_not_wait_and_one_that_drains_ends_with_its_last_task() {
    let before = Instant::now();
    drop(runtime(2).shutdown(LONG));
    let busy = runtime(2);
    let task = busy.spawn(|| sleep(Duration::from_millis(30)));
    let report = busy.shutdown(LONG);
    assert_eq!(report.canceled, 0);
    assert!(task.is_complete() && before.elapsed() < LONG);
}

#[test]
fn what_was_not_started_when_the_time_is_up_is_dropped_and_its_handle_says_so() {
    let runtime = runtime(1);
    let (sent, at_work) = mpsc::channel();
    let worker = runtime.spawn(move || {
        sent.send(()).unwrap();
        thread::sleep(Duration::from_millis(100)); // blocks the only worker
    });
    at_work.recv().unwrap();
    let unstarted: Vec<_> = (0..5).map(|_| runtime.spawn(|| ())).collect();
    let report = runtime.shutdown(Duration::ZERO);
    assert_eq!(report.not_started, 5);
    assert!(report.stragglers.iter().any(|straggler| straggler.spawned_at.is_none()));
    worker.join().unwrap();
    assert!(unstarted.into_iter().all(|task| matches!(task.join(), Err(JoinError::Lost))));
}

#[test]
fn who_ignores_a_cancel_is_named_and_waited_for() {
    let runtime = runtime(1);
    let (sent, at_work) = mpsc::channel();
    let stubborn = runtime.spawn_with(SpawnOptions::new().name("stubborn"), move || {
        sent.send(()).unwrap();
        let until = Instant::now() + Duration::from_millis(300);
        while Instant::now() < until {
            sleep(Duration::from_millis(1));
            yield_now();
        }
        "done"
    });
    at_work.recv().unwrap();
    let report = runtime.shutdown(Duration::ZERO);
    assert_eq!(report.canceled, 1);
    let names: Vec<_> = report.stragglers.iter().map(|it| it.name.as_deref()).collect();
    assert_eq!(names, [Some("stubborn")]);
    assert!(report.stragglers[0].spawned_at.unwrap().file().ends_with("runtime.rs"));
    assert_eq!(stubborn.join().unwrap(), "done");
}

#[test]
fn what_a_canceled_task_leaves_behind_is_canceled_as_well() {
    let options = RuntimeOptions { threads: 1, patience: FOREVER, ..RuntimeOptions::default() };
    let runtime = Runtime::new(options).unwrap();
    let (sender, started) = mpsc::channel();
    let task = runtime.spawn(move || {
        sender.send(()).unwrap();
        sleep(FOREVER);
        spawn(|| {
            spawn(|| sleep(FOREVER)).unwrap().detach();
            sleep(FOREVER);
        })
        .unwrap()
        .detach();
    });
    started.recv().unwrap();
    let report = runtime.shutdown(Duration::ZERO);
    assert_eq!((report.canceled, report.stragglers.len()), (1, 0));
    task.join().unwrap();
}

#[test]
fn a_runtime_that_is_dropped_cancels_its_tasks_and_waits_for_them() {
    let runtime = runtime(2);
    let ended = Arc::new(AtomicUsize::new(0));
    let (sent, started) = mpsc::channel();
    for _ in 0..10 {
        let (ended, sent) = (ended.clone(), sent.clone());
        let task = runtime.spawn(move || {
            sent.send(()).unwrap();
            sleep(FOREVER);
            ended.fetch_add(1, Ordering::Relaxed);
        });
        task.detach();
    }
    (0..10).for_each(|_| started.recv().unwrap());
    drop(runtime);
    assert_eq!(ended.load(Ordering::Relaxed), 10);
}

#[test]
fn tasks_are_sent_woken_and_canceled_on_the_other_backends_too() {
    // The first one is what all others of these tests run on.
    for &kind in &Kind::CANDIDATES[1..] {
        let mut options = RuntimeOptions { threads: 2, ..RuntimeOptions::default() };
        options.scheduler.ring.backend = Some(kind);
        let runtime = Runtime::new(options).unwrap();
        let sleeper = runtime.spawn(|| io::single(op::timeout(FOREVER)).is_err());
        for round in 0..100 {
            assert_eq!(runtime.spawn(move || round).join().unwrap(), round);
        }
        assert_eq!(runtime.shutdown(Duration::ZERO).canceled, 1);
        assert!(sleeper.join().unwrap());
    }
}

#[test]
fn a_task_of_the_runtime_may_shut_it_down_and_does_not_wait_for_itself() {
    let runtime = runtime(2);
    let handle = runtime.handle();
    let other = handle.spawn(|| sleep(FOREVER));
    let task = handle.spawn(move || drop(runtime));
    task.join().unwrap();
    other.join().unwrap();
}

#[test]
fn a_task_elsewhere_waits_for_the_shutdown_while_others_run() {
    let runtime = runtime(1);
    let task = runtime.spawn(|| sleep(Duration::from_millis(50)));
    let turns = run(|| {
        let turns = std::rc::Rc::new(Cell::new(0));
        let own = turns.clone();
        let counter = spawn(move || {
            while !corio::current().unwrap().is_complete() && own.get() < 5 {
                sleep(Duration::from_millis(1));
                own.set(own.get() + 1);
            }
        });
        let before = Instant::now();
        drop(runtime.shutdown(LONG));
        assert!(task.is_complete() && before.elapsed() < LONG);
        counter.unwrap().join().unwrap();
        turns.get()
    });
    assert_eq!(turns.unwrap(), 5);
}

#[test]
fn a_handle_of_one_worker_sends_to_that_one_only() {
    let runtime = runtime(2);
    let handles: Vec<_> = runtime
        .spawn_on_each(|index| (index, handle().unwrap()))
        .into_iter()
        .map(|task| task.join().unwrap())
        .collect();
    for (index, handle) in handles {
        let places: HashSet<_> =
            (0..50).map(|_| handle.spawn(worker_index).join().unwrap()).collect();
        assert_eq!(places, HashSet::from([Some(index)]));
    }
}

#[test]
fn pinned_workers_stay_where_they_are() {
    let options = RuntimeOptions { threads: 3, pin: true, ..RuntimeOptions::default() };
    let runtime = Runtime::new(options);
    if system::processors().is_none() {
        assert_eq!(runtime.unwrap_err().kind(), ErrorKind::Unsupported);
        return;
    }
    let runtime = runtime.unwrap();
    let pinned = runtime.spawn_on_each(|_| system::processors());
    let pinned = pinned.into_iter().map(|task| task.join().unwrap());
    assert!(pinned.into_iter().all(|count| count == Some(1)), "each has one processor");
}
