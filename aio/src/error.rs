//! What can go wrong, as a small value that a caller can act on.

use std::{fmt, io};

use crate::kind::OpKind;

/// An operation, or the setting up of a ring, that failed.
///
/// It is `Copy` and allocates nothing. [`io::Error::from`] keeps the OS's code where there is one
/// ([`io::Error::raw_os_error`]) and gives the matching [`io::ErrorKind`] elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Error {
    op: Option<OpKind>,
    cause: Cause,
}

/// Why it failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Cause {
    /// The OS refused, with this code (`errno`).
    Os(i32),
    /// It was asked to stop before anything happened, or an operation that it was linked to failed.
    Canceled,
    /// A [`link_timeout`](crate::op::link_timeout) stopped the operation before it.
    Expired,
    /// What was to be canceled is unknown or complete; or a ticket's result was taken already.
    NotFound,
    /// What was to be canceled, or taken, is still at work and can't be stopped, or had, now.
    InProgress,
    /// The queue has no room for the whole batch; none of it was queued.
    Full,
    /// The backend can't do this.
    Unsupported,
    /// The ring belongs to the process that this one was forked from.
    Forked,
    /// The batch breaks a rule: it is empty, its last operation is linked to nothing, or a
    /// `link_timeout` has no operation before it. Tuples and arrays are checked at compile time.
    InvalidBatch,
    /// A path holds a NUL byte.
    InvalidPath,
}

impl Error {
    /// An error of `op`.
    pub const fn new(op: OpKind, cause: Cause) -> Error {
        Error { op: Some(op), cause }
    }

    /// An error of the ring itself.
    pub const fn of_ring(cause: Cause) -> Error {
        Error { op: None, cause }
    }

    /// The operation that failed; `None` where it was the ring itself.
    pub const fn op(&self) -> Option<OpKind> {
        self.op
    }

    /// Why.
    pub const fn cause(&self) -> Cause {
        self.cause
    }

    /// Whether it was asked to stop, and nothing happened.
    pub const fn is_canceled(&self) -> bool {
        matches!(self.cause, Cause::Canceled)
    }

    /// The kind that [`io::Error::from`] gives it.
    pub fn kind(&self) -> io::ErrorKind {
        match self.cause {
            Cause::Os(code) => io::Error::from_raw_os_error(code).kind(),
            // Not `Interrupted`: the loops of `std` would try again for ever.
            Cause::Canceled | Cause::Forked => io::ErrorKind::Other,
            Cause::Expired => io::ErrorKind::TimedOut,
            Cause::NotFound => io::ErrorKind::NotFound,
            Cause::InProgress => io::ErrorKind::ResourceBusy,
            Cause::Full => io::ErrorKind::WouldBlock,
            Cause::Unsupported => io::ErrorKind::Unsupported,
            Cause::InvalidBatch | Cause::InvalidPath => io::ErrorKind::InvalidInput,
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        match error.cause {
            Cause::Os(code) => io::Error::from_raw_os_error(code),
            _ => io::Error::new(error.kind(), error),
        }
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.op {
            Some(op) => write!(f, "{op}: {}", self.cause),
            None => write!(f, "ring: {}", self.cause),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::Os(code) => return io::Error::from_raw_os_error(*code).fmt(f),
            Cause::Canceled => "canceled",
            Cause::Expired => "the time is up",
            Cause::NotFound => "unknown or complete",
            Cause::InProgress => "still in progress",
            Cause::Full => "the queue is full",
            Cause::Unsupported => "not supported by this backend",
            Cause::Forked => "the ring belongs to the parent process",
            Cause::InvalidBatch => "the batch is empty or links to nothing",
            Cause::InvalidPath => "the path holds a NUL byte",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::c;

    #[test]
    fn an_error_reads_as_the_operation_and_the_words_of_the_os() {
        let error = Error::new(OpKind::Recv, Cause::Os(c::ECONNRESET));
        let words = io::Error::from_raw_os_error(c::ECONNRESET);
        assert_eq!(error.to_string(), format!("recv: {words}"));
        assert!(error.to_string().ends_with(&format!("(os error {})", c::ECONNRESET)));
    }

    #[test]
    fn the_code_of_the_os_survives_the_way_into_io_error() {
        let error = io::Error::from(Error::new(OpKind::Recv, Cause::Os(c::ECONNRESET)));
        assert_eq!(error.raw_os_error(), Some(c::ECONNRESET));
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn a_cancel_is_not_an_interrupted_call() {
        let error = io::Error::from(Error::new(OpKind::Recv, Cause::Canceled));
        assert_ne!(error.kind(), io::ErrorKind::Interrupted);
        assert_eq!(error.to_string(), "recv: canceled");
    }
}
