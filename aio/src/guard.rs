//! What is left to do where memory can neither be used nor given back: to stop.

use std::fmt;

/// Ends the process: memory that somebody uses, as a rule the kernel, would have to be given back.
#[cold]
pub fn abort(why: &dyn fmt::Display) -> ! {
    eprintln!("corio: memory that is in use would be given back: {why}; aborting");
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
        abort(&"a panic would have released it");
    }
}
