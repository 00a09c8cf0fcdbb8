//! Carries operations out on a world: the one place that follows their pointers.

use std::collections::VecDeque;
use std::mem;
use std::rc::Rc;
use std::slice;
use std::time::Duration;

use super::object::Object;
use super::{Attempt, Fault, World};
use crate::backend::{Answered, Driver, Stop, Traffic};
use crate::error::{Cause, Error};
use crate::handle::RawHandle;
use crate::key::Key;
use crate::kind::OpKind;
use crate::op::{Answer, Operation, RawOp};
use crate::sys::c;
use crate::waker::Waker;

/// What a ring has in flight on a [`World`].
#[derive(Debug)]
pub struct Scripted {
    world: World,
    /// In the order in which they were started.
    pending: Vec<Pending>,
    /// What is complete and waits to be reported.
    done: Vec<Answered>,
    waker: Option<Waker>,
    /// Whether the waker was used, and no wait has ended for it.
    is_woken: bool,
    traffic: Traffic,
}

/// An operation that was started.
#[derive(Debug)]
struct Pending {
    key: Key,
    op: RawOp,
    /// What its descriptor named when it was started, which is held open by it.
    object: Option<Rc<Object>>,
    /// The time before which it does nothing.
    start: Duration,
    /// How many bytes it moves at most.
    most: usize,
    /// How many bytes it has moved.
    moved: usize,
}

impl World {
    /// Carries `op` out, unless it would have to wait: then nothing happens, and it is `None`. An
    /// operation that waits for all of its bytes moves those that it can.
    ///
    /// For setting scenes up, and for looking at what is left. It meets no fault.
    ///
    /// # Errors
    ///
    /// Those of the operation; and all that wait by nature, or are not simulated, are
    /// [`Cause::Unsupported`].
    pub fn at_once<O: Operation>(&self, mut op: O) -> Option<Result<O::Output, Error>> {
        let raw = op.lower();
        let started = match raw {
            RawOp::Timeout { .. } => Err(Cause::Unsupported),
            _ => Pending::new(self, Key::NONE, &raw),
        };
        let result = match started {
            Err(cause) => Err(cause),
            Ok(mut pending) => {
                // SAFETY: `op` was lowered in this frame, and is neither moved nor used before the
                // attempt is over.
                let attempt = unsafe { pending.attempt(self) };
                match attempt {
                    None if pending.moved == 0 => return None,
                    None => Ok(pending.moved as u32),
                    Some(result) => result,
                }
            }
        };
        // SAFETY: no operation that makes a descriptor is simulated: those are failures.
        Some(op.finish(unsafe { Answer::new(result) }))
    }
}

impl Scripted {
    /// Nothing in flight on `world`.
    pub fn new(world: World) -> Scripted {
        let traffic = Traffic::default();
        let (pending, done) = (Vec::new(), Vec::new());
        Scripted { world, pending, done, waker: None, is_woken: false, traffic }
    }

    /// Lets all that can complete do so, in the order in which it was started, until nothing more
    /// can: one that completes may be what another one waits for.
    fn progress(&mut self) {
        let mut is_any_done = true;
        while mem::take(&mut is_any_done) {
            let (world, done) = (&self.world, &mut self.done);
            self.pending.retain_mut(|pending| {
                // SAFETY: the operation is not answered, so that its memory is still valid.
                let Some(result) = (unsafe { pending.attempt(world) }) else { return true };
                done.push((pending.key, result));
                is_any_done = true;
                false
            });
        }
    }

    /// The next time at which something may happen by itself.
    fn next_time(&self) -> Option<Duration> {
        let now = self.world.now();
        let times = self.pending.iter().map(|pending| pending.start);
        times.filter(|start| *start > now && *start < NEVER).min()
    }
}

