//! The dynamic queue: operations are queued now and completed later, in any number.

mod stored;
mod ticket;

use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;

pub use self::stored::Queueable;
use self::stored::{Boxed, Stored};
pub use self::ticket::Ticket;
use crate::backend::{Mode, Options};
use crate::error::{Cause, Error};
use crate::guard::{self, NoUnwind};
use crate::key::Id;
use crate::key::Key;
use crate::op::{Answer, Operation};
use crate::ring::Ring;

/// A queue of operations that own what they use: see [`Queue`], of which it is the kind that a
/// program holds, and [`Dynamic::scope`] for operations that borrow.
pub type Dynamic = Queue<'static, 'static>;

/// Queues operations now, to complete them later.
///
/// ```
/// use corio_aio::{self as aio, Dynamic, Mode, op};
/// # fn main() -> std::io::Result<()> {
/// # let dir = tempfile::tempdir()?;
/// # std::fs::write(dir.path().join("a"), "hello")?;
/// let mut ring = Dynamic::new(16)?;
/// let file = std::fs::File::open(dir.path().join("a"))?;
/// let ticket = ring.queue(op::read(file, vec![0; 64]))?;
/// for done in ring.complete(Mode::Blocking)? {
///     assert_eq!((done.id, done.failed), (ticket.id(), false));
/// }
/// let (n, read) = ticket.recover(&mut ring)?;
/// assert_eq!(&read.buf[..n?], b"hello");
/// # Ok(())
/// # }
/// ```
///
/// An operation has its place until its result was taken, or given up, through its [`Ticket`]:
/// [`Queue::capacity`] counts both those in flight and those complete.
///
/// Dropping it cancels what is in flight and waits for it; forgetting it leaks what was queued.
pub struct Queue<'scope, 'env: 'scope> {
    ring: Ring,
    capacity: usize,
    held: usize,
    /// What was queued and not taken, by slot of its key.
    entries: Vec<Option<Entry>>,
    /// What is complete and not reported, with its userdata.
    unreported: VecDeque<(Key, u64)>,
    /// Whether a scope is open: what is queued is of that scope.
    is_scoped: bool,
    /// Both invariant, as those of `std::thread::Scope` are: what is queued outlives `'scope`, and
    /// a queue of one scope is of no use in another.
    _scope: PhantomData<&'scope mut &'scope ()>,
    _env: PhantomData<&'env mut &'env ()>,
}

/// An operation that was queued and not taken; its type is known to its ticket only.
struct Entry {
    key: Key,
    op: NonNull<dyn Stored>,
    is_scoped: bool,
    is_detached: bool,
    is_reported: bool,
}

/// The report that a queued operation is complete.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Done {
    /// Which one.
    pub id: Id,
    /// The number that it carries ([`Operation::userdata`]), or 0.
    pub userdata: u64,
    /// Whether it failed; its ticket has the error.
    pub failed: bool,
}

/// Is told what is complete; implemented by closures over [`Done`].
///
/// It gets no access to the queue that calls it. A panic is held until all has been reported.
pub trait Handler {
    /// An operation is complete.
    fn completed(&mut self, done: Done);
}

impl<F: FnMut(Done)> Handler for F {
    fn completed(&mut self, done: Done) {
        self(done);
    }
}

impl Dynamic {
    /// A queue with room for `capacity` operations.
    ///
    /// # Errors
    ///
    /// Those of [`Ring::new`].
    pub fn new(capacity: usize) -> Result<Dynamic, Error> {
        let entries = u32::try_from(capacity).unwrap_or(u32::MAX).min(Options::DEFAULT.entries);
        Dynamic::with_options(capacity, Options { entries, ..Options::DEFAULT })
    }

    /// A queue with room for `capacity` operations, set up as `options` say.
    ///
    /// # Errors
    ///
    /// Those of [`Ring::new`].
    pub fn with_options(capacity: usize, options: Options) -> Result<Dynamic, Error> {
        let mut ring = Ring::new(&options)?;
        ring.tell_each();
        Ok(Queue {
            ring,
            capacity,
            held: 0,
            entries: Vec::new(),
            unreported: VecDeque::new(),
            is_scoped: false,
            _scope: PhantomData,
            _env: PhantomData,
        })
    }

