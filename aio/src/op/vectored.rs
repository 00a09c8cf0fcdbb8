//! Reads and writes over several buffers at once.

use std::fmt::Debug;

use super::private::Sealed;
use super::{Answer, Buf, BufMut, Operation, RawOp};
use crate::error::{Cause, Error};
use crate::handle::{CLOSED, Descriptor, IntoDescriptor, RawHandle};
use crate::kind::OpKind;

/// Several buffers: an array or a `Vec` of them.
pub trait Several: Sealed {
    /// What there are several of.
    type Buffer;

    /// As many vectors; kept where the operation is, so that an array allocates nothing.
    #[doc(hidden)]
    type Vectors: AsRef<[libc::iovec]> + Debug;

    /// Makes a vector of each buffer.
    #[doc(hidden)]
    fn vectors(&mut self, of: impl FnMut(&mut Self::Buffer) -> libc::iovec) -> Self::Vectors;
}

impl<B, const N: usize> Sealed for [B; N] {}
impl<B, const N: usize> Several for [B; N] {
    type Buffer = B;
    type Vectors = [libc::iovec; N];

    fn vectors(&mut self, of: impl FnMut(&mut B) -> libc::iovec) -> [libc::iovec; N] {
        self.each_mut().map(of)
    }
}

impl<B> Sealed for Vec<B> {}
impl<B> Several for Vec<B> {
    type Buffer = B;
    type Vectors = Vec<libc::iovec>;

    fn vectors(&mut self, of: impl FnMut(&mut B) -> libc::iovec) -> Vec<libc::iovec> {
        self.iter_mut().map(of).collect()
    }
}

/// The vectors of an operation on `fd`, in lowered form. Too many are lowered to none of a file
/// that is not open: the kernel would refuse them before their turn, and their chain with them.
fn lower<V: AsRef<[libc::iovec]>>(
    vectors: &V,
    fd: RawHandle,
) -> (RawHandle, *const libc::iovec, u32) {
    let vectors = vectors.as_ref();
    if are_too_many(vectors) {
        return (CLOSED, vectors.as_ptr(), 0);
    }
    (fd, vectors.as_ptr(), vectors.len() as u32)
}

fn are_too_many(vectors: &[libc::iovec]) -> bool {
    vectors.len() > libc::UIO_MAXIOV as usize
}

/// How many bytes `answer` says were moved.
fn finish<V>(vectors: &Option<V>, answer: Answer, kind: OpKind) -> Result<usize, Error>
where
    V: AsRef<[libc::iovec]>,
{
    let has_too_many = vectors.as_ref().is_some_and(|vectors| are_too_many(vectors.as_ref()));
    match answer.cause() {
        Some(Cause::Os(_)) if has_too_many => Err(Error::new(kind, Cause::Os(libc::EINVAL))),
        _ => answer.count(kind),
    }
}

/// Reads from `file` into `bufs`, which it fills one after the other: from the file's own position,
/// which moves on, unless [`at`](Readv::at) says from where.
///
/// Yields the bytes read, of all buffers together, as [`read`](super::read()) does; with no
/// buffers, 0. What they don't reach is untouched.
///
/// ```
/// use corio_aio::{self as aio, op};
/// # fn main() -> std::io::Result<()> {
/// # let file = tempfile::tempfile()?;
/// # std::os::unix::fs::FileExt::write_all_at(&file, b"head body", 0)?;
/// let (mut head, mut body) = ([0; 5], [0; 64]);
/// let n = aio::single(op::readv(&file, [&mut head[..], &mut body[..]]))?;
/// assert_eq!((&head, &body[..n - 5]), (b"head ", &b"body"[..]));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// - [`Cause::Canceled`]: nothing was read.
/// - [`Cause::Os`]`(EBADF)`: `file` is closed or not open for reading.
/// - [`Cause::Os`]`(EINVAL)`: there are more than 1024 buffers.
///
/// Source: readv(2), preadv(2); `IORING_OP_READV`, Linux 5.1.
pub fn readv<F, L>(file: F, bufs: L) -> Readv<F::Descriptor, L>
where
    F: IntoDescriptor,
    L: Several<Buffer: BufMut>,
{
    let file = file.into_descriptor();
    Readv { file, bufs, vectors: None, offset: RawOp::OWN_POSITION }
}

