//! Spawns: a task spawns one that returns at once, and joins it, over and over.

mod corio;
mod glommio;
mod monoio;
mod smol;
mod tokio;

use crate::arguments::Options;
use crate::contest::{self, Series, Setting};
use crate::measure::{Counts, Sample};
use crate::report::Ratio;
use std::io;

/// The systems that can run beside corio.
pub const RIVALS: &[&str] = &["glommio", "smol", "monoio", "tokio"];

/// Rivals are compared with corio.
pub const RATIO: Ratio = crate::yields::RATIO;

/// The one setting.
const SETTINGS: [Setting<()>; 1] =
    [Setting { name: "one by one", lanes: 1, operations: 1_000_000, shape: () }];

/// How a system takes part: a task spawns and joins so many others, all on one thread. Each returns
/// its number, for [`check`].
type Run = fn(spawns: usize) -> io::Result<Sample>;

/// Runs corio and the rivals through all rounds.
pub fn run(options: &Options) -> io::Result<Vec<Series>> {
    contest::race(
        options,
        &SETTINGS,
        |_| contest::NO_BACKEND.into(),
        |name, _, spawns| system(name)(spawns),
    )
}

/// The program of the named system.
fn system(name: &str) -> Run {
    match name {
        "corio" => corio::run,
        "glommio" => glommio::run,
        "smol" => smol::run,
        "monoio" => monoio::run,
        "tokio" => tokio::run,
        _ => unreachable!("the arguments were checked against RIVALS"),
    }
}

/// Holds a system to its work: the numbers from 0 to below `times` have this sum.
fn check(sum: usize, times: usize) -> io::Result<Counts> {
    if sum == (0..times).sum() {
        return Ok(Counts::Nothing);
    }
    Err(io::Error::other(format!("{times} tasks returned {sum} together")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tasks_of_each_system_are_joined() {
        for name in ["corio"].iter().chain(RIVALS) {
            system(name)(100).expect(name);
        }
    }

    #[test]
    fn a_task_that_is_missing_is_noticed() {
        assert!(check(3, 3).is_ok());
        assert!(check(1, 3).is_err());
    }
}
