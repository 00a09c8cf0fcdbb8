//! io_uring's rules over any driver: chains, time limits, cancels, closes. Pure: it makes no system
//! call.

mod linked;
#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::mem;

use self::linked::{Linked, State};
use super::Answered;
use super::emulate::{Driver, Stop};
use crate::error::Cause;
use crate::handle::RawHandle;
use crate::key::Key;
use crate::kind::OpKind;
use crate::op::{Link, RawOp};

/// How many operations are tried as they come before the others get a turn.
const EAGER: u32 = 1024;

/// How far the chain that is being started has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chain {
    /// All before the next operation are complete: its turn has come.
    Flowing,
    /// One before it failed.
    Broken,
    /// One before it is not complete; what comes is added behind it.
    Held,
}

/// The chains: what runs, and what comes after it.
pub struct Links {
    /// Those that run with others behind them, or wait. By slot of their keys.
    ops: Vec<Linked>,
    /// How many of them are not done.
    live: usize,
    chain: Chain,
    /// Of a chain that is held: the operation that is not complete, and the last one.
    first: Key,
    last: Key,
    /// Heads of chains that are still to be started.
    delayed: VecDeque<Key>,
    /// How many more operations may start as they come.
    eager: u32,
    /// What is complete and still to be followed up.
    complete: VecDeque<Answered>,
    users: Vec<Key>,
}

impl Links {
    /// No chains.
    pub fn new() -> Links {
        Links {
            ops: Vec::new(),
            live: 0,
            chain: Chain::Flowing,
            first: Key::NONE,
            last: Key::NONE,
            delayed: VecDeque::new(),
            eager: EAGER,
            complete: VecDeque::new(),
            users: Vec::new(),
        }
    }

    /// Whether none of its operations is in flight.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Starts `op`, in its turn.
    ///
    /// # Safety
    ///
    /// As for [`Backend::start`].
    pub unsafe fn start(
        &mut self,
        driver: &mut impl Driver,
        key: Key,
        kind: OpKind,
        op: &RawOp,
        link: Link,
        answered: &mut VecDeque<Answered>,
    ) {
        let whole = if link.is_linked() { &op.sent_whole() } else { op };
        if self.chain == Chain::Flowing && self.eager > 0 && !is_special(op) {
            self.eager -= 1;
            // SAFETY: passed on.
            match unsafe { driver.start(key, kind, whole) } {
                Some(result) => {
                    answered.push_back((key, result));
                    if link == Link::Soft && breaks_a_chain(whole, result) {
                        self.chain = Chain::Broken;
                    }
                }
                None if link.is_linked() => {
                    self.add(key, kind, whole, link, State::Running);
                    self.chain = Chain::Held;
                }
                None => {}
            }
            return;
        }
        // SAFETY: passed on.
        unsafe { self.start_special(driver, key, kind, whole, link, answered) };
    }

    /// Starts an operation that does not go to the driver, or not at once.
    ///
    /// # Safety
    ///
    /// As for [`Links::start`].
    unsafe fn start_special(
        &mut self,
        driver: &mut impl Driver,
        key: Key,
        kind: OpKind,
        op: &RawOp,
        link: Link,
        answered: &mut VecDeque<Answered>,
    ) {
        let is_limit = matches!(op, RawOp::LinkTimeout { .. });
        let result = match self.chain {
            // What it limits is complete, or never started.
            Chain::Flowing | Chain::Broken if is_limit => Some(Ok(0)),
            Chain::Broken => Some(Err(Cause::Canceled)),
            Chain::Flowing if self.eager > 0 => {
                self.eager -= 1;
                self.run(driver, key, kind, op)
            }
            Chain::Flowing => {
                self.add(key, kind, op, link, State::Delayed);
                self.delayed.push_back(key);
                None
            }
            Chain::Held => {
                self.add(key, kind, op, link, State::Waiting);
                None
            }
        };
        match result {
            Some(result) => {
                answered.push_back((key, result));
                if link == Link::Soft && !is_limit && breaks_a_chain(op, result) {
                    self.chain = Chain::Broken;
                }
            }
            None if self.chain == Chain::Flowing && link.is_linked() => {
                if self.find(key).is_none() {
                    self.add(key, kind, op, link, State::Running);
                }
                self.chain = Chain::Held;
            }
            None => {}
        }
        if !link.is_linked() {
            if self.chain == Chain::Held && self.at(self.first).state == State::Running {
                self.start_limit(driver, self.first);
            }
            self.chain = Chain::Flowing;
            (self.first, self.last) = (Key::NONE, Key::NONE);
        }
        if !self.complete.is_empty() {
            self.follow_up(driver, answered);
        }
    }