/// See [`readv`].
#[derive(Debug)]
pub struct Readv<F, L: Several> {
    /// The file to read.
    pub file: F,
    /// Where the bytes go.
    pub bufs: L,
    vectors: Option<L::Vectors>,
    offset: u64,
}

impl<F, L: Several> Readv<F, L> {
    /// Reads from `offset` bytes after the start of the file, and leaves its own position alone.
    pub fn at(self, offset: u64) -> Readv<F, L> {
        Readv { offset, ..self }
    }
}

impl<F, L: Several> Sealed for Readv<F, L> {}
impl<F: Descriptor, L: Several<Buffer: BufMut>> Operation for Readv<F, L> {
    type Output = usize;
    const KIND: OpKind = OpKind::Readv;

    fn lower(&mut self) -> RawOp {
        let vectors = self.bufs.vectors(|buf| {
            let bytes = buf.bytes_mut();
            libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() }
        });
        let (fd, vectors, count) = lower(self.vectors.insert(vectors), self.file.raw());
        RawOp::Readv { fd, vectors, count, offset: self.offset }
    }

    fn finish(&mut self, answer: Answer) -> Result<usize, Error> {
        finish(&self.vectors, answer, OpKind::Readv)
    }
}

/// Writes `bufs` to `file`, one after the other and as one write: at the file's own position, which
/// moves on, unless [`at`](Writev::at) says where.
///
/// Yields the bytes written, of all buffers together, as [`write`](super::write()) does; with no
/// buffers, 0.
///
/// # Errors
///
/// - [`Cause::Canceled`]: nothing was written.
/// - [`Cause::Os`]`(ENOSPC)`: the disk is full.
/// - [`Cause::Os`]`(EPIPE)`: nobody reads the pipe any more.
/// - [`Cause::Os`]`(EBADF)`: `file` is closed or not open for writing.
/// - [`Cause::Os`]`(EINVAL)`: there are more than 1024 buffers.
///
/// Source: writev(2), pwritev(2); `IORING_OP_WRITEV`, Linux 5.1.
pub fn writev<F, L>(file: F, bufs: L) -> Writev<F::Descriptor, L>
where
    F: IntoDescriptor,
    L: Several<Buffer: Buf>,
{
    let file = file.into_descriptor();
    Writev { file, bufs, vectors: None, offset: RawOp::OWN_POSITION }
}

/// See [`writev`].
#[derive(Debug)]
pub struct Writev<F, L: Several> {
    /// The file to write.
    pub file: F,
    /// The bytes.
    pub bufs: L,
    vectors: Option<L::Vectors>,
    offset: u64,
}

impl<F, L: Several> Writev<F, L> {
    /// Writes at `offset` bytes after the start of the file, and leaves its own position alone.
    pub fn at(self, offset: u64) -> Writev<F, L> {
        Writev { offset, ..self }
    }
}

impl<F, L: Several> Sealed for Writev<F, L> {}
impl<F: Descriptor, L: Several<Buffer: Buf>> Operation for Writev<F, L> {
    type Output = usize;
    const KIND: OpKind = OpKind::Writev;

    fn lower(&mut self) -> RawOp {
        let vectors = self.bufs.vectors(|buf| {
            let bytes = buf.bytes();
            libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() }
        });
        let (fd, vectors, count) = lower(self.vectors.insert(vectors), self.file.raw());
        RawOp::Writev { fd, vectors, count, offset: self.offset }
    }

    fn finish(&mut self, answer: Answer) -> Result<usize, Error> {
        finish(&self.vectors, answer, OpKind::Writev)
    }
}
