//! Where this system's descriptors meet the operations: what names one, and what closes one.

use std::cell::RefCell;
use std::fmt;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

/// What the OS calls an open file or socket.
pub type RawHandle = RawFd;

/// What no open file or socket is called: an operation on it answers `EBADF`.
const CLOSED: RawHandle = -1;

/// Names a descriptor for an operation: anything that is `AsFd` (also by reference, or in an `Rc`
/// or `Arc`), a [`Closing`], or [`Cwd`].
///
/// # Safety
///
/// What `raw` answers stays open for as long as `self` is neither used again nor dropped.
pub unsafe trait Descriptor {
    /// The descriptor; asked once, when the operation starts.
    fn raw(&self) -> RawHandle;
}

// SAFETY: who holds a borrow or the owner keeps the descriptor open (that is what `AsFd` means).
unsafe impl<T: AsFd> Descriptor for T {
    fn raw(&self) -> RawHandle {
        self.as_fd().as_raw_fd()
    }
}

/// The current directory, where an operation takes a directory.
#[derive(Clone, Copy, Debug)]
pub struct Cwd;

// SAFETY: `AT_FDCWD` is not a descriptor and can't be closed.
unsafe impl Descriptor for Cwd {
    fn raw(&self) -> RawHandle {
        libc::AT_FDCWD
    }
}

/// A handle that can be used and closed in one batch.
///
/// Operations borrow it (`&closing`), and so does [`op::close`](crate::op::close), in the same
/// batch or in another one. From when the close starts, other operations that start answer `EBADF`.
/// If the close never ran (an operation that it was linked to failed), the handle is open again.
/// Dropping it closes it, if nothing has yet.
///
/// Closing cancels what is in flight on it in the same ring (Linux 6.1 on).
///
/// ```
/// use corio_aio::{self as aio, op, Closing};
/// # fn main() -> Result<(), aio::Error> {
/// let (ours, _theirs) = std::os::unix::net::UnixStream::pair().expect("a pair of sockets");
/// let ours = Closing::new(ours);
/// aio::multi((op::send(&ours, b"ok bye").soft(), op::close(&ours)))?;
/// # use op::Operation;
/// assert!(ours.into_inner().is_none());
/// # Ok(())
/// # }
/// ```
pub struct Closing<T: AsFd + Into<OwnedFd>> {
    state: RefCell<State<T>>,
}

enum State<T> {
    Open(T),
    /// A close has started and is not answered.
    Lent(T),
    Closed,
}

impl<T: AsFd + Into<OwnedFd>> Closing<T> {
    /// Wraps `handle`.
    pub const fn new(handle: T) -> Closing<T> {
        Closing { state: RefCell::new(State::Open(handle)) }
    }

    /// The handle, unless it was closed.
    pub fn into_inner(self) -> Option<T> {
        match self.state.into_inner() {
            State::Open(handle) | State::Lent(handle) => Some(handle),
            State::Closed => None,
        }
    }

    fn replace(&self, change: impl FnOnce(State<T>) -> State<T>) {
        let mut state = self.state.borrow_mut();
        *state = change(mem::replace(&mut state, State::Closed));
    }
}

// SAFETY: the handle is dropped by nothing but an answered close (while which no operation uses
// it: they were given `CLOSED`, or were in flight and hold the file themselves) or with `self`.
unsafe impl<T: AsFd + Into<OwnedFd>> Descriptor for &Closing<T> {
    fn raw(&self) -> RawHandle {
        match &*self.state.borrow() {
            State::Open(handle) => handle.raw(),
            State::Lent(_) | State::Closed => CLOSED,
        }
    }
}

impl<T: AsFd + Into<OwnedFd>> fmt::Debug for Closing<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Closing").field(&self.raw()).finish()
    }
}

/// What [`op::close`](crate::op::close) closes: an owned handle, or a `&`[`Closing`].
pub trait Closable: private::Sealed {
    /// Gives the descriptor to a close that starts.
    #[doc(hidden)]
    fn lend(&mut self) -> RawHandle;
    /// The close has run, or it did not and never will.
    #[doc(hidden)]
    fn settle(&mut self, closed: bool);
    /// Whether operations may be in flight on it.
    #[doc(hidden)]
    fn is_shared(&self) -> bool;
}

/// An owned handle, until it is closed.
#[derive(Debug)]
pub struct Owned<T>(Option<T>);

impl<T> Owned<T> {
    /// The handle, unless it was closed.
    pub fn into_inner(self) -> Option<T> {
        self.0
    }
}

/// What can be given to [`op::close`](crate::op::close).
pub trait IntoClosable {
    /// What the operation keeps of it.
    type Closable: Closable;
    /// Makes it ready to be closed.
    fn into_closable(self) -> Self::Closable;
}

impl<T: AsFd + Into<OwnedFd>> IntoClosable for T {
    type Closable = Owned<T>;

    fn into_closable(self) -> Owned<T> {
        Owned(Some(self))
    }
}

impl<'a, T: AsFd + Into<OwnedFd>> IntoClosable for &'a Closing<T> {
    type Closable = Lent<'a, T>;

    fn into_closable(self) -> Lent<'a, T> {
        Lent { closing: self, started: false }
    }
}

impl<T: AsFd + Into<OwnedFd>> Closable for Owned<T> {
    fn lend(&mut self) -> RawHandle {
        self.0.as_ref().map_or(CLOSED, Descriptor::raw)
    }

    fn settle(&mut self, closed: bool) {
        if closed && let Some(handle) = self.0.take() {
            mem::forget::<OwnedFd>(handle.into());
        }
    }

    fn is_shared(&self) -> bool {
        false
    }
}

/// A [`Closing`] that a close has borrowed.
#[derive(Debug)]
pub struct Lent<'a, T: AsFd + Into<OwnedFd>> {
    closing: &'a Closing<T>,
    started: bool,
}

impl<T: AsFd + Into<OwnedFd>> Closable for Lent<'_, T> {
    fn lend(&mut self) -> RawHandle {
        let raw = self.closing.raw();
        self.closing.replace(|state| match state {
            State::Open(handle) => {
                self.started = true;
                State::Lent(handle)
            }
            state => state,
        });
        raw
    }

    fn settle(&mut self, closed: bool) {
        if !mem::take(&mut self.started) {
            return;
        }
        self.closing.replace(|state| match state {
            State::Lent(handle) if closed => {
                mem::forget::<OwnedFd>(handle.into());
                State::Closed
            }
            State::Lent(handle) => State::Open(handle),
            state => state,
        });
    }

    fn is_shared(&self) -> bool {
        true
    }
}

/// A close that was lowered and then not queued gives the handle back.
impl<T: AsFd + Into<OwnedFd>> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        self.settle(false);
    }
}

mod private {
    pub trait Sealed {}
    impl<T> Sealed for super::Owned<T> {}
    impl<T: std::os::fd::AsFd + Into<std::os::fd::OwnedFd>> Sealed for super::Lent<'_, T> {}
}
