//! io_uring's rules over anything that can start and stop single operations: chains, time limits,
//! cancels, closes. Pure: it makes no system call.

use std::collections::VecDeque;

use super::{Answered, Backend, Mode, Traffic};
use crate::error::{Cause, Error};
use crate::handle::RawHandle;
use crate::key::Key;
use crate::kind::{Kinds, OpKind};
use crate::op::{Link, RawOp};

/// Starts, stops and reports single operations.
///
/// # Safety
///
/// Every started key is answered exactly once: by `start`, by `stop`, or through `wait`; and nothing
/// touches the memory of its operation after that. A number that answers an operation that makes a
/// descriptor is a descriptor that nobody else owns.
pub unsafe trait Driver {
    /// Starts `op`; an answer, if it is complete at once. It is never given a nop, a cancel or a
    /// time limit.
    ///
    /// # Safety
    ///
    /// As for [`Backend::start`].
    unsafe fn start(&mut self, key: Key, kind: OpKind, op: &RawOp) -> Option<Result<u32, Cause>>;

    /// Asks an operation to stop, in the name of the cancel `asker` if there is one.
    fn stop(&mut self, key: Key, asker: Option<Key>) -> Stop;

    /// Lists the operations that are in flight on a descriptor.
    fn users_of(&self, fd: RawHandle, keys: &mut Vec<Key>);

    /// Collects what is complete; if that is nothing and `is_blocking`, waits for something.
    ///
    /// # Errors
    ///
    /// As for [`Backend::wait`].
    fn wait(&mut self, is_blocking: bool, done: &mut VecDeque<Answered>) -> Result<(), Error>;

    /// What has gone to and fro so far.
    fn traffic(&self) -> Traffic;

    /// Whether operations of this kind can be done.
    fn supports(&self, kind: OpKind) -> bool;
}

/// What came of asking an operation to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// It is stopped, with this answer: how much it had moved, if it had.
    Stopped(Result<u32, Cause>),
    /// `wait` will report it, stopped or not, and the asker if there is one.
    Asked,
    /// It can't be stopped any more; `wait` will report it.
    TooLate,
    /// It is not in flight.
    Unknown,
}

/// How many operations are tried as they come before the others get a turn.
const EAGER: u32 = 64;

/// An operation that has a place in a chain, or has to wait for its turn.
#[derive(Clone, Copy)]
struct Linked {
    key: Key,
    kind: OpKind,
    op: RawOp,
    link: Link,
    state: State,
    /// Whether it was asked to stop before its turn.
    is_asked: bool,
    /// Its neighbours in the chain.
    before: Key,
    after: Key,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// For the one before it.
    Waiting,
    /// Its chain has begun, but others are to get a turn first.
    Delayed,
    /// The driver has it.
    Running,
    /// It is a time limit that is up, and what it limits is still to be reported.
    Expired,
    /// It is a time limit that was not up in time; the driver is still to report it.
    Ending,
    Done,
}

