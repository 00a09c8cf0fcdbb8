//! Operations as calls that never wait.

use std::os::windows::io::{AsRawHandle, FromRawHandle, IntoRawHandle, IntoRawSocket, OwnedHandle};
use std::process;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use windows_sys::Win32::Foundation::{CloseHandle, GENERIC_WRITE, HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::Networking::WinSock as sock;
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, FILE_READ_ATTRIBUTES,
    OPEN_EXISTING, PIPE_ACCESS_INBOUND,
};
use windows_sys::Win32::System::Pipes::{
    CreateNamedPipeW, PIPE_READMODE_BYTE, PIPE_REJECT_REMOTE_CLIENTS, PIPE_TYPE_BYTE, PIPE_WAIT,
};

use super::codes::{handle_of, last, last_of_socket, of_calls, of_sockets, socket_of};
use super::winsock;
use crate::error::Cause;
use crate::handle::{CLOSED, RawHandle};
use crate::op::RawOp;
use crate::sys::c;

/// Does an operation that never waits; `None` if it may.
///
/// # Safety
///
/// The memory that it names is valid and, where it is written to, unused.
pub unsafe fn call(op: &RawOp) -> Option<Result<u32, Cause>> {
    Some(match *op {
        RawOp::Close { lingers: true, .. } => Ok(0),
        RawOp::Close { fd, .. } => close(fd),
        RawOp::Pipe { ends } => pipe().map(|made| {
            // SAFETY: passed on.
            unsafe { *ends = made };
            0
        }),
        RawOp::Socket { domain, kind, protocol } => {
            let made = winsock::new(domain, kind & !c::SOCK_CLOEXEC, protocol);
            let made = made.map(|socket| socket.into_raw_socket() as u32);
            made.map_err(|code| Cause::Os(of_sockets(code)))
        }
        RawOp::Bind { fd, address, len } => {
            // SAFETY: passed on.
            said(fd, || unsafe { sock::bind(socket_of(fd), address, len) })
        }
        RawOp::Listen { fd, backlog } => said(fd, || winsock::listen(fd, backlog)),
        RawOp::GetOption { name: c::SO_PASSCRED | c::SO_REUSEPORT, .. }
        | RawOp::SetOption { name: c::SO_PASSCRED | c::SO_REUSEPORT, .. } => {
            Err(Cause::Os(c::ENOPROTOOPT))
        }
        RawOp::GetOption { fd, level, name, value, len } => {
            let mut len = len as i32;
            // SAFETY: passed on.
            said(fd, || unsafe { sock::getsockopt(socket_of(fd), level, name, value, &mut len) })
        }
        RawOp::SetOption { fd, level, name, value, len } => {
            // SAFETY: passed on.
            said(fd, || unsafe { sock::setsockopt(socket_of(fd), level, name, value, len as i32) })
        }
        _ => return None,
    })
}

/// What a call for a socket says: 0, or that there is an error.
fn said(fd: RawHandle, call: impl FnOnce() -> i32) -> Result<u32, Cause> {
    if fd == CLOSED {
        return Err(Cause::Os(c::EBADF));
    }
    // Not every system looks whether it is one.
    if winsock::kind_of(fd) == Err(sock::WSAENOTSOCK as u32) {
        return Err(Cause::Os(c::ENOTSOCK));
    }
    match call() {
        0 => Ok(0),
        _ => Err(Cause::Os(of_sockets(last_of_socket()))),
    }
}

/// Shuts a side of a socket down.
pub fn shut_down(fd: RawHandle, how: i32) -> Result<u32, Cause> {
    // SAFETY: it has no conditions.
    said(fd, || unsafe { sock::shutdown(socket_of(fd), how) })
}

/// Closes a file or a socket.
fn close(fd: RawHandle) -> Result<u32, Cause> {
    if fd == CLOSED {
        return Err(Cause::Os(c::EBADF));
    }
    if let Some(closed) = winsock::close(fd) {
        return super::file::failed(closed).map(|()| 0);
    }
    // SAFETY: who closes it has it to himself.
    match unsafe { CloseHandle(handle_of(fd)) } {
        0 => Err(Cause::Os(of_calls(last()))),
        _ => Ok(0),
    }
}

/// How many bytes a pipe has room for.
const PIPE_ROOM: u32 = 64 << 10;

/// Makes a pipe of which neither end waits in its calls; the end to be read from comes first.
fn pipe() -> Result<[RawHandle; 2], Cause> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!(r"\\.\pipe\corio-aio.{}.{number}", process::id());
    let name: Vec<u16> = name.encode_utf16().chain([0]).collect();
    // SAFETY: the name ends with a NUL and outlives the call.
    let reader = owned(unsafe {
        CreateNamedPipeW(
            name.as_ptr(),
            PIPE_ACCESS_INBOUND | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
            PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
            1,
            PIPE_ROOM,
            PIPE_ROOM,
            0,
            ptr::null(),
        )
    })?;
    // SAFETY: as above.
    let writer = owned(unsafe {
        CreateFileW(
            name.as_ptr(),
            GENERIC_WRITE | FILE_READ_ATTRIBUTES,
            0,
            ptr::null(),
            OPEN_EXISTING,
            FILE_FLAG_OVERLAPPED,
            ptr::null_mut(),
        )
    })?;
    Ok([reader, writer].map(|end| end.into_raw_handle() as usize as RawHandle))
}

/// A handle that a call has made.
pub fn owned(made: HANDLE) -> Result<OwnedHandle, Cause> {
    if made == INVALID_HANDLE_VALUE || made.is_null() {
        return Err(Cause::Os(of_calls(last())));
    }
    // SAFETY: it was made for the caller, and nobody else has it.
    let made = unsafe { OwnedHandle::from_raw_handle(made) };
    debug_assert_eq!(handle_of(made.as_raw_handle() as usize as RawHandle), made.as_raw_handle());
    Ok(made)
}
