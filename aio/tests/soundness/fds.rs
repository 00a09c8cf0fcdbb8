//! Handles of the program's own.

use std::cell::Cell;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use corio_aio::{Dynamic, op};

use crate::system::{Stream, pair};
use crate::unwind;

/// What a scope borrows and drops, maybe with a panic.
struct Guarded<'a> {
    socket: &'a Stream,
    drops: &'a Cell<u32>,
    panics: bool,
}

impl AsFd for Guarded<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Guarded<'_> {
    fn drop(&mut self) {
        self.drops.set(self.drops.get() + 1);
        if self.panics {
            unwind();
        }
    }
}

#[test]
#[cfg_attr(target_os = "wasi", ignore = "a panic ends the program")]
fn a_scope_drops_nothing_after_its_end_though_a_drop_panics_in_it() {
    let (socket, _peer) = pair();
    let drops = Cell::new(0);
    let mut queue = Dynamic::new(8).unwrap();
    let ended = catch_unwind(AssertUnwindSafe(|| {
        queue.scope(|queue| {
            for panics in [true, false, false] {
                let handle = Guarded { socket: &socket, drops: &drops, panics };
                let _ = queue.queue(op::send(handle, b"x")).unwrap();
            }
        });
    }));
    ended.unwrap_err();
    let in_scope = drops.get();
    queue.complete_all().unwrap();
    drop(queue);
    assert_eq!(drops.get(), in_scope, "what was borrowed is dropped after the borrow has ended");
}
