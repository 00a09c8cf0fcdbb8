//! Operations on descriptors that say when they are ready: try, or else wait and try again.

mod attempt;
mod epoll;
mod poll;
mod poller;

pub use epoll::Epoll;
pub use poll::Poll;
pub use poller::Poller;

use std::collections::VecDeque;
use std::mem;
use std::time::{Duration, Instant};

use self::attempt::{Attempt, Side, Way, attempt, rest, way};
use self::poller::{Interest, Ready};
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
    /// By descriptor.
    watches: Vec<Watch>,
    /// By slot of their keys.
    pending: Vec<Pending>,
    /// How many wait for a descriptor.
    waiting: usize,
    timers: Timers,
    epoch: Instant,
    threads: Option<Threads>,
    max_threads: usize,
    from_threads: VecDeque<Answered>,
    ready: Vec<Ready>,
    traffic: Traffic,
}

/// An operation that is not complete.
#[derive(Clone, Copy)]
struct Pending {
    key: Key,
    op: RawOp,
    place: Place,
    /// How much it has moved; for a connect, whether it has begun.
    moved: u32,
}

/// Where an operation is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Nowhere,
    At(RawHandle, Side),
    Thread,
}

/// Who waits for a descriptor.
#[derive(Default)]
struct Watch {
    read: Queue,
    write: Queue,
    beside: Queue,
    /// Whether there was nothing more to read when it was last read from: another attempt would be
    /// in vain. It may be wrong, for the descriptor can have come to name another file.
    is_drained: bool,
    interest: Interest,
}

/// Operations in the order in which they are tried.
#[derive(Default)]
struct Queue {
    /// Also of some that are not waiting any more.
    keys: VecDeque<Key>,
    live: usize,
}

impl<P: Poller> Readiness<P> {
    /// A driver for the calling thread.
    pub fn new(options: &Options) -> Result<Readiness<P>, Error> {
        Ok(Readiness {
            poller: P::new().map_err(Error::of_ring)?,
            watches: Vec::new(),
            pending: Vec::new(),
            waiting: 0,
            timers: Timers::new(),
            epoch: Instant::now(),
            threads: None,
            max_threads: options.max_threads,
            from_threads: VecDeque::new(),
            ready: Vec::new(),
            traffic: Traffic::default(),
        })
    }

    /// Nanoseconds on the monotonic clock.
    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Who waits for a descriptor; [`Readiness::make_room`] comes before it.
    #[inline]
    fn watch(&mut self, fd: RawHandle) -> &mut Watch {
        &mut self.watches[fd as usize]
    }

    #[inline]
    fn make_room(&mut self, fd: RawHandle) {
        if fd as usize >= self.watches.len() {
            self.watches.resize_with(fd as usize + 1, Watch::default);
        }
    }

    fn put(&mut self, pending: Pending) {
        let slot = pending.key.slot();
        if slot >= self.pending.len() {
            let nothing = Pending { key: Key::NONE, place: Place::Nowhere, ..pending };
            self.pending.resize(slot + 1, nothing);
        }
        self.pending[slot] = pending;
    }

    /// The operation of `key`, if it is not complete.
    fn find(&self, key: Key) -> Option<&Pending> {
        let found = self.pending.get(key.slot()).filter(|pending| pending.key == key);
        found.filter(|pending| pending.place != Place::Nowhere)
    }

    /// Forgets an operation that waits for a descriptor.
    fn leave(&mut self, key: Key, fd: RawHandle, side: Side) {
        self.pending[key.slot()].place = Place::Nowhere;
        self.waiting -= 1;
        let queue = self.watch(fd).queue(side);
        queue.live -= 1;
        if queue.live == 0 {
            queue.keys.clear();
        } else if queue.keys.back() == Some(&key) {
            queue.keys.pop_back();
        } else if queue.keys.len() > 2 * queue.live + 8 {
            let mut keys = mem::take(&mut queue.keys);
            keys.retain(|key| self.find(*key).is_some());
            self.watch(fd).queue(side).keys = keys;
        }
    }

    /// Lets an operation wait for its descriptor; an answer if that can't be.
    fn wait_for(&mut self, mut pending: Pending, fd: RawHandle, side: Side) -> Option<Attempt> {
        pending.place = Place::At(fd, side);
        self.put(pending);
        self.waiting += 1;
        let queue = self.watch(fd).queue(side);
        queue.live += 1;
        queue.keys.push_back(pending.key);
        match self.update_interest(fd) {
            Ok(()) => None,
            Err(cause) => {
                self.leave(pending.key, fd, side);
                // That a watch ends can't fail.
                let _ = self.update_interest(fd);
                Some(match cause {
                    Cause::Os(libc::EPERM) => Attempt::Blocks(pending.moved),
                    cause => Attempt::Done(Err(cause)),
                })
            }
        }
    }

