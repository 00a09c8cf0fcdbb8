//! FreeBSD.

/// Types, constants and calls under the names that they have in C.
pub mod c {
    pub use super::super::names::*;
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
