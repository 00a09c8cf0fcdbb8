//! Wakes: two threads, a scheduler each, play ping-pong with one message, so that each one that
//! receives it was asleep.

mod corio;
mod tokio;

use crate::arguments::Options;
use crate::contest::{self, Series, Setting};
use crate::measure::Sample;
use crate::report::Ratio;
use std::io;

/// The systems that can run beside corio.
pub const RIVALS: &[&str] = &["tokio"];

/// Systems are compared with tokio; by the wall, because it is their latency that counts.
pub const RATIO: Ratio = Ratio {
    metric: "wall_ratio_to_tokio",
    of: |sample| sample.wall,
    is_floor: |one, other| one.system == "tokio" && one.setting == other.setting,
};

/// The one setting; an operation is a round trip, which is two wakes.
const SETTINGS: [Setting<()>; 1] =
    [Setting { name: "round trip", lanes: 1, operations: 50_000, shape: () }];

/// How a system takes part: a message goes there and comes back, so many times.
type Run = fn(round_trips: usize) -> io::Result<Sample>;

/// Runs corio and the rivals through all rounds.
pub fn run(options: &Options) -> io::Result<Vec<Series>> {
    contest::race(
        options,
        &SETTINGS,
        |name| system(name).0,
        |name, _, round_trips| system(name).1(round_trips),
    )
}

/// The backend and the program of the named system.
fn system(name: &str) -> (String, Run) {
    match name {
        "corio" => (crate::ping_pong::backend_of_corio(), corio::run),
        "tokio" => ("epoll".into(), tokio::run),
        _ => unreachable!("the arguments were checked against RIVALS"),
    }
}

/// A queue whose other end is gone.
fn is_gone<E>(_: E) -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_goes_there_and_comes_back_on_each_system() {
        for name in ["corio"].iter().chain(RIVALS) {
            system(name).1(100).expect(name);
        }
    }
}
