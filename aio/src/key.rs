//! Keys that never name two things: a slot and its generation, and the table they index.

use crate::prefetch::prefetch;
use std::{fmt, mem};

/// Names one value of a [`Slots`] table, and after it is gone nothing else, ever.
///
/// One number, the slot above the generation: moving it is one load and one store.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(u64);

impl Key {
    /// The number of bits that [`Key::to_bits`] uses; the ones above are free for its caller.
    pub const BITS: u32 = 63;

    /// A key that names nothing.
    pub const NONE: Key = Key::new(NO_SLOT, 0);

    const fn new(slot: u32, generation: u32) -> Key {
        Key((slot as u64) << 32 | generation as u64)
    }

    /// Where in the table the value is: dense, from 0.
    pub const fn slot(self) -> usize {
        (self.0 >> 32) as usize
    }

    const fn generation(self) -> u32 {
        self.0 as u32
    }

    /// The key as one number below `1 << Key::BITS`.
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The inverse of [`Key::to_bits`].
    pub const fn from_bits(bits: u64) -> Key {
        Key(bits)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}v{}", self.slot(), self.generation())
    }
}

/// Names a queued operation, in all rings, for ever: a stale one is never mistaken for another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Id {
    ring: u64,
    key: Key,
}

impl Id {
    pub(crate) const fn new(ring: u64, key: Key) -> Id {
        Id { ring, key }
    }

    pub(crate) const fn ring(self) -> u64 {
        self.ring
    }

    pub(crate) const fn key(self) -> Key {
        self.key
    }
}

/// A table whose keys stay valid while others come and go; a key that is stale answers `None`.
///
/// Inserting and removing take constant time; memory grows to the most values held at once. A slot
/// whose generations are used up (after four thousand million values) is retired, so that a
/// forgotten key can't come to name a stranger.
pub struct Slots<T> {
    entries: Vec<Entry<T>>,
    first_free: u32,
    len: usize,
}

struct Entry<T> {
    generation: u32,
    state: State<T>,
}

enum State<T> {
    Free { next: u32 },
    Held(T),
}

const NO_SLOT: u32 = u32::MAX >> 1;

impl<T> Slots<T> {
    /// An empty table; allocates nothing yet.
    pub const fn new() -> Slots<T> {
        Slots { entries: Vec::new(), first_free: NO_SLOT, len: 0 }
    }

    /// How many values are held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no value is held.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Holds `value` under a key that was never used before.
    ///
    /// # Panics
    ///
    /// With more than two thousand million values at once.
    #[inline]
    pub fn insert(&mut self, value: T) -> Key {
        self.len += 1;
        if self.first_free == NO_SLOT {
            let slot = u32::try_from(self.entries.len()).expect("fewer than 2^31 values");
            assert!(slot < NO_SLOT, "fewer than 2^31 values");
            self.entries.push(Entry { generation: 1, state: State::Held(value) });
            return Key::new(slot, 1);
        }
        let slot = self.first_free;
        let entry = &mut self.entries[slot as usize];
        let State::Free { next } = entry.state else { unreachable!("free slots hold no value") };
        self.first_free = next;
        entry.state = State::Held(value);
        let key = Key::new(slot, entry.generation);
        // It may be anywhere.
        prefetch(self.entries.as_ptr().wrapping_add(next as usize));
        key
    }

    /// The value of `key`, unless it was removed.
    pub fn get(&self, key: Key) -> Option<&T> {
        match self.entries.get(key.slot()) {
            Some(Entry { generation, state: State::Held(value) })
                if *generation == key.generation() =>
            {
                Some(value)
            }
            _ => None,
        }
    }

