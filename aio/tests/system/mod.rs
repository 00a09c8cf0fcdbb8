//! What the tests need of a system, under one interface: connected sockets, descriptors that are
//! counted, names of failures, children, terminals.
#![allow(dead_code, unused_imports, reason = "each of the tests needs some of it")]

mod code;
#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(all(unix, not(target_os = "linux")), path = "bsd.rs")]
#[cfg_attr(target_os = "wasi", path = "wasi.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod here;
#[cfg(any(unix, target_os = "wasi"))]
mod posix;
#[cfg(unix)]
mod unix;

pub use code::Code;
#[cfg(unix)]
pub use here::{eventfd, watching};
#[cfg(unix)]
pub use unix::{interrupt_each_millisecond, make_raw, terminal};

pub use here::{
    Datagrams, HAS_PROCESSES, OBSTACLES, SEND_BUFFER, Stream, allocated, alone, borrowed, bound,
    changed, child, closes_on_exec, datagrams, full, inode_and_links, is_gone, is_open, mode,
    names, open_descriptors, open_dir, open_past_caches, pair, pipe, pipe_room, scratch, symlink,
    waiting_child, was_killed, without_descriptors,
};

#[cfg(target_os = "wasi")]
pub use here::choose_room;

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

use corio_aio::{Domain, Socket, Type, op, single};

/// Chooses where files for a while are put: the system says.
#[cfg(not(target_os = "wasi"))]
pub fn choose_room() {}

/// Two connected TCP sockets.
pub fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound listener");
    let client = TcpStream::connect(address).expect("a connection");
    (client, listener.accept().expect("a connection").0)
}

/// A TCP socket that nothing can be sent through.
pub fn alone_tcp() -> TcpStream {
    let (ours, _theirs) = tcp();
    ours.shutdown(Shutdown::Write).expect("a connection");
    ours
}

/// A TCP socket that is bound to an address of its own, and the domain of that.
pub fn bound_tcp() -> (Socket, Domain) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    single(op::bind(&socket, address)).expect("a free port");
    (socket, Domain::IPV4)
}
