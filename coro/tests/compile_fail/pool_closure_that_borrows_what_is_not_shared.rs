//! A closure on a thread of a pool borrows from the task, but nothing that is the thread's own.

use std::cell::Cell;

fn main() {
    let count = Cell::new(0);
    corio::run(|| corio::blocking(|| count.set(1))).unwrap().unwrap();
}
