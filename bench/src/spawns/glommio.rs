//! Spawns on glommio. Its executor refuses where a process may lock less than 512 KiB of memory.

use super::check;
use crate::measure::{Sample, after_warm_up};
use glommio::{LocalExecutorBuilder, spawn_local};
use std::io;

/// Spawns and joins the tasks; see [`Run`](super::Run).
pub fn run(spawns: usize) -> io::Result<Sample> {
    let executor = LocalExecutorBuilder::default().make()?;
    after_warm_up(spawns.div_ceil(10), spawns, |times| {
        let main = async move {
            let mut sum = 0;
            for number in 0..times {
                sum += spawn_local(async move { number }).await;
            }
            sum
        };
        check(executor.run(async { spawn_local(main).await }), times)
    })
}
