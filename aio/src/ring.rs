//! The ring: keys, batches and answers over one backend. What completes operations for a thread,
//! a queue or a scheduler is built on it.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::backend::{Announced, Answered, Backend, Chosen, Mode, Options, Traffic};
use crate::batch::Lowering;
use crate::error::{Cause, Error};
use crate::fork;
use crate::guard::abort;
use crate::handle::{self, BorrowedDescriptor, RawHandle};
use crate::key::{Id, Key, Slots};
use crate::kind::OpKind;
use crate::op::{Answer, RawOp};
use crate::waker::Waker;

/// The layer to build an executor on: batches go in, keys come out.
///
/// It does not know who waits: each batch is started for an owner, a number, and
/// [`completed`](Ring::completed) repeats that number once for each of its operations. Most
/// programs use [`complete`](crate::complete), [`Dynamic`](crate::Dynamic) or tasks instead.
///
/// A ring belongs to its thread and to its process. Dropping it cancels what is in flight and waits
/// for it.
pub struct Ring {
    backend: Chosen,
    slots: Slots<Slot>,
    in_flight: usize,
    /// What the backend has answered, until it is asked for.
    answered: VecDeque<Answered>,
    /// Whether the report of a linked success may wait for the rest of its chain.
    is_quiet: bool,
    /// Whether somebody polls the backend's descriptor: it is to be readable no longer than needed.
    is_polled: Cell<bool>,
    has_waker: bool,
    id: u64,
    fork_generation: u32,
    /// A ring is of one thread: some kernels refuse others, and so do we.
    _not_send: PhantomData<*mut ()>,
}

struct Slot {
    owner: u32,
    kind: OpKind,
    /// Whether the next one is of the same chain.
    is_linked: bool,
    next: Key,
    progress: Progress,
}

/// How far an operation has come.
#[derive(Clone, Copy)]
enum Progress {
    /// It was not told to be complete; the descriptor that it works on, or a number below 0.
    InFlight { fd: RawHandle },
    /// It was told to be complete.
    Complete(Result<u32, Cause>),
}

impl Slot {
    fn is_complete(&self) -> bool {
        matches!(self.progress, Progress::Complete(_))
    }
}

/// One is written for each operation.
const _: () = assert!(size_of::<Slot>() == 24);

