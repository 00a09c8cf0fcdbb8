//! Whole messages: several buffers, an address, and what goes along.

use windows_sys::Win32::Networking::WinSock as sock;

use super::codes::socket_of;
use super::flight::{Book, Luggage, Room};
use super::socket::{PART, Seat, Started, part_of, receive, send};
use super::winsock::{kind_of, receive_call};
use crate::handle::RawHandle;
use crate::op::{RawOp, buffers_of};
use crate::sys::{CONTROL_ALIGNMENT, CONTROL_HEADER, ControlLen, c};

/// Whether there are descriptors among control messages.
pub fn has_descriptors(control: &[u8]) -> bool {
    let mut rest = control;
    while let Some((len, after)) = rest.split_first_chunk() {
        let Some(&kind) = after.get(4..).and_then(<[u8]>::first_chunk) else { return false };
        if i32::from_ne_bytes(kind) == c::SCM_RIGHTS {
            return true;
        }
        let len = ControlLen::from_ne_bytes(*len).max(CONTROL_HEADER);
        rest = rest.get(len.next_multiple_of(CONTROL_ALIGNMENT)..).unwrap_or_default();
    }
    false
}

/// The buffers of a message, as sockets take them.
///
/// # Safety
///
/// The header and its list of buffers are valid.
unsafe fn buffers(header: *const c::msghdr) -> Vec<sock::WSABUF> {
    // SAFETY: passed on.
    let vectors = unsafe { buffers_of(header) };
    let buffer = |vector: &c::iovec| sock::WSABUF {
        len: RawOp::clamp(vector.iov_len),
        buf: vector.iov_base.cast(),
    };
    vectors.iter().map(buffer).collect()
}

/// # Safety
///
/// As for [`start`].
pub unsafe fn send_message(
    fd: RawHandle,
    header: *const c::msghdr,
    flags: i32,
    seat: &Seat,
    moved: u32,
) -> Started {
    // SAFETY: passed on.
    let mut buffers = unsafe { buffers(header) };
    // SAFETY: passed on.
    let header = unsafe { &*header };
    let len = buffers.iter().map(|buffer| u64::from(buffer.len)).sum::<u64>();
    let left = u32::try_from(len).unwrap_or(u32::MAX) - moved;
    if part_of(fd, left) < left {
        skip(&mut buffers, moved);
        keep(&mut buffers, PART);
    } else if moved > 0 {
        skip(&mut buffers, moved);
    }
    if header.msg_controllen == 0 && header.msg_name.is_null() {
        // SAFETY: passed on.
        return unsafe { send(fd, &buffers, flags, seat) };
    }
    let flags = (flags & c::MSG_OOB) as u32;
    let mut count = 0;
    if header.msg_controllen == 0 {
        // SAFETY: as in `receive`.
        let returned = unsafe {
            sock::WSASendTo(
                socket_of(fd),
                buffers.as_ptr(),
                buffers.len() as u32,
                &mut count,
                flags,
                header.msg_name.cast(),
                header.msg_namelen,
                seat.overlapped,
                seat.routine(),
            )
        };
        return Started::of_socket(returned, count);
    }
    let message = message(header, &buffers);
    // SAFETY: as in `receive`, also of the message.
    let returned = unsafe {
        sock::WSASendMsg(
            socket_of(fd),
            &message,
            flags,
            &mut count,
            seat.overlapped,
            seat.routine(),
        )
    };
    Started::of_socket(returned, count)
}

fn message(header: &c::msghdr, buffers: &[sock::WSABUF]) -> sock::WSAMSG {
    let len = header.msg_controllen as u32;
    sock::WSAMSG {
        name: header.msg_name.cast(),
        namelen: header.msg_namelen,
        lpBuffers: buffers.as_ptr().cast_mut(),
        dwBufferCount: buffers.len() as u32,
        Control: sock::WSABUF { len, buf: header.msg_control.cast() },
        dwFlags: 0,
    }
}

/// # Safety
///
/// As for [`start`].
pub unsafe fn receive_message(
    fd: RawHandle,
    header: *mut c::msghdr,
    flags: i32,
    seat: &Seat,
    book: &mut Book,
) -> Started {
    // SAFETY: passed on.
    let mut buffers = unsafe { buffers(header) };
    // SAFETY: passed on.
    let header = unsafe { &mut *header };
    if kind_of(fd) != Ok(sock::SOCK_DGRAM) {
        (header.msg_namelen, header.msg_controllen, header.msg_flags) = (0, 0, 0);
        skip(&mut buffers, book.moved);
        // SAFETY: passed on.
        return unsafe { receive(fd, &buffers, flags, seat) };
    }
    let Some(call) = receive_call(fd) else { return Started::Failed(c::EOPNOTSUPP as u32) };
    let mut message = message(header, &buffers);
    message.dwFlags = (flags & (c::MSG_PEEK | c::MSG_OOB)) as u32;
    book.luggage = Luggage::Buffers { _list: buffers };
    let place = seat.room.cast::<sock::WSAMSG>();
    // SAFETY: there is room for it, as is asserted below; it is in place until it is done.
    unsafe { place.write(message) };
    let mut count = 0;
    // SAFETY: as in `receive`; the message and its list of buffers stay in place.
    let returned =
        unsafe { call(socket_of(fd), place, &mut count, seat.overlapped, seat.routine()) };
    Started::of_socket(returned, count)
}

/// Leaves out what is behind so many bytes.
fn keep(buffers: &mut Vec<sock::WSABUF>, most: u32) {
    let mut left = most;
    for buffer in buffers.iter_mut() {
        buffer.len = buffer.len.min(left);
        left -= buffer.len;
    }
    buffers.retain(|buffer| buffer.len > 0);
}

/// Leaves out what is full.
fn skip(buffers: &mut Vec<sock::WSABUF>, moved: u32) {
    let mut left = moved;
    for buffer in buffers.iter_mut() {
        let full = left.min(buffer.len);
        (buffer.buf, buffer.len) = (buffer.buf.wrapping_add(full as usize), buffer.len - full);
        left -= full;
    }
    buffers.retain(|buffer| buffer.len > 0);
}

const _: () = assert!(size_of::<sock::WSAMSG>() <= size_of::<Room>());

const _: () = assert!(align_of::<sock::WSAMSG>() <= align_of::<Room>());

/// Lets the header say what has come.
///
/// # Safety
///
/// The header is valid, and the message was received through this room.
pub unsafe fn tell_header(
    header: *mut c::msghdr,
    luggage: &Luggage,
    room: *const Room,
    is_cut: bool,
) {
    if !matches!(luggage, Luggage::Buffers { .. }) {
        return;
    }
    // SAFETY: it was written by `receive_message`, and the system is done with it.
    let message = unsafe { room.cast::<sock::WSAMSG>().read() };
    // SAFETY: passed on.
    let header = unsafe { &mut *header };
    header.msg_namelen = message.namelen;
    header.msg_controllen = message.Control.len as usize;
    header.msg_flags = message.dwFlags as i32 | if is_cut { c::MSG_TRUNC } else { 0 };
}
