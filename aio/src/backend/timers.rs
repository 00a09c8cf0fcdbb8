//! Deadlines by key: which one is next, and which are due.

use std::collections::VecDeque;
use std::mem;

use crate::key::Key;
use crate::prefetch::prefetch;

/// Deadlines, in nanoseconds on a clock of the caller's that never goes back, each under a key.
///
/// A radix heap: deadlines lie in buckets by how far ahead they are, unsorted, and come into finer
/// ones as the time comes near. Inserting and removing take constant time; until it is due, a
/// deadline moves at most once for each digit of its distance, and memory is read and written in
/// order. What is removed is only forgotten; when that is more than what is left, it is swept out.
pub struct Timers {
    /// The deadline that was due last. Those in the buckets are later.
    last: u64,
    /// By the highest digit in which a deadline differs from `last`, and by the value of that: all
    /// of a bucket are earlier than those of the next.
    buckets: Vec<Bucket>,
    /// Which buckets hold anything, as bits.
    filled: [u64; BUCKETS / 64],
    /// Those whose deadline is `last`, the oldest first.
    due: VecDeque<Key>,
    /// What the buckets are made of.
    chunks: Vec<Chunk>,
    first_free: u32,
    /// The keys that are in it, by slot; what else the buckets hold was removed.
    keys: Vec<Key>,
    len: usize,
    /// How many are in `due` and the buckets.
    stored: usize,
}

#[derive(Clone, Copy)]
struct Timer {
    deadline: u64,
    key: Key,
}

/// How many bits a digit has.
const DIGIT: usize = 4;

const BUCKETS: usize = (64 / DIGIT) << DIGIT;

/// A list of chunks, each full but the last; anything while it is not filled.
#[derive(Clone, Copy)]
struct Bucket {
    first: u32,
    last: u32,
    earliest: u64,
}

#[derive(Clone, Copy)]
struct Chunk {
    timers: [Timer; Chunk::MOST],
    len: u32,
    next: u32,
}

impl Chunk {
    const MOST: usize = 15;
    const EMPTY: Chunk =
        Chunk { timers: [Timer { deadline: 0, key: Key::NONE }; Chunk::MOST], len: 0, next: NONE };
}

/// No chunk.
const NONE: u32 = u32::MAX;

impl Timers {
    /// The deadline that never comes.
    pub const NEVER: u64 = u64::MAX;

    /// How many that were removed are kept beside as many as are left.
    const SPARE: usize = 64;

    /// No deadlines; allocates nothing yet.
    pub const fn new() -> Timers {
        Timers {
            last: 0,
            buckets: Vec::new(),
            filled: [0; BUCKETS / 64],
            due: VecDeque::new(),
            chunks: Vec::new(),
            first_free: NONE,
            keys: Vec::new(),
            len: 0,
            stored: 0,
        }
    }

    /// Whether there are no deadlines, not even ones that never come.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Notes when `key` is due, later than what was due last. No key may be inserted twice, and
    /// none while another one of its slot is in it.
    pub fn insert(&mut self, key: Key, deadline: u64) {
        let slot = key.slot();
        if slot >= self.keys.len() {
            self.keys.resize(slot + 1, Key::NONE);
        }
        if self.buckets.is_empty() {
            self.buckets = vec![Bucket { first: NONE, last: NONE, earliest: 0 }; BUCKETS];
            // However few deadlines there are, each bucket needs a chunk in the course of time.
            self.chunks.reserve(BUCKETS);
        }
        debug_assert!(self.keys[slot] == Key::NONE, "a slot has one key");
        self.keys[slot] = key;
        self.len += 1;
        if deadline != Timers::NEVER {
            self.stored += 1;
            self.put(Timer { deadline: deadline.max(self.last + 1), key });
        }
    }

    /// Forgets the deadline of `key`; false if it is not in it.
    pub fn remove(&mut self, key: Key) -> bool {
        let is_in = self.take(key);
        if is_in && self.stored > 2 * self.len + Timers::SPARE {
            for bucket in 0..self.buckets.len() {
                if self.is_filled(bucket) {
                    self.spread(bucket, |timers, key| timers.keys[key.slot()] == key);
                }
            }
        }
        is_in
    }

    /// When to look again for what is due: at the earliest deadline, or before, at one that was
    /// removed. `None` if none ever comes.
    pub fn next(&self) -> Option<u64> {
        match self.due.is_empty() {
            _ if self.len == 0 => None,
            true => self.first_filled().map(|bucket| self.buckets[bucket].earliest),
            false => Some(self.last),
        }
    }