impl Ring {
    /// Sets a ring up, for the calling thread.
    ///
    /// # Errors
    ///
    /// - [`Cause::Unsupported`]: the system has no such rings, or one of `options.required` is not
    ///   supported.
    /// - [`Cause::Os`]: the system refused, for example because of a limit.
    pub fn new(options: &Options) -> Result<Ring, Error> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        fork::watch();
        let backend = Chosen::new(options)?;
        Ok(Ring {
            backend,
            slots: Slots::new(),
            in_flight: 0,
            answered: VecDeque::new(),
            is_quiet: true,
            is_polled: Cell::new(false),
            has_waker: false,
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            fork_generation: fork::generation(),
            _not_send: PhantomData,
        })
    }

    /// How many operations are started and were not told to be complete.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether the ring can do operations of this kind.
    pub fn supports(&self, kind: OpKind) -> bool {
        self.backend.supports(kind)
    }

    /// What has gone to and fro so far.
    pub fn traffic(&self) -> Traffic {
        self.backend.traffic()
    }

    /// A descriptor that is readable when a [`wait`](Ring::wait) has something to collect: for a
    /// loop of somebody else's that polls it.
    ///
    /// Before that loop goes to sleep, call `wait(Mode::NonBlocking)` until nothing is complete
    /// after it: that hands over what was started. It may sleep until the descriptor is readable or
    /// [`next_deadline`](Ring::next_deadline) has come; then call `wait` again. It may be readable
    /// though nothing is complete. Don't read from it. Once somebody has asked for it, each wait
    /// takes one more call of the OS.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use corio_aio::{Mode, Options, Ring, op};
    /// use rustix::event::{PollFd, PollFlags, Timespec, poll};
    ///
    /// let mut ring = Ring::new(&Options::default())?;
    /// let mut batch = (op::timeout(Duration::from_millis(1)),);
    /// // SAFETY: the batch is not used again before it is complete.
    /// let key = unsafe { ring.start(&mut batch, 0) }?;
    /// loop {
    ///     ring.wait(Mode::NonBlocking)?;
    ///     if let Some(complete) = ring.completed() {
    ///         assert_eq!(complete, (0, key));
    ///         break;
    ///     }
    ///     let now = Instant::now();
    ///     let left = ring.next_deadline().map(|next| next.saturating_duration_since(now));
    ///     let left = left.and_then(|left| Timespec::try_from(left).ok());
    ///     let readable = ring.descriptor()?;
    ///     poll(&mut [PollFd::new(&readable, PollFlags::IN)], left.as_ref())?;
    /// }
    /// # std::io::Result::Ok(())
    /// ```
    ///
    /// # Errors
    ///
    /// - [`Cause::Unsupported`]: the backend has none: `poll`, or one of the program's own.
    /// - [`Cause::Os`]: the process has no descriptors left.
    pub fn descriptor(&self) -> Result<BorrowedDescriptor<'_>, Error> {
        self.is_polled.set(true);
        self.backend.descriptor()
    }

    /// What ends a [`wait`](Ring::wait) from any thread, or the next one where it does not wait;
    /// such a wait may find nothing complete. Once it was asked for, a blocking wait waits also if
    /// nothing is in flight, and may end though nobody woke it. The
    /// [`descriptor`](Ring::descriptor) is readable on a wake.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use corio_aio::{Mode, Options, Ring};
    /// let mut ring = Ring::new(&Options::default())?;
    /// let (waker, (sender, inbox)) = (ring.waker()?, mpsc::channel());
    /// let other = std::thread::spawn(move || {
    ///     sender.send("hey").unwrap();
    ///     waker.wake();
    /// });
    /// let message = loop {
    ///     match inbox.try_recv() {
    ///         Ok(message) => break message,
    ///         Err(_) => ring.wait(Mode::Blocking)?,
    ///     }
    /// };
    /// assert_eq!(message, "hey");
    /// # other.join().unwrap();
    /// # std::io::Result::Ok(())
    /// ```
    ///
    /// # Errors
    ///
    /// - [`Cause::Unsupported`]: the backend has none; those of this crate have.
    /// - [`Cause::Os`]: the process has no descriptors left.
    pub fn waker(&mut self) -> Result<Waker, Error> {
        let waker = self.backend.waker()?;
        self.has_waker = true;
        Ok(waker)
    }

    /// When [`wait`](Ring::wait) has something to do next, whatever the
    /// [`descriptor`](Ring::descriptor) says: at the earliest timeout, or before. `None`: never.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.backend.next_deadline()
    }

    /// Names the operation of `key` in all rings.
    pub(crate) fn id(&self, key: Key) -> Id {
        Id::new(self.id, key)
    }

    /// Whether this process took the ring along from its parent.
    pub(crate) fn is_forked(&self) -> bool {
        self.fork_generation != fork::generation()
    }

    /// Starts all operations of `batch`, or none of them, for `owner`; the key is that of the
    /// first one, and [`take`](Ring::take) gives the next.
    ///
    /// # Errors
    ///
    /// Nothing was started.
    ///
    /// - [`Cause::Full`]: a chain of the batch is longer than the ring's entries.
    /// - [`Cause::Forked`]: the ring belongs to the parent process.
    /// - [`Cause::InvalidBatch`]: the batch breaks a rule.
    ///
    /// # Safety
    ///
    /// `batch` is neither used, moved nor dropped, and what it borrows stays borrowed, until all
    /// of its operations are complete or the ring has been dropped. Each answer that is
    /// [taken](Ring::take) goes to its own operation and to no other.
    pub unsafe fn start<B: Lowering + ?Sized>(
        &mut self,
        batch: &mut B,
        owner: u32,
    ) -> Result<Key, Error> {
        batch.check()?;
        if self.is_forked() {
            return Err(Error::of_ring(Cause::Forked));
        }
        let whole = batch.len() <= self.backend.capacity();
        let room = if whole { batch.len() } else { self.longest_chain(batch)? };
        let (kinds, soft) = batch.kinds();
        let announced = Announced { count: room, kinds, soft, is_quiet: self.is_quiet };
        let (mut first, mut last) = (Key::NONE, Key::NONE);
        let mut is_head = true;
        handle::begin_chain();
        batch.lower(&mut |shape, op| {
            if is_head && (!whole || first == Key::NONE) {
                self.backend.begin(&announced, &mut self.answered);
            }
            let progress = Progress::InFlight { fd: op.descriptor().unwrap_or(-1) };
            let (kind, is_linked) = (shape.kind, shape.link.is_linked());
            let slot = Slot { owner, kind, is_linked, next: Key::NONE, progress };
            let key = self.slots.insert(slot);
            match self.slots.get_mut(last) {
                Some(slot) => slot.next = key,
                None => first = key,
            }
            last = key;
            self.in_flight += 1;
            // What another ring's key names here is a stranger.
            let op = match op {
                RawOp::Cancel { ring, .. } if *ring != self.id => &RawOp::CANCEL_NOTHING,
                op => op,
            };
            // SAFETY: the caller keeps what the operation names in place until it is complete.
            unsafe {
                self.backend.start(key, shape.kind, op, shape.link, &mut self.answered);
            }
            is_head = !is_linked;
            if is_head {
                handle::begin_chain();
            }
        });
        Ok(first)
    }

    /// How many operations must be started without a pause for every chain to stay whole.
    fn longest_chain<B: Lowering + ?Sized>(&self, batch: &B) -> Result<usize, Error> {
        let (mut longest, mut chain) = (0, 0);
        for index in 0..batch.len() {
            chain += 1;
            longest = longest.max(chain);
            if !batch.shape(index).link.is_linked() {
                chain = 0;
            }
        }
        if longest > self.backend.capacity() {
            return Err(Error::of_ring(Cause::Full));
        }
        Ok(longest)
    }

    /// Asks the operation of `key` to stop, until it has completed.
    ///
    /// It is a request: one that succeeds in the meantime reports its success.
    pub fn cancel(&mut self, key: Key) {
        if self.slots.get(key).is_some_and(|slot| !slot.is_complete()) && !self.is_forked() {
            self.backend.cancel(key, &mut self.answered);
        }
    }

    /// [Cancels](Ring::cancel) the operations of a batch, which starts with `first`.
    pub fn cancel_batch(&mut self, first: Key) {
        let mut key = first;
        while key != Key::NONE {
            self.cancel(key);
            key = self.next(key);
        }
    }

    /// Hands over to the OS what was started, waits as `mode` says, and collects what is complete,
    /// in at most one system call. It does not wait while [`completed`](Ring::completed) has
    /// something to say.
    ///
    /// In a process that was forked, everything in flight completes at once as
    /// [`Cause::Forked`]: the kernel works on the parent's memory.
    ///
    /// # Errors
    ///
    /// The ring is broken (somebody closed its descriptor, say): what is in flight can't be waited
    /// for any more, and so its memory can't be given back either.
    pub fn wait(&mut self, mode: Mode) -> Result<(), Error> {
        if self.is_forked() {
            let unanswered = self.slots.iter().filter(|(_, slot)| !slot.is_complete());
            self.answered = unanswered.map(|(key, _)| (key, Err(Cause::Forked))).collect();
            return Ok(());
        }
        if self.in_flight == 0 && !self.is_polled.get() && !self.has_waker {
            return Ok(());
        }
        let may_block = (self.in_flight > 0 || self.has_waker) && self.answered.is_empty();
        let mode = if may_block { mode } else { Mode::NonBlocking };
        self.backend.wait(mode, &mut self.answered)
    }

    /// Whether [`completed`](Ring::completed) has something to say.
    pub fn has_completed(&self) -> bool {
        !self.answered.is_empty()
    }

    /// The next operation that is complete: its owner and its key. Each is told once.
    pub fn completed(&mut self) -> Option<(u32, Key)> {
        let (key, result) = self.answered.pop_front()?;
        let slot = self.slots.get_mut(key).expect("a key is answered before it is taken");
        debug_assert!(!slot.is_complete(), "a key is answered once");
        slot.progress = Progress::Complete(result);
        self.in_flight -= 1;
        Some((slot.owner, key))
    }

    /// Lets each operation be told as soon as it is complete, also a linked one.
    pub(crate) fn tell_each(&mut self) {
        self.is_quiet = false;
    }

    /// What an operation is that was started and not told to be complete: its kind, and the
    /// descriptor that it works on, if there is one. `None` for any other key.
    ///
    /// ```
    /// use corio_aio::{Descriptor, Mode, OpKind, Options, Ring, op, op::Operation};
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let theirs = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// let (ours, _) = listener.accept()?;
    /// let (mut ring, mut buf) = (Ring::new(&Options::default())?, [0; 8]);
    /// let mut batch = (op::recv(&ours, &mut buf).soft(), op::nop());
    /// // SAFETY: the batch and what it borrows are not used again before the ring is dropped.
    /// let key = unsafe { ring.start(&mut batch, 0) }?;
    /// assert_eq!(ring.describe(key), Some((OpKind::Recv, Some(ours.raw()))));
    /// assert_eq!(ring.describe(ring.next(key)), Some((OpKind::Nop, None)));
    /// drop(theirs);
    /// while ring.in_flight() > 0 {
    ///     ring.wait(Mode::Blocking)?;
    ///     while ring.completed().is_some() {}
    /// }
    /// assert_eq!(ring.describe(key), None);
    /// # drop(ring);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn describe(&self, key: Key) -> Option<(OpKind, Option<RawHandle>)> {
        let slot = self.slots.get(key)?;
        match slot.progress {
            Progress::InFlight { fd } => Some((slot.kind, (fd >= 0).then_some(fd))),
            Progress::Complete(_) => None,
        }
    }

    /// Takes the answer of an operation that is complete, and the key of the one after it in its
    /// batch ([`Key::NONE`] after the last).
    ///
    /// # Panics
    ///
    /// If it was not told to be complete ([`completed`](Ring::completed)), or was taken before.
    pub fn take(&mut self, key: Key) -> (Answer, Key) {
        let slot = self.slots.remove(key).expect("the answer was not taken before");
        let Progress::Complete(result) = slot.progress else { panic!("it is not complete") };
        // SAFETY: a descriptor in an answer was made for it; the slot that held it is gone.
        (unsafe { Answer::new(result) }, slot.next)
    }

    /// Whether the operation of `key` was told to be complete, and was not taken.
    pub fn is_complete(&self, key: Key) -> bool {
        self.slots.get(key).is_some_and(|slot| slot.is_complete())
    }

    /// Whether one of the chains of a batch, which starts with `first`, is complete to its end; an
    /// operation that is not linked is a chain of its own. None of them was taken.
    pub fn is_any_complete(&self, first: Key) -> bool {
        let (mut key, mut is_whole) = (first, true);
        while let Some(slot) = self.slots.get(key) {
            is_whole &= slot.is_complete();
            if !slot.is_linked {
                if is_whole {
                    return true;
                }
                is_whole = true;
            }
            key = slot.next;
        }
        false
    }

    /// Whether the operation of `key` is complete, was not taken, and failed.
    pub(crate) fn has_failed(&self, key: Key) -> bool {
        self.slots.get(key).is_some_and(|slot| matches!(slot.progress, Progress::Complete(Err(_))))
    }

    /// The key of the operation after that of `key` in its batch, while neither is taken.
    pub fn next(&self, key: Key) -> Key {
        self.slots.get(key).map_or(Key::NONE, |slot| slot.next)
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        if self.is_forked() {
            return;
        }
        let unanswered = self.slots.iter().filter(|(_, slot)| !slot.is_complete());
        let keys: Vec<Key> = unanswered.map(|(key, _)| key).collect();
        for key in keys {
            self.cancel(key);
        }
        while self.in_flight > 0 {
            if let Err(error) = self.wait(Mode::Blocking) {
                abort(&error);
            }
            while self.completed().is_some() {}
        }
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring").field("id", &self.id).field("in_flight", &self.in_flight).finish()
    }
}
