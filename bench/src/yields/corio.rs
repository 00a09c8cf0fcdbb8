//! Yields on corio.

use super::TASKS;
use crate::measure::{Counts, Sample, after_warm_up};
use corio::{Options, Scheduler};
use std::io;

/// Lets the tasks yield; see [`Run`](super::Run).
pub fn run(yields_each: usize) -> io::Result<Sample> {
    Scheduler::with(Options::default(), |scheduler| {
        after_warm_up(yields_each.div_ceil(10), yields_each, |times| {
            let task = move || (0..times).for_each(|_| corio::yield_now());
            for task in [(); TASKS].map(|()| scheduler.spawn(task)) {
                task?.detach();
            }
            scheduler.run()?;
            Ok(Counts::Nothing)
        })
    })?
}
