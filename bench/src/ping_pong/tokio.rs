//! Ping-pong on tokio: a task for each end, on the current-thread runtime.

use super::{PING, PONG, ROOM, check};
use crate::measure::{Counts, Sample, after_warm_up};
use socket2::{Domain, Socket};
use std::io;
use std::net::TcpStream as StdTcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::{Builder, Runtime};

/// Makes the exchange; see [`Run`](super::Run).
pub fn run(
    pairs: Vec<(OwnedFd, OwnedFd)>,
    round_trips_each: usize,
    warm_up_each: usize,
) -> io::Result<Sample> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let _entered = runtime.enter();
    let mut tcp = Vec::new();
    let mut unix = Vec::new();
    for (client, server) in pairs {
        let (client, server) = (Socket::from(client), Socket::from(server));
        client.set_nonblocking(true)?;
        server.set_nonblocking(true)?;
        if client.domain()? == Domain::UNIX {
            let stream = |socket| UnixStream::from_std(StdUnixStream::from(OwnedFd::from(socket)));
            unix.push((stream(client)?, stream(server)?));
        } else {
            let stream = |socket| TcpStream::from_std(StdTcpStream::from(OwnedFd::from(socket)));
            tcp.push((stream(client)?, stream(server)?));
        }
    }
    after_warm_up(warm_up_each, round_trips_each, |times| {
        exchange(&runtime, &mut tcp, times)?;
        exchange(&runtime, &mut unix, times)
    })
}

/// Spawns both ends of all `pairs` and waits for them; they come back for the next time.
fn exchange<S>(runtime: &Runtime, pairs: &mut Vec<(S, S)>, times: usize) -> io::Result<Counts>
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
