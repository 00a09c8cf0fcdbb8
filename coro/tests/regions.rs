//! Time limits, shields, races, scopes that fail as a whole: what is asked to stop, and when.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

#[path = "regions/cancel.rs"]
mod cancel;
#[path = "regions/race.rs"]
mod race;
mod system;
#[path = "regions/timeout.rs"]
mod timeout;
#[path = "regions/try_scope.rs"]
mod try_scope;
#[cfg(unix)]
#[path = "regions/while_starting.rs"]
mod while_starting;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use corio::aio::backend::Kind;
use corio::aio::{self, Error};
use corio::{Options, Scheduler};
use system::pair;

/// Longer than any test takes.
const FOREVER: Duration = Duration::from_secs(3600);

/// As short as it can be and still be waited for.
const SOON: Duration = Duration::from_millis(2);

/// Runs `test` outside of tasks, on each backend that this system has.
fn on_each_backend<'env>(test: impl Fn(Scheduler<'_, 'env>)) {
    for &kind in Kind::CANDIDATES {
        let ring = aio::Options { backend: Some(kind), ..aio::Options::DEFAULT };
        if aio::Ring::new(&ring).is_err() {
            continue;
        }
        let options = Options { ring, ..Options::default() };
        let start = Instant::now();
        Scheduler::with(options, &test).unwrap();
        assert!(start.elapsed() < FOREVER / 100, "{kind}: a wait was not ended");
    }
}

/// Runs `test` as a task, on each backend that this system has.
fn in_a_task(test: impl Fn()) {
    on_each_backend(|scheduler| scheduler.spawn(&test).unwrap().join().unwrap());
}

fn is_canceled<T>(result: &Result<T, Error>) -> bool {
    result.as_ref().is_err_and(Error::is_canceled)
}

/// The text that `f` panics with.
fn panic_of<R>(f: impl FnOnce() -> R) -> &'static str {
    let payload = catch_unwind(AssertUnwindSafe(f)).err().expect("a panic");
    *payload.downcast().expect("a panic with a text")
}

/// Panics without a report.
fn unwind(text: &'static str) -> ! {
    std::panic::resume_unwind(Box::new(text))
}
