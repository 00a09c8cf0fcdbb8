//! Reads and writes, as POSIX has them: of a file they move all that there is, whatever the libc
//! moves at a time, and its own position is one for both.

use std::ffi::{c_int, c_void};
use std::slice;

use super::{FILES_HAVE_POSITIONS, c, errno, fail, kind_of_file};

/// Which way bytes go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Read,
    Write,
}

/// Where in a file.
#[derive(Clone, Copy)]
enum Place {
    /// At its own position, which the call moves on.
    Own,
    At(i64),
}

/// Moves bytes from or to the buffers, one after the other.
///
/// # Safety
///
/// The list and its buffers are valid and, where they are written to, unused.
unsafe fn transfer(
    fd: c_int,
    way: Way,
    vectors: *const c::iovec,
    count: c_int,
    offset: Option<i64>,
) -> isize {
    let kind = kind_of_file(fd);
    let own = match (kind, offset) {
        (c::S_IFREG, None) => own_position(fd, way),
        _ => None,
    };
    let start = offset.or(own);
    let buffers = match count {
        0 => &[],
        // SAFETY: passed on.
        count => unsafe { slice::from_raw_parts(vectors, count as usize) },
    };
    let (mut moved, mut result) = (0, 0);
    let mut left = buffers.iter().copied().filter(|buffer| buffer.iov_len > 0).peekable();
    if left.peek().is_none() {
        // Nothing is to be moved; what is wrong is told all the same.
        let nothing = c::iovec { iov_base: (&raw mut result).cast(), iov_len: 0 };
        // SAFETY: there are no bytes.
        result = unsafe { once(fd, way, nothing, place(start, 0)) };
    }
    for mut buffer in left {
        while buffer.iov_len > 0 {
            // SAFETY: passed on: it is what is left of a buffer.
            result = unsafe { once(fd, way, buffer, place(start, moved)) };
            let Ok(n @ 1..) = usize::try_from(result) else { break };
            moved += n;
            buffer.iov_base = buffer.iov_base.wrapping_byte_add(n);
            buffer.iov_len -= n;
            if kind != c::S_IFREG {
                return moved as isize;
            }
        }
        if result <= 0 {
            break;
        }
    }
    if let Some(own) = own.filter(|_| moved > 0) {
        // SAFETY: the call takes numbers only.
        unsafe { c::lseek(fd, own + moved as i64, c::SEEK_SET) };
    }
    match moved {
        0 if result < 0 => explained(fd, way, kind),
        moved => moved as isize,
    }
}

/// Where a transfer at a file's own position takes place, where the libc has one position for reads
/// and another one for writes.
fn own_position(fd: c_int, way: Way) -> Option<i64> {
    if FILES_HAVE_POSITIONS {
        return None;
    }
    // SAFETY: the call takes numbers only.
    let flags = unsafe { c::fcntl(fd, c::F_GETFL) };
    if way == Way::Write && flags & c::O_APPEND != 0 {
        return None;
    }
    // SAFETY: the call takes numbers only.
    let own = unsafe { c::lseek(fd, 0, c::SEEK_CUR) };
    (own >= 0).then_some(own)
}

fn place(start: Option<i64>, moved: usize) -> Place {
    start.map_or(Place::Own, |start| Place::At(start.saturating_add(moved as i64)))
}

/// The call of the libc.
///
/// # Safety
///
/// The buffer is valid and, where it is written to, unused.
unsafe fn once(fd: c_int, way: Way, buffer: c::iovec, place: Place) -> isize {
    let (buf, len) = (buffer.iov_base, buffer.iov_len);
    match (way, place) {
        // SAFETY: passed on.
        (Way::Read, Place::Own) => unsafe { libc::read(fd, buf, len) },
        // SAFETY: passed on.
        (Way::Read, Place::At(offset)) => unsafe { libc::pread(fd, buf, len, offset) },
        // SAFETY: passed on.
        (Way::Write, Place::Own) => unsafe { libc::write(fd, buf, len) },
        // SAFETY: passed on.
        (Way::Write, Place::At(offset)) => unsafe { libc::pwrite(fd, buf, len, offset) },
    }
}

/// Says why a transfer has failed: directories, and files that are not open for it, fail as POSIX
/// has it.
fn explained(fd: c_int, way: Way, kind: u32) -> isize {
    let code = errno();
    // SAFETY: the call takes numbers only.
    let access = unsafe { c::fcntl(fd, c::F_GETFL) };
    let needed = if way == Way::Read { c::O_RDONLY } else { c::O_WRONLY };
    match code {
        c::EBADF | c::EIO if kind == c::S_IFDIR && way == Way::Read => fail(c::EISDIR),
        c::EISDIR if way == Way::Write => fail(c::EBADF),
        c::EIO | c::EPERM if access >= 0 && access & needed == 0 => fail(c::EBADF),
        code => fail(code),
    }
}

/// read(2).
///
/// # Safety
///
/// The buffer is valid and unused.
pub unsafe fn read(fd: c_int, buf: *mut c_void, len: usize) -> isize {
    let buffer = c::iovec { iov_base: buf, iov_len: len };
    // SAFETY: passed on; the list outlives the call.
    unsafe { transfer(fd, Way::Read, &buffer, 1, None) }
}