// SAFETY: a key is in `pending` or in `done`, and taken out of them with its answer; memory is
// used by `Pending::attempt` only, which is not called for what is in `pending` no more.
unsafe impl Driver for Scripted {
    unsafe fn start(&mut self, key: Key, kind: OpKind, op: &RawOp) -> Option<Result<u32, Cause>> {
        self.traffic.submitted += 1;
        let mut pending = match Pending::new(&self.world, key, op) {
            Ok(pending) => pending,
            Err(cause) => return Some(Err(cause)),
        };
        match self.world.take_fault(kind) {
            Some(Fault::Fail(cause)) => {
                if let RawOp::Close { fd, .. } = *op {
                    self.world.close(fd);
                }
                return Some(Err(cause));
            }
            Some(Fault::Shorten(most)) => pending.most = most,
            Some(Fault::Delay(delay)) => pending.start = pending.start.saturating_add(delay),
            None => {}
        }
        // SAFETY: who starts the operation keeps its memory valid until it is answered.
        let result = unsafe { pending.attempt(&self.world) };
        match result {
            Some(result) if self.world.is_shuffled() => self.done.push((key, result)),
            Some(result) => return Some(result),
            None => self.pending.push(pending),
        }
        None
    }

    fn stop(&mut self, key: Key, _: Option<Key>) -> Stop {
        if self.done.iter().any(|(done, _)| *done == key) {
            return Stop::TooLate;
        }
        let Some(place) = self.pending.iter().position(|pending| pending.key == key) else {
            return Stop::Unknown;
        };
        match self.pending.remove(place).moved {
            0 => Stop::Stopped(Err(Cause::Canceled)),
            moved => Stop::Stopped(Ok(moved as u32)),
        }
    }

    fn users_of(&self, fd: RawHandle, keys: &mut Vec<Key>) {
        let users = self.pending.iter().filter(|pending| descriptor(&pending.op) == Some(fd));
        keys.extend(users.map(|pending| pending.key));
    }

    /// It is broken if nothing can ever complete (`EDEADLK`).
    ///
    /// Where there is a waker that another thread can use, it waits for that when nothing else can
    /// happen.
    fn wait(&mut self, is_blocking: bool, done: &mut VecDeque<Answered>) -> Result<(), Error> {
        self.traffic.calls += 1;
        self.progress();
        while is_blocking && self.done.is_empty() {
            if self.waker.as_ref().is_some_and(Waker::clear) {
                self.is_woken = true;
                break;
            }
            match (self.next_time(), &self.waker) {
                (Some(time), _) => {
                    self.world.advance_to(time);
                    self.progress();
                }
                // Where it is interrupted, it looks again.
                (None, Some(waker)) if waker.raw().is_some() => waker.signal().wait(),
                (None, _) => return Err(Error::of_ring(Cause::Os(c::EDEADLK))),
            }
        }
        self.traffic.completed += self.done.len() as u64;
        if self.world.is_shuffled() {
            for last in (1..self.done.len()).rev() {
                self.done.swap(last, self.world.below(last + 1));
            }
        }
        done.extend(self.done.drain(..));
        Ok(())
    }

    fn waker(&mut self) -> Result<Waker, Error> {
        if let Some(waker) = &self.waker {
            return Ok(waker.clone());
        }
        Ok(self.waker.insert(Waker::new()?).clone())
    }

    fn take_wake(&mut self) -> bool {
        mem::take(&mut self.is_woken)
    }

    fn traffic(&self) -> Traffic {
        self.traffic
    }

    fn supports(&self, kind: OpKind) -> bool {
        !matches!(
            kind,
            OpKind::OpenAt
                | OpKind::Socket
                | OpKind::Bind
                | OpKind::Listen
                | OpKind::Accept
                | OpKind::Connect
        )
    }
}

impl Pending {
    /// An operation that starts now; or why it can't.
    fn new(world: &World, key: Key, op: &RawOp) -> Result<Pending, Cause> {
        let object = match descriptor(op) {
            Some(fd) => Some(world.object(fd).ok_or(Cause::Os(c::EBADF))?),
            None => None,
        };
        let start = match *op {
            RawOp::Timeout { after } => {
                // SAFETY: the time span is valid until the operation is answered.
                let span = unsafe { *after }.duration();
                world.now().saturating_add(span)
            }
            _ => world.now(),
        };
        Ok(Pending { key, op: *op, object, start, most: RawOp::MOST, moved: 0 })
    }

