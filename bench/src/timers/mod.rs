//! Timers: a million at once, each with a random deadline; none expires early.

mod corio;
mod tokio;

use crate::arguments::Options;
use crate::contest::{self, Series, Setting};
use crate::measure::Sample;
use crate::ping_pong::backend_of_corio;
use crate::report::Ratio;
use std::io;
use std::time::{Duration, Instant};

/// The systems that can run beside corio.
pub const RIVALS: &[&str] = &["tokio"];

/// Systems are compared with tokio.
pub const RATIO: Ratio = Ratio {
    metric: "cpu_ratio_to_tokio",
    of: |sample| sample.cpu,
    is_floor: |one, other| one.system == "tokio" && one.setting == other.setting,
};

/// Who waits for the timers.
#[derive(Clone, Copy, Debug)]
enum Waiter {
    /// Each is a task that sleeps.
    TaskEach,
    /// One loop has all of them, and takes them as they expire.
    OneLoop,
}

/// The settings: who waits for the timers.
const SETTINGS: [Setting<Waiter>; 2] = [
    Setting { name: "a task each", lanes: 1, operations: 1_000_000, shape: Waiter::TaskEach },
    Setting { name: "one loop", lanes: 1, operations: 1_000_000, shape: Waiter::OneLoop },
];

/// The timers expire within this time.
const LONGEST: Duration = Duration::from_secs(1);

/// How a system takes part: so many timers are set and waited for, twice, the second time under the
/// clocks: what a timer takes is measured, and not what memory does that is touched first.
type Run = fn(Waiter, timers: usize) -> io::Result<Sample>;

/// Runs corio and the rivals through both settings and all rounds.
pub fn run(options: &Options) -> io::Result<Vec<Series>> {
    contest::race(
        options,
        &SETTINGS,
        |name| system(name).0,
        |name, setting, timers| system(name).1(setting.shape, timers),
    )
}

/// The backend and the program of the named system.
fn system(name: &str) -> (String, Run) {
    match name {
        "corio" => (backend_of_corio(), corio::run),
        "tokio" => ("epoll".into(), tokio::run),
        _ => unreachable!("the arguments were checked against RIVALS"),
    }
}

/// How long the timers take: random, but the same in each run of each system.
fn durations(timers: usize) -> impl Iterator<Item = Duration> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let random = move || {
        // Marsaglia's xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Some(Duration::from_nanos(state % LONGEST.as_nanos() as u64))
    };
    std::iter::from_fn(random).take(timers)
}

/// Holds a system to its timers: this one was set at `start`, and has expired.
fn check(start: Instant, duration: Duration) -> io::Result<()> {
    let elapsed = start.elapsed();
    if elapsed >= duration {
        return Ok(());
    }
    Err(io::Error::other(format!("a timer of {duration:?} expired after {elapsed:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_waits_for_all_timers_and_none_is_early() {
        for setting in SETTINGS {
            for name in ["corio"].iter().chain(RIVALS) {
                let sample = system(name).1(setting.shape, 1_000).expect(name);
                let longest = durations(1_000).max().expect("there are timers");
                assert!(sample.wall >= longest, "{name}: {:?}", sample.wall);
            }
        }
    }

    #[test]
    fn an_early_timer_is_noticed() {
        assert!(check(Instant::now(), Duration::ZERO).is_ok());
        assert!(check(Instant::now(), LONGEST).is_err());
    }

    #[test]
    fn the_deadlines_are_spread_over_the_whole_time() {
        let late = durations(10_000).filter(|duration| *duration > LONGEST / 2).count();
        assert!((4_500..5_500).contains(&late), "{late}");
        assert!(durations(10_000).all(|duration| duration < LONGEST));
    }
}
