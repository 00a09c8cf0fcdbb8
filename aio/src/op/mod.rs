//! Operations as values: what is to be done, never how. No function here makes a system call.
//!
//! Each function makes a value; nothing happens until the value is given to
//! [`single`](crate::single), [`multi`](crate::multi), [`complete`](crate::complete), a
//! [`Dynamic`](crate::Dynamic) queue, or a task. Values are linked with [`Operation::soft`] and
//! [`Operation::hard`].
//!
//! - files: [`read()`], [`write()`], [`readv`], [`writev`], [`open_at`], [`close`], [`fsync`],
//!   [`ftruncate`], [`fallocate`], [`fadvise`], [`sync_file_range`], [`statx`]
//! - directories: [`rename_at`], [`unlink_at`], [`mkdir_at`], [`symlink_at`], [`link_at`]
//! - sockets: [`socket()`], [`bind`], [`listen`], [`accept`], [`connect`], [`send`], [`recv`],
//!   [`send_msg`], [`recv_msg`], [`send_zc`], [`shutdown`], [`get_socket_option`],
//!   [`set_socket_option`]
//! - pipes, terminals: [`pipe()`], [`splice`], [`read_tty`]
//! - processes: [`child_exit`], [`wait_id`]
//! - memory: [`madvise`], [`futex_wait`], [`futex_wake`]
//! - threads: [`notify_event_source`], [`wait_event_source`], [`close_event_source`]
//! - other operations: [`cancel`], [`link_timeout`], [`timeout`], [`poll`], [`nop`]

mod any;
#[expect(unsafe_code, reason = "declares contracts")]
mod buffer;
mod control;
mod dir;
mod event;
mod file;
mod futex;
#[expect(unsafe_code, reason = "takes descriptors and addresses out of messages")]
mod header;
mod linux;
mod message;
#[expect(unsafe_code, reason = "declares a contract")]
mod option;
mod path;
mod pipe;
mod process;
#[expect(unsafe_code, reason = "makes descriptors of answers")]
mod raw;
mod socket;
mod stat;
mod tty;
mod vectored;
mod zero_copy;

pub use any::{Any, Value};
pub use buffer::{Buf, BufMut, Bufs, BufsMut};
pub use control::{
    Cancel, Events, LinkTimeout, Nop, Poll, Timeout, cancel, link_timeout, nop, poll, timeout,
};
pub use dir::{
    LinkAt, MkdirAt, RenameAt, SymlinkAt, UnlinkAt, link_at, mkdir_at, rename_at, symlink_at,
    unlink_at,
};
pub use event::{
    NotifyEventSource, WaitEventSource, close_event_source, notify_event_source, wait_event_source,
};
pub use file::{
    Close, Fsync, Ftruncate, OpenAt, Read, Write, close, fsync, ftruncate, open_at, read, write,
};
pub use futex::{FutexWait, FutexWake, futex_wait, futex_wake};
pub use header::{ControlMessage, Received};
pub use linux::{
    Fadvise, Fallocate, FileAdvice, Madvise, MemoryAdvice, SyncFileRange, fadvise, fallocate,
    madvise, sync_file_range,
};
pub use message::{Descriptors, RecvMsg, SendMsg, recv_msg, send_msg};
pub use option::{
    GetSocketOption, OptionValue, SetSocketOption, SocketOption, get_socket_option,
    set_socket_option,
};
pub use pipe::{Pipe, Splice, pipe, splice};
pub use process::{ChildExit, ChildState, WaitId, Waited, child_exit, wait_id};
pub use raw::{Answer, RawOp, Timespec};
pub(crate) use raw::{buffers_of, total};
pub use socket::{
    Accept, Bind, Connect, Listen, Recv, Send, Shutdown, Socket, accept, bind, connect, listen,
    recv, send, shutdown, socket,
};
pub use stat::{Stat, Statx, statx};
pub use tty::{ReadTty, read_tty};
pub use vectored::{Readv, Writev, readv, writev};
pub use zero_copy::{SendZc, send_zc};

use crate::error::Error;
use crate::kind::OpKind;

/// How an operation is linked to the next one of its batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Link {
    /// Not at all: the next one may run beside it.
    #[default]
    None,
    /// The next one starts after it; if it fails, the rest of the chain is canceled.
    Soft,
    /// The next one starts after it, whatever happens.
    Hard,
}

