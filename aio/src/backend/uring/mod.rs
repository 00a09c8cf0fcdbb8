//! io_uring: operations go to the kernel as they are; this file keeps the books.

mod direct;
mod entry;
mod probe;

use io_uring::{IoUring, squeue};

use super::{Answered, Backend, Mode, Options};
use crate::error::{Cause, Error};
use crate::key::Key;
use crate::kind::OpKind;
use crate::op::{Link, RawOp};

/// Marks the number of an entry that is our own: with a key it is a cancel of that key.
const OURS: u64 = 1 << Key::BITS;

/// The number of our own entries whose completion says nothing.
const SILENT: u64 = OURS | Key::NONE.to_bits();

/// How many entries the longest operation takes: a close that cancels first.
const MOST_ENTRIES: usize = 2;

/// An io_uring instance.
pub struct Uring {
    ring: IoUring,
    /// What was started, by slot of its key.
    started: Vec<Started>,
    chain: Chain,
    /// Operations that are to be asked again to stop.
    stubborn: Vec<Key>,
    cancels_by_handle: bool,
    skips_successes: bool,
}

/// An operation that the kernel has, or had.
#[derive(Clone, Copy)]
struct Started {
    key: Key,
    kind: OpKind,
    is_pending: bool,
    /// The number that it succeeds with, if that is the only one: the kernel then says nothing.
    quiet: Option<u32>,
    is_soft: bool,
    /// Its neighbours in the chain.
    before: Key,
    after: Key,
}

/// The chain that is being started.
#[derive(Clone, Copy)]
struct Chain {
    /// The operation before the next one, if the kernel has it.
    last: Key,
    /// Whether there is an operation before the next one at all.
    is_empty: bool,
    /// Whether one failed already, so that the rest is canceled.
    is_broken: bool,
    /// Whether all so far are quiet.
    is_quiet: bool,
}

impl Chain {
    const EMPTY: Chain =
        Chain { last: Key::NONE, is_empty: true, is_broken: false, is_quiet: true };
}

impl Backend for Uring {
    fn new(options: &Options) -> Result<Uring, Error> {
        let entries = options.entries.max(1).saturating_mul(MOST_ENTRIES as u32);
        let (ring, cancels_by_handle) = probe::build(entries)?;
        let skips_successes = ring.params().is_feature_skip_cqe_on_success();
        Ok(Uring {
            ring,
            started: Vec::new(),
            chain: Chain::EMPTY,
            stubborn: Vec::new(),
            cancels_by_handle,
            skips_successes,
        })
    }

    fn capacity(&self) -> usize {
        self.ring.params().sq_entries() as usize / MOST_ENTRIES
    }

    fn reserve(&mut self, count: usize, answered: &mut Vec<Answered>) {
        let needed = count * MOST_ENTRIES;
        loop {
            let queue = self.ring.submission();
            if queue.capacity() - queue.len() >= needed {
                return;
            }
            drop(queue);
            if let Err(error) = self.enter(0, answered) {
                crate::ring::abort(&error);
            }
        }
    }

    unsafe fn start(
        &mut self,
        key: Key,
        kind: OpKind,
        op: RawOp,
        link: Link,
        quiet: bool,
        answered: &mut Vec<Answered>,
    ) {
        let result = self.answer_at_once(kind, op);
        match result {
            Some(result) => {
                self.chain.is_broken |= result.is_err() && link == Link::Soft;
                answered.push((key, result));
                self.chain.last = Key::NONE;
            }
            None => {
                let quiet = quiet && self.skips_successes && self.chain.is_quiet;
                let quiet = if quiet && link.is_linked() { only_success(op) } else { None };
                self.note(key, kind, link, quiet);
                self.push(key, op, link, quiet.is_some());
                self.chain.is_quiet &= quiet.is_some();
            }
        }
        self.chain.is_empty = false;
        if !link.is_linked() {
            self.chain = Chain::EMPTY;
        }
    }

    fn cancel(&mut self, key: Key, answered: &mut Vec<Answered>) {
        self.reserve(1, answered);
        self.push_entry(entry::cancel(key).user_data(OURS | key.to_bits()));
    }

