//! What all but FreeBSD lack for files: advice on them, and room for them.

use libc::c_int;

/// Its value is known to `statx` only.
pub const AT_EMPTY_PATH: c_int = 0x4000_0000;

pub const POSIX_FADV_DONTNEED: c_int = 4;
pub const POSIX_FADV_NOREUSE: c_int = 5;
pub const POSIX_FADV_NORMAL: c_int = 0;
pub const POSIX_FADV_RANDOM: c_int = 1;
pub const POSIX_FADV_SEQUENTIAL: c_int = 2;
pub const POSIX_FADV_WILLNEED: c_int = 3;

/// There is no such call.
///
/// # Safety
///
/// None: it is as elsewhere.
pub unsafe fn posix_fadvise(_: c_int, _: i64, _: i64, _: c_int) -> c_int {
    libc::ENOSYS
}

/// There is no such call.
///
/// # Safety
///
/// None: it is as elsewhere.
pub unsafe fn fallocate(_: c_int, _: c_int, _: i64, _: i64) -> c_int {
    super::fail(libc::ENOSYS) as c_int
}
