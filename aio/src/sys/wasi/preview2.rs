//! What preview 2 of WASI has of sockets.

use std::ffi::c_int;
use std::ptr;

pub use libc::{
    bind as bind_to, connect as connect_to, getsockopt as get_option, listen as listen_on,
    setsockopt as set_option,
};
pub use socket2 as net;

/// Whether sockets can be made.
pub const MAKES_SOCKETS: bool = true;

/// Whether a file has one position for reads and writes: the libc has one for each.
pub const FILES_HAVE_POSITIONS: bool = false;

/// What has a datagram's receiver told how long it was, whatever the buffer has.
pub const TELLS_LENGTH: c_int = super::c::MSG_TRUNC;

/// Accepts a connection, if there is one.
pub fn accept_from_anybody(fd: c_int, flags: c_int) -> c_int {
    // SAFETY: no address is asked for.
    unsafe { libc::accept4(fd, ptr::null_mut(), ptr::null_mut(), flags) }
}
