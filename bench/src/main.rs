//! Measures corio beside its rivals and the raw floor: `corio-bench <workload> [flags]`; and holds
//! its backends against each other: `corio-bench differential [flags]`.

mod arguments;
mod contest;
mod differential;
mod idle;
mod measure;
mod ping_pong;
mod report;
mod sleeps;

use arguments::{Options, Request};
use contest::Series;
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
    /// Which series the others' CPU is compared with.
    ratio: Ratio,
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
        run: ping_pong::run,
    },
    Workload {
        name: "idle",
        about: "4 bytes there, 4 bytes back, beside 1 or 10000 connections that wait",
        rivals: &[],
        ratio: idle::RATIO,
        run: idle::run,
    },
    Workload {
        name: "sleeps",
        about: "10000 tasks sleep 1 ms, 10 times each, on each backend; none wakes up early",
        rivals: &[],
        ratio: sleeps::RATIO,
        run: sleeps::run,
    },
];

fn main() -> ExitCode {
    let (workload, options) = match arguments::parse(WORKLOADS, std::env::args().skip(1)) {
        Ok(Request::Run(workload, options)) => (workload, options),
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
            report::print(workload.name, &workload.ratio, &series, options.json);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("corio-bench: {}: {error}", workload.name);
            ExitCode::FAILURE
        }
    }
}
