//! Queues of flume, between two runtimes of tokio.

use super::{is_gone, on_tokio};
use crate::measure::Sample;
use crate::two_threads;
use flume::{Receiver, Sender};
use std::io;

/// Sends and receives the messages; see [`Run`](super::Run).
pub fn run(bound: Option<usize>, tasks: usize, messages_each: usize) -> io::Result<Sample> {
    let (sender, receiver) = bound.map_or_else(flume::unbounded, flume::bounded);
    two_threads::run(
        move |other| on_tokio(other, tasks, messages_each, |n| receive(receiver.clone(), n)),
        move |other| on_tokio(other, tasks, messages_each, |n| send(sender.clone(), n)),
    )
}

async fn send(sender: Sender<usize>, times: usize) -> io::Result<usize> {
    let mut sum = 0;
    for number in 0..times {
        sender.send_async(number).await.map_err(is_gone)?;
        sum += number;
    }
    Ok(sum)
}

async fn receive(receiver: Receiver<usize>, times: usize) -> io::Result<usize> {
    let mut sum = 0;
    for _ in 0..times {
        sum += receiver.recv_async().await.map_err(is_gone)?;
    }
    Ok(sum)
}
