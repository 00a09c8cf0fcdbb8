//! Clocks, counters, and the state of the machine.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
#[expect(unsafe_code, reason = "reads the process's clock")]
mod system;

use std::fs;
use std::io;
use std::time::{Duration, Instant};
use system::process_cpu;

/// What one run of a fixed amount of work took.
#[derive(Debug, Default)]
pub struct Sample {
    /// User and system time of the process.
    pub cpu: Duration,
    /// Time on the wall.
    pub wall: Duration,
    /// What the system counted meanwhile.
    pub counts: Counts,
}

/// What a system counts of its own work with the kernel.
#[derive(Debug, Default)]
pub enum Counts {
    /// Nothing.
    #[default]
    Nothing,
    /// The traffic of a ring.
    Ring {
        /// Calls of io_uring_enter(2).
        enters: u64,
        /// Entries submitted.
        sqes: u64,
        /// Entries completed.
        cqes: u64,
    },
    /// System calls of all kinds.
    Syscalls(u64),
}

/// What the time of an operation is told in.
#[derive(Clone, Copy, Debug)]
pub enum Unit {
    Microseconds,
    Nanoseconds,
}

impl Sample {
    /// The figures that are reported, each per one of `operations`.
    pub fn figures(&self, operations: usize, unit: Unit) -> Vec<(&'static str, f64)> {
        let operations = operations as f64;
        let (cpu, wall) = (self.cpu.as_secs_f64(), self.wall.as_secs_f64());
        let each = |count: u64| count as f64 / operations;
        let mut figures = match unit {
            Unit::Microseconds => vec![
                ("cpu_us_per_op", cpu * 1e6 / operations),
                ("wall_us_per_op", wall * 1e6 / operations),
            ],
            Unit::Nanoseconds => vec![
                ("cpu_ns_per_op", cpu * 1e9 / operations),
                ("wall_ns_per_op", wall * 1e9 / operations),
            ],
        };
        match self.counts {
            Counts::Nothing => {}
            Counts::Ring { enters, sqes, cqes } => figures.extend([
                ("enters_per_op", each(enters)),
                ("sqes_per_op", each(sqes)),
                ("cqes_per_op", each(cqes)),
            ]),
            Counts::Syscalls(calls) => figures.push(("syscalls_per_op", each(calls))),
        }
        figures
    }
}

/// Does `warm_up` times the work unmeasured, then `times` the work under the clocks.
///
/// `work` returns once all of it is done, with what it counted in this call; what is made before
/// (a ring, a runtime, the sockets) stays out of the sample.
pub fn after_warm_up(
    warm_up: usize,
    times: usize,
    mut work: impl FnMut(usize) -> io::Result<Counts>,
) -> io::Result<Sample> {
    work(warm_up)?;
    let (wall, cpu) = (Instant::now(), process_cpu());
    let counts = work(times)?;
    Ok(Sample { cpu: process_cpu() - cpu, wall: wall.elapsed(), counts })
}

/// One line on the machine: kernel, load average, number of CPUs.
pub fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_else(|_| "unknown".into());
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    format!("kernel {}, load average {}, {cpus} cpus", kernel.trim(), load.join(" "))
}
