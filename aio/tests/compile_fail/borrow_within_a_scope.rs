//! A borrow that ends before its scope.

use corio_aio::{op, Dynamic};
use std::os::unix::net::UnixStream;

fn main() {
    let (socket, _peer) = UnixStream::pair().unwrap();
    let mut queue = Dynamic::new(1).unwrap();
    queue.scope(|queue| {
        let mut buf = [0; 4];
        let _ = queue.queue(op::recv(&socket, &mut buf));
    });
}
