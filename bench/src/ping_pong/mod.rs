//! Ping-pong: a client sends 4 bytes and waits for the answer's 4, over and over.
//!
//! One thread holds both ends of every connection. Each end receives into up to 1 KiB; a round
//! trip is two sends and two receives. The connections run at the same time until each has made
//! its share of the round trips.

pub mod corio;
#[cfg(target_os = "linux")]
mod raw_epoll;
#[cfg(target_os = "linux")]
mod raw_uring;
pub mod tokio;

use crate::arguments::Options;
use crate::contest::{self, Series, Setting};
use crate::measure::Sample;
use crate::report::Ratio;
use socket2::{Domain, Socket};
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};

/// The systems that can run beside corio.
#[cfg(target_os = "linux")]
pub const RIVALS: &[&str] = &["raw-uring", "raw-epoll", "tokio"];

/// The systems that can run beside corio.
#[cfg(not(target_os = "linux"))]
pub const RIVALS: &[&str] = &["tokio"];

/// Rivals are compared with io_uring without anything above it.
pub const RATIO: Ratio = Ratio {
    metric: "cpu_ratio_to_raw_uring",
    of: |sample| sample.cpu,
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

/// The settings: what the connections are, and how many.
const SETTINGS: &[Setting<Domain>] = &[
    Setting { name: "tcp x1", lanes: 1, operations: 20_000, shape: Domain::IPV4 },
    Setting { name: "tcp x64", lanes: 64, operations: 40_000, shape: Domain::IPV4 },
    #[cfg(unix)]
    Setting { name: "unix x1", lanes: 1, operations: 20_000, shape: Domain::UNIX },
    #[cfg(unix)]
    Setting { name: "unix x64", lanes: 64, operations: 40_000, shape: Domain::UNIX },
];

/// How a system takes part: it makes the exchange over `pairs` (client, server), first
/// `warm_up_each` times per connection, then `round_trips_each` times under the clocks.
type Run = fn(
    pairs: Vec<(Socket, Socket)>,
    round_trips_each: usize,
    warm_up_each: usize,
) -> io::Result<Sample>;

/// Runs corio and the rivals through all settings and rounds.
pub fn run(options: &Options) -> io::Result<Vec<Series>> {
    contest::race(
        options,
        SETTINGS,
        |name| system(name).0,
        |name, setting, each| {
            let pairs = pairs(setting.shape, setting.lanes)?;
            system(name).1(pairs, each, each.div_ceil(WARM_UP))
        },
    )
}

/// The backend and the program of the named system.
fn system(name: &str) -> (String, Run) {
    match name {
        "corio" => (backend_of_corio(), corio::run),
        #[cfg(target_os = "linux")]
        "raw-uring" => ("uring".into(), raw_uring::run),
        #[cfg(target_os = "linux")]
        "raw-epoll" => ("epoll".into(), raw_epoll::run),
        "tokio" => (BACKEND_OF_TOKIO.into(), tokio::run),
        _ => unreachable!("the arguments were checked against RIVALS"),
    }
}

/// The backend that corio chooses: `CORIO_BACKEND` can choose another one.
pub fn backend_of_corio() -> String {
    ::corio::aio::backend().map_or_else(|error| error.to_string(), |kind| kind.to_string())
}

/// What tokio does its IO with.
const BACKEND_OF_TOKIO: &str = if cfg!(target_os = "linux") { "epoll" } else { "mio" };

/// Makes `n` connections (client, server); the sockets block and TCP does not delay.
pub fn pairs(domain: Domain, n: usize) -> io::Result<Vec<(Socket, Socket)>> {
    #[cfg(unix)]
    if domain == Domain::UNIX {
        return (0..n).map(|_| Socket::pair(domain, socket2::Type::STREAM, None)).collect();
    }
    assert_eq!(domain, Domain::IPV4, "there are no other settings");
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
        for setting in SETTINGS {
            for rival in RIVALS {
                let pairs = pairs(setting.shape, setting.lanes).expect("local sockets are there");
                let sample = system(rival).1(pairs, 5, 2).expect("the exchange is made");
                if let Counts::Ring { sqes, cqes, .. } = sample.counts {
                    let round_trips = 5 * setting.lanes as u64;
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
