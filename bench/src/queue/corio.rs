//! Queues of corio, between two schedulers.

use super::{check, is_gone};
use crate::measure::Sample;
use crate::two_threads::{self, Other};
use corio::sync::Queue;
use corio::{Options, Scheduler, Task};
use std::io;

/// Sends and receives the messages; see [`Run`](super::Run).
pub fn run(bound: Option<usize>, tasks: usize, messages_each: usize) -> io::Result<Sample> {
    let queue = bound.map_or_else(Queue::unbounded, Queue::bounded);
    two_threads::run(
        |other| side(other, tasks, messages_each, |times| receive(&queue, times)),
        |other| side(other, tasks, messages_each, |times| send(&queue, times)),
    )
}

/// One of the two threads: so many times `task`, each with so many messages.
fn side(
    other: &Other,
    tasks: usize,
    messages_each: usize,
    task: impl Fn(usize) -> io::Result<usize> + Copy,
) -> io::Result<Sample> {
    Scheduler::with(Options::default(), |scheduler| {
        other.after_warm_up(messages_each.div_ceil(10), messages_each, |times| {
            let running = (0..tasks).map(|_| scheduler.spawn(move || task(times)));
            let running: Vec<Task<'_, _>> = running.collect::<io::Result<_>>()?;
            let mut sum = 0;
            for task in running {
                sum += task.join()??;
            }
            check(sum, tasks, times)
        })
    })?
}

fn send(queue: &Queue<usize>, times: usize) -> io::Result<usize> {
    let mut sum = 0;
    for number in 0..times {
        queue.send(number).map_err(is_gone)?;
        sum += number;
    }
    Ok(sum)
}

fn receive(queue: &Queue<usize>, times: usize) -> io::Result<usize> {
    let mut sum = 0;
    for _ in 0..times {
        sum += queue.recv().map_err(is_gone)?;
    }
    Ok(sum)
}
