//! A time limit that nothing is linked to.

use corio_aio::op;
use std::time::Duration;

fn main() {
    let mut queue = corio_aio::Dynamic::new(2).unwrap();
    let _ = queue.queue_all((op::nop(), op::link_timeout(Duration::ZERO)));
}
