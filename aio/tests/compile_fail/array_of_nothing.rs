//! A batch of nothing, as an array.

use corio_aio::op::Nop;

fn main() {
    let nothing: [Nop; 0] = [];
    let _ = corio_aio::multi(nothing);
}
