//! Parked tasks: an echo over 10 connections, a task at each end, while other tasks of the thread
//! wait for a wakeup that doesn't come.

use crate::arguments::Options;
use crate::contest::{self, Series, Setting};
use crate::measure::{Sample, after_warm_up};
use crate::ping_pong::{self, corio, tokio};
use crate::report::Ratio;
use ::corio::{Scheduler, Task, park};
use ::tokio::net::UnixStream;
use ::tokio::runtime::Builder;
use socket2::{Domain, Socket};
use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;

/// The systems that can run beside corio.
pub const RIVALS: &[&str] = &["tokio"];

/// What a round trip costs beside parked tasks is compared with what it costs the same system
/// without.
pub const RATIO: Ratio = Ratio {
    metric: "cpu_ratio_to_parked_0",
    of: |sample| sample.cpu,
    is_floor: |one, other| one.setting == SETTINGS[0].name && one.system == other.system,
};

/// The settings: how many tasks are parked.
const SETTINGS: [Setting<usize>; 2] = [
    Setting { name: "parked 0", lanes: 10, operations: 50_000, shape: 0 },
    Setting { name: "parked 100000", lanes: 10, operations: 50_000, shape: 100_000 },
];

/// Connections (client, server).
type Pairs = Vec<(Socket, Socket)>;

/// How a system takes part: it makes the exchange over all connections beside so many parked
/// tasks.
type Run = fn(parked: usize, pairs: Pairs, round_trips_each: usize) -> io::Result<Sample>;

/// Runs corio and the rivals through both settings and all rounds.
pub fn run(options: &Options) -> io::Result<Vec<Series>> {
    contest::race(
        options,
        &SETTINGS,
        |name| system(name).0,
        |name, setting, round_trips_each| {
            let pairs = ping_pong::pairs(Domain::UNIX, setting.lanes)?;
            system(name).1(setting.shape, pairs, round_trips_each)
        },
    )
}

/// The backend and the program of the named system.
fn system(name: &str) -> (String, Run) {
    match name {
        "corio" => (ping_pong::backend_of_corio(), on_corio),
        "tokio" => ("epoll".into(), on_tokio),
        _ => unreachable!("the arguments were checked against RIVALS"),
    }
}

fn on_corio(parked: usize, pairs: Pairs, round_trips_each: usize) -> io::Result<Sample> {
    Scheduler::with(::corio::Options::default(), |scheduler| {
        let waiting = (0..parked).map(|_| scheduler.spawn(|| park(0)));
        let waiting: Vec<Task<'_, _>> = waiting.collect::<io::Result<_>>()?;
        let sample = after_warm_up(round_trips_each.div_ceil(10), round_trips_each, |times| {
            corio::exchange(scheduler, &pairs, times)
        })?;
        scheduler.cancel();
        for task in waiting {
            if task.join()?.is_ok() {
                return Err(io::Error::other("a parked task was woken up"));
            }
        }
        Ok(sample)
    })?
}

fn on_tokio(parked: usize, pairs: Pairs, round_trips_each: usize) -> io::Result<Sample> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let _entered = runtime.enter();
    // Dropped with the runtime, still waiting.
    let waiting: Vec<_> = (0..parked).map(|_| runtime.spawn(pending::<()>())).collect();
    let stream = |end: Socket| {
        let stream = StdUnixStream::from(OwnedFd::from(end));
        stream.set_nonblocking(true)?;
        UnixStream::from_std(stream)
    };
    let mut streams = Vec::new();
    for (client, server) in pairs {
        streams.push((stream(client)?, stream(server)?));
    }
    let sample = after_warm_up(round_trips_each.div_ceil(10), round_trips_each, |times| {
        tokio::exchange(&runtime, &mut streams, times)
    })?;
    if waiting.iter().any(|task| task.is_finished()) {
        return Err(io::Error::other("a parked task was woken up"));
    }
    Ok(sample)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_makes_the_exchange_beside_tasks_that_stay_parked() {
        for name in ["corio"].iter().chain(RIVALS) {
            for parked in [0, 1_000] {
                let pairs = ping_pong::pairs(Domain::UNIX, 2).expect("local sockets are there");
                system(name).1(parked, pairs, 10).expect(name);
            }
        }
    }
}
