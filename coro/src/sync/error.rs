//! Why a wait ended without what it was for.

use std::fmt;
use std::io;

use crate::task::Canceled;

/// The answer of a wait with a deadline that ended without what it was for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitError {
    /// The task was asked to stop; see [`Canceled`].
    Canceled,
    /// The deadline came first.
    Expired,
}

/// Why nothing was received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecvError {
    /// Nothing is there, and nothing will come any more.
    Closed,
    /// The task was asked to stop; see [`Canceled`].
    Canceled,
    /// The deadline came first. Only calls that have one answer so.
    Expired,
}

/// Why nothing was received by a call that does not wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TryRecvError {
    /// Nothing is there that is not promised to somebody who waits for it.
    Empty,
    /// Nothing is there, and nothing will come any more.
    Closed,
}

/// Why a value was not sent; and the value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendError<T> {
    /// The queue was closed.
    Closed(T),
    /// The task was asked to stop; see [`Canceled`].
    Canceled(T),
    /// The deadline came first. Only calls that have one answer so.
    Expired(T),
}

/// Why a value was not sent by a call that does not wait; and the value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// There is no room.
    Full(T),
    /// The queue was closed.
    Closed(T),
}

impl<T> SendError<T> {
    /// The value.
    pub fn into_inner(self) -> T {
        match self {
            SendError::Closed(value) | SendError::Canceled(value) | SendError::Expired(value) => {
                value
            }
        }
    }

    pub(super) fn new(failure: WaitError, value: T) -> SendError<T> {
        match failure {
            WaitError::Canceled => SendError::Canceled(value),
            WaitError::Expired => SendError::Expired(value),
        }
    }
}

impl<T> TrySendError<T> {
    /// The value.
    pub fn into_inner(self) -> T {
        match self {
            TrySendError::Full(value) | TrySendError::Closed(value) => value,
        }
    }
}

impl From<Canceled> for WaitError {
    fn from(_: Canceled) -> WaitError {
        WaitError::Canceled
    }
}

impl From<WaitError> for RecvError {
    fn from(error: WaitError) -> RecvError {
        match error {
            WaitError::Canceled => RecvError::Canceled,
            WaitError::Expired => RecvError::Expired,
        }
    }
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WaitError::Canceled => "canceled",
            WaitError::Expired => "timed out",
        })
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RecvError::Closed => "closed, and nothing is left",
            RecvError::Canceled => "canceled",
            RecvError::Expired => "timed out",
        })
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryRecvError::Empty => "nothing is there",
            TryRecvError::Closed => "closed, and nothing is left",
        })
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendError::Closed(_) => "closed",
            SendError::Canceled(_) => "canceled",
            SendError::Expired(_) => "timed out",
        })
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrySendError::Full(_) => "full",
            TrySendError::Closed(_) => "closed",
        })
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SendError({self})")
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrySendError({self})")
    }
}

impl std::error::Error for WaitError {}
impl std::error::Error for RecvError {}
impl std::error::Error for TryRecvError {}
impl<T> std::error::Error for SendError<T> {}
impl<T> std::error::Error for TrySendError<T> {}

impl From<WaitError> for io::Error {
    fn from(error: WaitError) -> io::Error {
        match error {
            WaitError::Canceled => Canceled.into(),
            WaitError::Expired => io::Error::new(io::ErrorKind::TimedOut, error),
        }
    }
}

impl From<RecvError> for io::Error {
    fn from(error: RecvError) -> io::Error {
        match error {
            RecvError::Closed => io::Error::new(io::ErrorKind::BrokenPipe, error),
            RecvError::Canceled => Canceled.into(),
            RecvError::Expired => WaitError::Expired.into(),
        }
    }
}

impl<T> From<SendError<T>> for io::Error {
    fn from(error: SendError<T>) -> io::Error {
        match error {
            SendError::Closed(_) => io::Error::new(io::ErrorKind::BrokenPipe, "closed"),
            SendError::Canceled(_) => Canceled.into(),
            SendError::Expired(_) => WaitError::Expired.into(),
        }
    }
}
