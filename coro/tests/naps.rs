//! A scheduler that has no descriptor for its waker naps. Alone: the limit is the process's.
//!
//! Only Unixes limit how many descriptors a process may have.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use corio::aio::backend::Kind;
use corio::aio::{self, op};
use corio::sync::Queue;
use corio::{Options, Scheduler, io};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Sends three messages to a task, each after a while in which it sleeps.
fn is_woken_three_times(scheduler: Scheduler<'_, '_>) {
    let queue = Arc::new(Queue::unbounded());
    let own = queue.clone();
    let task = scheduler.spawn(move || (0..3).map(|_| own.recv().unwrap()).sum::<u32>()).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            for message in [1, 2, 3] {
                thread::sleep(Duration::from_millis(5));
                queue.send(message).unwrap();
            }
        });
        assert_eq!(task.join().unwrap(), 6);
    });
}

#[test]
fn without_a_descriptor_no_wake_is_lost_and_operations_go_on() {
    for &kind in Kind::CANDIDATES {
        let ring = aio::Options { backend: Some(kind), ..aio::Options::DEFAULT };
        if aio::Ring::new(&ring).is_err() {
            continue;
        }
        let options = Options { ring, ..Options::default() };
        let ran = Scheduler::with(options, |scheduler| {
            let limit = getrlimit(Resource::Nofile);
            setrlimit(Resource::Nofile, Rlimit { current: Some(0), ..limit }).unwrap();
            let (start, pause) = (Instant::now(), Duration::from_millis(20));
            let sleeper = scheduler.spawn(move || io::single(op::timeout(pause))).unwrap();
            is_woken_three_times(scheduler);
            sleeper.join().unwrap().unwrap();
            assert!(start.elapsed() >= pause, "{kind}");
            setrlimit(Resource::Nofile, limit).unwrap();
            is_woken_three_times(scheduler);
        });
        ran.unwrap();
    }
}
