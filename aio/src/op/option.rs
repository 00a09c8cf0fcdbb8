//! Operations on the options of sockets.

use std::fmt;
use std::marker::PhantomData;

use super::private::Sealed;
use super::{Answer, Operation, RawOp};
use crate::error::Error;
use crate::handle::{Descriptor, IntoDescriptor};
use crate::kind::OpKind;
use crate::sys::c;

/// An option of sockets, and what its value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SocketOption<T> {
    level: i32,
    name: i32,
    _value: PhantomData<fn() -> T>,
}

impl<T: OptionValue> SocketOption<T> {
    /// The option `name` of `level`: one that is not among the constants.
    ///
    /// A value that is `[u8; N]` is the bytes that the OS reads and writes, in the OS's own form.
    ///
    /// # Safety
    ///
    /// The OS follows no pointer in the value (as `TCP_ZEROCOPY_RECEIVE` does), takes no descriptor
    /// out of it, and puts none in.
    pub const unsafe fn new(level: i32, name: i32) -> SocketOption<T> {
        SocketOption { level, name, _value: PhantomData }
    }
}

/// The options that are one flag or one number each.
macro_rules! options {
    ($($(#[doc = $doc:literal])+ $const:ident: $type:ty = $level:ident, $name:ident;)+) => {
        $(impl SocketOption<$type> {
            $(#[doc = $doc])+
            pub const $const: SocketOption<$type> =
                SocketOption { level: c::$level, name: c::$name, _value: PhantomData };
        })+
    };
}

options! {
    /// The address may be bound while old connections of it linger.
    REUSE_ADDRESS: bool = SOL_SOCKET, SO_REUSEADDR;
    /// Several sockets may be bound to the address, and share what comes.
    REUSE_PORT: bool = SOL_SOCKET, SO_REUSEPORT;
    /// A peer that is silent is asked now and then whether it is still there.
    KEEP_ALIVE: bool = SOL_SOCKET, SO_KEEPALIVE;
    /// Datagrams may be sent to everybody.
    BROADCAST: bool = SOL_SOCKET, SO_BROADCAST;
    /// Received messages tell the sender's process and user (`SCM_CREDENTIALS`).
    PASS_CREDENTIALS: bool = SOL_SOCKET, SO_PASSCRED;
    /// Whether the socket listens; it can't be set.
    IS_LISTENING: bool = SOL_SOCKET, SO_ACCEPTCONN;
    /// The bytes that may wait to be received. Linux doubles what is set.
    RECV_BUFFER: i32 = SOL_SOCKET, SO_RCVBUF;
    /// The bytes that may wait to be sent. Linux doubles what is set.
    SEND_BUFFER: i32 = SOL_SOCKET, SO_SNDBUF;
    /// The error that is pending, or 0; it is not pending any more then. It can't be set.
    ERROR: i32 = SOL_SOCKET, SO_ERROR;
    /// Short packets are sent at once.
    NO_DELAY: bool = IPPROTO_TCP, TCP_NODELAY;
    /// An IPv6 socket takes no IPv4.
    ONLY_V6: bool = IPPROTO_IPV6, IPV6_V6ONLY;
}

/// What an option can be: `bool`, `i32`, or bytes.
pub trait OptionValue: Copy + fmt::Debug + private::Sealed {
    /// What the OS may leave unwritten.
    #[doc(hidden)]
    const NOTHING: Self::Raw;
    /// What the OS reads and writes.
    #[doc(hidden)]
    type Raw: AsRef<[u8]> + AsMut<[u8]> + Copy + fmt::Debug;
    /// As the OS reads it.
    #[doc(hidden)]
    fn to_raw(self) -> Self::Raw;
    /// As the OS wrote it.
    #[doc(hidden)]
    fn from_raw(raw: Self::Raw) -> Self;
}

impl OptionValue for bool {
    const NOTHING: [u8; 4] = [0; 4];
    type Raw = [u8; 4];

    fn to_raw(self) -> [u8; 4] {
        i32::from(self).to_ne_bytes()
    }

    fn from_raw(raw: [u8; 4]) -> bool {
        raw != [0; 4]
    }
}

impl OptionValue for i32 {
    const NOTHING: [u8; 4] = [0; 4];
    type Raw = [u8; 4];

    fn to_raw(self) -> [u8; 4] {
        self.to_ne_bytes()
    }

    fn from_raw(raw: [u8; 4]) -> i32 {
        i32::from_ne_bytes(raw)
    }
}

impl<const N: usize> OptionValue for [u8; N] {
    const NOTHING: [u8; N] = [0; N];
    type Raw = [u8; N];

    fn to_raw(self) -> [u8; N] {
        self
    }

    fn from_raw(raw: [u8; N]) -> [u8; N] {
        raw
    }
}

mod private {
    pub trait Sealed {}
    impl Sealed for bool {}
    impl Sealed for i32 {}
    impl<const N: usize> Sealed for [u8; N] {}
}

/// Asks for an option of `socket`; yields its value. Bytes that the OS does not write are 0.
///
/// ```
/// use corio_aio::{self as aio, op::{self, Operation, SocketOption}};
/// # fn main() -> std::io::Result<()> {
/// let socket = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let (.., is_on) = aio::multi((
///     op::set_socket_option(&socket, SocketOption::NO_DELAY, true).soft(),
///     op::get_socket_option(&socket, SocketOption::NO_DELAY),
/// ))?;
/// assert!(is_on);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// - [`Cause::Os`](crate::Cause::Os)`(ENOPROTOOPT)`, `(EOPNOTSUPP)`: the socket has no such option.
/// - [`Cause::Os`](crate::Cause::Os)`(ENOTSOCK)`: it is no socket.
///
/// Source: getsockopt(2): a plain call, which never waits.
pub fn get_socket_option<F: IntoDescriptor, T: OptionValue>(
    socket: F,
    option: SocketOption<T>,
) -> GetSocketOption<F::Descriptor, T> {
    let (socket, raw) = (socket.into_descriptor(), T::NOTHING);
    GetSocketOption { socket, option, raw }
}

/// See [`get_socket_option`].
#[derive(Clone, Copy, Debug)]
pub struct GetSocketOption<F, T: OptionValue> {
    /// The socket.
    pub socket: F,
    option: SocketOption<T>,
    raw: T::Raw,
}

impl<F, T: OptionValue> Sealed for GetSocketOption<F, T> {}
impl<F: Descriptor, T: OptionValue> Operation for GetSocketOption<F, T> {
    type Output = T;
    const KIND: OpKind = OpKind::GetSocketOption;

    fn lower(&mut self) -> RawOp {
        let (fd, SocketOption { level, name, .. }) = (self.socket.raw(), self.option);
        let raw = self.raw.as_mut();
        RawOp::GetOption { fd, level, name, len: raw.len() as u32, value: raw.as_mut_ptr() }
    }

    fn finish(&mut self, answer: Answer) -> Result<T, Error> {
        answer.done(OpKind::GetSocketOption).map(|()| T::from_raw(self.raw))
    }
}

/// Sets an option of `socket`.
///
/// # Errors
///
/// - [`Cause::Os`](crate::Cause::Os)`(ENOPROTOOPT)`, `(EOPNOTSUPP)`: the socket has no such option,
///   or it can't be set.
/// - [`Cause::Os`](crate::Cause::Os)`(EINVAL)`: the socket does not take the value, or not now.
/// - [`Cause::Os`](crate::Cause::Os)`(ENOTSOCK)`: it is no socket.
///
/// Source: setsockopt(2): a plain call, which never waits.
pub fn set_socket_option<F: IntoDescriptor, T: OptionValue>(
    socket: F,
    option: SocketOption<T>,
    value: T,
) -> SetSocketOption<F::Descriptor, T> {
    let (socket, raw) = (socket.into_descriptor(), value.to_raw());
    SetSocketOption { socket, option, raw }
}

/// See [`set_socket_option`].
#[derive(Clone, Copy, Debug)]
pub struct SetSocketOption<F, T: OptionValue> {
    /// The socket.
    pub socket: F,
    option: SocketOption<T>,
    raw: T::Raw,
}

impl<F, T: OptionValue> Sealed for SetSocketOption<F, T> {}
impl<F: Descriptor, T: OptionValue> Operation for SetSocketOption<F, T> {
    type Output = ();
    const KIND: OpKind = OpKind::SetSocketOption;

    fn lower(&mut self) -> RawOp {
        let (fd, SocketOption { level, name, .. }) = (self.socket.raw(), self.option);
        let raw = self.raw.as_ref();
        RawOp::SetOption { fd, level, name, len: raw.len() as u32, value: raw.as_ptr() }
    }

    fn finish(&mut self, answer: Answer) -> Result<(), Error> {
        answer.done(OpKind::SetSocketOption)
    }
}
