//! Blocks on tokio: a task for each lane, on the current-thread runtime, and its threads for the
//! calls that block.

use super::{Access, WARM_UP, numbers, plain};
use crate::measure::{Counts, Sample, after_warm_up};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

/// Does the work; see [`Run`](super::Run).
pub fn run(path: &Path, access: Access, lanes: usize, each: usize) -> io::Result<Sample> {
    let file = Arc::new(OpenOptions::new().read(true).write(true).open(path)?);
    let runtime = Builder::new_current_thread().build()?;
    after_warm_up(each.div_ceil(WARM_UP), each, |times| {
        all_lanes(&runtime, &file, access, lanes, times)
    })
}

fn all_lanes(
    runtime: &Runtime,
    file: &Arc<File>,
    access: Access,
    lanes: usize,
    times: usize,
) -> io::Result<Counts> {
    runtime.block_on(async {
        let spawn = |number| tokio::spawn(lane(file.clone(), access, number, times));
        let tasks: Vec<_> = (0..lanes).map(spawn).collect();
        for task in tasks {
            task.await??;
        }
        Ok(Counts::Nothing)
    })
}

async fn lane(file: Arc<File>, access: Access, number: usize, times: usize) -> io::Result<()> {
    for number in numbers(number).take(times) {
        let file = file.clone();
        tokio::task::spawn_blocking(move || plain::once(&file, access, number)).await??;
    }
    Ok(())
}
