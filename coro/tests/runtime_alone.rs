//! What a runtime takes from its process, and gives back. Alone in its program: it counts the
//! descriptors and the threads of the process, and the time that it computes.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::thread;
use std::time::{Duration, Instant};

use corio::aio::op;
use corio::{Runtime, RuntimeOptions, io};

#[cfg_attr(unix, path = "runtime_alone/unix.rs")]
#[cfg_attr(windows, path = "runtime_alone/windows.rs")]
mod more;
mod system;

use system::{computed, descriptors, threads};

fn options(threads: usize) -> RuntimeOptions {
    RuntimeOptions { threads, ..RuntimeOptions::default() }
}

/// How many descriptors and threads the process has; the second where the system tells.
fn held() -> (usize, Option<usize>) {
    (descriptors(), threads("-"))
}

/// A thread that was joined may be listed a moment longer.
fn assert_holds(before: (usize, Option<usize>), what: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while held() != before && Instant::now() < deadline {
        thread::yield_now();
    }
    assert_eq!(held(), before, "{what}");
}

fn a_runtime_gives_back_what_it_took() {
    let before = held();
    let runtime = Runtime::new(options(3)).unwrap();
    let handle = runtime.handle();
    let tasks: Vec<_> = (0..100).map(|n| runtime.spawn(move || n)).collect();
    assert_eq!(tasks.into_iter().map(|task| task.join().unwrap()).sum::<usize>(), 4950);
    drop(runtime.shutdown(Duration::from_secs(10)));
    assert_holds(before, "while a handle is left");
    drop(handle);
}

fn a_runtime_with_nothing_in_flight_does_not_compute() {
    let runtime = Runtime::new(options(2)).unwrap();
    runtime.spawn_on_each(|_| ()).into_iter().for_each(|task| task.join().unwrap());
    let parked: Vec<_> = runtime.spawn_on_each(|_| corio::park(0).is_err());
    let before = computed();
    thread::sleep(Duration::from_secs(1));
    assert!(computed() - before <= Duration::from_millis(20), "two schedulers sleep");
    parked.iter().for_each(|task| task.cancel());
    assert!(parked.into_iter().all(|task| task.join().unwrap()));
}

#[test]
fn a_runtime_takes_little_and_gives_it_back() {
    // The thread's own ring is made, and kept.
    io::single(op::nop()).unwrap();
    a_runtime_gives_back_what_it_took();
    a_runtime_with_nothing_in_flight_does_not_compute();
    more::ALL.iter().for_each(|test| test());
}
