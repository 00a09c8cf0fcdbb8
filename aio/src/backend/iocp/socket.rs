//! Operations on sockets, as calls that go on in the background.

use std::mem;
use std::os::windows::io::{AsRawSocket, IntoRawSocket};
use std::ptr;
use std::slice;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::Networking::WinSock as sock;
use windows_sys::Win32::System::IO::OVERLAPPED;

use super::codes::{last_of_socket, of_sockets, socket_of};
use super::flight::{Book, Flights, Luggage, Room, socket_done, status_of};
use super::message::{has_descriptors, receive_message, send_message};
use super::winsock::{ask, bind_to_any, connect_call, kind_of, set, twin};
use crate::error::Cause;
use crate::handle::RawHandle;
use crate::op::{RawOp, buffers_of};
use crate::sys::c;

/// What came of giving an operation to the system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Started {
    /// It is at work.
    Pending,
    /// It is done already, with so many bytes; a completion routine says so again.
    Done(u32),
    /// It can't be done.
    Failed(u32),
}

impl Started {
    /// What a call of sockets has said: 0, or that there is an error.
    pub fn of_socket(returned: i32, bytes: u32) -> Started {
        match returned {
            0 => Started::Done(bytes),
            _ => match last_of_socket() as i32 {
                sock::WSA_IO_PENDING => Started::Pending,
                code => Started::Failed(code as u32),
            },
        }
    }

    /// What a call has said: true, or that there is an error.
    fn of_call(returned: i32) -> Started {
        Started::of_socket(if returned == 0 { -1 } else { 0 }, 0)
    }
}

/// Where a call that goes on puts what.
pub struct Seat {
    pub overlapped: *mut OVERLAPPED,
    pub room: *mut Room,
    pub flags: *mut u32,
    /// Whether a completion routine is told, or an event set.
    pub has_routine: bool,
}

impl Seat {
    /// That of a flight which has been prepared.
    pub fn of(flights: &Flights, index: usize, has_routine: bool) -> Seat {
        let (overlapped, room) = (flights.overlapped(index), flights.room(index));
        Seat { overlapped, room, flags: flights.flags(index), has_routine }
    }

    /// What the system has said so far: the status, and how many bytes were moved.
    pub fn status(&self) -> (i32, u32) {
        // SAFETY: the seat is in place as long as its flight.
        unsafe { status_of(self.overlapped) }
    }

    /// The completion routine, if one is told.
    pub fn routine(&self) -> sock::LPWSAOVERLAPPED_COMPLETION_ROUTINE {
        if self.has_routine { Some(socket_done) } else { None }
    }
}

/// Starts an operation, of which so much was moved before.
///
/// # Safety
///
/// What it names, and the seat, stay in place until it is done; the book's luggage too.
pub unsafe fn start(book: &mut Book, seat: &Seat) -> Started {
    match book.op {
        RawOp::Recv { fd, buf, len, flags } => {
            let buf = buf.wrapping_add(book.moved as usize);
            let buffer = sock::WSABUF { len: len - book.moved, buf };
            // SAFETY: passed on; so in all of these.
            unsafe { receive(fd, &[buffer], flags, seat) }
        }
        RawOp::Send { fd, buf, len, flags } | RawOp::SendZc { fd, buf, len, flags } => {
            let buf = buf.cast_mut().wrapping_add(book.moved as usize);
            let len = part_of(fd, len - book.moved);
            // SAFETY: see above.
            unsafe { send(fd, &[sock::WSABUF { len, buf }], flags, seat) }
        }
        RawOp::SendMsg { fd, header, flags } => {
            // SAFETY: see above.
            unsafe { send_message(fd, header, flags, seat, book.moved) }
        }
        RawOp::RecvMsg { fd, header, flags } => {
            // SAFETY: see above.
            unsafe { receive_message(fd, header, flags, seat, book) }
        }
        // SAFETY: see above.
        RawOp::Accept { fd } => unsafe { accept(fd, seat, &mut book.luggage) },
        // SAFETY: see above.
        RawOp::Connect { fd, address, len } => unsafe { connect(fd, address, len, seat) },
        _ => Started::Failed(c::EINVAL as u32),
    }
}

