//! Calls on files that the libc lacks.

use std::ffi::{c_char, c_int, c_uint, c_void};
use std::mem::MaybeUninit;

use super::{c, errno, fail, kind_of_file, refuse};
use crate::sys::status::{Status, Time};

/// statx(2), as far as the system knows of it.
///
/// # Safety
///
/// The path is valid, and the room is valid and unused.
pub unsafe fn statx(
    dir: c_int,
    path: *const c_char,
    flags: c_int,
    _: c_uint,
    status: *mut Status,
) -> c_int {
    let mut stat = MaybeUninit::<c::stat>::zeroed();
    // SAFETY: passed on.
    let is_dir_itself = flags & c::AT_EMPTY_PATH != 0 && unsafe { *path } == 0;
    let (room, follow) = (stat.as_mut_ptr(), flags & c::AT_SYMLINK_NOFOLLOW);
    let result = match (is_dir_itself, dir) {
        // SAFETY: there is room for the answer.
        (true, c::AT_FDCWD) => unsafe { c::fstatat(dir, c".".as_ptr(), room, 0) },
        // SAFETY: there is room for the answer.
        (true, _) => unsafe { c::fstat(dir, room) },
        // SAFETY: there is room for the answer, and the caller keeps the path valid.
        (false, _) => in_directory(dir, unsafe { c::fstatat(dir, path, room, follow) }),
    };
    // SAFETY: all zeros are a `stat`, too.
    let stat = unsafe { stat.assume_init() };
    if result == 0 {
        // SAFETY: passed on.
        unsafe { status.write(status_of(&stat)) };
    }
    result
}

/// What a call on a path came to: one that starts at what is no directory fails as POSIX has it.
fn in_directory(dir: c_int, result: c_int) -> c_int {
    if result < 0 && errno() == c::EBADF && !matches!(kind_of_file(dir), 0 | c::S_IFDIR) {
        return fail(c::ENOTDIR) as c_int;
    }
    result
}

/// unlinkat(2).
///
/// # Safety
///
/// The path is valid.
pub unsafe fn unlinkat(dir: c_int, path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: passed on.
    in_directory(dir, unsafe { libc::unlinkat(dir, path, flags) })
}

/// mkdirat(2).
///
/// # Safety
///
/// The path is valid.
pub unsafe fn mkdirat(dir: c_int, path: *const c_char, mode: c::mode_t) -> c_int {
    // SAFETY: passed on.
    in_directory(dir, unsafe { libc::mkdirat(dir, path, mode) })
}

/// symlinkat(2).
///
/// # Safety
///
/// The paths are valid.
pub unsafe fn symlinkat(target: *const c_char, dir: c_int, path: *const c_char) -> c_int {
    // SAFETY: passed on.
    in_directory(dir, unsafe { libc::symlinkat(target, dir, path) })
}

/// linkat(2).
///
/// # Safety
///
/// The paths are valid.
pub unsafe fn linkat(
    from: c_int,
    old: *const c_char,
    to: c_int,
    new: *const c_char,
    flags: c_int,
) -> c_int {
    // SAFETY: passed on.
    in_directory(from, in_directory(to, unsafe { libc::linkat(from, old, to, new, flags) }))
}

fn status_of(stat: &c::stat) -> Status {
    let time = |time: c::timespec| Time::new(time.tv_sec, time.tv_nsec as u32);
    Status {
        mask: Status::MASK & !Status::HAS_CREATED,
        block_size: stat.st_blksize as u32,
        links: stat.st_nlink as u32,
        uid: stat.st_uid,
        gid: stat.st_gid,
        mode: stat.st_mode as u16,
        inode: stat.st_ino,
        size: stat.st_size as u64,
        blocks: stat.st_blocks as u64,
        accessed: time(stat.st_atim),
        changed: time(stat.st_ctim),
        modified: time(stat.st_mtim),
        device_major: (stat.st_dev >> 32) as u32,
        device_minor: stat.st_dev as u32,
        special_major: (stat.st_rdev >> 32) as u32,
        special_minor: stat.st_rdev as u32,
        ..Status::default()
    }
}

/// renameat(2): there are no flags.
///
/// # Safety
///
/// The paths are valid.
pub unsafe fn renameat2(
    from: c_int,
    old: *const c_char,
    to: c_int,
    new: *const c_char,
    flags: c_uint,
) -> c_int {
    match flags {
        // SAFETY: passed on.
        0 => in_directory(from, in_directory(to, unsafe { c::renameat(from, old, to, new) })),
        _ => refuse(),
    }
}

/// fallocate(2), in its plain form.
///
/// # Safety
///
/// None is needed.
pub unsafe fn fallocate(fd: c_int, mode: c_int, offset: i64, len: i64) -> c_int {
    if mode != 0 {
        return refuse();
    }
    // SAFETY: the call takes numbers only.
    match unsafe { c::posix_fallocate(fd, offset, len) } {
        0 => 0,
        c::ENOTSUP => refuse(),
        code => fail(code) as c_int,
    }
}

/// What there is no call for.
macro_rules! refused {
    ($($name:ident($($argument:ty),*) -> $result:ty;)+) => {$(
        /// It can't be done.
        ///
        /// # Safety
        ///
        /// None is needed.
        pub unsafe fn $name($(_: $argument),*) -> $result {
            refuse() as $result
        }
    )+};
}

refused! {
    madvise(*mut c_void, usize, c_int) -> c_int;
    pipe2(*mut c_int, c_int) -> c_int;
    splice(c_int, *mut i64, c_int, *mut i64, usize, c_uint) -> isize;
    sync_file_range(c_int, i64, i64, c_uint) -> c_int;
}
