//! Sleeps: many tasks sleep at once, a millisecond each time, on each backend in turn.

use crate::arguments::Options;
use crate::contest::{self, Series};
use crate::measure::{Counts, Sample, after_warm_up};
use crate::ping_pong::corio::counts;
use crate::report::Ratio;
use corio::aio::backend::Kind;
use corio::aio::{self, op};
use corio::{Scheduler, Task};
use std::io;
use std::time::{Duration, Instant};

/// Backends are compared with io_uring.
pub const RATIO: Ratio = Ratio {
    metric: "cpu_ratio_to_uring",
    of: |sample| sample.cpu,
    is_floor: |one, _| one.backend == Kind::Uring.name(),
};

/// Tasks that sleep.
const TASKS: usize = 10_000;

/// Sleeps of each task.
const SLEEPS_EACH: usize = 10;

/// How long a sleep takes.
const SLEEP: Duration = Duration::from_millis(1);

/// Runs corio on each backend in turn, and all rounds.
pub fn run(options: &Options) -> io::Result<Vec<Series>> {
    let sleeps = options.round_trips.map_or(TASKS * SLEEPS_EACH, usize::from);
    let tasks = sleeps.div_ceil(SLEEPS_EACH);
    let series = Kind::CANDIDATES
        .iter()
        .map(|kind| Series::new("1 ms", "corio", kind.name().into(), tasks * SLEEPS_EACH));
    let mut heats = [series.collect()];
    contest::interleave(&mut heats, options, |series| {
        let kind = Kind::CANDIDATES.iter().copied().find(|kind| kind.name() == series.backend);
        once(kind.expect("a series is made from a kind"), tasks)
    })?;
    Ok(heats.into_iter().flatten().collect())
}

/// Lets `tasks` tasks sleep on a backend.
fn once(kind: Kind, tasks: usize) -> io::Result<Sample> {
    let ring = aio::Options { backend: Some(kind), ..aio::Options::DEFAULT };
    let options = corio::Options { ring, ..corio::Options::default() };
    Scheduler::with(options, |scheduler| {
        after_warm_up(1, SLEEPS_EACH, |times| all(scheduler, &kind, tasks, times))
    })?
}

/// Lets `tasks` tasks sleep `times` times each.
fn all<'scope>(
    scheduler: Scheduler<'scope, '_>,
    kind: &Kind,
    tasks: usize,
    times: usize,
) -> io::Result<Counts> {
    let before = scheduler.traffic();
    let sleeping = (0..tasks).map(|_| scheduler.spawn(move || sleep(times)));
    let sleeping: Vec<Task<'scope, _>> = sleeping.collect::<io::Result<_>>()?;
    for task in sleeping {
        task.join()??;
    }
    Ok(counts(kind, before, scheduler.traffic()))
}

/// Sleeps `times` times; it is a failure to wake up early.
fn sleep(times: usize) -> io::Result<()> {
    for _ in 0..times {
        let start = Instant::now();
        corio::io::single(op::timeout(SLEEP))?;
        if start.elapsed() < SLEEP {
            return Err(io::Error::other(format!("it woke up after {:?}", start.elapsed())));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_backend_lets_all_tasks_sleep() {
        for &kind in Kind::CANDIDATES {
            let sample = once(kind, 100).expect("nobody wakes up early");
            assert!(sample.wall >= SLEEP * SLEEPS_EACH as u32, "{kind}");
            // A timeout that stands alone is a deadline of the ring's, and no entry of a queue.
            if let Counts::Ring { sqes, cqes, .. } = sample.counts {
                assert_eq!((sqes, cqes), (0, 0));
            }
        }
    }
}
