//! Operations on whole messages: several buffers, an address, descriptors.

use super::buffer::MOST_BUFFERS;
use super::header::{self, ControlMessage, Header, MOST_DESCRIPTORS, Received};
use super::private::Sealed;
use super::{Answer, Bufs, BufsMut, Operation, RawOp};
use crate::error::{Cause, Error};
use crate::handle::{CLOSED, Descriptor, IntoDescriptor, RawHandle};
use crate::kind::OpKind;
use crate::sys::c;
use crate::sys::net::{SockAddr, SockAddrStorage};

/// The level of control messages that name memory.
const SOL_RDS: i32 = 276;

/// Sends the bytes of `bufs`, one after the other, to the peer of `socket`: as one message where
/// the socket has messages.
///
/// Yields `n`, the bytes sent. On a stream that may be fewer than there are; one that is linked to
/// a next operation, or told to [`wait_all`](SendMsg::wait_all), sends all of them.
///
/// ```
/// use corio_aio::{self as aio, op};
/// # #[cfg(not(unix))] fn main() {}
/// # #[cfg(unix)] fn main() -> std::io::Result<()> {
/// let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
/// let file = std::fs::File::open("/dev/null")?;
/// aio::single(op::send_msg(&ours, ["take ", "this"]).descriptors([&file]))?;
/// let mut buf = [0; 16];
/// let received = aio::single(op::recv_msg(&theirs, [&mut buf]).descriptors(1))?;
/// assert_eq!((received.len, received.descriptors.len()), (9, 1));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// - [`Cause::Canceled`]: nothing was sent.
/// - [`Cause::Os`]`(EPIPE)`, `(ECONNRESET)`: the connection is closed. There is no `SIGPIPE`.
/// - [`Cause::Os`]`(EMSGSIZE)`: the datagram is too long, or there are more than 1024 buffers.
/// - [`Cause::Os`]`(EINVAL)`: more than 253 descriptors, or control messages that the socket does
///   not know.
/// - [`Cause::Os`]`(ENOTCONN)`, `(EDESTADDRREQ)`: there is no peer, and no address either.
///
/// Source: sendmsg(2), unix(7); `IORING_OP_SENDMSG`, Linux 5.3.
pub fn send_msg<F: IntoDescriptor, B: Bufs>(socket: F, bufs: B) -> SendMsg<F::Descriptor, B, ()> {
    SendMsg {
        socket: socket.into_descriptor(),
        bufs,
        address: None,
        descriptors: (),
        control: Vec::new(),
        flags: c::MSG_NOSIGNAL,
        lowered: None,
    }
}

/// See [`send_msg`].
#[derive(Debug)]
pub struct SendMsg<F, B: Bufs, D> {
    /// The socket.
    pub socket: F,
    /// The bytes.
    pub bufs: B,
    address: Option<SockAddr>,
    descriptors: D,
    control: Vec<ControlMessage>,
    flags: i32,
    lowered: Option<Lowered<B::Vectors>>,
}

/// What an operation is made of once it is lowered: the header, and what that points to.
#[derive(Debug)]
struct Lowered<V> {
    header: Header,
    vectors: V,
    control: Vec<u8>,
    /// What is wrong with it, so that the OS was asked for something else that fails.
    mistake: Option<Cause>,
}

impl<V: AsMut<[c::iovec]>> Lowered<V> {
    fn new(vectors: V, control: Vec<u8>) -> Lowered<V> {
        Lowered { header: Header::new(), vectors, control, mistake: None }
    }

    /// Fills the header in; from here on it stays in place.
    fn point(&mut self) -> &mut c::msghdr {
        let (vectors, header) = (self.vectors.as_mut(), &mut self.header.0);
        if vectors.len() > MOST_BUFFERS {
            self.mistake = Some(Cause::Os(c::EMSGSIZE));
        }
        header.msg_iov = vectors.as_mut_ptr();
        header.msg_iovlen = vectors.len().min(MOST_BUFFERS) as _;
        if !self.control.is_empty() {
            header.msg_control = self.control.as_mut_ptr().cast();
            header.msg_controllen = self.control.len() as _;
        }
        header
    }

    /// The socket, unless there is a mistake: what fails then is that there is none.
    fn socket(&self, socket: &impl Descriptor) -> RawHandle {
        if self.mistake.is_some() { CLOSED } else { socket.raw() }
    }
}