/// The chains: what runs, and what comes after it.
pub struct Links {
    /// By slot of their keys.
    ops: Vec<Linked>,
    /// How many of them are not done.
    live: usize,
    /// The operation before the next one that is added.
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
        let is_alone = self.last == Key::NONE && !link.is_linked();
        if is_alone && self.eager > 0 && !is_ours(op) {
            self.eager -= 1;
            // SAFETY: passed on.
            if let Some(result) = unsafe { driver.start(key, kind, op) } {
                answered.push_back((key, result));
            }
            return;
        }
        self.add(key, kind, op, link);
        if link.is_linked() {
            self.last = key;
            return;
        }
        let mut head = key;
        while self.at(head).before != Key::NONE {
            head = self.at(head).before;
        }
        self.last = Key::NONE;
        if self.eager == 0 {
            self.at_mut(head).state = State::Delayed;
            self.delayed.push_back(head);
            return;
        }
        self.eager -= 1;
        self.begin(driver, head);
        self.follow_up(driver, answered);
    }

    /// Notes the next operation of the chain that is being started.
    fn add(&mut self, key: Key, kind: OpKind, op: &RawOp, link: Link) {
        let before = self.last;
        let op = if link.is_linked() { op.sent_whole() } else { *op };
        let state = State::Waiting;
        let (is_asked, after) = (false, Key::NONE);
        let linked = Linked { key, kind, op, link, state, is_asked, before, after };
        if key.slot() >= self.ops.len() {
            let nothing = Linked { key: Key::NONE, state: State::Done, ..linked };
            self.ops.resize(key.slot() + 1, nothing);
        }
        self.ops[key.slot()] = linked;
        self.live += 1;
        if before != Key::NONE {
            self.at_mut(before).after = key;
        }
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
    pub fn start_delayed(&mut self, driver: &mut impl Driver, answered: &mut VecDeque<Answered>) {
        self.eager = EAGER;
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
            Some((State::Delayed, _)) => self.complete.push_back((key, Err(Cause::Canceled))),
            _ => {
                if let Stop::Stopped(result) = driver.stop(key, None) {
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
        let result = match linked.op {
            RawOp::Nop => Some(Ok(0)),
            RawOp::Cancel { target, .. } => self.cancel_for(driver, key, target),
            op => {
                if let RawOp::Close { fd, shared: true, .. } = op {
                    self.stop_users_of(driver, fd);
                }
                // SAFETY: who started it keeps its memory in place until it is answered.
                unsafe { driver.start(key, linked.kind, &op) }
            }
        };
        if let Some(result) = result {
            self.complete.push_back((key, result));
        } else if let Some(limit) = self.limit_of(&linked)
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
        if let Stop::Stopped(result) = driver.stop(limited, None) {
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
            Stop::Asked => None,
            Stop::TooLate => Some(Err(Cause::InProgress)),
            Stop::Unknown => Some(Err(Cause::NotFound)),
        }
    }

    /// Stops what is in flight on a descriptor.
    fn stop_users_of(&mut self, driver: &mut impl Driver, fd: RawHandle) {
        let mut users = std::mem::take(&mut self.users);
        driver.users_of(fd, &mut users);
        for key in users.drain(..) {
            if let Stop::Stopped(result) = driver.stop(key, None) {
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

/// Whether the driver need not, or can't, start it.
fn is_ours(op: &RawOp) -> bool {
    matches!(op, RawOp::Nop | RawOp::Cancel { .. } | RawOp::Close { shared: true, .. })
}

/// Whether an operation with this result breaks a soft chain: it failed, or moved less than it was
/// to move as a whole.
fn breaks_a_chain(op: &RawOp, result: Result<u32, Cause>) -> bool {
    match (result, op.whole()) {
        (Err(_), _) => true,
        (Ok(moved), Some(whole)) => moved < whole,
        (Ok(_), None) => false,
    }
}

/// A backend made of a driver.
pub struct Emulate<D> {
    driver: D,
    links: Links,
    done: VecDeque<Answered>,
    entries: usize,
}

impl<D: Driver> Emulate<D> {
    /// A backend whose chains are at most `entries` long.
    pub fn new(driver: D, entries: u32) -> Emulate<D> {
        let entries = entries.max(1).next_power_of_two() as usize;
        Emulate { driver, links: Links::new(), done: VecDeque::new(), entries }
    }
}

// SAFETY: the driver answers each key that it was given once, and `Links` those that it was not
// given; it starts an operation only until that is answered.
unsafe impl<D: Driver> Backend for Emulate<D> {
    fn capacity(&self) -> usize {
        self.entries
    }

    fn begin(&mut self, _: usize, _: Kinds, _: bool, _: &mut VecDeque<Answered>) {}

    unsafe fn start(
        &mut self,
        key: Key,
        kind: OpKind,
        op: &RawOp,
        link: Link,
        answered: &mut VecDeque<Answered>,
    ) {
        // SAFETY: passed on.
        unsafe { self.links.start(&mut self.driver, key, kind, op, link, answered) }
    }

    fn cancel(&mut self, key: Key, answered: &mut VecDeque<Answered>) {
        self.links.cancel(&mut self.driver, key, answered);
    }

    fn wait(&mut self, mode: Mode, answered: &mut VecDeque<Answered>) -> Result<(), Error> {
        self.links.start_delayed(&mut self.driver, answered);
        loop {
            let is_blocking = mode == Mode::Blocking && answered.is_empty();
            self.driver.wait(is_blocking, &mut self.done)?;
            while let Some(report) = self.done.pop_front() {
                self.links.settle(&mut self.driver, report, answered);
            }
            if mode == Mode::NonBlocking || !answered.is_empty() {
                return Ok(());
            }
        }
    }

    fn traffic(&self) -> Traffic {
        self.driver.traffic()
    }

    fn supports(&self, kind: OpKind) -> bool {
        matches!(kind, OpKind::Nop | OpKind::Cancel | OpKind::LinkTimeout)
            || self.driver.supports(kind)
    }
}
