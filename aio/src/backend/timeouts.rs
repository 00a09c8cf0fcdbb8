//! Timeouts in user space: deadlines on the monotonic clock, answered when they have passed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Answered;
use super::timers::Timers;
use crate::key::Key;

/// What is longer (146 years) never ends: kernels add the time that they are told to the clock, and
/// it is past when the sum overflows.
const FOR_EVER: u64 = i64::MAX as u64 / 2;

/// Deadlines are multiples of so many nanoseconds (65.5 us): those that are close to each other
/// come together, and are sorted the faster.
const GRANULE: u64 = 1 << 16;

/// The timeouts of a driver.
pub struct Timeouts {
    timers: Timers,
    /// Deadlines are nanoseconds since then.
    epoch: Instant,
    /// When it was last asked for what is due.
    now: u64,
}

impl Timeouts {
    /// No timeouts.
    pub fn new() -> Timeouts {
        Timeouts { timers: Timers::new(), epoch: Instant::now(), now: 0 }
    }

    /// Answers `key` when `after` has passed, rounded up to the next deadline that there can be.
    pub fn start(&mut self, key: Key, after: Duration) {
        let after = u64::try_from(after.as_nanos()).ok().filter(|after| *after < FOR_EVER);
        let after = after.unwrap_or(Timers::NEVER);
        // The time must be read here: what was read before is earlier.
        let deadline = self.elapsed().saturating_add(after);
        let deadline = deadline.checked_next_multiple_of(GRANULE).unwrap_or(Timers::NEVER);
        self.timers.insert(key, deadline);
    }

    /// Forgets the timeout of `key`; false if it has none.
    pub fn stop(&mut self, key: Key) -> bool {
        self.timers.remove(key)
    }

    /// Answers those that are due.
    #[inline]
    pub fn expire(&mut self, done: &mut VecDeque<Answered>) {
        if self.timers.is_empty() {
            return;
        }
        self.now = self.elapsed();
        while let Some(key) = self.timers.pop_due(self.now) {
            done.push_back((key, Ok(0)));
        }
    }

    /// How long it takes, seen from when those due were answered last, until others can be; `None`
    /// if that is for ever.
    pub fn patience(&self) -> Option<Duration> {
        let next = self.timers.next()?;
        Some(Duration::from_nanos(next.saturating_sub(self.now)))
    }

    /// When to answer those that are due then.
    pub fn next(&self) -> Option<Instant> {
        self.epoch.checked_add(Duration::from_nanos(self.timers.next()?))
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(Timers::NEVER)
    }
}
