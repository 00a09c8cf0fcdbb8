//! Timers on corio: sleeping tasks, or one queue of timeouts.

use super::{Waiter, check, durations};
use crate::measure::{Counts, Sample, after_warm_up};
use crate::ping_pong::corio::counts;
use corio::aio::backend::backend;
use corio::aio::op::{self, Operation};
use corio::aio::{Dynamic, Mode};
use corio::{Options, Scheduler};
use std::io;
use std::time::{Duration, Instant};

/// Sets the timers and waits for them; see [`Run`](super::Run).
pub fn run(waiter: Waiter, timers: usize) -> io::Result<Sample> {
    match waiter {
        Waiter::TaskEach => Scheduler::with(Options::default(), |scheduler| {
            after_warm_up(timers, timers, |times| tasks(scheduler, times))
        })?,
        Waiter::OneLoop => {
            let mut queue = Dynamic::new(timers)?;
            after_warm_up(timers, timers, |times| one_loop(&mut queue, times))
        }
    }
}

/// Each timer is a task.
fn tasks(scheduler: Scheduler<'_, '_>, times: usize) -> io::Result<Counts> {
    let before = scheduler.traffic();
    let sleep = |duration| {
        scheduler.spawn(move || {
            let start = Instant::now();
            corio::io::single(op::timeout(duration))?;
            check(start, duration)
        })
    };
    let tasks: Vec<_> = durations(times).map(sleep).collect::<io::Result<_>>()?;
    for task in tasks {
        task.join()??;
    }
    Ok(counts(&backend()?, before, scheduler.traffic()))
}

/// All timers are in one queue.
fn one_loop(queue: &mut Dynamic, times: usize) -> io::Result<Counts> {
    let start = Instant::now();
    for duration in durations(times) {
        let deadline = start.elapsed() + duration;
        let timer = op::timeout(duration).userdata(deadline.as_nanos() as u64);
        queue.queue(timer)?.detach(queue);
    }
    let mut left = times;
    while left > 0 {
        let expired = queue.complete(Mode::Blocking)?;
        left -= expired.len();
        for done in expired {
            if done.failed {
                return Err(io::Error::other("a timer failed"));
            }
            check(start, Duration::from_nanos(done.userdata))?;
        }
    }
    Ok(Counts::Nothing)
}
