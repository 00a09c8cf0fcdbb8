//! The lowered form of an operation, which a backend starts, and the answer that it gives.

use std::slice;

use super::Stat;
use super::header::{Header, Received};
use crate::error::{Cause, Error};
use crate::handle::{OwnedFile, OwnedSocket, RawHandle, own_file, own_socket};
use crate::key::Key;
use crate::kind::OpKind;
use crate::sys::net::SockAddrStorage;
use crate::sys::{CountedEvent, PathUnit, c};

/// A path, as the OS reads it.
type Path = *const PathUnit;

/// An operation as a backend sees it: numbers and pointers.
///
/// Lengths are at most [`RawOp::MOST`], and vectors at most 1024. Who starts one keeps what its
/// pointers name alive and in place until it has been answered. A pipe that succeeds has written
/// two descriptors that nobody else owns.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are those of the operations in `op`")]
pub enum RawOp {
    Nop,
    Read { fd: RawHandle, buf: *mut u8, len: u32, offset: u64 },
    Write { fd: RawHandle, buf: *const u8, len: u32, offset: u64 },
    Fsync { fd: RawHandle, data_only: bool },
    OpenAt { dir: RawHandle, path: Path, flags: i32, mode: u32 },
    Readv { fd: RawHandle, vectors: *const c::iovec, count: u32, offset: u64 },
    Writev { fd: RawHandle, vectors: *const c::iovec, count: u32, offset: u64 },
    Ftruncate { fd: RawHandle, len: u64 },
    Fallocate { fd: RawHandle, mode: i32, offset: u64, len: u64 },
    Fadvise { fd: RawHandle, offset: u64, len: u32, advice: i32 },
    Madvise { address: *const u8, len: u32, advice: i32 },
    SyncFileRange { fd: RawHandle, offset: u64, len: u32, flags: u32 },
    Splice { from: RawHandle, from_at: u64, to: RawHandle, to_at: u64, len: u32, flags: u32 },
    Pipe { ends: *mut [RawHandle; 2] },
    Statx { dir: RawHandle, path: Path, flags: i32, mask: u32, stat: *mut Stat },
    RenameAt { from: RawHandle, old: Path, to: RawHandle, new: Path, flags: u32 },
    UnlinkAt { dir: RawHandle, path: Path, flags: i32 },
    MkdirAt { dir: RawHandle, path: Path, mode: u32 },
    SymlinkAt { target: Path, dir: RawHandle, path: Path },
    LinkAt { from: RawHandle, old: Path, to: RawHandle, new: Path, flags: i32 },
    Close { fd: RawHandle, shared: bool, lingers: bool },
    Socket { domain: i32, kind: i32, protocol: i32 },
    Bind { fd: RawHandle, address: *const c::sockaddr, len: c::socklen_t },
    Listen { fd: RawHandle, backlog: i32 },
    Accept { fd: RawHandle },
    Connect { fd: RawHandle, address: *const c::sockaddr, len: c::socklen_t },
    Send { fd: RawHandle, buf: *const u8, len: u32, flags: i32 },
    Recv { fd: RawHandle, buf: *mut u8, len: u32, flags: i32 },
    Shutdown { fd: RawHandle, how: i32 },
    SendMsg { fd: RawHandle, header: *const c::msghdr, flags: i32 },
    RecvMsg { fd: RawHandle, header: *mut c::msghdr, flags: i32 },
    SendZc { fd: RawHandle, buf: *const u8, len: u32, flags: i32 },
    GetOption { fd: RawHandle, level: i32, name: i32, value: *mut u8, len: u32 },
    SetOption { fd: RawHandle, level: i32, name: i32, value: *const u8, len: u32 },
    ChildExit { child: RawHandle },
    WaitId { pidfd: RawHandle, info: *mut c::siginfo_t, options: i32 },
    FutexWait { word: *const u32, expected: u32, mask: u32, flags: u32 },
    FutexWake { word: *const u32, count: u32, mask: u32, flags: u32 },
    Timeout { after: *const Timespec },
    LinkTimeout { after: *const Timespec },
    Cancel { ring: u64, target: Key },
    Poll { fd: RawHandle, events: u32 },
    NotifyEvent { event: *const CountedEvent },
    WaitEvent { event: *const CountedEvent },
}