    /// The value of `key`, unless it was removed.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        match self.entries.get_mut(key.slot()) {
            Some(Entry { generation, state: State::Held(value) })
                if *generation == key.generation() =>
            {
                Some(value)
            }
            _ => None,
        }
    }

    /// The value in `slot`, whatever its generation.
    pub fn at_mut(&mut self, slot: usize) -> Option<(Key, &mut T)> {
        match self.entries.get_mut(slot) {
            Some(Entry { generation, state: State::Held(value) }) => {
                Some((Key::new(slot as u32, *generation), value))
            }
            _ => None,
        }
    }

    /// Takes the value of `key` out, after which the key is stale.
    #[inline]
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let entry = self.entries.get_mut(key.slot())?;
        if entry.generation != key.generation() || matches!(entry.state, State::Free { .. }) {
            return None;
        }
        let free = State::Free { next: self.first_free };
        let State::Held(value) = mem::replace(&mut entry.state, free) else { return None };
        if entry.generation < u32::MAX {
            entry.generation += 1;
            self.first_free = key.slot() as u32;
        }
        self.len -= 1;
        Some(value)
    }

    /// Gives the value of `key` another key, after which the former is stale; yields that key.
    ///
    /// It does what `remove` and `insert` would do, at a fraction of their cost.
    #[inline]
    pub fn renew(&mut self, key: Key) -> Option<Key> {
        let entry = self.entries.get_mut(key.slot())?;
        if entry.generation != key.generation() || matches!(entry.state, State::Free { .. }) {
            return None;
        }
        if entry.generation == u32::MAX {
            return self.remove(key).map(|value| self.insert(value));
        }
        entry.generation += 1;
        Some(Key::new(key.slot() as u32, entry.generation))
    }

    /// The keys and values held, by slot.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.entries.iter().enumerate().filter_map(|(slot, entry)| match &entry.state {
            State::Held(value) => Some((Key::new(slot as u32, entry.generation), value)),
            State::Free { .. } => None,
        })
    }
}

impl<T> Default for Slots<T> {
    fn default() -> Slots<T> {
        Slots::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for Slots<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_key_names_nothing_though_its_slot_is_used_again() {
        let mut slots = Slots::new();
        let old = slots.insert("old");
        assert_eq!(slots.remove(old), Some("old"));
        let new = slots.insert("new");
        assert_eq!(new.slot(), old.slot());
        assert_eq!(slots.get(old), None);
        assert_eq!(slots.remove(old), None);
        assert_eq!(slots.get(new), Some(&"new"));
    }

    #[test]
    fn a_key_survives_its_bits_and_leaves_the_highest_one_free() {
        let mut slots = Slots::new();
        for value in 0..100 {
            let key = slots.insert(value);
            assert_eq!(Key::from_bits(key.to_bits()), key);
            assert_eq!(key.to_bits() >> Key::BITS, 0);
        }
        assert_eq!(Key::from_bits(Key::NONE.to_bits()), Key::NONE);
        assert_eq!(slots.get(Key::NONE), None);
    }

    #[test]
    fn a_slot_whose_generations_are_used_up_is_retired() {
        let mut slots = Slots::new();
        let first = slots.insert(0);
        slots.remove(first);
        slots.entries[0].generation = u32::MAX;
        let last = slots.insert(1);
        assert_eq!(last.slot(), 0);
        slots.remove(last);
        assert_eq!(slots.insert(2).slot(), 1);
        assert_eq!(slots.insert(3).slot(), 2);
    }

    #[test]
    fn a_value_whose_key_is_renewed_has_that_key_only() {
        let mut slots = Slots::new();
        let old = slots.insert("kept");
        let new = slots.renew(old).unwrap();
        assert_eq!((slots.get(old), slots.get(new)), (None, Some(&"kept")));
        assert_eq!((slots.renew(old), slots.len(), new.slot()), (None, 1, old.slot()));
        slots.entries[0].generation = u32::MAX;
        let last = Key::new(0, u32::MAX);
        let moved = slots.renew(last).unwrap();
        assert_eq!((slots.get(last), slots.get(moved), slots.len()), (None, Some(&"kept"), 1));
        assert_eq!(moved.slot(), 1, "the slot whose generations are used up is retired");
    }

    #[test]
    fn values_are_counted_and_listed() {
        let mut slots = Slots::new();
        let keys: Vec<Key> = (0..4).map(|value| slots.insert(value)).collect();
        slots.remove(keys[1]);
        assert_eq!(slots.len(), 3);
        assert_eq!(slots.iter().map(|(_, value)| *value).collect::<Vec<_>>(), [0, 2, 3]);
    }
}
