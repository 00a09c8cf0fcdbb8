//! What none of these systems has under that name, and what stands for it.

use std::mem::MaybeUninit;
use std::slice;

use libc::{c_char, c_int, c_void, iovec, msghdr, sockaddr, socklen_t};

use super::{c, each, errno, fail, option};
use crate::sys::Status;
use crate::sys::status::Time;
use crate::sys::unix::{header_of, receive_now, send_now};

// Hints: nothing comes of them.
pub const MADV_COLD: c_int = UNKNOWN_ADVICE;
pub const MADV_HUGEPAGE: c_int = UNKNOWN_ADVICE + 1;
pub const MADV_NOHUGEPAGE: c_int = UNKNOWN_ADVICE + 2;
pub const MADV_PAGEOUT: c_int = UNKNOWN_ADVICE + 3;
pub const MSG_MORE: c_int = 0;
pub const SPLICE_F_MORE: u32 = 4;
pub const SPLICE_F_MOVE: u32 = 1;

// What is asked for with these is refused.
pub const FALLOC_FL_COLLAPSE_RANGE: c_int = 0x08;
pub const FALLOC_FL_INSERT_RANGE: c_int = 0x20;
pub const FALLOC_FL_KEEP_SIZE: c_int = 0x01;
pub const FALLOC_FL_PUNCH_HOLE: c_int = 0x02;
pub const FALLOC_FL_ZERO_RANGE: c_int = 0x10;
pub const SO_PASSCRED: c_int = 0x7fff_ffff;
pub const SPLICE_F_NONBLOCK: u32 = 2;
pub const SYNC_FILE_RANGE_WAIT_AFTER: u32 = 4;
pub const SYNC_FILE_RANGE_WAIT_BEFORE: u32 = 1;
pub const SYNC_FILE_RANGE_WRITE: u32 = 2;

// What is asked for with these is done by the functions below.
pub const RENAME_EXCHANGE: u32 = 2;
pub const RENAME_NOREPLACE: u32 = 1;
pub const RWF_NOWAIT: c_int = 8;

// The number that the kernels have.
pub const UIO_MAXIOV: c_int = 1024;

/// Advice from here on is none that the system knows.
const UNKNOWN_ADVICE: c_int = 0x1000;

/// Gives advice on memory, if it is any that the system knows.
///
/// # Safety
///
/// As for that of the same name.
pub unsafe fn madvise(address: *mut c_void, len: usize, advice: c_int) -> c_int {
    // SAFETY: passed on.
    if advice >= UNKNOWN_ADVICE { 0 } else { unsafe { libc::madvise(address, len, advice) } }
}

/// Reads without waiting: from a socket, whatever the position.
///
/// # Safety
///
/// The list and its buffers are valid and unused during the call.
pub unsafe fn preadv2(fd: c_int, vectors: *const iovec, count: c_int, _: i64, _: c_int) -> isize {
    // SAFETY: passed on.
    unsafe { receive_now(fd, vectors, count) }
}

/// Writes without waiting: to a socket, whatever the position.
///
/// # Safety
///
/// The list and its buffers are valid during the call.
pub unsafe fn pwritev2(fd: c_int, vectors: *const iovec, count: c_int, _: i64, _: c_int) -> isize {
    // SAFETY: passed on.
    unsafe { send_now(fd, vectors, count) }
}

/// Receives. Who asks for the real length of a message gets it: there is room for all of it.
///
/// # Safety
///
/// The buffer is valid and unused during the call.
#[inline]
pub unsafe fn recv(fd: c_int, buf: *mut c_void, len: usize, flags: c_int) -> isize {
    if flags & libc::MSG_TRUNC == 0 {
        // SAFETY: passed on.
        return unsafe { libc::recv(fd, buf, len, flags) };
    }
    let vector = iovec { iov_base: buf, iov_len: len };
    let mut header = header_of(&vector, 1);
    // SAFETY: passed on.
    unsafe { recvmsg(fd, &mut header, flags) }
}

/// Receives a message, as [`recv`] does.
///
/// # Safety
///
/// The header and what it points to are valid and unused during the call.
pub unsafe extern "C" fn recvmsg(fd: c_int, header: *mut msghdr, flags: c_int) -> isize {
    let is_whole = flags & libc::MSG_TRUNC != 0;
    let flags = flags & !libc::MSG_TRUNC;
    if !is_whole || option(fd, libc::SO_TYPE) == Ok(libc::SOCK_STREAM) {
        // SAFETY: passed on.
        return unsafe { each::receive_message(fd, header, flags) };
    }
    // SAFETY: passed on.
    let mut vectors = unsafe { buffers_of(header) }.to_vec();
    let len: usize = vectors.iter().map(|vector| vector.iov_len).sum();
    let mut rest = vec![0u8; LONGEST_MESSAGE];
    vectors.push(iovec { iov_base: rest.as_mut_ptr().cast(), iov_len: rest.len() });
    // SAFETY: passed on.
    let header = unsafe { &mut *header };
    let given = (header.msg_iov, header.msg_iovlen);
    (header.msg_iov, header.msg_iovlen) = (vectors.as_mut_ptr(), vectors.len() as _);
    // SAFETY: passed on, and the list names the same buffers and one more.
    let result = unsafe { each::receive_message(fd, header, flags) };
    (header.msg_iov, header.msg_iovlen) = given;
    if result > len as isize {
        header.msg_flags |= libc::MSG_TRUNC;
    }
    result
}

