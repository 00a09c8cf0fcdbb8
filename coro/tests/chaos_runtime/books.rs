//! What is counted: things that come and go, and numbers of which each arrives once.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// Random numbers, the same for the same seed (xorshift).
pub struct Dice(Cell<u64>);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        // Seeds that are close to each other are spread.
        Dice(Cell::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1))
    }

    pub fn next(&self) -> u64 {
        let mut state = self.0.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.0.set(state);
        state
    }

    pub fn throw(&self, sides: usize) -> usize {
        (self.next() >> 33) as usize % sides
    }

    /// Whether that comes which comes once in so many throws.
    pub fn once_in(&self, throws: usize) -> bool {
        self.throw(throws) == 0
    }

    /// Less than a millisecond.
    pub fn instant(&self) -> Duration {
        Duration::from_micros(self.throw(800) as u64)
    }

    pub fn choose<'a, T>(&self, all: &'a [T]) -> &'a T {
        &all[self.throw(all.len())]
    }
}

/// How many of something have come, and how many have gone.
#[derive(Default)]
pub struct Balance {
    came: AtomicUsize,
    went: AtomicUsize,
}

impl Balance {
    pub fn come(&self, more: usize) {
        self.came.fetch_add(more, Relaxed);
    }

    pub fn go(&self, more: usize) {
        self.went.fetch_add(more, Relaxed);
    }

    pub fn came(&self) -> usize {
        self.came.load(Relaxed)
    }

    pub fn assert_even(&self, what: &str) {
        assert_eq!(self.came(), self.went.load(Relaxed), "{what}");
        assert!(self.came() > 0, "{what} came");
    }
}

/// Comes when it is made, and goes when it is dropped.
pub struct Counted(Arc<Balance>);

impl Counted {
    pub fn new(balance: &Arc<Balance>) -> Counted {
        balance.come(1);
        Counted(balance.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.go(1);
    }
}

/// How many messages there are at most.
const MESSAGES: usize = 1 << 25;

/// A set of message numbers, to which each is added at most once.
struct Numbers(Box<[AtomicU64]>);

impl Numbers {
    fn new() -> Numbers {
        Numbers((0..MESSAGES / 64).map(|_| AtomicU64::new(0)).collect())
    }

    fn add(&self, number: usize, what: &str) {
        let bit = 1 << (number % 64);
        let before = self.0[number / 64].fetch_or(bit, Relaxed);
        assert_eq!(before & bit, 0, "message {number} was {what} twice");
    }
}

/// Which messages were let into a queue, and which came out of one.
pub struct Messages {
    next: AtomicUsize,
    sent: Numbers,
    received: Numbers,
}

impl Messages {
    pub fn new() -> Messages {
        Messages { next: AtomicUsize::new(0), sent: Numbers::new(), received: Numbers::new() }
    }

    /// A number that nobody had; `None` if all are used up.
    pub fn next(&self) -> Option<usize> {
        Some(self.next.fetch_add(1, Relaxed)).filter(|number| *number < MESSAGES)
    }

    pub fn note_sent(&self, number: usize) {
        self.sent.add(number, "sent");
    }

    pub fn note_received(&self, number: usize) {
        self.received.add(number, "received");
    }

    /// Every number that was sent was received; yields how many these are.
    pub fn assert_even(&self) -> usize {
        let mut count = 0;
        for (index, (sent, received)) in self.sent.0.iter().zip(&self.received.0).enumerate() {
            let (sent, received) = (sent.load(Relaxed), received.load(Relaxed));
            assert_eq!(sent, received, "messages from {} on", index * 64);
            count += sent.count_ones() as usize;
        }
        assert!(count > 0, "messages were sent");
        count
    }
}
