//! Receives that are stopped while their bytes arrive: by a cancel, by a close, by a time limit.

use std::io::Write;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use corio_aio::op::{self, Operation};
use corio_aio::{Cause, Closing, Mode};

use crate::load::on_each_backend;
use crate::random::Random;
use crate::system::tcp;

/// Each byte that is sent is received once, in order, whatever was canceled: a receive that says
/// that it was canceled has taken nothing, and its buffer is as it was.
#[test]
fn a_receive_that_is_stopped_while_its_byte_arrives_loses_nothing() {
    on_each_backend("receives canceled late", |ring, rounds| {
        let (ours, mut theirs) = tcp();
        let (sender, bytes) = channel::<u8>();
        let peer = thread::spawn(move || {
            for byte in bytes {
                theirs.write_all(&[byte]).unwrap();
            }
        });
        let (mut received, mut canceled) = (0, 0);
        let mut random = Random::new();
        ring.scope(|ring| {
            for round in rounds {
                let byte = round as u8;
                sender.send(byte).unwrap();
                loop {
                    let pending = ring.queue(op::recv(&ours, vec![byte ^ 0xff; 1])).unwrap();
                    if random.below(3) == 0 {
                        ring.complete(Mode::NonBlocking).unwrap();
                    }
                    let asked = ring.queue(op::cancel(pending.id())).unwrap();
                    ring.complete_all().unwrap();
                    let asked = asked.take(ring).map_err(|error| error.cause());
                    let (result, operation) = pending.recover(ring).unwrap();
                    match result.map_err(|error| error.cause()) {
                        Ok(n) => {
                            assert_eq!((n, operation.buf[0]), (1, byte));
                            assert!(matches!(asked, Err(Cause::NotFound | Cause::InProgress)));
                            received += 1;
                            break;
                        }
                        Err(Cause::Canceled) => {
                            assert_eq!(operation.buf[0], byte ^ 0xff);
                            canceled += 1;
                        }
                        Err(other) => panic!("{other:?}"),
                    }
                }
            }
        });
        drop(sender);
        peer.join().unwrap();
        format!(", {received} received, {canceled} canceled")
    });
}

/// What is in flight on a socket ends when that is closed, also at the moment in which it would
/// have been done; and its memory is let go of by then.
#[test]
fn a_close_ends_what_is_in_flight_on_its_socket() {
    on_each_backend("closes under way", |ring, rounds| {
        let (mut received, mut canceled) = (0, 0);
        let mut random = Random::new();
        for round in rounds {
            let (ours, mut theirs) = tcp();
            let ours = Closing::new(ours);
            let (mut one, mut two) = ([7; 4], [7; 4]);
            if round % 2 == 0 {
                theirs.write_all(b"byte").unwrap();
            }
            let results = ring.scope(|ring| {
                let first = ring.queue(op::recv(&ours, &mut one)).unwrap();
                let limit_us = random.below(200) as u64;
                let limited = (
                    op::recv(&ours, &mut two).soft(),
                    op::link_timeout(Duration::from_micros(limit_us)),
                );
                let (second, limit) = ring.queue_all(limited).unwrap();
                if random.below(3) == 0 {
                    ring.complete(Mode::NonBlocking).unwrap();
                }
                let closed = ring.queue(op::close(&ours)).unwrap();
                ring.complete_all().unwrap();
                closed.take(ring).unwrap();
                let _ = limit.take(ring);
                [first.take(ring), second.take(ring)]
            });
            for (result, buf) in results.into_iter().zip([one, two]) {
                match result.map_err(|error| error.cause()) {
                    Ok(n) => {
                        assert_eq!((n, &buf), (4, b"byte"));
                        received += 1;
                    }
                    Err(Cause::Canceled) => {
                        assert_eq!(buf, [7; 4]);
                        canceled += 1;
                    }
                    Err(other) => panic!("{other:?}"),
                }
            }
            assert!(ours.into_inner().is_none());
        }
        format!(", {received} received, {canceled} canceled")
    });
}