    /// Lets operations borrow what lives outside of the call.
    ///
    /// It returns when everything queued in it is complete: it waits for what the closure did not
    /// wait for, as [`std::thread::scope`] does. If the closure panics, what is in flight is
    /// canceled first. Results that were not taken are dropped.
    ///
    /// ```
    /// use corio_aio::{self as aio, Dynamic, op};
    /// # fn main() -> std::io::Result<()> {
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let client = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// let (server, _) = listener.accept()?;
    /// let mut ring = Dynamic::new(16)?;
    /// let mut buf = [0; 64];
    /// let n = ring.scope(|ring| {
    ///     let received = ring.queue(op::recv(&server, &mut buf))?;
    ///     ring.queue(op::send(&client, b"hey"))?.detach(ring);
    ///     ring.complete_all()?;
    ///     received.take(ring)
    /// })?;
    /// assert_eq!(&buf[..n], b"hey");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Aborts
    ///
    /// If the ring breaks while borrowed memory is in flight, the process is aborted.
    pub fn scope<'env, R>(
        &mut self,
        f: impl for<'scope> FnOnce(&mut Queue<'scope, 'env>) -> R,
    ) -> R {
        self.is_scoped = true;
        let queue: *mut Queue<'_, 'env> = (&raw mut *self).cast();
        // SAFETY: the types differ in two lifetimes only, which bound what may be queued. That all
        // of it is complete and dropped before those lifetimes end is what the rest of this
        // function sees to, on return and on panic; nobody else can end them sooner, because the
        // queue can't be moved out of the reference: no other one has its lifetimes.
        let queue = unsafe { &mut *queue };
        let result = catch_unwind(AssertUnwindSafe(|| f(queue)));
        let guard = NoUnwind;
        if result.is_err() {
            self.scoped().for_each(|key| self.ring.cancel(key));
        }
        while self.scoped().any(|key| !self.ring.is_complete(key)) {
            if let Err(error) = self.collect(Mode::Blocking) {
                guard::abort(&error);
            }
        }
        guard.release();
        self.is_scoped = false;
        let mut panic = None;
        for key in self.scoped() {
            // Nothing may be left behind: what is queued is not good after the scope.
            let dropped = catch_unwind(AssertUnwindSafe(|| self.give_up(key)));
            panic = panic.or(dropped.err());
        }
        match (result, panic) {
            (Err(panic), _) | (Ok(_), Some(panic)) => resume_unwind(panic),
            (Ok(value), None) => value,
        }
    }

    /// The keys of what was queued in a scope, newest last.
    fn scoped(&self) -> impl Iterator<Item = Key> + use<> {
        let scoped = self.entries.iter().flatten().filter(|entry| entry.is_scoped);
        scoped.map(|entry| entry.key).collect::<Vec<_>>().into_iter()
    }
}

