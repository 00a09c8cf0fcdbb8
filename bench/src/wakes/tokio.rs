//! Wakes of tokio's current-thread runtimes.

use super::is_gone;
use crate::measure::{Counts, Sample};
use crate::two_threads::{self, Other};
use std::io;
use tokio::runtime::Builder;
use tokio::sync::mpsc::channel;

/// Sends the message to and fro; see [`Run`](super::Run).
pub fn run(round_trips: usize) -> io::Result<Sample> {
    let ((ping, mut hear_ping), (pong, mut hear_pong)) = (channel(1), channel(1));
    two_threads::run(
        move |other| {
            side(other, round_trips, async || {
                ping.send(()).await.map_err(is_gone)?;
                hear_pong.recv().await.ok_or_else(|| is_gone(()))
            })
        },
        move |other| {
            side(other, round_trips, async || {
                hear_ping.recv().await.ok_or_else(|| is_gone(()))?;
                pong.send(()).await.map_err(is_gone)
            })
        },
    )
}

/// One of the two threads: what does its half of each round trip.
fn side(
    other: &Other,
    round_trips: usize,
    mut half: impl AsyncFnMut() -> io::Result<()>,
) -> io::Result<Sample> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    other.after_warm_up(round_trips.div_ceil(10), round_trips, |times| {
        runtime.block_on(async {
            for _ in 0..times {
                half().await?;
            }
            Ok(Counts::Nothing)
        })
    })
}
