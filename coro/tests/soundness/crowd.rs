//! Thousands of tasks, more operations than the ring has entries.

use std::cell::Cell;
use std::time::Duration;

use corio::aio;
use corio::aio::op::{self, Operation};
use corio::{Options, Scheduler, io};

use crate::scene::{pair, write};

#[test]
fn ten_thousand_tasks_with_more_operations_than_entries_all_complete() {
    const TASKS: usize = 10_000;
    let ((ours, theirs), received) = (pair(), Cell::new(0));
    let ring = aio::Options { entries: 8, ..aio::Options::DEFAULT };
    Scheduler::with(Options { ring, stack_size: 32 * 1024, ..Options::default() }, |scheduler| {
        let tasks: Vec<_> = (0..TASKS)
            .map(|number| {
                let (ours, received) = (&ours, &received);
                let task = scheduler.spawn(move || {
                    let mut buf = [0; 1];
                    let pause = op::timeout(Duration::from_micros(number as u64 % 1000));
                    let (_, n) = io::multi((pause, op::recv(ours, &mut buf))).unwrap();
                    received.set(received.get() + n);
                    (number, buf)
                });
                task.unwrap()
            })
            .collect();
        let feeder = scheduler.spawn(|| {
            for _ in 0..TASKS {
                io::single(op::send(&theirs, &[9])).unwrap();
            }
        });
        for (number, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.join().unwrap(), (number, [9]));
        }
        feeder.unwrap().join().unwrap();
    })
    .unwrap();
    assert_eq!(received.get(), TASKS);
}

#[test]
fn a_thousand_canceled_tasks_all_end() {
    let (ours, theirs) = pair();
    corio::scope(|s| {
        let tasks: Vec<_> =
            (0..1000).map(|_| s.spawn(|| io::single(op::recv(&ours, vec![0; 8])))).collect();
        s.cancel();
        for task in tasks {
            assert!(task.join().unwrap().unwrap_err().is_canceled());
        }
    })
    .unwrap();
    write(&theirs, b"nobody listens");
}

#[test]
fn a_batch_of_more_operations_than_entries_completes() {
    let ring = aio::Options { entries: 4, ..aio::Options::DEFAULT };
    let options = Options { ring, ..Options::default() };
    Scheduler::with(options, |scheduler| {
        let task = scheduler.spawn(|| {
            let timeouts: Vec<_> =
                (0..1000).map(|n| op::timeout(Duration::from_nanos(n))).collect();
            io::multi(timeouts).unwrap().len()
        });
        assert_eq!(task.unwrap().join().unwrap(), 1000);
        let too_long = io::complete((
            op::nop().soft(),
            op::nop().soft(),
            op::nop().soft(),
            op::nop().soft(),
            op::nop().soft(),
            op::nop().soft(),
            op::nop().soft(),
            op::nop().soft(),
            op::nop().soft(),
            op::nop(),
        ));
        assert!(too_long.is_err_and(|error| error.cause() == aio::Cause::Full));
    })
    .unwrap();
}
