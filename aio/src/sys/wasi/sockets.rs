//! Calls on sockets, as POSIX has them, by those of the libc, which knows no messages of several
//! buffers.
//!
//! There is one thread: what was ready before a call is ready still.

use std::borrow::Cow;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::slice;

use super::{c, errno, fail, kind_of_file, refuse};

/// What a call on a socket that came to `result` says: one on something else fails as POSIX has it.
fn on_socket(fd: c_int, result: isize) -> isize {
    if result < 0
        && matches!(errno(), c::ENOTSUP | c::ENOPROTOOPT)
        && kind_of_file(fd) != c::S_IFSOCK
    {
        return fail(c::ENOTSOCK);
    }
    result
}

/// What a transfer on a socket that came to `result` says: one that its flags keep from being
/// carried out can't be.
fn transferred(fd: c_int, result: isize) -> isize {
    match on_socket(fd, result) {
        result if result < 0 && errno() == c::ENOTSUP => fail(c::ENOSYS),
        result => result,
    }
}

/// What says nothing here: there are no signals, no programs that are started, and no packets to be
/// made; and who waits for all calls again.
const HINTS: c_int = c::MSG_NOSIGNAL | c::MSG_MORE | c::MSG_WAITALL | c::MSG_CMSG_CLOEXEC;

/// send(2).
///
/// # Safety
///
/// The buffer is valid.
pub unsafe fn send(fd: c_int, buf: *const c_void, len: usize, flags: c_int) -> isize {
    // SAFETY: passed on.
    transferred(fd, unsafe { c::sendto(fd, buf, len, flags & !HINTS, ptr::null(), 0) })
}

/// recv(2).
///
/// # Safety
///
/// The buffer is valid and unused.
pub unsafe fn recv(fd: c_int, buf: *mut c_void, len: usize, flags: c_int) -> isize {
    let nobody = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: passed on.
    transferred(fd, unsafe { c::recvfrom(fd, buf, len, flags & !HINTS, nobody.0, nobody.1) })
}

/// The most bytes of several buffers that go at once: more than a datagram has.
const MOST_GATHERED: usize = 1 << 16;

/// Whether a socket carries bytes, and not messages.
fn is_stream(fd: c_int) -> bool {
    let (mut kind, mut len) = (0i32, size_of::<i32>() as c::socklen_t);
    // SAFETY: there is room for the answer.
    unsafe { getsockopt(fd, c::SOL_SOCKET, c::SO_TYPE, (&raw mut kind).cast(), &mut len) };
    kind == c::SOCK_STREAM
}

/// The buffers of a message that are not empty.
///
/// # Safety
///
/// The header is valid, and so is its list, for as long as the result is used.
unsafe fn buffers_of<'a>(header: *const c::msghdr) -> impl Iterator<Item = &'a c::iovec> + Clone {
    // SAFETY: passed on.
    let header = unsafe { &*header };
    let buffers = match header.msg_iovlen {
        0 => &[],
        // SAFETY: passed on.
        count => unsafe { slice::from_raw_parts(header.msg_iov, count as usize) },
    };
    buffers.iter().filter(|buffer| buffer.iov_len > 0)
}

