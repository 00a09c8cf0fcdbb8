//! Sockets themselves: made, named, asked and closed by calls that never wait.

use std::io;
use std::mem;
use std::os::windows::io::FromRawSocket;
use std::ptr;
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::{HANDLE_FLAG_INHERIT, SetHandleInformation};
use windows_sys::Win32::Networking::WinSock as sock;
use windows_sys::Win32::System::IO::OVERLAPPED;

use super::codes::{handle_of, last_of_socket, socket_of};
use crate::error::Cause;
use crate::handle::{OwnedSocket, RawHandle};

/// Makes a socket of the same kind as another one.
pub fn twin(fd: RawHandle) -> Result<OwnedSocket, u32> {
    let info = info_of(fd)?;
    new(info.iAddressFamily, info.iSocketType, info.iProtocol)
}

/// What family and kind a socket is of.
fn info_of(fd: RawHandle) -> Result<sock::WSAPROTOCOL_INFOW, u32> {
    let mut info = mem::MaybeUninit::<sock::WSAPROTOCOL_INFOW>::uninit();
    let mut len = size_of_val(&info) as i32;
    let (level, name) = (sock::SOL_SOCKET, sock::SO_PROTOCOL_INFOW);
    // SAFETY: so much may be written to the local.
    let returned =
        unsafe { sock::getsockopt(socket_of(fd), level, name, info.as_mut_ptr().cast(), &mut len) };
    if returned != 0 {
        return Err(last_of_socket());
    }
    // SAFETY: it has been written.
    Ok(unsafe { info.assume_init() })
}

/// Makes a socket.
pub fn new(domain: i32, kind: i32, protocol: i32) -> Result<OwnedSocket, u32> {
    let flags = sock::WSA_FLAG_OVERLAPPED | sock::WSA_FLAG_NO_HANDLE_INHERIT;
    // SAFETY: it has no conditions.
    let socket = unsafe { sock::WSASocketW(domain, kind, protocol, ptr::null(), 0, flags) };
    if socket == sock::INVALID_SOCKET {
        return Err(last_of_socket());
    }
    // SAFETY: it was made here, and nobody else has it.
    let made = unsafe { OwnedSocket::from_raw_socket(socket as _) };
    // Not every system knows the flag.
    // SAFETY: it is open.
    unsafe { SetHandleInformation(handle_of(socket as RawHandle), HANDLE_FLAG_INHERIT, 0) };
    Ok(made)
}

/// Sets an option of the socket itself.
pub fn set(socket: sock::SOCKET, name: i32, value: &[u8]) -> Result<(), u32> {
    let (level, len) = (sock::SOL_SOCKET, value.len() as i32);
    // SAFETY: the value is read during the call.
    match unsafe { sock::setsockopt(socket, level, name, value.as_ptr(), len) } {
        0 => Ok(()),
        _ => Err(last_of_socket()),
    }
}

/// What kind of socket it is.
pub fn kind_of(fd: RawHandle) -> Result<i32, u32> {
    ask(fd, sock::SO_TYPE)
}

/// Whether it is a socket: one that has an address, or could have one.
pub fn is_socket(fd: RawHandle) -> bool {
    // SAFETY: numbers may be zero.
    let mut own: sock::SOCKADDR_STORAGE = unsafe { mem::zeroed() };
    let mut len = size_of_val(&own) as i32;
    // SAFETY: so much may be written to the local.
    let returned = unsafe { sock::getsockname(socket_of(fd), (&raw mut own).cast(), &mut len) };
    returned == 0 || last_of_socket() as i32 == sock::WSAEINVAL
}

/// An option of the socket itself that is a number.
pub fn ask(fd: RawHandle, name: i32) -> Result<i32, u32> {
    let (mut value, mut len) = (0_i32, 4);
    let level = sock::SOL_SOCKET;
    // SAFETY: a number is written to the local.
    let returned =
        unsafe { sock::getsockopt(socket_of(fd), level, name, (&raw mut value).cast(), &mut len) };
    if returned == 0 { Ok(value) } else { Err(last_of_socket()) }
}

