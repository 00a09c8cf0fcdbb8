//! Measures corio beside its rivals and the raw floor: `corio-bench <workload> [flags]`; and holds
//! its backends against each other: `corio-bench differential [flags]`.

mod arguments;
mod contest;
#[cfg(target_os = "linux")]
mod differential;
mod files;
#[cfg(target_os = "linux")]
mod idle;
mod measure;
#[cfg(target_os = "linux")]
mod mutex;
#[cfg(target_os = "linux")]
mod parked;
mod ping_pong;
#[cfg(target_os = "linux")]
mod queue;
mod report;
mod sleeps;
#[cfg(target_os = "linux")]
mod spawns;
#[cfg(target_os = "linux")]
mod timers;
#[cfg(target_os = "linux")]
mod two_threads;
#[cfg(target_os = "linux")]
mod wakes;
#[cfg(target_os = "linux")]
mod yields;

use arguments::{Options, Request};
use contest::Series;
use measure::Unit;
use report::Ratio;
use std::io;
use std::process::ExitCode;

/// One thing that every system is made to do.
struct Workload {
    /// What the command line and the report call it.
    name: &'static str,
    /// One line for `--help`.
    about: &'static str,
    /// The systems that can run beside corio.
    rivals: &'static [&'static str],
    /// Which series the others are compared with.
    ratio: Ratio,
    /// What its times are told in.
    unit: Unit,
    /// Runs it, all settings and all rounds.
    run: fn(&Options) -> io::Result<Vec<Series>>,
}

/// Every workload there is.
const WORKLOADS: &[Workload] = &[
    Workload {
        name: "ping_pong",
        about: "4 bytes there, 4 bytes back: one thread holds both ends of 1 or 64 connections",
        rivals: ping_pong::RIVALS,
        ratio: ping_pong::RATIO,
        unit: Unit::Microseconds,
        run: ping_pong::run,
    },
    Workload {
        name: "files",
        about: "4 KiB are read or written at random places of a file, by 1 or 16 tasks",
        rivals: files::RIVALS,
        ratio: files::RATIO,
        unit: Unit::Microseconds,
        run: files::run,
    },
    #[cfg(target_os = "linux")]
    Workload {
        name: "idle",
        about: "4 bytes there, 4 bytes back, beside 1 or 10000 connections that wait",
        rivals: &[],
        ratio: idle::RATIO,
        unit: Unit::Microseconds,
        run: idle::run,
    },
    Workload {
        name: "sleeps",
        about: "10000 tasks sleep 1 ms, 10 times each, on each backend; none wakes up early",
        rivals: &[],
        ratio: sleeps::RATIO,
        unit: Unit::Microseconds,
        run: sleeps::run,
    },
    #[cfg(target_os = "linux")]
    Workload {
        name: "yields",
        about: "2 tasks of one thread yield to each other",
        rivals: yields::RIVALS,
        ratio: yields::RATIO,
        unit: Unit::Nanoseconds,
        run: yields::run,
    },
    #[cfg(target_os = "linux")]
    Workload {
        name: "spawns",
        about: "a task spawns tasks that return at once, and joins each before the next",
        rivals: spawns::RIVALS,
        ratio: spawns::RATIO,
        unit: Unit::Nanoseconds,
        run: spawns::run,
    },
    #[cfg(target_os = "linux")]
    Workload {
        name: "timers",
        about: "1000000 timers at random deadlines within a second: a task each, or one loop",
        rivals: timers::RIVALS,
        ratio: timers::RATIO,
        unit: Unit::Nanoseconds,
        run: timers::run,
    },
    #[cfg(target_os = "linux")]
    Workload {
        name: "parked",
        about: "4 bytes there, 4 bytes back, over 10 connections beside 0 or 100000 parked tasks",
        rivals: parked::RIVALS,
        ratio: parked::RATIO,
        unit: Unit::Microseconds,
        run: parked::run,
    },
    #[cfg(target_os = "linux")]
    Workload {
        name: "mutex",
        about: "a mutex that nobody else wants is locked and unlocked",
        rivals: mutex::RIVALS,
        ratio: mutex::RATIO,
        unit: Unit::Nanoseconds,
        run: mutex::run,
    },
    #[cfg(target_os = "linux")]
    Workload {
        name: "queue",
        about: "1 or 4 tasks of a thread send numbers to as many of another one",
        rivals: queue::RIVALS,
        ratio: queue::RATIO,
        unit: Unit::Nanoseconds,
        run: queue::run,
    },
    #[cfg(target_os = "linux")]
    Workload {
        name: "wakes",
        about: "a message there and back between the schedulers of two threads",
        rivals: wakes::RIVALS,
        ratio: wakes::RATIO,
        unit: Unit::Microseconds,
        run: wakes::run,
    },
];

fn main() -> ExitCode {
    let (workload, options) = match arguments::parse(WORKLOADS, std::env::args().skip(1)) {
        Ok(Request::Run(workload, options)) => (workload, options),
        #[cfg(target_os = "linux")]
        Ok(Request::Compare(settings)) => return differential::run(settings),
        Ok(Request::Help) => {
            print!("{}", arguments::usage(WORKLOADS));
            return ExitCode::SUCCESS;
        }
        Err(mistake) => {
            eprintln!("corio-bench: {mistake}\n\n{}", arguments::usage(WORKLOADS));
            return ExitCode::from(2);
        }
    };
    eprintln!("{}", measure::machine());
    match (workload.run)(&options) {
        Ok(series) => {
            report::print(workload, &series, options.json);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("corio-bench: {}: {error}", workload.name);
            ExitCode::FAILURE
        }
    }
}
