//! OpenBSD.

/// Types, constants and calls under the names that they have in C.
pub mod c {
    pub use super::super::names::*;
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
