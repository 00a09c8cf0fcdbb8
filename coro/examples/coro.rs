//! A server and a client, two tasks on one thread, talk over a loopback connection.
//!
//! `cargo run --release --example coro -- [--port N] [--quiet]`

use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};

use corio::aio::op::{self, Operation};
use corio::aio::{Closing, Domain, SockAddr, Type};
use corio::{ResetEvent, io};

const GREETING: [&str; 3] = ["hey ", "I'm doing multiple IO ops at once ", "how cool is that?"];
const GREETING_LEN: usize = GREETING[0].len() + GREETING[1].len() + GREETING[2].len();

/// What the two share: borrowed by both, locked by nobody.
struct Stage {
    port: u16,
    is_quiet: bool,
    startup: ResetEvent,
    address: Cell<Option<SockAddr>>,
}

fn main() -> std::io::Result<()> {
    let stage = Stage::from_arguments()?;
    corio::scope(|s| {
        let client = s.spawn(|| client(&stage));
        let server = s.spawn(|| server(&stage));
        server.join()??;
        client.join()?
    })?
}

fn server(stage: &Stage) -> std::io::Result<()> {
    let listener = io::single(op::socket(Domain::IPV4, Type::STREAM, None))?;
    // A port that was asked for may have been used a moment ago.
    if stage.port != 0 {
        listener.set_reuse_address(true)?;
    }
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, stage.port));
    io::multi((op::bind(&listener, here).soft(), op::listen(&listener)))?;
    stage.address.set(Some(listener.local_addr()?));
    stage.startup.set();

    // Both can be closed in the same chain that still uses them.
    let client = Closing::new(io::single(op::accept(&listener))?);
    let listener = Closing::new(listener);

    // One submission: each starts when the one before it has succeeded.
    let mut buf = [0; 64];
    let (.., n) = io::multi((
        op::send(&client, GREETING[0]).soft(),
        op::send(&client, GREETING[1]).soft(),
        op::send(&client, GREETING[2]).soft(),
        op::recv(&client, &mut buf),
    ))?;
    stage.say("server", &buf[..n]);

    io::multi((
        op::send(&client, "ok bye").soft(),
        op::close(&client).soft(),
        op::close(&listener),
    ))?;
    Ok(())
}

fn client(stage: &Stage) -> std::io::Result<()> {
    let socket = io::single(op::socket(Domain::IPV4, Type::STREAM, None))?;
    stage.startup.wait()?;
    let server = stage.address.take().expect("the server has started");

    let mut greeting = [0; GREETING_LEN];
    io::multi((op::connect(&socket, server).soft(), op::recv(&socket, &mut greeting).wait_all()))?;
    stage.say("client", &greeting);

    let mut buf = [0; 64];
    let (_, n) =
        io::multi((op::send(&socket, "dude, I don't care").soft(), op::recv(&socket, &mut buf)))?;
    stage.say("client", &buf[..n]);
    Ok(())
}

impl Stage {
    fn from_arguments() -> std::io::Result<Stage> {
        let (startup, address) = (ResetEvent::new(), Cell::new(None));
        let mut stage = Stage { port: 0, is_quiet: false, startup, address };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quiet" => stage.is_quiet = true,
                "--port" => {
                    let port = arguments.next().and_then(|port| port.parse().ok());
                    stage.port = port.ok_or(std::io::Error::other("--port takes a number"))?;
                }
                _ => return Err(std::io::Error::other("usage: coro [--port N] [--quiet]")),
            }
        }
        Ok(stage)
    }

    fn say(&self, who: &str, heard: &[u8]) {
        if !self.is_quiet {
            println!("{who} heard: {}", String::from_utf8_lossy(heard));
        }
    }
}
