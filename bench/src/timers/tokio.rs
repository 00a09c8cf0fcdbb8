//! Timers on tokio, on the current-thread runtime: sleeping tasks, or one set of sleeps.

use super::{Waiter, check, durations};
use crate::measure::{Counts, Sample, after_warm_up};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::io;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;
use tokio::task::unconstrained;
use tokio::time::sleep;

/// Sets the timers and waits for them; see [`Run`](super::Run).
pub fn run(waiter: Waiter, timers: usize) -> io::Result<Sample> {
    let runtime = Builder::new_current_thread().enable_time().build()?;
    after_warm_up(timers, timers, |times| match waiter {
        Waiter::TaskEach => runtime.block_on(tasks(times)),
        // A set asks all sleeps again that tokio's budget for a poll has put off: as many times as
        // there are budgets in the set.
        Waiter::OneLoop => runtime.block_on(unconstrained(one_loop(times))),
    })
}

/// Each timer is a task.
async fn tasks(times: usize) -> io::Result<Counts> {
    let tasks: Vec<_> = durations(times).map(|each| tokio::spawn(timer(each))).collect();
    for task in tasks {
        task.await??;
    }
    Ok(Counts::Nothing)
}

/// All timers are in one set.
async fn one_loop(times: usize) -> io::Result<Counts> {
    let mut timers: FuturesUnordered<_> = durations(times).map(timer).collect();
    while let Some(expired) = timers.next().await {
        expired?;
    }
    Ok(Counts::Nothing)
}

/// One timer.
async fn timer(duration: Duration) -> io::Result<()> {
    let start = Instant::now();
    sleep(duration).await;
    check(start, duration)
}
