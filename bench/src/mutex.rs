//! Mutexes that nobody else wants: locked and unlocked, over and over, by one thread.

use crate::arguments::Options;
use crate::contest::{self, Series, Setting};
use crate::measure::{Counts, Sample, after_warm_up};
use crate::report::Ratio;
use std::hint::black_box;
use std::io;
use std::ops::DerefMut;
use tokio::runtime::Builder;

/// The systems that can run beside corio.
pub const RIVALS: &[&str] = &["parking_lot", "std", "tokio"];

/// Systems are compared with `parking_lot`.
pub const RATIO: Ratio = Ratio {
    metric: "cpu_ratio_to_parking_lot",
    of: |sample| sample.cpu,
    is_floor: |one, other| one.system == "parking_lot" && one.setting == other.setting,
};

/// The one setting.
const SETTINGS: [Setting<()>; 1] =
    [Setting { name: "uncontended", lanes: 1, operations: 20_000_000, shape: () }];

/// How a system takes part: it locks, counts one up and unlocks, so many times.
type Run = fn(locks: usize) -> io::Result<Sample>;

/// Runs corio and the rivals through all rounds.
pub fn run(options: &Options) -> io::Result<Vec<Series>> {
    contest::race(
        options,
        &SETTINGS,
        |_| contest::NO_BACKEND.into(),
        |name, _, locks| system(name)(locks),
    )
}

/// The program of the named system.
fn system(name: &str) -> Run {
    match name {
        "corio" => on_corio,
        "parking_lot" => on_parking_lot,
        "std" => on_std,
        "tokio" => on_tokio,
        _ => unreachable!("the arguments were checked against RIVALS"),
    }
}

/// In a task, as on tokio.
fn on_corio(locks: usize) -> io::Result<Sample> {
    let mutex = corio::sync::Mutex::new(0);
    corio::run(|| count(locks, || mutex.lock().expect("nobody cancels the task")))?
}

fn on_parking_lot(locks: usize) -> io::Result<Sample> {
    let mutex = parking_lot::Mutex::new(0);
    count(locks, || mutex.lock())
}

fn on_std(locks: usize) -> io::Result<Sample> {
    let mutex = std::sync::Mutex::new(0);
    count(locks, || mutex.lock().expect("nobody panics"))
}

fn on_tokio(locks: usize) -> io::Result<Sample> {
    let runtime = Builder::new_current_thread().build()?;
    let mutex = tokio::sync::Mutex::new(0);
    after_warm_up(locks.div_ceil(10), locks, |times| {
        runtime.block_on(async {
            let before = *mutex.lock().await;
            for _ in 0..times {
                *black_box(&mutex).lock().await += 1;
            }
            check(before, *mutex.lock().await, times)
        })
    })
}

/// Counts up under the lock that `lock` takes.
fn count<G: DerefMut<Target = usize>>(locks: usize, lock: impl Fn() -> G) -> io::Result<Sample> {
    after_warm_up(locks.div_ceil(10), locks, |times| {
        let before = *lock();
        for _ in 0..times {
            *black_box(&lock)() += 1;
        }
        check(before, *lock(), times)
    })
}

/// Holds a system to its work.
fn check(before: usize, after: usize, times: usize) -> io::Result<Counts> {
    if after - before == times {
        return Ok(Counts::Nothing);
    }
    Err(io::Error::other(format!("counted from {before} to {after} in {times} steps")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mutex_is_locked_so_often() {
        for name in ["corio"].iter().chain(RIVALS) {
            system(name)(100).expect(name);
        }
    }

    #[test]
    fn a_count_that_is_missing_is_noticed() {
        assert!(check(1, 4, 3).is_ok());
        assert!(check(1, 3, 3).is_err());
    }
}
