//! Ping-pong on corio: a task for each end.

use super::{PING, PONG, ROOM, check};
use crate::measure::{Counts, Sample, after_warm_up};
use corio::aio::Traffic;
use corio::aio::backend::{Kind, backend};
use corio::aio::op::{self, Operation};
use corio::{Options, Scheduler, Task};
use socket2::Socket;
use std::io;

/// Makes the exchange; see [`Run`](super::Run).
pub fn run(
    pairs: Vec<(Socket, Socket)>,
    round_trips_each: usize,
    warm_up_each: usize,
) -> io::Result<Sample> {
    Scheduler::with(Options::default(), |scheduler| {
        after_warm_up(warm_up_each, round_trips_each, |times| exchange(scheduler, &pairs, times))
    })?
}

/// Makes the exchange `times` times over each of `pairs`, whatever else the scheduler has to do.
pub fn exchange<'scope>(
    scheduler: Scheduler<'scope, '_>,
    pairs: &'scope [(Socket, Socket)],
    times: usize,
) -> io::Result<Counts> {
    let before = scheduler.traffic();
    let mut ends: Vec<Task<'scope, io::Result<()>>> = Vec::new();
    for (client_end, server_end) in pairs {
        ends.push(scheduler.spawn(move || client(client_end, times))?);
        ends.push(scheduler.spawn(move || server(server_end, times))?);
    }
    for end in ends {
        end.join()??;
    }
    Ok(counts(&backend()?, before, scheduler.traffic()))
}

/// What a ring on this backend counted between `before` and `after`.
pub fn counts(backend: &Kind, before: Traffic, after: Traffic) -> Counts {
    let calls = after.calls - before.calls;
    match backend {
        Kind::Uring => Counts::Ring {
            enters: calls,
            sqes: after.submitted - before.submitted,
            cqes: after.completed - before.completed,
        },
        _ => Counts::Syscalls(calls),
    }
}

fn client(socket: &Socket, times: usize) -> io::Result<()> {
    let mut room = [0; ROOM];
    for _ in 0..times {
        let exchange = (op::send(socket, PING).soft(), op::recv(socket, &mut room));
        let (_, n) = corio::io::multi(exchange)?;
        check(&room[..n], PONG)?;
    }
    Ok(())
}

fn server(socket: &Socket, times: usize) -> io::Result<()> {
    let mut room = [0; ROOM];
    let mut n = corio::io::single(op::recv(socket, &mut room))?;
    for _ in 1..times {
        check(&room[..n], PING)?;
        let exchange = (op::send(socket, PONG).soft(), op::recv(socket, &mut room));
        (_, n) = corio::io::multi(exchange)?;
    }
    check(&room[..n], PING)?;
    corio::io::single(op::send(socket, PONG))?;
    Ok(())
}
