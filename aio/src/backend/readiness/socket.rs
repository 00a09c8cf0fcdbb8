//! Operations on sockets that never wait.

use super::attempt::{Attempt, failed, retried};
use crate::handle::RawHandle;
use crate::op::{buffers_of, total};
use crate::sys::{self, c};

/// Sends what is left of a buffer.
///
/// # Safety
///
/// The buffer is valid during the call.
#[inline]
pub unsafe fn send(fd: RawHandle, buf: *const u8, len: u32, flags: i32, moved: u32) -> Attempt {
    let now = sys::that_do_not_wait(flags);
    until_not_ready(fd, len.into(), flags, moved, |done| {
        let buf = buf.wrapping_add(done).cast();
        // SAFETY: passed on.
        unsafe { c::send(fd, buf, len as usize - done, now) }
    })
}

/// Receives into what is left of a buffer.
///
/// # Safety
///
/// The buffer is valid and unused during the call.
#[inline]
pub unsafe fn receive(fd: RawHandle, buf: *mut u8, len: u32, flags: i32, moved: u32) -> Attempt {
    let now = sys::that_do_not_wait(flags);
    until_not_ready(fd, len.into(), flags, moved, |done| {
        let buf = buf.wrapping_add(done).cast();
        // SAFETY: passed on.
        unsafe { c::recv(fd, buf, len as usize - done, now) }
    })
}

/// Sends or receives the last `len` bytes: what is there, or if it is to be all, until the socket
/// is not ready, for that it is ready is told once only. `call` is told how many bytes are done.
#[inline]
fn until_not_ready(
    fd: RawHandle,
    len: u64,
    flags: i32,
    moved: u32,
    mut call: impl FnMut(usize) -> isize,
) -> Attempt {
    let mut done = 0;
    loop {
        match retried(|| call(done as usize)) {
            Ok(n) => {
                let is_all = n == 0 || u64::from(done + n) == len;
                if is_all || flags & c::MSG_WAITALL == 0 || !is_stream(fd) {
                    return Attempt::Done(Ok(moved + done + n));
                }
                if flags & c::MSG_PEEK == 0 {
                    done += n;
                } else if !sys::has_peer_ended(fd) {
                    // Peeked bytes are still there, and peeked at again.
                    return Attempt::NotReady(0);
                } else {
                    return Attempt::Done(Ok(n));
                }
            }
            Err(c::EAGAIN) => return Attempt::NotReady(moved + done),
            Err(code) => return failed(moved + done, code),
        }
    }
}

/// Accepts a connection. There is no flag for a call that never waits: the listener is made one
/// that does not, and stays so.
pub fn accept(fd: RawHandle, calls: &mut u64) -> Attempt {
    *calls += 1;
    if let Err(code) = make_nonblocking(fd) {
        return failed(0, code);
    }
    let nobody = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: no address is asked for.
    let result =
        retried(|| unsafe { c::accept4(fd, nobody.0, nobody.1, c::SOCK_CLOEXEC) as isize });
    match result {
        Err(c::EAGAIN) => Attempt::NotReady(0),
        Err(code) => failed(0, code),
        Ok(socket) => Attempt::Done(Ok(socket)),
    }
}

/// Connects, or asks what became of it; `begun` is 1 once it has begun.
///
/// # Safety
///
/// As for [`attempt`](super::attempt::attempt).
pub unsafe fn connect(
    fd: RawHandle,
    address: *const c::sockaddr,
    len: u32,
    begun: u32,
    calls: &mut u64,
) -> Attempt {
    *calls += 3;
    let before = match make_nonblocking(fd) {
        Ok(flags) => flags,
        Err(code) => return failed(0, code),
    };
    let result = retried(|| match begun {
        // SAFETY: the address is valid during the call.
        0 => unsafe { c::connect(fd, address, len) as isize },
        // SAFETY: as above.
        _ => unsafe { sys::connect_again(fd, address, len) },
    });
    restore_flags(fd, before);
    match result {
        Ok(_) => Attempt::Done(Ok(0)),
        Err(c::EISCONN) if begun > 0 => Attempt::Done(Ok(0)),
        Err(c::EINPROGRESS) => Attempt::NotReady(1),
        Err(c::EALREADY) if begun > 0 => Attempt::NotReady(1),
        // A Unix listener's queue is full, and nothing says when it has room again.
        Err(c::EAGAIN) => Attempt::NotReady(0),
        Err(code) => failed(0, code),
    }
}

