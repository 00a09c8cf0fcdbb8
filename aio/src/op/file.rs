//! Operations on files, and on anything that is read and written like one.

use std::fs::File;
use std::path::Path;

use super::path::CPath;
use super::private::Sealed;
use super::{Answer, Buf, BufMut, Operation, RawOp};
use crate::error::{Cause, Error};
use crate::handle::{Closable, Descriptor, IntoClosable, IntoDescriptor};
use crate::kind::OpKind;
use crate::sys::{OVERLAPPED, c};

/// Reads from `file` into `buf`: from the file's own position, which moves on, unless
/// [`at`](Read::at) says from where.
///
/// Yields `n`, the bytes read: `1..=buf.len()`, or 0 at the end of the file (or if `buf` is
/// empty). `buf[n..]` is untouched. At most [`RawOp::MOST`] bytes are read at once.
///
/// # Errors
///
/// - [`Cause::Canceled`]: nothing was read.
/// - [`Cause::Os`]`(EBADF)`: `file` is closed or not open for reading.
///
/// # Platforms
///
/// All. With epoll, kqueue and poll, what of a file is not in memory is read by one of the
/// process's few threads ([`Options::max_threads`](crate::Options::max_threads)), and can't be
/// canceled once that has begun. Where the system has no read that never waits (a terminal, say), a
/// plain one is made when there is something: if somebody else takes it first, the thread of the
/// ring waits.
///
/// On Windows a file is read by one of these threads, unless it was opened
/// [`overlapped`](OpenAt::overlapped). A read of what may wait for ever, such as a pipe of `std`,
/// has a thread of its own, and can be canceled.
///
/// Source: read(2), pread(2); `IORING_OP_READ`, Linux 5.6; `ReadFileEx`.
pub fn read<F: IntoDescriptor, B: BufMut>(file: F, buf: B) -> Read<F::Descriptor, B> {
    let file = file.into_descriptor();
    Read { file, buf, offset: RawOp::OWN_POSITION }
}

/// See [`read`].
#[derive(Debug)]
pub struct Read<F, B> {
    /// The file to read.
    pub file: F,
    /// Where the bytes go.
    pub buf: B,
    offset: u64,
}

impl<F, B> Read<F, B> {
    /// Reads from `offset` bytes after the start of the file, and leaves its own position alone.
    pub fn at(self, offset: u64) -> Read<F, B> {
        Read { offset, ..self }
    }
}

impl<F, B> Sealed for Read<F, B> {}
impl<F: Descriptor, B: BufMut> Operation for Read<F, B> {
    type Output = usize;
    const KIND: OpKind = OpKind::Read;

    fn lower(&mut self) -> RawOp {
        let bytes = self.buf.bytes_mut();
        let (buf, len) = (bytes.as_mut_ptr(), RawOp::clamp(bytes.len()));
        RawOp::Read { fd: self.file.raw(), buf, len, offset: self.offset }
    }

    fn finish(&mut self, answer: Answer) -> Result<usize, Error> {
        answer.count(OpKind::Read)
    }
}

/// Writes `buf` to `file`: at the file's own position, which moves on, unless [`at`](Write::at)
/// says where.
///
/// Yields `n`, the bytes written: at most `buf.len()` and at most [`RawOp::MOST`].
///
/// # Errors
///
/// - [`Cause::Canceled`]: nothing was written.
/// - [`Cause::Os`]`(ENOSPC)`: the disk is full.
/// - [`Cause::Os`]`(EPIPE)`: nobody reads the pipe any more. (Rust programs ignore `SIGPIPE`.)
/// - [`Cause::Os`]`(EBADF)`: `file` is closed or not open for writing.
///
/// # Platforms
///
/// All. With epoll, kqueue and poll, what a file can't take without waiting is written by one of
/// the process's few threads ([`Options::max_threads`](crate::Options::max_threads)), and can't be
/// canceled once that has begun. On Windows it is as for [`read`].
///
/// Source: write(2), pwrite(2); `IORING_OP_WRITE`, Linux 5.6; `WriteFileEx`.
pub fn write<F: IntoDescriptor, B: Buf>(file: F, buf: B) -> Write<F::Descriptor, B> {
    let file = file.into_descriptor();
    Write { file, buf, offset: RawOp::OWN_POSITION }
}

/// See [`write()`].
#[derive(Debug)]
pub struct Write<F, B> {
    /// The file to write.
    pub file: F,
    /// The bytes.
    pub buf: B,
    offset: u64,
}

impl<F, B> Write<F, B> {
    /// Writes at `offset` bytes after the start of the file, and leaves its own position alone.
    pub fn at(self, offset: u64) -> Write<F, B> {
        Write { offset, ..self }
    }
}

