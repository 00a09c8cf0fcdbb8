//! Operations on descriptors that say when they are ready: try, or else wait and try again.

mod attempt;
mod block;
#[cfg(target_os = "linux")]
pub mod epoll;
#[cfg_attr(target_os = "wasi", path = "events.rs")]
#[cfg_attr(not(target_os = "wasi"), path = "no_events.rs")]
mod events;
#[cfg(all(unix, not(target_os = "linux")))]
pub mod kqueue;
mod notes;
pub mod poll;
mod poller;
mod socket;
mod transfer;
mod unsure;
mod waiters;

pub use poller::Poller;

use std::cell::Cell;
use std::collections::VecDeque;
use std::mem;
use std::time::{Duration, Instant};

use self::attempt::{Attempt, Side, Way, attempt, supports, way};
use self::events::Events;
use self::notes::{NOT_THE_NEXT, is_in_vain};
use self::poller::Ready;
use self::unsure::{TURNS, UNSURE, Unsure, is_tried_for_ever};
use self::waiters::{Pending, Place, Waiters};
use super::emulate::{Driver, Stop};
use super::system::HAS_THREADS;
use super::threads::Threads;
use super::timeouts::Timeouts;
use super::{Answered, Options, SetUp, Traffic, syscall};
use crate::error::{Cause, Error};
use crate::handle::{BorrowedDescriptor, RawHandle};
use crate::key::Key;
use crate::kind::OpKind;
use crate::op::RawOp;
use crate::sys::c;
use crate::waker::Waker;

/// A driver over a poller.
pub struct Readiness<P> {
    poller: P,
    waiters: Waiters,
    timeouts: Timeouts,
    events: Events,
    threads: Option<Threads>,
    max_threads: usize,
    from_threads: VecDeque<Answered>,
    /// Operations that wait on an assumption, the oldest first.
    unsure: VecDeque<Unsure>,
    /// Counts the waits.
    turn: u64,
    ready: Vec<Ready>,
    /// Whether somebody polls the poller: what it tells is taken off it then, also if nobody waits.
    is_polled: Cell<bool>,
    /// Whether somebody but the threads has the poller's waker.
    has_waker: bool,
    /// Whether it was used, and no wait has ended for it.
    is_woken: bool,
    traffic: Traffic,
}

impl<P: Poller> SetUp for Readiness<P> {
    fn set_up(options: &Options) -> Result<Readiness<P>, Error> {
        Ok(Readiness {
            poller: P::new().map_err(Error::of_ring)?,
            waiters: Waiters::new(),
            timeouts: Timeouts::new(),
            events: Events::new(),
            threads: None,
            max_threads: if HAS_THREADS { options.max_threads } else { 0 },
            from_threads: VecDeque::new(),
            unsure: VecDeque::new(),
            turn: 0,
            ready: Vec::new(),
            is_polled: Cell::new(false),
            has_waker: false,
            is_woken: false,
            traffic: Traffic::default(),
        })
    }
}

impl<P: Poller> Readiness<P> {
    /// Lets an operation wait for its descriptor; what else is to be done if that can't be.
    fn wait_for(
        &mut self,
        key: Key,
        op: &RawOp,
        moved: Option<u32>,
        fd: RawHandle,
        side: Side,
    ) -> Option<Attempt> {
        self.waiters.enter(key, op, moved, fd, side);
        match self.update_interest(fd) {
            Ok(is_certain) => {
                let is_untried = moved.is_none() && !P::CONFIRMS_WITHOUT_A_CALL;
                if !is_certain || is_untried || is_tried_for_ever(op, moved) {
                    self.unsure.push_back(Unsure { key, turn: self.turn });
                }
                None
            }
            Err(cause) => {
                self.waiters.leave(key, fd, side);
                // That a watch ends can't fail.
                let _ = self.update_interest(fd);
                Some(match cause {
                    Cause::Os(c::EPERM) => Attempt::Blocks(moved.unwrap_or(0)),
                    cause => Attempt::Done(Err(cause)),
                })
            }
        }
    }

    /// Waits for descriptors once, and tries what waits for those that are ready.
    fn poll(
        &mut self,
        timeout: Option<Duration>,
        done: &mut VecDeque<Answered>,
    ) -> Result<(), Error> {
        let mut ready = mem::take(&mut self.ready);
        let waited = self.poller.wait(timeout, &mut ready).map_err(Error::of_ring)?;
        self.traffic.calls += u64::from(waited.calls);
        self.is_woken |= waited.is_woken && self.has_waker;
        for ready in ready.drain(..) {
            self.advance(ready, done);
        }
        self.ready = ready;
        Ok(())
    }

    /// Tries an operation; an answer if it is complete.
    fn try_now(
        &mut self,
        key: Key,
        op: &RawOp,
        fd: RawHandle,
        side: Side,
    ) -> Option<Result<u32, Cause>> {
        // SAFETY: who started the operation keeps its memory in place until it is answered.
        let attempted = unsafe { attempt(op, 0, &mut self.traffic.calls) };
        self.settle(key, op, fd, side, attempted)
    }

