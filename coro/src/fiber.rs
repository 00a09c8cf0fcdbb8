//! What ThreadSanitizer is told of the stacks that threads switch between; in all other builds,
//! nothing.
//!
//! It keeps a list of each thread's calls. Without this, those of all the tasks that are suspended
//! are in the one list of their thread, and where that overflows the sanitizer crashes or hangs.

#[cfg(corio_tsan)]
pub(crate) use told::Fiber;
#[cfg(not(corio_tsan))]
pub(crate) use untold::Fiber;

#[cfg(not(corio_tsan))]
mod untold {
    /// Nothing.
    pub(crate) struct Fiber;

    impl Fiber {
        pub fn new() -> Fiber {
            Fiber
        }

        /// Calls `switch`.
        #[inline(always)]
        pub fn enter<R>(&self, switch: impl FnOnce() -> R) -> R {
            switch()
        }
    }
}

#[cfg(corio_tsan)]
mod told {
    use std::ffi::{c_uint, c_void};
    use std::ptr::NonNull;

    /// A task in the sanitizer's books, where it is like a thread.
    pub(crate) struct Fiber(NonNull<c_void>);

    unsafe extern "C" {
        fn __tsan_get_current_fiber() -> NonNull<c_void>;
        fn __tsan_create_fiber(flags: c_uint) -> NonNull<c_void>;
        fn __tsan_destroy_fiber(fiber: NonNull<c_void>);
        fn __tsan_switch_to_fiber(fiber: NonNull<c_void>, flags: c_uint);
    }

    /// What runs on the one fiber before a switch has happened for what runs on the other after it.
    const IN_ORDER: c_uint = 0;

    impl Fiber {
        pub fn new() -> Fiber {
            // SAFETY: the call has no conditions.
            Fiber(unsafe { __tsan_create_fiber(IN_ORDER) })
        }

        /// Calls `switch`, which runs the task until it suspends or ends.
        ///
        /// What leads to the task and back counts as the task's own: each call that is entered on
        /// the one stack and left on the other is then made up for by one the other way round.
        pub fn enter<R>(&self, switch: impl FnOnce() -> R) -> R {
            // SAFETY: the call has no conditions.
            let before = unsafe { __tsan_get_current_fiber() };
            // SAFETY: the fiber is there until it is dropped, and no thread is on it: the task is
            // suspended.
            unsafe { __tsan_switch_to_fiber(self.0, IN_ORDER) };
            let result = switch();
            // SAFETY: the fiber is that of the thread, or of a task that is in `resume`, here.
            unsafe { __tsan_switch_to_fiber(before, IN_ORDER) };
            result
        }
    }

    impl Drop for Fiber {
        fn drop(&mut self) {
            // SAFETY: it was created, and is destroyed once; the thread has left it in `enter`.
            unsafe { __tsan_destroy_fiber(self.0) };
        }
    }
}
