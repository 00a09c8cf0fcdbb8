//! Rings and queues stay in their thread.

use corio_aio::{Dynamic, Options, Ring};

fn main() {
    let queue = Dynamic::new(1).unwrap();
    std::thread::spawn(move || drop(queue));
    let ring = Ring::new(&Options::default()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| ring.in_flight());
    });
}
