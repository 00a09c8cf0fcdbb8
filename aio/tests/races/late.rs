//! Closes, cancels and accepts that come late.

use std::hint;
use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use corio_aio::op::{self, Operation};
use corio_aio::{Cause, Closing, Error, Id, Mode, Socket, Type};

use crate::load::on_each_backend;
use crate::system::{self, Code};

fn cause<T>(result: Result<T, Error>) -> Option<Cause> {
    result.err().map(|error| error.cause())
}

fn assert_is_closed<T>(result: Result<T, Error>) {
    let Some(Cause::Os(code)) = cause(result) else { panic!("it has a code") };
    assert_eq!(Code::one_of(&[code]), Code::EBADF);
}

/// A sync of a handle whose close has started answers `EBADF`; one that started sooner is done or
/// canceled. What else has come to have the number is a pipe, of which a sync would answer
/// `EINVAL`.
#[test]
fn a_sync_after_a_close_never_reaches_a_stranger() {
    on_each_backend("sync after close", |ring, rounds| {
        let (mut done, mut canceled) = (0, 0);
        for round in rounds {
            let file = Closing::new(system::scratch());
            ring.scope(|ring| {
                let written = match round % 4 {
                    0 => {
                        let chain = (op::write(&file, b"x").soft(), op::close(&file));
                        let (written, closed) = ring.queue_all(chain).unwrap();
                        let synced = ring.queue(op::fsync(&file)).unwrap();
                        ring.complete_all().unwrap();
                        closed.take(ring).unwrap();
                        assert_is_closed(synced.take(ring));
                        written
                    }
                    1 => {
                        let written = ring.queue(op::write(&file, b"x")).unwrap();
                        let synced = ring.queue(op::fsync(&file)).unwrap();
                        let closed = ring.queue(op::close(&file)).unwrap();
                        ring.complete_all().unwrap();
                        closed.take(ring).unwrap();
                        match cause(synced.take(ring)) {
                            None => done += 1,
                            Some(Cause::Canceled) => canceled += 1,
                            Some(other) => panic!("{other:?}"),
                        }
                        assert!(matches!(cause(written.take(ring)), None | Some(Cause::Canceled)));
                        return;
                    }
                    2 => {
                        let chain = (
                            op::write(&file, b"x").soft(),
                            op::fsync(&file).soft(),
                            op::close(&file),
                        );
                        let (written, synced, closed) = ring.queue_all(chain).unwrap();
                        ring.complete_all().unwrap();
                        synced.take(ring).unwrap();
                        closed.take(ring).unwrap();
                        written
                    }
                    _ => {
                        let chain = (op::write(&file, b"x").soft(), op::close(&file));
                        let (written, closed) = ring.queue_all(chain).unwrap();
                        ring.complete_all().unwrap();
                        closed.take(ring).unwrap();
                        let synced = ring.queue(op::fsync(&file)).unwrap();
                        ring.complete_all().unwrap();
                        assert_is_closed(synced.take(ring));
                        written
                    }
                };
                assert_eq!(written.take(ring).unwrap(), 1);
            });
        }
        assert!(done > 0);
        format!(", of syncs before a close {done} were done and {canceled} canceled")
    });
}

/// The slot of an operation, as its name has it.
fn slot(id: Id) -> String {
    let name = format!("{id:?}");
    name.rsplit_once('v').unwrap().0.into()
}

/// A cancel of what is complete finds nothing, also when its place is taken by another operation;
/// nor does one that was on its way when the place was taken hit that.
#[test]
fn a_cancel_of_a_reused_key_never_hits_the_new_operation() {
    on_each_backend("cancel of a reused key", |ring, rounds| {
        let (ours, mut theirs) = system::pair();
        let (mut reused, mut canceled) = (0, 0);
        ring.scope(|ring| {
            for round in rounds {
                let old = ring.queue(op::recv(&ours, vec![0; 1])).unwrap();
                let id = old.id();
                if round % 2 == 0 {
                    ring.complete(Mode::NonBlocking).unwrap();
                }
                theirs.write_all(b"a").unwrap();
                let racing = match round % 3 {
                    0 => None,
                    _ => Some(ring.queue(op::cancel(id)).unwrap()),
                };
                while !ring.complete(Mode::Blocking).unwrap().iter().any(|done| done.id == id) {}
                let is_canceled = match cause(old.take(ring)) {
                    None => false,
                    Some(Cause::Canceled) => racing.is_some(),
                    Some(other) => panic!("{other:?}"),
                };
                canceled += usize::from(is_canceled);

                let new = ring.queue(op::recv(&ours, vec![0; 1])).unwrap();
                reused += usize::from(slot(new.id()) == slot(id));
                let late = ring.queue(op::cancel(id)).unwrap();
                let (new_id, late_id) = (new.id(), late.id());
                let mut is_late_done = false;
                while !is_late_done {
                    for done in ring.complete(Mode::Blocking).unwrap() {
                        assert!(done.id != new_id || (is_canceled && !done.failed));
                        is_late_done |= done.id == late_id;
                    }
                }
                assert_eq!(cause(late.take(ring)), Some(Cause::NotFound));
                if !is_canceled {
                    theirs.write_all(b"b").unwrap();
                }
                ring.complete_all().unwrap();
                assert_eq!(new.take(ring).unwrap(), 1);
                if let Some(racing) = racing {
                    let told = cause(racing.take(ring));
                    assert_eq!(is_canceled, told.is_none(), "{told:?}");
                }
            }
        });
        assert!(reused > 0);
        format!(", {reused} keys reused, {canceled} canceled in time")
    });
}

/// Connections come from one thread, in the order of their numbers; an accept that is canceled
/// either takes the next one or leaves it to the next accept.
#[test]
fn an_accept_that_is_canceled_late_loses_no_connection() {
    on_each_backend("accept canceled late", |ring, rounds| {
        let (listener, domain) = system::bound();
        listener.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let connecting = thread::spawn(move || {
            for number in 0_u32.. {
                // However fast it is, now and then no connection waits.
                if number % 8 == 7 {
                    thread::sleep(Duration::from_micros(50));
                }
                let socket = Socket::new(domain, Type::STREAM, None).unwrap();
                if socket.connect(&address).is_err() {
                    return;
                }
                // It fails if the listener is closed while the connection waits there.
                let _ = (&socket).write_all(&number.to_ne_bytes());
            }
        });
        let (mut accepted, mut canceled) = (0_u32, 0);
        for round in rounds {
            ring.scope(|ring| {
                let accept = ring.queue(op::accept(&listener)).unwrap();
                match round % 4 {
                    0 => {}
                    1 => drop(ring.complete(Mode::NonBlocking).unwrap()),
                    2 => {
                        ring.complete(Mode::NonBlocking).unwrap();
                        (0..round % 1000).for_each(|_| hint::spin_loop());
                    }
                    _ => thread::yield_now(),
                }
                let cancel = ring.queue(op::cancel(accept.id())).unwrap();
                ring.complete_all().unwrap();
                let told = cause(cancel.take(ring));
                match accept.take(ring) {
                    Ok(socket) => {
                        let mut number = [0; 4];
                        (&socket).read_exact(&mut number).unwrap();
                        assert_eq!(u32::from_ne_bytes(number), accepted, "one was lost");
                        assert!(told.is_some());
                        accepted += 1;
                    }
                    Err(error) if error.is_canceled() => canceled += 1,
                    Err(error) => panic!("{error}"),
                }
            });
        }
        drop(listener);
        connecting.join().unwrap();
        assert!(accepted > 0 && canceled > 0);
        format!(", {accepted} accepted, {canceled} canceled")
    });
}
