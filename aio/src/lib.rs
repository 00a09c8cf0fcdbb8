//! An io_uring-shaped asynchronous IO API: operations are values, submitted in linked batches.
//!
//! ```
//! use corio_aio::{self as aio, op::{self, Operation}};
//! # fn main() -> std::io::Result<()> {
//! let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! let client = std::net::TcpStream::connect(listener.local_addr()?)?;
//! let (server, _) = listener.accept()?;
//! let mut buf = [0; 9];
//! let (.., n) = aio::multi((
//!     op::send(&client, b"hey ").soft(),
//!     op::send(&client, b"there").soft(),
//!     op::recv(&server, &mut buf).wait_all(),
//! ))?;
//! assert_eq!(&buf[..n], b"hey there");
//! # Ok(())
//! # }
//! ```
//!
//! - [`op`]: what can be done, as plain values over borrowed buffers.
//! - [`single`], [`multi`], [`complete`]: do it now, and wait.
//! - [`Dynamic`]: queue it now, complete it later.
//! - [`Ring`]: the layer under both, to build an executor on. The crate `corio` has one.
//! - [`backend`](mod@backend): what carries operations out: Linux's io_uring, epoll or poll, or one
//!   of the program's own. The first that works here serves, unless the environment variable
//!   `CORIO_BACKEND` or [`Options::backend`] names one; [`backend()`] says which.
//! - [`console`]: the input of a Windows console as the bytes that a Unix terminal sends.
//! - [`scripted`]: a simulated system to test against, with faults, orders and a time of its own.
//!
//! A cancel is a request: an operation that has succeeded by then reports its success, and
//! [`Cause::Canceled`] means that nothing happened. Nothing relies on a destructor being run.

#[expect(unsafe_code, reason = "hands pointers to the kernel")]
pub mod backend;
mod batch;
pub mod console;
#[expect(unsafe_code, reason = "erases types and scopes")]
mod dynamic;
mod error;
mod event;
#[expect(unsafe_code, reason = "registers a handler")]
mod fork;
pub mod guard;
#[expect(unsafe_code, reason = "declares a contract")]
mod handle;
#[expect(unsafe_code, reason = "starts operations over its frame")]
mod immediate;
pub mod key;
mod kind;
pub mod op;
#[doc(hidden)]
#[allow(unsafe_code, reason = "gives some processors a hint")]
pub mod prefetch;
#[expect(unsafe_code, reason = "passes the contract of the backend on")]
pub mod ring;
pub mod scripted;
#[expect(unsafe_code, reason = "calls the system")]
mod sys;
mod waker;

pub use backend::{Mode, Options, Traffic, backend};
pub use batch::{Batch, Lowering};
pub use dynamic::{Done, Dynamic, Handler, Queue, Queueable, Ticket};
pub use error::{Cause, Error};
pub use event::EventSource;
pub use handle::{
    BorrowedDescriptor, Closable, Closing, Cwd, Descriptor, IntoClosable, IntoDescriptor,
    OwnedDescriptor, RawHandle,
};
pub use immediate::{complete, multi, race, single, supports};
pub use key::Id;
pub use kind::{Kinds, OpKind};
pub use ring::Ring;
pub use sys::net::{Domain, Protocol, SockAddr, Socket, Type};
pub use waker::Waker;
