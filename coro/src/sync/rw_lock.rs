//! A value that one may change, or many may look at.

use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::time::{Duration, Instant};

use corio_aio::key::Key;

use super::WaitError;
use super::wait_list::{self, WaitList};
use crate::park::{Parker, Unparker};
use crate::primitive::{AtomicU32, Lock};
use crate::task::Canceled;

/// A value that one task or thread at a time may change, or many may look at.
///
/// It is fair: who comes while somebody waits queues up behind, readers too, so that neither
/// readers nor writers starve. Readers that stand together at the head of the queue go together.
/// Who holds it and locks it once more may so wait for itself, as with the one of `std`. There is
/// no poison.
///
/// ```
/// use corio::sync::RwLock;
/// # fn main() -> Result<(), corio::Canceled> {
/// let names = RwLock::new(vec!["a"]);
/// {
///     let (one, another) = (names.read()?, names.read()?);
///     assert_eq!(one.len() + another.len(), 2);
///     assert!(names.try_write().is_none());
/// }
/// names.write()?.push("b");
/// # Ok(())
/// # }
/// ```
///
/// A guard that is [forgotten](std::mem::forget) keeps it locked for good.
#[derive(Default)]
pub struct RwLock<T: ?Sized> {
    raw: RawRwLock,
    value: UnsafeCell<T>,
}

/// The right to look at the value of an [`RwLock`], until it is dropped.
#[must_use = "dropping it unlocks the lock"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    /// What a guard may do in other threads is what a guard of `std` may: be looked at.
    _as_of_std: PhantomData<std::sync::RwLockReadGuard<'a, T>>,
}

/// The right to change the value of an [`RwLock`], until it is dropped.
#[must_use = "dropping it unlocks the lock"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    _as_of_std: PhantomData<std::sync::RwLockWriteGuard<'a, T>>,
}

// SAFETY: whoever can reach the lock can reach the value only through a guard. A write guard is
// alone, whatever is forgotten, so that it may use the value as one thread after the other may
// (`Send`); read guards give shared references to several threads at once (`Sync`).
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}

impl<T> RwLock<T> {
    /// A lock that is free.
    pub const fn new(value: T) -> RwLock<T> {
        RwLock { raw: RawRwLock::new(), value: UnsafeCell::new(value) }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until the value can be looked at.
    ///
    /// # Errors
    ///
    /// [`Canceled`]: it can't, and the task was asked to stop before it could, or can't be
    /// suspended because the thread unwinds.
    #[inline]
    pub fn read(&self) -> Result<RwLockReadGuard<'_, T>, Canceled> {
        if self.raw.try_lock(READER) || self.raw.wait(READER, None).is_ok() {
            return Ok(self.reader());
        }
        Err(Canceled)
    }

