//! OpenBSD.

/// Types, constants and calls under the names that they have in C.
pub mod c {
    pub use libc::*;

    pub use super::super::lacking::{
        FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE, FALLOC_FL_KEEP_SIZE,
        FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE, MADV_COLD, MADV_HUGEPAGE, MADV_NOHUGEPAGE,
        MADV_PAGEOUT, MSG_MORE, RENAME_EXCHANGE, RENAME_NOREPLACE, RWF_NOWAIT, SO_PASSCRED,
        SPLICE_F_MORE, SPLICE_F_MOVE, SPLICE_F_NONBLOCK, SYNC_FILE_RANGE_WAIT_AFTER,
        SYNC_FILE_RANGE_WAIT_BEFORE, SYNC_FILE_RANGE_WRITE, UIO_MAXIOV, accept4, madvise, preadv2,
        pwritev2, recv, recvmsg, renameat2, splice, statx, sync_file_range,
    };

    pub use super::super::files::{
        AT_EMPTY_PATH, POSIX_FADV_DONTNEED, POSIX_FADV_NOREUSE, POSIX_FADV_NORMAL,
        POSIX_FADV_RANDOM, POSIX_FADV_SEQUENTIAL, POSIX_FADV_WILLNEED, fallocate, posix_fadvise,
    };

    pub use libc::__errno as errno_location;

    /// What kind of event a queue watches for.
    pub type Filter = c_short;

    /// What a queue is to do with a change.
    pub type Flags = c_ushort;
}

pub use libc::{accept4 as accept, recvmsg as receive_message};

/// Whether the system takes advice on files.
pub const HAS_FADVISE: bool = false;

/// Whether files can be given room.
pub const HAS_FALLOCATE: bool = false;

/// Why poll(2) does not know a descriptor.
pub fn not_polled(_: c::c_int) -> i32 {
    c::EBADF
}

/// What times have beyond seconds: of the last access, change and write, and of the start.
pub fn nanoseconds(stat: &c::stat) -> [c::c_long; 4] {
    [stat.st_atime_nsec, stat.st_ctime_nsec, stat.st_mtime_nsec, stat.st_birthtime_nsec]
}

/// There is no such call.
///
/// # Safety
///
/// None: it is as elsewhere.
pub unsafe fn rename_specially(
    _: c::c_int,
    _: *const c::c_char,
    _: c::c_int,
    _: *const c::c_char,
    _: u32,
) -> c::c_int {
    super::fail(c::ENOSYS) as c::c_int
}
