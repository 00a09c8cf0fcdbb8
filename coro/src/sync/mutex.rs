//! A value that one task or thread at a time may use.

use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{Duration, Instant};

use corio_aio::key::Key;

use super::WaitError;
use super::wait_list::{self, WaitList};
use crate::park::{Parked, Parker, Unparker};
use crate::primitive::{AtomicU32, Lock};
use crate::task::Canceled;

/// A value that one task or thread at a time may use.
///
/// Whoever waits for it waits in a queue: who unlocks it hands it to the one that waits longest.
/// There is no poison: a value that a panic has left half changed is seen so.
///
/// ```
/// use corio::sync::Mutex;
/// # fn main() -> std::io::Result<()> {
/// let sum = Mutex::new(0);
/// corio::scope(|s| {
///     for n in 1..=4 {
///         let sum = &sum;
///         s.spawn(move || {
///             let mut sum = sum.lock()?;
///             corio::yield_now(); // others wait meanwhile
///             *sum += n;
///             Ok::<_, corio::Canceled>(())
///         })
///         .detach();
///     }
/// })?;
/// assert_eq!(sum.into_inner(), 10);
/// # Ok(())
/// # }
/// ```
///
/// A guard that is [forgotten](std::mem::forget) keeps it locked for good.
#[derive(Default)]
pub struct Mutex<T: ?Sized> {
    pub(super) raw: RawMutex,
    value: UnsafeCell<T>,
}

/// The right to use the value of a [`Mutex`], until it is dropped.
#[must_use = "dropping it unlocks the mutex"]
pub struct MutexGuard<'a, T: ?Sized> {
    pub(super) mutex: &'a Mutex<T>,
    /// What a guard may do in other threads is what a guard of `std` may: be looked at.
    _as_of_std: PhantomData<std::sync::MutexGuard<'a, T>>,
}

// SAFETY: whoever can reach the mutex can reach the value only through a guard, of which there is
// one at a time, whatever is forgotten: so the value is used by one thread after the other.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    /// A mutex that is not locked.
    pub const fn new(value: T) -> Mutex<T> {
        Mutex { raw: RawMutex::new(), value: UnsafeCell::new(value) }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits until it can be locked, and locks it.
    ///
    /// # Errors
    ///
    /// [`Canceled`]: it is not free, and the task was asked to stop before it was, or can't be
    /// suspended because the thread unwinds.
    #[inline]
    pub fn lock(&self) -> Result<MutexGuard<'_, T>, Canceled> {
        if self.raw.try_lock() || self.raw.wait(None).is_ok() {
            return Ok(self.guard());
        }
        Err(Canceled)
    }

    /// Locks it, if it is free.
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.raw.try_lock().then(|| self.guard())
    }

    /// As [`lock`](Mutex::lock), for at most this long.
    ///
    /// # Errors
    ///
    /// Also [`WaitError::Expired`]: it was not free in time.
    pub fn lock_timeout(&self, timeout: Duration) -> Result<MutexGuard<'_, T>, WaitError> {
        if !self.raw.try_lock() {
            self.raw.wait(wait_list::deadline(timeout))?;
        }
        Ok(self.guard())
    }

    /// As [`lock`](Mutex::lock), but not beyond `deadline`.
    ///
    /// # Errors
    ///
    /// Also [`WaitError::Expired`]: it was not free in time.
    pub fn lock_until(&self, deadline: Instant) -> Result<MutexGuard<'_, T>, WaitError> {
        if !self.raw.try_lock() {
            self.raw.wait(Some(deadline))?;
        }
        Ok(self.guard())
    }

    /// The value: who has the only reference needs no lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// The guard of who has just locked it.
    #[inline]
    pub(super) fn guard(&self) -> MutexGuard<'_, T> {
        MutexGuard { mutex: self, _as_of_std: PhantomData }
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Mutex<T> {
        Mutex::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_lock() {
            Some(value) => f.debug_tuple("Mutex").field(&&*value).finish(),
            None => f.write_str("Mutex(<locked>)"),
        }
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the mutex is locked until this guard is dropped, and this is its only guard; it
        // is borrowed for as long as the value is, so that nobody changes it meanwhile.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the mutex is locked until this guard is dropped, and this is its only guard; it
        // is borrowed mutably for as long as the value is, so that nobody sees it meanwhile.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.raw.unlock();
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

const FREE: u32 = 0;
const LOCKED: u32 = 1;
/// Locked, and somebody may wait. From here only who holds the lock of the waiters leads away.
const AWAITED: u32 = 2;

/// A mutex without its value.
#[derive(Debug)]
pub(super) struct RawMutex {
    state: AtomicU32,
    waiters: Lock<WaitList<Unparker>>,
}

impl Default for RawMutex {
    fn default() -> RawMutex {
        RawMutex::new()
    }
}

impl RawMutex {
    const fn new() -> RawMutex {
        RawMutex { state: AtomicU32::new(FREE), waiters: Lock::new(WaitList::new()) }
    }

    #[inline]
    pub fn try_lock(&self) -> bool {
        self.state.compare_exchange(FREE, LOCKED, Acquire, Relaxed).is_ok()
    }

    /// Locks it after having waited.
    #[cold]
    pub fn wait(&self, deadline: Option<Instant>) -> Result<(), WaitError> {
        let parker = Parker::current();
        let Some(key) = self.enqueue(&parker) else { return Ok(()) };
        wait_list::wait(&parker, "a mutex", deadline, &self.waiters, |waiters, failure| {
            waiters.is_over(key, failure)
        })
    }

    /// Locks it after having waited, asked to stop or not. Says whether it is locked: it is not if
    /// that can't come.
    #[cold]
    pub fn wait_shielded(&self, parker: &Parker) -> bool {
        let Some(key) = self.enqueue(parker) else { return true };
        loop {
            let parked = parker.park_shielded("a mutex, to go on with");
            let mut waiters = self.waiters.lock();
            if waiters.get(key).is_none() {
                return true;
            }
            if parked == Parked::Canceled {
                waiters.remove(key);
                return false;
            }
        }
    }

    /// Joins the queue; or locks it, if it has become free.
    fn enqueue(&self, parker: &Parker) -> Option<Key> {
        let mut waiters = self.waiters.lock();
        loop {
            match self.state.load(Relaxed) {
                FREE if self.try_lock() => return None,
                LOCKED => {
                    let _ = self.state.compare_exchange(LOCKED, AWAITED, Relaxed, Relaxed);
                }
                AWAITED => return Some(waiters.push(parker.unparker())),
                _ => {}
            }
        }
    }

    #[inline]
    pub fn unlock(&self) {
        if self.state.compare_exchange(LOCKED, FREE, Release, Relaxed).is_err() {
            self.hand_over();
        }
    }

    /// Leaves it locked for the one that waits longest; unlocks it, if nobody waits any more.
    #[cold]
    fn hand_over(&self) {
        let mut waiters = self.waiters.lock();
        let next = waiters.pop();
        if waiters.is_empty() {
            let state = if next.is_some() { LOCKED } else { FREE };
            self.state.store(state, Release);
        }
        drop(waiters);
        if let Some(unparker) = next {
            unparker.unpark();
        }
    }
}
