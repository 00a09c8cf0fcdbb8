//! Operations on sockets.

use super::private::Sealed;
use super::{Answer, Buf, BufMut, Operation, RawOp};
use crate::error::Error;
use crate::handle::{Descriptor, IntoDescriptor};
use crate::kind::OpKind;
use crate::sys::c;
use crate::sys::net::{self, Domain, Protocol, SockAddr, Type};

/// Makes a socket; yields it, close-on-exec.
///
/// ```
/// use corio_aio::{self as aio, op, Domain, Type};
/// let socket = aio::single(op::socket(Domain::IPV4, Type::STREAM, None))?;
/// assert!(socket.peer_addr().is_err());
/// # Ok::<(), aio::Error>(())
/// ```
///
/// # Errors
///
/// - [`Cause::Os`](crate::Cause::Os)`(EAFNOSUPPORT)`: the OS has no such sockets.
/// - [`Cause::Os`](crate::Cause::Os)`(EMFILE)`: the process has no descriptors left.
///
/// # Platforms
///
/// WASI makes sockets of TCP and UDP from preview 2 on, and none before
/// ([`Cause::Unsupported`](crate::Cause::Unsupported)): there a program is given those that it has.
///
/// Source: socket(2): a plain call, which never waits.
pub fn socket(domain: Domain, kind: Type, protocol: Option<Protocol>) -> Socket {
    Socket {
        domain: domain.into(),
        kind: i32::from(kind) | c::SOCK_CLOEXEC,
        protocol: protocol.map_or(0, i32::from),
    }
}

/// See [`socket()`].
#[derive(Clone, Copy, Debug)]
pub struct Socket {
    domain: i32,
    kind: i32,
    protocol: i32,
}

impl Sealed for Socket {}
impl Operation for Socket {
    type Output = net::Socket;
    const KIND: OpKind = OpKind::Socket;

    fn lower(&mut self) -> RawOp {
        RawOp::Socket { domain: self.domain, kind: self.kind, protocol: self.protocol }
    }

    fn finish(&mut self, answer: Answer) -> Result<net::Socket, Error> {
        answer.socket(OpKind::Socket).map(net::Socket::from)
    }
}

/// Gives `socket` its own address.
///
/// # Errors
///
/// - [`Cause::Os`](crate::Cause::Os)`(EADDRINUSE)`: the address is taken.
/// - [`Cause::Os`](crate::Cause::Os)`(EACCES)`: the address needs privileges.
///
/// Source: bind(2): a plain call, which never waits.
pub fn bind<F: IntoDescriptor>(socket: F, address: impl Into<SockAddr>) -> Bind<F::Descriptor> {
    let socket = socket.into_descriptor();
    Bind { socket, address: address.into() }
}

/// See [`bind`].
#[derive(Debug)]
pub struct Bind<F> {
    /// The socket.
    pub socket: F,
    /// Its address to be.
    pub address: SockAddr,
}

impl<F> Sealed for Bind<F> {}
impl<F: Descriptor> Operation for Bind<F> {
    type Output = ();
    const KIND: OpKind = OpKind::Bind;

    fn lower(&mut self) -> RawOp {
        let (address, len) = (self.address.as_ptr().cast(), self.address.len());
        RawOp::Bind { fd: self.socket.raw(), address, len }
    }

    fn finish(&mut self, answer: Answer) -> Result<(), Error> {
        answer.done(OpKind::Bind)
    }
}

/// Lets `socket` take connections, of which the OS queues about 128 until they are accepted.
///
/// # Errors
///
/// - [`Cause::Os`](crate::Cause::Os)`(EADDRINUSE)`: another socket listens on its address.
/// - [`Cause::Os`](crate::Cause::Os)`(EOPNOTSUPP)`: it is of a kind that can't listen.
///
/// Source: listen(2): a plain call, which never waits.
pub fn listen<F: IntoDescriptor>(socket: F) -> Listen<F::Descriptor> {
    let socket = socket.into_descriptor();
    Listen { socket, backlog: 128 }
}