/// How much a stream is given at once. It takes all of it before it says anything, and what it has
/// taken is not known where it is stopped.
pub const PART: u32 = 64 << 10;

/// How much of `len` bytes a socket is given at once.
pub fn part_of(fd: RawHandle, len: u32) -> u32 {
    if len > PART && kind_of(fd) == Ok(sock::SOCK_STREAM) { PART } else { len }
}

/// Whether an operation can be done: not with descriptors, which no socket carries, and not if it
/// is to tell how long a datagram was of which a part is received.
///
/// # Safety
///
/// What it names is valid.
pub unsafe fn can_be(op: &RawOp) -> bool {
    match *op {
        RawOp::Recv { flags, .. } | RawOp::RecvMsg { flags, .. } => flags & c::MSG_TRUNC == 0,
        RawOp::SendMsg { header, .. } => {
            // SAFETY: passed on.
            let header = unsafe { &*header };
            let control: &[u8] = match header.msg_controllen {
                0 => &[],
                // SAFETY: passed on.
                len => unsafe { slice::from_raw_parts(header.msg_control.cast(), len) },
            };
            !has_descriptors(control)
        }
        _ => true,
    }
}

/// # Safety
///
/// As for [`start`].
pub unsafe fn receive(fd: RawHandle, buffers: &[sock::WSABUF], flags: i32, seat: &Seat) -> Started {
    let mut known = flags & (c::MSG_PEEK | c::MSG_OOB);
    if known & c::MSG_PEEK != 0 {
        // What is not taken off can't be received in parts; so the system has to wait for all.
        known |= flags & c::MSG_WAITALL;
    }
    // SAFETY: the flags are the seat's, which is in place.
    unsafe { *seat.flags = known as u32 };
    let (mut count, many) = (0, buffers.len() as u32);
    // SAFETY: passed on. The system takes the list of buffers over before it returns.
    let returned = unsafe {
        sock::WSARecv(
            socket_of(fd),
            buffers.as_ptr(),
            many,
            &mut count,
            seat.flags,
            seat.overlapped,
            seat.routine(),
        )
    };
    Started::of_socket(returned, count)
}

/// # Safety
///
/// As for [`start`].
pub unsafe fn send(fd: RawHandle, buffers: &[sock::WSABUF], flags: i32, seat: &Seat) -> Started {
    let (mut count, many) = (0, buffers.len() as u32);
    // SAFETY: as in `receive`.
    let returned = unsafe {
        sock::WSASend(
            socket_of(fd),
            buffers.as_ptr(),
            many,
            &mut count,
            (flags & c::MSG_OOB) as u32,
            seat.overlapped,
            seat.routine(),
        )
    };
    Started::of_socket(returned, count)
}

/// Starts an accept: into a socket of the same kind, which is made for it.
///
/// # Safety
///
/// As for [`start`].
unsafe fn accept(fd: RawHandle, seat: &Seat, luggage: &mut Luggage) -> Started {
    if let Err(code) = listens(fd) {
        return Started::Failed(code);
    }
    let socket = match twin(fd) {
        Ok(socket) => socket,
        Err(code) => return Started::Failed(code),
    };
    let (into, mut count) = (socket.as_raw_socket() as usize, 0);
    // SAFETY: the room is in place, and there is enough of it, as is asserted below.
    let returned = unsafe {
        sock::AcceptEx(
            socket_of(fd),
            into,
            seat.room.cast(),
            0,
            ADDRESS,
            ADDRESS,
            &mut count,
            seat.overlapped,
        )
    };
    *luggage = Luggage::Socket(socket);
    Started::of_call(returned)
}