    /// Notes the next operation of the chain that is being started.
    fn add(&mut self, key: Key, kind: OpKind, op: &RawOp, link: Link, state: State) {
        let (before, after) = (self.last, Key::NONE);
        let linked = Linked { key, kind, op: *op, link, state, is_asked: false, before, after };
        if key.slot() >= self.ops.len() {
            let nothing = Linked { key: Key::NONE, state: State::Done, ..linked };
            self.ops.resize(key.slot() + 1, nothing);
        }
        self.ops[key.slot()] = linked;
        self.live += 1;
        match before {
            Key::NONE => self.first = key,
            before => self.at_mut(before).after = key,
        }
        self.last = key;
    }

    fn at(&self, key: Key) -> &Linked {
        &self.ops[key.slot()]
    }

    fn at_mut(&mut self, key: Key) -> &mut Linked {
        &mut self.ops[key.slot()]
    }

    /// The operation of `key`, if it is one of these and not done.
    fn find(&self, key: Key) -> Option<&Linked> {
        let found = self.ops.get(key.slot()).filter(|linked| linked.key == key);
        found.filter(|linked| linked.state != State::Done)
    }

    /// Starts what had to wait for its turn.
    #[inline]
    pub fn start_delayed(&mut self, driver: &mut impl Driver, answered: &mut VecDeque<Answered>) {
        self.eager = EAGER;
        if !self.delayed.is_empty() {
            self.start_all_delayed(driver, answered);
        }
    }

    fn start_all_delayed(&mut self, driver: &mut impl Driver, answered: &mut VecDeque<Answered>) {
        for _ in 0..self.delayed.len() {
            let head = self.delayed.pop_front().expect("nobody else takes from it");
            if self.find(head).is_some_and(|linked| linked.state == State::Delayed) {
                self.begin(driver, head);
                self.follow_up(driver, answered);
            }
        }
    }

    /// Notes what the driver reported, and starts what comes after it.
    pub fn settle(
        &mut self,
        driver: &mut impl Driver,
        report: Answered,
        answered: &mut VecDeque<Answered>,
    ) {
        if self.find(report.0).is_none() {
            answered.push_back(report);
            return;
        }
        self.complete.push_back(report);
        self.follow_up(driver, answered);
    }

    /// Asks an operation to stop, also if its turn has not come yet.
    pub fn cancel(
        &mut self,
        driver: &mut impl Driver,
        key: Key,
        answered: &mut VecDeque<Answered>,
    ) {
        match self.find(key).map(|linked| (linked.state, linked.op)) {
            // It ends with what it limits.
            Some((_, RawOp::LinkTimeout { .. })) => {}
            Some((State::Waiting, _)) => self.at_mut(key).is_asked = true,
            Some((State::Delayed, _)) => {
                // The others that were canceled are passed over when their turn comes.
                let is_last = self.delayed.back() == Some(&key);
                self.delayed.truncate(self.delayed.len() - usize::from(is_last));
                self.complete.push_back((key, Err(Cause::Canceled)));
            }
            _ => {
                if let Stop::Stopped(result) | Stop::Complete(result) = driver.stop(key, None) {
                    self.complete.push_back((key, result));
                }
            }
        }
        self.follow_up(driver, answered);
    }

    /// Answers what is complete, and starts what was waiting for it.
    fn follow_up(&mut self, driver: &mut impl Driver, answered: &mut VecDeque<Answered>) {
        while let Some((key, result)) = self.complete.pop_front() {
            let Some(&linked) = self.find(key) else {
                answered.push_back((key, result));
                continue;
            };
            if let RawOp::LinkTimeout { .. } = linked.op {
                match linked.state {
                    State::Ending => self.answer(key, Ok(0), answered),
                    _ => self.expire(driver, key),
                }
                continue;
            }
            self.answer(key, result, answered);
            let mut next = linked.after;
            if let Some(limit) = self.limit_of(&linked) {
                next = self.at(limit).after;
                self.end_limit(driver, limit, result, answered);
            }
            if linked.link == Link::Soft && breaks_a_chain(&linked.op, result) {
                self.cancel_from(next, answered);
            } else if next != Key::NONE {
                self.begin(driver, next);
            }
        }
    }

    /// Starts an operation whose turn has come, and the clock that limits it.
    fn begin(&mut self, driver: &mut impl Driver, key: Key) {
        let linked = *self.at(key);
        if linked.is_asked {
            self.complete.push_back((key, Err(Cause::Canceled)));
            return;
        }
        self.at_mut(key).state = State::Running;
        match self.run(driver, key, linked.kind, &linked.op) {
            Some(result) => self.complete.push_back((key, result)),
            None => self.start_limit(driver, key),
        }
    }

    /// Has an operation done; an answer if it is complete at once.
    fn run(
        &mut self,
        driver: &mut impl Driver,
        key: Key,
        kind: OpKind,
        op: &RawOp,
    ) -> Option<Result<u32, Cause>> {
        match *op {
            RawOp::Nop => return Some(Ok(0)),
            RawOp::Cancel { target, .. } => return self.cancel_for(driver, key, target),
            RawOp::Close { fd, shared: true, .. } => self.stop_users_of(driver, fd),
            _ => {}
        }
        // SAFETY: who started it keeps its memory in place until it is answered.
        unsafe { driver.start(key, kind, op) }
    }