    /// Tells the poller what a descriptor is waited for.
    #[inline]
    fn update_interest(&mut self, fd: RawHandle) -> Result<(), Cause> {
        let watch = &self.watches[fd as usize];
        let (read, write) = (watch.read.live > 0, watch.write.live > 0);
        let mut interest = Interest { read, write, ..Interest::default() };
        if watch.beside.live > 0 {
            self.add_interest_beside(watch, &mut interest);
        }
        if interest == watch.interest {
            return Ok(());
        }
        self.watches[fd as usize].interest = interest;
        self.poller.watch(fd, interest)
    }

    /// Adds what those want that wait beside others.
    fn add_interest_beside(&self, watch: &Watch, interest: &mut Interest) {
        for key in &watch.beside.keys {
            if let Some(Pending { place: Place::At(_, Side::Beside(events)), .. }) = self.find(*key)
            {
                interest.read |= events & libc::POLLIN as u32 != 0;
                interest.write |= events & libc::POLLOUT as u32 != 0;
                interest.priority |= events & libc::POLLPRI as u32 != 0;
                interest.end = true;
            }
        }
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
            self.put(Pending { key, op: *op, place: Place::Thread, moved });
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
        if let Ok(fd) = result {
            self.note_new(op, fd);
        }
        match result {
            Err(_) if moved > 0 => Ok(moved),
            result => result.map(|count| count + moved),
        }
    }

    /// Forgets what was known of a descriptor number that an operation has just made.
    fn note_new(&mut self, op: &RawOp, fd: u32) {
        if let RawOp::Socket { .. } | RawOp::Accept { .. } | RawOp::OpenAt { .. } = op {
            self.forget(fd as RawHandle);
        }
    }

    fn forget(&mut self, fd: RawHandle) {
        if let Some(watch) = self.watches.get_mut(fd as usize) {
            watch.is_drained = false;
            self.poller.forget(fd);
        }
    }

    /// Tries an operation; an answer if it is complete.
    fn try_now(
        &mut self,
        mut pending: Pending,
        fd: RawHandle,
        side: Side,
    ) -> Option<Result<u32, Cause>> {
        // SAFETY: who started the operation keeps its memory in place until it is answered.
        let mut attempted = unsafe { attempt(&pending.op, pending.moved, &mut self.traffic.calls) };
        if let Attempt::NotReady(moved) = attempted {
            pending.moved = moved;
            if side == Side::Read {
                self.watch(fd).is_drained = true;
            }
            attempted = self.wait_for(pending, fd, side)?;
        }
        self.conclude(&pending, fd, attempted)
    }

    /// What follows from an attempt that came to an end.
    fn conclude(
        &mut self,
        pending: &Pending,
        fd: RawHandle,
        attempted: Attempt,
    ) -> Option<Result<u32, Cause>> {
        match attempted {
            Attempt::Done(result) => {
                if let (Ok(count), Some(len)) = (result, room(&pending.op)) {
                    // The end of a stream does not go away, and is told at each attempt.
                    self.watch(fd).is_drained = count > 0 && count < len;
                }
                if let Ok(new) = result {
                    self.note_new(&pending.op, new);
                }
                Some(result)
            }
            Attempt::Blocks(moved) => self.block(pending.key, &pending.op, moved),
            Attempt::NotReady(_) => None,
        }
    }

    /// Tries what waits for a descriptor that is ready.
    fn advance(&mut self, ready: Ready, done: &mut VecDeque<Answered>) {
        let fd = ready.fd;
        if fd as usize >= self.watches.len() {
            return;
        }
        if ready.read {
            self.watch(fd).is_drained = false;
            self.advance_queue(fd, Side::Read, done);
        }
        if ready.write {
            self.advance_queue(fd, Side::Write, done);
        }
        if self.watch(fd).beside.live > 0 {
            self.advance_queue(fd, Side::Beside(0), done);
        }
        // That a watch ends can't fail; the next operation is told if there is something else.
        let _ = self.update_interest(fd);
    }

