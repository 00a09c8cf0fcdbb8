//! The rules of chains, over a driver whose operations end when the test says so.

use std::ptr;

use super::*;
use crate::backend::Traffic;
use crate::error::Error;
use crate::key::Slots;
use crate::op::Link::{Hard, None as End, Soft};
use crate::sys::c;

pub const FAILED: Result<u32, Cause> = Err(Cause::Os(c::EIO));
pub const CANCELED: Result<u32, Cause> = Err(Cause::Canceled);

/// Ends as soon as it starts.
pub const QUICK: RawOp = RawOp::Poll { fd: 1, events: 0 };
/// Fails as soon as it starts.
pub const FAILS: RawOp = RawOp::Poll { fd: 1, events: 1 };
/// Ends when the test says so.
pub const SLOW: RawOp = RawOp::Poll { fd: 1, events: 2 };
/// A time limit: when it is up, the test says.
pub const LIMIT: RawOp = RawOp::LinkTimeout { after: ptr::null() };
const CLOSE: RawOp = RawOp::Close { fd: 1, shared: true, lingers: false };

/// What the driver does when it is asked to stop an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manner {
    AtOnce,
    Later,
    TooLate,
}

pub struct Hands {
    pub running: Vec<(Key, RawOp)>,
    started: Vec<Key>,
    reports: VecDeque<Answered>,
    pub manner: Manner,
    pub manner_of_timers: Manner,
}

// SAFETY: an operation is answered where it starts, or taken from those that run when it is
// reported; no pointer is followed.
unsafe impl Driver for Hands {
    unsafe fn start(&mut self, key: Key, _: OpKind, op: &RawOp) -> Option<Result<u32, Cause>> {
        self.started.push(key);
        match *op {
            RawOp::Poll { events: 0, .. } | RawOp::Close { .. } => return Some(Ok(0)),
            RawOp::Poll { events: 1, .. } => return Some(FAILED),
            _ => self.running.push((key, *op)),
        }
        None
    }

    fn stop(&mut self, key: Key, asker: Option<Key>) -> Stop {
        let found = self.running.iter().position(|(running, _)| *running == key);
        let Some(found) = found else { return Stop::Unknown };
        let manner = match self.running[found].1 {
            RawOp::Timeout { .. } => self.manner_of_timers,
            _ => self.manner,
        };
        if manner == Manner::TooLate {
            return Stop::TooLate;
        }
        self.running.remove(found);
        if manner == Manner::AtOnce {
            return Stop::Stopped(CANCELED);
        }
        self.reports.push_back((key, CANCELED));
        self.reports.extend(asker.map(|asker| (asker, Ok(0))));
        Stop::Asked
    }

    fn users_of(&self, wanted: RawHandle, keys: &mut Vec<Key>) {
        let uses = |op: &RawOp| matches!(op, RawOp::Poll { fd, .. } if *fd == wanted);
        keys.extend(self.running.iter().filter(|(_, op)| uses(op)).map(|(key, _)| *key));
    }

    fn wait(&mut self, _: bool, done: &mut VecDeque<Answered>) -> Result<(), Error> {
        done.append(&mut self.reports);
        Ok(())
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }

    fn supports(&self, _: OpKind) -> bool {
        true
    }
}

/// Chains, and who carries them out.
pub struct Scene {
    pub links: Links,
    pub hands: Hands,
    keys: Slots<()>,
    pub answered: VecDeque<Answered>,
}

impl Scene {
    pub fn new() -> Scene {
        let hands = Hands {
            running: Vec::new(),
            started: Vec::new(),
            reports: VecDeque::new(),
            manner: Manner::AtOnce,
            manner_of_timers: Manner::AtOnce,
        };
        let (links, keys, answered) = (Links::new(), Slots::new(), VecDeque::new());
        Scene { links, hands, keys, answered }
    }

    pub fn start(&mut self, op: RawOp, link: Link) -> Key {
        let kind = match op {
            RawOp::LinkTimeout { .. } => OpKind::LinkTimeout,
            RawOp::Cancel { .. } => OpKind::Cancel,
            RawOp::Close { .. } => OpKind::Close,
            _ => OpKind::Poll,
        };
        let (hands, answered) = (&mut self.hands, &mut self.answered);
        let key = self.keys.insert(());
        // SAFETY: no pointer is followed.
        unsafe { self.links.start(hands, key, kind, &op, link, answered) };
        key
    }

