//! An echo server on all cores: whichever worker comes first accepts a connection. It tests itself
//! with some clients, shuts down gracefully, and ends.
//!
//! `cargo run --release --example echo -- [clients]`

use std::io::{Error, Result};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use corio::aio::op::{self, Operation};
use corio::aio::{Cause, Domain, SockAddr, Socket, Type};
use corio::{JoinHandle, Runtime, RuntimeOptions, io};

/// How often each client sends, and waits for the echo.
const ROUNDS: usize = 100;

fn main() -> Result<()> {
    let clients = std::env::args().nth(1).map_or(Ok(64), |clients| clients.parse());
    let clients: usize = clients.map_err(|_| Error::other("usage: echo [clients]"))?;

    let listener = Arc::new(io::single(op::socket(Domain::IPV4, Type::STREAM, None))?);
    io::single(op::bind(&listener, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))))?;
    io::single(op::listen(&listener))?;
    let address = listener.local_addr()?;
    let runtime = Runtime::new(RuntimeOptions::default())?;
    let acceptors = runtime.spawn_on_each(move |_| accept_all(&listener));

    corio::scope(|s| {
        let talk = |_| s.spawn(|| talk(&client(&address)?));
        let clients: Vec<_> = (1..clients).map(talk).collect();
        clients.into_iter().try_for_each(|client| client.join()?)
    })??;
    // Somebody who says no more, and would stay for ever.
    let silent = client(&address)?;
    talk(&silent)?;

    // First the listener goes, so that nobody new comes. Then those who are there may end, until
    // the time is up.
    acceptors.iter().for_each(JoinHandle::cancel);
    let accepted = acceptors.into_iter().map(|acceptor| acceptor.join()?);
    let accepted: Vec<usize> = accepted.collect::<Result<_>>()?;
    let report = runtime.shutdown(Duration::from_millis(100));
    println!("connections_per_worker={accepted:?} canceled={}", report.canceled);
    assert_eq!(accepted.iter().sum::<usize>(), clients);
    assert_eq!(report.canceled, 1, "the silent one");
    drop(silent);
    Ok(())
}

/// Starts a task for each connection, until it is canceled; says how many there were.
///
/// The tasks are the worker's, and not of a scope in here: they outlive the listener.
fn accept_all(listener: &Socket) -> Result<usize> {
    let mut count = 0;
    loop {
        match io::single(op::accept(listener)) {
            Ok(peer) => corio::spawn(move || echo(&peer))?.detach(),
            Err(error) if error.cause() == Cause::Canceled => return Ok(count),
            Err(error) => return Err(error.into()),
        }
        count += 1;
    }
}

/// Sends back what comes, until the peer has no more to say, or is gone.
fn echo(peer: &Socket) {
    let mut buf = [0; 4096];
    while let Ok(n @ 1..) = io::single(op::recv(peer, &mut buf)) {
        if io::single(op::send(peer, &buf[..n])).is_err() {
            return;
        }
    }
}

fn client(address: &SockAddr) -> Result<Socket> {
    let socket = io::single(op::socket(Domain::IPV4, Type::STREAM, None))?;
    io::single(op::connect(&socket, address.clone()))?;
    Ok(socket)
}

fn talk(socket: &Socket) -> Result<()> {
    for round in 0..ROUNDS {
        let (message, mut echo) = (round.to_ne_bytes(), [0; size_of::<usize>()]);
        io::multi((op::send(socket, &message).soft(), op::recv(socket, &mut echo).wait_all()))?;
        assert_eq!(echo, message);
    }
    Ok(())
}
