//! Ping-pong on tokio: a task for each end, on the current-thread runtime.

use super::{PING, PONG, ROOM, check};
use crate::measure::{Counts, Sample, after_warm_up};
use socket2::Socket;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

/// Makes the exchange; see [`Run`](super::Run).
pub fn run(
    pairs: Vec<(Socket, Socket)>,
    round_trips_each: usize,
    warm_up_each: usize,
) -> io::Result<Sample> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let _entered = runtime.enter();
    #[cfg(unix)]
    if pairs.iter().any(|(client, _)| client.domain().is_ok_and(|it| it == socket2::Domain::UNIX)) {
        let mut pairs = streams(pairs, |socket| {
            let socket = std::os::unix::net::UnixStream::from(std::os::fd::OwnedFd::from(socket));
            tokio::net::UnixStream::from_std(socket)
        })?;
        return after_warm_up(warm_up_each, round_trips_each, |times| {
            exchange(&runtime, &mut pairs, times)
        });
    }
    let mut pairs = streams(pairs, |socket| TcpStream::from_std(socket.into()))?;
    after_warm_up(warm_up_each, round_trips_each, |times| exchange(&runtime, &mut pairs, times))
}

/// Makes streams of `pairs`, each by `stream`.
fn streams<S>(
    pairs: Vec<(Socket, Socket)>,
    stream: impl Fn(Socket) -> io::Result<S>,
) -> io::Result<Vec<(S, S)>> {
    let stream = |socket: Socket| {
        socket.set_nonblocking(true)?;
        stream(socket)
    };
    pairs.into_iter().map(|(client, server)| Ok((stream(client)?, stream(server)?))).collect()
}

/// Spawns both ends of all `pairs` and waits for them; they come back for the next time.
pub fn exchange<S>(runtime: &Runtime, pairs: &mut Vec<(S, S)>, times: usize) -> io::Result<Counts>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    runtime.block_on(async {
        let spawn =
            |(one, other)| (tokio::spawn(client(one, times)), tokio::spawn(server(other, times)));
        let tasks: Vec<_> = pairs.drain(..).map(spawn).collect();
        for (client, server) in tasks {
            pairs.push((client.await??, server.await??));
        }
        Ok(Counts::Nothing)
    })
}

/// Sends the ping and waits for the pong, `times` times.
async fn client<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, times: usize) -> io::Result<S> {
    let mut room = [0; ROOM];
    for _ in 0..times {
        stream.write_all(PING).await?;
        let n = stream.read(&mut room).await?;
        check(&room[..n], PONG)?;
    }
    Ok(stream)
}

/// Waits for the ping and sends the pong, `times` times.
async fn server<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, times: usize) -> io::Result<S> {
    let mut room = [0; ROOM];
    for _ in 0..times {
        let n = stream.read(&mut room).await?;
        check(&room[..n], PING)?;
        stream.write_all(PONG).await?;
    }
    Ok(stream)
}