/// pread(2).
///
/// # Safety
///
/// The buffer is valid and unused.
pub unsafe fn pread(fd: c_int, buf: *mut c_void, len: usize, offset: i64) -> isize {
    let buffer = c::iovec { iov_base: buf, iov_len: len };
    // SAFETY: passed on; the list outlives the call.
    unsafe { transfer(fd, Way::Read, &buffer, 1, Some(offset)) }
}

/// write(2).
///
/// # Safety
///
/// The buffer is valid.
pub unsafe fn write(fd: c_int, buf: *const c_void, len: usize) -> isize {
    let buffer = c::iovec { iov_base: buf.cast_mut(), iov_len: len };
    // SAFETY: passed on; the list outlives the call.
    unsafe { transfer(fd, Way::Write, &buffer, 1, None) }
}

/// pwrite(2).
///
/// # Safety
///
/// The buffer is valid.
pub unsafe fn pwrite(fd: c_int, buf: *const c_void, len: usize, offset: i64) -> isize {
    let buffer = c::iovec { iov_base: buf.cast_mut(), iov_len: len };
    // SAFETY: passed on; the list outlives the call.
    unsafe { transfer(fd, Way::Write, &buffer, 1, Some(offset)) }
}

/// readv(2).
///
/// # Safety
///
/// The list and its buffers are valid, and the latter unused.
pub unsafe fn readv(fd: c_int, vectors: *const c::iovec, count: c_int) -> isize {
    // SAFETY: passed on.
    unsafe { transfer(fd, Way::Read, vectors, count, None) }
}

/// preadv(2).
///
/// # Safety
///
/// The list and its buffers are valid, and the latter unused.
pub unsafe fn preadv(fd: c_int, vectors: *const c::iovec, count: c_int, offset: i64) -> isize {
    // SAFETY: passed on.
    unsafe { transfer(fd, Way::Read, vectors, count, Some(offset)) }
}

/// writev(2).
///
/// # Safety
///
/// The list and its buffers are valid.
pub unsafe fn writev(fd: c_int, vectors: *const c::iovec, count: c_int) -> isize {
    // SAFETY: passed on.
    unsafe { transfer(fd, Way::Write, vectors, count, None) }
}

/// pwritev(2).
///
/// # Safety
///
/// The list and its buffers are valid.
pub unsafe fn pwritev(fd: c_int, vectors: *const c::iovec, count: c_int, offset: i64) -> isize {
    // SAFETY: passed on.
    unsafe { transfer(fd, Way::Write, vectors, count, Some(offset)) }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::{Seek, SeekFrom};
    use std::os::fd::AsRawFd;

    use super::*;

    /// An open file without a name.
    fn file(name: &str, contents: &[u8]) -> File {
        let name = format!("for-the-test-{name}");
        fs::write(&name, contents).unwrap();
        let file = File::options().read(true).write(true).open(&name).unwrap();
        fs::remove_file(name).unwrap();
        file
    }

    fn list<const N: usize>(buffers: [&mut [u8]; N]) -> [c::iovec; N] {
        buffers.map(|buf| c::iovec { iov_base: buf.as_mut_ptr().cast(), iov_len: buf.len() })
    }

    #[test]
    fn reads_and_writes_have_one_position() {
        let file = file("position", b"0123456789");
        let (fd, mut buf) = (file.as_raw_fd(), [0; 2]);
        for expected in [b"01", b"34", b"67"] {
            // SAFETY: there is room for two bytes.
            assert_eq!(unsafe { read(fd, buf.as_mut_ptr().cast(), 2) }, 2);
            assert_eq!(&buf, expected);
            // SAFETY: there is one byte.
            assert_eq!(unsafe { write(fd, b"x".as_ptr().cast(), 1) }, 1);
        }
        assert_eq!((&file).seek(SeekFrom::Current(0)).unwrap(), 9);
    }

    #[test]
    fn a_file_is_moved_whole_and_leaves_what_it_does_not_reach_alone() {
        const LEN: usize = 300_000;
        let file = file("whole", &vec![1; LEN]);
        let (mut one, mut two) = (vec![0; LEN - 5], vec![7; 10]);
        let vectors = list([&mut one, &mut [], &mut two]);
        // SAFETY: the list names two buffers, and none between them.
        let moved = unsafe { preadv(file.as_raw_fd(), vectors.as_ptr(), 3, 0) };
        assert_eq!(moved as usize, LEN);
        assert!(one.iter().all(|byte| *byte == 1));
        assert_eq!(two, [1, 1, 1, 1, 1, 7, 7, 7, 7, 7]);
    }

    #[test]
    fn a_transfer_of_nothing_still_tells_what_is_wrong() {
        // SAFETY: there are no bytes.
        let result = unsafe { read(1_900, (&raw mut *&mut 0u8).cast(), 0) };
        assert_eq!((result, errno()), (-1, c::EBADF));
    }
}
