//! The regions that a task is in: where a cancel is deferred, and where one comes by itself.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::thread;

use corio_aio::guard::abort;
use corio_aio::key::Key;

use crate::scope_record::ScopePointer;

/// What a region is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// To defer what comes from outside.
    Shield,
    /// To stop what is inside when this timer ends.
    Limit(Key),
    /// To stop what is inside when this scope fails.
    FailFast(ScopePointer),
    /// To run on another stack.
    Depth,
}

/// A region, in the frame of the call that opened it.
struct Region {
    purpose: Purpose,
    /// Whether what is inside is to stop.
    is_up: Cell<bool>,
    outer: Option<NonNull<Region>>,
}

/// The regions that a task is in, linked from the innermost to the outermost.
#[derive(Default)]
pub(crate) struct Regions(Cell<Option<NonNull<Region>>>);

impl Regions {
    /// Calls `f` in a region; `is_up` says whether all that is inside is to stop at once.
    ///
    /// # Safety
    ///
    /// These are the regions of the task that calls, and live as long as its stack.
    pub unsafe fn within<R>(
        &self,
        purpose: Purpose,
        is_up: bool,
        f: impl FnOnce() -> R,
    ) -> thread::Result<R> {
        let region = Region { purpose, is_up: Cell::new(is_up), outer: self.0.get() };
        self.0.set(Some(NonNull::from(&region)));
        let result = catch_unwind(AssertUnwindSafe(f));
        if self.0.get() != Some(NonNull::from(&region)) {
            // Only who switches stacks by other means can leave them in another order.
            abort(&"the regions of a task were left in another order than they were entered");
        }
        self.0.set(region.outer);
        result
    }

    /// Whether the task is in none.
    pub fn is_empty(&self) -> bool {
        self.0.get().is_none()
    }

    /// Whether the task is to stop, here, when `is_asked` says whether it was asked to.
    pub fn is_canceled(&self, is_asked: bool) -> bool {
        let decides = |region: &Region| region.is_up.get() || region.purpose == Purpose::Shield;
        self.find(decides).map_or(is_asked, |region| region.is_up.get())
    }

    /// Says to a region that what is inside is to stop; says whether the task is in it.
    pub fn stop(&self, purpose: Purpose) -> bool {
        let region = self.find(|region| region.purpose == purpose);
        region.inspect(|region| region.is_up.set(true)).is_some()
    }

    fn find(&self, is_it: impl Fn(&Region) -> bool) -> Option<&Region> {
        let mut next = self.0.get();
        while let Some(region) = next {
            // SAFETY: a region is in the list while the frame of `within` that holds it waits for
            // `f`, and no longer: all frames of a task are on its one stack, so that they end in
            // the order of the list; no unwind leaves one earlier, and no task is ended from
            // outside. The list goes with the stack.
            let region = unsafe { region.as_ref() };
            if is_it(region) {
                return Some(region);
            }
            next = region.outer;
        }
        None
    }
}
