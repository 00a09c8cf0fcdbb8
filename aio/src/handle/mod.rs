//! Where this system's descriptors meet the operations: what names one, and what closes one.

#[cfg_attr(any(unix, target_os = "wasi"), path = "fd.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod system;

pub use system::{BorrowedDescriptor, OwnedDescriptor};
pub(crate) use system::{OwnedFile, OwnedSocket, own_descriptor, own_file, own_socket};

use std::cell::{Cell, RefCell};
use std::mem;

use crate::sys::c;

/// What the OS calls an open file or socket: on Unix and WASI a file descriptor, on Windows the 32
/// bits of a `HANDLE` or `SOCKET` that mean something.
pub type RawHandle = i32;

/// What no open file or socket is called: an operation on it answers `EBADF`.
pub(crate) const CLOSED: RawHandle = -1;

/// Names a descriptor for an operation, for as long as the operation has it.
///
/// # Safety
///
/// What `raw` answers stays open for as long as `self` is neither used again nor dropped.
pub unsafe trait Descriptor {
    /// The descriptor; asked once, when the operation starts.
    fn raw(&self) -> RawHandle;
}

/// What can be given to an operation that uses a descriptor: anything that is `AsFd` (also by
/// reference, or in an `Rc` or `Arc`), a `&`[`Closing`], or [`Cwd`]. On Windows, what `std` and
/// `socket2` have that is `AsHandle` or `AsSocket`, in the same ways; what these traits borrow from
/// a type of the program's own; and a [`BorrowedDescriptor`].
pub trait IntoDescriptor {
    /// What the operation keeps of it.
    type Descriptor: Descriptor;
    /// Makes it ready to be used.
    fn into_descriptor(self) -> Self::Descriptor;
}

/// The current directory, where an operation takes a directory.
#[derive(Clone, Copy, Debug)]
pub struct Cwd;

// SAFETY: `AT_FDCWD` is not a descriptor and can't be closed.
unsafe impl Descriptor for Cwd {
    fn raw(&self) -> RawHandle {
        c::AT_FDCWD
    }
}

impl IntoDescriptor for Cwd {
    type Descriptor = Cwd;

    fn into_descriptor(self) -> Cwd {
        self
    }
}

/// A handle that can be used and closed in one batch.
///
/// Operations borrow it (`&closing`), and so does [`op::close`](crate::op::close), in the same
/// batch or in another one. From when the close starts, other operations that start answer `EBADF`.
/// If the close never ran (an operation that it was linked to failed), the handle is open again.
/// Dropping it closes it, if nothing has yet.
///
/// Closing cancels what is in flight on it in the same ring (with io_uring from Linux 6.1 on). The
/// file itself is given up when the last operation that had started on it is done: until then its
/// descriptor can't come to name another file.
///
/// ```
/// use corio_aio::{self as aio, op::{self, Operation}, Closing};
/// # fn main() -> std::io::Result<()> {
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let _client = std::net::TcpStream::connect(listener.local_addr()?)?;
/// let (ours, _) = listener.accept()?;
/// let ours = Closing::new(ours);
/// aio::multi((op::send(&ours, b"ok bye").soft(), op::close(&ours)))?;
/// assert!(ours.into_inner().is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Closing {
    state: RefCell<State>,
    /// How many operations have started on it and are not done.
    users: Cell<usize>,
    /// The chain that used it last, and how many of the users are in that.
    chain: Cell<(u64, usize)>,
}

#[derive(Debug)]
enum State {
    Open(OwnedDescriptor),
    /// A close has started and is not answered.
    Lent(OwnedDescriptor),
    /// It is closed, but some users are not done yet.
    Lingering(#[expect(dead_code, reason = "kept open, and used by nobody new")] OwnedDescriptor),
    Closed,
}

impl Closing {
    /// Wraps `handle`.
    pub fn new(handle: impl Into<OwnedDescriptor>) -> Closing {
        let state = RefCell::new(State::Open(handle.into()));
        Closing { state, users: Cell::new(0), chain: Cell::new((0, 0)) }
    }

    /// The handle, unless it was closed.
    pub fn into_inner(self) -> Option<OwnedDescriptor> {
        match self.state.into_inner() {
            State::Open(handle) | State::Lent(handle) => Some(handle),
            State::Lingering(_) | State::Closed => None,
        }
    }

    /// Whether all that use it stand before the next operation of the chain that is being started,
    /// so that the kernel has looked the descriptor up for each of them before that one runs.
    fn is_used_by_this_chain_only(&self) -> bool {
        let (chain, users) = self.chain.get();
        self.users.get() == if chain == CHAIN.get() { users } else { 0 }
    }

    fn change(&self, change: impl FnOnce(State) -> State) {
        let mut state = self.state.borrow_mut();
        *state = change(mem::replace(&mut state, State::Closed));
    }
}

thread_local! {
    /// Counts the chains that this thread has started.
    static CHAIN: Cell<u64> = const { Cell::new(0) };
}

/// The next operation that is lowered on this thread starts a new chain.
pub(crate) fn begin_chain() {
    CHAIN.set(CHAIN.get() + 1);
}

/// A [`Closing`] that an operation uses.
#[derive(Debug)]
pub struct Loan<'a> {
    closing: &'a Closing,
    has_started: Cell<bool>,
}

