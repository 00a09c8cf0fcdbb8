//! What operations wait for on an assumption, until it is made certain.

use std::collections::VecDeque;
use std::time::Duration;

use super::attempt::{Attempt, attempt};
use super::waiters::Place;
use super::{Poller, Readiness};
use crate::backend::Answered;
use crate::error::Cause;
use crate::handle::RawHandle;
use crate::key::Key;
use crate::op::RawOp;

/// An operation that waits though it was not tried, or for a descriptor of which it is assumed that
/// it is watched.
///
/// What that is assumed of may have been closed since. So it is made certain when nothing else is
/// ready, and after some turns in any case: where what is waited for comes at once, which is where
/// it counts, nothing is spent on it.
#[derive(Clone, Copy)]
pub struct Unsure {
    pub key: Key,
    pub turn: u64,
}

/// How many turns an operation may wait on an assumption.
pub const TURNS: u64 = 16;

/// How long a wait may take while something has to be tried again: it can't be made certain, as the
/// system has no memory left, or nothing would tell that it is ready.
pub const UNSURE: Duration = Duration::from_millis(10);

/// Whether nothing would tell that an operation, which has moved so much, is ready: a connect that
/// has not begun, for the queue of a Unix listener is full.
pub fn is_tried_for_ever(op: &RawOp, moved: Option<u32>) -> bool {
    matches!(op, RawOp::Connect { .. }) && moved == Some(0)
}

impl<P: Poller> Readiness<P> {
    /// How long a wait may take.
    pub(super) fn patience(
        &mut self,
        is_blocking: bool,
        done: &mut VecDeque<Answered>,
    ) -> Option<Duration> {
        if is_blocking {
            self.timeouts.expire(done);
        }
        match self.timeouts.patience() {
            _ if !is_blocking || !done.is_empty() => Some(Duration::ZERO),
            until_next if self.is_any_unsure() => {
                Some(until_next.map_or(UNSURE, |until_next| until_next.min(UNSURE)))
            }
            until_next => until_next,
        }
    }

    /// Whether an operation waits on an assumption.
    #[inline]
    pub(super) fn is_any_unsure(&mut self) -> bool {
        while let Some(unsure) = self.unsure.front() {
            if self.waiters.find(unsure.key).is_some() {
                return true;
            }
            self.unsure.pop_front();
        }
        false
    }

    /// Tells the poller what a descriptor is waited for; says whether it is certain that it watches
    /// for that.
    #[inline]
    pub(super) fn update_interest(&mut self, fd: RawHandle) -> Result<bool, Cause> {
        if let Some(interest) = self.waiters.new_interest(fd) {
            let is_certain = self.poller.watch(fd, interest)?;
            self.waiters.set_certain(fd, is_certain);
        } else if P::CONFIRMS_WITHOUT_A_CALL && !self.waiters.is_certain(fd) {
            self.poller.confirm(fd)?;
            self.waiters.set_certain(fd, true);
        }
        Ok(self.waiters.is_certain(fd))
    }

    /// Lets the poller know that less is waited for on a descriptor, if it has to.
    #[inline]
    pub(super) fn end_interest(&mut self, fd: RawHandle) {
        if self.poller.is_edge_triggered(fd) {
            // By the next time the number may mean another file.
            self.waiters.set_certain(fd, false);
        } else {
            // That a watch ends can't fail; the next operation is told if there is something else.
            let _ = self.update_interest(fd);
        }
    }

    /// Makes certain what operations wait for that have waited on an assumption for so many turns.
    pub(super) fn make_certain(&mut self, turns: u64, done: &mut VecDeque<Answered>) {
        let mut to_try_again = Vec::new();
        while self.is_any_unsure() && self.unsure[0].turn + turns <= self.turn {
            let Some(Unsure { key, .. }) = self.unsure.pop_front() else { return };
            let Some(pending) = self.waiters.find(key) else { continue };
            let Place::At(fd, side) = pending.place else { continue };
            let (op, was_tried) = (pending.op, pending.was_tried);
            self.traffic.calls += 1;
            let is_certain = self.poller.confirm(fd).is_ok();
            self.waiters.set_certain(fd, is_certain);
            if is_certain && was_tried && !is_tried_for_ever(&op, Some(0)) {
                continue;
            }
            let attempted = self.try_again(key, &op);
            if let Attempt::NotReady(moved) = attempted {
                if !is_certain || is_tried_for_ever(&op, Some(moved)) {
                    to_try_again.push(Unsure { key, turn: self.turn });
                }
                continue;
            }
            if !was_tried && matches!(attempted, Attempt::Done(Ok(_))) {
                self.waiters.set_message(fd);
            }
            self.waiters.leave(key, fd, side);
            if let Some(result) = self.conclude(key, &op, attempted) {
                done.push_back((key, result));
            }
            self.end_interest(fd);
        }
        if !to_try_again.is_empty() {
            self.unsure.extend(to_try_again);
        }
    }

    /// Tries an operation that waits.
    pub(super) fn try_again(&mut self, key: Key, op: &RawOp) -> Attempt {
        let moved = self.waiters.find(key).map_or(0, |pending| pending.moved);
        // SAFETY: who started the operation keeps its memory in place until it is answered.
        let attempted = unsafe { attempt(op, moved, &mut self.traffic.calls) };
        if let Attempt::NotReady(moved) = attempted {
            self.waiters.set_moved(key, moved);
        }
        attempted
    }
}