    /// Carries it out as far as that goes without waiting; its answer if it is complete.
    ///
    /// # Safety
    ///
    /// The memory that it names is valid and, where it is written to, unused.
    unsafe fn attempt(&mut self, world: &World) -> Option<Result<u32, Cause>> {
        if world.now() < self.start {
            return None;
        }
        let Some(object) = self.object.as_deref() else {
            return Some(match self.op {
                RawOp::Timeout { .. } | RawOp::Nop => Ok(0),
                _ => Err(Cause::Unsupported),
            });
        };
        let at = |offset| (offset != RawOp::OWN_POSITION).then_some(offset);
        let attempt = match self.op {
            RawOp::Read { buf, len, offset, .. } => {
                // SAFETY: passed on.
                let buf = unsafe { slice::from_raw_parts_mut(buf, self.limit(len)) };
                object.read(buf, at(offset))
            }
            RawOp::Write { buf, len, offset, .. } => {
                // SAFETY: passed on.
                let buf = unsafe { slice::from_raw_parts(buf, self.limit(len)) };
                object.write(buf, at(offset))
            }
            RawOp::Recv { buf, len, flags, .. } => {
                // SAFETY: passed on.
                let buf = unsafe { slice::from_raw_parts_mut(buf, self.limit(len)) };
                let is_peek = flags & c::MSG_PEEK != 0;
                self.move_bytes(flags, RECV_FLAGS, buf.len(), |object, moved| {
                    object.recv(&mut buf[moved..], is_peek)
                })
            }
            RawOp::Send { buf, len, flags, .. } => {
                // SAFETY: passed on.
                let buf = unsafe { slice::from_raw_parts(buf, self.limit(len)) };
                self.move_bytes(flags, SEND_FLAGS, buf.len(), |object, moved| {
                    object.send(&buf[moved..])
                })
            }
            RawOp::Shutdown { how, .. } => object.shutdown(how),
            RawOp::Fsync { .. } => object.sync(),
            RawOp::Poll { events, .. } => object.poll(events),
            RawOp::Close { fd, lingers, .. } => {
                self.object = None;
                Some(if lingers || world.close(fd) { Ok(0) } else { Err(Cause::Os(c::EBADF)) })
            }
            _ => Some(Err(Cause::Unsupported)),
        };
        attempt.map(|result| result.map(|count| count as u32))
    }

    /// The length of its buffer, or less if it is to be short.
    fn limit(&self, len: u32) -> usize {
        (len as usize).min(self.most)
    }

    /// Moves bytes over a connection: once, or with `MSG_WAITALL` until all `len` are moved.
    fn move_bytes(
        &mut self,
        flags: i32,
        known: i32,
        len: usize,
        mut once: impl FnMut(&Object, usize) -> Attempt,
    ) -> Attempt {
        if flags & !known != 0 {
            return Some(Err(Cause::Os(c::EOPNOTSUPP)));
        }
        let object = self.object.as_deref()?;
        let is_whole = flags & c::MSG_WAITALL != 0 && flags & c::MSG_PEEK == 0;
        loop {
            match once(object, self.moved)? {
                Ok(count) => {
                    self.moved += count;
                    if count == 0 || !is_whole || self.moved == len {
                        return Some(Ok(self.moved));
                    }
                }
                Err(_) if self.moved > 0 => return Some(Ok(self.moved)),
                Err(cause) => return Some(Err(cause)),
            }
        }
    }
}

/// The first time that never comes: that of a time span that is as long as can be.
const NEVER: Duration = Duration::from_secs(i64::MAX as u64);

const SEND_FLAGS: i32 = c::MSG_NOSIGNAL | c::MSG_WAITALL | c::MSG_MORE;
const RECV_FLAGS: i32 = c::MSG_WAITALL | c::MSG_PEEK;

/// The descriptor of an operation that is simulated.
fn descriptor(op: &RawOp) -> Option<RawHandle> {
    match *op {
        RawOp::Read { fd, .. }
        | RawOp::Write { fd, .. }
        | RawOp::Fsync { fd, .. }
        | RawOp::Close { fd, .. }
        | RawOp::Send { fd, .. }
        | RawOp::Recv { fd, .. }
        | RawOp::Shutdown { fd, .. }
        | RawOp::Poll { fd, .. } => Some(fd),
        _ => None,
    }
}