impl<F, B: Bufs, D> SendMsg<F, B, D> {
    /// Sends to `address`: for a socket that is not connected.
    pub fn to(self, address: impl Into<SockAddr>) -> SendMsg<F, B, D> {
        SendMsg { address: Some(address.into()), ..self }
    }

    /// Sends `descriptors` along: an array or `Vec` of what is `AsFd`. The receiver has them as
    /// its own then; a socket of another kind than Unix refuses them or knows nothing of them.
    pub fn descriptors<E: Descriptors>(self, descriptors: E) -> SendMsg<F, B, E> {
        let SendMsg { socket, bufs, address, control, flags, .. } = self;
        SendMsg { socket, bufs, address, descriptors, control, flags, lowered: None }
    }

    /// Sends a control message along. Descriptors can't be sent in that way
    /// ([`descriptors`](SendMsg::descriptors) keeps them open), nor can what names memory (RDS).
    pub fn control(mut self, message: ControlMessage) -> SendMsg<F, B, D> {
        self.control.push(message);
        self
    }

    /// Sends all of the bytes, however long it takes (`MSG_WAITALL`).
    pub fn wait_all(self) -> SendMsg<F, B, D> {
        self.flag(c::MSG_WAITALL)
    }

    /// More is about to follow: let the OS put it into the same packet (`MSG_MORE`).
    pub fn more(self) -> SendMsg<F, B, D> {
        self.flag(c::MSG_MORE)
    }

    /// Sends out-of-band data (`MSG_OOB`).
    pub fn out_of_band(self) -> SendMsg<F, B, D> {
        self.flag(c::MSG_OOB)
    }

    fn flag(self, flag: i32) -> SendMsg<F, B, D> {
        SendMsg { flags: self.flags | flag, ..self }
    }

    /// What can't be sent.
    fn mistake(&self, descriptors: &[RawHandle]) -> Option<Cause> {
        let is_unsafe = |message: &ControlMessage| match message.level {
            c::SOL_SOCKET => message.kind == c::SCM_RIGHTS,
            level => level == SOL_RDS,
        };
        let is_wrong = descriptors.len() > MOST_DESCRIPTORS || self.control.iter().any(is_unsafe);
        is_wrong.then_some(Cause::Os(c::EINVAL))
    }
}

impl<F, B: Bufs, D> Sealed for SendMsg<F, B, D> {}
impl<F: Descriptor, B: Bufs, D: Descriptors> Operation for SendMsg<F, B, D> {
    type Output = usize;
    const KIND: OpKind = OpKind::SendMsg;

    fn lower(&mut self) -> RawOp {
        let descriptors = self.descriptors.raw();
        let mistake = self.mistake(&descriptors);
        let control = header::encode(&self.control, &descriptors);
        let lowered = self.lowered.insert(Lowered::new(self.bufs.vectors(), control));
        lowered.mistake = mistake;
        let header = lowered.point();
        if let Some(address) = &self.address {
            header.msg_name = address.as_ptr().cast_mut().cast();
            header.msg_namelen = address.len();
        }
        let fd = lowered.socket(&self.socket);
        RawOp::SendMsg { fd, header: &lowered.header.0, flags: self.flags }
    }

    fn finish(&mut self, answer: Answer) -> Result<usize, Error> {
        let mistake = self.lowered.take().and_then(|lowered| lowered.mistake);
        answer.or_mistake(mistake).count(OpKind::SendMsg)
    }
}

/// Receives into `bufs`, one after the other, waiting until something is there: one message where
/// the socket has messages.
///
/// Yields what came, and from whom: see [`Received`]. Its length is 0 once the peer of a stream has
/// closed its side. What is behind it in the buffers is untouched. Descriptors that were sent along
/// are received close-on-exec, if there is [room](RecvMsg::descriptors); dropping the result closes
/// them.
///
/// # Errors
///
/// - [`Cause::Canceled`]: nothing was received, and the buffers are untouched.
/// - [`Cause::Os`]`(ECONNRESET)`: the peer reset the connection.
/// - [`Cause::Os`]`(EMSGSIZE)`: there are more than 1024 buffers.
///
/// # Platforms
///
/// All. A receive that is canceled late may still succeed: the answer is then `Ok`. On WASI neither
/// descriptors nor control messages come with a message.
///
/// Source: recvmsg(2), unix(7); `IORING_OP_RECVMSG`, Linux 5.3.
pub fn recv_msg<F: IntoDescriptor, B: BufsMut>(socket: F, bufs: B) -> RecvMsg<F::Descriptor, B> {
    let socket = socket.into_descriptor();
    let (descriptors, control) = (0, 0);
    RecvMsg { socket, bufs, descriptors, control, flags: 0, lowered: None, address: None }
}

