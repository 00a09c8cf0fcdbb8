//! Whose turn it is on the position of a file: one reads or writes there at a time, in order.

use std::collections::VecDeque;

use crate::handle::RawHandle;
use crate::key::Key;

/// The files on whose position somebody works, and who comes after.
#[derive(Debug, Default)]
pub struct Turns {
    files: Vec<(RawHandle, VecDeque<Key>)>,
}

impl Turns {
    /// Nobody works on any.
    pub fn new() -> Turns {
        Turns::default()
    }

    /// Asks for a turn; says whether it has come already.
    pub fn ask(&mut self, fd: RawHandle, key: Key) -> bool {
        if let Some((_, keys)) = self.files.iter_mut().find(|(file, _)| *file == fd) {
            keys.push_back(key);
            return keys.len() == 1;
        }
        self.files.push((fd, VecDeque::from([key])));
        true
    }

    /// The turn of `key` is over; yields who has it now, if anybody.
    pub fn pass(&mut self, fd: RawHandle, key: Key) -> Option<Key> {
        let index = self.files.iter().position(|(file, _)| *file == fd)?;
        let keys = &mut self.files[index].1;
        debug_assert_eq!(keys.front(), Some(&key), "only who has it passes it on");
        keys.pop_front();
        let next = keys.front().copied();
        if next.is_none() {
            self.files.swap_remove(index);
        }
        next
    }

    /// Forgets one whose turn has not come.
    pub fn give_up(&mut self, fd: RawHandle, key: Key) {
        if let Some((_, keys)) = self.files.iter_mut().find(|(file, _)| *file == fd) {
            keys.retain(|other| *other != key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Slots;

    #[test]
    fn turns_come_in_order_and_for_each_file() {
        let (mut turns, mut slots) = (Turns::new(), Slots::new());
        let [a, b, c, d] = [(); 4].map(|()| slots.insert(()));
        assert!(turns.ask(4, a));
        assert!(!turns.ask(4, b));
        assert!(!turns.ask(4, c));
        assert!(turns.ask(8, d));
        turns.give_up(4, b);
        assert_eq!(turns.pass(4, a), Some(c));
        assert_eq!(turns.pass(4, c), None);
        assert_eq!(turns.pass(8, d), None);
        assert!(turns.ask(4, b));
    }
}