/// See [`listen`].
#[derive(Clone, Copy, Debug)]
pub struct Listen<F> {
    /// The socket.
    pub socket: F,
    backlog: i32,
}

impl<F> Listen<F> {
    /// How many connections the OS queues, about; it has a limit of its own.
    pub fn backlog(self, connections: u32) -> Listen<F> {
        Listen { backlog: i32::try_from(connections).unwrap_or(i32::MAX), ..self }
    }
}

impl<F> Sealed for Listen<F> {}
impl<F: Descriptor> Operation for Listen<F> {
    type Output = ();
    const KIND: OpKind = OpKind::Listen;

    fn lower(&mut self) -> RawOp {
        RawOp::Listen { fd: self.socket.raw(), backlog: self.backlog }
    }

    fn finish(&mut self, answer: Answer) -> Result<(), Error> {
        answer.done(OpKind::Listen)
    }
}

/// Waits for a connection to `listener`; yields its socket, close-on-exec.
///
/// An accept that is canceled late may still succeed: the answer is then the socket.
///
/// # Errors
///
/// - [`Cause::Canceled`](crate::Cause::Canceled): no connection was taken.
/// - [`Cause::Os`](crate::Cause::Os)`(EMFILE)`: the process has no descriptors left; the connection
///   stays in the queue.
/// - [`Cause::Os`](crate::Cause::Os)`(EINVAL)`: `listener` does not listen.
///
/// # Platforms
///
/// All. With epoll, kqueue and poll the listener is made non-blocking (`O_NONBLOCK`) and stays so,
/// for all that share it, other processes too: there is no flag for a call that does not wait.
///
/// Source: accept4(2); `IORING_OP_ACCEPT`, Linux 5.5; `AcceptEx`.
pub fn accept<F: IntoDescriptor>(listener: F) -> Accept<F::Descriptor> {
    let listener = listener.into_descriptor();
    Accept { listener }
}

/// See [`accept`].
#[derive(Clone, Copy, Debug)]
pub struct Accept<F> {
    /// The listening socket.
    pub listener: F,
}

impl<F> Sealed for Accept<F> {}
impl<F: Descriptor> Operation for Accept<F> {
    type Output = net::Socket;
    const KIND: OpKind = OpKind::Accept;

    fn lower(&mut self) -> RawOp {
        RawOp::Accept { fd: self.listener.raw() }
    }

    fn finish(&mut self, answer: Answer) -> Result<net::Socket, Error> {
        answer.socket(OpKind::Accept).map(net::Socket::from)
    }
}

/// Connects `socket` to `address`.
///
/// # Errors
///
/// - [`Cause::Canceled`](crate::Cause::Canceled): it was canceled; the socket is of no more use.
/// - [`Cause::Os`](crate::Cause::Os)`(ECONNREFUSED)`: nobody listens there.
/// - [`Cause::Os`](crate::Cause::Os)`(ETIMEDOUT)`: nobody answers there.
///
/// # Platforms
///
/// All. With epoll, kqueue and poll the socket is non-blocking (`O_NONBLOCK`) for as long as the
/// call takes that begins to connect, for all that share it; and where the queue of a Unix listener
/// is full, the answer is [`Cause::Unsupported`](crate::Cause::Unsupported): io_uring waits for
/// room.
///
/// Source: connect(2); `IORING_OP_CONNECT`, Linux 5.5; `ConnectEx`.
pub fn connect<F: IntoDescriptor>(
    socket: F,
    address: impl Into<SockAddr>,
) -> Connect<F::Descriptor> {
    let socket = socket.into_descriptor();
    Connect { socket, address: address.into() }
}

/// See [`connect`].
#[derive(Debug)]
pub struct Connect<F> {
    /// The socket.
    pub socket: F,
    /// The address of its peer.
    pub address: SockAddr,
}

