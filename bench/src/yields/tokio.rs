//! Yields on tokio, on the current-thread runtime.

use super::TASKS;
use crate::measure::{Counts, Sample, after_warm_up};
use std::io;
use tokio::runtime::Builder;
use tokio::task::yield_now;

/// Lets the tasks yield; see [`Run`](super::Run).
pub fn run(yields_each: usize) -> io::Result<Sample> {
    let runtime = Builder::new_current_thread().build()?;
    after_warm_up(yields_each.div_ceil(10), yields_each, |times| {
        runtime.block_on(async {
            let task = || async move {
                for _ in 0..times {
                    yield_now().await;
                }
            };
            for task in [(); TASKS].map(|()| tokio::spawn(task())) {
                task.await?;
            }
            Ok(Counts::Nothing)
        })
    })
}