    /// Takes out the key whose deadline is the earliest, if that is not after `now`; of equal
    /// deadlines the one that was inserted first.
    pub fn pop_due(&mut self, now: u64) -> Option<Key> {
        loop {
            while let Some(key) = self.due.pop_front() {
                // Far from each other in memory.
                if let Some(later) = self.due.get(3) {
                    prefetch(self.keys.as_ptr().wrapping_add(later.slot()));
                }
                self.stored -= 1;
                if self.take(key) {
                    return Some(key);
                }
            }
            let bucket = self.first_filled()?;
            let earliest = self.buckets[bucket].earliest;
            if earliest > now {
                return None;
            }
            self.last = earliest;
            self.spread(bucket, |_, _| true);
        }
    }

    fn is_filled(&self, bucket: usize) -> bool {
        self.filled[bucket / 64] >> (bucket % 64) & 1 != 0
    }

    /// The bucket of the earliest ones.
    fn first_filled(&self) -> Option<usize> {
        let word = self.filled.iter().position(|word| *word != 0)?;
        Some(word * 64 + self.filled[word].trailing_zeros() as usize)
    }

    /// Forgets `key`; says whether it was in it.
    fn take(&mut self, key: Key) -> bool {
        match self.keys.get_mut(key.slot()) {
            Some(held) if *held == key => {
                *held = Key::NONE;
                self.len -= 1;
                true
            }
            _ => false,
        }
    }

    /// Puts what a bucket holds where it belongs, if it is to be kept.
    fn spread(&mut self, bucket: usize, is_kept: impl Fn(&Timers, Key) -> bool) {
        self.filled[bucket / 64] &= !(1 << (bucket % 64));
        let mut place = self.buckets[bucket].first;
        while place != NONE {
            for index in 0..self.chunks[place as usize].len as usize {
                let timer = self.chunks[place as usize].timers[index];
                if !is_kept(self, timer.key) {
                    self.stored -= 1;
                } else if timer.deadline == self.last {
                    self.due.push_back(timer.key);
                } else {
                    self.put(timer);
                }
            }
            let free = mem::replace(&mut self.first_free, place);
            place = mem::replace(&mut self.chunks[place as usize].next, free);
        }
    }

    /// Puts a deadline that is not due into its bucket.
    #[inline]
    fn put(&mut self, timer: Timer) {
        let digit = (63 - (timer.deadline ^ self.last).leading_zeros() as usize) / DIGIT;
        let value = (timer.deadline >> (digit * DIGIT)) as usize % (1 << DIGIT);
        let index = (digit << DIGIT) + value;
        let Bucket { last, earliest, .. } = self.buckets[index];
        let is_filled = self.is_filled(index);
        let place = match is_filled && self.chunks[last as usize].len < Chunk::MOST as u32 {
            true => last,
            false => self.extend(index, is_filled),
        };
        let chunk = &mut self.chunks[place as usize];
        chunk.timers[chunk.len as usize] = timer;
        chunk.len += 1;
        let earliest = if is_filled { earliest } else { timer.deadline };
        self.buckets[index].earliest = earliest.min(timer.deadline);
    }