impl Link {
    /// Whether it is linked to the next one.
    pub const fn is_linked(self) -> bool {
        !matches!(self, Link::None)
    }
}

/// What is to be done: a plain value, until it is given to a ring.
///
/// It is implemented by the values of this module, and by nothing else.
pub trait Operation: Sized + private::Sealed {
    /// What it yields when it succeeds.
    type Output;

    /// What it is.
    #[doc(hidden)]
    fn kind(&self) -> OpKind {
        Self::KIND
    }

    /// How it is linked to the next operation.
    #[doc(hidden)]
    fn link(&self) -> Link {
        Self::LINK
    }

    /// The number that it carries.
    #[doc(hidden)]
    fn tag(&self) -> u64 {
        0
    }

    /// What it is, as far as that is known at compile time.
    #[doc(hidden)]
    const KIND: OpKind;

    /// How it is linked, as far as that is known at compile time.
    #[doc(hidden)]
    const LINK: Link = Link::None;

    /// Whether `KIND` and `LINK` are all there is to know, already at compile time.
    #[doc(hidden)]
    const IS_FIXED: bool = true;

    /// Its form for a backend. The pointers in it are good until `self` is used again, moved or
    /// dropped; who starts it sees to that.
    #[doc(hidden)]
    fn lower(&mut self) -> RawOp;

    /// Its result, of the answer to what `lower` made. Called once, after `lower`.
    #[doc(hidden)]
    fn finish(&mut self, answer: Answer) -> Result<Self::Output, Error>;

    /// The next operation of the batch starts when this one has succeeded; if it fails, the rest
    /// of its chain is [`Canceled`](crate::Cause::Canceled).
    ///
    /// A short [`read()`], [`write()`], [`readv`], [`writev`] or [`splice`] counts as a failure for
    /// this, a short [`recv`] does not. A linked [`send`], [`send_msg`] or [`send_zc`] sends all of
    /// its bytes before the next operation starts.
    fn soft(self) -> Soft<Self> {
        Soft(self)
    }

    /// The next operation of the batch starts when this one has completed, whatever its result.
    fn hard(self) -> Hard<Self> {
        Hard(self)
    }

    /// Lets the operation carry a number, which its completion report repeats.
    fn userdata(self, userdata: u64) -> Tagged<Self> {
        Tagged(self, userdata)
    }
}

/// An operation that is linked to the next one: see [`Operation::soft`].
#[derive(Debug)]
pub struct Soft<O>(O);

/// An operation that is linked to the next one: see [`Operation::hard`].
#[derive(Debug)]
pub struct Hard<O>(O);

/// An operation with a number: see [`Operation::userdata`].
#[derive(Debug)]
pub struct Tagged<O>(O, u64);

impl<O> Soft<O> {
    /// The operation.
    pub fn into_inner(self) -> O {
        self.0
    }
}

impl<O> Hard<O> {
    /// The operation.
    pub fn into_inner(self) -> O {
        self.0
    }
}

impl<O> Tagged<O> {
    /// The operation.
    pub fn into_inner(self) -> O {
        self.0
    }
}

/// What the three wrappers pass on.
macro_rules! pass_on {
    () => {
        type Output = O::Output;
        const KIND: OpKind = O::KIND;
        const IS_FIXED: bool = O::IS_FIXED;

        fn kind(&self) -> OpKind {
            self.0.kind()
        }

        fn lower(&mut self) -> RawOp {
            self.0.lower()
        }

        fn finish(&mut self, answer: Answer) -> Result<O::Output, Error> {
            self.0.finish(answer)
        }
    };
}

impl<O: Operation> Operation for Soft<O> {
    pass_on!();
    const LINK: Link = Link::Soft;

    fn tag(&self) -> u64 {
        self.0.tag()
    }
}

impl<O: Operation> Operation for Hard<O> {
    pass_on!();
    const LINK: Link = Link::Hard;

    fn tag(&self) -> u64 {
        self.0.tag()
    }
}

impl<O: Operation> Operation for Tagged<O> {
    pass_on!();
    const LINK: Link = O::LINK;

    fn link(&self) -> Link {
        self.0.link()
    }

    fn tag(&self) -> u64 {
        self.1
    }
}

mod private {
    pub trait Sealed {}
    impl<O: super::Operation> Sealed for super::Soft<O> {}
    impl<O: super::Operation> Sealed for super::Hard<O> {}
    impl<O: super::Operation> Sealed for super::Tagged<O> {}
}
