//! The last operation of an array is linked to nothing.

use corio_aio::op::{self, Operation};

fn main() {
    let _ = corio_aio::multi([op::nop().hard()]);
}
