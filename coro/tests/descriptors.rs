//! No descriptor leaks, whatever becomes of the operations that make them. Alone in its program:
//! it counts the descriptors of the process.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::cell::Cell;
use std::fs::{self, File};
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::Duration;

use corio::aio::op::{self, Operation};
use corio::aio::{Closing, Cwd, Domain, Mode, SockAddr, Type};
use corio::{Options, Scheduler, io};

mod system;

use system::{Listener, Stream, descriptors, pair};

const ROUNDS: usize = 150;

/// Runs `work` again and again; no descriptor may be left over.
fn leaks_none(what: &str, work: impl Fn(usize)) {
    work(0); // the thread's ring is made, and kept
    let before = descriptors();
    (1..=ROUNDS).for_each(&work);
    assert_eq!(descriptors(), before, "{what}");
}

fn unwind() -> ! {
    resume_unwind(Box::new("on purpose"))
}

fn scopes(_: usize) {
    corio::scope(|s| {
        let inner =
            s.spawn(|| corio::run(|| io::single(op::socket(Domain::IPV4, Type::STREAM, None))));
        let forgotten = s.spawn(pair);
        std::mem::forget(forgotten);
        inner.join().unwrap().unwrap().unwrap();
    })
    .unwrap();
}

fn panics(round: usize) {
    let (ours, _theirs) = pair();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        corio::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    let socket = io::single(op::socket(Domain::IPV4, Type::STREAM, None)).unwrap();
                    let _ = io::single(op::recv(&ours, vec![0; 8]));
                    drop(socket);
                })
                .detach();
            }
            let sockets = s.spawn(|| {
                let _socket = io::single(op::socket(Domain::IPV4, Type::STREAM, None));
                unwind()
            });
            if round.is_multiple_of(2) {
                std::mem::forget(sockets);
            }
            unwind()
        })
    }));
    assert!(panic.is_err());
}

/// Cancels an accept before, while and after its connection comes.
fn accepts(listener: &Listener, round: usize) {
    Scheduler::with(Options::default(), |scheduler| {
        let accept = || io::single(op::accept(&listener.socket));
        let task = scheduler.spawn(accept).unwrap();
        let tick = || scheduler.tick(Mode::NonBlocking).unwrap();
        let steps: [&dyn Fn() -> Option<Stream>; 3] = [
            &|| {
                tick();
                None
            },
            &|| listener.connect(),
            &|| {
                task.cancel();
                None
            },
        ];
        const ORDERS: [[usize; 3]; 4] = [[0, 1, 2], [1, 2, 0], [0, 2, 1], [2, 0, 1]];
        let clients = ORDERS[round % 4].map(|step| steps[step]());
        match round % 3 {
            0 => drop(task.join()),
            1 => drop(task),
            _ => std::mem::forget(task),
        }
        drop(clients);
    })
    .unwrap();
    listener.socket.set_nonblocking(true).unwrap();
    while listener.socket.accept().is_ok() {}
    listener.socket.set_nonblocking(false).unwrap();
}

/// Batches that make files and sockets, and then fail, are canceled, or are not looked at.
fn abandoned_batches(path: &Path, round: usize) {
    let (ours, _theirs) = pair();
    corio::scope(|s| {
        let make = || {
            (
                op::socket(Domain::IPV4, Type::STREAM, None).soft(),
                op::open_at(Cwd, path).soft(),
                op::open_at(Cwd, "no/such/file").soft(),
                op::socket(Domain::IPV4, Type::STREAM, None),
            )
        };
        let fails = s.spawn(move || io::multi(make()).is_err());
        let waits = s.spawn(|| {
            let (socket, limit) = (op::socket(Domain::IPV4, Type::STREAM, None), Duration::MAX);
            io::multi((
                socket,
                op::open_at(Cwd, path),
                op::recv(&ours, vec![0; 8]),
                op::timeout(limit),
            ))
            .is_err()
        });
        if round.is_multiple_of(2) {
            io::single(op::timeout(Duration::from_micros(50))).unwrap();
        }
        waits.cancel();
        assert!(fails.join().unwrap() && waits.join().unwrap());
        assert!(io::complete(make()).is_ok());
    })
    .unwrap();
}

/// Handles that are closed in a chain, or are not because the chain fails first or is canceled.
fn closings(path: &Path, round: usize) {
    let failed = Cell::new(0);
    corio::scope(|s| {
        for case in 0..4 {
            let failed = &failed;
            let task = s.spawn(move || {
                let (ours, theirs) = pair();
                let (ours, file) = (Closing::new(ours), File::open(path).unwrap());
                let is_closed = match case {
                    0 => io::multi((op::send(&ours, b"bye").soft(), op::close(&ours))).is_ok(),
                    1 => {
                        let missing = op::open_at(Cwd, "no/such/file").soft();
                        io::multi((missing, op::close(&ours).soft(), op::close(file))).is_ok()
                    }
                    2 => io::multi((op::recv(&ours, vec![0; 8]), op::close(&ours))).is_ok(),
                    _ => io::multi((op::recv(&ours, vec![0; 8]).soft(), op::close(&ours))).is_ok(),
                };
                failed.set(failed.get() + usize::from(!is_closed));
                if round.is_multiple_of(2) {
                    drop(ours.into_inner());
                }
                drop(theirs);
            });
            if case == 3 {
                corio::yield_now();
                task.cancel();
            }
        }
    })
    .unwrap();
    assert!(failed.get() >= 2);
}

/// A conversation over TCP, whose sockets all come from operations.
fn conversation(_: usize) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = SockAddr::from(listener.local_addr().unwrap());
    corio::scope(|s| {
        let server = s.spawn(|| {
            let peer = Closing::new(io::single(op::accept(&listener)).unwrap());
            let mut buf = [0; 16];
            io::multi((op::recv(&peer, &mut buf).soft(), op::close(&peer))).unwrap()
        });
        let socket = io::single(op::socket(Domain::IPV4, Type::STREAM, None)).unwrap();
        io::multi((
            op::connect(&socket, address).soft(),
            op::send(&socket, b"hello").soft(),
            op::close(socket.try_clone().unwrap()),
        ))
        .unwrap();
        assert_eq!(server.join().unwrap(), (5, ()));
    })
    .unwrap();
}

#[test]
fn no_descriptor_is_left_over() {
    let dir = tempfile::tempdir().unwrap();
    let (listener, file) = (Listener::new(), dir.path().join("file"));
    fs::write(&file, "contents").unwrap();
    leaks_none("scopes", scopes);
    leaks_none("panics", panics);
    leaks_none("accepts", |round| accepts(&listener, round));
    leaks_none("abandoned batches", |round| abandoned_batches(&file, round));
    leaks_none("closings", |round| closings(&file, round));
    leaks_none("conversations", conversation);
}