    fn chain<const N: usize>(&mut self, ops: [(RawOp, Link); N]) -> [Key; N] {
        ops.map(|(op, link)| self.start(op, link))
    }

    /// The driver reports that an operation has ended.
    pub fn report(&mut self, key: Key, result: Result<u32, Cause>) {
        let before = self.hands.running.len();
        self.hands.running.retain(|(running, _)| *running != key);
        assert_eq!(self.hands.running.len() + 1, before, "{key:?} does not run");
        self.hands.reports.push_back((key, result));
        self.settle();
    }

    pub fn settle(&mut self) {
        let mut done = VecDeque::new();
        self.hands.wait(false, &mut done).expect("it can't fail");
        for report in done {
            self.links.settle(&mut self.hands, report, &mut self.answered);
        }
    }

    pub fn cancel(&mut self, key: Key) {
        self.links.cancel(&mut self.hands, key, &mut self.answered);
    }

    pub fn start_delayed(&mut self) {
        self.links.start_delayed(&mut self.hands, &mut self.answered);
    }

    /// What was answered since it was last looked at.
    pub fn answers(&mut self) -> Vec<Answered> {
        self.answered.drain(..).collect()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.links.is_empty() && self.hands.running.is_empty());
            assert!(self.answered.is_empty(), "{:?}", self.answered);
        }
    }
}

fn cancel_of(target: Key) -> RawOp {
    RawOp::Cancel { ring: 0, target }
}

#[test]
fn a_failure_ends_a_soft_chain() {
    let mut scene = Scene::new();
    let [a, b, c, d] = scene.chain([(QUICK, Soft), (FAILS, Soft), (QUICK, Hard), (QUICK, End)]);
    assert_eq!(scene.hands.started, [a, b]);
    assert_eq!(scene.answers(), [(a, Ok(0)), (b, FAILED), (c, CANCELED), (d, CANCELED)]);
    let [a, b, c] = scene.chain([(SLOW, Soft), (QUICK, Soft), (SLOW, End)]);
    assert_eq!(scene.answers(), []);
    scene.report(a, FAILED);
    assert_eq!(scene.answers(), [(a, FAILED), (b, CANCELED), (c, CANCELED)]);
}

#[test]
fn a_failure_does_not_end_a_hard_chain() {
    let mut scene = Scene::new();
    let [a, b, c] = scene.chain([(FAILS, Hard), (SLOW, Hard), (QUICK, End)]);
    assert_eq!(scene.answers(), [(a, FAILED)]);
    scene.report(b, FAILED);
    assert_eq!(scene.answers(), [(b, FAILED), (c, Ok(0))]);
}

#[test]
fn each_waits_for_the_one_before_and_not_for_other_chains() {
    let mut scene = Scene::new();
    let [a, b, c] = scene.chain([(SLOW, Soft), (SLOW, Soft), (QUICK, End)]);
    let other = scene.start(SLOW, End);
    assert_eq!(scene.hands.started, [a, other]);
    scene.report(a, Ok(7));
    assert_eq!(scene.hands.started, [a, other, b]);
    scene.report(b, Ok(8));
    scene.report(other, Ok(9));
    assert_eq!(scene.answers(), [(a, Ok(7)), (b, Ok(8)), (c, Ok(0)), (other, Ok(9))]);
}

#[test]
fn what_moves_less_than_it_is_to_move_as_a_whole_ends_a_soft_chain() {
    let mut scene = Scene::new();
    let send = RawOp::Send { fd: 1, buf: ptr::null(), len: 8, flags: 0 };
    for (moved, expected) in [(7, CANCELED), (8, Ok(0))] {
        let [sent, next] = scene.chain([(send, Soft), (QUICK, End)]);
        let (_, running) = scene.hands.running[0];
        assert!(matches!(running, RawOp::Send { flags: c::MSG_WAITALL, .. }), "{running:?}");
        scene.report(sent, Ok(moved));
        assert_eq!(scene.answers(), [(sent, Ok(moved)), (next, expected)]);
    }
    let recv = RawOp::Recv { fd: 1, buf: ptr::null_mut(), len: 8, flags: 0 };
    let [received, next] = scene.chain([(recv, Soft), (QUICK, End)]);
    scene.report(received, Ok(3));
    assert_eq!(scene.answers(), [(received, Ok(3)), (next, Ok(0))]);
}

