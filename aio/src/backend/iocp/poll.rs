//! The poller of sockets: the driver below them, which is asked what one is ready for.

use std::mem;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;

use windows_sys::Wdk::Foundation::OBJECT_ATTRIBUTES;
use windows_sys::Wdk::Storage::FileSystem::{FILE_OPEN, NtCreateFile};
use windows_sys::Wdk::System::IO::NtDeviceIoControlFile;
use windows_sys::Win32::Foundation::{HANDLE, STATUS_PENDING, UNICODE_STRING};
use windows_sys::Win32::Networking::WinSock::{SIO_BASE_HANDLE, WSAIoctl};
use windows_sys::Win32::Storage::FileSystem::{FILE_SHARE_READ, FILE_SHARE_WRITE, SYNCHRONIZE};
use windows_sys::Win32::System::IO::{CreateIoCompletionPort, IO_STATUS_BLOCK};

use super::codes::{last_of_socket, of_calls, of_sockets, of_status, socket_of};
use super::file::manner;
use super::flight::Room;
use super::winsock::is_socket;
use super::{Iocp, POLLED};
use crate::error::Cause;
use crate::handle::RawHandle;
use crate::op::RawOp;
use crate::sys::{Port, c};

/// The request to be told when a socket is ready (`IOCTL_AFD_POLL`).
const ASK: u32 = 0x1_2024;

/// What a socket is ready for, in the poller's words.
const RECEIVE: u32 = 0x1;
const RECEIVE_EXPEDITED: u32 = 0x2;
const SEND: u32 = 0x4;
const DISCONNECT: u32 = 0x8;
const ABORT: u32 = 0x10;
const LOCAL_CLOSE: u32 = 0x20;
const ACCEPT: u32 = 0x80;
const CONNECT_FAIL: u32 = 0x100;

/// A question to the poller, and its answer (`AFD_POLL_INFO`, for one socket).
#[derive(Clone, Copy)]
#[repr(C)]
struct Question {
    /// In steps of 100 ns.
    timeout: i64,
    count: u32,
    exclusive: u32,
    socket: HANDLE,
    events: u32,
    status: i32,
}

const _: () = assert!(size_of::<Question>() <= size_of::<Room>());
const _: () = assert!(align_of::<Question>() <= align_of::<Room>());

/// A way to the poller, whose answers come to the port.
pub struct Poller(OwnedHandle);

impl Poller {
    fn new(port: &Port) -> Result<Poller, Cause> {
        let mut name: Vec<u16> = r"\Device\Afd\corio-aio".encode_utf16().collect();
        let len = (name.len() * 2) as u16;
        let name = UNICODE_STRING { Length: len, MaximumLength: len, Buffer: name.as_mut_ptr() };
        // SAFETY: it is made of numbers and pointers.
        let mut attributes: OBJECT_ATTRIBUTES = unsafe { mem::zeroed() };
        attributes.Length = size_of::<OBJECT_ATTRIBUTES>() as u32;
        attributes.ObjectName = &raw const name;
        let mut handle = ptr::null_mut();
        // SAFETY: as above.
        let mut block: IO_STATUS_BLOCK = unsafe { mem::zeroed() };
        // SAFETY: what it reads and writes are locals.
        let status = unsafe {
            NtCreateFile(
                &mut handle,
                SYNCHRONIZE,
                &attributes,
                &mut block,
                ptr::null(),
                0,
                FILE_SHARE_READ | FILE_SHARE_WRITE,
                FILE_OPEN,
                0,
                ptr::null(),
                0,
            )
        };
        if status != 0 {
            return Err(Cause::Os(of_calls(of_status(status))));
        }
        // SAFETY: it was made here, and nobody else has it.
        let handle = unsafe { OwnedHandle::from_raw_handle(handle) };
        // SAFETY: both are open.
        let port =
            unsafe { CreateIoCompletionPort(handle.as_raw_handle(), port.handle(), POLLED, 0) };
        if port.is_null() {
            return Err(Cause::Os(of_calls(super::codes::last())));
        }
        Ok(Poller(handle))
    }

    /// Its handle.
    pub fn handle(&self) -> HANDLE {
        self.0.as_raw_handle()
    }
}

/// The socket below all that other programs may have put over it.
fn base_of(fd: RawHandle) -> Result<HANDLE, Cause> {
    let (mut base, mut count): (HANDLE, u32) = (ptr::null_mut(), 0);
    // SAFETY: a handle is written to the local.
    let returned = unsafe {
        WSAIoctl(
            socket_of(fd),
            SIO_BASE_HANDLE,
            ptr::null(),
            0,
            (&raw mut base).cast(),
            size_of::<HANDLE>() as u32,
            &mut count,
            ptr::null_mut(),
            None,
        )
    };
    if returned == 0 { Ok(base) } else { Err(Cause::Os(of_sockets(last_of_socket()))) }
}

