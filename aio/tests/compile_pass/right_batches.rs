//! Batches that keep the rules.

use corio_aio::op::{self, Operation};
use std::time::Duration;

fn main() {
    let limit = || op::link_timeout(Duration::MAX);
    corio_aio::multi((op::nop(),)).unwrap();
    corio_aio::multi([op::nop(); 3]).unwrap();
    corio_aio::multi((op::nop().soft(), limit().hard(), op::nop().hard(), limit())).unwrap();
}
