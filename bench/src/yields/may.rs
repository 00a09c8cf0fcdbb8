//! Yields on may: its one worker is a thread beside the measuring one, which only waits.

use super::TASKS;
use crate::measure::{Counts, Sample, after_warm_up};
use may::coroutine::yield_now;
use may::go;
use std::io;

/// Lets the tasks yield; see [`Run`](super::Run).
pub fn run(yields_each: usize) -> io::Result<Sample> {
    // Only before the first task is started does it do anything.
    may::config().set_workers(1);
    after_warm_up(yields_each.div_ceil(10), yields_each, |times| {
        let task = move || (0..times).for_each(|_| yield_now());
        for task in [(); TASKS].map(|()| go!(task)) {
            task.join().map_err(|_| io::Error::other("a task panicked"))?;
        }
        Ok(Counts::Nothing)
    })
}