/// The answer for what the poller does not know, which is why it has failed: a file is always
/// ready; pipes and consoles can't be asked.
fn without_poller(fd: RawHandle, events: u32, cause: Cause) -> Result<u32, Cause> {
    match manner(fd) {
        Ok(manner) if manner.has_position => Ok(events & (c::POLLIN | c::POLLOUT) as u32),
        Ok(_) if !is_socket(fd) => Err(Cause::Unsupported),
        Ok(_) => Err(cause),
        Err(closed) => Err(closed),
    }
}

/// What the poller is asked for.
fn asked(events: u32) -> u32 {
    let mut asked = DISCONNECT | ABORT | LOCAL_CLOSE | CONNECT_FAIL;
    let pairs =
        [(c::POLLIN, RECEIVE | ACCEPT), (c::POLLOUT, SEND), (c::POLLPRI, RECEIVE_EXPEDITED)];
    for (event, words) in pairs {
        if events & event as u32 != 0 {
            asked |= words;
        }
    }
    asked
}

/// What the poller's words mean.
fn told(words: u32, events: u32) -> u32 {
    let pairs = [
        (RECEIVE | ACCEPT | DISCONNECT | ABORT | CONNECT_FAIL, c::POLLIN),
        (SEND | ABORT | CONNECT_FAIL, c::POLLOUT),
        (RECEIVE_EXPEDITED, c::POLLPRI),
    ];
    let mut told = 0;
    for (word, event) in pairs {
        if words & word != 0 {
            told |= events & event as u32;
        }
    }
    if words & (DISCONNECT | ABORT | CONNECT_FAIL) != 0 {
        told |= c::POLLHUP as u32;
    }
    if words & (ABORT | CONNECT_FAIL) != 0 {
        told |= c::POLLERR as u32;
    }
    told
}

impl Iocp {
    /// Asks the poller about a socket; an answer, if there is one at once.
    pub(super) fn poll(&mut self, index: usize) -> Option<Result<u32, Cause>> {
        let RawOp::Poll { fd, events } = self.flights.book(index).op else { return None };
        let cause = self.ask_poller(index).err()?;
        self.leave(index);
        Some(without_poller(fd, events, cause))
    }

    fn ask_poller(&mut self, index: usize) -> Result<(), Cause> {
        let poller = match &mut self.poller {
            Some(poller) => poller,
            none => none.insert(Poller::new(&self.port)?),
        };
        let handle = poller.handle();
        let RawOp::Poll { fd, events } = self.flights.book(index).op else {
            return Err(Cause::Unsupported);
        };
        let socket = base_of(fd)?;
        let question = Question {
            timeout: i64::MAX,
            count: 1,
            exclusive: 0,
            socket,
            events: asked(events),
            status: 0,
        };
        self.flights.prepare(index, 0, ptr::null_mut());
        let (overlapped, room) = (self.flights.overlapped(index), self.flights.room(index));
        let place = room.cast::<Question>();
        // SAFETY: there is room for it, as is asserted above, and the system does not have it.
        unsafe { place.write(question) };
        self.traffic.calls += 1;
        let len = size_of::<Question>() as u32;
        // SAFETY: the flight stays in place until its packet has come. What an overlapped structure
        // begins with is what the kernel writes its status to.
        let status = unsafe {
            NtDeviceIoControlFile(
                handle,
                ptr::null_mut(),
                None,
                overlapped.cast(),
                overlapped.cast(),
                ASK,
                place.cast(),
                len,
                place.cast(),
                len,
            )
        };
        match status {
            0 | STATUS_PENDING => {
                self.flights.take_off(index);
                Ok(())
            }
            status => Err(Cause::Os(of_sockets(of_status(status)))),
        }
    }

    /// What follows from what the poller has said.
    pub(super) fn polled(&mut self, index: usize, code: u32) -> Option<Result<u32, Cause>> {
        if code != 0 {
            return Some(Err(Cause::Os(of_sockets(code))));
        }
        // SAFETY: it was written by `ask_poller`, and the system is done with it.
        let said = unsafe { self.flights.room(index).cast::<Question>().read() };
        let RawOp::Poll { fd, events } = self.flights.book(index).op else { return None };
        if said.count > 0 && said.events & LOCAL_CLOSE != 0 {
            return Some(without_poller(fd, events, Cause::Os(c::EBADF)));
        }
        match told(said.events, events) {
            told if said.count > 0 && told != 0 => Some(Ok(told)),
            _ if self.flights.book(index).is_asked => Some(Err(Cause::Canceled)),
            _ => self.ask_poller(index).err().map(Err),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_was_asked_for_but_for_errors() {
        let readable = c::POLLIN as u32;
        assert_eq!(told(RECEIVE | SEND, readable), readable);
        assert_eq!(told(SEND, readable), 0);
        assert_eq!(told(DISCONNECT, readable), readable | c::POLLHUP as u32);
        let gone = (c::POLLERR | c::POLLHUP) as u32;
        assert_eq!(told(ABORT, 0), gone);
        assert_eq!(told(CONNECT_FAIL, c::POLLOUT as u32), gone | c::POLLOUT as u32);
        assert_eq!(asked(readable) & SEND, 0);
        assert_ne!(asked(0) & ABORT, 0);
    }
}