// SAFETY: it only says where memory is. Who follows its pointers promises that they may be followed
// there and then, whichever thread that is.
unsafe impl Send for RawOp {}

// SAFETY: as above; and a shared one can only be copied.
unsafe impl Sync for RawOp {}

/// One is copied for each operation that is started.
const _: () = assert!(size_of::<RawOp>() <= 40);

impl RawOp {
    /// The most bytes that one call of the OS moves (Linux: 2 GiB less a page).
    pub const MOST: usize = 0x7fff_f000;

    /// The offset that means the file's own position.
    pub const OWN_POSITION: u64 = u64::MAX;

    /// A cancel that finds nothing.
    pub(crate) const CANCEL_NOTHING: RawOp = RawOp::Cancel { ring: 0, target: Key::NONE };

    /// The descriptor that it works on: the first, if there are two, and the directory of a path.
    /// None for an operation on something else, and where the path starts at the working directory.
    #[inline]
    pub const fn descriptor(&self) -> Option<RawHandle> {
        let fd = match *self {
            RawOp::Read { fd, .. }
            | RawOp::Write { fd, .. }
            | RawOp::Fsync { fd, .. }
            | RawOp::OpenAt { dir: fd, .. }
            | RawOp::Readv { fd, .. }
            | RawOp::Writev { fd, .. }
            | RawOp::Ftruncate { fd, .. }
            | RawOp::Fallocate { fd, .. }
            | RawOp::Fadvise { fd, .. }
            | RawOp::SyncFileRange { fd, .. }
            | RawOp::Splice { from: fd, .. }
            | RawOp::Statx { dir: fd, .. }
            | RawOp::RenameAt { from: fd, .. }
            | RawOp::UnlinkAt { dir: fd, .. }
            | RawOp::MkdirAt { dir: fd, .. }
            | RawOp::SymlinkAt { dir: fd, .. }
            | RawOp::LinkAt { from: fd, .. }
            | RawOp::Close { fd, .. }
            | RawOp::Bind { fd, .. }
            | RawOp::Listen { fd, .. }
            | RawOp::Accept { fd }
            | RawOp::Connect { fd, .. }
            | RawOp::Send { fd, .. }
            | RawOp::Recv { fd, .. }
            | RawOp::Shutdown { fd, .. }
            | RawOp::SendMsg { fd, .. }
            | RawOp::RecvMsg { fd, .. }
            | RawOp::SendZc { fd, .. }
            | RawOp::GetOption { fd, .. }
            | RawOp::SetOption { fd, .. }
            | RawOp::ChildExit { child: fd }
            | RawOp::WaitId { pidfd: fd, .. }
            | RawOp::Poll { fd, .. } => fd,
            RawOp::Nop
            | RawOp::Madvise { .. }
            | RawOp::Pipe { .. }
            | RawOp::Socket { .. }
            | RawOp::FutexWait { .. }
            | RawOp::FutexWake { .. }
            | RawOp::Timeout { .. }
            | RawOp::LinkTimeout { .. }
            | RawOp::Cancel { .. }
            | RawOp::NotifyEvent { .. }
            | RawOp::WaitEvent { .. } => -1,
        };
        if fd < 0 { None } else { Some(fd) }
    }

    /// How many bytes it must move so as not to break a soft chain; `None` if any number will do.
    ///
    /// # Safety
    ///
    /// What its pointers name is valid.
    #[inline]
    pub(crate) unsafe fn whole(&self) -> Option<u64> {
        if let RawOp::Send { len, flags, .. } = *self
            && flags & c::MSG_WAITALL != 0
        {
            return Some(len.into());
        }
        // SAFETY: passed on.
        unsafe { self.whole_of_others() }
    }