impl<F> Sealed for Connect<F> {}
impl<F: Descriptor> Operation for Connect<F> {
    type Output = ();
    const KIND: OpKind = OpKind::Connect;

    fn lower(&mut self) -> RawOp {
        let (address, len) = (self.address.as_ptr().cast(), self.address.len());
        RawOp::Connect { fd: self.socket.raw(), address, len }
    }

    fn finish(&mut self, answer: Answer) -> Result<(), Error> {
        answer.done(OpKind::Connect)
    }
}

/// Sends `buf` to the peer of `socket`.
///
/// Yields `n`, the bytes sent: `1..=buf.len()` (0 if `buf` is empty). One that is linked to a next
/// operation, or told to [`wait_all`](Send::wait_all), sends all of them.
///
/// # Errors
///
/// - [`Cause::Canceled`](crate::Cause::Canceled): nothing was sent.
/// - [`Cause::Os`](crate::Cause::Os)`(EPIPE)`, `(ECONNRESET)`: the connection is closed. There is
///   no `SIGPIPE`.
///
/// # Platforms
///
/// All. WASI's host may take bytes that the peer never gets, and lets a close wait for the peer to
/// take them. Windows is given up to 64 KiB of a stream at once.
///
/// Source: send(2); `IORING_OP_SEND`, Linux 5.6; `WSASend`.
pub fn send<F: IntoDescriptor, B: Buf>(socket: F, buf: B) -> Send<F::Descriptor, B> {
    let socket = socket.into_descriptor();
    Send { socket, buf, flags: c::MSG_NOSIGNAL }
}

/// See [`send`].
#[derive(Clone, Copy, Debug)]
pub struct Send<F, B> {
    /// The socket.
    pub socket: F,
    /// The bytes.
    pub buf: B,
    flags: i32,
}

impl<F, B> Send<F, B> {
    /// Sends all of the bytes, however long it takes (`MSG_WAITALL`).
    pub fn wait_all(self) -> Send<F, B> {
        self.flag(c::MSG_WAITALL)
    }

    /// More is about to follow: let the OS put it into the same packet (`MSG_MORE`).
    pub fn more(self) -> Send<F, B> {
        self.flag(c::MSG_MORE)
    }

    /// Sends out-of-band data (`MSG_OOB`).
    pub fn out_of_band(self) -> Send<F, B> {
        self.flag(c::MSG_OOB)
    }

    fn flag(self, flag: i32) -> Send<F, B> {
        Send { flags: self.flags | flag, ..self }
    }
}

impl<F, B> Sealed for Send<F, B> {}
impl<F: Descriptor, B: Buf> Operation for Send<F, B> {
    type Output = usize;
    const KIND: OpKind = OpKind::Send;

    fn lower(&mut self) -> RawOp {
        let bytes = self.buf.bytes();
        let (buf, len) = (bytes.as_ptr(), RawOp::clamp(bytes.len()));
        RawOp::Send { fd: self.socket.raw(), buf, len, flags: self.flags }
    }

    fn finish(&mut self, answer: Answer) -> Result<usize, Error> {
        answer.count(OpKind::Send)
    }
}

/// Receives from `socket` into `buf`, waiting until at least one byte is there.
///
/// Yields `n`, the bytes received: `1..=buf.len()`, or 0 once the peer has closed its side. Into an
/// empty `buf` it receives 0, once something is there. `buf[n..]` is untouched.
///
/// # Errors
///
/// - [`Cause::Canceled`](crate::Cause::Canceled): nothing was received and `buf` is untouched.
/// - [`Cause::Os`](crate::Cause::Os)`(ECONNRESET)`: the peer reset the connection.
///
/// # Platforms
///
/// All. A receive that is canceled late may still succeed: the answer is then `Ok`. On WASI nothing
/// can be peeked at (preview 1 can), nor is anything out of band
/// ([`Cause::Unsupported`](crate::Cause::Unsupported)). Windows does not tell how long a datagram
/// was that did not fit ([`truncate`](Recv::truncate)).
///
/// Source: recv(2); `IORING_OP_RECV`, Linux 5.6; `WSARecv`.
pub fn recv<F: IntoDescriptor, B: BufMut>(socket: F, buf: B) -> Recv<F::Descriptor, B> {
    let socket = socket.into_descriptor();
    Recv { socket, buf, flags: 0 }
}

