//! Blocks on corio: a task for each lane.

use super::{Access, BLOCK, WARM_UP, block, check, numbers};
use crate::measure::{Counts, Sample, after_warm_up};
use crate::ping_pong::corio::counts;
use corio::aio::backend::backend;
use corio::aio::{Cwd, op};
use corio::{Options, Scheduler, Task};
use std::fs::File;
use std::io;
use std::path::Path;

/// Does the work; see [`Run`](super::Run).
pub fn run(path: &Path, access: Access, lanes: usize, each: usize) -> io::Result<Sample> {
    Scheduler::with(Options::default(), |scheduler| {
        let file = corio::io::single(op::open_at(Cwd, path).read_write().overlapped())?;
        after_warm_up(each.div_ceil(WARM_UP), each, |times| {
            all_lanes(scheduler, &file, access, lanes, times)
        })
    })?
}

fn all_lanes(
    scheduler: Scheduler<'_, '_>,
    file: &File,
    access: Access,
    lanes: usize,
    times: usize,
) -> io::Result<Counts> {
    let before = scheduler.traffic();
    corio::scope(|s| {
        let tasks: Vec<Task<'_, io::Result<()>>> =
            (0..lanes).map(|number| s.spawn(move || lane(file, access, number, times))).collect();
        tasks.into_iter().try_for_each(|task| task.join()?)
    })??;
    Ok(counts(&backend()?, before, scheduler.traffic()))
}

fn lane(file: &File, access: Access, number: usize, times: usize) -> io::Result<()> {
    let mut room = [0; BLOCK];
    for number in numbers(number).take(times) {
        let at = number * BLOCK as u64;
        let n = match access {
            Access::Read => corio::io::single(op::read(file, &mut room).at(at))?,
            Access::Write => {
                room = block(number);
                corio::io::single(op::write(file, &room).at(at))?
            }
        };
        check(number, n, &room)?;
    }
    Ok(())
}
