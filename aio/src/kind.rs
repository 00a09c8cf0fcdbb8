//! What an operation is, as a plain value: for errors, for [`supports`](crate::supports), for logs.

use std::fmt;

/// The operations there are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum OpKind {
    /// [`op::nop`](crate::op::nop)
    Nop,
    /// [`op::read`](crate::op::read)
    Read,
    /// [`op::write`](crate::op::write)
    Write,
    /// [`op::fsync`](crate::op::fsync)
    Fsync,
    /// [`op::open_at`](crate::op::open_at)
    OpenAt,
    /// [`op::close`](crate::op::close)
    Close,
    /// [`op::socket`](crate::op::socket)
    Socket,
    /// [`op::bind`](crate::op::bind)
    Bind,
    /// [`op::listen`](crate::op::listen)
    Listen,
    /// [`op::accept`](crate::op::accept)
    Accept,
    /// [`op::connect`](crate::op::connect)
    Connect,
    /// [`op::send`](crate::op::send)
    Send,
    /// [`op::recv`](crate::op::recv)
    Recv,
    /// [`op::shutdown`](crate::op::shutdown)
    Shutdown,
    /// [`op::timeout`](crate::op::timeout)
    Timeout,
    /// [`op::link_timeout`](crate::op::link_timeout)
    LinkTimeout,
    /// [`op::cancel`](crate::op::cancel)
    Cancel,
    /// [`op::poll`](crate::op::poll)
    Poll,
    /// [`op::notify_event_source`](crate::op::notify_event_source)
    NotifyEventSource,
    /// [`op::wait_event_source`](crate::op::wait_event_source)
    WaitEventSource,
    /// [`op::close_event_source`](crate::op::close_event_source)
    CloseEventSource,
}

impl OpKind {
    /// Every operation.
    pub const ALL: [OpKind; 21] = [
        OpKind::Nop,
        OpKind::Read,
        OpKind::Write,
        OpKind::Fsync,
        OpKind::OpenAt,
        OpKind::Close,
        OpKind::Socket,
        OpKind::Bind,
        OpKind::Listen,
        OpKind::Accept,
        OpKind::Connect,
        OpKind::Send,
        OpKind::Recv,
        OpKind::Shutdown,
        OpKind::Timeout,
        OpKind::LinkTimeout,
        OpKind::Cancel,
        OpKind::Poll,
        OpKind::NotifyEventSource,
        OpKind::WaitEventSource,
        OpKind::CloseEventSource,
    ];

    /// Whether the OS always gets as far as trying it, so that a mistake in its arguments fails it
    /// in its turn instead of failing the whole chain at once.
    pub(crate) const fn is_always_tried(self) -> bool {
        matches!(
            self,
            OpKind::Nop
                | OpKind::Read
                | OpKind::Write
                | OpKind::Fsync
                | OpKind::Close
                | OpKind::Accept
                | OpKind::Connect
                | OpKind::Send
                | OpKind::Recv
                | OpKind::Shutdown
                | OpKind::NotifyEventSource
                | OpKind::WaitEventSource
                | OpKind::CloseEventSource
        )
    }

    /// The name of the function in [`op`](crate::op) that makes it.
    pub const fn name(self) -> &'static str {
        match self {
            OpKind::Nop => "nop",
            OpKind::Read => "read",
            OpKind::Write => "write",
            OpKind::Fsync => "fsync",
            OpKind::OpenAt => "open_at",
            OpKind::Close => "close",
            OpKind::Socket => "socket",
            OpKind::Bind => "bind",
            OpKind::Listen => "listen",
            OpKind::Accept => "accept",
            OpKind::Connect => "connect",
            OpKind::Send => "send",
            OpKind::Recv => "recv",
            OpKind::Shutdown => "shutdown",
            OpKind::Timeout => "timeout",
            OpKind::LinkTimeout => "link_timeout",
            OpKind::Cancel => "cancel",
            OpKind::Poll => "poll",
            OpKind::NotifyEventSource => "notify_event_source",
            OpKind::WaitEventSource => "wait_event_source",
            OpKind::CloseEventSource => "close_event_source",
        }
    }
}

impl fmt::Display for OpKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lists_each_operation_once() {
        let mut names: Vec<&str> = OpKind::ALL.iter().map(|kind| kind.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), OpKind::ALL.len());
        assert_eq!(OpKind::ALL.last().map(|kind| *kind as usize), Some(OpKind::ALL.len() - 1));
    }
}