    /// # Safety
    ///
    /// As for [`RawOp::whole`].
    #[inline(never)]
    unsafe fn whole_of_others(&self) -> Option<u64> {
        match *self {
            RawOp::Read { len, .. } | RawOp::Write { len, .. } | RawOp::Splice { len, .. } => {
                Some(len.into())
            }
            RawOp::Readv { vectors, count, .. } | RawOp::Writev { vectors, count, .. } => {
                // SAFETY: passed on.
                Some(total(unsafe { slice::from_raw_parts(vectors, count as usize) }))
            }
            RawOp::SendZc { len, flags, .. } | RawOp::Recv { len, flags, .. }
                if flags & c::MSG_WAITALL != 0 =>
            {
                Some(len.into())
            }
            RawOp::SendMsg { header, flags, .. } if flags & c::MSG_WAITALL != 0 => {
                // SAFETY: passed on.
                Some(total(unsafe { buffers_of(header) }))
            }
            RawOp::RecvMsg { header, flags, .. } if flags & c::MSG_WAITALL != 0 => {
                // SAFETY: passed on.
                Some(total(unsafe { buffers_of(header) }))
            }
            _ => None,
        }
    }

    /// The same, but what is sent is sent whole: the next operation of its chain must not start
    /// between two parts of it.
    #[inline]
    pub(crate) fn sent_whole(self) -> RawOp {
        if let RawOp::Send { fd, buf, len, flags } = self {
            return RawOp::Send { fd, buf, len, flags: flags | c::MSG_WAITALL };
        }
        match self {
            RawOp::SendZc { fd, buf, len, flags } => {
                RawOp::SendZc { fd, buf, len, flags: flags | c::MSG_WAITALL }
            }
            RawOp::SendMsg { fd, header, flags } => {
                RawOp::SendMsg { fd, header, flags: flags | c::MSG_WAITALL }
            }
            op => op,
        }
    }

    /// How many of `len` bytes one call is asked to move.
    pub(crate) const fn clamp(len: usize) -> u32 {
        if len > RawOp::MOST { RawOp::MOST as u32 } else { len as u32 }
    }
}

/// How many bytes buffers hold.
pub(crate) fn total(buffers: &[c::iovec]) -> u64 {
    buffers.iter().map(|buffer| buffer.iov_len as u64).sum()
}

/// The buffers of a message.
///
/// # Safety
///
/// The header and what it points to are valid for as long as the result is used.
pub(crate) unsafe fn buffers_of<'a>(header: *const c::msghdr) -> &'a [c::iovec] {
    // SAFETY: passed on.
    let header = unsafe { &*header };
    if header.msg_iovlen == 0 {
        return &[];
    }
    // SAFETY: passed on.
    unsafe { slice::from_raw_parts(header.msg_iov, header.msg_iovlen as _) }
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
    /// If the operation makes a descriptor, the number is one that nobody else owns; if it makes
    /// two, those that it has written are.
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

    /// The answer, where a `mistake` was known before, and the OS was asked for something that
    /// fails in its stead.
    pub(crate) fn or_mistake(self, mistake: Option<Cause>) -> Answer {
        match (self.0, mistake) {
            (Err(Cause::Os(_)), Some(mistake)) => Answer(Err(mistake)),
            (result, _) => Answer(result),
        }
    }

    /// The message that was received with this header, which points to the other two.
    pub(super) fn message(
        self,
        kind: OpKind,
        header: &Header,
        control: &[u8],
        address: SockAddrStorage,
    ) -> Result<Received, Error> {
        let len = self.count(kind)?;
        // SAFETY: it succeeded, so that the OS received a message; its operation asks once, and
        // with the header that it was lowered to.
        Ok(unsafe { Received::new(len, header, control, address) })
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

    /// The file, for an operation that makes one.
    pub(crate) fn file(self, kind: OpKind) -> Result<OwnedFile, Error> {
        let number = self.count(kind)?;
        // SAFETY: who made the answer promised that the file is its own, and it is used up here.
        Ok(unsafe { own_file(number as RawHandle) })
    }

    /// The socket, for an operation that makes one.
    pub(crate) fn socket(self, kind: OpKind) -> Result<OwnedSocket, Error> {
        let number = self.count(kind)?;
        // SAFETY: who made the answer promised that the socket is its own, and it is used up here.
        Ok(unsafe { own_socket(number as RawHandle) })
    }

    /// The two files that it has written to `ends`, for an operation that makes two.
    pub(crate) fn files(self, kind: OpKind, ends: [RawHandle; 2]) -> Result<[OwnedFile; 2], Error> {
        self.done(kind)?;
        // SAFETY: who made the answer promised that the two are its own, and it is used up here.
        Ok(ends.map(|end| unsafe { own_file(end) }))
    }
}
