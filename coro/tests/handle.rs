//! Closures that other threads send to a scheduler, and tasks that are waited for as futures.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use corio::aio::op;
use corio::sync::Queue;
use corio::{
    Handle, JoinError, JoinHandle, Options, Scheduler, SpawnOptions, block_on, handle, io, run,
    scope, spawn, yield_now,
};

const FOREVER: Duration = Duration::from_secs(3600);

/// Runs a scheduler on a thread of its own, as long as its handle is used by `f`.
fn with_scheduler<R>(f: impl FnOnce(Handle) -> R) -> R {
    let (send, receive) = mpsc::channel();
    thread::scope(|threads| {
        threads.spawn(move || {
            run(|| {
                send.send(handle().unwrap()).unwrap();
                // It sleeps until it is canceled by who has the handle.
                let _ = corio::park(0);
            })
        });
        let handle: Handle = receive.recv().unwrap();
        let result = f(handle.clone());
        let stopped = handle.spawn(|| {
            corio::tasks().iter().for_each(|task| task.task.cancel());
        });
        stopped.join().unwrap();
        result
    })
}

/// How many calls of the OS a scheduler makes that answers another one 1,000 times, where both look
/// for mail for so long before they sleep.
fn calls_of_a_conversation(spin: Duration) -> u64 {
    let options = Options { spin, ..Options::default() };
    let (there, back) = (Queue::bounded(1), Queue::bounded(1));
    let count = |work: &dyn Fn()| {
        Scheduler::with(options, |scheduler| {
            scheduler.spawn(work).unwrap().join().unwrap();
            scheduler.traffic().calls
        })
    };
    thread::scope(|threads| {
        threads.spawn(|| {
            count(&|| {
                while let Ok(number) = there.recv() {
                    back.send(number).unwrap();
                }
            })
        });
        let calls = count(&|| {
            for number in 0..1_000 {
                there.send(number).unwrap();
                assert_eq!(back.recv(), Ok(number));
            }
            there.close();
        });
        calls.unwrap()
    })
}

#[test]
fn what_comes_while_a_scheduler_looks_for_it_takes_no_call() {
    let is_alone = thread::available_parallelism().unwrap().get() == 1;
    assert_eq!(calls_of_a_conversation(Duration::from_secs(10)) == 0, !is_alone);
    assert!(calls_of_a_conversation(Duration::ZERO) > 0);
}

#[test]
fn what_another_thread_sends_runs_as_a_task_and_its_result_comes_back() {
    with_scheduler(|handle| {
        let name = "sent".to_owned();
        let options = SpawnOptions::new().name("visitor");
        let joined = handle
            .spawn_with(options, move || {
                io::single(op::timeout(Duration::from_millis(1))).unwrap();
                (name, corio::current().unwrap().name(), thread::current().id())
            })
            .join()
            .unwrap();
        assert_eq!((&*joined.0, joined.1.as_deref()), ("sent", Some("visitor")));
        assert_ne!(joined.2, thread::current().id());
    });
}

#[test]
fn no_wakeup_is_lost_when_a_scheduler_sleeps_10000_times() {
    with_scheduler(|handle| {
        let count = Arc::new(AtomicUsize::new(0));
        for round in 0..10_000 {
            let count = count.clone();
            // It sleeps again after each: the next one is sent when this one has ended.
            let before = handle.spawn(move || count.fetch_add(1, Ordering::Relaxed)).join();
            assert_eq!(before.unwrap(), round);
        }
    });
}

#[test]
fn many_threads_send_at_once_and_all_is_run_once() {
    with_scheduler(|handle| {
        let sum = Arc::new(AtomicUsize::new(0));
        thread::scope(|threads| {
            for _ in 0..4 {
                let (handle, sum) = (handle.clone(), sum.clone());
                threads.spawn(move || {
                    let send = |n| {
                        let sum = sum.clone();
                        handle.spawn(move || {
                            yield_now();
                            sum.fetch_add(n, Ordering::Relaxed);
                        })
                    };
                    let sent: Vec<JoinHandle<()>> = (0..1000).map(send).collect();
                    sent.into_iter().for_each(|task| task.join().unwrap());
                });
            }
        });
        assert_eq!(sum.load(Ordering::Relaxed), 4 * 499_500);
    });
}

