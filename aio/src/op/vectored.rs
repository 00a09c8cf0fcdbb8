//! Reads and writes over several buffers at once.

use super::buffer::MOST_BUFFERS;
use super::private::Sealed;
use super::{Answer, Bufs, BufsMut, Operation, RawOp};
use crate::error::{Cause, Error};
use crate::handle::{CLOSED, Descriptor, IntoDescriptor, RawHandle};
use crate::kind::OpKind;
use crate::sys::c;

/// The vectors of an operation on `fd`, in lowered form. Too many are lowered to none of a file
/// that is not open: the kernel would refuse them before their turn, and their chain with them.
fn lower(vectors: &mut impl AsMut<[c::iovec]>, fd: RawHandle) -> (RawHandle, *const c::iovec, u32) {
    match vectors.as_mut() {
        vectors if vectors.len() > MOST_BUFFERS => (CLOSED, vectors.as_ptr(), 0),
        vectors => (fd, vectors.as_ptr(), vectors.len() as u32),
    }
}

/// How many bytes `answer` says were moved.
fn finish<V>(vectors: &mut Option<V>, answer: Answer, kind: OpKind) -> Result<usize, Error>
where
    V: AsMut<[c::iovec]>,
{
    let has_too_many =
        vectors.as_mut().is_some_and(|vectors| vectors.as_mut().len() > MOST_BUFFERS);
    answer.or_mistake(has_too_many.then_some(Cause::Os(c::EINVAL))).count(kind)
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
/// # aio::single(op::write(&file, b"head body").at(0))?;
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
pub fn readv<F: IntoDescriptor, B: BufsMut>(file: F, bufs: B) -> Readv<F::Descriptor, B> {
    let file = file.into_descriptor();
    Readv { file, bufs, vectors: None, offset: RawOp::OWN_POSITION }
}

/// See [`readv`].
#[derive(Debug)]
pub struct Readv<F, B: BufsMut> {
    /// The file to read.
    pub file: F,
    /// Where the bytes go.
    pub bufs: B,
    vectors: Option<B::Vectors>,
    offset: u64,
}

impl<F, B: BufsMut> Readv<F, B> {
    /// Reads from `offset` bytes after the start of the file, and leaves its own position alone.
    pub fn at(self, offset: u64) -> Readv<F, B> {
        Readv { offset, ..self }
    }
}

impl<F, B: BufsMut> Sealed for Readv<F, B> {}
impl<F: Descriptor, B: BufsMut> Operation for Readv<F, B> {
    type Output = usize;
    const KIND: OpKind = OpKind::Readv;

    fn lower(&mut self) -> RawOp {
        let vectors = self.vectors.insert(self.bufs.vectors());
        let (fd, vectors, count) = lower(vectors, self.file.raw());
        RawOp::Readv { fd, vectors, count, offset: self.offset }
    }

    fn finish(&mut self, answer: Answer) -> Result<usize, Error> {
        finish(&mut self.vectors, answer, OpKind::Readv)
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
pub fn writev<F: IntoDescriptor, B: Bufs>(file: F, bufs: B) -> Writev<F::Descriptor, B> {
    let file = file.into_descriptor();
    Writev { file, bufs, vectors: None, offset: RawOp::OWN_POSITION }
}

/// See [`writev`].
#[derive(Debug)]
pub struct Writev<F, B: Bufs> {
    /// The file to write.
    pub file: F,
    /// The bytes.
    pub bufs: B,
    vectors: Option<B::Vectors>,
    offset: u64,
}

impl<F, B: Bufs> Writev<F, B> {
    /// Writes at `offset` bytes after the start of the file, and leaves its own position alone.
    pub fn at(self, offset: u64) -> Writev<F, B> {
        Writev { offset, ..self }
    }
}

impl<F, B: Bufs> Sealed for Writev<F, B> {}
impl<F: Descriptor, B: Bufs> Operation for Writev<F, B> {
    type Output = usize;
    const KIND: OpKind = OpKind::Writev;

    fn lower(&mut self) -> RawOp {
        let vectors = self.vectors.insert(self.bufs.vectors());
        let (fd, vectors, count) = lower(vectors, self.file.raw());
        RawOp::Writev { fd, vectors, count, offset: self.offset }
    }

    fn finish(&mut self, answer: Answer) -> Result<usize, Error> {
        finish(&mut self.vectors, answer, OpKind::Writev)
    }
}
