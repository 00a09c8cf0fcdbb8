//! A scheduler that outlived the thread-locals which its tasks borrow would be unsound.

use std::cell::Cell;

use corio::{Options, Scheduler};

thread_local! {
    static KEPT: Cell<Option<Scheduler<'static, 'static>>> = const { Cell::new(None) };
}

fn main() -> std::io::Result<()> {
    Scheduler::with(Options::default(), |scheduler| KEPT.set(Some(scheduler)))
}