    /// What follows from an operation's first attempt.
    #[inline(never)]
    fn settle(
        &mut self,
        key: Key,
        op: &RawOp,
        fd: RawHandle,
        side: Side,
        mut attempted: Attempt,
    ) -> Option<Result<u32, Cause>> {
        if let Attempt::NotReady(moved) = attempted {
            if side == Side::Read {
                self.waiters.set_drained(fd, true);
            }
            attempted = self.wait_for(key, op, Some(moved), fd, side)?;
        }
        self.conclude(key, op, attempted)
    }

    /// What follows from an attempt that came to an end.
    #[inline]
    fn conclude(&mut self, key: Key, op: &RawOp, attempted: Attempt) -> Option<Result<u32, Cause>> {
        match attempted {
            Attempt::Done(result) => {
                if let Ok(count) = result {
                    self.note(op, count);
                }
                Some(result)
            }
            attempted => self.go_on(key, op, attempted),
        }
    }

    /// Has an operation done in another way, or waits elsewhere.
    #[inline(never)]
    fn go_on(&mut self, key: Key, op: &RawOp, attempted: Attempt) -> Option<Result<u32, Cause>> {
        match attempted {
            Attempt::Blocks(moved) => self.block(key, op, moved),
            Attempt::Elsewhere(fd, side) => {
                self.waiters.make_room(fd);
                let attempted = self.wait_for(key, op, Some(0), fd, side)?;
                self.conclude(key, op, attempted)
            }
            Attempt::Done(result) => Some(result),
            Attempt::NotReady(_) => None,
        }
    }

    /// Tries what waits for a descriptor that is ready.
    fn advance(&mut self, ready: Ready, done: &mut VecDeque<Answered>) {
        let fd = ready.fd;
        if !self.waiters.knows(fd) {
            return;
        }
        if ready.read {
            self.waiters.set_drained(fd, false);
            self.advance_queue(fd, Side::Read, done);
        }
        if ready.write {
            self.advance_queue(fd, Side::Write, done);
        }
        self.advance_queue(fd, Side::Beside(0), done);
        self.end_interest(fd);
    }

    /// Tries the operations of one queue: until one is not ready, or all that wait beside others.
    #[inline]
    fn advance_queue(&mut self, fd: RawHandle, side: Side, done: &mut VecDeque<Answered>) {
        let mut key = self.waiters.first(fd, side);
        while let Some(&Pending { op, moved, .. }) = self.waiters.find(key) {
            let after = self.waiters.after(key);
            // SAFETY: who started the operation keeps its memory in place until it is answered.
            let attempted = unsafe { attempt(&op, moved, &mut self.traffic.calls) };
            match (attempted, side) {
                (Attempt::NotReady(moved), Side::Beside(_)) => self.waiters.set_moved(key, moved),
                (Attempt::NotReady(moved), _) => {
                    self.waiters.set_moved(key, moved);
                    if side == Side::Read {
                        self.waiters.set_drained(fd, true);
                    }
                    return;
                }
                _ => {
                    self.waiters.leave(key, fd, side);
                    if let Some(result) = self.conclude(key, &op, attempted) {
                        done.push_back((key, result));
                    }
                }
            }
            key = after;
        }
    }
}

// SAFETY: an operation is answered where it starts, or has a place until it is taken from there:
// from its queue with its answer, from the timers, or from the threads, which report it once.
unsafe impl<P: Poller> Driver for Readiness<P> {
    unsafe fn start(&mut self, key: Key, kind: OpKind, op: &RawOp) -> Option<Result<u32, Cause>> {
        self.traffic.submitted += 1;
        // What is done most goes the shortest way: after a system call each jump is expensive.
        if let RawOp::Recv { fd, len, flags, .. } = *op
            && flags & NOT_THE_NEXT == 0
            && len > 0
            && self.waiters.is_drained(fd)
        {
            let attempted = self.wait_for(key, op, None, fd, Side::Read)?;
            return self.conclude(key, op, attempted);
        }
        if let RawOp::Send { fd, buf, len, flags } = *op
            && self.waiters.is_free(fd, Side::Write)
        {
            self.traffic.calls += 1;
            // SAFETY: passed on.
            return match unsafe { socket::send(fd, buf, len, flags, 0) } {
                Attempt::Done(result) => Some(result),
                attempted => self.settle(key, op, fd, Side::Write, attempted),
            };
        }
        // SAFETY: passed on.
        match unsafe { way(kind, op) } {
            Way::Timer => {
                if let RawOp::Timeout { after } = *op {
                    // SAFETY: who starts the operation keeps the time in place.
                    self.timeouts.start(key, unsafe { *after }.duration());
                }
                None
            }
            // SAFETY: passed on.
            Way::Counted => unsafe { self.events.start(key, op) },
            Way::Ready(fd, _) if fd < 0 => Some(Err(Cause::Os(c::EBADF))),
            Way::Ready(fd, side) => {
                self.waiters.make_room(fd);
                let is_behind =
                    !matches!(side, Side::Beside(_)) && self.waiters.first(fd, side) != Key::NONE;
                if is_behind || (self.waiters.is_drained(fd) && is_in_vain(op)) {
                    let attempted = self.wait_for(key, op, None, fd, side)?;
                    return self.conclude(key, op, attempted);
                }
                self.try_now(key, op, fd, side)
            }
            Way::Block => self.block(key, op, 0),
            Way::Now => {
                if let RawOp::Close { fd, lingers: false, .. } = *op {
                    self.forget(fd);
                }
                self.traffic.calls += 1;
                // SAFETY: passed on.
                let result = unsafe { syscall::call(op) };
                Some(self.finished(op, 0, result.unwrap_or(Err(Cause::Unsupported))))
            }
            Way::Never => Some(Err(Cause::Unsupported)),
        }
    }

