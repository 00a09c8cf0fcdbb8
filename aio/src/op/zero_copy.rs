//! Sending without a copy.

use super::private::Sealed;
use super::{Answer, Buf, Operation, RawOp};
use crate::error::Error;
use crate::handle::{Descriptor, IntoDescriptor};
use crate::kind::OpKind;
use crate::sys::c;

/// Sends `buf` to the peer of `socket`, from where it is, if the OS can: worth it for long
/// buffers, from about 10 kB on.
///
/// Yields `n`, the bytes sent, as [`send`](super::send()) does, but not before the OS has let go
/// of `buf`: on a TCP connection when the peer has acknowledged the bytes, which a peer that does
/// not read delays, and neither a cancel nor dropping a queue hastens. The next operation of a
/// chain does not wait for that.
///
/// # Errors
///
/// - [`Cause::Canceled`](crate::Cause::Canceled): nothing was sent.
/// - [`Cause::Os`](crate::Cause::Os)`(EPIPE)`, `(ECONNRESET)`: the connection is closed. There is
///   no `SIGPIPE`.
/// - [`Cause::Os`](crate::Cause::Os)`(ENOMEM)`, `(ENOBUFS)`: as much memory as the process may pin
///   is pinned.
///
/// # Platforms
///
/// TCP and UDP on Linux with io_uring; elsewhere, and on other sockets, it is a plain send. A TCP
/// socket that speaks TLS in the kernel answers
/// [`Cause::Os`](crate::Cause::Os)`(EOPNOTSUPP)`.
///
/// Source: send(2); `IORING_OP_SEND_ZC`, Linux 6.0.
pub fn send_zc<F: IntoDescriptor, B: Buf>(socket: F, buf: B) -> SendZc<F::Descriptor, B> {
    let socket = socket.into_descriptor();
    SendZc { socket, buf, flags: c::MSG_NOSIGNAL }
}

/// See [`send_zc`].
#[derive(Clone, Copy, Debug)]
pub struct SendZc<F, B> {
    /// The socket.
    pub socket: F,
    /// The bytes.
    pub buf: B,
    flags: i32,
}

impl<F, B> SendZc<F, B> {
    /// Sends all of the bytes, however long it takes (`MSG_WAITALL`).
    pub fn wait_all(self) -> SendZc<F, B> {
        SendZc { flags: self.flags | c::MSG_WAITALL, ..self }
    }

    /// More is about to follow: let the OS put it into the same packet (`MSG_MORE`).
    pub fn more(self) -> SendZc<F, B> {
        SendZc { flags: self.flags | c::MSG_MORE, ..self }
    }
}

impl<F, B> Sealed for SendZc<F, B> {}
impl<F: Descriptor, B: Buf> Operation for SendZc<F, B> {
    type Output = usize;
    const KIND: OpKind = OpKind::SendZc;

    fn lower(&mut self) -> RawOp {
        let bytes = self.buf.bytes();
        let (buf, len) = (bytes.as_ptr(), RawOp::clamp(bytes.len()));
        RawOp::SendZc { fd: self.socket.raw(), buf, len, flags: self.flags }
    }

    fn finish(&mut self, answer: Answer) -> Result<usize, Error> {
        answer.count(OpKind::SendZc)
    }
}
