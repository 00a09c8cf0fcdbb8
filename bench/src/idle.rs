//! Idle connections: one pair plays ping-pong while others wait, on the same thread, for messages
//! that never come.

use crate::arguments::Options;
use crate::contest::{self, Series, Setting};
use crate::measure::{Sample, after_warm_up};
use crate::ping_pong::{self, corio::exchange};
use crate::report::Ratio;
use corio::aio::op;
use corio::{Scheduler, Task};
use rustix::process::{Resource, getrlimit, setrlimit};
use socket2::{Domain, SockAddr, Socket, Type};
use std::io;

/// What a round trip costs beside many is compared with what it costs beside one.
pub const RATIO: Ratio = Ratio {
    metric: "cpu_ratio_to_idle_1",
    of: |sample| sample.cpu,
    is_floor: |one, _| one.setting == SETTINGS[0].name,
};

/// The settings: how many connections are idle.
const SETTINGS: [Setting<usize>; 2] = [
    Setting { name: "idle 1", lanes: 1, operations: 20_000, shape: 1 },
    Setting { name: "idle 10000", lanes: 1, operations: 20_000, shape: 10_000 },
];

/// How many connections may wait at a listener, which the system limits.
const BACKLOG: usize = 1_000;

/// Runs corio through both settings in turn, and all rounds.
pub fn run(options: &Options) -> io::Result<Vec<Series>> {
    contest::race(
        options,
        &SETTINGS,
        |_| ping_pong::backend_of_corio(),
        |_, setting, round_trips| once(setting.shape, round_trips),
    )
}

/// Makes the round trips while `idle` connections wait.
fn once(idle: usize, round_trips: usize) -> io::Result<Sample> {
    let (connections, _listeners) = connections(idle)?;
    let (client, server) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;
    let busy = [(client, server)];
    Scheduler::with(corio::Options::default(), |scheduler| {
        let waiting = connections.iter().map(|socket| {
            scheduler.spawn(move || corio::io::single(op::recv(socket, &mut [0; 64])))
        });
        let waiting: Vec<Task<'_, _>> = waiting.collect::<io::Result<_>>()?;
        let sample = after_warm_up(round_trips.div_ceil(10), round_trips, |times| {
            exchange(scheduler, &busy, times)
        })?;
        scheduler.cancel();
        for task in waiting {
            match task.join()? {
                Err(error) if error.is_canceled() => {}
                result => return Err(io::Error::other(format!("it did not wait: {result:?}"))),
            }
        }
        Ok(sample)
    })?
}

/// Makes `n` connections, and the listeners that hold their other ends: those take no descriptors
/// until they are accepted, and ten thousand pairs would take more than processes may have.
fn connections(n: usize) -> io::Result<(Vec<Socket>, Vec<Socket>)> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    let (mut connections, mut listeners) = (Vec::new(), Vec::new());
    while connections.len() < n {
        let listener = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // Linux makes up a name for a socket that is given none.
        listener.bind(&SockAddr::unix("")?)?;
        listener.listen(BACKLOG as i32)?;
        let address = listener.local_addr()?;
        listeners.push(listener);
        for _ in 0..BACKLOG.min(n - connections.len()) {
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
            socket.connect(&address)?;
            connections.push(socket);
        }
    }
    Ok((connections, listeners))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Counts;

    #[test]
    fn the_round_trips_are_made_beside_connections_that_stay_idle() {
        let sample = once(BACKLOG + 1, 50).expect("the round trips are made");
        match sample.counts {
            // Nobody else sent or received.
            Counts::Ring { sqes, .. } => assert_eq!(sqes, 4 * 50),
            Counts::Syscalls(calls) => assert!(calls >= 4 * 50),
            Counts::Nothing => panic!("corio counts its calls"),
        }
    }
}
