//! Who waits for what: operations that are not complete, in queues at their descriptors. Pure.

use super::attempt::Side;
use super::poller::Interest;
use crate::handle::RawHandle;
use crate::key::Key;
use crate::op::RawOp;
use crate::sys::c;

/// An operation that is not complete.
#[derive(Clone, Copy)]
pub struct Pending {
    pub key: Key,
    pub op: RawOp,
    pub place: Place,
    /// How much it has moved; for a connect, whether it has begun.
    pub moved: u32,
    /// Whether it was tried since it came.
    pub was_tried: bool,
    /// Its neighbours in its queue.
    before: Key,
    after: Key,
}

/// Where an operation is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    Nowhere,
    At(RawHandle, Side),
    Thread,
}

/// What is known of a descriptor.
#[derive(Clone, Copy)]
struct Watch {
    read: Queue,
    write: Queue,
    beside: Queue,
    /// Whether there was nothing more to read when it was last read from: another attempt would be
    /// in vain. It may be wrong, for the number can have come to name another file.
    is_drained: bool,
    /// Whether there was more to read when that was said: it carries messages, not bytes.
    is_message: bool,
    /// Whether it is certain that the poller watches the file that the number means now.
    is_certain: bool,
    /// What the poller was told.
    interest: Interest,
}

/// Operations in the order in which they are tried.
#[derive(Clone, Copy)]
struct Queue {
    first: Key,
    last: Key,
}

/// All operations that are not complete.
pub struct Waiters {
    /// By descriptor.
    watches: Vec<Watch>,
    /// By slot of their keys.
    pending: Vec<Pending>,
    /// How many are in a queue.
    queued: usize,
}

impl Waiters {
    /// Nobody.
    pub fn new() -> Waiters {
        Waiters { watches: Vec::new(), pending: Vec::new(), queued: 0 }
    }

    /// How many wait for a descriptor.
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// Makes room for what is to be known of a descriptor: before all that names it here.
    #[inline]
    pub fn make_room(&mut self, fd: RawHandle) {
        if fd as usize >= self.watches.len() {
            let queue = Queue { first: Key::NONE, last: Key::NONE };
            let (interest, is_drained) = (Interest::NONE, false);
            let (read, write, beside) = (queue, queue, queue);
            let (is_message, is_certain) = (false, false);
            let watch = Watch { read, write, beside, is_drained, is_message, is_certain, interest };
            self.watches.resize(fd as usize + 1, watch);
        }
    }

    /// Whether something is known of a descriptor.
    pub fn knows(&self, fd: RawHandle) -> bool {
        (fd as usize) < self.watches.len()
    }

    /// Whether something is known of a descriptor, and nobody waits for it on this side.
    #[inline]
    pub fn is_free(&self, fd: RawHandle, side: Side) -> bool {
        self.watches.get(fd as usize).is_some_and(|watch| watch.queue(side).first == Key::NONE)
    }

    /// The operation of `key`, if it is not complete.
    #[inline]
    pub fn find(&self, key: Key) -> Option<&Pending> {
        let found = self.pending.get(key.slot()).filter(|pending| pending.key == key);
        found.filter(|pending| pending.place != Place::Nowhere)
    }

    /// Notes that an operation was tried, and how much it has moved.
    pub fn set_moved(&mut self, key: Key, moved: u32) {
        let pending = &mut self.pending[key.slot()];
        (pending.moved, pending.was_tried) = (moved, true);
    }

    /// Notes an operation that a thread has.
    pub fn put_in_thread(&mut self, key: Key, op: &RawOp, moved: u32) {
        let (before, after) = (Key::NONE, Key::NONE);
        let (place, was_tried) = (Place::Thread, true);
        self.put(Pending { key, op: *op, place, moved, was_tried, before, after });
    }