/// See [`recv_msg`].
#[derive(Debug)]
pub struct RecvMsg<F, B: BufsMut> {
    /// The socket.
    pub socket: F,
    /// Where the bytes go.
    pub bufs: B,
    descriptors: usize,
    control: usize,
    flags: i32,
    lowered: Option<Lowered<B::Vectors>>,
    address: Option<SockAddrStorage>,
}

impl<F, B: BufsMut> RecvMsg<F, B> {
    /// Makes room for `count` descriptors; without room, those that are sent along are closed.
    /// A message carries at most 253.
    pub fn descriptors(self, count: usize) -> RecvMsg<F, B> {
        RecvMsg { descriptors: count.min(MOST_DESCRIPTORS), ..self }
    }

    /// Makes room for one more control message with `len` bytes of data.
    pub fn control(self, len: usize) -> RecvMsg<F, B> {
        RecvMsg { control: self.control + header::space(len), ..self }
    }

    /// Waits until the buffers are full, the peer has closed its side, or an error comes
    /// (`MSG_WAITALL`). If they are not filled, that breaks a soft chain. With room for descriptors
    /// or control messages it may end sooner: at those, or at the first bytes.
    pub fn wait_all(self) -> RecvMsg<F, B> {
        self.flag(c::MSG_WAITALL)
    }

    /// Leaves the message where it is, to be received again (`MSG_PEEK`). Descriptors that come
    /// with it are received as often as it is.
    pub fn peek(self) -> RecvMsg<F, B> {
        self.flag(c::MSG_PEEK)
    }

    /// Receives out-of-band data (`MSG_OOB`).
    pub fn out_of_band(self) -> RecvMsg<F, B> {
        self.flag(c::MSG_OOB)
    }

    /// Yields the real length of a datagram, also if it is longer than the buffers (`MSG_TRUNC`).
    /// On a TCP stream the bytes are thrown away instead of being copied.
    pub fn truncate(self) -> RecvMsg<F, B> {
        self.flag(c::MSG_TRUNC)
    }

    fn flag(self, flag: i32) -> RecvMsg<F, B> {
        RecvMsg { flags: self.flags | flag, ..self }
    }
}

impl<F, B: BufsMut> Sealed for RecvMsg<F, B> {}
impl<F: Descriptor, B: BufsMut> Operation for RecvMsg<F, B> {
    type Output = Received;
    const KIND: OpKind = OpKind::RecvMsg;

    fn lower(&mut self) -> RawOp {
        let rights = match self.descriptors {
            0 => 0,
            count => header::space(count * size_of::<RawHandle>()),
        };
        let control = vec![0; self.control + rights];
        let lowered = self.lowered.insert(Lowered::new(self.bufs.vectors(), control));
        let address = self.address.insert(SockAddrStorage::zeroed());
        let header = lowered.point();
        header.msg_namelen = address.size_of();
        header.msg_name = std::ptr::from_mut(address).cast();
        let fd = lowered.socket(&self.socket);
        let flags = self.flags | c::MSG_CMSG_CLOEXEC;
        RawOp::RecvMsg { fd, header: &mut lowered.header.0, flags }
    }

    fn finish(&mut self, answer: Answer) -> Result<Received, Error> {
        let (lowered, address) = (self.lowered.take(), self.address.take());
        let (lowered, address) = lowered.zip(address).expect("it was lowered");
        let answer = answer.or_mistake(lowered.mistake);
        answer.message(OpKind::RecvMsg, &lowered.header, &lowered.control, address)
    }
}

/// Descriptors that are sent along: an array or `Vec` of what is `AsFd`.
pub trait Descriptors: Sealed {
    /// Their numbers.
    #[doc(hidden)]
    fn raw(&self) -> Vec<RawHandle>;
}

impl Sealed for () {}
impl Descriptors for () {
    fn raw(&self) -> Vec<RawHandle> {
        Vec::new()
    }
}

impl<D: Descriptor, const N: usize> Descriptors for [D; N] {
    fn raw(&self) -> Vec<RawHandle> {
        self.iter().map(Descriptor::raw).collect()
    }
}

impl<D: Descriptor> Descriptors for Vec<D> {
    fn raw(&self) -> Vec<RawHandle> {
        self.iter().map(Descriptor::raw).collect()
    }
}