#[test]
fn a_limit_that_is_up_stops_what_it_limits() {
    for manner in [Manner::AtOnce, Manner::Later] {
        let mut scene = Scene::new();
        scene.hands.manner = manner;
        let [op, limit, next] = scene.chain([(SLOW, Soft), (LIMIT, Soft), (QUICK, End)]);
        scene.report(limit, Ok(0));
        scene.settle();
        let expected = [(op, CANCELED), (limit, Err(Cause::Expired)), (next, CANCELED)];
        assert_eq!(scene.answers(), expected);
    }
}

#[test]
fn a_limit_that_is_not_up_in_time_is_stopped() {
    let mut scene = Scene::new();
    let [op, limit, next] = scene.chain([(SLOW, Soft), (LIMIT, Soft), (QUICK, End)]);
    scene.report(op, Ok(5));
    assert_eq!(scene.answers(), [(op, Ok(5)), (limit, Ok(0)), (next, Ok(0))]);
    for quick in [QUICK, RawOp::Nop] {
        let [op, limit] = scene.chain([(quick, Soft), (LIMIT, End)]);
        assert_eq!(scene.answers(), [(op, Ok(0)), (limit, Ok(0))]);
    }
    let [op, skipped, limit] = scene.chain([(FAILS, Soft), (SLOW, Soft), (LIMIT, End)]);
    assert_eq!(scene.answers(), [(op, FAILED), (skipped, CANCELED), (limit, Ok(0))]);
}

#[test]
fn a_success_that_a_limit_comes_too_late_for_stays_one() {
    let mut scene = Scene::new();
    scene.hands.manner = Manner::TooLate;
    let [op, limit] = scene.chain([(SLOW, Soft), (LIMIT, End)]);
    scene.report(limit, Ok(0));
    assert_eq!(scene.answers(), []);
    scene.report(op, Ok(5));
    assert_eq!(scene.answers(), [(op, Ok(5)), (limit, Ok(0))]);
}

#[test]
fn a_limit_that_is_up_just_after_is_answered_when_it_is_reported() {
    for manner in [Manner::TooLate, Manner::Later] {
        let mut scene = Scene::new();
        scene.hands.manner_of_timers = manner;
        let [op, limit] = scene.chain([(SLOW, Soft), (LIMIT, End)]);
        scene.report(op, FAILED);
        assert_eq!(scene.answers(), [(op, FAILED)]);
        match manner {
            Manner::TooLate => scene.report(limit, Ok(0)),
            _ => scene.settle(),
        }
        assert_eq!(scene.answers(), [(limit, Ok(0))]);
    }
}

#[test]
fn the_time_of_a_limit_begins_when_the_turn_of_what_it_limits_has_come() {
    let mut scene = Scene::new();
    let [first, op, limit] = scene.chain([(SLOW, Hard), (SLOW, Soft), (LIMIT, End)]);
    assert_eq!(scene.hands.started, [first]);
    scene.report(first, Ok(0));
    assert_eq!(scene.hands.started, [first, op, limit]);
    scene.report(limit, Ok(0));
    let expected = [(first, Ok(0)), (op, CANCELED), (limit, Err(Cause::Expired))];
    assert_eq!(scene.answers(), expected);
}

#[test]
fn what_is_canceled_before_its_turn_never_starts() {
    let mut scene = Scene::new();
    let [first, second, third] = scene.chain([(SLOW, Hard), (SLOW, Hard), (SLOW, End)]);
    scene.cancel(second);
    assert_eq!(scene.answers(), []);
    scene.report(first, Ok(0));
    assert_eq!(scene.answers(), [(first, Ok(0)), (second, CANCELED)]);
    assert_eq!(scene.hands.started, [first, third]);
    scene.cancel(third);
    assert_eq!(scene.answers(), [(third, CANCELED)]);
}

