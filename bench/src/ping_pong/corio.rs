//! Ping-pong on corio: a task for each end.

use crate::contest::unsupported;
use crate::measure::Sample;
use std::io;
use std::os::fd::OwnedFd;

/// Makes the exchange; see [`Run`](super::Run).
pub fn run(
    _pairs: Vec<(OwnedFd, OwnedFd)>,
    _round_trips_each: usize,
    _warm_up_each: usize,
) -> io::Result<Sample> {
    Err(unsupported("not yet"))
}