    /// Adds a chunk to a bucket; yields its place.
    fn extend(&mut self, index: usize, is_filled: bool) -> u32 {
        let place = match self.first_free {
            NONE => {
                self.chunks.push(Chunk::EMPTY);
                u32::try_from(self.chunks.len() - 1).expect("fewer chunks than keys")
            }
            free => free,
        };
        let chunk = &mut self.chunks[place as usize];
        if self.first_free == place {
            self.first_free = chunk.next;
        }
        (chunk.len, chunk.next) = (0, NONE);
        let bucket = &mut self.buckets[index];
        match is_filled {
            true => self.chunks[bucket.last as usize].next = place,
            false => bucket.first = place,
        }
        bucket.last = place;
        self.filled[index / 64] |= 1 << (index % 64);
        place
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::hash::{BuildHasher, RandomState};

    use super::*;
    use crate::key::Slots;

    /// A number below `end`: splitmix64.
    fn random(state: &mut u64, end: u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    #[test]
    fn deadlines_come_in_order_whatever_is_inserted_and_removed() {
        let mut state = RandomState::new().hash_one(0);
        println!("seed {state:#x}");
        for span in [50, 1 << 40] {
            let (mut slots, mut timers) = (Slots::new(), Timers::new());
            let (mut model, mut held, mut now) = (BTreeSet::new(), Vec::new(), 0);
            for number in 0..4_000_u64 {
                // Phases in which it grows and phases in which it shrinks.
                let grows = if number / 500 % 2 == 0 { 7 } else { 2 };
                if random(&mut state, 10) < grows {
                    let deadline = now + 1 + random(&mut state, span);
                    let key = slots.insert(());
                    timers.insert(key, deadline);
                    model.insert((deadline, number, key.to_bits()));
                    held.push((deadline, number, key));
                } else if random(&mut state, 2) == 0 && !held.is_empty() {
                    let index = random(&mut state, held.len() as u64) as usize;
                    let (deadline, number, key) = held.swap_remove(index);
                    let is_in = model.remove(&(deadline, number, key.to_bits()));
                    assert_eq!(timers.remove(key), is_in);
                    assert!(!timers.remove(key));
                    slots.remove(key);
                } else {
                    now += random(&mut state, span / 12);
                    let due = model.first().filter(|first| first.0 <= now).copied();
                    assert_eq!(timers.pop_due(now).map(Key::to_bits), due.map(|due| due.2));
                    if let Some(due) = due {
                        model.remove(&due);
                    }
                }
                let (next, first) = (timers.next(), model.first().map(|first| first.0));
                assert_eq!(next.is_some(), first.is_some());
                assert!(next <= first, "what is due is not found in time");
                assert_eq!(timers.is_empty(), model.is_empty());
                assert!(timers.stored <= 2 * timers.len + Timers::SPARE + 1);
            }
            for (_, _, bits) in model {
                assert_eq!(timers.pop_due(u64::MAX), Some(Key::from_bits(bits)));
            }
            assert!(timers.is_empty());
        }
    }

    #[test]
    fn what_is_removed_makes_room() {
        let (mut slots, mut timers) = (Slots::new(), Timers::new());
        for number in 0..100_000 {
            let key = slots.insert(());
            timers.insert(key, 1 << (number % 60));
            assert!(timers.remove(key));
            slots.remove(key);
        }
        assert_eq!(timers.next(), None);
        assert!(timers.chunks.len() <= 2 * timers.buckets.len());
    }

    #[test]
    fn a_stale_key_is_not_in_it_though_its_slot_is() {
        let (mut slots, mut timers) = (Slots::new(), Timers::new());
        let old = slots.insert(());
        timers.insert(old, 5);
        assert_eq!(timers.pop_due(5), Some(old));
        slots.remove(old);
        let new = slots.insert(());
        assert_eq!(new.slot(), old.slot());
        timers.insert(new, 6);
        assert!(!timers.remove(old));
        assert!(!timers.remove(Key::NONE));
        assert!(timers.remove(new));
        assert!(timers.is_empty());
    }

    #[test]
    fn equal_deadlines_keep_their_order() {
        let (mut slots, mut timers) = (Slots::new(), Timers::new());
        let mut keys: Vec<Key> = (0..100).map(|_| slots.insert(())).collect();
        keys.reverse();
        keys.iter().for_each(|key| timers.insert(*key, 7));
        for removed in [80, 40, 0] {
            assert!(timers.remove(keys.remove(removed)));
        }
        let due: Vec<Key> = std::iter::from_fn(|| timers.pop_due(7)).collect();
        assert_eq!(due, keys);
    }

    #[test]
    fn nothing_is_due_early_and_some_never() {
        let (mut slots, mut timers) = (Slots::new(), Timers::new());
        let (key, never) = (slots.insert(()), slots.insert(()));
        timers.insert(never, Timers::NEVER);
        assert_eq!(timers.next(), None);
        timers.insert(key, 1_000);
        assert_eq!(timers.pop_due(999), None);
        assert_eq!(timers.next(), Some(1_000));
        assert_eq!(timers.pop_due(1_000), Some(key));
        assert_eq!(timers.pop_due(u64::MAX), None);
        assert!(!timers.is_empty());
        assert!(timers.remove(never));
    }

    #[test]
    fn what_is_inserted_too_late_is_due_next() {
        let (mut slots, mut timers) = (Slots::new(), Timers::new());
        let keys = [slots.insert(()), slots.insert(()), slots.insert(())];
        timers.insert(keys[0], 1_000);
        timers.insert(keys[1], 2_000);
        assert_eq!(timers.pop_due(1_500), Some(keys[0]));
        timers.insert(keys[2], 700);
        assert_eq!(timers.pop_due(1_500), Some(keys[2]));
        assert_eq!(timers.pop_due(1_500), None);
        assert_eq!(timers.pop_due(2_000), Some(keys[1]));
    }
}