    /// Waits until the value can be changed.
    ///
    /// # Errors
    ///
    /// As [`read`](RwLock::read).
    #[inline]
    pub fn write(&self) -> Result<RwLockWriteGuard<'_, T>, Canceled> {
        if self.raw.try_lock(WRITER) || self.raw.wait(WRITER, None).is_ok() {
            return Ok(self.writer());
        }
        Err(Canceled)
    }

    /// The right to look at the value, if nobody has or waits for the right to change it.
    #[inline]
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        self.raw.try_lock(READER).then(|| self.reader())
    }

    /// The right to change the value, if nobody has any.
    #[inline]
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        self.raw.try_lock(WRITER).then(|| self.writer())
    }

    /// As [`read`](RwLock::read), for at most this long.
    ///
    /// # Errors
    ///
    /// Also [`WaitError::Expired`]: it was not free in time.
    pub fn read_timeout(&self, timeout: Duration) -> Result<RwLockReadGuard<'_, T>, WaitError> {
        if !self.raw.try_lock(READER) {
            self.raw.wait(READER, wait_list::deadline(timeout))?;
        }
        Ok(self.reader())
    }

    /// As [`write`](RwLock::write), for at most this long.
    ///
    /// # Errors
    ///
    /// Also [`WaitError::Expired`]: it was not free in time.
    pub fn write_timeout(&self, timeout: Duration) -> Result<RwLockWriteGuard<'_, T>, WaitError> {
        if !self.raw.try_lock(WRITER) {
            self.raw.wait(WRITER, wait_list::deadline(timeout))?;
        }
        Ok(self.writer())
    }

    /// As [`read`](RwLock::read), but not beyond `deadline`.
    ///
    /// # Errors
    ///
    /// Also [`WaitError::Expired`]: it was not free in time.
    pub fn read_until(&self, deadline: Instant) -> Result<RwLockReadGuard<'_, T>, WaitError> {
        if !self.raw.try_lock(READER) {
            self.raw.wait(READER, Some(deadline))?;
        }
        Ok(self.reader())
    }

    /// As [`write`](RwLock::write), but not beyond `deadline`.
    ///
    /// # Errors
    ///
    /// Also [`WaitError::Expired`]: it was not free in time.
    pub fn write_until(&self, deadline: Instant) -> Result<RwLockWriteGuard<'_, T>, WaitError> {
        if !self.raw.try_lock(WRITER) {
            self.raw.wait(WRITER, Some(deadline))?;
        }
        Ok(self.writer())
    }

    /// The value: who has the only reference needs no lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// The guard of who has just locked it to read.
    #[inline]
    fn reader(&self) -> RwLockReadGuard<'_, T> {
        RwLockReadGuard { lock: self, _as_of_std: PhantomData }
    }

    /// The guard of who has just locked it to write.
    #[inline]
    fn writer(&self) -> RwLockWriteGuard<'_, T> {
        RwLockWriteGuard { lock: self, _as_of_std: PhantomData }
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> RwLock<T> {
        RwLock::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_read() {
            Some(value) => f.debug_tuple("RwLock").field(&&*value).finish(),
            None => f.write_str("RwLock(<locked>)"),
        }
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: until this guard is dropped there are only guards to read, which give shared
        // references.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: until this guard is dropped there is no other; it is borrowed for as long as the
        // value is, so that nobody changes it meanwhile.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: until this guard is dropped there is no other; it is borrowed mutably for as
        // long as the value is, so that nobody sees it meanwhile.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for RwLockReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.raw.unlock_reader();
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.raw.unlock_writer();
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// The state: whether somebody waits, whether somebody writes, and how many read.
///
/// While somebody waits nobody gets in but by `let_in`, under the lock of the waiters.
const AWAITED: u32 = 1;
const WRITER: u32 = 2;
const READER: u32 = 4;
const MOST_READERS: u32 = u32::MAX - READER;

/// A lock without its value.
#[derive(Debug)]
struct RawRwLock {
    state: AtomicU32,
    waiters: Lock<WaitList<Waiter>>,
}

#[derive(Debug)]
struct Waiter {
    /// `READER` or `WRITER`.
    who: u32,
    unparker: Unparker,
}

impl Default for RawRwLock {
    fn default() -> RawRwLock {
        RawRwLock::new()
    }
}

/// Whether one more may get in, who waits aside.
fn has_room(state: u32, who: u32) -> bool {
    match who {
        READER => state & WRITER == 0 && state < MOST_READERS,
        _ => state & !AWAITED == 0,
    }
}

impl RawRwLock {
    const fn new() -> RawRwLock {
        RawRwLock { state: AtomicU32::new(0), waiters: Lock::new(WaitList::new()) }
    }

    #[inline]
    fn try_lock(&self, who: u32) -> bool {
        let mut state = self.state.load(Relaxed);
        while state & AWAITED == 0 && has_room(state, who) {
            match self.state.compare_exchange(state, state + who, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(other) => state = other,
            }
        }
        false
    }

    /// Locks it after having waited.
    #[cold]
    fn wait(&self, who: u32, deadline: Option<Instant>) -> Result<(), WaitError> {
        let parker = Parker::current();
        let Some(key) = self.enqueue(who, &parker) else { return Ok(()) };
        let answer = wait_list::wait(
            &parker,
            if who == READER { "a lock, to read" } else { "a lock, to write" },
            deadline,
            &self.waiters,
            |waiters, failure| waiters.is_over(key, failure),
        );
        if answer.is_err() {
            // Those behind may have waited for this one only.
            self.let_in();
        }
        answer
    }

    /// Joins the queue; or locks it, if that can be done.
    fn enqueue(&self, who: u32, parker: &Parker) -> Option<Key> {
        let mut waiters = self.waiters.lock();
        loop {
            let state = self.state.load(Relaxed);
            if state & AWAITED != 0 {
                return Some(waiters.push(Waiter { who, unparker: parker.unparker() }));
            }
            if has_room(state, who) {
                if self.try_lock(who) {
                    return None;
                }
            } else {
                // Somebody holds it in this state, who sees the mark on leaving.
                let _ = self.state.compare_exchange(state, state | AWAITED, Relaxed, Relaxed);
            }
        }
    }

    #[inline]
    fn unlock_reader(&self) {
        if self.state.fetch_sub(READER, Release) == READER | AWAITED {
            self.let_in();
        }
    }

    #[inline]
    fn unlock_writer(&self) {
        if self.state.compare_exchange(WRITER, 0, Release, Relaxed).is_err() {
            self.state.fetch_and(!WRITER, Release);
            self.let_in();
        }
    }

    /// Lets in who stands at the head of the queue, as far as there is room.
    #[cold]
    fn let_in(&self) {
        while let Some(unparker) = self.let_one_in() {
            unparker.unpark();
        }
    }

    fn let_one_in(&self) -> Option<Unparker> {
        let mut waiters = self.waiters.lock();
        let state = self.state.load(Relaxed);
        let head = waiters.get(waiters.oldest()).map(|waiter| waiter.who);
        let next = head.filter(|who| has_room(state, *who)).and_then(|_| waiters.pop());
        let more = next.as_ref().map_or(0, |waiter| waiter.who);
        let less = if waiters.is_empty() { state & AWAITED } else { 0 };
        if more != less {
            // Others can only leave meanwhile, which makes more room and never less.
            self.state.fetch_add(more.wrapping_sub(less), AcqRel);
        }
        next.map(|waiter| waiter.unparker)
    }
}
