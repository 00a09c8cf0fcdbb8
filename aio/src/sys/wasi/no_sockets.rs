//! Sockets and their addresses where none can be made, as far as the operations name them.

use std::io;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use super::{AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP, SOCK_DGRAM, SOCK_STREAM, socklen_t};

/// Room for the address of a socket.
#[derive(Clone, Copy, Debug, Default)]
pub struct SockAddrStorage(Option<SocketAddr>);

impl SockAddrStorage {
    /// No address.
    pub fn zeroed() -> SockAddrStorage {
        SockAddrStorage::default()
    }

    /// How large it is.
    pub fn size_of(&self) -> socklen_t {
        size_of::<SockAddrStorage>() as socklen_t
    }
}

/// The address of a socket.
#[derive(Clone, Debug)]
pub struct SockAddr(SockAddrStorage);

impl SockAddr {
    /// The address in `storage`.
    ///
    /// # Safety
    ///
    /// None is needed.
    pub const unsafe fn new(storage: SockAddrStorage, _: socklen_t) -> SockAddr {
        SockAddr(storage)
    }

    /// How large it is.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> socklen_t {
        self.0.size_of()
    }

    /// Where it is.
    pub const fn as_ptr(&self) -> *const SockAddrStorage {
        &raw const self.0
    }

    /// The address as `std` has it.
    pub fn as_socket(&self) -> Option<SocketAddr> {
        self.0.0
    }
}

impl From<SocketAddr> for SockAddr {
    fn from(address: SocketAddr) -> SockAddr {
        SockAddr(SockAddrStorage(Some(address)))
    }
}

impl From<SocketAddrV4> for SockAddr {
    fn from(address: SocketAddrV4) -> SockAddr {
        SocketAddr::from(address).into()
    }
}

impl From<SocketAddrV6> for SockAddr {
    fn from(address: SocketAddrV6) -> SockAddr {
        SocketAddr::from(address).into()
    }
}

/// What a number means to the OS.
macro_rules! numbers {
    ($(
        $(#[doc = $doc:literal])+
        $type:ident: $($(#[doc = $const_doc:literal])+ $const:ident = $number:ident),+;
    )+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub struct $type(i32);

        impl $type {
            $($(#[doc = $const_doc])+ pub const $const: $type = $type($number);)+
        }

        impl From<i32> for $type {
            fn from(number: i32) -> $type {
                $type(number)
            }
        }

        impl From<$type> for i32 {
            fn from(it: $type) -> i32 {
                it.0
            }
        }
    )+};
}

numbers! {
    /// What the addresses of a socket are.
    Domain:
        /// Those of IPv4.
        IPV4 = AF_INET,
        /// Those of IPv6.
        IPV6 = AF_INET6;
    /// What a socket carries.
    Type:
        /// Bytes.
        STREAM = SOCK_STREAM,
        /// Messages.
        DGRAM = SOCK_DGRAM;
    /// How a socket carries it.
    Protocol:
        /// By TCP.
        TCP = IPPROTO_TCP,
        /// By UDP.
        UDP = IPPROTO_UDP;
}

impl Domain {
    /// What an address belongs to.
    pub const fn for_address(address: SocketAddr) -> Domain {
        match address {
            SocketAddr::V4(_) => Domain::IPV4,
            SocketAddr::V6(_) => Domain::IPV6,
        }
    }
}

/// A socket that the program was given.
#[derive(Debug)]
pub struct Socket(OwnedFd);

impl Socket {
    /// It can't be made.
    ///
    /// # Errors
    ///
    /// `Unsupported`.
    pub fn new(_: Domain, _: Type, _: Option<Protocol>) -> io::Result<Socket> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// It can't be given an address.
    ///
    /// # Errors
    ///
    /// `Unsupported`.
    pub fn bind(&self, _: &SockAddr) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// It can't be made to listen.
    ///
    /// # Errors
    ///
    /// `Unsupported`.
    pub fn listen(&self, _: i32) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// It can't be connected.
    ///
    /// # Errors
    ///
    /// `Unsupported`.
    pub fn connect(&self, _: &SockAddr) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The address of its own is not known.
    ///
    /// # Errors
    ///
    /// `Unsupported`.
    pub fn local_addr(&self) -> io::Result<SockAddr> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The address of its peer is not known.
    ///
    /// # Errors
    ///
    /// `Unsupported`.
    pub fn peer_addr(&self) -> io::Result<SockAddr> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl IntoRawFd for Socket {
    fn into_raw_fd(self) -> RawFd {
        self.0.into_raw_fd()
    }
}

impl FromRawFd for Socket {
    unsafe fn from_raw_fd(fd: RawFd) -> Socket {
        // SAFETY: passed on.
        Socket(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

/// What owns a descriptor can become what owns it under another type.
macro_rules! convert {
    ($($from:ty => $to:ty: $convert:expr;)+) => {$(
        impl From<$from> for $to {
            fn from(from: $from) -> $to {
                $convert(from)
            }
        }
    )+};
}

convert! {
    OwnedFd => Socket: Socket;
    Socket => OwnedFd: |socket: Socket| socket.0;
    TcpStream => Socket: |stream: TcpStream| Socket(stream.into());
    TcpListener => Socket: |listener: TcpListener| Socket(listener.into());
    Socket => TcpStream: |socket: Socket| TcpStream::from(socket.0);
    Socket => TcpListener: |socket: Socket| TcpListener::from(socket.0);
}
