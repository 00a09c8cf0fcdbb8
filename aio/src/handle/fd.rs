//! Descriptors of Unix and WASI: numbers, of files and sockets alike.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::{Descriptor, IntoDescriptor, RawHandle};

/// Owns an open file or socket, and closes it when it is dropped.
pub type OwnedDescriptor = OwnedFd;

/// Borrows an open file or socket.
pub type BorrowedDescriptor<'a> = BorrowedFd<'a>;

/// Owns a file.
pub type OwnedFile = OwnedFd;

/// Owns a socket.
pub type OwnedSocket = OwnedFd;

/// Takes over what came with a message.
///
/// # Safety
///
/// Nobody else owns it.
pub unsafe fn own_descriptor(raw: RawHandle) -> OwnedDescriptor {
    // SAFETY: passed on.
    unsafe { OwnedFd::from_raw_fd(raw) }
}

/// Takes a file over.
///
/// # Safety
///
/// Nobody else owns it.
pub unsafe fn own_file(raw: RawHandle) -> OwnedFile {
    // SAFETY: passed on.
    unsafe { OwnedFd::from_raw_fd(raw) }
}

/// Takes a socket over.
///
/// # Safety
///
/// Nobody else owns it.
pub unsafe fn own_socket(raw: RawHandle) -> OwnedSocket {
    // SAFETY: passed on.
    unsafe { OwnedFd::from_raw_fd(raw) }
}

// SAFETY: who holds a borrow or the owner keeps the descriptor open (that is what `AsFd` means).
unsafe impl<T: AsFd> Descriptor for T {
    fn raw(&self) -> RawHandle {
        self.as_fd().as_raw_fd()
    }
}

impl<T: AsFd> IntoDescriptor for T {
    type Descriptor = T;

    fn into_descriptor(self) -> T {
        self
    }
}