    fn wait(&mut self, mode: Mode, answered: &mut Vec<Answered>) -> Result<(), Error> {
        self.collect(answered);
        loop {
            self.ask_again(answered);
            let want = usize::from(mode == Mode::Blocking && answered.is_empty());
            let queue = self.ring.submission();
            let has_work = !queue.is_empty() || queue.taskrun() || queue.cq_overflow();
            drop(queue);
            if want == 0 && !has_work {
                return Ok(());
            }
            let is_submitted = self.enter(want, answered).map_err(Error::of_ring)?;
            if is_submitted && (mode == Mode::NonBlocking || !answered.is_empty()) {
                return Ok(());
            }
        }
    }

    fn supports(&self, kind: OpKind) -> bool {
        probe::supports(&self.ring, kind)
    }
}

impl Uring {
    /// The answer of an operation that need not, or must not, go to the kernel's queue: one whose
    /// chain is broken, one that never waits, and a time limit on one that is complete.
    fn answer_at_once(&self, kind: OpKind, op: RawOp) -> Option<Result<u32, Cause>> {
        match kind {
            OpKind::LinkTimeout if self.chain.last == Key::NONE => Some(Ok(0)),
            _ if self.chain.is_broken => Some(Err(Cause::Canceled)),
            _ if self.chain.last == Key::NONE => direct::call(op),
            _ => None,
        }
    }

    /// Notes that the kernel is about to have the operation.
    fn note(&mut self, key: Key, kind: OpKind, link: Link, quiet: Option<u32>) {
        let before = self.chain.last;
        let started = Started {
            key,
            kind,
            is_pending: true,
            quiet,
            is_soft: link == Link::Soft,
            before,
            after: Key::NONE,
        };
        let slot = key.slot();
        if slot >= self.started.len() {
            let nothing = Started { key: Key::NONE, is_pending: false, ..started };
            self.started.resize(slot + 1, nothing);
        }
        self.started[slot] = started;
        if before != Key::NONE {
            self.started[before.slot()].after = key;
        }
        self.chain.last = key;
    }

    /// Puts the entries of an operation into the submission queue.
    fn push(&mut self, key: Key, op: RawOp, link: Link, is_quiet: bool) {
        let op = match op {
            // Linked sends are sent whole: see `only_success`.
            RawOp::Send { fd, buf, len, flags } if link.is_linked() => {
                RawOp::Send { fd, buf, len, flags: flags | libc::MSG_WAITALL }
            }
            op => op,
        };
        if let RawOp::Close { fd, shared: true } = op
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
        self.push_entry(entry::of(op).flags(flags).user_data(key.to_bits()));
    }

    fn push_entry(&mut self, entry: squeue::Entry) {
        // SAFETY: what the entry names stays in place until its key is answered: the caller of
        // `Backend::start` sees to it, for our own entries it is static.
        let pushed = unsafe { self.ring.submission().push(&entry) };
        pushed.expect("`reserve` made room");
    }