/// sendmsg(2), without control messages.
///
/// # Safety
///
/// The header and what it points to are valid.
pub unsafe fn sendmsg(fd: c_int, header: *const c::msghdr, flags: c_int) -> isize {
    // SAFETY: passed on.
    let message = unsafe { &*header };
    // SAFETY: passed on.
    let mut buffers = unsafe { buffers_of(header) };
    if message.msg_controllen > 0 {
        return refuse() as isize;
    }
    let total = buffers.clone().map(|buffer| buffer.iov_len).sum::<usize>();
    if total > MOST_GATHERED && !is_stream(fd) {
        return on_socket(fd, fail(c::EMSGSIZE));
    }
    // SAFETY: the caller keeps the buffers valid.
    let bytes_of = |buffer: &c::iovec| unsafe {
        slice::from_raw_parts(buffer.iov_base.cast::<u8>(), buffer.iov_len)
    };
    let first = buffers.next().map(bytes_of).unwrap_or_default();
    let bytes = match buffers.next() {
        None => Cow::Borrowed(first),
        Some(second) => {
            let mut gathered = Vec::with_capacity(total.min(MOST_GATHERED));
            for bytes in [first, bytes_of(second)].into_iter().chain(buffers.map(bytes_of)) {
                let room = gathered.capacity() - gathered.len();
                gathered.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            Cow::Owned(gathered)
        }
    };
    let (address, len) = match message.msg_namelen {
        0 => (ptr::null(), 0),
        len => (message.msg_name.cast_const().cast(), len),
    };
    let (buf, flags) = (bytes.as_ptr().cast(), flags & !HINTS);
    // SAFETY: the bytes are those above, and the caller keeps the address valid.
    transferred(fd, unsafe { c::sendto(fd, buf, bytes.len(), flags, address, len) })
}

/// recvmsg(2): there are no control messages.
///
/// # Safety
///
/// The header and what it points to are valid and unused.
pub unsafe extern "C" fn recvmsg(fd: c_int, header: *mut c::msghdr, flags: c_int) -> isize {
    // SAFETY: passed on.
    let mut buffers = unsafe { buffers_of(header) };
    let room = buffers.clone().map(|buffer| buffer.iov_len).sum::<usize>();
    let (first, rest) = (buffers.next(), buffers);
    let mut gathered = Vec::new();
    let (buf, len) = match first {
        None => (gathered.as_mut_ptr(), 0),
        Some(only) if rest.clone().next().is_none() => (only.iov_base.cast::<u8>(), only.iov_len),
        Some(_) => {
            gathered.resize(room.min(MOST_GATHERED), 0);
            (gathered.as_mut_ptr(), gathered.len())
        }
    };
    // SAFETY: passed on.
    let message = unsafe { &mut *header };
    let has_messages = !is_stream(fd);
    let (name, name_len) = match has_messages && !message.msg_name.is_null() {
        true => (message.msg_name.cast(), &raw mut message.msg_namelen),
        false => (ptr::null_mut(), ptr::null_mut()),
    };
    let tells_length = if has_messages { c::TELLS_LENGTH } else { 0 };
    let now = (flags & !HINTS) | tells_length;
    // SAFETY: the buffer is one of the caller's, or the one above; so is the room for an address.
    let result = transferred(fd, unsafe { c::recvfrom(fd, buf.cast(), len, now, name, name_len) });
    let Ok(received) = usize::try_from(result) else { return result };
    if name.is_null() {
        message.msg_namelen = 0;
    }
    message.msg_controllen = 0;
    message.msg_flags = if received > room { c::MSG_TRUNC } else { 0 };
    let mut left = gathered.get(..received.min(gathered.len())).unwrap_or_default();
    for buffer in first.into_iter().chain(rest) {
        let (part, others) = left.split_at(left.len().min(buffer.iov_len));
        // SAFETY: the caller keeps the buffer valid and unused, and it has so many bytes.
        unsafe { ptr::copy(part.as_ptr(), buffer.iov_base.cast(), part.len()) };
        left = others;
    }
    if flags & c::MSG_TRUNC == 0 { received.min(room) as isize } else { result }
}

/// accept4(2): who was accepted is not asked for.
///
/// # Safety
///
/// None is needed.
pub unsafe fn accept4(fd: c_int, _: *mut c::sockaddr, _: *mut c::socklen_t, flags: c_int) -> c_int {
    on_socket(fd, c::accept_from_anybody(fd, flags) as isize) as c_int
}

/// connect(2).
///
/// # Safety
///
/// The address is valid.
pub unsafe fn connect(fd: c_int, address: *const c::sockaddr, len: c::socklen_t) -> c_int {
    // SAFETY: passed on.
    on_socket(fd, unsafe { c::connect_to(fd, address, len) } as isize) as c_int
}

/// bind(2).
///
/// # Safety
///
/// The address is valid.
pub unsafe fn bind(fd: c_int, address: *const c::sockaddr, len: c::socklen_t) -> c_int {
    // SAFETY: passed on.
    on_socket(fd, unsafe { c::bind_to(fd, address, len) } as isize) as c_int
}

/// listen(2).
///
/// # Safety
///
/// None is needed.
pub unsafe fn listen(fd: c_int, backlog: c_int) -> c_int {
    // SAFETY: the call takes numbers only.
    on_socket(fd, unsafe { c::listen_on(fd, backlog) } as isize) as c_int
}

/// shutdown(2).
///
/// # Safety
///
/// None is needed.
pub unsafe fn shutdown(fd: c_int, how: c_int) -> c_int {
    // SAFETY: the call takes numbers only.
    on_socket(fd, unsafe { libc::shutdown(fd, how) } as isize) as c_int
}

/// getsockopt(2).
///
/// # Safety
///
/// The value and its length are valid and unused.
pub unsafe fn getsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    len: *mut c::socklen_t,
) -> c_int {
    // SAFETY: passed on.
    on_socket(fd, unsafe { c::get_option(fd, level, name, value, len) } as isize) as c_int
}

