//! Deadlines by key: which one is next, and which are due.

use crate::key::Key;

/// Deadlines, in nanoseconds on a clock of the caller's that never goes back, each under a key.
///
/// Inserting and removing take logarithmic time. Nothing is allocated beyond the most deadlines
/// held at once.
pub struct Timers {
    /// A heap, the earliest first: what stands at `i` is before its children at `4 * i + 1..=4`.
    heap: Vec<Timer>,
    /// Where in the heap the timer of a slot is; anything if there is none.
    positions: Vec<u32>,
    /// How many were ever inserted.
    inserted: u64,
}

#[derive(Clone, Copy)]
struct Timer {
    deadline: u64,
    /// Its number among those inserted: of equal deadlines the older is due first.
    number: u64,
    key: Key,
}

impl Timer {
    fn is_before(&self, other: &Timer) -> bool {
        (self.deadline, self.number) < (other.deadline, other.number)
    }
}

impl Timers {
    /// The deadline that never comes.
    pub const NEVER: u64 = u64::MAX;

    const CHILDREN: usize = 4;

    /// No deadlines; allocates nothing yet.
    pub const fn new() -> Timers {
        Timers { heap: Vec::new(), positions: Vec::new(), inserted: 0 }
    }

    /// Whether there are no deadlines, not even ones that never come.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Notes when `key` is due. No key of its slot may be in it.
    pub fn insert(&mut self, key: Key, deadline: u64) {
        let slot = key.slot();
        if slot >= self.positions.len() {
            self.positions.resize(slot + 1, 0);
        }
        debug_assert!(self.at(slot).is_none_or(|timer| timer.key.slot() != slot));
        let timer = Timer { deadline, number: self.inserted, key };
        self.inserted += 1;
        self.heap.push(timer);
        self.rise(self.heap.len() - 1, timer);
    }

    /// Forgets the deadline of `key`; false if it is not in it.
    pub fn remove(&mut self, key: Key) -> bool {
        let is_in = self.at(key.slot()).is_some_and(|timer| timer.key == key);
        if is_in {
            self.remove_at(self.positions[key.slot()] as usize);
        }
        is_in
    }

    /// The earliest deadline; `None` if none ever comes.
    pub fn next(&self) -> Option<u64> {
        self.heap.first().map(|timer| timer.deadline).filter(|deadline| *deadline != Timers::NEVER)
    }

    /// Takes out the key whose deadline is the earliest, if that is not after `now`; of equal
    /// deadlines the one that was inserted first.
    pub fn pop_due(&mut self, now: u64) -> Option<Key> {
        if self.next()? > now {
            return None;
        }
        let key = self.heap[0].key;
        self.remove_at(0);
        Some(key)
    }

    /// The timer of a slot, if it has one, or else anything.
    fn at(&self, slot: usize) -> Option<&Timer> {
        self.heap.get(*self.positions.get(slot)? as usize)
    }

    fn remove_at(&mut self, position: usize) {
        let last = self.heap.pop().expect("what is removed is there");
        if position < self.heap.len() {
            let position = self.rise(position, last);
            self.sink(position, last);
        }
    }

    /// Puts `timer` to `position`, or as far above as it belongs; yields where.
    fn rise(&mut self, mut position: usize, timer: Timer) -> usize {
        while position > 0 {
            let parent = (position - 1) / Timers::CHILDREN;
            if !timer.is_before(&self.heap[parent]) {
                break;
            }
            self.put(position, self.heap[parent]);
            position = parent;
        }
        self.put(position, timer);
        position
    }

    /// Puts `timer` to `position`, or as far below as it belongs.
    fn sink(&mut self, mut position: usize, timer: Timer) {
        loop {
            let first = Timers::CHILDREN * position + 1;
            let end = self.heap.len().min(first + Timers::CHILDREN);
            let mut child = first;
            for other in first + 1..end {
                if self.heap[other].is_before(&self.heap[child]) {
                    child = other;
                }
            }
            if child >= end || !self.heap[child].is_before(&timer) {
                break;
            }
            self.put(position, self.heap[child]);
            position = child;
        }
        self.put(position, timer);
    }

    fn put(&mut self, position: usize, timer: Timer) {
        self.heap[position] = timer;
        self.positions[timer.key.slot()] = position as u32;
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
        let (mut slots, mut timers) = (Slots::new(), Timers::new());
        let (mut model, mut held, mut now) = (BTreeSet::new(), Vec::new(), 0);
        for number in 0..4_000_u64 {
            // Phases in which it grows and phases in which it shrinks.
            let grows = if number / 500 % 2 == 0 { 7 } else { 2 };
            if random(&mut state, 10) < grows {
                let deadline = now + random(&mut state, 50);
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
                now += random(&mut state, 4);
                let due = model.first().filter(|first| first.0 <= now).copied();
                assert_eq!(timers.pop_due(now).map(Key::to_bits), due.map(|due| due.2));
                if let Some(due) = due {
                    model.remove(&due);
                }
            }
            assert_eq!(timers.next(), model.first().map(|first| first.0));
            assert_eq!(timers.is_empty(), model.is_empty());
        }
        for (_, _, bits) in model {
            assert_eq!(timers.pop_due(u64::MAX), Some(Key::from_bits(bits)));
        }
        assert!(timers.is_empty());
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
}
