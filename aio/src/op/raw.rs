//! The lowered form of an operation, which a backend starts, and the answer that it gives.

use std::os::fd::{FromRawFd, OwnedFd};

use crate::error::{Cause, Error};
use crate::handle::RawHandle;
use crate::key::Key;
use crate::kind::OpKind;

/// An operation as a backend sees it: numbers and pointers.
///
/// Lengths are at most [`RawOp::MOST`]. Who starts one keeps what its pointers name alive and in
/// place until it has been answered.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are those of the operations in `op`")]
pub enum RawOp {
    Nop,
    Read { fd: RawHandle, buf: *mut u8, len: u32, offset: u64 },
    Write { fd: RawHandle, buf: *const u8, len: u32, offset: u64 },
    Fsync { fd: RawHandle, data_only: bool },
    OpenAt { dir: RawHandle, path: *const libc::c_char, flags: i32, mode: u32 },
    Close { fd: RawHandle, shared: bool, lingers: bool },
    Socket { domain: i32, kind: i32, protocol: i32 },
    Bind { fd: RawHandle, address: *const libc::sockaddr, len: u32 },
    Listen { fd: RawHandle, backlog: i32 },
    Accept { fd: RawHandle },
    Connect { fd: RawHandle, address: *const libc::sockaddr, len: u32 },
    Send { fd: RawHandle, buf: *const u8, len: u32, flags: i32 },
    Recv { fd: RawHandle, buf: *mut u8, len: u32, flags: i32 },
    Shutdown { fd: RawHandle, how: i32 },
    Timeout { after: *const Timespec },
    LinkTimeout { after: *const Timespec },
    Cancel { ring: u64, target: Key },
    Poll { fd: RawHandle, events: u32 },
}

impl RawOp {
    /// The most bytes that one call of the OS moves (Linux: 2 GiB less a page).
    pub const MOST: usize = 0x7fff_f000;

    /// The offset that means the file's own position.
    pub const OWN_POSITION: u64 = u64::MAX;

    /// A cancel that finds nothing.
    pub(crate) const CANCEL_NOTHING: RawOp = RawOp::Cancel { ring: 0, target: Key::NONE };

    /// How many bytes it must move so as not to break a soft chain; `None` if any number will do.
    pub(crate) fn whole(&self) -> Option<u32> {
        match *self {
            RawOp::Read { len, .. } | RawOp::Write { len, .. } => Some(len),
            RawOp::Send { len, flags, .. } | RawOp::Recv { len, flags, .. }
                if flags & libc::MSG_WAITALL != 0 =>
            {
                Some(len)
            }
            _ => None,
        }
    }

    /// The same, but what is sent is sent whole: the next operation of its chain must not start
    /// between two parts of it.
    pub(crate) fn sent_whole(self) -> RawOp {
        match self {
            RawOp::Send { fd, buf, len, flags } => {
                RawOp::Send { fd, buf, len, flags: flags | libc::MSG_WAITALL }
            }
            op => op,
        }
    }

    /// How many of `len` bytes one call is asked to move.
    pub(crate) const fn clamp(len: usize) -> u32 {
        if len > RawOp::MOST { RawOp::MOST as u32 } else { len as u32 }
    }
}

/// Seconds and nanoseconds, as the kernel reads them (`struct __kernel_timespec`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

impl Timespec {
    /// A span of time; one too long for the kernel is as long as it can be.
    pub const fn new(duration: std::time::Duration) -> Timespec {
        let seconds = duration.as_secs();
        Timespec {
            seconds: if seconds > i64::MAX as u64 { i64::MAX } else { seconds as i64 },
            nanoseconds: duration.subsec_nanos() as i64,
        }
    }

    /// The span of time.
    pub const fn duration(&self) -> std::time::Duration {
        std::time::Duration::new(self.seconds as u64, self.nanoseconds as u32)
    }
}

/// What a backend says of an operation that it was given: a number, or why there is none.
///
/// It is given to the operation once. The number of an operation that makes a descriptor is that
/// descriptor, and the answer owns it.
#[derive(Debug)]
pub struct Answer(Result<u32, Cause>);

impl Answer {
    /// An answer.
    ///
    /// # Safety
    ///
    /// If the operation makes a descriptor, the number is one that nobody else owns.
    pub const unsafe fn new(result: Result<u32, Cause>) -> Answer {
        Answer(result)
    }

    /// The answer of an operation that never started.
    pub const fn failed(cause: Cause) -> Answer {
        Answer(Err(cause))
    }

    /// Why it failed.
    pub(crate) fn cause(&self) -> Option<Cause> {
        self.0.err()
    }

    /// The number, for an operation that counts.
    pub(crate) fn count(self, kind: OpKind) -> Result<usize, Error> {
        match self.0 {
            Ok(count) => Ok(count as usize),
            Err(cause) => Err(Error::new(kind, cause)),
        }
    }

    /// Nothing, for an operation that succeeds or does not.
    pub(crate) fn done(self, kind: OpKind) -> Result<(), Error> {
        self.count(kind).map(drop)
    }

    /// The descriptor, for an operation that makes one.
    pub(crate) fn handle(self, kind: OpKind) -> Result<OwnedFd, Error> {
        match self.0 {
            // SAFETY: who made the answer promised that the descriptor is its own, and it is used
            // up here.
            Ok(fd) => Ok(unsafe { OwnedFd::from_raw_fd(fd as RawHandle) }),
            Err(cause) => Err(Error::new(kind, cause)),
        }
    }
}
