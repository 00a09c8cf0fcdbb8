//! What the tests ask a Unix for.

use std::io;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;

/// Whether a stack takes more and more memory as it is used, instead of all from the start.
pub const STACKS_GROW: bool = false;

/// Whether a byte can be read, as the kernel sees it.
pub fn is_readable(byte: NonNull<u8>) -> bool {
    let (_reader, writer) = io::pipe().unwrap();
    let writer = writer.as_raw_fd();
    // SAFETY: the kernel answers `EFAULT` for memory that can't be read.
    unsafe { libc::write(writer, byte.as_ptr().cast(), 1) == 1 }
}
