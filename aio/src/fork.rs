//! Which process this is: a ring must know when it has been taken along into a child.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::sys::watch_forks;

static GENERATION: AtomicU32 = AtomicU32::new(0);

/// A number that differs from its parent's in a process made by `fork`, from the first call of
/// [`watch`] on.
#[inline]
pub fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Sees to it that forks are counted.
///
/// A process made by a raw `clone` system call is not seen: libc does not see it either. Nor is one
/// for which there is no memory to remember this; that is no worse than with every other ring.
pub fn watch() {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        // SAFETY: the handler does nothing but add to an atomic, which is allowed in the child of a
        // process with threads.
        unsafe { watch_forks(count) };
    });
}

extern "C" fn count() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}
