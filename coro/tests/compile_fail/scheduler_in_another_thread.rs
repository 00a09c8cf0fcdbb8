//! A scheduler stays in its thread.

use corio::{Options, Scheduler};

fn main() -> std::io::Result<()> {
    Scheduler::with(Options::default(), |scheduler| {
        std::thread::scope(|threads| {
            threads.spawn(move || scheduler.run());
        });
    })
}