impl<'a> IntoDescriptor for &'a Closing {
    type Descriptor = Loan<'a>;

    fn into_descriptor(self) -> Loan<'a> {
        Loan { closing: self, has_started: Cell::new(false) }
    }
}

// SAFETY: once a loan has named the descriptor, that is closed by the kernel only when each user is
// one whose turn comes before the close's (`lend`), and by nobody else until the loan is gone.
unsafe impl Descriptor for Loan<'_> {
    fn raw(&self) -> RawHandle {
        let State::Open(handle) = &*self.closing.state.borrow() else { return CLOSED };
        if !self.has_started.replace(true) {
            self.closing.users.set(self.closing.users.get() + 1);
            let (chain, users) = self.closing.chain.get();
            let users = if chain == CHAIN.get() { users } else { 0 };
            self.closing.chain.set((CHAIN.get(), users + 1));
        }
        handle.raw()
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        if self.has_started.get() {
            self.closing.users.set(self.closing.users.get() - 1);
            let (chain, users) = self.closing.chain.get();
            self.closing.chain.set((chain, users.saturating_sub(1)));
            if self.closing.users.get() == 0 {
                self.closing.change(|state| match state {
                    State::Lingering(_) => State::Closed,
                    state => state,
                });
            }
        }
    }
}

/// A descriptor as a close that starts is given it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Lending {
    /// The descriptor.
    pub raw: RawHandle,
    /// Whether operations may be in flight on it.
    pub is_shared: bool,
    /// Whether the descriptor must be kept for them.
    pub lingers: bool,
}

/// What [`op::close`](crate::op::close) closes: an owned handle, or a `&`[`Closing`].
pub trait Closable: Sealed {
    /// Gives the descriptor to a close that starts.
    #[doc(hidden)]
    fn lend(&mut self) -> Lending;
    /// The close has run, or it did not and never will.
    #[doc(hidden)]
    fn settle(&mut self, closed: bool);
}

/// What can be given to [`op::close`](crate::op::close).
pub trait IntoClosable {
    /// What the operation keeps of it.
    type Closable: Closable;
    /// Makes it ready to be closed.
    fn into_closable(self) -> Self::Closable;
}

/// An owned handle, until it is closed.
#[derive(Debug)]
pub struct Owned(Option<OwnedDescriptor>);

impl Owned {
    /// The handle, unless it was closed.
    pub fn into_inner(self) -> Option<OwnedDescriptor> {
        self.0
    }
}

impl<T: Into<OwnedDescriptor>> IntoClosable for T {
    type Closable = Owned;

    fn into_closable(self) -> Owned {
        Owned(Some(self.into()))
    }
}

impl Closable for Owned {
    fn lend(&mut self) -> Lending {
        let raw = self.0.as_ref().map_or(CLOSED, Descriptor::raw);
        Lending { raw, is_shared: false, lingers: false }
    }

    fn settle(&mut self, closed: bool) {
        if closed {
            mem::forget(self.0.take());
        }
    }
}

/// A [`Closing`] that a close has borrowed.
#[derive(Debug)]
pub struct Lent<'a> {
    closing: &'a Closing,
    /// What it was given, until it is answered.
    lending: Option<Lending>,
}

impl<'a> IntoClosable for &'a Closing {
    type Closable = Lent<'a>;

    fn into_closable(self) -> Lent<'a> {
        Lent { closing: self, lending: None }
    }
}

impl Closable for Lent<'_> {
    fn lend(&mut self) -> Lending {
        let mut lending = Lending { raw: CLOSED, is_shared: true, lingers: false };
        self.closing.change(|state| match state {
            State::Open(handle) => {
                lending.raw = handle.raw();
                lending.lingers = !self.closing.is_used_by_this_chain_only();
                self.lending = Some(lending);
                State::Lent(handle)
            }
            state => state,
        });
        lending
    }

    fn settle(&mut self, closed: bool) {
        let Some(lending) = self.lending.take() else { return };
        self.closing.change(|state| match state {
            State::Lent(handle) if !closed => State::Open(handle),
            State::Lent(handle) if lending.lingers => {
                if self.closing.users.get() > 0 {
                    State::Lingering(handle)
                } else {
                    State::Closed
                }
            }
            State::Lent(handle) => {
                mem::forget(handle);
                State::Closed
            }
            state => state,
        });
    }
}

/// A close that was lowered and then not queued gives the handle back.
impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.settle(false);
    }
}

mod private {
    pub trait Sealed {}
    impl Sealed for super::Owned {}
    impl Sealed for super::Lent<'_> {}
}

/// Who may implement [`Closable`]: this crate.
pub(crate) use private::Sealed;
