//! An event that stays set until it is reset.

use std::cell::{Cell, RefCell};
use std::fmt;

use super::wait_list::{self, WaitList};
use crate::scheduler;
use crate::task::{Canceled, TaskRef};

/// An event that the tasks of one thread wait for: once it is set, all of them go on, and nobody
/// waits until it is reset.
///
/// ```
/// use corio::ResetEvent;
/// # fn main() -> std::io::Result<()> {
/// let ready = ResetEvent::new();
/// corio::scope(|s| {
///     let waiting = s.spawn(|| ready.wait());
///     ready.set();
///     waiting.join().unwrap()
/// })??;
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct ResetEvent {
    is_set: Cell<bool>,
    /// The tasks; `None` for the code outside of tasks.
    waiters: RefCell<WaitList<Option<TaskRef>>>,
}

impl ResetEvent {
    /// An event that is not set.
    pub const fn new() -> ResetEvent {
        ResetEvent { is_set: Cell::new(false), waiters: RefCell::new(WaitList::new()) }
    }

    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        self.is_set.get()
    }

    /// Sets it: all that wait go on, in the order they came.
    pub fn set(&self) {
        self.is_set.set(true);
        while let Some(waiter) = { self.waiters.borrow_mut().pop() } {
            if let Some(task) = waiter {
                scheduler::let_go_on(task);
            }
        }
    }

    /// Resets it: who waits from now on waits for the next [`set`](ResetEvent::set).
    pub fn reset(&self) {
        self.is_set.set(false);
    }

    /// Waits until it is set. Outside of a task, the scheduler runs until then.
    ///
    /// Who was let go on by a [`set`](ResetEvent::set) has not missed it, also if the event is
    /// reset before it runs.
    ///
    /// # Errors
    ///
    /// [`Canceled`]: the task was asked to stop before the event was set, or nothing can set it
    /// while the caller waits: it unwinds, or no scheduler or no other task runs.
    pub fn wait(&self) -> Result<(), Canceled> {
        if self.is_set() {
            return Ok(());
        }
        let key = self.waiters.borrow_mut().push(scheduler::current());
        if wait_list::wait_here("a reset event", || self.waiters.borrow().get(key).is_none()) {
            return Ok(());
        }
        self.waiters.borrow_mut().remove(key);
        Err(Canceled)
    }
}

impl fmt::Debug for ResetEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiters = self.waiters.borrow().len();
        f.debug_struct("ResetEvent")
            .field("is_set", &self.is_set())
            .field("waiters", &waiters)
            .finish()
    }
}
