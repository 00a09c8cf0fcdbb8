//! Wakes of corio's schedulers.

use super::is_gone;
use crate::measure::{Counts, Sample};
use crate::two_threads::{self, Other};
use corio::sync::Queue;
use std::io;

/// Sends the message to and fro; see [`Run`](super::Run).
pub fn run(round_trips: usize) -> io::Result<Sample> {
    let (ping, pong) = (Queue::bounded(1), Queue::bounded(1));
    let client = || {
        ping.send(()).map_err(is_gone)?;
        pong.recv().map_err(is_gone)
    };
    let server = || {
        ping.recv().map_err(is_gone)?;
        pong.send(()).map_err(is_gone)
    };
    two_threads::run(
        |other| side(other, round_trips, client),
        |other| side(other, round_trips, server),
    )
}

/// One of the two threads: a task that does its half of each round trip.
fn side(
    other: &Other,
    round_trips: usize,
    half: impl Fn() -> io::Result<()>,
) -> io::Result<Sample> {
    corio::run(|| {
        other.after_warm_up(round_trips.div_ceil(10), round_trips, |times| {
            (0..times).try_for_each(|_| half())?;
            Ok(Counts::Nothing)
        })
    })?
}
