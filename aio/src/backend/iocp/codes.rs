//! What went wrong, in the words of Windows that programs know.

use std::io;

use windows_sys::Win32::Foundation as os;
use windows_sys::Win32::Networking::WinSock as socket;

use crate::error::Cause;
use crate::handle::RawHandle;
use crate::sys::c;

/// The handle of a descriptor.
pub fn handle_of(fd: RawHandle) -> os::HANDLE {
    std::ptr::without_provenance_mut(fd as isize as usize)
}

/// The socket of a descriptor.
pub fn socket_of(fd: RawHandle) -> socket::SOCKET {
    fd as isize as usize
}

/// The code of a status of the kernel's: 0 for a success.
pub fn of_status(status: i32) -> u32 {
    if status >= 0 {
        return 0;
    }
    // SAFETY: it has no conditions.
    unsafe { os::RtlNtStatusToDosError(status) }
}

/// The code of what this thread's last call said.
pub fn last() -> u32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(c::EIO) as u32
}

/// The code of what this thread's last call for a socket said.
pub fn last_of_socket() -> u32 {
    // SAFETY: it has no conditions.
    unsafe { socket::WSAGetLastError() as u32 }
}

/// Why a call failed that has said so through `std`.
pub fn cause_of(error: &io::Error) -> Cause {
    match error.raw_os_error() {
        Some(code) => Cause::Os(of_calls(code as u32)),
        None if error.kind() == io::ErrorKind::Unsupported => Cause::Unsupported,
        None => Cause::Os(c::EINVAL),
    }
}

/// One code for what calls have several for.
pub fn of_calls(code: u32) -> i32 {
    match code {
        os::ERROR_FILE_EXISTS => c::EEXIST,
        os::ERROR_NO_DATA | os::ERROR_PIPE_NOT_CONNECTED => c::EPIPE,
        os::ERROR_HANDLE_DISK_FULL => c::ENOSPC,
        code => code as i32,
    }
}

/// The code that sockets have for what the kernel says of one.
pub fn of_sockets(code: u32) -> i32 {
    match code {
        os::ERROR_NETNAME_DELETED => socket::WSAECONNRESET,
        os::ERROR_CONNECTION_REFUSED => socket::WSAECONNREFUSED,
        os::ERROR_CONNECTION_ABORTED => socket::WSAECONNABORTED,
        os::ERROR_NETWORK_UNREACHABLE => socket::WSAENETUNREACH,
        os::ERROR_HOST_UNREACHABLE => socket::WSAEHOSTUNREACH,
        os::ERROR_PORT_UNREACHABLE => socket::WSAECONNREFUSED,
        os::ERROR_SEM_TIMEOUT => socket::WSAETIMEDOUT,
        os::ERROR_ADDRESS_ALREADY_ASSOCIATED => socket::WSAEADDRINUSE,
        os::ERROR_DUP_NAME => socket::WSAEADDRINUSE,
        os::ERROR_MORE_DATA => socket::WSAEMSGSIZE,
        os::ERROR_NOT_CONNECTED => socket::WSAENOTCONN,
        os::ERROR_INVALID_PARAMETER => socket::WSAEINVAL,
        code => code as i32,
    }
}
