//! Operations on files and memory that Linux alone has a queue entry for: room, ranges and advice.

use super::private::Sealed;
use super::{Answer, Buf, Operation, RawOp};
use crate::error::Error;
use crate::handle::{Descriptor, IntoDescriptor};
use crate::kind::OpKind;
use crate::sys::c;

/// Reserves room on the device for `len` bytes of `file` from `offset` on, so that writing them
/// can't fail for want of it; the file grows if it is shorter. The methods of [`Fallocate`] ask for
/// other things instead.
///
/// # Errors
///
/// - [`Cause::Os`](crate::Cause::Os)`(ENOSPC)`: there is not enough room.
/// - [`Cause::Os`](crate::Cause::Os)`(EINVAL)`: `len` is 0, or one of them is too large for a file.
/// - [`Cause::Os`](crate::Cause::Os)`(EFBIG)`: the file would be too large.
/// - [`Cause::Os`](crate::Cause::Os)`(EOPNOTSUPP)`: the file system can't do this.
/// - [`Cause::Os`](crate::Cause::Os)`(ENODEV)`, `(ESPIPE)`: `file` is no file, or a pipe.
/// - [`Cause::Os`](crate::Cause::Os)`(EBADF)`: `file` is closed, or not open for writing.
///
/// # Platforms
///
/// Linux; FreeBSD gives a file room, and nothing else.
///
/// Source: fallocate(2); `IORING_OP_FALLOCATE`, Linux 5.6; posix_fallocate(2).
pub fn fallocate<F: IntoDescriptor>(file: F, offset: u64, len: u64) -> Fallocate<F::Descriptor> {
    Fallocate { file: file.into_descriptor(), offset, len, mode: 0 }
}

/// See [`fallocate`].
#[derive(Clone, Copy, Debug)]
pub struct Fallocate<F> {
    /// The file.
    pub file: F,
    offset: u64,
    len: u64,
    mode: i32,
}

impl<F> Fallocate<F> {
    /// The size of the file stays what it is.
    pub fn keep_size(self) -> Fallocate<F> {
        Fallocate { mode: self.mode | c::FALLOC_FL_KEEP_SIZE, ..self }
    }

    /// Gives the room of the range back instead: it reads as zeros, and the size stays.
    pub fn punch_hole(self) -> Fallocate<F> {
        Fallocate { mode: c::FALLOC_FL_PUNCH_HOLE | c::FALLOC_FL_KEEP_SIZE, ..self }
    }

    /// Makes the range read as zeros, and keeps its room.
    pub fn zero_range(self) -> Fallocate<F> {
        let keep_size = self.mode & c::FALLOC_FL_KEEP_SIZE;
        Fallocate { mode: c::FALLOC_FL_ZERO_RANGE | keep_size, ..self }
    }

    /// Takes the range out of the file: what follows moves up. It must be whole blocks of the file
    /// system, and not reach the end.
    pub fn collapse_range(self) -> Fallocate<F> {
        Fallocate { mode: c::FALLOC_FL_COLLAPSE_RANGE, ..self }
    }

    /// Puts a hole in: what follows moves back. It must be whole blocks of the file system, and
    /// start before the end.
    pub fn insert_range(self) -> Fallocate<F> {
        Fallocate { mode: c::FALLOC_FL_INSERT_RANGE, ..self }
    }
}

impl<F> Sealed for Fallocate<F> {}
impl<F: Descriptor> Operation for Fallocate<F> {
    type Output = ();
    const KIND: OpKind = OpKind::Fallocate;

    fn lower(&mut self) -> RawOp {
        let (fd, mode) = (self.file.raw(), self.mode);
        RawOp::Fallocate { fd, mode, offset: self.offset, len: self.len }
    }

    fn finish(&mut self, answer: Answer) -> Result<(), Error> {
        answer.done(OpKind::Fallocate)
    }
}

/// Starts to write what was changed of `file` to its device, without waiting for it: of the whole
/// file, unless [`range`](SyncFileRange::range) says of which part.
///
/// It is no [`fsync`](super::fsync()): nothing is said of the file's size, nor of what the device
/// keeps when its power fails.
///
/// # Errors
///
/// - [`Cause::Os`](crate::Cause::Os)`(EIO)`: something that was written is lost.
/// - [`Cause::Os`](crate::Cause::Os)`(ESPIPE)`: `file` is of a kind that has no device.
/// - [`Cause::Os`](crate::Cause::Os)`(EINVAL)`: the range is too large for a file.
/// - [`Cause::Os`](crate::Cause::Os)`(EBADF)`: `file` is closed.
///
/// # Platforms
///
/// Linux.
///
/// Source: sync_file_range(2); `IORING_OP_SYNC_FILE_RANGE`, Linux 5.2.
pub fn sync_file_range<F: IntoDescriptor>(file: F) -> SyncFileRange<F::Descriptor> {
    let flags = c::SYNC_FILE_RANGE_WRITE;
    SyncFileRange { file: file.into_descriptor(), offset: 0, len: 0, flags }
}

/// See [`sync_file_range`].
#[derive(Clone, Copy, Debug)]
pub struct SyncFileRange<F> {
    /// The file.
    pub file: F,
    offset: u64,
    len: u32,
    flags: u32,
}

impl<F> SyncFileRange<F> {
    /// Of `len` bytes from `offset` on; 0 is all up to the end.
    pub fn range(self, offset: u64, len: u32) -> SyncFileRange<F> {
        SyncFileRange { offset, len, ..self }
    }

