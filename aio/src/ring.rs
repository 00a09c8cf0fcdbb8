//! The ring: keys, batches and answers over one backend. What completes operations for a thread,
//! a queue or a scheduler is built on it.

use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::backend::{Announced, Answered, Backend, Chosen, Mode, Options, Traffic};
use crate::batch::Lowering;
use crate::error::{Cause, Error};
use crate::fork;
use crate::guard::abort;
use crate::handle;
use crate::key::{Id, Key, Slots};
use crate::kind::OpKind;
use crate::op::{Answer, RawOp};

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
    id: u64,
    fork_generation: u32,
    /// A ring is of one thread: some kernels refuse others, and so do we.
    _not_send: PhantomData<*mut ()>,
}

struct Slot {
    owner: u32,
    next: Key,
    answer: Option<Result<u32, Cause>>,
}

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
            let key = self.slots.insert(Slot { owner, next: Key::NONE, answer: None });
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
            is_head = !shape.link.is_linked();
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
        if self.slots.get(key).is_some_and(|slot| slot.answer.is_none()) && !self.is_forked() {
            self.backend.cancel(key, &mut self.answered);
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
            let unanswered = self.slots.iter().filter(|(_, slot)| slot.answer.is_none());
            self.answered = unanswered.map(|(key, _)| (key, Err(Cause::Forked))).collect();
            return Ok(());
        }
        if self.in_flight == 0 {
            return Ok(());
        }
        let mode = if self.answered.is_empty() { mode } else { Mode::NonBlocking };
        self.backend.wait(mode, &mut self.answered)
    }

    /// The next operation that is complete: its owner and its key. Each is told once.
    pub fn completed(&mut self) -> Option<(u32, Key)> {
        let (key, result) = self.answered.pop_front()?;
        let slot = self.slots.get_mut(key).expect("a key is answered before it is taken");
        debug_assert!(slot.answer.is_none(), "a key is answered once");
        slot.answer = Some(result);
        self.in_flight -= 1;
        Some((slot.owner, key))
    }

    /// Lets each operation be told as soon as it is complete, also a linked one.
    pub(crate) fn tell_each(&mut self) {
        self.is_quiet = false;
    }

    /// Takes the answer of an operation that is complete, and the key of the one after it in its
    /// batch ([`Key::NONE`] after the last).
    ///
    /// # Panics
    ///
    /// If it was not told to be complete ([`completed`](Ring::completed)), or was taken before.
    pub fn take(&mut self, key: Key) -> (Answer, Key) {
        let slot = self.slots.remove(key).expect("the answer was not taken before");
        let result = slot.answer.expect("the operation is complete");
        // SAFETY: a descriptor in an answer was made for it; the slot that held it is gone.
        (unsafe { Answer::new(result) }, slot.next)
    }

    /// Whether the operation of `key` was told to be complete, and was not taken.
    pub fn is_complete(&self, key: Key) -> bool {
        self.slots.get(key).is_some_and(|slot| slot.answer.is_some())
    }

    /// Whether the operation of `key` is complete, was not taken, and failed.
    pub(crate) fn has_failed(&self, key: Key) -> bool {
        self.slots.get(key).is_some_and(|slot| matches!(slot.answer, Some(Err(_))))
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
        let unanswered = self.slots.iter().filter(|(_, slot)| slot.answer.is_none());
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
