//! Yields: two tasks of one thread let each other run, over and over.

mod corio;
mod may;
mod smol;
mod tokio;

use crate::arguments::Options;
use crate::contest::{self, Series, Setting};
use crate::measure::Sample;
use crate::report::Ratio;
use std::io;

/// The systems that can run beside corio.
pub const RIVALS: &[&str] = &["smol", "may", "tokio"];

/// Rivals are compared with corio.
pub const RATIO: Ratio = Ratio {
    metric: "cpu_ratio_to_corio",
    of: |sample| sample.cpu,
    is_floor: |one, other| one.system == "corio" && one.setting == other.setting,
};

/// How many tasks take turns.
const TASKS: usize = 2;

/// The one setting.
const SETTINGS: [Setting<()>; 1] =
    [Setting { name: "2 tasks", lanes: TASKS, operations: 4_000_000, shape: () }];

/// How a system takes part: each of [`TASKS`] tasks yields so many times.
type Run = fn(yields_each: usize) -> io::Result<Sample>;

/// Runs corio and the rivals through all rounds.
pub fn run(options: &Options) -> io::Result<Vec<Series>> {
    contest::race(
        options,
        &SETTINGS,
        |_| contest::NO_BACKEND.into(),
        |name, _, yields_each| system(name)(yields_each),
    )
}

/// The program of the named system.
fn system(name: &str) -> Run {
    match name {
        "corio" => corio::run,
        "smol" => smol::run,
        "may" => may::run,
        "tokio" => tokio::run,
        _ => unreachable!("the arguments were checked against RIVALS"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tasks_of_each_system_yield_to_their_end() {
        for name in ["corio"].iter().chain(RIVALS) {
            system(name)(100).expect(name);
        }
    }
}
