//! What preview 1 of WASI lacks of sockets. It can make none: those that a program is given at its
//! start can be accepted on, received from, sent to and shut down.

#![expect(non_camel_case_types, reason = "they are C's")]

#[path = "no_sockets.rs"]
pub mod net;

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::slice;
use std::time::Duration;

use super::{c, fail, poll, refuse};

/// Whether sockets can be made.
pub const MAKES_SOCKETS: bool = false;

/// Whether a file has one position for reads and writes: the host keeps it.
pub const FILES_HAVE_POSITIONS: bool = true;

/// What has a datagram's receiver told how long it was, whatever the buffer has: nothing.
pub const TELLS_LENGTH: c_int = 0;

pub type socklen_t = u32;

pub const AF_INET: i32 = 1;
pub const AF_INET6: i32 = 2;
pub const SOCK_DGRAM: i32 = 5;
pub const SOCK_STREAM: i32 = 6;
pub const SHUT_RD: i32 = 1;
pub const SHUT_WR: i32 = 2;
pub const SHUT_RDWR: i32 = SHUT_RD | SHUT_WR;
pub const MSG_PEEK: i32 = 0x2;
pub const MSG_NOSIGNAL: i32 = 0x4000;
pub const SO_REUSEADDR: i32 = 2;
pub const SO_ERROR: i32 = 4;
pub const SO_BROADCAST: i32 = 6;
pub const SO_SNDBUF: i32 = 7;
pub const SO_RCVBUF: i32 = 8;
pub const SO_KEEPALIVE: i32 = 9;
pub const SO_ACCEPTCONN: i32 = 30;
pub const IPPROTO_TCP: i32 = 6;
pub const IPPROTO_UDP: i32 = 17;
pub const IPPROTO_IPV6: i32 = 41;
pub const IPV6_V6ONLY: i32 = 26;
pub const TCP_NODELAY: i32 = 1;

/// The address of a socket, for who takes a pointer to one: the OS knows none.
#[derive(Debug)]
#[repr(C)]
pub struct sockaddr {
    pub sa_family: u16,
}

/// What the libc calls the flags of a receive.
const RECV_PEEK: c_int = 1;

mod libc_calls {
    use super::{c_int, c_void, sockaddr, socklen_t};

    unsafe extern "C" {
        pub fn accept4(
            fd: c_int,
            address: *mut sockaddr,
            len: *mut socklen_t,
            flags: c_int,
        ) -> c_int;
        pub fn getsockopt(
            fd: c_int,
            level: c_int,
            name: c_int,
            value: *mut c_void,
            len: *mut socklen_t,
        ) -> c_int;
    }
}

pub use libc_calls::getsockopt as get_option;

/// Whether a call that must not wait would.
fn would_wait(fd: c_int, flags: c_int, events: i16) -> bool {
    let mut entry = c::pollfd { fd, events, revents: 0 };
    // What can't be polled finds out itself.
    flags & c::MSG_DONTWAIT != 0
        && poll::poll_at_once(slice::from_mut(&mut entry), Duration::ZERO) == Ok(0)
}

/// Accepts a connection, if there is one.
pub fn accept_from_anybody(fd: c_int, flags: c_int) -> c_int {
    if would_wait(fd, c::MSG_DONTWAIT, c::POLLIN) {
        return fail(c::EAGAIN) as c_int;
    }
    // It writes an address, which says nothing, and can't be told not to.
    let mut room = MaybeUninit::<[u64; 16]>::uninit();
    let mut len = size_of_val(&room) as socklen_t;
    // SAFETY: there is room for an address of that length.
    unsafe { libc_calls::accept4(fd, room.as_mut_ptr().cast(), &mut len, flags) }
}

/// recvfrom(2): who sent it is not known.
///
/// # Safety
///
/// The buffer and the length are valid and unused; the latter may be null.
pub unsafe fn recvfrom(
    fd: c_int,
    buf: *mut c_void,
    len: usize,
    flags: c_int,
    _: *mut sockaddr,
    address_len: *mut socklen_t,
) -> isize {
    if flags & !(c::MSG_DONTWAIT | MSG_PEEK) != 0 {
        return fail(c::ENOTSUP);
    }
    if would_wait(fd, flags, c::POLLIN) {
        return fail(c::EAGAIN);
    }
    if !address_len.is_null() {
        // SAFETY: passed on.
        unsafe { address_len.write(0) };
    }
    let flags = if flags & MSG_PEEK != 0 { RECV_PEEK } else { 0 };
    // SAFETY: passed on.
    unsafe { libc::recv(fd, buf, len, flags) }
}

/// sendto(2), without an address.
///
/// # Safety
///
/// The buffer is valid.
pub unsafe fn sendto(
    fd: c_int,
    buf: *const c_void,
    len: usize,
    flags: c_int,
    _: *const sockaddr,
    address_len: socklen_t,
) -> isize {
    if flags & !c::MSG_DONTWAIT != 0 || address_len > 0 {
        return fail(c::ENOTSUP);
    }
    if would_wait(fd, flags, c::POLLOUT) {
        return fail(c::EAGAIN);
    }
    // SAFETY: passed on.
    unsafe { libc::send(fd, buf, len, 0) }
}

/// What there is no call for.
macro_rules! refused {
    ($($name:ident($($argument:ty),*);)+) => {$(
        /// It can't be done.
        ///
        /// # Safety
        ///
        /// None is needed.
        pub unsafe fn $name($(_: $argument),*) -> c_int {
            refuse()
        }
    )+};
}

refused! {
    socket(c_int, c_int, c_int);
    bind_to(c_int, *const sockaddr, socklen_t);
    listen_on(c_int, c_int);
    connect_to(c_int, *const sockaddr, socklen_t);
    set_option(c_int, c_int, c_int, *const c_void, socklen_t);
}
