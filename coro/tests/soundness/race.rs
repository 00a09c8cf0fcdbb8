//! A cancel that comes late loses no success: every byte and every socket is accounted for.

use corio::aio::op;
use corio::aio::{Cause, Mode};
use corio::{Options, Scheduler, Task, io};

use crate::scene::{cause, left_in, pair, write};
use crate::system::{Listener, Stream};

const ROUNDS: usize = 10_000;

/// Lets a task that waits for what `act` does race with a cancel, in one of several orders.
fn race<'scope, T>(
    scheduler: &Scheduler<'scope, '_>,
    round: usize,
    task: Task<'scope, T>,
    act: impl FnOnce(),
) -> T {
    let tick = || scheduler.tick(Mode::NonBlocking).unwrap();
    match round % 5 {
        0 => {
            act();
            task.cancel();
        }
        1 => {
            tick();
            act();
            task.cancel();
        }
        2 => {
            tick();
            task.cancel();
            act();
        }
        3 => {
            task.cancel();
            tick();
            act();
        }
        _ => {
            tick();
            act();
            tick();
            task.cancel();
        }
    }
    task.join().unwrap()
}

#[test]
fn a_byte_is_received_or_still_there() {
    let (ours, theirs) = pair();
    let mut counts = [0; 2];
    Scheduler::with(Options::default(), |scheduler| {
        for round in 0..ROUNDS {
            let task = scheduler.spawn(|| {
                let mut buf = [0; 8];
                io::single(op::recv(&ours, &mut buf)).map(|n| buf[..n].to_vec())
            });
            let received = race(&scheduler, round, task.unwrap(), || write(&theirs, &[1]));
            counts[usize::from(received.is_ok())] += 1;
            match received {
                Ok(bytes) => assert_eq!((bytes, left_in(&ours)), (vec![1], vec![])),
                Err(error) => {
                    assert_eq!((error.cause(), left_in(&ours)), (Cause::Canceled, vec![1]));
                }
            }
        }
    })
    .unwrap();
    assert!(counts.iter().all(|count| *count > 0), "canceled, received: {counts:?}");
}

#[test]
fn a_connection_is_accepted_or_still_there() {
    let listener = Listener::new();
    let mut counts = [0; 2];
    Scheduler::with(Options::default(), |scheduler| {
        for round in 0..ROUNDS {
            let task = scheduler.spawn(|| io::single(op::accept(&listener.socket))).unwrap();
            let mut client = None;
            let accepted = race(&scheduler, round, task, || client = listener.connect());
            counts[usize::from(accepted.is_ok())] += 1;
            let accepted = accepted.map(Stream::from).or_else(|error| {
                assert_eq!(cause::<()>(Err(error)), Some(Cause::Canceled));
                listener.socket.accept().map(|(socket, _)| socket)
            });
            write(&client.unwrap(), &[round as u8]);
            assert_eq!(left_in(&accepted.unwrap()), [round as u8]);
        }
    })
    .unwrap();
    assert!(counts.iter().all(|count| *count > 0), "canceled, accepted: {counts:?}");
}
