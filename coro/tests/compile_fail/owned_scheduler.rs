//! A scheduler does not leave the call that it was made for.

use corio::{Options, Scheduler};

fn main() {
    let scheduler = Scheduler::with(Options::default(), |scheduler| scheduler);
    let _ = scheduler.unwrap().run();
}