/// The longest message that is expected, of UDP and of Unix sockets.
const LONGEST_MESSAGE: usize = 0x1_0000;

/// The buffers of a message.
///
/// # Safety
///
/// The header and its list are valid for as long as the result is used.
unsafe fn buffers_of<'a>(header: *const msghdr) -> &'a [iovec] {
    // SAFETY: passed on.
    let header = unsafe { &*header };
    match header.msg_iovlen {
        0 => &[],
        // SAFETY: passed on.
        count => unsafe { slice::from_raw_parts(header.msg_iov, count as usize) },
    }
}

/// There is no such call.
///
/// # Safety
///
/// None: it is as elsewhere.
pub unsafe fn splice(_: c_int, _: *mut i64, _: c_int, _: *mut i64, _: usize, _: u32) -> isize {
    fail(libc::ENOSYS)
}

/// There is no such call.
///
/// # Safety
///
/// None: it is as elsewhere.
pub unsafe fn sync_file_range(_: c_int, _: i64, _: i64, _: u32) -> c_int {
    fail(libc::ENOSYS) as c_int
}

/// What a file is, in the form of another system.
///
/// # Safety
///
/// The path is valid during the call, and there is room for the answer.
pub unsafe fn statx(
    dir: c_int,
    path: *const c_char,
    flags: c_int,
    _: u32,
    status: *mut Status,
) -> c_int {
    let mut stat = MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: passed on.
    let is_dir_itself = flags & c::AT_EMPTY_PATH != 0 && unsafe { *path } == 0;
    let flags = flags & !c::AT_EMPTY_PATH;
    let result = match (is_dir_itself, dir) {
        // SAFETY: there is room for the answer.
        (true, libc::AT_FDCWD) => unsafe { libc::stat(c".".as_ptr(), stat.as_mut_ptr()) },
        // SAFETY: there is room for the answer.
        (true, _) => unsafe { libc::fstat(dir, stat.as_mut_ptr()) },
        // SAFETY: the path is valid, and there is room for the answer.
        (false, _) => unsafe { libc::fstatat(dir, path, stat.as_mut_ptr(), flags) },
    };
    if result == 0 {
        // SAFETY: the call has written it.
        let stat = unsafe { stat.assume_init() };
        // SAFETY: passed on.
        unsafe { status.write(status_of(&stat)) };
    }
    result
}

fn status_of(stat: &libc::stat) -> Status {
    let [accessed, changed, modified, created] = each::nanoseconds(stat).map(|part| part as u32);
    // What file systems say that do not remember.
    let is_created_known = !matches!(stat.st_birthtime, -1 | 0);
    Status {
        mask: if is_created_known { Status::MASK } else { Status::MASK & !Status::HAS_CREATED },
        block_size: stat.st_blksize as _,
        links: stat.st_nlink as _,
        uid: stat.st_uid,
        gid: stat.st_gid,
        mode: stat.st_mode as _,
        inode: stat.st_ino as _,
        size: stat.st_size as _,
        blocks: stat.st_blocks as _,
        accessed: Time::new(stat.st_atime as _, accessed),
        created: Time::new(stat.st_birthtime as _, created),
        changed: Time::new(stat.st_ctime as _, changed),
        modified: Time::new(stat.st_mtime as _, modified),
        special_major: libc::major(stat.st_rdev as _) as _,
        special_minor: libc::minor(stat.st_rdev as _) as _,
        device_major: libc::major(stat.st_dev as _) as _,
        device_minor: libc::minor(stat.st_dev as _) as _,
        ..Status::default()
    }
}

/// Renames; for what is special there is another call, if there is one.
///
/// # Safety
///
/// The paths are valid during the call.
pub unsafe fn renameat2(
    from: c_int,
    old: *const c_char,
    to: c_int,
    new: *const c_char,
    flags: u32,
) -> c_int {
    match flags {
        // SAFETY: passed on.
        0 => unsafe { libc::renameat(from, old, to, new) },
        // SAFETY: passed on.
        _ => unsafe { each::rename_specially(from, old, to, new, flags) },
    }
}

/// Accepts the next connection that has not ended yet.
///
/// # Safety
///
/// There is room for the address, or none is asked for.
pub unsafe fn accept4(
    fd: c_int,
    address: *mut sockaddr,
    len: *mut socklen_t,
    flags: c_int,
) -> c_int {
    loop {
        // SAFETY: passed on.
        let socket = unsafe { each::accept(fd, address, len, flags) };
        if socket >= 0 || errno() != libc::ECONNABORTED {
            return socket;
        }
    }
}
