//! A look for what other threads leave, before a sleep.

use std::cell::Cell;
use std::hint;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// After so many looks in vain, one sleep in two to the power of it still has one.
const MOST_IN_VAIN: u32 = 6;

/// Whether a scheduler looks for something before it sleeps for it, and how long.
///
/// A sleep costs whoever ends it a call, and the sleeper the time until it runs again: tens of
/// microseconds in a virtual machine. Who looks for as long as that before it sleeps pays twice
/// the price at most, whatever comes (Karlin, Li, Manasse and Owicki, "Empirical studies of
/// competitive spinning for a shared-memory multiprocessor", SOSP 1991). Where looks are in vain
/// there are few: of those in a row, each is twice as many sleeps after the one before it.
#[derive(Debug)]
pub(super) struct Spin {
    longest: Duration,
    /// How many looks in a row were in vain.
    in_vain: Cell<u32>,
    /// How many sleeps come without a look before the next that has one.
    left_out: Cell<u32>,
}

impl Spin {
    /// Looks that last no longer than `longest`.
    pub const fn new(longest: Duration) -> Spin {
        Spin { longest, in_vain: Cell::new(0), left_out: Cell::new(0) }
    }

    /// Whether the sleep that comes now has a look before it.
    pub fn is_due(&self) -> bool {
        let left_out = self.left_out.get();
        self.left_out.set(left_out.saturating_sub(1));
        left_out == 0 && !self.longest.is_zero()
    }

    /// Looks; says whether `is_there` has said so.
    pub fn look(&self, is_there: impl Fn() -> bool) -> bool {
        let start = Instant::now();
        while !is_there() {
            if start.elapsed() >= self.longest {
                self.left_out.set((1 << self.in_vain.get()) - 1);
                self.in_vain.set(MOST_IN_VAIN.min(self.in_vain.get() + 1));
                return false;
            }
            hint::spin_loop();
        }
        self.in_vain.set(0);
        true
    }
}

/// Whether two threads of this process can run at once: otherwise nothing comes while one looks.
pub(super) fn has_processors() -> bool {
    static HAS_PROCESSORS: OnceLock<bool> = OnceLock::new();
    *HAS_PROCESSORS.get_or_init(|| {
        thread::available_parallelism().is_ok_and(|processors| processors.get() > 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_nanos(1);

    /// How many of so many sleeps have a look, which ends as it is said.
    fn looks(spin: &Spin, sleeps: u32, is_there: bool) -> u32 {
        (0..sleeps).map(|_| u32::from(spin.is_due() && spin.look(|| is_there) == is_there)).sum()
    }

    #[test]
    fn looks_in_vain_become_rare() {
        let spin = Spin::new(SHORT);
        assert_eq!(looks(&spin, 1 + 1 + 2 + 4 + 8 + 16 + 32, false), 7);
        assert_eq!(looks(&spin, 64 * 5, false), 5);
    }

    #[test]
    fn a_look_that_finds_something_is_followed_by_the_next() {
        let spin = Spin::new(SHORT);
        assert_eq!(looks(&spin, 1_000, false), 21);
        while !spin.is_due() {}
        assert!(spin.look(|| true));
        assert_eq!(looks(&spin, 100, true), 100);
    }

    #[test]
    fn a_look_lasts_as_long_as_it_may() {
        let longest = Duration::from_millis(2);
        let start = Instant::now();
        assert!(!Spin::new(longest).look(|| false));
        assert!(start.elapsed() >= longest);
    }

    #[test]
    fn without_time_there_is_no_look() {
        assert_eq!(looks(&Spin::new(Duration::ZERO), 100, true), 0);
    }
}
