//! Spawns on tokio, on the current-thread runtime.

use super::check;
use crate::measure::{Sample, after_warm_up};
use std::io;
use tokio::runtime::Builder;

/// Spawns and joins the tasks; see [`Run`](super::Run).
pub fn run(spawns: usize) -> io::Result<Sample> {
    let runtime = Builder::new_current_thread().build()?;
    after_warm_up(spawns.div_ceil(10), spawns, |times| {
        let main = async move {
            let mut sum = 0;
            for number in 0..times {
                sum += tokio::spawn(async move { number }).await?;
            }
            io::Result::Ok(sum)
        };
        check(runtime.block_on(async { tokio::spawn(main).await? })?, times)
    })
}