#[test]
fn a_panic_comes_out_of_the_handle_and_leaves_the_scheduler_alone() {
    with_scheduler(|handle| {
        let task = handle.spawn(|| std::panic::resume_unwind(Box::new("on purpose")));
        let Err(JoinError::Panicked(payload)) = task.join() else { panic!("it did not panic") };
        assert_eq!(*payload.downcast::<&str>().unwrap(), "on purpose");
        assert_eq!(handle.spawn(|| 1).join().unwrap(), 1);
    });
}

#[test]
fn a_cancel_from_another_thread_reaches_the_task() {
    with_scheduler(|handle| {
        let (send, receive) = mpsc::channel();
        let task = handle.spawn(move || {
            send.send(()).unwrap();
            io::single(op::timeout(FOREVER)).unwrap_err().to_string()
        });
        receive.recv().unwrap();
        assert!(!task.is_complete());
        task.cancel();
        assert!(task.join().unwrap().contains("canceled"));
    });
}

#[test]
fn what_is_canceled_before_it_was_started_is_dropped_and_never_runs() {
    with_scheduler(|handle| {
        let (go, gate) = mpsc::channel::<()>();
        let blocker = handle.spawn(move || gate.recv());
        let owned = Arc::new(());
        let watched = Arc::downgrade(&owned);
        let task = handle.spawn(move || {
            drop(owned);
            unreachable!("it was canceled");
        });
        task.cancel();
        assert!(watched.upgrade().is_none() && task.is_complete());
        assert!(matches!(task.join(), Err(JoinError::Canceled)));
        go.send(()).unwrap();
        blocker.join().unwrap().unwrap();
    });
}

#[test]
fn a_scheduler_ends_when_its_tasks_have_and_says_so_to_who_sends_more() {
    let kept = run(|| handle().unwrap()).unwrap();
    assert!(kept.is_closed());
    let owned = Arc::new(());
    let watched = Arc::downgrade(&owned);
    let task = kept.spawn(move || drop(owned));
    assert!(watched.upgrade().is_none());
    assert!(matches!(task.join(), Err(JoinError::Lost)));
}

#[test]
fn what_was_sent_before_the_end_is_started() {
    let (sent, ran) = (40, Arc::new(AtomicUsize::new(0)));
    let tasks = run(|| {
        let handle = handle().unwrap();
        let send = |_| {
            let ran = ran.clone();
            handle.spawn(move || {
                yield_now();
                ran.fetch_add(1, Ordering::Relaxed)
            })
        };
        (0..sent).map(send).collect::<Vec<_>>()
    });
    assert_eq!(ran.load(Ordering::Relaxed), sent);
    assert!(tasks.unwrap().into_iter().all(|task| task.join().is_ok()));
}

#[test]
fn what_was_sent_to_a_scope_that_panics_is_dropped_and_its_handle_says_so() {
    let kept = RefCell::new(None);
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        Scheduler::with(Options::default(), |scheduler| {
            *kept.borrow_mut() = Some(scheduler.handle().spawn(|| ()));
            std::panic::resume_unwind(Box::new("on purpose"));
        })
    }));
    assert!(panic.is_err());
    assert!(matches!(kept.take().unwrap().join(), Err(JoinError::Lost)));
}

#[test]
fn while_a_handle_is_there_waiting_tasks_are_no_deadlock_and_then_they_are() {
    let (send, receive) = mpsc::channel();
    let waker = thread::spawn(move || {
        let handle: Handle = receive.recv().unwrap();
        thread::sleep(Duration::from_millis(20));
        let sent = handle.spawn(|| {
            let tasks = corio::tasks();
            tasks.iter().filter(|task| task.task.wakeup()).count()
        });
        assert_eq!(sent.join().unwrap(), 1);
        handle
    });
    run(|| {
        send.send(handle().unwrap()).unwrap();
        corio::park(1).unwrap();
    })
    .unwrap();
    drop(waker.join().unwrap());

    let (send, receive) = mpsc::channel::<Handle>();
    let dropper = thread::spawn(move || {
        let handle = receive.recv().unwrap();
        thread::sleep(Duration::from_millis(20));
        drop(handle);
    });
    let outcome = run(|| {
        send.send(handle().unwrap()).unwrap();
        corio::park(1).unwrap_err();
    });
    assert_eq!(outcome.unwrap_err().kind(), std::io::ErrorKind::Deadlock);
    dropper.join().unwrap();
}