    /// Tries the operations of one queue: until one is not ready, or all that wait beside others.
    fn advance_queue(&mut self, fd: RawHandle, side: Side, done: &mut VecDeque<Answered>) {
        for _ in 0..self.watch(fd).queue(side).keys.len() {
            let Some(key) = self.watch(fd).queue(side).keys.pop_front() else { return };
            let Some(&pending) = self.find(key) else { continue };
            // SAFETY: who started the operation keeps its memory in place until it is answered.
            let attempted = unsafe { attempt(&pending.op, pending.moved, &mut self.traffic.calls) };
            if let Attempt::NotReady(moved) = attempted {
                self.pending[key.slot()].moved = moved;
                let watch = self.watch(fd);
                if let Side::Beside(_) = side {
                    watch.beside.keys.push_back(key);
                    continue;
                }
                watch.is_drained |= side == Side::Read;
                watch.queue(side).keys.push_front(key);
                return;
            }
            self.leave(key, fd, side);
            if let Some(result) = self.conclude(&pending, fd, attempted) {
                done.push_back((key, result));
            }
        }
    }

    /// How long a wait may take.
    fn patience(&self, is_blocking: bool) -> Option<Duration> {
        match self.timers.next() {
            _ if !is_blocking => Some(Duration::ZERO),
            Some(deadline) => Some(Duration::from_nanos(deadline.saturating_sub(self.now()))),
            None => None,
        }
    }
}

/// How much an operation would read from a stream at most, if that says whether more is there.
fn room(op: &RawOp) -> Option<u32> {
    match *op {
        RawOp::Read { len, .. } => Some(len),
        RawOp::Recv { len, flags, .. } if flags & (libc::MSG_PEEK | libc::MSG_OOB) == 0 => {
            Some(len)
        }
        _ => None,
    }
}

impl Watch {
    fn queue(&mut self, side: Side) -> &mut Queue {
        match side {
            Side::Read => &mut self.read,
            Side::Write => &mut self.write,
            Side::Beside(_) => &mut self.beside,
        }
    }
}

// SAFETY: an operation is answered where it starts, or has a place until it is taken from there:
// from its queue with its answer, from the timers, or from the threads, which report it once.
unsafe impl<P: Poller> Driver for Readiness<P> {
    unsafe fn start(&mut self, key: Key, kind: OpKind, op: &RawOp) -> Option<Result<u32, Cause>> {
        self.traffic.submitted += 1;
        let pending = Pending { key, op: *op, place: Place::Nowhere, moved: 0 };
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
                self.make_room(fd);
                let watch = self.watch(fd);
                let is_behind = watch.queue(side).live > 0 && !matches!(side, Side::Beside(_));
                if is_behind || (watch.is_drained && side == Side::Read && room(op) > Some(0)) {
                    let attempted = self.wait_for(pending, fd, side)?;
                    return self.conclude(&pending, fd, attempted);
                }
                self.try_now(pending, fd, side)
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
        let Some(&pending) = self.find(key) else { return Stop::Unknown };
        match pending.place {
            Place::At(fd, side) => {
                self.leave(key, fd, side);
                // That a watch ends can't fail.
                let _ = self.update_interest(fd);
            }
            Place::Thread if self.threads.as_mut().is_some_and(|threads| threads.stop(key)) => {
                self.pending[key.slot()].place = Place::Nowhere;
            }
            _ => return Stop::TooLate,
        }
        match pending.op {
            RawOp::Connect { .. } => Stop::Stopped(Err(Cause::Canceled)),
            _ if pending.moved > 0 => Stop::Stopped(Ok(pending.moved)),
            _ => Stop::Stopped(Err(Cause::Canceled)),
        }
    }

    fn users_of(&self, fd: RawHandle, keys: &mut Vec<Key>) {
        if let Some(watch) = self.watches.get(fd as usize) {
            let queues = [&watch.read, &watch.write, &watch.beside];
            let waiting = queues.into_iter().flat_map(|queue| &queue.keys);
            keys.extend(waiting.filter(|key| self.find(**key).is_some()));
        }
    }

    fn wait(&mut self, is_blocking: bool, done: &mut VecDeque<Answered>) -> Result<(), Error> {
        let in_threads = self.threads.as_ref().map_or(0, Threads::in_flight);
        if is_blocking || self.waiting > 0 || in_threads > 0 {
            let patience = self.patience(is_blocking);
            let mut ready = mem::take(&mut self.ready);
            let calls = self.poller.wait(patience, &mut ready).map_err(Error::of_ring)?;
            self.traffic.calls += u64::from(calls);
            for ready in ready.drain(..) {
                self.advance(ready, done);
            }
            self.ready = ready;
        }
        if in_threads > 0
            && let Some(threads) = &mut self.threads
        {
            threads.collect(&mut self.from_threads);
            while let Some((key, result)) = self.from_threads.pop_front() {
                let Pending { op, moved, .. } = self.pending[key.slot()];
                self.pending[key.slot()].place = Place::Nowhere;
                done.push_back((key, self.finished(&op, moved, result)));
            }
        }
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

    fn supports(&self, _: OpKind) -> bool {
        true
    }
}
