//! What the tests ask the system for, under one interface: connected sockets, what the process
//! holds, how a process has ended.
#![allow(dead_code, unused_imports, reason = "each test program uses some of it")]
#![allow(unsafe_code, reason = "asks the system")]

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod here;

use std::env;
use std::io::{ErrorKind, Read, Write};
use std::process::Command;

pub use here::{
    Listener, Stream, addresses, computed, descriptors, faults, has_faulted, has_overflowed,
    open_past_the_cache, page, pair, processors, raw, resident, threads, was_aborted,
};

/// Runs this program once more: by what `CORIO_TEST_RUNNER` says, if the system needs a program to
/// run programs of this kind.
pub fn this_program() -> Command {
    let program = env::current_exe().expect("a path");
    let runner = env::var("CORIO_TEST_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace();
    let Some(first) = words.next() else { return Command::new(program) };
    let mut command = Command::new(first);
    command.args(words).arg(program);
    command
}

/// Sends `bytes`, without any ring.
pub fn write(mut socket: &Stream, bytes: &[u8]) {
    socket.write_all(bytes).expect("room in the socket's buffer");
}

/// What has arrived at `socket` and was not received, without waiting for more.
pub fn left_in(mut socket: &Stream) -> Vec<u8> {
    socket.set_nonblocking(true).expect("a socket");
    let mut bytes = Vec::new();
    let end = socket.read_to_end(&mut bytes);
    socket.set_nonblocking(false).expect("a socket");
    assert!(end.is_ok() || end.is_err_and(|error| error.kind() == ErrorKind::WouldBlock));
    bytes
}