    /// Waits first for what is being written already.
    pub fn wait_before(self) -> SyncFileRange<F> {
        SyncFileRange { flags: self.flags | c::SYNC_FILE_RANGE_WAIT_BEFORE, ..self }
    }

    /// Waits until all of it is written.
    pub fn wait_after(self) -> SyncFileRange<F> {
        SyncFileRange { flags: self.flags | c::SYNC_FILE_RANGE_WAIT_AFTER, ..self }
    }
}

impl<F> Sealed for SyncFileRange<F> {}
impl<F: Descriptor> Operation for SyncFileRange<F> {
    type Output = ();
    const KIND: OpKind = OpKind::SyncFileRange;

    fn lower(&mut self) -> RawOp {
        let (fd, flags) = (self.file.raw(), self.flags);
        RawOp::SyncFileRange { fd, offset: self.offset, len: self.len, flags }
    }

    fn finish(&mut self, answer: Answer) -> Result<(), Error> {
        answer.done(OpKind::SyncFileRange)
    }
}

/// How a file will be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub enum FileAdvice {
    /// As most files are.
    Normal = c::POSIX_FADV_NORMAL,
    /// From its start to its end.
    Sequential = c::POSIX_FADV_SEQUENTIAL,
    /// Here and there.
    Random = c::POSIX_FADV_RANDOM,
    /// Once.
    NoReuse = c::POSIX_FADV_NOREUSE,
    /// Soon.
    WillNeed = c::POSIX_FADV_WILLNEED,
    /// Not any more: it need not be cached. What was not written to the device yet stays.
    DontNeed = c::POSIX_FADV_DONTNEED,
}

/// Tells the OS how `file` will be used: all of it, unless [`range`](Fadvise::range) says which
/// part. No result ever depends on it.
///
/// # Errors
///
/// - [`Cause::Os`](crate::Cause::Os)`(ESPIPE)`: `file` is a pipe.
/// - [`Cause::Os`](crate::Cause::Os)`(EBADF)`: `file` is closed.
///
/// # Platforms
///
/// Linux and FreeBSD.
///
/// Source: posix_fadvise(2); `IORING_OP_FADVISE`, Linux 5.6.
pub fn fadvise<F: IntoDescriptor>(file: F, advice: FileAdvice) -> Fadvise<F::Descriptor> {
    Fadvise { file: file.into_descriptor(), offset: 0, len: 0, advice }
}

/// See [`fadvise`].
#[derive(Clone, Copy, Debug)]
pub struct Fadvise<F> {
    /// The file.
    pub file: F,
    offset: u64,
    len: u32,
    advice: FileAdvice,
}

impl<F> Fadvise<F> {
    /// Of `len` bytes from `offset` on; 0 is all up to the end.
    pub fn range(self, offset: u64, len: u32) -> Fadvise<F> {
        Fadvise { offset, len, ..self }
    }
}

impl<F> Sealed for Fadvise<F> {}
impl<F: Descriptor> Operation for Fadvise<F> {
    type Output = ();
    const KIND: OpKind = OpKind::Fadvise;

    fn lower(&mut self) -> RawOp {
        let (fd, advice) = (self.file.raw(), self.advice as i32);
        RawOp::Fadvise { fd, offset: self.offset, len: self.len, advice }
    }

    fn finish(&mut self, answer: Answer) -> Result<(), Error> {
        answer.done(OpKind::Fadvise)
    }
}

/// How memory will be used: the advice that leaves what is in it alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub enum MemoryAdvice {
    /// As most memory is.
    Normal = c::MADV_NORMAL,
    /// From its start to its end.
    Sequential = c::MADV_SEQUENTIAL,
    /// Here and there.
    Random = c::MADV_RANDOM,
    /// Soon.
    WillNeed = c::MADV_WILLNEED,
    /// Not soon; Linux 5.4.
    Cold = c::MADV_COLD,
    /// Not soon: it can be put on its device now; Linux 5.4.
    PageOut = c::MADV_PAGEOUT,
    /// Large pages are worth their room.
    HugePage = c::MADV_HUGEPAGE,
    /// Large pages are not worth their room.
    NoHugePage = c::MADV_NOHUGEPAGE,
}

/// Tells the OS how the memory of `buf` will be used. What is in it never changes.
///
/// It is meant for mapped memory: advice is for whole pages, of which the last may be covered in
/// part, and for the first [`RawOp::MOST`] bytes.
///
/// # Errors
///
/// - [`Cause::Os`](crate::Cause::Os)`(EINVAL)`: `buf` does not start with a page, or the kernel
///   does not know the advice.
///
/// # Platforms
///
/// Unix. Advice that a system does not know comes to nothing there.
///
/// Source: madvise(2); `IORING_OP_MADVISE`, Linux 5.6.
pub fn madvise<B: Buf>(buf: B, advice: MemoryAdvice) -> Madvise<B> {
    Madvise { buf, advice }
}

/// See [`madvise`].
#[derive(Clone, Copy, Debug)]
pub struct Madvise<B> {
    /// The memory.
    pub buf: B,
    advice: MemoryAdvice,
}

impl<B> Sealed for Madvise<B> {}
impl<B: Buf> Operation for Madvise<B> {
    type Output = ();
    const KIND: OpKind = OpKind::Madvise;

    fn lower(&mut self) -> RawOp {
        let bytes = self.buf.bytes();
        let (address, len) = (bytes.as_ptr(), RawOp::clamp(bytes.len()));
        RawOp::Madvise { address, len, advice: self.advice as i32 }
    }

    fn finish(&mut self, answer: Answer) -> Result<(), Error> {
        answer.done(OpKind::Madvise)
    }
}
