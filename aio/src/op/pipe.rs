//! Pipes, and what moves bytes through them.

use std::io::{PipeReader, PipeWriter};

use super::private::Sealed;
use super::{Answer, Operation, RawOp};
use crate::error::Error;
use crate::handle::{CLOSED, Descriptor, IntoDescriptor, RawHandle};
use crate::kind::OpKind;
use crate::sys::c;

/// Makes a pipe; yields its two ends, close-on-exec.
///
/// ```
/// use corio_aio::{self as aio, op};
/// # fn main() -> Result<(), aio::Error> {
/// let (reader, writer) = aio::single(op::pipe())?;
/// let mut buf = [0; 8];
/// let (_, n) = aio::multi((op::write(&writer, "through"), op::read(&reader, &mut buf)))?;
/// assert_eq!(&buf[..n], b"through");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// - [`Cause::Os`](crate::Cause::Os)`(EMFILE)`: the process has no descriptors left.
///
/// Source: pipe2(2): a plain call, which never waits.
pub const fn pipe() -> Pipe {
    Pipe { ends: [CLOSED; 2] }
}

/// See [`pipe()`].
#[derive(Debug)]
pub struct Pipe {
    ends: [RawHandle; 2],
}

impl Sealed for Pipe {}
impl Operation for Pipe {
    type Output = (PipeReader, PipeWriter);
    const KIND: OpKind = OpKind::Pipe;

    fn lower(&mut self) -> RawOp {
        RawOp::Pipe { ends: &raw mut self.ends }
    }

    fn finish(&mut self, answer: Answer) -> Result<(PipeReader, PipeWriter), Error> {
        let [reader, writer] = answer.files(OpKind::Pipe, self.ends)?;
        Ok((reader.into(), writer.into()))
    }
}

/// Moves up to `len` bytes from `from` to `to`, of which one at least is a pipe, without copying
/// them through the process. It waits until there is something to move and room for it.
///
/// Of what is no pipe, the file's own position counts, and moves on, unless
/// [`from_at`](Splice::from_at) or [`to_at`](Splice::to_at) says where.
///
/// Yields the bytes moved: `1..=len`, or 0 once `from` is at its end (or if `len` is 0). In a soft
/// chain, fewer than `len` count as a failure. At most [`RawOp::MOST`] bytes are moved at once.
///
/// # Errors
///
/// - [`Cause::Canceled`](crate::Cause::Canceled): nothing was moved.
/// - [`Cause::Os`](crate::Cause::Os)`(EINVAL)`: neither is a pipe, both are the same, or the file
///   is of a kind that can't do it, or open for appending.
/// - [`Cause::Os`](crate::Cause::Os)`(ESPIPE)`: an offset was given for a pipe.
/// - [`Cause::Os`](crate::Cause::Os)`(EPIPE)`: nobody reads the pipe `to` any more.
/// - [`Cause::Os`](crate::Cause::Os)`(EBADF)`: one is closed, or not open for reading or writing.
///
/// # Platforms
///
/// Linux. With epoll and poll `to` is non-blocking (`O_NONBLOCK`) for as long as the call takes,
/// for all that share it; and if one of the two is a file, the thread of the ring waits for its
/// disk.
///
/// Source: splice(2); `IORING_OP_SPLICE`, Linux 5.7.
pub fn splice<F: IntoDescriptor, T: IntoDescriptor>(
    from: F,
    to: T,
    len: usize,
) -> Splice<F::Descriptor, T::Descriptor> {
    let (from, to) = (from.into_descriptor(), to.into_descriptor());
    let own = RawOp::OWN_POSITION;
    Splice { from, from_at: own, to, to_at: own, len: RawOp::clamp(len), flags: 0 }
}

/// See [`splice`].
#[derive(Clone, Copy, Debug)]
pub struct Splice<F, T> {
    /// Where the bytes come from.
    pub from: F,
    /// Where they go.
    pub to: T,
    from_at: u64,
    to_at: u64,
    len: u32,
    flags: u32,
}

impl<F, T> Splice<F, T> {
    /// Takes the bytes from `offset` on, and leaves the position of `from` alone.
    pub fn from_at(self, offset: u64) -> Splice<F, T> {
        Splice { from_at: offset, ..self }
    }

    /// Puts the bytes at `offset`, and leaves the position of `to` alone.
    pub fn to_at(self, offset: u64) -> Splice<F, T> {
        Splice { to_at: offset, ..self }
    }

    /// More bytes follow soon: a socket may wait for them to fill a packet.
    pub fn more(self) -> Splice<F, T> {
        Splice { flags: self.flags | c::SPLICE_F_MORE, ..self }
    }

    /// Pages may be moved instead of copied: a hint, which today's kernels leave unheard.
    pub fn move_pages(self) -> Splice<F, T> {
        Splice { flags: self.flags | c::SPLICE_F_MOVE, ..self }
    }
}

impl<F, T> Sealed for Splice<F, T> {}
impl<F: Descriptor, T: Descriptor> Operation for Splice<F, T> {
    type Output = usize;
    const KIND: OpKind = OpKind::Splice;

    fn lower(&mut self) -> RawOp {
        let &mut Splice { from_at, to_at, len, flags, .. } = self;
        RawOp::Splice { from: self.from.raw(), from_at, to: self.to.raw(), to_at, len, flags }
    }

    fn finish(&mut self, answer: Answer) -> Result<usize, Error> {
        answer.count(OpKind::Splice)
    }
}
