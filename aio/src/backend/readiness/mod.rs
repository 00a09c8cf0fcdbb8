//! Operations on descriptors that say when they are ready: try, or else wait and try again.

mod attempt;
mod epoll;
mod notes;
mod poll;
mod poller;
mod socket;
mod transfer;
mod unsure;
mod waiters;

pub use epoll::Epoll;
pub use poll::Poll;
pub use poller::Poller;

use std::collections::VecDeque;
use std::mem;
use std::time::{Duration, Instant};

use self::attempt::{Attempt, Side, Way, attempt, rest, supports, way};
use self::notes::{NOT_THE_NEXT, is_in_vain};
use self::poller::Ready;
use self::unsure::{TURNS, UNSURE, Unsure, is_tried_for_ever};
use self::waiters::{Pending, Place, Waiters};
use super::emulate::{Driver, Stop};
use super::threads::Threads;
use super::timers::Timers;
use super::{Answered, Options, Traffic, syscall};
use crate::error::{Cause, Error};
use crate::handle::RawHandle;
use crate::key::Key;
use crate::kind::OpKind;
use crate::op::RawOp;

/// A driver over a poller.
pub struct Readiness<P> {
    poller: P,
    waiters: Waiters,
    timers: Timers,
    epoch: Instant,
    threads: Option<Threads>,
    max_threads: usize,
    from_threads: VecDeque<Answered>,
    /// Operations that wait on an assumption, the oldest first.
    unsure: VecDeque<Unsure>,
    /// Counts the waits.
    turn: u64,
    ready: Vec<Ready>,
    traffic: Traffic,
}

impl<P: Poller> Readiness<P> {
    /// A driver for the calling thread.
    pub fn new(options: &Options) -> Result<Readiness<P>, Error> {
        Ok(Readiness {
            poller: P::new().map_err(Error::of_ring)?,
            waiters: Waiters::new(),
            timers: Timers::new(),
            epoch: Instant::now(),
            threads: None,
            max_threads: options.max_threads,
            from_threads: VecDeque::new(),
            unsure: VecDeque::new(),
            turn: 0,
            ready: Vec::new(),
            traffic: Traffic::default(),
        })
    }

