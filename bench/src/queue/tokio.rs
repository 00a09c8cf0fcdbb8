//! Queues of tokio. Its queue has one receiver, which tasks have to take turns with; where there is
//! one task, it keeps it.

use super::{is_gone, on_tokio};
use crate::measure::Sample;
use crate::two_threads;
use std::io;
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc};

#[derive(Clone)]
enum Sender {
    Bounded(mpsc::Sender<usize>),
    Unbounded(mpsc::UnboundedSender<usize>),
}

enum Receiver {
    Bounded(mpsc::Receiver<usize>),
    Unbounded(mpsc::UnboundedReceiver<usize>),
}

/// Sends and receives the messages; see [`Run`](super::Run).
pub fn run(bound: Option<usize>, tasks: usize, messages_each: usize) -> io::Result<Sample> {
    let (sender, receiver) = queue(bound);
    let receiver = Arc::new(Mutex::new(receiver));
    two_threads::run(
        move |other| {
            on_tokio(other, tasks, messages_each, |n| receive(receiver.clone(), tasks == 1, n))
        },
        move |other| on_tokio(other, tasks, messages_each, |n| send(sender.clone(), n)),
    )
}

fn queue(bound: Option<usize>) -> (Sender, Receiver) {
    match bound {
        Some(bound) => {
            let (sender, receiver) = mpsc::channel(bound);
            (Sender::Bounded(sender), Receiver::Bounded(receiver))
        }
        None => {
            let (sender, receiver) = mpsc::unbounded_channel();
            (Sender::Unbounded(sender), Receiver::Unbounded(receiver))
        }
    }
}

impl Receiver {
    async fn receive(&mut self) -> io::Result<usize> {
        let received = match self {
            Receiver::Bounded(receiver) => receiver.recv().await,
            Receiver::Unbounded(receiver) => receiver.recv().await,
        };
        received.ok_or_else(|| is_gone(()))
    }
}

async fn send(sender: Sender, times: usize) -> io::Result<usize> {
    let mut sum = 0;
    for number in 0..times {
        match &sender {
            Sender::Bounded(sender) => sender.send(number).await.map_err(is_gone)?,
            Sender::Unbounded(sender) => sender.send(number).map_err(is_gone)?,
        }
        sum += number;
    }
    Ok(sum)
}

async fn receive(shared: Arc<Mutex<Receiver>>, is_alone: bool, times: usize) -> io::Result<usize> {
    let mut sum = 0;
    if is_alone {
        let mut receiver = shared.lock().await;
        for _ in 0..times {
            sum += receiver.receive().await?;
        }
    } else {
        for _ in 0..times {
            sum += shared.lock().await.receive().await?;
        }
    }
    Ok(sum)
}