impl<F, B> Sealed for Write<F, B> {}
impl<F: Descriptor, B: Buf> Operation for Write<F, B> {
    type Output = usize;
    const KIND: OpKind = OpKind::Write;

    fn lower(&mut self) -> RawOp {
        let bytes = self.buf.bytes();
        let (buf, len) = (bytes.as_ptr(), RawOp::clamp(bytes.len()));
        RawOp::Write { fd: self.file.raw(), buf, len, offset: self.offset }
    }

    fn finish(&mut self, answer: Answer) -> Result<usize, Error> {
        answer.count(OpKind::Write)
    }
}

/// Waits until what was written to `file` is on its device.
///
/// # Errors
///
/// - [`Cause::Os`]`(EINVAL)`: `file` is of a kind that has no device, such as a pipe.
/// - [`Cause::Os`]`(EIO)`: something that was written is lost.
///
/// Source: fsync(2), fdatasync(2); `IORING_OP_FSYNC`, Linux 5.1.
pub fn fsync<F: IntoDescriptor>(file: F) -> Fsync<F::Descriptor> {
    let file = file.into_descriptor();
    Fsync { file, data_only: false }
}

/// See [`fsync`].
#[derive(Clone, Copy, Debug)]
pub struct Fsync<F> {
    /// The file to sync.
    pub file: F,
    data_only: bool,
}

impl<F> Fsync<F> {
    /// Leaves out what is not needed to read the data back, such as the time of the change.
    pub fn data_only(self) -> Fsync<F> {
        Fsync { data_only: true, ..self }
    }
}

impl<F> Sealed for Fsync<F> {}
impl<F: Descriptor> Operation for Fsync<F> {
    type Output = ();
    const KIND: OpKind = OpKind::Fsync;

    fn lower(&mut self) -> RawOp {
        RawOp::Fsync { fd: self.file.raw(), data_only: self.data_only }
    }

    fn finish(&mut self, answer: Answer) -> Result<(), Error> {
        answer.done(OpKind::Fsync)
    }
}

/// Makes `file` `len` bytes long: what is beyond is lost, what is added reads as zeros.
///
/// The file's own position stays where it is.
///
/// # Errors
///
/// - [`Cause::Os`]`(EINVAL)`: `file` is no file, or not open for writing.
/// - [`Cause::Os`]`(EFBIG)`: it can't be that long.
/// - [`Cause::Os`]`(EBADF)`: `file` is closed.
///
/// Source: ftruncate(2); `IORING_OP_FTRUNCATE`, Linux 6.9; a plain call before that.
pub fn ftruncate<F: IntoDescriptor>(file: F, len: u64) -> Ftruncate<F::Descriptor> {
    Ftruncate { file: file.into_descriptor(), len }
}

/// See [`ftruncate`].
#[derive(Clone, Copy, Debug)]
pub struct Ftruncate<F> {
    /// The file to be cut, or made longer.
    pub file: F,
    len: u64,
}

impl<F> Sealed for Ftruncate<F> {}
impl<F: Descriptor> Operation for Ftruncate<F> {
    type Output = ();
    const KIND: OpKind = OpKind::Ftruncate;

    fn lower(&mut self) -> RawOp {
        RawOp::Ftruncate { fd: self.file.raw(), len: self.len }
    }

    fn finish(&mut self, answer: Answer) -> Result<(), Error> {
        answer.done(OpKind::Ftruncate)
    }
}

/// Opens the file at `path`, from `dir` on if it is relative ([`Cwd`](crate::Cwd) is the current
/// directory): for reading, unless the methods of [`OpenAt`] say otherwise.
///
/// Yields the [`File`] (or directory), which is close-on-exec. Operations that take a path make a C
/// string of it, which allocates.
///
/// # Errors
///
/// - [`Cause::Os`]`(ENOENT)`: there is no such file.
/// - [`Cause::Os`]`(EEXIST)`: there is one, and `create_new` was asked for.
/// - [`Cause::Os`]`(EMFILE)`: the process has no descriptors left.
/// - [`Cause::InvalidPath`]: `path` holds a NUL byte.
///
/// # Platforms
///
/// All. With epoll, kqueue and poll it is opened by one of the process's few threads
/// ([`Options::max_threads`](crate::Options::max_threads)), and can't be canceled once that has
/// begun: a FIFO takes a thread until its other end is open. With io_uring a FIFO may be opened
/// without waiting for that.
///
/// On Windows others may do everything with the file meanwhile, as elsewhere; of the mode it counts
/// whether anybody may write.
///
/// Source: openat(2); `IORING_OP_OPENAT`, Linux 5.6; `CreateFileW`.
pub fn open_at<D: IntoDescriptor>(dir: D, path: impl AsRef<Path>) -> OpenAt<D::Descriptor> {
    let dir = dir.into_descriptor();
    OpenAt {
        dir,
        path: CPath::new(path),
        flags: c::O_CLOEXEC,
        access: Access::default(),
        mode: 0o666,
    }
}

