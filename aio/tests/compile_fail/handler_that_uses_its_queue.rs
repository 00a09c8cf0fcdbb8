//! A handler has no access to the queue that calls it.

use corio_aio::{op, Done, Dynamic, Mode};

fn main() {
    let mut queue = Dynamic::new(1).unwrap();
    let _ = queue.complete_with(Mode::Blocking, &mut |_: Done| {
        let _ = queue.queue(op::nop());
    });
}
