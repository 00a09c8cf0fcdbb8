//! The report on a stack that overflowed, which says whose it was: what it says, and when. How a
//! system tells of such faults, and where they are handled, is in a module for each.
//!
//! Code that is compiled by rustc touches each page of a frame, from the top down, so that it
//! can't step over a guard; foreign code can, unless it was compiled so as well.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::{self, Write};
use std::panic::Location;
use std::sync::{Once, OnceLock};

use super::Bounds;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as system;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as system;

/// What the report says of the task that runs on a stack. It lies where the task does.
pub(crate) struct Owner {
    pub name: Cell<Option<Cow<'static, str>>>,
    pub spawned_at: Cell<&'static Location<'static>>,
    /// The stack that it is on.
    pub bounds: Cell<Bounds>,
}

impl Owner {
    pub fn new(spawned_at: &'static Location<'static>, bounds: Bounds) -> Owner {
        Owner {
            name: Cell::new(None),
            spawned_at: Cell::new(spawned_at),
            bounds: Cell::new(bounds),
        }
    }

    /// Calls `f` with the task's name, which is out of its place meanwhile.
    pub fn with_name<R>(&self, f: impl FnOnce(Option<&str>) -> R) -> R {
        let name = self.name.take();
        let result = f(name.as_deref());
        self.name.set(name);
        result
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spawned_at = self.spawned_at.get();
        self.with_name(|name| match name {
            Some(name) => write!(f, "task '{name}' (spawned at {spawned_at})"),
            None => write!(f, "the task spawned at {spawned_at}"),
        })
    }
}

/// Calls the function with the task that runs on this thread, if `address` is in the guard of the
/// stack that this is on; says whether it is.
///
/// A handler of faults calls it, so that it takes no memory and no lock.
pub(crate) type Lookup = fn(address: usize, report: fn(&Owner)) -> bool;

/// Who finds the task that runs.
static LOOKUP: OnceLock<Lookup> = OnceLock::new();

thread_local! {
    /// The stack that code outside of tasks is on, of those that `on_own` has lent to it.
    static OUTSIDE: Cell<Option<Bounds>> = const { Cell::new(None) };
}

/// Sees to it that an overflow on this thread is reported, with what `lookup` finds.
///
/// The report comes before what the process does about such faults anyway, which is to die, and
/// faults that are not ours go to who handled them before. A handler that the program sets up
/// later comes first, and does well to call the one it replaces.
pub(crate) fn watch(lookup: Lookup) {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        LOOKUP.get_or_init(|| lookup);
        system::install();
    });
    system::watch_thread();
}

/// Calls `f`, while which the code outside of tasks counts as being on that stack.
pub(crate) fn on_own<R>(bounds: Bounds, f: impl FnOnce() -> R) -> R {
    let before = OUTSIDE.replace(Some(bounds));
    let result = f();
    OUTSIDE.set(before);
    result
}

/// Reports the overflow, if `address` is in the guard of the stack that this thread is on.
fn is_reported(address: usize) -> bool {
    if LOOKUP.get().is_some_and(|lookup| lookup(address, report_task)) {
        return true;
    }
    let outside = OUTSIDE.get().filter(|bounds| bounds.is_guard(address));
    if let Some(bounds) = outside {
        report(&"code outside of tasks", bounds, "corio::with_stack");
    }
    outside.is_some()
}

fn report_task(owner: &Owner) {
    let more = "SpawnOptions::stack_size, Options::stack_size or corio::with_stack";
    report(owner, owner.bounds.get(), more);
}

/// Says it all in one line, as a rule in one call: formatting texts and numbers takes no memory and
/// no lock.
fn report(who: &dyn fmt::Display, bounds: Bounds, more: &str) {
    let mut line = Line { bytes: [0; 256], used: 0 };
    let size = bounds.size();
    let _ = writeln!(
        line,
        "corio: {who} has overflowed its stack of {size} bytes; give it more with {more}"
    );
    line.flush();
}

/// What goes to the standard error, past all locks of the standard library.
struct Line {
    bytes: [u8; 256],
    used: usize,
}

impl Line {
    fn flush(&mut self) {
        system::write(&self.bytes[..self.used]);
        self.used = 0;
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if self.used == self.bytes.len() {
                self.flush();
            }
            self.bytes[self.used] = byte;
            self.used += 1;
        }
        Ok(())
    }
}
