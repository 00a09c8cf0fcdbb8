//! A queue outside of a scope takes no borrow.

use corio_aio::{op, Dynamic};
use std::os::unix::net::UnixStream;

fn main() {
    let (socket, _peer) = UnixStream::pair().unwrap();
    let mut buf = [0; 4];
    let mut queue = Dynamic::new(1).unwrap();
    let _ = queue.queue(op::recv(socket, &mut buf));
}
