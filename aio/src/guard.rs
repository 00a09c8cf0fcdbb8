//! What is left to do where memory can neither be used nor given back: to stop.

use std::fmt;

/// Ends the process: the kernel may still write to memory that we would have to give back.
#[cold]
pub fn abort(why: &dyn fmt::Display) -> ! {
    eprintln!("corio: operations are in flight that can't be waited for: {why}; aborting");
    std::process::abort();
}

/// Ends the process if it is dropped, that is, if a panic would leave a frame whose memory the
/// kernel uses.
#[derive(Debug)]
pub struct NoUnwind;

impl NoUnwind {
    /// The frame may be left again.
    pub fn release(self) {
        std::mem::forget(self);
    }
}

impl Drop for NoUnwind {
    fn drop(&mut self) {
        abort(&"a panic would have released their memory");
    }
}
