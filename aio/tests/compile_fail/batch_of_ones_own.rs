//! A batch is lowered to pointers: safe code can't make one of its own.

use corio_aio::Lowering;

struct Mine;

impl Lowering for Mine {}

fn main() {}
