//! A time limit on nothing, at the start.

use corio_aio::op::{self, Operation};
use std::time::Duration;

fn main() {
    let _ = corio_aio::multi((op::link_timeout(Duration::ZERO).soft(), op::nop()));
}
