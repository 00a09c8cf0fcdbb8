//! A buffer that is used while an operation has it.

use corio_aio::{op, Dynamic};
use std::os::unix::net::UnixStream;

fn main() {
    let (socket, _peer) = UnixStream::pair().unwrap();
    let mut buf = [0; 4];
    let mut queue = Dynamic::new(1).unwrap();
    queue.scope(|queue| {
        let received = queue.queue(op::recv(&socket, &mut buf)).unwrap();
        buf[0] = 1;
        let _ = received.take(queue);
    });
}