    #[inline]
    fn put(&mut self, pending: Pending) {
        let slot = pending.key.slot();
        if slot >= self.pending.len() {
            let nothing = Pending { key: Key::NONE, place: Place::Nowhere, ..pending };
            self.pending.resize(slot + 1, nothing);
        }
        self.pending[slot] = pending;
    }

    /// Takes an operation from where it is, unless that is a queue.
    #[inline]
    pub fn take(&mut self, key: Key) -> &Pending {
        let pending = &mut self.pending[key.slot()];
        debug_assert!(pending.key == key, "what is taken is there");
        pending.place = Place::Nowhere;
        pending
    }

    /// The first operation of a queue, or none.
    #[inline]
    pub fn first(&self, fd: RawHandle, side: Side) -> Key {
        self.watches[fd as usize].queue(side).first
    }

    /// The operation behind this one, or none.
    pub fn after(&self, key: Key) -> Key {
        self.pending[key.slot()].after
    }

    /// Puts an operation at the end of a queue: one that has moved so much, or was not tried.
    #[inline]
    pub fn enter(&mut self, key: Key, op: &RawOp, moved: Option<u32>, fd: RawHandle, side: Side) {
        let queue = self.watches[fd as usize].queue_mut(side);
        let before = std::mem::replace(&mut queue.last, key);
        if before == Key::NONE {
            queue.first = key;
        } else {
            self.pending[before.slot()].after = key;
        }
        let (place, after) = (Place::At(fd, side), Key::NONE);
        let (was_tried, moved) = (moved.is_some(), moved.unwrap_or(0));
        self.put(Pending { key, op: *op, place, moved, was_tried, before, after });
        self.queued += 1;
    }

    /// Takes an operation out of its queue.
    #[inline]
    pub fn leave(&mut self, key: Key, fd: RawHandle, side: Side) {
        let &Pending { before, after, .. } = self.take(key);
        let queue = self.watches[fd as usize].queue_mut(side);
        if before == Key::NONE {
            queue.first = after;
        }
        if after == Key::NONE {
            queue.last = before;
        }
        if before != Key::NONE {
            self.pending[before.slot()].after = after;
        }
        if after != Key::NONE {
            self.pending[after.slot()].before = before;
        }
        self.queued -= 1;
    }

    /// Whether an attempt to read would be in vain, as far as is known.
    #[inline]
    pub fn is_drained(&self, fd: RawHandle) -> bool {
        self.watches.get(fd as usize).is_some_and(|watch| watch.is_drained)
    }

    /// Notes whether there is more to read.
    #[inline]
    pub fn set_drained(&mut self, fd: RawHandle, is_drained: bool) {
        self.watches[fd as usize].is_drained = is_drained;
    }

    /// Whether it is certain that the poller watches the file that the number means now.
    #[inline]
    pub fn is_certain(&self, fd: RawHandle) -> bool {
        self.watches[fd as usize].is_certain
    }

    /// Notes whether that is certain.
    #[inline]
    pub fn set_certain(&mut self, fd: RawHandle, is_certain: bool) {
        self.watches[fd as usize].is_certain = is_certain;
    }

    /// Notes that a short read says nothing about what is left.
    pub fn set_message(&mut self, fd: RawHandle) {
        self.watches[fd as usize].is_message = true;
    }

    /// Notes that a read took less than it had room for.
    #[inline]
    pub fn note_short(&mut self, fd: RawHandle) {
        let watch = &mut self.watches[fd as usize];
        watch.is_drained = !watch.is_message;
    }

    /// Notes that the number means another file, of which nothing is known.
    pub fn forget(&mut self, fd: RawHandle) {
        let watch = &mut self.watches[fd as usize];
        (watch.is_drained, watch.is_message) = (false, false);
        watch.interest = Interest::NONE;
    }