/// See [`recv`].
#[derive(Debug)]
pub struct Recv<F, B> {
    /// The socket.
    pub socket: F,
    /// Where the bytes go.
    pub buf: B,
    flags: i32,
}

impl<F, B> Recv<F, B> {
    /// Waits until `buf` is full, the peer has closed its side, or an error comes (`MSG_WAITALL`).
    /// If it is not filled, that breaks a soft chain.
    pub fn wait_all(self) -> Recv<F, B> {
        self.flag(c::MSG_WAITALL)
    }

    /// Leaves the bytes where they are, to be received again (`MSG_PEEK`).
    pub fn peek(self) -> Recv<F, B> {
        self.flag(c::MSG_PEEK)
    }

    /// Receives out-of-band data (`MSG_OOB`).
    pub fn out_of_band(self) -> Recv<F, B> {
        self.flag(c::MSG_OOB)
    }

    /// Yields the real length of a datagram, also if it is longer than `buf` (`MSG_TRUNC`). On a
    /// stream the bytes are thrown away instead of being copied.
    pub fn truncate(self) -> Recv<F, B> {
        self.flag(c::MSG_TRUNC)
    }

    fn flag(self, flag: i32) -> Recv<F, B> {
        Recv { flags: self.flags | flag, ..self }
    }
}

impl<F, B> Sealed for Recv<F, B> {}
impl<F: Descriptor, B: BufMut> Operation for Recv<F, B> {
    type Output = usize;
    const KIND: OpKind = OpKind::Recv;

    fn lower(&mut self) -> RawOp {
        let bytes = self.buf.bytes_mut();
        let (buf, len) = (bytes.as_mut_ptr(), RawOp::clamp(bytes.len()));
        RawOp::Recv { fd: self.socket.raw(), buf, len, flags: self.flags }
    }

    fn finish(&mut self, answer: Answer) -> Result<usize, Error> {
        answer.count(OpKind::Recv)
    }
}

/// Shuts one or both directions of a connection down, while the descriptor stays open.
///
/// # Errors
///
/// - [`Cause::Os`](crate::Cause::Os)`(ENOTCONN)`: `socket` is not connected.
///
/// Source: shutdown(2); `IORING_OP_SHUTDOWN`, Linux 5.11.
pub fn shutdown<F: IntoDescriptor>(socket: F, how: std::net::Shutdown) -> Shutdown<F::Descriptor> {
    let socket = socket.into_descriptor();
    Shutdown { socket, how }
}

/// See [`shutdown`].
#[derive(Clone, Copy, Debug)]
pub struct Shutdown<F> {
    /// The socket.
    pub socket: F,
    /// Which directions.
    pub how: std::net::Shutdown,
}

impl<F> Sealed for Shutdown<F> {}
impl<F: Descriptor> Operation for Shutdown<F> {
    type Output = ();
    const KIND: OpKind = OpKind::Shutdown;

    fn lower(&mut self) -> RawOp {
        let how = match self.how {
            std::net::Shutdown::Read => c::SHUT_RD,
            std::net::Shutdown::Write => c::SHUT_WR,
            std::net::Shutdown::Both => c::SHUT_RDWR,
        };
        RawOp::Shutdown { fd: self.socket.raw(), how }
    }

    fn finish(&mut self, answer: Answer) -> Result<(), Error> {
        answer.done(OpKind::Shutdown)
    }
}
