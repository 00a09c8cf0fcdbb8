//! What the kernel has, and what its completions say of it.
//!
//! A linked operation that can succeed in one way only is quiet: the kernel does not report its
//! success (`IOSQE_CQE_SKIP_SUCCESS`, Linux 5.17), which would only wake whoever waits for the
//! rest of the chain. What it leaves unsaid follows from what it says: when a later operation of
//! the chain completes, the quiet ones before it have succeeded; when a quiet one is reported, it
//! has failed, and if its link is soft, the rest of the chain is canceled without a word.
//!
//! For that, quiet ones must stand at the head of their chain: after one that is not, the rest
//! would be reported one by one if that one failed.

use std::collections::VecDeque;

use crate::backend::Answered;
use crate::error::Cause;
use crate::key::Key;
use crate::kind::OpKind;
use crate::op::{Link, RawOp};

/// An operation that the kernel has, or had.
#[derive(Clone, Copy)]
struct Started {
    key: Key,
    kind: OpKind,
    progress: Progress,
    /// The number that it succeeds with, without a word.
    quiet: Option<u32>,
    is_soft: bool,
    /// What it was reported with, while the kernel still has its memory.
    first: Option<i32>,
    /// What it asks to stop.
    target: Key,
    /// Its neighbours in the chain.
    before: Key,
    after: Key,
}

/// How far an operation has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// The kernel has it.
    Pending,
    /// It is a time limit that was up, and what it limits is still to be reported: that may have
    /// succeeded at the same moment.
    Expired,
    Succeeded,
    Failed,
}

/// What was started, by slot of its key.
pub struct Books {
    started: Vec<Started>,
    /// The operation before the next one in the chain that is being started.
    last: Key,
    /// Whether the next operation may be quiet.
    is_quiet: bool,
    /// Operations that were asked to stop, or whose time is up, and that the kernel did not stop.
    overdue: Vec<Key>,
}

impl Books {
    /// Empty books.
    pub fn new() -> Books {
        Books { started: Vec::new(), last: Key::NONE, is_quiet: true, overdue: Vec::new() }
    }

    /// Notes that the kernel is about to have an operation, the next one of its chain; says
    /// whether it is quiet.
    #[inline]
    pub fn note(
        &mut self,
        key: Key,
        kind: OpKind,
        op: &RawOp,
        link: Link,
        may_be_quiet: bool,
    ) -> bool {
        self.is_quiet &= may_be_quiet && link.is_linked();
        let quiet = if self.is_quiet { only_success(op) } else { None };
        self.is_quiet = quiet.is_some();
        let (before, after) = (self.last, Key::NONE);
        let is_soft = link == Link::Soft;
        let progress = Progress::Pending;
        let target = match *op {
            RawOp::Cancel { target, .. } => target,
            _ => Key::NONE,
        };
        let first = None;
        let started = Started { key, kind, progress, quiet, is_soft, first, target, before, after };
        let slot = key.slot();
        if slot >= self.started.len() {
            let nothing = Started { key: Key::NONE, ..started };
            self.started.resize(slot + 1, nothing);
        }
        self.started[slot] = started;
        if before != Key::NONE {
            self.started[before.slot()].after = key;
        }
        self.last = key;
        quiet.is_some()
    }

    /// Whether operations are to be asked again to stop.
    pub fn is_any_overdue(&self) -> bool {
        !self.overdue.is_empty()
    }

    /// Takes the operations that are to be asked again to stop.
    pub fn overdue(&mut self) -> impl Iterator<Item = Key> {
        self.overdue.drain(..)
    }

    /// Whether the next operation starts a new chain.
    pub fn is_at_head(&self) -> bool {
        self.last == Key::NONE
    }

    /// The next operation starts a new chain.
    pub fn end_chain(&mut self) {
        self.last = Key::NONE;
        self.is_quiet = true;
    }

    /// The kind of an operation that was noted.
    pub fn kind(&self, key: Key) -> OpKind {
        self.started[key.slot()].kind
    }

    /// Whether the kernel has the operation.
    pub fn is_pending(&self, key: Key) -> bool {
        let op = self.started.get(key.slot()).filter(|op| op.key == key);
        op.is_some_and(|op| matches!(op.progress, Progress::Pending | Progress::Expired))
    }

    /// Whether the kernel has the operation, and may stop it: not so if it has only its memory.
    pub fn is_stoppable(&self, key: Key) -> bool {
        self.is_pending(key) && self.started[key.slot()].first.is_none()
    }

    /// Notes the result of an operation whose memory the kernel still has.
    pub fn keep(&mut self, key: Key, result: i32) {
        debug_assert!(self.is_stoppable(key), "a key is reported once");
        self.started[key.slot()].first = Some(result);
    }

