//! The kernel's side of io_uring: entries go in, completions come out.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use io_uring::{IoUring, cqueue, squeue};

use super::bell::Bell;
use super::books::Books;
use super::door::Door;
use super::{entry, probe};
use crate::backend::emulate::{Driver, Stop};
use crate::backend::timeouts::Timeouts;
use crate::backend::{Answered, Options, Traffic, syscall};
use crate::error::{Cause, Error};
use crate::handle::{BorrowedDescriptor, RawHandle};
use crate::key::Key;
use crate::kind::{Kinds, OpKind};
use crate::op::{Link, RawOp};
use crate::waker::Waker;

/// Marks the number of an entry that is our own: with a key it is a cancel of that key.
const OURS: u64 = 1 << Key::BITS;

/// The number of our own entries whose completion says nothing.
const SILENT: u64 = OURS | Key::NONE.to_bits();

/// The number of the entry that waits for the waker.
const WAKE: u64 = SILENT + 1;

/// How many entries the longest operation takes: a close that cancels first.
const MOST_ENTRIES: usize = 2;

/// The kernel's side: it takes single operations and whole chains.
pub struct Kernel {
    /// Comes first: it goes before the ring is closed.
    door: Door,
    ring: IoUring,
    books: Books,
    /// Those that stand alone: how long the kernel waits is told with each call.
    timeouts: Timeouts,
    /// Operations that are to be asked again to stop.
    stubborn: Vec<Key>,
    /// Completions that were collected while room was made for a single operation.
    early: VecDeque<Answered>,
    /// Those that wait for a process, which the kernel has as polls of its pidfd.
    polled: Vec<(Key, RawOp)>,
    /// Kinds that are done by plain calls, as polls, or not at all.
    plain: Kinds,
    /// Whether `plain` holds those of the recent kinds that this kernel lacks.
    is_probed: bool,
    cancels_by_handle: bool,
    /// What somebody polls who waits for the ring elsewhere, if somebody does.
    bell: OnceCell<Bell>,
    waker: Option<Waker>,
    /// Whether the kernel waits for the waker.
    is_wakeable: bool,
    /// Whether the waker was used, and no wait has ended for it.
    is_woken: bool,
    traffic: Traffic,
}

// SAFETY: the kernel completes each entry once, and `Books` answers each key once.
unsafe impl Driver for Kernel {
    unsafe fn start(&mut self, key: Key, kind: OpKind, op: &RawOp) -> Option<Result<u32, Cause>> {
        if let RawOp::Timeout { after } = *op {
            // SAFETY: who starts the operation keeps the time in place.
            self.timeouts.start(key, unsafe { *after }.duration());
            return None;
        }
        let mut op = *op;
        if self.plain.contains(kind) {
            match op {
                RawOp::WaitId { pidfd, info, options } => {
                    // SAFETY: passed on.
                    let now = unsafe { syscall::wait_id_now(pidfd, info, options) };
                    if now.is_some() {
                        return now;
                    }
                    self.polled.push((key, op));
                    op = RawOp::Poll { fd: pidfd, events: libc::POLLIN as u32 };
                }
                // SAFETY: passed on.
                _ if syscall::HAS_CALL.contains(kind) => return unsafe { syscall::call(&op) },
                _ => return Some(Err(Cause::Unsupported)),
            }
        }
        self.reserve_one();
        self.push(key, kind, &op, Link::None, false);
        None
    }

    fn stop(&mut self, key: Key, asker: Option<Key>) -> Stop {
        if self.timeouts.stop(key) {
            return Stop::Stopped(Err(Cause::Canceled));
        }
        self.reserve_one();
        match asker {
            Some(asker) => {
                let op = RawOp::Cancel { ring: 0, target: key };
                self.push(asker, OpKind::Cancel, &op, Link::None, false);
            }
            None => self.push_entry(entry::cancel(key).user_data(OURS | key.to_bits())),
        }
        Stop::Asked
    }

    fn users_of(&self, _: RawHandle, _: &mut Vec<Key>) {
        // `push` lets the kernel find them.
    }

    fn wait(&mut self, is_blocking: bool, done: &mut VecDeque<Answered>) -> Result<(), Error> {
        if !self.early.is_empty() {
            done.append(&mut self.early);
        }
        self.advance(is_blocking, done)?;
        if self.has_rung() {
            // What has come since is told by the next one.
            self.advance(false, done)?;
        }
        Ok(())
    }

    fn traffic(&self) -> Traffic {
        self.traffic
    }

    fn supports(&self, kind: OpKind) -> bool {
        probe::supports(&self.ring, kind)
    }