    /// Enters the kernel once: submits what is queued, waits for `want` completions, collects.
    /// Says whether all is submitted.
    fn enter(&mut self, want: usize, answered: &mut Vec<Answered>) -> Result<bool, Cause> {
        /// Lets the kernel work off completions, also where it does not wait for any.
        const GET_EVENTS: u32 = 1;
        let count = self.ring.submission().len() as u32;
        let submitter = self.ring.submitter();
        // SAFETY: no argument is passed; the entries' memory is covered by `push_entry`.
        let entered =
            unsafe { submitter.enter::<libc::sigset_t>(count, want as u32, GET_EVENTS, None) };
        self.collect(answered);
        match entered {
            Ok(submitted) => Ok(submitted >= count as usize),
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
    fn collect(&mut self, answered: &mut Vec<Answered>) {
        let known = answered.len();
        let mut is_any_invalid = false;
        for completion in self.ring.completion() {
            let (number, result) = (completion.user_data(), completion.result());
            let key = Key::from_bits(number & !OURS);
            if number & OURS == 0 {
                is_any_invalid |= result == -libc::EINVAL;
                complete(&mut self.started, key, result, answered);
            } else if result < 0 {
                self.stubborn.push(key);
            }
        }
        if is_any_invalid {
            self.name_what_is_unsupported(&mut answered[known..]);
        }
    }

    /// Kernels say `EINVAL` to an opcode that they don't know.
    #[cold]
    fn name_what_is_unsupported(&self, answered: &mut [Answered]) {
        for (key, result) in answered {
            if *result == Err(Cause::Os(libc::EINVAL))
                && !probe::knows(&self.ring, self.started[key.slot()].kind)
            {
                *result = Err(Cause::Unsupported);
            }
        }
    }

    /// Asks those operations again to stop that had not started yet when they were asked: their
    /// turn in the chain may have come since, or is still to come.
    fn ask_again(&mut self, answered: &mut Vec<Answered>) {
        while let Some(key) = self.stubborn.pop() {
            if !is_pending(&self.started, key) {
                continue;
            }
            self.reserve(1, answered);
            let mut flags = squeue::Flags::IO_HARDLINK;
            flags.set(squeue::Flags::SKIP_SUCCESS, self.skips_successes);
            self.push_entry(entry::moment().flags(flags).user_data(SILENT));
            self.push_entry(entry::cancel(key).user_data(OURS | key.to_bits()));
        }
    }
}

fn is_pending(started: &[Started], key: Key) -> bool {
    started.get(key.slot()).is_some_and(|op| op.key == key && op.is_pending)
}

/// Whether the operation may have succeeded already, without a word.
fn is_silent(started: &[Started], key: Key) -> bool {
    is_pending(started, key) && started[key.slot()].quiet.is_some()
}

/// Answers an operation that has completed, and those of which that says what became of them:
/// before it in its chain, the quiet ones have succeeded; after one that failed though it was to be
/// quiet, the rest is canceled.
fn complete(started: &mut [Started], key: Key, result: i32, answered: &mut Vec<Answered>) {
    if !is_pending(started, key) {
        return;
    }
    let op = started[key.slot()];
    let mut first = key;
    while is_silent(started, started[first.slot()].before) {
        first = started[first.slot()].before;
    }
    while first != key {
        let before = &mut started[first.slot()];
        before.is_pending = false;
        answered.push((first, Ok(before.quiet.expect("silent ones have one success"))));
        first = before.after;
    }
    started[key.slot()].is_pending = false;
    answered.push((key, answer(op.kind, result)));
    let mut after = op.after;
    while op.quiet.is_some() && op.is_soft && after != Key::NONE {
        started[after.slot()].is_pending = false;
        answered.push((after, Err(Cause::Canceled)));
        after = started[after.slot()].after;
    }
}

/// The number that `op` succeeds with when it is linked to the next one, if there is only one: a
/// short read or write counts as a failure then, and a send is sent whole.
fn only_success(op: RawOp) -> Option<u32> {
    match op {
        RawOp::Read { len, .. } | RawOp::Write { len, .. } | RawOp::Send { len, .. } => Some(len),
        RawOp::Nop | RawOp::Fsync { .. } | RawOp::Shutdown { .. } => Some(0),
        _ => None,
    }
}

/// What a completion says.
fn answer(kind: OpKind, result: i32) -> Result<u32, Cause> {
    match (kind, -result) {
        (_, ..=0) => Ok(result as u32),
        (OpKind::Timeout, libc::ETIME) => Ok(0),
        (OpKind::LinkTimeout, libc::ETIME) => Err(Cause::Expired),
        // The operation came first, or could not be stopped any more.
        (OpKind::LinkTimeout, libc::ECANCELED | libc::ENOENT | libc::EALREADY) => Ok(0),
        // A worker's call is interrupted by a cancel and by nothing else.
        (_, libc::ECANCELED | libc::EINTR) => Err(Cause::Canceled),
        (_, code) => Err(Cause::Os(code)),
    }
}
