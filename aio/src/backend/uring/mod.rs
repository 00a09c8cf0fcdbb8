//! io_uring: operations go to the kernel as they are; this file keeps the books.

mod books;
mod door;
mod entry;
mod probe;

use std::collections::VecDeque;
use std::mem;
use std::os::fd::AsRawFd;

use io_uring::{IoUring, cqueue, squeue};

use self::books::Books;
use self::door::Door;
use super::emulate::{self, Driver, Stop};
use super::links::Links;
use super::{Announced, Answered, Backend, Mode, Options, Traffic, syscall};
use crate::error::{Cause, Error};
use crate::handle::RawHandle;
use crate::key::Key;
use crate::kind::{Kinds, OpKind};
use crate::op::{Link, RawOp};

/// Marks the number of an entry that is our own: with a key it is a cancel of that key.
const OURS: u64 = 1 << Key::BITS;

/// The number of our own entries whose completion says nothing.
const SILENT: u64 = OURS | Key::NONE.to_bits();

/// How many entries the longest operation takes: a close that cancels first.
const MOST_ENTRIES: usize = 2;

/// Those after whose failure the kernel goes on with a soft chain as if they had succeeded: it
/// looks for a mark that they forget to set (6.18 still does).
const FAIL_UNNOTICED: Kinds = Kinds::NONE
    .with(OpKind::Fsync)
    .with(OpKind::Ftruncate)
    .with(OpKind::Fallocate)
    .with(OpKind::Madvise)
    .with(OpKind::SyncFileRange)
    .with(OpKind::Statx)
    .with(OpKind::RenameAt)
    .with(OpKind::UnlinkAt)
    .with(OpKind::MkdirAt)
    .with(OpKind::SymlinkAt)
    .with(OpKind::LinkAt)
    .with(OpKind::Shutdown);

/// An io_uring instance, and the chains that can't go to it whole.
pub struct Uring {
    kernel: Kernel,
    /// Chains that go to it one operation after the other: some are done by a plain call, and after
    /// some it would go on whatever happens.
    links: Links,
    /// Whether the chains of the batch that is being started are such ones.
    is_split: bool,
    done: VecDeque<Answered>,
}

/// The kernel's side: it takes single operations and whole chains.
struct Kernel {
    /// Comes first: it goes before the ring is closed.
    door: Door,
    ring: IoUring,
    books: Books,
    /// Whether linked operations of the batch that is being started may be quiet.
    is_quiet: bool,
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
    traffic: Traffic,
}

impl Uring {
    /// Sets one up, for the calling thread.
    pub fn new(options: &Options) -> Result<Uring, Error> {
        let entries = options.entries.max(1).saturating_mul(MOST_ENTRIES as u32);
        let (ring, cancels_by_handle) = probe::build(entries)?;
        let kernel = Kernel {
            door: Door::new(ring.as_raw_fd()),
            ring,
            books: Books::new(),
            is_quiet: false,
            stubborn: Vec::new(),
            early: VecDeque::new(),
            polled: Vec::new(),
            is_probed: false,
            plain: syscall::NEVER_WAIT.and(probe::masked()),
            cancels_by_handle,
            traffic: Traffic::default(),
        };
        Ok(Uring { kernel, links: Links::new(), is_split: false, done: VecDeque::new() })
    }
}

// SAFETY: the kernel completes each entry once, `Books` answers each key once, and what was
// answered was completed by the kernel or never reached it.
unsafe impl Backend for Uring {
    fn capacity(&self) -> usize {
        self.kernel.ring.params().sq_entries() as usize / MOST_ENTRIES
    }

    fn begin(&mut self, announced: &Announced, answered: &mut VecDeque<Answered>) {
        let Announced { count, kinds, soft, is_quiet } = *announced;
        self.is_split = self.kernel.is_plain(kinds) || soft.meets(FAIL_UNNOTICED);
        self.kernel.is_quiet = is_quiet && kinds.is_within(Kinds::ALWAYS_TRIED);
        self.kernel.reserve(count, answered);
    }

    unsafe fn start(
        &mut self,
        key: Key,
        kind: OpKind,
        op: &RawOp,
        link: Link,
        answered: &mut VecDeque<Answered>,
    ) {
        if self.is_split {
            // SAFETY: passed on.
            unsafe { self.links.start(&mut self.kernel, key, kind, op, link, answered) };
        } else {
            self.kernel.push(key, kind, op, link, self.kernel.is_quiet);
        }
    }

    fn cancel(&mut self, key: Key, answered: &mut VecDeque<Answered>) {
        self.links.cancel(&mut self.kernel, key, answered);
    }

    fn wait(&mut self, mode: Mode, answered: &mut VecDeque<Answered>) -> Result<(), Error> {
        self.links.start_delayed(&mut self.kernel, answered);
        if self.links.is_empty() {
            return self.kernel.wait(mode == Mode::Blocking, answered);
        }
        emulate::wait(&mut self.kernel, &mut self.links, &mut self.done, mode, answered)
    }

    fn traffic(&self) -> Traffic {
        self.kernel.traffic
    }

    fn supports(&self, kind: OpKind) -> bool {
        probe::supports(&self.kernel.ring, kind)
    }
}

// SAFETY: as for `Uring`.
unsafe impl Driver for Kernel {
    unsafe fn start(&mut self, key: Key, kind: OpKind, op: &RawOp) -> Option<Result<u32, Cause>> {
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
        done.append(&mut self.early);
        loop {
            self.ask_again(done);
            let queue = self.ring.submission();
            let has_work = !queue.is_empty() || queue.taskrun() || queue.cq_overflow();
            drop(queue);
            if !has_work {
                self.collect(done);
                if !self.stubborn.is_empty() {
                    continue;
                }
                if !is_blocking || !done.is_empty() {
                    return Ok(());
                }
            }
            let want = usize::from(is_blocking && done.is_empty());
            let is_submitted = self.enter(want, done).map_err(Error::of_ring)?;
            if is_submitted && (!is_blocking || !done.is_empty()) {
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

impl Kernel {
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

    /// Makes room for an operation that nobody has announced.
    fn reserve_one(&mut self) {
        let mut early = mem::take(&mut self.early);
        self.reserve(1, &mut early);
        self.early = early;
    }

    /// Whether one of these kinds is done by a plain call, or not at all.
    fn is_plain(&mut self, kinds: Kinds) -> bool {
        if kinds.meets(probe::RECENT) && !self.is_probed {
            self.is_probed = true;
            self.plain = self.plain.and(probe::missing(&self.ring));
        }
        kinds.meets(self.plain)
    }

    /// Puts the entries of an operation into the submission queue.
    fn push(&mut self, key: Key, kind: OpKind, op: &RawOp, link: Link, is_quiet: bool) {
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
                if !probe::knows(&self.ring, OpKind::SendZc)
                    || !syscall::sends_without_copy(fd) =>
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
                match completion.flags() {
                    flags if cqueue::notif(flags) => self.books.let_go(key, answered),
                    flags if cqueue::more(flags) => self.books.keep(key, result),
                    _ => self.books.complete(key, result, answered),
                }
            } else if result < 0 {
                self.stubborn.push(key);
            }
        }
        self.stubborn.extend(self.books.overdue());
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
