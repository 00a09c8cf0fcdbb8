//! FreeBSD.

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

    pub use libc::__error as errno_location;

    /// What kind of event a queue watches for.
    pub type Filter = c_short;

    /// What a queue is to do with a change.
    pub type Flags = c_ushort;

    /// Gives a file room. It can be given in no other way.
    ///
    /// # Safety
    ///
    /// None: it is as elsewhere.
    pub unsafe fn fallocate(fd: c_int, mode: c_int, offset: off_t, len: off_t) -> c_int {
        if mode != 0 {
            return super::super::fail(ENOSYS) as c_int;
        }
        // SAFETY: the call takes numbers only.
        match unsafe { posix_fallocate(fd, offset, len) } {
            0 => 0,
            code => super::super::fail(code) as c_int,
        }
    }
}

pub use libc::{accept4 as accept, recvmsg as receive_message};

/// Whether the system takes advice on files.
pub const HAS_FADVISE: bool = true;

/// Whether files can be given room.
pub const HAS_FALLOCATE: bool = true;

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
