//! Where a number of tasks or threads wait for each other.

use std::fmt;
use std::time::{Duration, Instant};

use super::WaitError;
use super::wait_list::{self, WaitList};
use crate::park::{Parker, Unparker};
use crate::primitive::Lock;
use crate::task::Canceled;

/// Where a number of tasks or threads wait for each other: once that many have come, all go on,
/// and the next ones wait again.
///
/// ```
/// use corio::sync::Barrier;
/// # fn main() -> std::io::Result<()> {
/// let start = Barrier::new(3);
/// let leaders = corio::scope(|s| {
///     let tasks = [(); 3].map(|()| s.spawn(|| start.wait()));
///     tasks.map(|task| task.join().unwrap()).iter().filter(|leads| **leads == Ok(true)).count()
/// })?;
/// assert_eq!(leaders, 1);
/// # Ok(())
/// # }
/// ```
pub struct Barrier {
    needed: usize,
    waiters: Lock<WaitList<Unparker>>,
}

impl Barrier {
    /// A barrier that `needed` have to come to. With 0, as with 1, nobody waits.
    pub const fn new(needed: usize) -> Barrier {
        Barrier { needed, waiters: Lock::new(WaitList::new()) }
    }

    /// Waits until enough have come; says whether the caller came last, which is so for one of
    /// them.
    ///
    /// # Errors
    ///
    /// [`Canceled`]: the task was asked to stop before enough had come, or can't be suspended
    /// because the thread unwinds. It does not count as one that has come.
    pub fn wait(&self) -> Result<bool, Canceled> {
        self.wait_before(|| None).map_err(|_| Canceled)
    }

    /// As [`wait`](Barrier::wait), for at most this long.
    ///
    /// # Errors
    ///
    /// Also [`WaitError::Expired`]: not enough came in time.
    pub fn wait_timeout(&self, timeout: Duration) -> Result<bool, WaitError> {
        self.wait_before(|| wait_list::deadline(timeout))
    }

    /// As [`wait`](Barrier::wait), but not beyond `deadline`.
    ///
    /// # Errors
    ///
    /// Also [`WaitError::Expired`]: not enough came in time.
    pub fn wait_until(&self, deadline: Instant) -> Result<bool, WaitError> {
        self.wait_before(|| Some(deadline))
    }

    fn wait_before(&self, deadline: impl FnOnce() -> Option<Instant>) -> Result<bool, WaitError> {
        let parker = Parker::current();
        let mut waiters = self.waiters.lock();
        if waiters.len() + 1 >= self.needed {
            // All at once, so that none of them counts for the next round.
            let others: Vec<Unparker> = std::iter::from_fn(|| waiters.pop()).collect();
            drop(waiters);
            others.iter().for_each(Unparker::unpark);
            return Ok(true);
        }
        let key = waiters.push(parker.unparker());
        drop(waiters);
        let outcome = wait_list::wait(
            &parker,
            "others to come to a barrier",
            deadline(),
            &self.waiters,
            |waiters, failure| waiters.is_over(key, failure),
        );
        outcome.map(|()| false)
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("needed", &self.needed)
            .field("waiting", &self.waiters.lock().len())
            .finish()
    }
}
