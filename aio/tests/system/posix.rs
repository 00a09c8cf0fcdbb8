//! What is the same on all systems that follow POSIX.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use super::Code;

/// The code of each name.
macro_rules! codes {
    ($($name:ident),+ $(,)?) => {
        impl Code {$(
            pub const $name: Code = Code::one_of(&[libc::$name]);
        )+}
    };
}

codes! {
    EADDRINUSE, EAFNOSUPPORT, EAGAIN, EBADF, ECHILD, ECONNREFUSED, ECONNRESET, EDESTADDRREQ,
    EEXIST, EFBIG, EINTR, EINVAL, EIO, EISCONN, EISDIR, ELOOP, EMFILE, EMSGSIZE, ENAMETOOLONG,
    ENODEV, ENOENT, ENOPROTOOPT, ENOSPC, ENOTCONN, ENOTDIR, ENOTEMPTY, ENOTSOCK, EOPNOTSUPP,
    EPERM, EPIPE, ESPIPE, ETXTBSY, EXDEV,
}

/// More numbers than a test has descriptors.
const MANY: i32 = 2_000;

/// How many descriptors are open, on systems that have no list of them.
pub fn count_descriptors() -> usize {
    (0..MANY).filter(|raw| is_open(*raw)).count()
}

/// Whether a descriptor is one.
pub fn is_open(raw: i32) -> bool {
    // SAFETY: it only asks, whatever the number is.
    unsafe { libc::fcntl(raw, libc::F_GETFD) != -1 }
}

/// Borrows a file as it is.
pub fn borrowed(file: &File) -> BorrowedFd<'_> {
    file.as_fd()
}

/// A directory, to be named from.
pub fn open_dir(path: &Path) -> File {
    File::open(path).expect("a directory")
}