/// setsockopt(2).
///
/// # Safety
///
/// The value is valid.
pub unsafe fn setsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    len: c::socklen_t,
) -> c_int {
    // SAFETY: passed on.
    on_socket(fd, unsafe { c::set_option(fd, level, name, value, len) } as isize) as c_int
}

/// Asks what became of a connect that has begun: succeeded (`EISCONN`), goes on (`EALREADY`), or
/// why not.
///
/// # Safety
///
/// The address is valid.
pub unsafe fn connect_again(fd: c_int, address: *const c::sockaddr, len: u32) -> isize {
    // SAFETY: passed on.
    let result = unsafe { c::connect_to(fd, address, len) };
    if result < 0 && errno() == c::ENOTSUP {
        let (mut code, mut len) = (0i32, size_of::<i32>() as c::socklen_t);
        let room = (&raw mut code).cast();
        // SAFETY: there is room for the answer.
        unsafe { getsockopt(fd, c::SOL_SOCKET, c::SO_ERROR, room, &mut len) };
        return fail(if code == 0 { c::ENOTSUP } else { code });
    }
    result as isize
}

/// `preadv2`, which here does what needs no waiting: it receives from a socket.
///
/// # Safety
///
/// The list and its buffers are valid and unused.
pub unsafe fn preadv2(
    fd: c_int,
    vectors: *const c::iovec,
    count: c_int,
    _: i64,
    _: c_int,
) -> isize {
    if kind_of_file(fd) != c::S_IFSOCK {
        return fail(c::EOPNOTSUPP);
    }
    let mut header = header_of(vectors, count);
    // SAFETY: passed on.
    unsafe { recvmsg(fd, &mut header, c::MSG_DONTWAIT) }
}

/// `pwritev2`, which here does what needs no waiting: it sends to a socket.
///
/// # Safety
///
/// The list and its buffers are valid.
pub unsafe fn pwritev2(
    fd: c_int,
    vectors: *const c::iovec,
    count: c_int,
    _: i64,
    _: c_int,
) -> isize {
    if kind_of_file(fd) != c::S_IFSOCK {
        return fail(c::EOPNOTSUPP);
    }
    // SAFETY: passed on.
    unsafe { sendmsg(fd, &header_of(vectors, count), c::MSG_DONTWAIT) }
}

fn header_of(vectors: *const c::iovec, count: c_int) -> c::msghdr {
    c::msghdr {
        msg_name: ptr::null_mut(),
        msg_namelen: 0,
        msg_iov: vectors.cast_mut(),
        msg_iovlen: count,
        msg_control: ptr::null_mut(),
        msg_controllen: 0,
        msg_flags: 0,
    }
}