    /// Starts the clock that limits an operation that runs.
    fn start_limit(&mut self, driver: &mut impl Driver, key: Key) {
        if let Some(limit) = self.limit_of(self.at(key))
            && let RawOp::LinkTimeout { after } = self.at(limit).op
        {
            self.at_mut(limit).state = State::Running;
            // SAFETY: as above; the time is the limit's own.
            let up = unsafe { driver.start(limit, OpKind::Timeout, &RawOp::Timeout { after }) };
            if up.is_some() {
                self.expire(driver, limit);
            }
        }
    }

    /// The limit on the time of an operation that is not done.
    fn limit_of(&self, linked: &Linked) -> Option<Key> {
        let limit = self.find(linked.after)?;
        matches!(limit.op, RawOp::LinkTimeout { .. }).then_some(limit.key)
    }

    /// Answers a time limit, now that the operation that it limits is answered.
    fn end_limit(
        &mut self,
        driver: &mut impl Driver,
        limit: Key,
        limited: Result<u32, Cause>,
        answered: &mut VecDeque<Answered>,
    ) {
        match self.at(limit).state {
            State::Expired if limited.is_err() => {
                self.answer(limit, Err(Cause::Expired), answered);
            }
            State::Running if !matches!(driver.stop(limit, None), Stop::Stopped(_)) => {
                self.at_mut(limit).state = State::Ending;
            }
            _ => self.answer(limit, Ok(0), answered),
        }
    }

    /// Stops the operation whose time is up.
    fn expire(&mut self, driver: &mut impl Driver, limit: Key) {
        self.at_mut(limit).state = State::Expired;
        let limited = self.at(limit).before;
        if let Stop::Stopped(result) | Stop::Complete(result) = driver.stop(limited, None) {
            self.complete.push_back((limited, result));
        }
    }

    /// Carries a cancel out; an answer, unless the driver will report one.
    fn cancel_for(
        &mut self,
        driver: &mut impl Driver,
        key: Key,
        target: Key,
    ) -> Option<Result<u32, Cause>> {
        let stop = match self.find(target).map(|linked| (linked.state, linked.op)) {
            Some((_, RawOp::LinkTimeout { .. }) | (State::Waiting, _)) => Stop::Unknown,
            Some((State::Delayed, _)) => Stop::Stopped(Err(Cause::Canceled)),
            _ => driver.stop(target, Some(key)),
        };
        match stop {
            Stop::Stopped(result) => {
                self.complete.push_back((target, result));
                Some(Ok(0))
            }
            Stop::Complete(result) => {
                self.complete.push_back((target, result));
                Some(Err(Cause::NotFound))
            }
            Stop::Asked => None,
            Stop::TooLate => Some(Err(Cause::InProgress)),
            Stop::Unknown => Some(Err(Cause::NotFound)),
        }
    }

    /// Stops what is in flight on a descriptor.
    fn stop_users_of(&mut self, driver: &mut impl Driver, fd: RawHandle) {
        let mut users = mem::take(&mut self.users);
        driver.users_of(fd, &mut users);
        for key in users.drain(..) {
            if let Stop::Stopped(result) | Stop::Complete(result) = driver.stop(key, None) {
                self.complete.push_back((key, result));
            }
        }
        self.users = users;
    }

    /// Answers the rest of a chain that is broken.
    fn cancel_from(&mut self, first: Key, answered: &mut VecDeque<Answered>) {
        let mut key = first;
        while key != Key::NONE {
            let linked = *self.at(key);
            let result = match linked.op {
                RawOp::LinkTimeout { .. } => Ok(0),
                _ => Err(Cause::Canceled),
            };
            self.answer(key, result, answered);
            key = linked.after;
        }
    }

    fn answer(&mut self, key: Key, result: Result<u32, Cause>, answered: &mut VecDeque<Answered>) {
        self.at_mut(key).state = State::Done;
        self.live -= 1;
        answered.push_back((key, result));
    }
}

/// Whether an operation needs more than the driver.
#[inline]
fn is_special(op: &RawOp) -> bool {
    matches!(
        op,
        RawOp::Nop | RawOp::Cancel { .. } | RawOp::Close { .. } | RawOp::LinkTimeout { .. }
    )
}

/// Whether an operation with this result breaks a soft chain: it failed, or moved less than it was
/// to move as a whole.
fn breaks_a_chain(op: &RawOp, result: Result<u32, Cause>) -> bool {
    match result {
        Err(_) => true,
        // SAFETY: who started it keeps its memory in place until its answer is taken, which can't
        // be while this runs.
        Ok(moved) => unsafe { op.whole() }.is_some_and(|whole| u64::from(moved) < whole),
    }
}
