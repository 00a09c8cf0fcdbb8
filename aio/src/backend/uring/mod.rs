//! io_uring: operations go to the kernel as they are; this file keeps the books.

mod books;
mod door;
mod entry;
mod held;
mod probe;

use std::collections::VecDeque;
use std::os::fd::AsRawFd;

use io_uring::{IoUring, squeue};

use self::books::Books;
use self::door::Door;
use self::held::{Held, Waiting};
use super::{Answered, Backend, Mode, Options, Traffic, syscall};
use crate::error::{Cause, Error};
use crate::key::Key;
use crate::kind::{Kinds, OpKind};
use crate::op::{Link, RawOp};

/// Marks the number of an entry that is our own: with a key it is a cancel of that key.
const OURS: u64 = 1 << Key::BITS;

/// The number of our own entries whose completion says nothing.
const SILENT: u64 = OURS | Key::NONE.to_bits();

/// How many entries the longest operation takes: a close that cancels first, or one that a chain
/// ends with before its rest.
const MOST_ENTRIES: usize = 2;

/// An io_uring instance.
pub struct Uring {
    /// Comes first: it goes before the ring is closed.
    door: Door,
    ring: IoUring,
    books: Books,
    held: Held,
    chain: Chain,
    /// Whether linked operations of the batch that is being started may be quiet.
    is_quiet: bool,
    /// Operations that are to be asked again to stop.
    stubborn: Vec<Key>,
    cancels_by_handle: bool,
    traffic: Traffic,
}

/// How far the chain that is being started has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chain {
    /// The kernel has nothing of it: the next operation starts it.
    Empty,
    /// The kernel has the operation before the next one.
    InKernel,
    /// It has, but would not notice if that one fails: a time limit may follow, the rest waits.
    Unnoticed,
    /// The rest waits.
    Held,
    /// An operation failed before the kernel had anything, so that the rest is canceled.
    Broken,
}

impl Uring {
    /// Sets one up, for the calling thread.
    pub fn new(options: &Options) -> Result<Uring, Error> {
        let entries = options.entries.max(1).saturating_mul(MOST_ENTRIES as u32);
        let (ring, cancels_by_handle) = probe::build(entries)?;
        Ok(Uring {
            door: Door::new(ring.as_raw_fd()),
            ring,
            books: Books::new(),
            held: Held::default(),
            chain: Chain::Empty,
            is_quiet: false,
            stubborn: Vec::new(),
            cancels_by_handle,
            traffic: Traffic::default(),
        })
    }
}

// SAFETY: the kernel completes each entry once, `Books` answers each key once, and what was
// answered was completed by the kernel or never reached it.
unsafe impl Backend for Uring {
    fn capacity(&self) -> usize {
        self.ring.params().sq_entries() as usize / MOST_ENTRIES
    }

    fn begin(
        &mut self,
        count: usize,
        kinds: Kinds,
        is_quiet: bool,
        answered: &mut VecDeque<Answered>,
    ) {
        self.is_quiet = is_quiet && kinds.is_within(Kinds::ALWAYS_TRIED);
        self.reserve(count, answered);
    }

    unsafe fn start(
        &mut self,
        key: Key,
        kind: OpKind,
        op: &RawOp,
        link: Link,
        answered: &mut VecDeque<Answered>,
    ) {
        self.start_next(Waiting { key, kind, op: *op, link, is_canceled: false }, answered);
    }

    fn cancel(&mut self, key: Key, answered: &mut VecDeque<Answered>) {
        if self.held.cancel(key) {
            return;
        }
        self.reserve(1, answered);
        self.push_entry(entry::cancel(key).user_data(OURS | key.to_bits()));
    }

