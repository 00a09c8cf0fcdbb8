//! The locks and atomics that threads meet at: the system's, or those of a world that `loom`
//! simulates.
//!
//! Locks and numbers can be made in a `const` in both worlds. The locks know no poison: no code of
//! the user runs while one is held.

#[cfg(not(loom))]
pub(crate) use of_the_system::{AtomicBool, AtomicU32, Lock, LockGuard};
#[cfg(loom)]
pub(crate) use simulated::{AtomicBool, AtomicU32, Lock, LockGuard};

#[cfg(not(loom))]
mod of_the_system {
    use std::sync::{Mutex, PoisonError};

    pub(crate) use std::sync::MutexGuard as LockGuard;
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32};

    /// A lock that blocks the thread: for a few instructions at a time.
    #[derive(Debug, Default)]
    pub(crate) struct Lock<T>(Mutex<T>);

    impl<T> Lock<T> {
        pub const fn new(value: T) -> Lock<T> {
            Lock(Mutex::new(value))
        }

        #[inline]
        pub fn lock(&self) -> LockGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}

#[cfg(loom)]
mod simulated {
    use std::ops::{Deref, DerefMut};
    use std::sync::atomic::Ordering;
    use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

    pub(crate) use loom::sync::atomic::AtomicBool;

    /// A lock of loom's, which is made when it is used first: loom has nothing that is `const`.
    #[derive(Debug, Default)]
    pub(crate) struct Lock<T> {
        gate: OnceLock<loom::sync::Mutex<()>>,
        value: Mutex<T>,
    }

    /// Its fields are dropped in order: the value's guard first.
    #[derive(Debug)]
    pub(crate) struct LockGuard<'a, T> {
        value: MutexGuard<'a, T>,
        _gate: loom::sync::MutexGuard<'a, ()>,
    }

    impl<T> Lock<T> {
        pub const fn new(value: T) -> Lock<T> {
            Lock { gate: OnceLock::new(), value: Mutex::new(value) }
        }

        pub fn lock(&self) -> LockGuard<'_, T> {
            let gate = self.gate.get_or_init(|| loom::sync::Mutex::new(()));
            let gate = gate.lock().expect("loom knows no poison");
            let value = self.value.lock().unwrap_or_else(PoisonError::into_inner);
            LockGuard { value, _gate: gate }
        }
    }

    impl<T> Deref for LockGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.value
        }
    }

    impl<T> DerefMut for LockGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            &mut self.value
        }
    }

    /// A number of loom's, which is made when it is used first: before it is shared, or loom takes
    /// its making for a write that races with the other threads.
    #[derive(Debug)]
    pub(crate) struct AtomicU32 {
        first: u32,
        number: OnceLock<loom::sync::atomic::AtomicU32>,
    }

    impl AtomicU32 {
        pub const fn new(first: u32) -> AtomicU32 {
            AtomicU32 { first, number: OnceLock::new() }
        }

        fn number(&self) -> &loom::sync::atomic::AtomicU32 {
            self.number.get_or_init(|| loom::sync::atomic::AtomicU32::new(self.first))
        }

        pub fn load(&self, order: Ordering) -> u32 {
            self.number().load(order)
        }

        pub fn store(&self, value: u32, order: Ordering) {
            self.number().store(value, order);
        }

        pub fn compare_exchange(
            &self,
            current: u32,
            new: u32,
            success: Ordering,
            failure: Ordering,
        ) -> Result<u32, u32> {
            self.number().compare_exchange(current, new, success, failure)
        }

        pub fn fetch_add(&self, value: u32, order: Ordering) -> u32 {
            self.number().fetch_add(value, order)
        }

        pub fn fetch_sub(&self, value: u32, order: Ordering) -> u32 {
            self.number().fetch_sub(value, order)
        }

        pub fn fetch_and(&self, value: u32, order: Ordering) -> u32 {
            self.number().fetch_and(value, order)
        }
    }
}