/// See [`open_at`]. The methods mean what those of [`std::fs::OpenOptions`] do.
#[derive(Debug)]
pub struct OpenAt<D> {
    dir: D,
    path: CPath,
    flags: i32,
    access: Access,
    mode: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Access {
    #[default]
    Read,
    Write,
    ReadWrite,
}

impl<D> OpenAt<D> {
    /// For writing instead of reading.
    pub fn write_only(self) -> OpenAt<D> {
        OpenAt { access: Access::Write, ..self }
    }

    /// For reading and writing.
    pub fn read_write(self) -> OpenAt<D> {
        OpenAt { access: Access::ReadWrite, ..self }
    }

    /// Each write goes to the end of the file.
    pub fn append(self) -> OpenAt<D> {
        self.custom_flags(c::O_APPEND)
    }

    /// Empties the file.
    pub fn truncate(self) -> OpenAt<D> {
        self.custom_flags(c::O_TRUNC)
    }

    /// Makes the file if there is none.
    pub fn create(self) -> OpenAt<D> {
        self.custom_flags(c::O_CREAT)
    }

    /// Makes the file, and fails if there is one.
    pub fn create_new(self) -> OpenAt<D> {
        self.custom_flags(c::O_CREAT | c::O_EXCL)
    }

    /// Opens a directory, and nothing else.
    pub fn directory(self) -> OpenAt<D> {
        self.custom_flags(c::O_DIRECTORY)
    }

    /// The permissions of a file that it makes, less the process's mask; 0o666 by default.
    pub fn mode(self, mode: u32) -> OpenAt<D> {
        OpenAt { mode, ..self }
    }

    /// For operations alone: on Windows, those on the file then take no thread, and can be canceled
    /// (`FILE_FLAG_OVERLAPPED`); but what `std` itself reads from it and writes to it fails.
    /// Elsewhere this makes no difference.
    pub fn overlapped(self) -> OpenAt<D> {
        self.custom_flags(OVERLAPPED)
    }

    /// Adds flags of the OS (`O_…`; on Windows `FILE_FLAG_…`).
    pub fn custom_flags(self, flags: i32) -> OpenAt<D> {
        OpenAt { flags: self.flags | flags, ..self }
    }
}

impl<D> Sealed for OpenAt<D> {}
impl<D: Descriptor> Operation for OpenAt<D> {
    type Output = File;
    const KIND: OpKind = OpKind::OpenAt;

    fn lower(&mut self) -> RawOp {
        let access = match self.access {
            Access::Read => c::O_RDONLY,
            Access::Write => c::O_WRONLY,
            Access::ReadWrite => c::O_RDWR,
        };
        let (dir, path) = self.path.lower(self.dir.raw());
        RawOp::OpenAt { dir, path, flags: self.flags | access, mode: self.mode }
    }

    fn finish(&mut self, answer: Answer) -> Result<File, Error> {
        CPath::judge(answer, [&self.path]).file(OpKind::OpenAt).map(File::from)
    }
}

/// Closes `handle`: a file, directory, socket, or a `&`[`Closing`](crate::Closing) that other
/// operations of the batch use before.
///
/// The handle is gone whatever the result, unless that is [`Cause::Canceled`]: then an owned one
/// is closed when the operation is dropped, and a `Closing` has it back.
///
/// # Errors
///
/// - [`Cause::Canceled`]: an operation that it was linked to failed.
/// - [`Cause::Os`]`(EBADF)`: it was closed before.
/// - [`Cause::Os`]`(EIO)`, `(ENOSPC)`: something that was written before is lost.
///
/// Source: close(2); `IORING_OP_CLOSE`, Linux 5.6.
pub fn close<H: IntoClosable>(handle: H) -> Close<H::Closable> {
    Close { handle: handle.into_closable() }
}

/// See [`close`].
#[derive(Debug)]
pub struct Close<H> {
    /// What is to be closed.
    pub handle: H,
}

impl<H> Sealed for Close<H> {}
impl<H: Closable> Operation for Close<H> {
    type Output = ();
    const KIND: OpKind = OpKind::Close;

    fn lower(&mut self) -> RawOp {
        let lending = self.handle.lend();
        RawOp::Close { fd: lending.raw, shared: lending.is_shared, lingers: lending.lingers }
    }

    fn finish(&mut self, answer: Answer) -> Result<(), Error> {
        self.handle.settle(matches!(answer.cause(), None | Some(Cause::Os(_))));
        answer.done(OpKind::Close)
    }
}
