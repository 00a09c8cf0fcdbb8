//! Spawns on monoio, on io_uring.

use super::check;
use crate::measure::{Sample, after_warm_up};
use monoio::{IoUringDriver, RuntimeBuilder};
use std::io;

/// Spawns and joins the tasks; see [`Run`](super::Run).
pub fn run(spawns: usize) -> io::Result<Sample> {
    let mut runtime = RuntimeBuilder::<IoUringDriver>::new().build()?;
    after_warm_up(spawns.div_ceil(10), spawns, |times| {
        let main = async move {
            let mut sum = 0;
            for number in 0..times {
                sum += monoio::spawn(async move { number }).await;
            }
            sum
        };
        check(runtime.block_on(async { monoio::spawn(main).await }), times)
    })
}
