//! Ping-pong: a client sends 4 bytes and waits for the answer's 4, over and over.
//!
//! One thread holds both ends of every connection. Each end receives into up to 1 KiB; a round
//! trip is two sends and two receives. The connections run at the same time until each has made
//! its share of the round trips.

pub mod corio;
mod raw_epoll;
mod raw_uring;
mod tokio;

use crate::arguments::Options;
use crate::contest::{self, Series};
use crate::measure::Sample;
use crate::report::Ratio;
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

/// The systems that can run beside corio.
pub const RIVALS: &[&str] = &["raw-uring", "raw-epoll", "tokio"];

/// Rivals are compared with io_uring without anything above it.
pub const RATIO: Ratio = Ratio {
    metric: "cpu_ratio_to_raw_uring",
    is_floor: |one, other| one.system == "raw-uring" && one.setting == other.setting,
};

/// What a client sends.
const PING: &[u8; 4] = b"ping";

/// What a server answers.
const PONG: &[u8; 4] = b"pong";

/// Bytes that a receive has room for.
const ROOM: usize = 1024;

/// The share of the round trips, one in so many, that is made first and not measured.
const WARM_UP: usize = 10;

/// What the connections are, and how many.
struct Setting {
    name: &'static str,
    domain: Domain,
    connections: usize,
    round_trips: usize,
}

const SETTINGS: [Setting; 4] = [
    Setting { name: "tcp x1", domain: Domain::IPV4, connections: 1, round_trips: 20_000 },
    Setting { name: "tcp x64", domain: Domain::IPV4, connections: 64, round_trips: 40_000 },
    Setting { name: "unix x1", domain: Domain::UNIX, connections: 1, round_trips: 20_000 },
    Setting { name: "unix x64", domain: Domain::UNIX, connections: 64, round_trips: 40_000 },
];

/// How a system takes part: it makes the exchange over `pairs` (client, server), first
/// `warm_up_each` times per connection, then `round_trips_each` times under the clocks.
type Run = fn(
    pairs: Vec<(OwnedFd, OwnedFd)>,
    round_trips_each: usize,
    warm_up_each: usize,
) -> io::Result<Sample>;

/// Runs corio and the rivals through all settings and rounds.
pub fn run(options: &Options) -> io::Result<Vec<Series>> {
    let mut heats: Vec<Vec<Series>> = SETTINGS
        .iter()
        .map(|setting| {
            let systems = std::iter::once(&"corio").chain(&options.rivals);
            systems.map(|system| series(setting, system, options)).collect()
        })
        .collect();
    contest::interleave(&mut heats, options.rounds.get(), |series| {
        let setting = SETTINGS.iter().find(|setting| setting.name == series.setting);
        let setting = setting.expect("a series is made from a setting");
        let each = series.operations / setting.connections;
        let pairs = pairs(setting, setting.connections)?;
        system(series.system).1(pairs, each, each.div_ceil(WARM_UP))
    })?;
    Ok(heats.into_iter().flatten().collect())
}

/// An empty series of the named system; the round trips are rounded up to a whole number for
/// each connection.
fn series(setting: &Setting, name: &'static str, options: &Options) -> Series {
    let round_trips = options.round_trips.map_or(setting.round_trips, usize::from);
    let each = round_trips.div_ceil(setting.connections);
    Series {
        setting: setting.name,
        system: name,
        backend: system(name).0,
        operations: each * setting.connections,
        samples: Vec::new(),
    }
}

/// The backend and the program of the named system.
fn system(name: &str) -> (String, Run) {
    match name {
        "corio" => (backend_of_corio(), corio::run),
        "raw-uring" => ("uring".into(), raw_uring::run),
        "raw-epoll" => ("epoll".into(), raw_epoll::run),
        "tokio" => ("epoll".into(), tokio::run),
        _ => unreachable!("the arguments were checked against RIVALS"),
    }
}

/// The backend that corio chooses: `CORIO_BACKEND` can choose another one.
pub fn backend_of_corio() -> String {
    ::corio::aio::backend().map_or_else(|error| error.to_string(), |kind| kind.to_string())
}

/// Makes `n` connections (client, server); the sockets block and TCP does not delay.
fn pairs(setting: &Setting, n: usize) -> io::Result<Vec<(OwnedFd, OwnedFd)>> {
    if setting.domain == Domain::UNIX {
        let pair = || Socket::pair(Domain::UNIX, Type::STREAM, None);
        return (0..n).map(|_| pair().map(|(one, other)| (one.into(), other.into()))).collect();
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let connection = |_| {
        let client = TcpStream::connect(address)?;
        let (server, _) = listener.accept()?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        Ok((client.into(), server.into()))
    };
    (0..n).map(connection).collect()
}

/// Holds a system to the exchange: a receive brings exactly the message that is due.
///
/// Stream sockets may split what was sent in one piece; local ones of this size do not, so a
/// system that sees it has a bug, and the figures of such a run would compare unequal work.
fn check(received: &[u8], due: &[u8; 4]) -> io::Result<()> {
    if received == due {
        return Ok(());
    }
    let what = format!("received {received:?} where {due:?} was due");
    Err(io::Error::new(io::ErrorKind::InvalidData, what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Counts;

    #[test]
    fn each_rival_makes_the_whole_exchange_in_each_setting() {
        for setting in &SETTINGS {
            for rival in RIVALS {
                let pairs = pairs(setting, setting.connections).expect("local sockets are there");
                let sample = system(rival).1(pairs, 5, 2).expect("the exchange is made");
                if let Counts::Ring { sqes, cqes, .. } = sample.counts {
                    let round_trips = 5 * setting.connections as u64;
                    assert_eq!((sqes, cqes), (4 * round_trips, 2 * round_trips));
                }
            }
        }
    }

    #[test]
    fn a_message_that_is_not_due_is_refused() {
        assert!(check(b"ping", PING).is_ok());
        assert!(check(b"", PING).is_err());
        assert!(check(b"pong", PING).is_err());
        assert!(check(b"pingping", PING).is_err());
    }
}
