//! Closures on the threads of a pool, which may borrow from who waits for them.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use corio::aio::op;
use corio::{Canceled, JoinError, PoolOptions, ThreadPool, blocking, io, run, scope};

fn pool(max_threads: usize) -> ThreadPool {
    ThreadPool::new(PoolOptions {
        max_threads,
        name: "tested".into(),
        keep_alive: Duration::from_millis(20),
    })
}

/// A gate that closures on a pool wait at.
#[derive(Default)]
struct Gate(Mutex<bool>, Condvar);

impl Gate {
    fn pass(&self) {
        drop(self.1.wait_while(self.0.lock().unwrap(), |is_open| !*is_open).unwrap());
    }

    fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }
}

#[test]
fn a_closure_runs_on_a_named_thread_and_borrows_from_the_task() {
    let pool = pool(2);
    let call = || {
        let mut text = String::from("borrowed");
        let here = thread::current().id();
        let name = pool.yield_for_completion(|_| {
            text.push_str(" and changed");
            assert_ne!(here, thread::current().id());
            thread::current().name().map(str::to_owned)
        });
        assert_eq!(name.unwrap().as_deref(), Some("tested"));
        text
    };
    assert_eq!(call(), "borrowed and changed", "from a plain thread");
    assert_eq!(run(call).unwrap(), "borrowed and changed", "from a task");
    assert_eq!(scope(|_| call()).unwrap(), "borrowed and changed", "from beside the tasks");
}

#[test]
fn while_a_closure_blocks_the_other_tasks_run() {
    let gate = Gate::default();
    scope(|s| {
        let waits = s.spawn(|| blocking(|| gate.pass()));
        s.spawn(|| gate.open()).join().unwrap();
        waits.join().unwrap().unwrap();
    })
    .unwrap();
}

#[test]
fn a_panic_of_the_closure_comes_out_of_the_call() {
    let panics = || {
        let caught = catch_unwind(AssertUnwindSafe(|| blocking(|| resume_unwind(Box::new(5)))));
        assert_eq!(*caught.unwrap_err().downcast::<i32>().unwrap(), 5);
    };
    panics();
    run(panics).unwrap();
    assert_eq!(blocking(|| 1), Ok(1), "the threads go on");
}

#[test]
fn a_cancel_takes_back_what_was_not_started_and_waits_for_what_was() {
    let (pool, gate) = (pool(1), Gate::default());
    let is_started = AtomicBool::new(false);
    scope(|s| {
        let runs = s.spawn(|| {
            pool.yield_for_completion(|token| {
                is_started.store(true, Ordering::Release);
                gate.pass();
                token.is_canceled()
            })
        });
        while !is_started.load(Ordering::Acquire) {
            io::single(op::timeout(Duration::from_millis(1))).unwrap();
        }
        let waits = s.spawn(|| pool.yield_for_completion(|_| unreachable!("it was taken back")));
        waits.cancel();
        assert_eq!(waits.join().unwrap(), Err::<(), _>(Canceled));
        runs.cancel();
        corio::yield_now();
        assert!(!runs.is_complete(), "the closure borrows, and has not ended");
        gate.open();
        assert_eq!(runs.join().unwrap(), Ok(true));
    })
    .unwrap();
}

#[test]
fn a_task_that_was_canceled_before_the_call_does_not_start_it() {
    let called = scope(|s| {
        let task = s.spawn(|| {
            corio::yield_now();
            blocking(|| unreachable!("the task was canceled"))
        });
        task.cancel();
        task.join().unwrap()
    });
    assert_eq!(called.unwrap(), Err::<(), _>(Canceled));
}

#[test]
fn a_spawned_closure_is_joined_canceled_or_left_alone() {
    let (pool, gate) = (pool(1), Arc::new(Gate::default()));
    let (passes, at_gate) = (gate.clone(), mpsc::channel());
    let runs = pool.spawn_for_completion(move |token| {
        at_gate.0.send(()).unwrap();
        passes.pass();
        token.is_canceled()
    });
    at_gate.1.recv().unwrap();
    let unstarted = pool.spawn_for_completion(|_| unreachable!("it was canceled"));
    unstarted.cancel();
    assert!(matches!(unstarted.join(), Err::<(), _>(JoinError::Canceled)));
    let (send, receive) = mpsc::channel();
    pool.spawn_for_completion(move |_| send.send(1)).detach();
    runs.cancel();
    gate.open();
    assert!(runs.join().unwrap());
    assert_eq!(receive.recv(), Ok(1));
}

#[test]
fn a_pool_that_is_dropped_drops_what_was_not_started_and_lets_the_rest_end() {
    let (pool, gate) = (pool(1), Arc::new(Gate::default()));
    let (passes, at_gate) = (gate.clone(), mpsc::channel());
    let runs = pool.spawn_for_completion(move |_| {
        at_gate.0.send(()).unwrap();
        passes.pass();
    });
    at_gate.1.recv().unwrap();
    let lost = pool.spawn_for_completion(|_| unreachable!("the pool was dropped"));
    drop(pool);
    assert!(matches!(lost.join(), Err::<(), _>(JoinError::Lost)));
    gate.open();
    runs.join().unwrap();
}

#[test]
fn a_pool_has_as_many_threads_as_it_has_work_for_and_no_more_than_it_may() {
    let (pool, most, busy) = (pool(3), AtomicUsize::new(0), AtomicUsize::new(0));
    let ids = Mutex::new(std::collections::HashSet::new());
    scope(|s| {
        for _ in 0..30 {
            s.spawn(|| {
                pool.yield_for_completion(|_| {
                    ids.lock().unwrap().insert(thread::current().id());
                    most.fetch_max(busy.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(1));
                    busy.fetch_sub(1, Ordering::SeqCst);
                })
            })
            .detach();
        }
    })
    .unwrap();
    assert_eq!((most.load(Ordering::SeqCst), ids.into_inner().unwrap().len()), (3, 3));
}

#[test]
fn a_thread_without_work_ends() {
    let pool = pool(1);
    let id = || pool.yield_for_completion(|_| thread::current().id()).unwrap();
    let (first, deadline) = (id(), Instant::now() + Duration::from_secs(20));
    while id() == first {
        assert!(Instant::now() < deadline, "it waits for work for 20 ms only");
        thread::sleep(Duration::from_millis(60));
    }
}

#[test]
fn where_a_thread_unwinds_the_closure_runs_on_it() {
    struct Blocks;
    impl Drop for Blocks {
        fn drop(&mut self) {
            let (mut value, here) = (0, thread::current().id());
            let ran_here = blocking(|| {
                value = 1;
                here == thread::current().id()
            });
            assert_eq!((ran_here, value), (Ok(true), 1));
        }
    }
    let unwinds = || -> std::io::Result<()> {
        run(|| {
            let _blocks = Blocks;
            resume_unwind(Box::new("on purpose"))
        })
    };
    let payload = catch_unwind(unwinds).unwrap_err();
    assert_eq!(*payload.downcast::<&str>().unwrap(), "on purpose");
}

#[test]
fn calls_from_many_threads_and_tasks_all_come_back() {
    let (pool, sum) = (pool(4), AtomicUsize::new(0));
    thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                let task = || {
                    for n in 0..100 {
                        let added = pool.yield_for_completion(|_| n + 1).unwrap();
                        sum.fetch_add(added, Ordering::Relaxed);
                    }
                };
                scope(|s| (0..10).for_each(|_| s.spawn(task).detach())).unwrap();
            });
        }
    });
    assert_eq!(sum.into_inner(), 3 * 10 * 5050);
}