    fn descriptor(&self) -> Result<BorrowedDescriptor<'_>, Error> {
        if let Some(bell) = self.bell.get() {
            return Ok(bell.as_fd());
        }
        let made = Bell::new(&self.ring).and_then(|bell| {
            self.waker.iter().try_for_each(|waker| bell.watch(waker)).map(|()| bell)
        });
        let bell = made.map_err(|error| Error::of_ring(cause(&error)))?;
        Ok(self.bell.get_or_init(|| bell).as_fd())
    }

    fn waker(&mut self) -> Result<Waker, Error> {
        if let Some(waker) = &self.waker {
            return Ok(waker.clone());
        }
        let waker = Waker::new()?;
        if let Some(bell) = self.bell.get() {
            bell.watch(&waker).map_err(|error| Error::of_ring(cause(&error)))?;
        }
        Ok(self.waker.insert(waker).clone())
    }

    fn take_wake(&mut self) -> bool {
        mem::take(&mut self.is_woken)
    }

    fn next_deadline(&self) -> Option<Instant> {
        let is_more_to_do = !self.stubborn.is_empty() || !self.early.is_empty();
        let now = is_more_to_do.then(Instant::now);
        now.or_else(|| self.timeouts.next())
    }
}

impl Kernel {
    /// Sets one up, for the calling thread.
    pub fn new(options: &Options) -> Result<Kernel, Error> {
        let entries = options.entries.max(1).saturating_mul(MOST_ENTRIES as u32);
        let (ring, cancels_by_handle) = probe::build(entries)?;
        Ok(Kernel {
            door: Door::new(ring.as_raw_fd()),
            ring,
            books: Books::new(),
            timeouts: Timeouts::new(),
            stubborn: Vec::new(),
            early: VecDeque::new(),
            polled: Vec::new(),
            is_probed: false,
            plain: syscall::NEVER_WAIT.and(probe::masked()),
            cancels_by_handle,
            bell: OnceCell::new(),
            waker: None,
            is_wakeable: false,
            is_woken: false,
            traffic: Traffic::default(),
        })
    }

    /// Whether the next operation starts a new chain.
    #[inline]
    pub fn is_at_head(&self) -> bool {
        self.books.is_at_head()
    }

    /// How many operations can be handed over in one go.
    pub fn capacity(&self) -> usize {
        self.ring.params().sq_entries() as usize / MOST_ENTRIES
    }

    /// As [`Driver::wait`].
    fn advance(&mut self, is_blocking: bool, done: &mut VecDeque<Answered>) -> Result<(), Error> {
        loop {
            self.ask_again(done);
            self.await_wakes();
            self.timeouts.expire(done);
            let queue = self.ring.submission();
            let has_work = !queue.is_empty() || queue.taskrun() || queue.cq_overflow();
            drop(queue);
            if !has_work {
                self.collect(done);
                if !self.stubborn.is_empty() {
                    continue;
                }
                if !is_blocking || self.is_woken || !done.is_empty() {
                    return Ok(());
                }
            }
            let may_block = is_blocking && !self.is_woken && done.is_empty();
            let want = usize::from(may_block);
            let patience = if want > 0 { self.timeouts.patience() } else { None };
            let is_submitted = self.enter(want, patience, done).map_err(Error::of_ring)?;
            if is_submitted && (!is_blocking || self.is_woken || !done.is_empty()) {
                return Ok(());
            }
        }
    }

    /// Makes room for `count` operations, so that they stay together.
    #[inline]
    pub fn reserve(&mut self, count: usize, answered: &mut VecDeque<Answered>) {
        let needed = count * MOST_ENTRIES;
        loop {
            let queue = self.ring.submission();
            if queue.capacity() - queue.len() >= needed {
                return;
            }
            drop(queue);
            if let Err(error) = self.enter(0, None, answered) {
                crate::guard::abort(&error);
            }
        }
    }

    /// Whether somebody who polls the bell is to be woken, which is over with this.
    fn has_rung(&mut self) -> bool {
        let Some(bell) = self.bell.get() else { return false };
        let (has_rung, calls) = bell.silence(&self.ring, self.waker.as_ref());
        self.traffic.calls += calls;
        has_rung
    }

    /// Makes room for an operation that nobody has announced.
    fn reserve_one(&mut self) {
        let mut early = mem::take(&mut self.early);
        self.reserve(1, &mut early);
        self.early = early;
    }

    /// Whether one of these kinds is done by a plain call, or not at all.
    #[inline]
    pub fn is_plain(&mut self, kinds: Kinds) -> bool {
        if kinds.meets(probe::RECENT) && !self.is_probed {
            self.is_probed = true;
            self.plain = self.plain.and(probe::missing(&self.ring));
        }
        kinds.meets(self.plain)
    }

