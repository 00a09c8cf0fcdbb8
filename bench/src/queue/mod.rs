//! Queues between two threads, a scheduler each: tasks on one send numbers, tasks on the other
//! receive them.

mod async_channel;
mod corio;
mod flume;
mod tokio;

use crate::arguments::Options;
use crate::contest::{self, Series, Setting};
use crate::measure::{Counts, Sample};
use crate::report::Ratio;
use crate::two_threads::Other;
use ::tokio::runtime::Builder;
use std::future::Future;
use std::io;

/// The systems that can run beside corio; `async-channel` and `flume` are used on tokio's runtimes.
pub const RIVALS: &[&str] = &["tokio", "flume", "async-channel"];

/// Systems are compared with tokio; by the wall, because it is their throughput that counts.
pub const RATIO: Ratio = Ratio {
    metric: "wall_ratio_to_tokio",
    of: |sample| sample.wall,
    is_floor: |one, other| one.system == "tokio" && one.setting == other.setting,
};

/// How many messages a bounded queue has room for.
const BOUND: usize = 256;

/// The settings: how many tasks send, and as many receive; and what the queue has room for.
const SETTINGS: [Setting<Option<usize>>; 4] = [
    Setting { name: "1:1, bounded", lanes: 1, operations: 1_000_000, shape: Some(BOUND) },
    Setting { name: "4:4, bounded", lanes: 4, operations: 1_000_000, shape: Some(BOUND) },
    Setting { name: "1:1, unbounded", lanes: 1, operations: 1_000_000, shape: None },
    Setting { name: "4:4, unbounded", lanes: 4, operations: 1_000_000, shape: None },
];

/// How a system takes part: so many tasks of this thread receive, each so many messages, what as
/// many tasks of another thread send.
type Run = fn(bound: Option<usize>, tasks: usize, messages_each: usize) -> io::Result<Sample>;

/// Runs corio and the rivals through all settings and rounds.
pub fn run(options: &Options) -> io::Result<Vec<Series>> {
    contest::race(
        options,
        &SETTINGS,
        |_| contest::NO_BACKEND.into(),
        |name, setting, each| system(name)(setting.shape, setting.lanes, each),
    )
}

/// The program of the named system.
fn system(name: &str) -> Run {
    match name {
        "corio" => corio::run,
        "tokio" => tokio::run,
        "flume" => flume::run,
        "async-channel" => async_channel::run,
        _ => unreachable!("the arguments were checked against RIVALS"),
    }
}

/// Holds a thread of a system to its work: the numbers from 0 to below `messages_each`, as many times
/// as there are tasks, have this sum.
fn check(sum: usize, tasks: usize, messages_each: usize) -> io::Result<Counts> {
    if sum == tasks * (0..messages_each).sum::<usize>() {
        return Ok(Counts::Nothing);
    }
    Err(io::Error::other(format!("the messages have the sum {sum}")))
}

/// One of the two threads, on tokio's current-thread runtime: so many times what `task` makes, each
/// to send or receive so many messages and to yield their sum.
fn on_tokio<F: Future<Output = io::Result<usize>> + Send + 'static>(
    other: &Other,
    tasks: usize,
    messages_each: usize,
    task: impl Fn(usize) -> F,
) -> io::Result<Sample> {
    let runtime = Builder::new_current_thread().build()?;
    other.after_warm_up(messages_each.div_ceil(10), messages_each, |times| {
        runtime.block_on(async {
            let running: Vec<_> = (0..tasks).map(|_| ::tokio::spawn(task(times))).collect();
            let mut sum = 0;
            for task in running {
                sum += task.await??;
            }
            check(sum, tasks, times)
        })
    })
}

/// A queue whose other end is gone.
fn is_gone<E>(_: E) -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_arrives_on_each_system_in_each_setting() {
        for setting in SETTINGS {
            for name in ["corio"].iter().chain(RIVALS) {
                system(name)(setting.shape, setting.lanes, 1_000).expect(name);
            }
        }
    }

    #[test]
    fn a_message_that_is_missing_is_noticed() {
        assert!(check(2 * (1 + 2), 2, 3).is_ok());
        assert!(check(2 * (1 + 2) - 1, 2, 3).is_err());
    }
}