    /// Nanoseconds on the monotonic clock.
    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

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
                if !is_certain || moved.is_none() || is_tried_for_ever(op, moved) {
                    self.unsure.push_back(Unsure { key, turn: self.turn });
                }
                None
            }
            Err(cause) => {
                self.waiters.leave(key, fd, side);
                // That a watch ends can't fail.
                let _ = self.update_interest(fd);
                Some(match cause {
                    Cause::Os(libc::EPERM) => Attempt::Blocks(moved.unwrap_or(0)),
                    cause => Attempt::Done(Err(cause)),
                })
            }
        }
    }

    /// Tells the poller what a descriptor is waited for; says whether it is certain that it watches
    /// for that.
    #[inline]
    fn update_interest(&mut self, fd: RawHandle) -> Result<bool, Cause> {
        if let Some(interest) = self.waiters.new_interest(fd) {
            let is_certain = self.poller.watch(fd, interest)?;
            self.waiters.set_certain(fd, is_certain);
        }
        Ok(self.waiters.is_certain(fd))
    }

    /// Waits for descriptors once, and tries what waits for those that are ready.
    fn poll(
        &mut self,
        timeout: Option<Duration>,
        done: &mut VecDeque<Answered>,
    ) -> Result<(), Error> {
        let mut ready = mem::take(&mut self.ready);
        let calls = self.poller.wait(timeout, &mut ready).map_err(Error::of_ring)?;
        self.traffic.calls += u64::from(calls);
        for ready in ready.drain(..) {
            self.advance(ready, done);
        }
        self.ready = ready;
        Ok(())
    }

    /// Lets a call that can only block do the rest of an operation.
    fn block(&mut self, key: Key, op: &RawOp, moved: u32) -> Option<Result<u32, Cause>> {
        let left = rest(op, moved);
        if self.max_threads > 0
            && let Ok(wake) = self.poller.waker()
        {
            let most = self.max_threads;
            let threads = self.threads.get_or_insert_with(|| Threads::new(most, wake));
            // SAFETY: who started the operation keeps its memory in place until it is answered.
            unsafe { threads.start(key, &left) };
            self.waiters.put_in_thread(key, op, moved);
            return None;
        }
        self.traffic.calls += 1;
        // SAFETY: as above.
        let result = unsafe { syscall::call(&left) };
        Some(self.finished(op, moved, result.unwrap_or(Err(Cause::Unsupported))))
    }

    /// The answer of an operation of which a plain call did the rest.
    fn finished(
        &mut self,
        op: &RawOp,
        moved: u32,
        result: Result<u32, Cause>,
    ) -> Result<u32, Cause> {
        match result {
            Err(_) if moved > 0 => Ok(moved),
            Ok(count) => {
                self.note_new(op, count);
                Ok(count + moved)
            }
            Err(cause) => Err(cause),
        }
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
        // That a watch ends can't fail; the next operation is told if there is something else.
        let _ = self.update_interest(fd);
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

    /// Collects what calls that block have come to.
    fn collect_from_threads(&mut self, done: &mut VecDeque<Answered>) {
        let Some(threads) = self.threads.as_mut().filter(|threads| threads.in_flight() > 0) else {
            return;
        };
        threads.collect(&mut self.from_threads);
        while let Some((key, result)) = self.from_threads.pop_front() {
            let &Pending { op, moved, .. } = self.waiters.take(key);
            done.push_back((key, self.finished(&op, moved, result)));
        }
    }

    /// How long a wait may take.
    fn patience(&mut self, is_blocking: bool) -> Option<Duration> {
        let next = self.timers.next();
        let until_next =
            next.map(|deadline| Duration::from_nanos(deadline.saturating_sub(self.now())));
        match until_next {
            _ if !is_blocking => Some(Duration::ZERO),
            until_next if self.is_any_unsure() => {
                Some(until_next.map_or(UNSURE, |until_next| until_next.min(UNSURE)))
            }
            until_next => until_next,
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
        match way(kind, op) {
            Way::Timer => {
                if let RawOp::Timeout { after } = *op {
                    // SAFETY: who starts the operation keeps the time in place.
                    let after = unsafe { *after }.duration().as_nanos();
                    let after = u64::try_from(after).unwrap_or(u64::MAX);
                    self.timers.insert(key, self.now().saturating_add(after));
                }
                None
            }
            Way::Ready(fd, _) if fd < 0 => Some(Err(Cause::Os(libc::EBADF))),
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
        if self.timers.remove(key) {
            return Stop::Stopped(Err(Cause::Canceled));
        }
        let Some(&pending) = self.waiters.find(key) else { return Stop::Unknown };
        let mut moved = pending.moved;
        match pending.place {
            Place::At(fd, side) => {
                // One that could have been done by now has been done.
                let attempted = match pending.was_tried {
                    true => Attempt::NotReady(moved),
                    false => self.try_again(key, &pending.op),
                };
                self.waiters.leave(key, fd, side);
                // That a watch ends can't fail.
                let _ = self.update_interest(fd);
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
        let in_threads = self.threads.as_ref().map_or(0, Threads::in_flight);
        if is_blocking || self.waiters.queued() > 0 || in_threads > 0 {
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
            let may_block = is_blocking && done.is_empty();
            if may_block || !is_any_unsure {
                let patience = self.patience(may_block);
                self.poll(patience, done)?;
            }
        }
        self.collect_from_threads(done);
        if !self.timers.is_empty() {
            let now = self.now();
            while let Some(key) = self.timers.pop_due(now) {
                done.push_back((key, Ok(0)));
            }
        }
        self.traffic.completed += done.len() as u64;
        Ok(())
    }

    fn traffic(&self) -> Traffic {
        self.traffic
    }

    fn supports(&self, kind: OpKind) -> bool {
        supports(kind)
    }
}