    fn stop(&mut self, key: Key, _: Option<Key>) -> Stop {
        if self.timeouts.stop(key) {
            return Stop::Stopped(Err(Cause::Canceled));
        }
        let Some(&pending) = self.waiters.find(key) else {
            return match self.events.stop(key) {
                true => Stop::Stopped(Err(Cause::Canceled)),
                false => Stop::Unknown,
            };
        };
        let mut moved = pending.moved;
        match pending.place {
            Place::At(fd, side) => {
                // One that could have been done by now has been done.
                let attempted = match pending.was_tried {
                    true => Attempt::NotReady(moved),
                    false => self.try_again(key, &pending.op),
                };
                self.waiters.leave(key, fd, side);
                self.end_interest(fd);
                match attempted {
                    Attempt::NotReady(so_far) => moved = so_far,
                    Attempt::Done(result) => {
                        self.conclude(key, &pending.op, attempted);
                        return Stop::Complete(result);
                    }
                    _ => {}
                }
            }
            Place::Thread if self.threads.as_mut().is_some_and(|threads| threads.stop(key)) => {
                self.waiters.take(key);
            }
            _ => return Stop::TooLate,
        }
        match pending.op {
            RawOp::Connect { .. } => Stop::Stopped(Err(Cause::Canceled)),
            _ if moved > 0 => Stop::Stopped(Ok(moved)),
            _ => Stop::Stopped(Err(Cause::Canceled)),
        }
    }

    fn users_of(&self, fd: RawHandle, keys: &mut Vec<Key>) {
        self.waiters.users_of(fd, keys);
    }

    fn wait(&mut self, is_blocking: bool, done: &mut VecDeque<Answered>) -> Result<(), Error> {
        let known = done.len();
        self.events.collect(done);
        let in_threads = self.threads.as_ref().map_or(0, Threads::in_flight);
        let is_any_told = self.waiters.queued() > 0 || in_threads > 0 || self.is_polled.get();
        if is_blocking || is_any_told {
            self.turn += 1;
            let is_any_unsure = self.is_any_unsure();
            if is_any_unsure && self.unsure[0].turn + TURNS <= self.turn {
                self.make_certain(TURNS, done);
            }
            if is_any_unsure {
                self.poll(Some(Duration::ZERO), done)?;
                self.collect_from_threads(done);
                if done.is_empty() {
                    self.make_certain(0, done);
                }
            }
            let may_block = is_blocking && done.is_empty() && !self.is_woken;
            if may_block || !is_any_unsure {
                let patience = self.patience(may_block, done);
                // Nothing else will come: then nobody notifies them either.
                if patience.is_none() && self.waiters.queued() == 0 && in_threads == 0 {
                    self.events.give_up(done);
                }
                let patience = if done.is_empty() { patience } else { Some(Duration::ZERO) };
                self.poll(patience, done)?;
            }
        }
        self.collect_from_threads(done);
        self.timeouts.expire(done);
        self.traffic.completed += (done.len() - known) as u64;
        Ok(())
    }

    fn traffic(&self) -> Traffic {
        self.traffic
    }

    fn supports(&self, kind: OpKind) -> bool {
        supports(kind)
    }

    fn descriptor(&self) -> Result<BorrowedDescriptor<'_>, Error> {
        self.is_polled.set(true);
        self.poller.descriptor().ok_or(Error::of_ring(Cause::Unsupported))
    }

    fn waker(&mut self) -> Result<Waker, Error> {
        let waker = self.poller.waker().map_err(Error::of_ring)?;
        self.has_waker = true;
        Ok(waker)
    }

    fn take_wake(&mut self) -> bool {
        mem::take(&mut self.is_woken)
    }

    fn next_deadline(&self) -> Option<Instant> {
        let is_any_unsure = self.unsure.iter().any(|it| self.waiters.find(it.key).is_some());
        let again = (is_any_unsure || self.poller.has_untold()).then(|| Instant::now() + UNSURE);
        again.into_iter().chain(self.timeouts.next()).min()
    }
}