    fn wait(&mut self, mode: Mode, answered: &mut VecDeque<Answered>) -> Result<(), Error> {
        loop {
            self.start_held(answered);
            self.ask_again(answered);
            let queue = self.ring.submission();
            let has_work = !queue.is_empty() || queue.taskrun() || queue.cq_overflow();
            drop(queue);
            if !has_work {
                self.collect(answered);
                if !self.stubborn.is_empty() || self.held.is_any_ready() {
                    continue;
                }
                if mode == Mode::NonBlocking || !answered.is_empty() {
                    return Ok(());
                }
            }
            let want = usize::from(mode == Mode::Blocking && answered.is_empty());
            let is_submitted = self.enter(want, answered).map_err(Error::of_ring)?;
            if is_submitted && (mode == Mode::NonBlocking || !answered.is_empty()) {
                return Ok(());
            }
        }
    }

    fn traffic(&self) -> Traffic {
        self.traffic
    }

    fn supports(&self, kind: OpKind) -> bool {
        probe::supports(&self.ring, kind)
    }
}

impl Uring {
    /// Starts the next operation of a chain, or holds it back.
    fn start_next(&mut self, next: Waiting, answered: &mut VecDeque<Answered>) {
        let Waiting { key, kind, op, link, .. } = next;
        match (self.chain, self.answer_at_once(kind, &op)) {
            (Chain::Unnoticed, _) if kind == OpKind::LinkTimeout => {
                self.books.note(key, kind, &op, Link::None, false);
                self.push(key, &op, Link::None, false);
                self.chain = Chain::Held;
            }
            (Chain::Unnoticed, _) => {
                // What waits is linked to something, so that a time limit could have followed.
                let flags = squeue::Flags::SKIP_SUCCESS;
                self.push_entry(entry::nothing().flags(flags).user_data(SILENT));
                self.held.put(next);
                self.chain = Chain::Held;
            }
            (Chain::Held, _) => self.held.put(next),
            (_, Some(result)) => {
                if result.is_err() && link == Link::Soft {
                    self.chain = Chain::Broken;
                }
                answered.push_back((key, result));
            }
            (_, None) => {
                let is_quiet = self.books.note(key, kind, &op, link, self.is_quiet);
                self.push(key, &op, link, is_quiet);
                self.chain = Chain::InKernel;
                if link == Link::Soft && held::fails_unnoticed(&op) {
                    self.held.wait_for(key);
                    self.chain = Chain::Unnoticed;
                }
            }
        }
        if !link.is_linked() {
            self.chain = Chain::Empty;
            self.books.end_chain();
        }
    }

    /// Starts what was held back and need not be any more.
    fn start_held(&mut self, answered: &mut VecDeque<Answered>) {
        while let Some(rest) = self.held.next() {
            self.reserve(rest.len(), answered);
            self.is_quiet = false;
            for next in rest {
                self.start_next(next, answered);
                if next.is_canceled {
                    self.stubborn.push(next.key);
                }
            }
        }
    }

    /// Makes room for `count` operations, so that they stay together.
    fn reserve(&mut self, count: usize, answered: &mut VecDeque<Answered>) {
        let needed = count * MOST_ENTRIES;
        loop {
            let queue = self.ring.submission();
            if queue.capacity() - queue.len() >= needed {
                return;
            }
            drop(queue);
            if let Err(error) = self.enter(0, answered) {
                crate::guard::abort(&error);
            }
        }
    }

    /// The answer of an operation that need not, or must not, go to the kernel's queue: one whose
    /// chain is broken, one that never waits, and a time limit on one that is complete.
    fn answer_at_once(&self, kind: OpKind, op: &RawOp) -> Option<Result<u32, Cause>> {
        match self.chain {
            Chain::InKernel | Chain::Unnoticed | Chain::Held => None,
            _ if kind == OpKind::LinkTimeout => Some(Ok(0)),
            Chain::Broken => Some(Err(Cause::Canceled)),
            // SAFETY: who starts the operation keeps its memory valid for longer than this call.
            Chain::Empty if syscall::never_waits(op) => unsafe { syscall::call(op) },
            Chain::Empty => None,
        }
    }

