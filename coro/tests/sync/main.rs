//! What `corio::sync` promises, in tasks, in plain threads, and between them.

mod channels;
mod condvar;
mod locks;
mod meetings;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// A deadline that a test waits for.
const SOON: Duration = Duration::from_millis(2);

/// A deadline that no test waits for.
const LATE: Duration = Duration::from_secs(3600);

/// Runs `f` as a plain thread, as a task, and as the code outside of tasks.
fn on_each_kind(f: impl Fn() + Send + Sync) {
    thread::scope(|threads| {
        threads.spawn(&f).join().expect("no panic");
    });
    corio::run(&f).expect("a scheduler");
    corio::scope(|_| f()).expect("a scheduler");
}

/// Runs `f` on a thread of its own with a scheduler, and waits until it has sent its word, which it
/// does where the caller may go on.
fn beside<R>(f: impl FnOnce(mpsc::Sender<()>) + Send, meanwhile: impl FnOnce() -> R) -> R {
    let (sender, word) = mpsc::channel();
    thread::scope(|threads| {
        threads.spawn(move || corio::run(|| f(sender)).expect("a scheduler"));
        word.recv().expect("a word");
        meanwhile()
    })
}
