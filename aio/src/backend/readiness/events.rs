//! Operations on event sources that are counts in memory (WASI): waits are served in the order in
//! which they came.

use std::collections::VecDeque;

use crate::backend::Answered;
use crate::error::Cause;
use crate::key::Key;
use crate::op::RawOp;
use crate::sys::{CountedEvent, c};

/// Who waits until a count is above zero.
pub struct Events {
    waiting: VecDeque<(Key, *const CountedEvent)>,
}

impl Events {
    /// Nobody.
    pub fn new() -> Events {
        Events { waiting: VecDeque::new() }
    }

    /// Notifies or waits, if `op` does that; an answer if it is complete.
    ///
    /// # Safety
    ///
    /// The event that `op` names stays valid until the operation has been answered.
    pub unsafe fn start(&mut self, key: Key, op: &RawOp) -> Option<Result<u32, Cause>> {
        match *op {
            RawOp::NotifyEvent { event } => {
                // SAFETY: the caller keeps it valid.
                let notified = unsafe { &*event }.notify_many(1);
                let code = notified.err().and_then(|error| error.raw_os_error());
                Some(code.map_or(Ok(0), |code| Err(Cause::Os(code))))
            }
            RawOp::WaitEvent { event } => {
                let is_behind = self.waiting.iter().any(|(_, other)| *other == event);
                // SAFETY: the caller keeps it valid.
                if !is_behind && unsafe { &*event }.take() {
                    return Some(Ok(0));
                }
                self.waiting.push_back((key, event));
                None
            }
            _ => Some(Err(Cause::Unsupported)),
        }
    }

    /// Lets the wait of `key` be forgotten; false if there is none.
    pub fn stop(&mut self, key: Key) -> bool {
        let found = self.waiting.iter().position(|(waiting, _)| *waiting == key);
        found.is_some_and(|position| self.waiting.remove(position).is_some())
    }

    /// Answers those that are notified.
    pub fn collect(&mut self, done: &mut VecDeque<Answered>) {
        self.waiting.retain(|(key, event)| {
            // SAFETY: who has started the operation keeps the event valid until it is answered.
            let is_notified = unsafe { &**event }.take();
            if is_notified {
                done.push_back((*key, Ok(0)));
            }
            !is_notified
        });
    }

    /// Answers all, where nothing can happen any more that would notify one of them.
    pub fn give_up(&mut self, done: &mut VecDeque<Answered>) {
        done.extend(self.waiting.drain(..).map(|(key, _)| (key, Err(Cause::Os(c::EDEADLK)))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Slots;

    fn keys<const N: usize>() -> [Key; N] {
        let mut slots = Slots::new();
        [(); N].map(|()| slots.insert(()))
    }

    fn wait(events: &mut Events, key: Key, event: &CountedEvent) -> Option<Result<u32, Cause>> {
        // SAFETY: the tests keep their events until the end.
        unsafe { events.start(key, &RawOp::WaitEvent { event }) }
    }

    fn collect(events: &mut Events) -> Vec<Answered> {
        let mut done = VecDeque::new();
        events.collect(&mut done);
        done.into()
    }

    #[test]
    fn waits_are_served_in_their_order_and_none_overtakes() {
        let (one, two) = (CountedEvent::new().unwrap(), CountedEvent::new().unwrap());
        let (mut events, keys) = (Events::new(), keys::<4>());
        assert_eq!(wait(&mut events, keys[0], &one), None);
        assert_eq!(wait(&mut events, keys[1], &one), None);
        // SAFETY: as above.
        let notified = unsafe { events.start(keys[3], &RawOp::NotifyEvent { event: &one }) };
        assert_eq!(notified, Some(Ok(0)));
        assert_eq!(wait(&mut events, keys[2], &one), None);
        two.notify_many(1).unwrap();
        assert_eq!(wait(&mut events, keys[3], &two), Some(Ok(0)));
        assert_eq!(collect(&mut events), [(keys[0], Ok(0))]);
        one.notify_many(5).unwrap();
        assert_eq!(collect(&mut events), [(keys[1], Ok(0)), (keys[2], Ok(0))]);
        assert!(events.waiting.is_empty() && one.take());
    }

    #[test]
    fn what_is_stopped_takes_nothing() {
        let event = CountedEvent::new().unwrap();
        let (mut events, keys) = (Events::new(), keys::<2>());
        assert_eq!(wait(&mut events, keys[0], &event), None);
        assert_eq!(wait(&mut events, keys[1], &event), None);
        assert!(events.stop(keys[0]) && !events.stop(keys[0]));
        event.notify_many(2).unwrap();
        assert_eq!(collect(&mut events), [(keys[1], Ok(0))]);
        assert!(event.take());
    }

    #[test]
    fn those_that_nobody_can_notify_fail() {
        let event = CountedEvent::new().unwrap();
        let (mut events, keys) = (Events::new(), keys::<2>());
        assert_eq!(keys.map(|key| wait(&mut events, key, &event)), [None; 2]);
        let mut done = VecDeque::new();
        events.give_up(&mut done);
        assert_eq!(done, keys.map(|key| (key, Err(Cause::Os(c::EDEADLK)))));
        assert!(events.waiting.is_empty());
    }
}