    /// Answers an operation whose memory the kernel has let go of. It says so, too, of one that was
    /// canceled before it started, after it has reported that.
    pub fn let_go(&mut self, key: Key, answered: &mut VecDeque<Answered>) {
        let result = self.started[key.slot()].first.filter(|_| self.is_pending(key));
        if let Some(result) = result {
            self.complete(key, result, answered);
        }
    }

    /// Answers an operation that the kernel reported, and those that this says something of.
    pub fn complete(&mut self, key: Key, result: i32, answered: &mut VecDeque<Answered>) {
        debug_assert!(self.is_pending(key), "a key is reported once");
        let op = self.started[key.slot()];
        if op.before == Key::NONE && op.after == Key::NONE && op.kind != OpKind::Cancel {
            self.answer(key, answer(op.kind, result), answered);
            return;
        }
        let mut first = key;
        while self.is_silent(self.started[first.slot()].before) {
            first = self.started[first.slot()].before;
        }
        while first != key {
            let before = self.started[first.slot()];
            let success = before.quiet.expect("silent ones have one success");
            self.answer(first, Ok(success), answered);
            first = before.after;
        }
        if op.kind == OpKind::LinkTimeout
            && matches!(-result, libc::ENOENT | libc::EALREADY)
            && self.is_pending(op.before)
        {
            // The time is up, but the kernel found what it limits in between two of its lists.
            self.overdue.push(op.before);
            self.started[key.slot()].progress = Progress::Expired;
            return;
        }
        let mut result = result;
        if matches!(-result, libc::ENOENT | libc::EALREADY) && self.has_started(op.target) {
            // It is no less in progress if the kernel looked for it in between two of its lists.
            self.overdue.push(op.target);
            result = -libc::EALREADY;
        }
        match answer(op.kind, result) {
            Err(Cause::Expired) if self.is_pending(op.before) => {
                self.overdue.push(op.before);
                self.started[key.slot()].progress = Progress::Expired;
                return;
            }
            Err(Cause::Expired) => self.answer_expired(key, answered),
            result => self.answer(key, result, answered),
        }
        let is_rest_canceled = op.quiet.is_some() && op.is_soft;
        let mut after = op.after;
        if after != Key::NONE && self.started[after.slot()].progress == Progress::Expired {
            self.answer_expired(after, answered);
        }
        while is_rest_canceled && after != Key::NONE {
            let canceled = self.started[after.slot()];
            self.answer(after, answer(canceled.kind, -libc::ECANCELED), answered);
            after = canceled.after;
        }
    }

    /// Answers a time limit that was up: unless the operation that it limits succeeded all the
    /// same, which is not to be taken for stopped.
    fn answer_expired(&mut self, key: Key, answered: &mut VecDeque<Answered>) {
        let limited = self.started[self.started[key.slot()].before.slot()];
        let result = match limited.progress {
            Progress::Succeeded => Ok(0),
            _ => Err(Cause::Expired),
        };
        self.answer(key, result, answered);
    }

    fn answer(&mut self, key: Key, result: Result<u32, Cause>, answered: &mut VecDeque<Answered>) {
        let progress = if result.is_ok() { Progress::Succeeded } else { Progress::Failed };
        self.started[key.slot()].progress = progress;
        answered.push_back((key, result));
    }

    /// Whether the operation may be stopped, and does not wait for the one before it.
    fn has_started(&self, key: Key) -> bool {
        self.is_stoppable(key) && !self.is_pending(self.started[key.slot()].before)
    }

    /// Whether the operation may have succeeded already, without a word.
    fn is_silent(&self, key: Key) -> bool {
        self.is_pending(key) && self.started[key.slot()].quiet.is_some()
    }
}

/// The number that a linked `op` succeeds with, if there is only one: a short read or write counts
/// as a failure then, and a send is sent whole. Of those that fail unnoticed the kernel
/// would keep quiet about failures, too.
fn only_success(op: &RawOp) -> Option<u32> {
    match *op {
        RawOp::Read { len, .. } | RawOp::Write { len, .. } | RawOp::Send { len, .. } => Some(len),
        RawOp::Nop | RawOp::Fadvise { .. } | RawOp::Close { .. } | RawOp::Connect { .. } => Some(0),
        _ => None,
    }
}

/// What the kernel calls a call that was interrupted before it began; some operations let it out.
const ERESTARTSYS: i32 = 512;

/// What a completion says.
#[inline]
fn answer(kind: OpKind, result: i32) -> Result<u32, Cause> {
    match result {
        0.. if kind != OpKind::LinkTimeout => Ok(result as u32),
        _ => rare_answer(kind, result),
    }
}