    /// What is waited for on a descriptor, if that is not what it was when this was last asked.
    #[inline]
    pub fn new_interest(&mut self, fd: RawHandle) -> Option<Interest> {
        let watch = &self.watches[fd as usize];
        let mut interest = Interest::NONE;
        if watch.read.first != Key::NONE {
            interest |= Interest::READ;
        }
        if watch.write.first != Key::NONE {
            interest |= Interest::WRITE;
        }
        if watch.beside.first != Key::NONE {
            self.add_beside(watch.beside.first, &mut interest);
        }
        let told = &mut self.watches[fd as usize].interest;
        (std::mem::replace(told, interest) != interest).then_some(interest)
    }

    /// Adds what those want that wait beside others.
    fn add_beside(&self, first: Key, interest: &mut Interest) {
        let mut key = first;
        while key != Key::NONE {
            let pending = &self.pending[key.slot()];
            if let Place::At(_, Side::Beside(events)) = pending.place {
                let events = events as c::c_short;
                for (event, wanted) in [
                    (events, Interest::END),
                    (c::POLLIN, Interest::READ),
                    (c::POLLOUT, Interest::WRITE),
                    (c::POLLPRI, Interest::PRIORITY),
                ] {
                    if events & event == event {
                        *interest |= wanted;
                    }
                }
            }
            key = pending.after;
        }
    }

    /// Lists the operations in the queues of a descriptor.
    pub fn users_of(&self, fd: RawHandle, keys: &mut Vec<Key>) {
        if !self.knows(fd) {
            return;
        }
        for side in [Side::Read, Side::Write, Side::Beside(0)] {
            let mut key = self.first(fd, side);
            while key != Key::NONE {
                keys.push(key);
                key = self.after(key);
            }
        }
    }
}

impl Watch {
    fn queue(&self, side: Side) -> &Queue {
        match side {
            Side::Read => &self.read,
            Side::Write => &self.write,
            Side::Beside(_) => &self.beside,
        }
    }

    fn queue_mut(&mut self, side: Side) -> &mut Queue {
        match side {
            Side::Read => &mut self.read,
            Side::Write => &mut self.write,
            Side::Beside(_) => &mut self.beside,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Slots;

    const READ: Side = Side::Read;

    fn list(waiters: &Waiters, fd: RawHandle) -> Vec<Key> {
        let mut keys = Vec::new();
        waiters.users_of(fd, &mut keys);
        keys
    }

    #[test]
    fn a_queue_keeps_its_order_whoever_leaves() {
        let (mut slots, mut waiters) = (Slots::new(), Waiters::new());
        waiters.make_room(7);
        let keys: Vec<Key> = (0..5).map(|_| slots.insert(())).collect();
        for key in &keys {
            waiters.enter(*key, &RawOp::Nop, None, 7, READ);
        }
        assert_eq!(waiters.new_interest(7), Some(Interest::READ));
        assert_eq!(waiters.new_interest(7), None);
        for (leaves, left) in [(2, vec![0, 1, 3, 4]), (0, vec![1, 3, 4]), (4, vec![1, 3])] {
            waiters.leave(keys[leaves], 7, READ);
            let left: Vec<Key> = left.into_iter().map(|index: usize| keys[index]).collect();
            assert_eq!(list(&waiters, 7), left);
            assert_eq!(waiters.queued(), left.len());
        }
        waiters.leave(keys[1], 7, READ);
        waiters.leave(keys[3], 7, READ);
        assert_eq!(waiters.first(7, READ), Key::NONE);
        assert_eq!(waiters.new_interest(7), Some(Interest::NONE));
        assert!(keys.iter().all(|key| waiters.find(*key).is_none()));
    }

    #[test]
    fn those_beside_want_all_that_one_of_them_wants() {
        let (mut slots, mut waiters) = (Slots::new(), Waiters::new());
        waiters.make_room(1);
        for events in [c::POLLIN, c::POLLPRI] {
            let side = Side::Beside(events as u32);
            waiters.enter(slots.insert(()), &RawOp::Nop, None, 1, side);
        }
        let all = Interest::READ | Interest::PRIORITY | Interest::END;
        assert_eq!(waiters.new_interest(1), Some(all));
    }
}