#[test]
fn a_task_that_is_canceled_while_it_joins_passes_that_on_and_gets_the_true_result() {
    with_scheduler(|other| {
        let started = Arc::new(Mutex::new(None::<mpsc::Sender<()>>));
        let (send, receive) = mpsc::channel();
        *started.lock().unwrap() = Some(send);
        let task = other.spawn(move || {
            drop(started.lock().unwrap().take());
            io::single(op::timeout(FOREVER)).is_err()
        });
        assert!(receive.recv().is_err(), "it has begun");
        let was_canceled = scope(|s| {
            let joiner = s.spawn(|| task.join().unwrap());
            joiner.cancel();
            joiner.join().unwrap()
        });
        assert!(was_canceled.unwrap());
    });
}

#[test]
fn a_join_of_who_can_not_go_on_meanwhile_says_so() {
    run(|| {
        let outer = handle().unwrap();
        let task = outer.spawn(|| ());
        let joined = run(|| task.join()).unwrap();
        assert!(matches!(joined, Err(JoinError::Unreachable)));
        let (sent, spawned) = (outer.spawn(|| ()), spawn(yield_now).unwrap());
        let polled = run(|| block_on(sent).unwrap()).unwrap();
        assert!(matches!(polled, Err(JoinError::Unreachable)));
        let polled = run(|| block_on(spawned).unwrap()).unwrap();
        assert!(matches!(polled, Err(JoinError::Unreachable)));
    })
    .unwrap();
}

#[test]
fn a_handle_of_a_task_is_a_future_on_any_thread() {
    with_scheduler(|handle| {
        let task = handle.spawn(|| {
            io::single(op::timeout(Duration::from_millis(2))).unwrap();
            7
        });
        assert_eq!(block_on(task).unwrap().unwrap(), 7);
        let task = handle.spawn(|| 8);
        assert_eq!(run(|| block_on(task)).unwrap().unwrap().unwrap(), 8);
    });
}

#[test]
fn a_task_is_a_future_of_its_scheduler() {
    let order = Rc::new(RefCell::new(Vec::new()));
    let seen = order.clone();
    run(move || {
        let note = |n| {
            let order = order.clone();
            move || {
                for _ in 0..n {
                    yield_now();
                }
                order.borrow_mut().push(n);
                n
            }
        };
        let (slow, fast) = (spawn(note(5)).unwrap(), spawn(note(1)).unwrap());
        let sum = block_on(async { slow.await.unwrap() + fast.await.unwrap() });
        assert_eq!(sum.unwrap(), 6);
    })
    .unwrap();
    assert_eq!(*seen.borrow(), [1, 5]);
}

#[test]
fn a_future_of_a_task_wakes_whoever_polled_it_last_and_may_be_dropped() {
    run(|| {
        let ended = Rc::new(Cell::new(false));
        let note = ended.clone();
        let task = spawn(move || {
            yield_now();
            note.set(true);
        })
        .unwrap();
        let mut task = Some(task);
        // It is polled once, and then dropped: the task goes on without it.
        block_on(poll_fn(|context| {
            let task = pin!(task.take().unwrap());
            assert!(task.poll(context).is_pending());
            Poll::Ready(())
        }))
        .unwrap();
        while !ended.get() {
            yield_now();
        }
        let panics = spawn(|| std::panic::resume_unwind(Box::new(3))).unwrap();
        let Err(JoinError::Panicked(payload)) = block_on(panics).unwrap() else { panic!() };
        assert_eq!(*payload.downcast::<i32>().unwrap(), 3);
    })
    .unwrap();
}
