//! A number of permits, for the tasks of one thread.

use std::cell::{Cell, RefCell};
use std::fmt;

use super::wait_list::{self, WaitList};
use crate::scheduler;
use crate::task::{Canceled, TaskRef};

/// A number of permits that the tasks of one thread share: who finds too few of them waits until
/// others have given back enough.
///
/// It is fair: permits go to who waits longest, and who comes while somebody waits queues up
/// behind. Other threads have no part in it, so that it needs no atomics.
///
/// ```
/// use corio::sync::Semaphore;
/// # fn main() -> std::io::Result<()> {
/// let (at_once, running) = (Semaphore::new(2), std::cell::Cell::new(0));
/// corio::scope(|s| {
///     for _ in 0..10 {
///         s.spawn(|| {
///             let _permit = at_once.acquire()?;
///             running.set(running.get() + 1);
///             assert!(running.get() <= 2);
///             corio::yield_now();
///             running.set(running.get() - 1);
///             Ok::<_, corio::Canceled>(())
///         })
///         .detach();
///     }
/// })?;
/// assert_eq!(at_once.available(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Semaphore {
    available: Cell<usize>,
    waiters: RefCell<WaitList<Waiter>>,
}

struct Waiter {
    /// `None` for the code outside of tasks.
    task: Option<TaskRef>,
    wanted: usize,
}

/// Permits of a [`Semaphore`], which are given back when this is dropped.
///
/// If it is [forgotten](std::mem::forget), they are gone.
#[must_use = "dropping it gives the permits back"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    count: usize,
}

impl Semaphore {
    /// A semaphore with this many permits.
    pub const fn new(permits: usize) -> Semaphore {
        Semaphore { available: Cell::new(permits), waiters: RefCell::new(WaitList::new()) }
    }

    /// How many permits nobody has.
    pub fn available(&self) -> usize {
        self.available.get()
    }

    /// Waits for a permit. Outside of a task, the scheduler runs until one is there.
    ///
    /// # Errors
    ///
    /// [`Canceled`]: the task was asked to stop before there was one, or nothing can give one back
    /// while the caller waits: it unwinds, or no scheduler or no other task runs.
    pub fn acquire(&self) -> Result<Permit<'_>, Canceled> {
        self.acquire_many(1)
    }

    /// Waits for so many permits, and takes them all at once. Those that come later wait behind,
    /// also for fewer.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Semaphore::acquire).
    pub fn acquire_many(&self, count: usize) -> Result<Permit<'_>, Canceled> {
        if let Some(permit) = self.try_acquire_many(count) {
            return Ok(permit);
        }
        let waiter = Waiter { task: scheduler::current(), wanted: count };
        let key = self.waiters.borrow_mut().push(waiter);
        if wait_list::wait_here("a semaphore", || self.waiters.borrow().get(key).is_none()) {
            return Ok(Permit { semaphore: self, count });
        }
        self.waiters.borrow_mut().remove(key);
        // Those behind may have waited for this one only.
        self.release(0);
        Err(Canceled)
    }

    /// Takes a permit, if one is there that nobody waits for.
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        self.try_acquire_many(1)
    }

    /// Takes so many permits, if they are there and nobody waits for any.
    pub fn try_acquire_many(&self, count: usize) -> Option<Permit<'_>> {
        if !self.waiters.borrow().is_empty() {
            return None;
        }
        self.available.set(self.available.get().checked_sub(count)?);
        Some(Permit { semaphore: self, count })
    }

    /// Adds permits, and lets those go on that there are enough for.
    ///
    /// # Panics
    ///
    /// With more permits than a `usize` counts.
    pub fn release(&self, count: usize) {
        let sum = self.available.get().checked_add(count);
        self.available.set(sum.expect("no more permits than a usize counts"));
        while let Some(waiter) = self.pop_served() {
            if let Some(task) = waiter.task {
                scheduler::let_go_on(task);
            }
        }
    }

    /// Takes the waiter out that waits longest, if there are enough permits for it.
    fn pop_served(&self) -> Option<Waiter> {
        let mut waiters = self.waiters.borrow_mut();
        let wanted = waiters.get(waiters.oldest())?.wanted;
        self.available.set(self.available.get().checked_sub(wanted)?);
        waiters.pop()
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.semaphore.release(self.count);
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit").field(&self.count).finish()
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("available", &self.available())
            .field("waiters", &self.waiters.borrow().len())
            .finish()
    }
}