impl<'scope> Queue<'scope, '_> {
    /// How many operations can be queued, or complete and not taken, at once.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many operations are queued, or complete and not taken.
    pub fn len(&self) -> usize {
        self.held
    }

    /// Whether nothing is queued, or complete and not taken.
    pub fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Queues `op`. It starts when something is completed, at the latest.
    ///
    /// # Errors
    ///
    /// - [`Cause::Full`]: there is no room.
    /// - [`Cause::Forked`]: the queue belongs to the parent process.
    pub fn queue<O: Operation + 'scope>(&mut self, op: O) -> Result<Ticket<O>, Error> {
        let (ticket,) = self.queue_all((op,))?;
        Ok(ticket)
    }

    /// Queues all operations of `batch`, which may be linked, or none of them.
    ///
    /// # Errors
    ///
    /// - [`Cause::Full`]: there is no room for all of them.
    /// - [`Cause::Forked`]: the queue belongs to the parent process.
    /// - [`Cause::InvalidBatch`]: the batch breaks a rule.
    pub fn queue_all<B: Queueable<'scope>>(&mut self, batch: B) -> Result<B::Tickets, Error> {
        batch.check()?;
        let count = batch.len();
        if count > self.capacity - self.held {
            return Err(Error::of_ring(Cause::Full));
        }
        let mut ops = Boxed::with_capacity(count);
        batch.store(&mut ops);
        let guard = NoUnwind;
        // SAFETY: the operations are on the heap, behind pointers that nothing follows until they
        // are complete; what they borrow outlives `'scope`, which does not end sooner either.
        let first = unsafe { self.ring.start(&mut ops, 0) };
        guard.release();
        let first = first?;
        let mut key = first;
        for op in ops.take() {
            if self.entries.len() <= key.slot() {
                self.entries.resize_with(key.slot() + 1, || None);
            }
            let is_scoped = self.is_scoped;
            self.entries[key.slot()] =
                Some(Entry { key, op, is_scoped, is_detached: false, is_reported: false });
            key = self.ring.next(key);
        }
        self.held += count;
        let mut key = first;
        Ok(B::tickets(count, &mut || {
            let id = self.ring.id(key);
            key = self.ring.next(key);
            id
        }))
    }

    /// Completes what is queued: starts it, waits as `mode` says, and reports what is complete, in
    /// at most one system call. Each operation is reported once.
    ///
    /// # Errors
    ///
    /// The ring is broken; see [`Ring::wait`].
    pub fn complete(&mut self, mode: Mode) -> Result<Vec<Done>, Error> {
        let mut done = Vec::new();
        self.complete_with(mode, &mut |report| done.push(report))?;
        Ok(done)
    }

    /// As [`complete`](Queue::complete), but tells `handler`; yields how many were reported.
    ///
    /// # Errors
    ///
    /// The ring is broken; see [`Ring::wait`].
    ///
    /// # Panics
    ///
    /// With the first panic of `handler`, after all has been reported.
    pub fn complete_with(
        &mut self,
        mode: Mode,
        handler: &mut impl Handler,
    ) -> Result<usize, Error> {
        self.collect(if self.unreported.is_empty() { mode } else { Mode::NonBlocking })?;
        let (mut count, mut panic) = (0, None);
        while let Some((key, userdata)) = self.unreported.pop_front() {
            let Some(done) = self.report(key, userdata) else { continue };
            count += 1;
            let told = catch_unwind(AssertUnwindSafe(|| handler.completed(done)));
            panic = panic.or(told.err());
        }
        match panic {
            Some(panic) => resume_unwind(panic),
            None => Ok(count),
        }
    }

    /// Completes all that is queued and reports it.
    ///
    /// # Errors
    ///
    /// The ring is broken; see [`Ring::wait`].
    pub fn complete_all(&mut self) -> Result<Vec<Done>, Error> {
        while self.ring.in_flight() > 0 {
            self.collect(Mode::Blocking)?;
        }
        self.complete(Mode::NonBlocking)
    }

    /// Waits as `mode` says, and notes what is complete.
    fn collect(&mut self, mode: Mode) -> Result<(), Error> {
        self.ring.wait(mode)?;
        while let Some((_, key)) = self.ring.completed() {
            // Far from each other in memory: read in a row, they are waited for together.
            // SAFETY: the operation is complete, so that nothing but its entry uses it.
            let tag = |entry: &mut Entry| unsafe { entry.op.as_ref() }.tag();
            let userdata = self.entry(key).map_or(0, tag);
            self.unreported.push_back((key, userdata));
        }
        Ok(())
    }

    /// The report of `key`, unless it was taken in the meantime.
    fn report(&mut self, key: Key, userdata: u64) -> Option<Done> {
        let entry = self.entry(key)?;
        entry.is_reported = true;
        let is_detached = entry.is_detached;
        let done = Done { id: self.ring.id(key), userdata, failed: self.ring.has_failed(key) };
        if is_detached {
            self.give_up(key);
        }
        Some(done)
    }

    fn entry(&mut self, key: Key) -> Option<&mut Entry> {
        self.entries.get_mut(key.slot())?.as_mut().filter(|entry| entry.key == key)
    }

    /// Takes the entry and the answer of an operation that is complete.
    fn take(&mut self, key: Key) -> (Answer, NonNull<dyn Stored>) {
        let entry = self.entries[key.slot()].take().expect("an entry that was not taken");
        self.held -= 1;
        let (answer, _) = self.ring.take(key);
        (answer, entry.op)
    }

    /// Drops the operation and the result of an operation that is complete.
    fn give_up(&mut self, key: Key) {
        let (answer, op) = self.take(key);
        // SAFETY: it was a box; its entry is gone, and the kernel is done with it.
        let mut op = unsafe { Box::from_raw(op.as_ptr()) };
        op.give_up(answer);
    }
}

impl Drop for Queue<'_, '_> {
    fn drop(&mut self) {
        let keys: Vec<Key> = self.entries.iter().flatten().map(|entry| entry.key).collect();
        keys.iter().for_each(|key| self.ring.cancel(*key));
        while self.ring.in_flight() > 0 {
            if let Err(error) = self.collect(Mode::Blocking) {
                guard::abort(&error);
            }
        }
        keys.iter().for_each(|key| self.give_up(*key));
    }
}

impl fmt::Debug for Queue<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (held, capacity) = (self.held, self.capacity);
        f.debug_struct("Queue").field("held", &held).field("capacity", &capacity).finish()
    }
}
