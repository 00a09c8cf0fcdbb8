//! Handles and sockets of Windows: two kinds of one number space, of which each is borrowed, owned
//! and closed in its own way.
//!
//! 64-bit Windows has handles of 32 significant bits, so that 32-bit programs can be given them:
//! they may be cut to those, and sign-extended again. Sockets are handles.

use std::fmt;
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Stderr, Stdin, Stdout};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::windows::io::{
    AsHandle, AsRawHandle, AsRawSocket, AsSocket, BorrowedHandle, BorrowedSocket, FromRawHandle,
    FromRawSocket, OwnedHandle,
};
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::rc::Rc;
use std::sync::Arc;

use super::{Descriptor, IntoDescriptor, RawHandle};
use crate::sys::net::Socket;

/// Owns a file.
pub type OwnedFile = OwnedHandle;

/// Owns a socket.
pub use std::os::windows::io::OwnedSocket;

/// Owns an open file or socket, and closes it when it is dropped.
pub enum OwnedDescriptor {
    /// A file, or anything else that is closed as one.
    Handle(OwnedHandle),
    /// A socket.
    Socket(OwnedSocket),
}

/// Borrows an open file or socket: for a type of the program's own that is `AsHandle` or
/// `AsSocket`.
#[derive(Clone, Copy, Debug)]
pub enum BorrowedDescriptor<'a> {
    /// A file, or anything else that is closed as one.
    Handle(BorrowedHandle<'a>),
    /// A socket.
    Socket(BorrowedSocket<'a>),
}

impl OwnedDescriptor {
    /// Borrows it.
    pub fn borrow(&self) -> BorrowedDescriptor<'_> {
        match self {
            OwnedDescriptor::Handle(handle) => BorrowedDescriptor::Handle(handle.as_handle()),
            OwnedDescriptor::Socket(socket) => BorrowedDescriptor::Socket(socket.as_socket()),
        }
    }
}

impl BorrowedDescriptor<'_> {
    /// Makes another one of the same file or socket.
    ///
    /// # Errors
    ///
    /// The system refused.
    pub fn try_clone_to_owned(&self) -> io::Result<OwnedDescriptor> {
        match self {
            BorrowedDescriptor::Handle(handle) => {
                handle.try_clone_to_owned().map(OwnedDescriptor::Handle)
            }
            BorrowedDescriptor::Socket(socket) => {
                socket.try_clone_to_owned().map(OwnedDescriptor::Socket)
            }
        }
    }
}

impl fmt::Debug for OwnedDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.borrow().fmt(f)
    }
}

impl<'a> From<BorrowedHandle<'a>> for BorrowedDescriptor<'a> {
    fn from(handle: BorrowedHandle<'a>) -> BorrowedDescriptor<'a> {
        BorrowedDescriptor::Handle(handle)
    }
}

impl<'a> From<BorrowedSocket<'a>> for BorrowedDescriptor<'a> {
    fn from(socket: BorrowedSocket<'a>) -> BorrowedDescriptor<'a> {
        BorrowedDescriptor::Socket(socket)
    }
}

/// Takes over what came with a message, which nothing does here.
///
/// # Safety
///
/// Nobody else owns it.
pub unsafe fn own_descriptor(raw: RawHandle) -> OwnedDescriptor {
    // SAFETY: passed on.
    OwnedDescriptor::Handle(unsafe { own_file(raw) })
}

/// Takes a file over.
///
/// # Safety
///
/// Nobody else owns it.
pub unsafe fn own_file(raw: RawHandle) -> OwnedFile {
    // SAFETY: passed on.
    unsafe { OwnedHandle::from_raw_handle(raw as isize as _) }
}

/// Takes a socket over.
///
/// # Safety
///
/// Nobody else owns it.
pub unsafe fn own_socket(raw: RawHandle) -> OwnedSocket {
    // SAFETY: passed on.
    unsafe { OwnedSocket::from_raw_socket(raw as isize as _) }
}

/// What keeps a descriptor open, and always the same one.
///
/// # Safety
///
/// What `raw` answers stays open for as long as `self` is borrowed, and as long as it is moved but
/// not dropped.
pub unsafe trait Keeps {
    /// The descriptor.
    #[doc(hidden)]
    fn raw(&self) -> RawHandle;
}

// SAFETY: it is what `Keeps` promises.
unsafe impl<T: Keeps> Descriptor for T {
    fn raw(&self) -> RawHandle {
        Keeps::raw(self)
    }
}

impl<T: Keeps> IntoDescriptor for T {
    type Descriptor = T;

    fn into_descriptor(self) -> T {
        self
    }
}

macro_rules! keeps {
    ($as:ident, $raw:ident: $($type:ty),+ $(,)?) => {$(
        // SAFETY: who has the value keeps the handle open: it owns it, or borrows it from who does.
        unsafe impl Keeps for $type {
            fn raw(&self) -> RawHandle {
                self.$as().$raw() as isize as RawHandle
            }
        }
    )+};
}

keeps! {
    as_handle, as_raw_handle:
    File, OwnedHandle, BorrowedHandle<'_>, PipeReader, PipeWriter, Stdin, Stdout, Stderr,
    ChildStdin, ChildStdout, ChildStderr,
}

keeps! {
    as_socket, as_raw_socket:
    TcpListener, TcpStream, UdpSocket, Socket, OwnedSocket, BorrowedSocket<'_>,
}

// SAFETY: it is a borrow of an open one.
unsafe impl Keeps for BorrowedDescriptor<'_> {
    fn raw(&self) -> RawHandle {
        match self {
            BorrowedDescriptor::Handle(handle) => Keeps::raw(handle),
            BorrowedDescriptor::Socket(socket) => Keeps::raw(socket),
        }
    }
}

// SAFETY: it owns it.
unsafe impl Keeps for OwnedDescriptor {
    fn raw(&self) -> RawHandle {
        Keeps::raw(&self.borrow())
    }
}

macro_rules! keeps_through {
    ($($type:ty),+) => {$(
        // SAFETY: what keeps it open is kept, by a borrow or by an owner, and not changed.
        unsafe impl<T: Keeps + ?Sized> Keeps for $type {
            fn raw(&self) -> RawHandle {
                T::raw(self)
            }
        }
    )+};
}

keeps_through! { &T, &mut T, Box<T>, Rc<T>, Arc<T> }

macro_rules! owned {
    ($variant:ident: $($type:ty),+ $(,)?) => {$(
        impl From<$type> for OwnedDescriptor {
            fn from(owner: $type) -> OwnedDescriptor {
                OwnedDescriptor::$variant(owner.into())
            }
        }
    )+};
}

owned! {
    Handle: File, OwnedHandle, PipeReader, PipeWriter, ChildStdin, ChildStdout, ChildStderr,
}

owned! { Socket: TcpListener, TcpStream, UdpSocket, Socket, OwnedSocket }