/// Makes calls on `fd` not wait; yields its flags as they were.
pub fn make_nonblocking(fd: RawHandle) -> Result<i32, i32> {
    // SAFETY: the call takes numbers only.
    let flags = retried(|| unsafe { c::fcntl(fd, c::F_GETFL) as isize })? as i32;
    if flags & c::O_NONBLOCK == 0 {
        let flags = flags | c::O_NONBLOCK;
        // SAFETY: the call takes numbers only.
        retried(|| unsafe { c::fcntl(fd, c::F_SETFL, flags) as isize })?;
    }
    Ok(flags)
}

/// Gives a descriptor the flags back that [`make_nonblocking`] found.
pub fn restore_flags(fd: RawHandle, before: i32) {
    if before & c::O_NONBLOCK == 0 {
        // SAFETY: the call takes numbers only.
        unsafe { c::fcntl(fd, c::F_SETFL, before) };
    }
}

/// `sendmsg` or `recvmsg`.
pub type MessageCall = unsafe extern "C" fn(RawHandle, *mut c::msghdr, i32) -> isize;

/// `sendmsg`, in the form of its counterpart.
///
/// # Safety
///
/// The header and what it points to are valid.
pub unsafe extern "C" fn send_message(fd: RawHandle, header: *mut c::msghdr, flags: i32) -> isize {
    // SAFETY: passed on.
    unsafe { c::sendmsg(fd, header, flags) }
}

/// Sends or receives a message, or what is left of one: its control messages went with its first
/// bytes.
///
/// # Safety
///
/// As for [`attempt`](super::attempt::attempt), with a header of `call`'s kind.
pub unsafe fn message(
    fd: RawHandle,
    header: *mut c::msghdr,
    flags: i32,
    moved: u32,
    call: MessageCall,
) -> Attempt {
    let now = sys::that_do_not_wait(flags);
    // SAFETY: passed on.
    let buffers = unsafe { buffers_of(header) };
    let left = total(buffers) - u64::from(moved);
    until_not_ready(fd, left, flags, moved, |done| {
        if moved == 0 && done == 0 {
            // SAFETY: passed on.
            return unsafe { call(fd, header, now) };
        }
        let mut skip = moved as usize + done;
        let rest = buffers.iter().map(|buffer| {
            let skipped = skip.min(buffer.iov_len);
            skip -= skipped;
            let iov_base = buffer.iov_base.wrapping_byte_add(skipped);
            c::iovec { iov_base, iov_len: buffer.iov_len - skipped }
        });
        let mut rest: Vec<c::iovec> = rest.collect();
        // SAFETY: passed on.
        let mut header = unsafe { *header };
        (header.msg_iov, header.msg_control, header.msg_controllen) =
            (rest.as_mut_ptr(), std::ptr::null_mut(), 0);
        // SAFETY: the header is a copy, and the list names what is left of the buffers.
        unsafe { call(fd, &mut header, now) }
    })
}

/// Whether a socket carries bytes, and not messages.
fn is_stream(fd: RawHandle) -> bool {
    let (mut kind, mut len) = (0i32, size_of::<i32>() as c::socklen_t);
    let place = std::ptr::from_mut(&mut kind).cast();
    // SAFETY: there is room for the answer.
    unsafe { c::getsockopt(fd, c::SOL_SOCKET, c::SO_TYPE, place, &mut len) };
    kind == c::SOCK_STREAM || kind == c::SOCK_SEQPACKET
}