#[test]
fn a_cancel_of_a_limit_leaves_it() {
    let mut scene = Scene::new();
    let [op, limit] = scene.chain([(SLOW, Soft), (LIMIT, End)]);
    scene.cancel(limit);
    let asker = scene.start(cancel_of(limit), End);
    assert_eq!(scene.answers(), [(asker, Err(Cause::NotFound))]);
    scene.report(op, Ok(1));
    assert_eq!(scene.answers(), [(op, Ok(1)), (limit, Ok(0))]);
}

#[test]
fn a_cancel_tells_what_it_found() {
    let mut scene = Scene::new();
    let [first, second] = scene.chain([(SLOW, Hard), (SLOW, End)]);
    let before_its_turn = scene.start(cancel_of(second), End);
    scene.hands.manner = Manner::TooLate;
    let too_late = scene.start(cancel_of(first), End);
    let expected = [(before_its_turn, Err(Cause::NotFound)), (too_late, Err(Cause::InProgress))];
    assert_eq!(scene.answers(), expected);
    scene.hands.manner = Manner::AtOnce;
    let at_once = scene.start(cancel_of(first), End);
    assert_eq!(scene.answers(), [(at_once, Ok(0)), (first, CANCELED)]);
    scene.hands.manner = Manner::Later;
    let later = scene.start(cancel_of(second), End);
    assert_eq!(scene.answers(), []);
    scene.settle();
    assert_eq!(scene.answers(), [(second, CANCELED), (later, Ok(0))]);
    let done = scene.start(cancel_of(second), End);
    assert_eq!(scene.answers(), [(done, Err(Cause::NotFound))]);
}

#[test]
fn a_close_stops_what_uses_the_descriptor_and_nothing_else() {
    let mut scene = Scene::new();
    let other = scene.start(RawOp::Poll { fd: 2, events: 2 }, End);
    let [user, next] = scene.chain([(SLOW, Soft), (QUICK, End)]);
    let close = scene.start(CLOSE, End);
    assert_eq!(scene.answers(), [(close, Ok(0)), (user, CANCELED), (next, CANCELED)]);
    scene.report(other, Ok(0));
    assert_eq!(scene.answers(), [(other, Ok(0))]);
}

#[test]
fn after_many_that_are_quick_the_others_get_a_turn() {
    let mut scene = Scene::new();
    for _ in 0..EAGER {
        scene.start(QUICK, End);
    }
    assert_eq!(scene.answers().len(), EAGER as usize);
    let late: [Key; 3] = scene.chain([(QUICK, Soft), (SLOW, Soft), (LIMIT, End)]);
    let gone = scene.start(SLOW, End);
    let sought = scene.start(SLOW, End);
    assert_eq!((scene.hands.started.len(), scene.answers().len()), (EAGER as usize, 0));
    scene.cancel(gone);
    assert_eq!(scene.answers(), [(gone, CANCELED)]);
    scene.start_delayed();
    assert_eq!(scene.answers(), [(late[0], Ok(0))]);
    let asker = scene.start(cancel_of(sought), End);
    assert_eq!(scene.answers(), [(asker, Ok(0)), (sought, CANCELED)]);
    scene.report(late[1], Ok(0));
    assert_eq!(scene.answers(), [(late[1], Ok(0)), (late[2], Ok(0))]);
}

#[test]
fn a_cancel_finds_what_is_still_to_get_its_turn() {
    let mut scene = Scene::new();
    for _ in 1..EAGER {
        scene.start(QUICK, End);
    }
    scene.answers();
    let [first, delayed] = [scene.start(SLOW, End), scene.start(SLOW, End)];
    scene.links.eager = 1;
    let asker = scene.start(cancel_of(delayed), End);
    assert_eq!(scene.answers(), [(asker, Ok(0)), (delayed, CANCELED)]);
    scene.start_delayed();
    assert_eq!(scene.hands.started.last(), Some(&first));
    scene.report(first, Ok(0));
    scene.answers();
}