/// Gives a socket that has no address one of the system's choice, of this family.
pub fn bind_to_any(fd: RawHandle, family: u16) -> Result<(), u32> {
    // SAFETY: numbers may be zero.
    let mut own: sock::SOCKADDR_STORAGE = unsafe { mem::zeroed() };
    let mut len = size_of_val(&own) as i32;
    // SAFETY: so much may be written to the local.
    if unsafe { sock::getsockname(socket_of(fd), (&raw mut own).cast(), &mut len) } == 0
        && own.ss_family != 0
        && has_port(&own)
    {
        return Ok(());
    }
    // SAFETY: as above.
    own = unsafe { mem::zeroed() };
    own.ss_family = family;
    let len = match family {
        sock::AF_INET6 => size_of::<sock::SOCKADDR_IN6>(),
        _ => size_of::<sock::SOCKADDR_IN>(),
    };
    // SAFETY: the address is a local.
    match unsafe { sock::bind(socket_of(fd), (&raw const own).cast(), len as i32) } {
        0 => Ok(()),
        // It has one already, of another kind.
        _ if last_of_socket() as i32 == sock::WSAEINVAL => Ok(()),
        _ => Err(last_of_socket()),
    }
}

/// Lets a socket listen; one that has no address gets one of the system's choice.
pub fn listen(fd: RawHandle, backlog: i32) -> i32 {
    // SAFETY: it has no conditions.
    let listened = unsafe { sock::listen(socket_of(fd), backlog) };
    if listened == 0 || last_of_socket() as i32 != sock::WSAEINVAL {
        return listened;
    }
    let Ok(info) = info_of(fd) else { return listened };
    match bind_to_any(fd, info.iAddressFamily as u16) {
        // SAFETY: as above.
        Ok(()) => unsafe { sock::listen(socket_of(fd), backlog) },
        Err(_) => listened,
    }
}

/// Whether an address has a port, which stands at the same place in all that have one.
fn has_port(address: &sock::SOCKADDR_STORAGE) -> bool {
    address.__ss_pad1[..2] != [0, 0]
}

/// Asks for a call that is not in the library itself.
fn extension(fd: RawHandle, name: &windows_sys::core::GUID) -> Option<usize> {
    let (mut address, mut count) = (0_usize, 0);
    // SAFETY: the name is read and an address is written, both of the size that is said.
    let returned = unsafe {
        sock::WSAIoctl(
            socket_of(fd),
            sock::SIO_GET_EXTENSION_FUNCTION_POINTER,
            ptr::from_ref(name).cast(),
            size_of_val(name) as u32,
            (&raw mut address).cast(),
            size_of::<usize>() as u32,
            &mut count,
            ptr::null_mut(),
            None,
        )
    };
    (returned == 0 && address != 0).then_some(address)
}

pub type ConnectCall = unsafe extern "system" fn(
    sock::SOCKET,
    *const sock::SOCKADDR,
    i32,
    *const std::ffi::c_void,
    u32,
    *mut u32,
    *mut OVERLAPPED,
) -> i32;

pub type ReceiveCall = unsafe extern "system" fn(
    sock::SOCKET,
    *mut sock::WSAMSG,
    *mut u32,
    *mut OVERLAPPED,
    sock::LPWSAOVERLAPPED_COMPLETION_ROUTINE,
) -> i32;

pub fn connect_call(fd: RawHandle) -> Option<ConnectCall> {
    static CALL: OnceLock<usize> = OnceLock::new();
    let address = *CALL.get().or_else(|| {
        let found = extension(fd, &sock::WSAID_CONNECTEX)?;
        Some(CALL.get_or_init(|| found))
    })?;
    // SAFETY: the system says that the call of this name is there.
    Some(unsafe { mem::transmute::<usize, ConnectCall>(address) })
}

pub fn receive_call(fd: RawHandle) -> Option<ReceiveCall> {
    static CALL: OnceLock<usize> = OnceLock::new();
    let address = *CALL.get().or_else(|| {
        let found = extension(fd, &sock::WSAID_WSARECVMSG)?;
        Some(CALL.get_or_init(|| found))
    })?;
    // SAFETY: as above.
    Some(unsafe { mem::transmute::<usize, ReceiveCall>(address) })
}

/// Lets this process use sockets.
pub fn start_up() -> Result<(), Cause> {
    static STARTED: OnceLock<i32> = OnceLock::new();
    let code = *STARTED.get_or_init(|| {
        let mut data = mem::MaybeUninit::uninit();
        // SAFETY: the local is written to.
        unsafe { sock::WSAStartup(0x202, data.as_mut_ptr()) }
    });
    if code == 0 { Ok(()) } else { Err(Cause::Os(code)) }
}

/// Closes a socket; `None` if it is none.
pub fn close(fd: RawHandle) -> Option<io::Result<()>> {
    // SAFETY: who closes it has it to himself.
    if unsafe { sock::closesocket(socket_of(fd)) } == 0 {
        return Some(Ok(()));
    }
    match last_of_socket() as i32 {
        sock::WSAENOTSOCK => None,
        code => Some(Err(io::Error::from_raw_os_error(code))),
    }
}