    /// Puts the entries of an operation into the submission queue.
    fn push(&mut self, key: Key, op: &RawOp, link: Link, is_quiet: bool) {
        if let &RawOp::Close { fd, shared: true, .. } = op
            && self.cancels_by_handle
        {
            let flags = squeue::Flags::IO_HARDLINK | squeue::Flags::SKIP_SUCCESS;
            self.push_entry(entry::cancel_all_of(fd).flags(flags).user_data(SILENT));
        }
        let mut flags = match link {
            Link::None => squeue::Flags::empty(),
            Link::Soft => squeue::Flags::IO_LINK,
            Link::Hard => squeue::Flags::IO_HARDLINK,
        };
        flags.set(squeue::Flags::SKIP_SUCCESS, is_quiet);
        self.push_entry(entry::of(op, link).flags(flags).user_data(key.to_bits()));
    }

    fn push_entry(&mut self, entry: squeue::Entry) {
        // SAFETY: what the entry names stays in place until its key is answered: the caller of
        // `Backend::start` sees to it, for our own entries it is static.
        let pushed = unsafe { self.ring.submission().push(&entry) };
        pushed.expect("`reserve` made room");
    }

    /// Enters the kernel once: submits what is queued, waits for `want` completions, collects.
    /// Says whether all is submitted.
    fn enter(&mut self, want: usize, answered: &mut VecDeque<Answered>) -> Result<bool, Cause> {
        let count = self.ring.submission().len();
        let entered = self.door.enter(count, want);
        self.collect(answered);
        self.traffic.calls += 1;
        match entered {
            Ok(submitted) => {
                self.traffic.submitted += submitted as u64;
                Ok(submitted >= count)
            }
            Err(error) => match error.raw_os_error() {
                Some(libc::EINTR) => Ok(count == 0),
                // Too many completions are uncollected, or memory is short: both pass.
                Some(libc::EBUSY | libc::EAGAIN) => {
                    std::thread::yield_now();
                    Ok(count == 0)
                }
                code => Err(Cause::Os(code.unwrap_or(libc::EIO))),
            },
        }
    }

    /// Collects what the kernel has completed.
    fn collect(&mut self, answered: &mut VecDeque<Answered>) {
        let known = answered.len();
        let mut is_any_invalid = false;
        for completion in self.ring.completion() {
            self.traffic.completed += 1;
            let (number, result) = (completion.user_data(), completion.result());
            let key = Key::from_bits(number & !OURS);
            if number & OURS == 0 {
                is_any_invalid |= result == -libc::EINVAL;
                self.books.complete(key, result, answered);
            } else if result < 0 {
                self.stubborn.push(key);
            }
        }
        self.held.settle(&self.books, answered);
        if is_any_invalid {
            self.name_what_is_unsupported(answered.iter_mut().skip(known));
        }
    }

    /// Kernels say `EINVAL` to an opcode that they don't know.
    #[cold]
    fn name_what_is_unsupported<'a>(&self, answered: impl Iterator<Item = &'a mut Answered>) {
        for (key, result) in answered {
            if *result == Err(Cause::Os(libc::EINVAL))
                && !probe::knows(&self.ring, self.books.kind(*key))
            {
                *result = Err(Cause::Unsupported);
            }
        }
    }

    /// Asks those operations again to stop that had not started yet when they were asked: their
    /// turn in the chain may have come since, or is still to come.
    fn ask_again(&mut self, answered: &mut VecDeque<Answered>) {
        while let Some(key) = self.stubborn.pop() {
            if !self.books.is_pending(key) {
                continue;
            }
            self.reserve(1, answered);
            let flags = squeue::Flags::IO_HARDLINK;
            self.push_entry(entry::moment().flags(flags).user_data(SILENT));
            self.push_entry(entry::cancel(key).user_data(OURS | key.to_bits()));
        }
    }
}
