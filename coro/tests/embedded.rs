//! A scheduler in a loop of somebody else's.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use corio::aio::backend::Kind;
use corio::aio::{self, Mode, op};
use corio::sync::Queue;
use corio::{Options, Scheduler, blocking, io};

mod system;
#[cfg(unix)]
#[path = "embedded/unix.rs"]
mod unix;

const FOREVER: Duration = Duration::from_secs(3600);

const ROUNDS: usize = 200;

fn options(kind: Kind) -> Option<Options> {
    let ring = aio::Options { backend: Some(kind), ..aio::Options::DEFAULT };
    aio::Ring::new(&ring).is_ok().then(|| Options { ring, ..Options::default() })
}

/// A few microseconds, or none; others in each round.
fn pause(round: usize) -> Duration {
    Duration::from_micros((round as u64 * 7919) % 400)
}

fn timers() {
    for round in 0..ROUNDS {
        io::single(op::timeout(pause(round))).unwrap();
    }
}

/// Talks to a thread that answers late.
fn sockets() {
    let (ours, mut theirs) = system::pair();
    let peer = thread::spawn(move || {
        let mut byte = [0];
        for round in 0..ROUNDS {
            theirs.read_exact(&mut byte).unwrap();
            thread::sleep(pause(round));
            theirs.write_all(&byte).unwrap();
        }
    });
    for round in 0..ROUNDS {
        let (sent, mut echo) = ([round as u8], [0]);
        io::single(op::send(&ours, &sent)).unwrap();
        io::single(op::recv(&ours, &mut echo)).unwrap();
        assert_eq!(echo, sent);
    }
    blocking(|| peer.join().unwrap()).unwrap();
}

fn pool_calls() {
    for round in 0..ROUNDS {
        let slept = blocking(|| thread::sleep(pause(round)));
        assert_eq!(slept, Ok(()));
    }
}

/// Is woken by a thread through a queue.
fn wakes() {
    let queue = Arc::new(Queue::unbounded());
    let sender = queue.clone();
    let waker = thread::spawn(move || {
        for round in 0..ROUNDS {
            thread::sleep(pause(round));
            sender.send(round).unwrap();
        }
    });
    for round in 0..ROUNDS {
        assert_eq!(queue.recv().unwrap(), round);
    }
    blocking(|| waker.join().unwrap()).unwrap();
}

#[test]
fn without_a_descriptor_a_loop_can_take_its_turns_at_intervals() {
    // The last of the candidates has none, whatever the system.
    let options = options(*Kind::CANDIDATES.last().unwrap()).unwrap();
    Scheduler::with(options, |scheduler| {
        assert_eq!(scheduler.descriptor().unwrap_err().kind(), ErrorKind::Unsupported);
        let tasks = [timers, sockets, pool_calls, wakes].map(|kind: fn()| scheduler.spawn(kind));
        let tasks = tasks.map(Result::unwrap);
        while !tasks.iter().all(|task| task.is_complete()) {
            scheduler.tick(Mode::NonBlocking).unwrap();
            let deadline = scheduler.next_deadline();
            let rest = deadline.map(|next| next.saturating_duration_since(Instant::now()));
            thread::sleep(rest.unwrap_or(FOREVER).min(Duration::from_micros(200)));
        }
    })
    .unwrap();
}