fn rare_answer(kind: OpKind, result: i32) -> Result<u32, Cause> {
    match (kind, -result) {
        // It counts what it stopped, if that waited for a futex or a process.
        (OpKind::LinkTimeout, ..=-1) => Err(Cause::Expired),
        (_, ..=0) => Ok(result as u32),
        (OpKind::Timeout, libc::ETIME) => Ok(0),
        (OpKind::LinkTimeout, libc::ETIME) => Err(Cause::Expired),
        // The operation came first, or could not be stopped any more.
        (OpKind::LinkTimeout, libc::ECANCELED | libc::ENOENT | libc::EALREADY) => Ok(0),
        // The descriptor is gone all the same.
        (OpKind::Close | OpKind::CloseEventSource, libc::EINTR) => Err(Cause::Os(libc::EINTR)),
        // A worker's call is interrupted by a cancel and by nothing else.
        (_, libc::ECANCELED | libc::EINTR | ERESTARTSYS) => Err(Cause::Canceled),
        (_, code) => Err(Cause::Os(code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Slots;

    const WRITE: RawOp = RawOp::Write { fd: 0, buf: std::ptr::null(), len: 8, offset: 0 };
    const RECV: RawOp = RawOp::Recv { fd: 0, buf: std::ptr::null_mut(), len: 8, flags: 0 };

    /// Notes a chain; yields the keys, and which of them are quiet.
    fn chain(books: &mut Books, ops: &[(RawOp, Link)]) -> (Vec<Key>, Vec<bool>) {
        let mut slots = Slots::new();
        let keys: Vec<Key> = ops.iter().map(|_| slots.insert(())).collect();
        let notes = keys.iter().zip(ops);
        let quiet = notes.map(|(key, (op, link))| books.note(*key, OpKind::Write, op, *link, true));
        let quiet = quiet.collect();
        books.end_chain();
        (keys, quiet)
    }

    #[test]
    fn the_last_of_a_chain_says_that_the_quiet_ones_before_it_succeeded() {
        let mut books = Books::new();
        let ops = [(WRITE, Link::Soft), (WRITE, Link::Hard), (RECV, Link::None)];
        let (keys, quiet) = chain(&mut books, &ops);
        assert_eq!(quiet, [true, true, false]);
        let mut answered = VecDeque::new();
        books.complete(keys[2], 3, &mut answered);
        assert_eq!(answered, [(keys[0], Ok(8)), (keys[1], Ok(8)), (keys[2], Ok(3))]);
    }

    #[test]
    fn a_quiet_one_that_is_reported_has_failed_and_with_it_the_rest_of_a_soft_chain() {
        let mut books = Books::new();
        let ops =
            [(WRITE, Link::Soft), (WRITE, Link::Soft), (WRITE, Link::Soft), (RECV, Link::None)];
        let (keys, _) = chain(&mut books, &ops);
        let mut answered = VecDeque::new();
        books.complete(keys[1], 5, &mut answered);
        let canceled = Err(Cause::Canceled);
        let expected = [Ok(8), Ok(5), canceled, canceled];
        assert_eq!(answered, keys.iter().copied().zip(expected).collect::<Vec<_>>());
    }

    #[test]
    fn what_a_cancel_did_not_find_is_asked_again_if_it_has_started() {
        let mut books = Books::new();
        let mut slots = Slots::new();
        let keys = [slots.insert(()), slots.insert(())];
        books.note(keys[0], OpKind::Recv, &RECV, Link::Soft, false);
        books.note(keys[1], OpKind::Recv, &RECV, Link::None, false);
        books.end_chain();
        let not_found = Err(Cause::Os(libc::ENOENT));
        let in_progress = Err(Cause::Os(libc::EALREADY));
        for (target, asked, again) in
            [(keys[0], in_progress, vec![keys[0]]), (keys[1], not_found, vec![])]
        {
            let (cancel, mut answered) = (slots.insert(()), VecDeque::new());
            let op = RawOp::Cancel { ring: 0, target };
            books.note(cancel, OpKind::Cancel, &op, Link::None, false);
            books.end_chain();
            books.complete(cancel, -libc::ENOENT, &mut answered);
            assert_eq!(answered, [(cancel, asked)]);
            assert_eq!(books.overdue().collect::<Vec<_>>(), again);
        }
    }

    #[test]
    fn a_time_limit_that_is_up_as_its_operation_succeeds_is_not_expired() {
        let limit = RawOp::LinkTimeout { after: std::ptr::null() };
        for (order, result) in [([0, 1], 3), ([1, 0], 3), ([0, 1], -125), ([1, 0], -125)] {
            let mut slots = Slots::new();
            let (mut books, keys) = (Books::new(), [slots.insert(()), slots.insert(())]);
            books.note(keys[0], OpKind::Recv, &RECV, Link::Soft, false);
            books.note(keys[1], OpKind::LinkTimeout, &limit, Link::None, false);
            let mut answered = VecDeque::new();
            for index in order {
                books.complete(keys[index], [result, -libc::ETIME][index], &mut answered);
            }
            let expected = match result {
                3 => [(keys[0], Ok(3)), (keys[1], Ok(0))],
                _ => [(keys[0], Err(Cause::Canceled)), (keys[1], Err(Cause::Expired))],
            };
            assert_eq!(answered, expected);
        }
    }

    #[test]
    fn what_the_kernel_still_reads_is_complete_when_it_lets_go() {
        let zc = RawOp::SendZc { fd: 0, buf: std::ptr::null(), len: 8, flags: 0 };
        for result in [8, 3, -libc::EPIPE] {
            let mut books = Books::new();
            let (keys, quiet) = chain(&mut books, &[(zc, Link::Hard), (RECV, Link::None)]);
            assert_eq!(quiet, [false, false]);
            let mut answered = VecDeque::new();
            books.keep(keys[0], result);
            assert!(answered.is_empty() && books.is_pending(keys[0]));
            assert!(!books.is_stoppable(keys[0]) && books.is_stoppable(keys[1]));
            books.complete(keys[1], 5, &mut answered);
            assert_eq!(answered, [(keys[1], Ok(5))]);
            books.let_go(keys[0], &mut answered);
            assert_eq!(answered[1], (keys[0], answer(OpKind::SendZc, result)));
            assert!(!books.is_pending(keys[0]));
        }
    }

    #[test]
    fn what_is_canceled_before_the_kernel_reads_it_is_answered_once() {
        let zc = RawOp::SendZc { fd: 0, buf: std::ptr::null(), len: 8, flags: 0 };
        let mut books = Books::new();
        let (keys, _) = chain(&mut books, &[(zc, Link::None)]);
        let mut answered = VecDeque::new();
        books.complete(keys[0], -libc::ECANCELED, &mut answered);
        books.let_go(keys[0], &mut answered);
        assert_eq!(answered, [(keys[0], Err(Cause::Canceled))]);
    }

    #[test]
    fn a_time_limit_that_is_up_waits_for_what_the_kernel_still_reads() {
        let zc = RawOp::SendZc { fd: 0, buf: std::ptr::null(), len: 8, flags: 0 };
        let limit = RawOp::LinkTimeout { after: std::ptr::null() };
        let mut slots = Slots::new();
        let (mut books, keys) = (Books::new(), [slots.insert(()), slots.insert(())]);
        books.note(keys[0], OpKind::SendZc, &zc, Link::Soft, true);
        books.note(keys[1], OpKind::LinkTimeout, &limit, Link::None, true);
        let mut answered = VecDeque::new();
        books.keep(keys[0], 3);
        books.complete(keys[1], -libc::ETIME, &mut answered);
        assert!(answered.is_empty());
        books.let_go(keys[0], &mut answered);
        assert_eq!(answered, [(keys[0], Ok(3)), (keys[1], Ok(0))]);
    }

    #[test]
    fn what_the_kernel_did_not_stop_though_its_time_is_up_is_overdue() {
        let limit = RawOp::LinkTimeout { after: std::ptr::null() };
        for (result, expected) in [(3, (Ok(3), Ok(0))), (-125, CANCELED)] {
            let mut slots = Slots::new();
            let (mut books, keys) = (Books::new(), [slots.insert(()), slots.insert(())]);
            books.note(keys[0], OpKind::Recv, &RECV, Link::Soft, false);
            books.note(keys[1], OpKind::LinkTimeout, &limit, Link::None, false);
            let mut answered = VecDeque::new();
            books.complete(keys[1], -libc::EALREADY, &mut answered);
            assert_eq!((books.overdue().next(), answered.len()), (Some(keys[0]), 0));
            books.complete(keys[0], result, &mut answered);
            assert_eq!(answered, [(keys[0], expected.0), (keys[1], expected.1)]);
        }
    }

    const CANCELED: (Result<u32, Cause>, Result<u32, Cause>) =
        (Err(Cause::Canceled), Err(Cause::Expired));

    #[test]
    fn a_hard_link_goes_on_after_a_failure() {
        let mut books = Books::new();
        let (keys, _) = chain(&mut books, &[(WRITE, Link::Hard), (RECV, Link::None)]);
        let mut answered = VecDeque::new();
        books.complete(keys[0], -libc::EIO, &mut answered);
        assert_eq!(answered, [(keys[0], Err(Cause::Os(libc::EIO)))]);
        assert!(books.is_pending(keys[1]));
    }

    #[test]
    fn after_one_that_speaks_no_one_is_quiet() {
        let mut books = Books::new();
        let ops =
            [(WRITE, Link::Soft), (RECV, Link::Soft), (WRITE, Link::Soft), (RECV, Link::None)];
        assert_eq!(chain(&mut books, &ops).1, [true, false, false, false]);
    }
}
