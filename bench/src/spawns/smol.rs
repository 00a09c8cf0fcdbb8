//! Spawns on smol, on its executor for one thread.

use super::check;
use crate::measure::{Sample, after_warm_up};
use smol::LocalExecutor;
use std::io;
use std::rc::Rc;

/// Spawns and joins the tasks; see [`Run`](super::Run).
pub fn run(spawns: usize) -> io::Result<Sample> {
    let executor = Rc::new(LocalExecutor::new());
    after_warm_up(spawns.div_ceil(10), spawns, |times| {
        let spawner = executor.clone();
        let main = executor.spawn(async move {
            let mut sum = 0;
            for number in 0..times {
                sum += spawner.spawn(async move { number }).await;
            }
            sum
        });
        check(smol::block_on(executor.run(main)), times)
    })
}
