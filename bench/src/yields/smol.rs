//! Yields on smol, on its executor for one thread.

use super::TASKS;
use crate::measure::{Counts, Sample, after_warm_up};
use smol::LocalExecutor;
use smol::future::yield_now;
use std::io;

/// Lets the tasks yield; see [`Run`](super::Run).
pub fn run(yields_each: usize) -> io::Result<Sample> {
    let executor = LocalExecutor::new();
    after_warm_up(yields_each.div_ceil(10), yields_each, |times| {
        smol::block_on(executor.run(async {
            let task = || async move {
                for _ in 0..times {
                    yield_now().await;
                }
            };
            for task in [(); TASKS].map(|()| executor.spawn(task())) {
                task.await;
            }
        }));
        Ok(Counts::Nothing)
    })
}
