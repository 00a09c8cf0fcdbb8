//! io_uring: operations go to the kernel as they are, in whole chains where it keeps them.

mod bell;
mod books;
mod door;
mod entry;
mod kernel;
mod probe;

use std::collections::VecDeque;
use std::time::Instant;

use self::kernel::Kernel;
use super::emulate::{self, Driver};
use super::links::Links;
use super::{Announced, Answered, Backend, Mode, Options, SetUp, Traffic};
use crate::error::Error;
use crate::handle::BorrowedDescriptor;
use crate::key::Key;
use crate::kind::{Kinds, OpKind};
use crate::op::{Link, RawOp};
use crate::waker::Waker;

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

/// Those that the OS always gets as far as trying, so that a mistake in their arguments fails
/// them in their turn instead of failing their whole chain at once.
const ALWAYS_TRIED: Kinds = Kinds::NONE
    .with(OpKind::Nop)
    .with(OpKind::Read)
    .with(OpKind::Write)
    .with(OpKind::Fsync)
    .with(OpKind::Fallocate)
    .with(OpKind::Fadvise)
    .with(OpKind::SyncFileRange)
    .with(OpKind::Close)
    .with(OpKind::Accept)
    .with(OpKind::Connect)
    .with(OpKind::Send)
    .with(OpKind::Recv)
    .with(OpKind::Shutdown)
    .with(OpKind::SendMsg)
    .with(OpKind::RecvMsg)
    .with(OpKind::SendZc)
    .with(OpKind::ReadTty)
    .with(OpKind::ChildExit)
    .with(OpKind::NotifyEventSource)
    .with(OpKind::WaitEventSource)
    .with(OpKind::CloseEventSource);

/// An io_uring instance, and the chains that can't go to it whole.
pub struct Uring {
    kernel: Kernel,
    /// Chains that go to it one operation after the other: some are done by a plain call, and after
    /// some it would go on whatever happens.
    links: Links,
    /// Whether the chains of the batch that is being started are such ones.
    is_split: bool,
    /// Whether linked operations of that batch may be quiet.
    is_quiet: bool,
    done: VecDeque<Answered>,
}

impl SetUp for Uring {
    fn set_up(options: &Options) -> Result<Uring, Error> {
        let kernel = Kernel::new(options)?;
        Ok(Uring {
            kernel,
            links: Links::new(),
            is_split: false,
            is_quiet: false,
            done: VecDeque::new(),
        })
    }
}

// SAFETY: the kernel completes each entry once, `Books` answers each key once, and what was
// answered was completed by the kernel or never reached it.
unsafe impl Backend for Uring {
    fn capacity(&self) -> usize {
        self.kernel.capacity()
    }

    fn begin(&mut self, announced: &Announced, answered: &mut VecDeque<Answered>) {
        let Announced { count, kinds, soft, is_quiet } = *announced;
        // The kernel does not find timeouts that it does not have.
        self.is_split = self.kernel.is_plain(kinds)
            || soft.meets(FAIL_UNNOTICED)
            || kinds.contains(OpKind::Cancel);
        self.is_quiet = is_quiet && kinds.is_within(ALWAYS_TRIED);
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
        } else if kind == OpKind::Timeout && !link.is_linked() && self.kernel.is_at_head() {
            // SAFETY: passed on.
            let answer = unsafe { self.kernel.start(key, kind, op) };
            debug_assert!(answer.is_none(), "time passes later");
        } else {
            self.kernel.push(key, kind, op, link, self.is_quiet);
        }
    }

    fn cancel(&mut self, key: Key, answered: &mut VecDeque<Answered>) {
        self.links.cancel(&mut self.kernel, key, answered);
    }

    fn wait(&mut self, mode: Mode, answered: &mut VecDeque<Answered>) -> Result<(), Error> {
        self.links.start_delayed(&mut self.kernel, answered);
        emulate::wait(&mut self.kernel, &mut self.links, &mut self.done, mode, answered)
    }

    fn traffic(&self) -> Traffic {
        self.kernel.traffic()
    }

    fn supports(&self, kind: OpKind) -> bool {
        self.kernel.supports(kind)
    }

    fn descriptor(&self) -> Result<BorrowedDescriptor<'_>, Error> {
        self.kernel.descriptor()
    }

    fn waker(&mut self) -> Result<Waker, Error> {
        self.kernel.waker()
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.kernel.next_deadline()
    }
}