    /// Has the kernel wait for the waker, if there is one and it does not.
    fn await_wakes(&mut self) {
        if self.is_wakeable {
            return;
        }
        if let Some(fd) = self.waker.as_ref().and_then(Waker::raw) {
            self.reserve_one();
            self.push_entry(entry::each_readable(fd).user_data(WAKE));
            self.is_wakeable = true;
        }
    }

    /// Puts the entries of an operation into the submission queue.
    #[inline]
    pub fn push(&mut self, key: Key, kind: OpKind, op: &RawOp, link: Link, is_quiet: bool) {
        let stand_in;
        let op = match op {
            RawOp::SendZc { .. } => {
                stand_in = self.stand_in(op);
                &stand_in
            }
            op => op,
        };
        let is_quiet = self.books.note(key, kind, op, link, is_quiet);
        if !link.is_linked() {
            self.books.end_chain();
        }
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

    /// What the kernel is to do: it sends without a copy where it can.
    fn stand_in(&self, op: &RawOp) -> RawOp {
        match *op {
            RawOp::SendZc { fd, buf, len, flags }
                if !probe::knows(&self.ring, OpKind::SendZc) || !probe::sends_without_copy(fd) =>
            {
                RawOp::Send { fd, buf, len, flags }
            }
            op => op,
        }
    }

    fn push_entry(&mut self, entry: squeue::Entry) {
        // SAFETY: what the entry names stays in place until its key is answered: the caller of
        // `Backend::start` sees to it, for our own entries it is static.
        let pushed = unsafe { self.ring.submission().push(&entry) };
        pushed.expect("`reserve` made room");
    }

    /// Enters the kernel once: submits what is queued, waits for `want` completions, but no longer
    /// than `patience`, collects. Says whether all is submitted.
    fn enter(
        &mut self,
        want: usize,
        patience: Option<Duration>,
        answered: &mut VecDeque<Answered>,
    ) -> Result<bool, Cause> {
        let count = self.ring.submission().len();
        let entered = self.door.enter(count, want, patience);
        self.collect(answered);
        self.traffic.calls += 1;
        match entered {
            Ok(submitted) => {
                self.traffic.submitted += submitted as u64;
                Ok(submitted >= count)
            }
            Err(error) => match error.raw_os_error() {
                Some(libc::EINTR | libc::ETIME) => Ok(count == 0),
                // Too many completions are uncollected, or memory is short: both pass.
                Some(libc::EBUSY | libc::EAGAIN) => {
                    std::thread::yield_now();
                    Ok(count == 0)
                }
                _ => Err(cause(&error)),
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
                match completion.flags() {
                    flags if cqueue::notif(flags) => self.books.let_go(key, answered),
                    flags if cqueue::more(flags) => self.books.keep(key, result),
                    _ => self.books.complete(key, result, answered),
                }
            } else if number == WAKE {
                self.is_woken = true;
                self.is_wakeable = cqueue::more(completion.flags());
                if let Some(waker) = self.waker.as_ref().filter(|_| !self.is_wakeable) {
                    // What is told here would be told again by the next entry.
                    waker.clear();
                }
            } else if result < 0 {
                self.stubborn.push(key);
            }
        }
        if self.books.is_any_overdue() {
            self.stubborn.extend(self.books.overdue());
        }
        if is_any_invalid {
            self.name_what_is_unsupported(answered.iter_mut().skip(known));
        }
        if !self.polled.is_empty() {
            self.wait_for_what_is_polled(answered.iter_mut().skip(known));
        }
    }

    /// Asks what has become of the processes whose polls are complete.
    #[cold]
    fn wait_for_what_is_polled<'a>(&mut self, answered: impl Iterator<Item = &'a mut Answered>) {
        for (key, result) in answered {
            let Some(place) = self.polled.iter().position(|(polled, _)| polled == key) else {
                continue;
            };
            if let (_, RawOp::WaitId { pidfd, info, options }) = self.polled.swap_remove(place)
                && result.is_ok()
            {
                // SAFETY: the info is that of an operation that is not answered yet.
                let now = unsafe { syscall::wait_id_now(pidfd, info, options) };
                // It has ended, and a debugger keeps it.
                *result = now.unwrap_or(Err(Cause::InProgress));
            }
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
            if !self.books.is_stoppable(key) {
                continue;
            }
            self.reserve(1, answered);
            let flags = squeue::Flags::IO_HARDLINK;
            self.push_entry(entry::moment().flags(flags).user_data(SILENT));
            self.push_entry(entry::cancel(key).user_data(OURS | key.to_bits()));
        }
    }
}

fn cause(error: &io::Error) -> Cause {
    Cause::Os(error.raw_os_error().unwrap_or(libc::EIO))
}
