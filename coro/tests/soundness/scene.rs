//! What the tests share: panics on purpose, processes of their own.

use std::any::Any;
use std::io::Read;
use std::panic::resume_unwind;
use std::process::{ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use corio::aio::{Cause, Error};

use crate::system::this_program;
pub use crate::system::{left_in, pair, write};

/// Longer than any test takes.
pub const FOREVER: Duration = Duration::from_secs(3600);

/// Why it failed; `None` if it did not.
pub fn cause<T>(result: Result<T, Error>) -> Option<Cause> {
    result.err().map(|error| error.cause())
}

/// Panics with `text`, without a report.
pub fn unwind(text: &'static str) -> ! {
    resume_unwind(Box::new(text))
}

/// The text that somebody panicked with.
pub fn text(payload: Box<dyn Any + Send>) -> &'static str {
    *payload.downcast().expect("a panic with a text")
}

/// Calls the closure when it is dropped.
pub struct OnDrop<F: FnMut()>(pub F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Says to a test that it is in a process of its own.
const ALONE: &str = "CORIO_TEST_IS_ALONE";

/// How a process ended.
#[derive(Debug)]
pub struct Outcome {
    pub status: ExitStatus,
    pub words: String,
}

/// Runs the test `name` in a process of its own, which is killed if it hangs; yields how that
/// went, and in that process nothing.
pub fn alone(name: &str) -> Option<Outcome> {
    if std::env::var_os(ALONE).is_some() {
        return None;
    }
    let mut test = this_program();
    test.args([name, "--exact", "--test-threads=1", "--nocapture"]).env(ALONE, "1");
    let mut child = test.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a process");
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let (sender, ended) = channel();
    let listener = thread::spawn(move || {
        let (mut words, mut more) = (String::new(), String::new());
        let _ = out.as_mut().expect("a pipe").read_to_string(&mut words);
        let _ = err.as_mut().expect("a pipe").read_to_string(&mut more);
        let _ = sender.send(());
        words + &more
    });
    if ended.recv_timeout(Duration::from_secs(20)).is_err() {
        child.kill().expect("a process");
    }
    let status = child.wait().expect("a process");
    Some(Outcome { status, words: listener.join().expect("a text") })
}

/// Runs `test`, which must not fail, abort or hang, in a process of its own.
pub fn succeeds_alone(name: &str, test: impl FnOnce()) {
    match alone(name) {
        None => test(),
        Some(outcome) => {
            let passed = outcome.status.success() && outcome.words.contains("1 passed");
            assert!(passed, "{:?}\n{}", outcome.status, outcome.words);
        }
    }
}
