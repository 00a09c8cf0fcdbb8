//! Completion ports: queues of the system's that a thread waits on.

use std::io;
use std::mem::MaybeUninit;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;

use windows_sys::Win32::Foundation::{HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::IO::{
    CreateIoCompletionPort, GetQueuedCompletionStatusEx, OVERLAPPED_ENTRY,
    PostQueuedCompletionStatus,
};
use windows_sys::Win32::System::Threading::INFINITE;

/// A completion port.
#[derive(Debug)]
pub struct Port(OwnedHandle);

/// What a thread posts to a port: three numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet {
    kind: usize,
    slot: usize,
    generation: u32,
}

impl Packet {
    /// That of a [`Signal`](super::Signal).
    pub const SIGNAL: Packet = Packet::of(1, 0, 0);

    /// One of the backend's, of a `kind` above 1.
    pub const fn of(kind: usize, slot: usize, generation: u32) -> Packet {
        Packet { kind, slot, generation }
    }

    /// What has come out of a port, if it was posted there.
    pub fn from_entry(entry: &OVERLAPPED_ENTRY) -> Packet {
        let slot = entry.lpOverlapped as usize;
        Packet::of(entry.lpCompletionKey, slot, entry.dwNumberOfBytesTransferred)
    }

    /// What kind it is.
    pub fn kind(self) -> usize {
        self.kind
    }

    /// Its other two numbers.
    pub fn numbers(self) -> (usize, u32) {
        (self.slot, self.generation)
    }
}

impl Port {
    pub fn new() -> io::Result<Port> {
        // SAFETY: no handle is given, and a new port is asked for.
        let port = unsafe { CreateIoCompletionPort(INVALID_HANDLE_VALUE, ptr::null_mut(), 0, 1) };
        if port.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it was made here, and nobody else has it.
        Ok(Port(unsafe { OwnedHandle::from_raw_handle(port) }))
    }

    /// Its handle.
    pub fn handle(&self) -> HANDLE {
        self.0.as_raw_handle()
    }

    /// Its handle, in lowered form.
    pub fn raw(&self) -> i32 {
        self.handle() as usize as i32
    }

    /// Adds a packet.
    pub fn post(&self, packet: Packet) {
        // SAFETY: the port is open; what looks like a pointer is a number that comes out again.
        let posted = unsafe {
            PostQueuedCompletionStatus(
                self.handle(),
                packet.generation,
                packet.kind,
                ptr::without_provenance_mut(packet.slot),
            )
        };
        // Somebody would wait for it for ever.
        assert_ne!(posted, 0, "the system has room for a packet");
    }

    /// Moves what has come into `entries`, after a wait of up to `timeout_ms` milliseconds if there
    /// is nothing; yields how many. Completion routines of this thread run in the wait, and end it.
    pub fn wait(&self, entries: &mut [MaybeUninit<OVERLAPPED_ENTRY>], timeout_ms: u32) -> usize {
        let mut count = 0;
        let len = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        // SAFETY: the port is open; so many entries may be written, and the number is a local.
        let got = unsafe {
            GetQueuedCompletionStatusEx(
                self.handle(),
                entries.as_mut_ptr().cast(),
                len,
                &mut count,
                timeout_ms,
                1,
            )
        };
        if got == 0 { 0 } else { count as usize }
    }

    /// Takes one packet, or waits for one until a completion routine ends that.
    pub fn wait_for_one(&self) -> Option<Packet> {
        let mut entries = [MaybeUninit::uninit()];
        let [entry] = &mut entries;
        if self.wait(std::slice::from_mut(entry), INFINITE) == 0 {
            return None;
        }
        // SAFETY: the wait has written it.
        Some(Packet::from_entry(unsafe { entry.assume_init_ref() }))
    }
}
