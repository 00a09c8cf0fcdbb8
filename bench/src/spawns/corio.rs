//! Spawns on corio.

use super::check;
use crate::measure::{Sample, after_warm_up};
use std::io;

/// Spawns and joins the tasks; see [`Run`](super::Run).
pub fn run(spawns: usize) -> io::Result<Sample> {
    corio::run(|| {
        after_warm_up(spawns.div_ceil(10), spawns, |times| {
            let mut sum = 0;
            for number in 0..times {
                sum += corio::spawn(move || number)?.join()?;
            }
            check(sum, times)
        })
    })?
}
