//! What is the same on all Unix systems.

use std::io;
use std::mem::{self, MaybeUninit};
use std::slice;

use libc::{c_int, iovec, msghdr};

use super::fail;

/// Has `handler` called in each process that is forked from this one, right after the fork.
///
/// # Safety
///
/// It does what the handler of a signal may do, and no more.
pub unsafe fn watch_forks(handler: unsafe extern "C" fn()) {
    // SAFETY: passed on.
    unsafe { libc::pthread_atfork(None, None, Some(handler)) };
}

/// Calls `f`, while which no signal is delivered to this thread, nor to those that `f` starts from
/// then on: they inherit that, so that there is no moment in which one could be.
pub fn without_signals<R>(f: impl FnOnce() -> R) -> R {
    let before = change_signal_mask(&all_signals());
    let result = f();
    change_signal_mask(&before);
    result
}

fn all_signals() -> libc::sigset_t {
    let mut signals = MaybeUninit::uninit();
    // SAFETY: the set is a local that is written to.
    unsafe { libc::sigfillset(signals.as_mut_ptr()) };
    // SAFETY: it has been filled, which can't fail.
    unsafe { signals.assume_init() }
}

/// Blocks these signals, and no others, in this thread; yields which ones were blocked before.
fn change_signal_mask(signals: &libc::sigset_t) -> libc::sigset_t {
    let mut before = MaybeUninit::uninit();
    // SAFETY: one set is read, the other one a local that is written to.
    let failed = unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, signals, before.as_mut_ptr()) };
    assert_eq!(failed, 0, "the mask can be changed");
    // SAFETY: it has been written, as the call did not fail.
    unsafe { before.assume_init() }
}

/// Receives from a socket into these buffers, without waiting. Of what is none, `EOPNOTSUPP` says
/// that no call is known that does not wait.
///
/// # Safety
///
/// The list and its buffers are valid and unused during the call.
pub unsafe fn receive_now(fd: c_int, vectors: *const iovec, count: c_int) -> isize {
    // SAFETY: passed on.
    if unsafe { is_empty(vectors, count) } {
        // SAFETY: passed on.
        return unsafe { libc::readv(fd, vectors, count) };
    }
    let mut header = header_of(vectors, count);
    // SAFETY: passed on.
    of_a_socket(unsafe { libc::recvmsg(fd, &mut header, libc::MSG_DONTWAIT) })
}

/// Sends from these buffers to a socket, as [`receive_now`] receives.
///
/// # Safety
///
/// The list and its buffers are valid during the call.
pub unsafe fn send_now(fd: c_int, vectors: *const iovec, count: c_int) -> isize {
    // SAFETY: passed on.
    if unsafe { is_empty(vectors, count) } {
        // SAFETY: passed on.
        return unsafe { libc::writev(fd, vectors, count) };
    }
    let header = header_of(vectors, count);
    // SAFETY: passed on.
    of_a_socket(unsafe { libc::sendmsg(fd, &header, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) })
}

/// The answer of a call on a socket, of what may be none.
fn of_a_socket(result: isize) -> isize {
    let is_none = result < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::ENOTSOCK);
    if is_none { fail(libc::EOPNOTSUPP) } else { result }
}

/// Whether buffers have no room.
///
/// # Safety
///
/// The list is valid during the call.
unsafe fn is_empty(vectors: *const iovec, count: c_int) -> bool {
    // SAFETY: passed on.
    let vectors = unsafe { slice::from_raw_parts(vectors, count as usize) };
    vectors.iter().all(|vector| vector.iov_len == 0)
}

/// The header of a message of these buffers.
pub fn header_of(vectors: *const iovec, count: c_int) -> msghdr {
    // SAFETY: it is made of numbers and pointers, which may be zero.
    let mut header: msghdr = unsafe { mem::zeroed() };
    (header.msg_iov, header.msg_iovlen) = (vectors.cast_mut(), count as _);
    header
}

#[cfg(test)]
mod tests {
    use crate::sys::{CONTROL_ALIGNMENT, CONTROL_HEADER, c};

    #[test]
    fn the_form_of_control_messages_is_that_of_the_macros_of_the_system() {
        // SAFETY: the macros count.
        let header = unsafe { c::CMSG_LEN(0) } as usize;
        // SAFETY: the macros count.
        let whole = unsafe { c::CMSG_SPACE(5) } as usize;
        assert_eq!(CONTROL_HEADER, header);
        assert_eq!((CONTROL_HEADER + 5).next_multiple_of(CONTROL_ALIGNMENT), whole);
    }
}