/// Refuses what does not listen: not every system does.
fn listens(fd: RawHandle) -> Result<(), u32> {
    if kind_of(fd)? != sock::SOCK_STREAM {
        return Err(c::EOPNOTSUPP as u32);
    }
    match ask(fd, sock::SO_ACCEPTCONN)? {
        0 => Err(sock::WSAEINVAL as u32),
        _ => Ok(()),
    }
}

/// What an accept needs for an address.
const ADDRESS: u32 = size_of::<sock::SOCKADDR_STORAGE>() as u32 + 16;

const _: () = assert!(2 * ADDRESS as usize <= size_of::<Room>());

/// The socket that has been accepted.
pub fn accepted(listener: RawHandle, luggage: &mut Luggage) -> Result<u32, Cause> {
    let Luggage::Socket(socket) = mem::take(luggage) else {
        return Err(Cause::Os(c::EINVAL));
    };
    let listener = socket_of(listener).to_ne_bytes();
    let name = sock::SO_UPDATE_ACCEPT_CONTEXT;
    set(socket.as_raw_socket() as usize, name, &listener).map_err(cause)?;
    Ok(socket.into_raw_socket() as u32)
}

fn cause(code: u32) -> Cause {
    Cause::Os(of_sockets(code))
}

/// Starts a connect of a stream, which has to have an address for it; of datagrams, it is done at
/// once.
///
/// # Safety
///
/// As for [`start`].
unsafe fn connect(fd: RawHandle, address: *const c::sockaddr, len: i32, seat: &Seat) -> Started {
    let kind = match kind_of(fd) {
        Ok(kind) => kind,
        Err(code) => return Started::Failed(code),
    };
    if kind != sock::SOCK_STREAM {
        // SAFETY: passed on.
        let returned = unsafe { sock::connect(socket_of(fd), address, len) };
        return Started::of_socket(returned, 0);
    }
    // SAFETY: passed on.
    let family = unsafe { (*address).sa_family };
    if let Err(code) = bind_to_any(fd, family) {
        return Started::Failed(code);
    }
    let Some(call) = connect_call(fd) else { return Started::Failed(c::EOPNOTSUPP as u32) };
    let mut count = 0;
    // SAFETY: passed on.
    Started::of_call(unsafe {
        call(socket_of(fd), address, len, ptr::null(), 0, &mut count, seat.overlapped)
    })
}

/// Lets the system know what a socket is now that it is connected.
pub fn connected(fd: RawHandle) -> Result<u32, Cause> {
    if kind_of(fd) == Ok(sock::SOCK_STREAM) {
        set(socket_of(fd), sock::SO_UPDATE_CONNECT_CONTEXT, &[]).map_err(cause)?;
    }
    Ok(0)
}

/// The handle of the event in an operation's overlapped structure: with its lowest bit set no port
/// is told, whichever the socket belongs to.
pub fn untold(event: HANDLE) -> HANDLE {
    event.map_addr(|address| address | 1)
}

/// The answer of an operation that has ended.
///
/// # Errors
///
/// Why it failed.
pub fn result(op: &RawOp, code: u32, bytes: u32) -> Result<u32, Cause> {
    let is_receive = matches!(op, RawOp::Recv { .. } | RawOp::RecvMsg { .. });
    match of_sockets(code) {
        0 => Ok(bytes),
        // The rest of a datagram is lost, as everywhere.
        sock::WSAEMSGSIZE if is_receive => Ok(bytes.max(received(op))),
        sock::WSAESHUTDOWN if is_receive => Ok(0),
        sock::WSAESHUTDOWN => Err(Cause::Os(c::EPIPE)),
        code => Err(Cause::Os(code)),
    }
}

/// How much there is in the buffers of a receive that were too short.
fn received(op: &RawOp) -> u32 {
    match *op {
        RawOp::Recv { len, .. } => len,
        RawOp::RecvMsg { header, .. } => {
            // SAFETY: who started it keeps the header in place until it is answered.
            let buffers = unsafe { buffers_of(header) };
            buffers.iter().map(|buffer| RawOp::clamp(buffer.iov_len)).sum()
        }
        _ => 0,
    }
}
