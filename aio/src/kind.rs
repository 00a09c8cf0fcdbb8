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
    /// [`op::readv`](crate::op::readv)
    Readv,
    /// [`op::writev`](crate::op::writev)
    Writev,
    /// [`op::ftruncate`](crate::op::ftruncate)
    Ftruncate,
    /// [`op::fallocate`](crate::op::fallocate)
    Fallocate,
    /// [`op::fadvise`](crate::op::fadvise)
    Fadvise,
    /// [`op::madvise`](crate::op::madvise)
    Madvise,
    /// [`op::sync_file_range`](crate::op::sync_file_range)
    SyncFileRange,
    /// [`op::splice`](crate::op::splice)
    Splice,
    /// [`op::pipe`](crate::op::pipe())
    Pipe,
    /// [`op::statx`](crate::op::statx)
    Statx,
    /// [`op::rename_at`](crate::op::rename_at)
    RenameAt,
    /// [`op::unlink_at`](crate::op::unlink_at)
    UnlinkAt,
    /// [`op::mkdir_at`](crate::op::mkdir_at)
    MkdirAt,
    /// [`op::symlink_at`](crate::op::symlink_at)
    SymlinkAt,
    /// [`op::link_at`](crate::op::link_at)
    LinkAt,
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
    /// [`op::send_msg`](crate::op::send_msg)
    SendMsg,
    /// [`op::recv_msg`](crate::op::recv_msg)
    RecvMsg,
    /// [`op::send_zc`](crate::op::send_zc)
    SendZc,
    /// [`op::get_socket_option`](crate::op::get_socket_option)
    GetSocketOption,
    /// [`op::set_socket_option`](crate::op::set_socket_option)
    SetSocketOption,
    /// [`op::read_tty`](crate::op::read_tty)
    ReadTty,
    /// [`op::child_exit`](crate::op::child_exit)
    ChildExit,
    /// [`op::wait_id`](crate::op::wait_id)
    WaitId,
    /// [`op::futex_wait`](crate::op::futex_wait)
    FutexWait,
    /// [`op::futex_wake`](crate::op::futex_wake)
    FutexWake,
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
    pub const ALL: [OpKind; 46] = [
        OpKind::Nop,
        OpKind::Read,
        OpKind::Write,
        OpKind::Fsync,
        OpKind::OpenAt,
        OpKind::Readv,
        OpKind::Writev,
        OpKind::Ftruncate,
        OpKind::Fallocate,
        OpKind::Fadvise,
        OpKind::Madvise,
        OpKind::SyncFileRange,
        OpKind::Splice,
        OpKind::Pipe,
        OpKind::Statx,
        OpKind::RenameAt,
        OpKind::UnlinkAt,
        OpKind::MkdirAt,
        OpKind::SymlinkAt,
        OpKind::LinkAt,
        OpKind::Close,
        OpKind::Socket,
        OpKind::Bind,
        OpKind::Listen,
        OpKind::Accept,
        OpKind::Connect,
        OpKind::Send,
        OpKind::Recv,
        OpKind::Shutdown,
        OpKind::SendMsg,
        OpKind::RecvMsg,
        OpKind::SendZc,
        OpKind::GetSocketOption,
        OpKind::SetSocketOption,
        OpKind::ReadTty,
        OpKind::ChildExit,
        OpKind::WaitId,
        OpKind::FutexWait,
        OpKind::FutexWake,
        OpKind::Timeout,
        OpKind::LinkTimeout,
        OpKind::Cancel,
        OpKind::Poll,
        OpKind::NotifyEventSource,
        OpKind::WaitEventSource,
        OpKind::CloseEventSource,
    ];

    /// The name of the function in [`op`](crate::op) that makes it.
    pub const fn name(self) -> &'static str {
        match self {
            OpKind::Nop => "nop",
            OpKind::Read => "read",
            OpKind::Write => "write",
            OpKind::Fsync => "fsync",
            OpKind::OpenAt => "open_at",
            OpKind::Readv => "readv",
            OpKind::Writev => "writev",
            OpKind::Ftruncate => "ftruncate",
            OpKind::Fallocate => "fallocate",
            OpKind::Fadvise => "fadvise",
            OpKind::Madvise => "madvise",
            OpKind::SyncFileRange => "sync_file_range",
            OpKind::Splice => "splice",
            OpKind::Pipe => "pipe",
            OpKind::Statx => "statx",
            OpKind::RenameAt => "rename_at",
            OpKind::UnlinkAt => "unlink_at",
            OpKind::MkdirAt => "mkdir_at",
            OpKind::SymlinkAt => "symlink_at",
            OpKind::LinkAt => "link_at",
            OpKind::Close => "close",
            OpKind::Socket => "socket",
            OpKind::Bind => "bind",
            OpKind::Listen => "listen",
            OpKind::Accept => "accept",
            OpKind::Connect => "connect",
            OpKind::Send => "send",
            OpKind::Recv => "recv",
            OpKind::Shutdown => "shutdown",
            OpKind::SendMsg => "send_msg",
            OpKind::RecvMsg => "recv_msg",
            OpKind::SendZc => "send_zc",
            OpKind::GetSocketOption => "get_socket_option",
            OpKind::SetSocketOption => "set_socket_option",
            OpKind::ReadTty => "read_tty",
            OpKind::ChildExit => "child_exit",
            OpKind::WaitId => "wait_id",
            OpKind::FutexWait => "futex_wait",
            OpKind::FutexWake => "futex_wake",
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

/// A set of kinds, as one number: what a batch is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Kinds(u64);

const _: () = assert!(OpKind::ALL.len() <= u64::BITS as usize);

impl Kinds {
    /// No kind.
    pub const NONE: Kinds = Kinds(0);

    /// These and `kind`.
    pub const fn with(self, kind: OpKind) -> Kinds {
        Kinds(self.0 | 1 << kind as u32)
    }

    /// These and `others`.
    pub const fn and(self, others: Kinds) -> Kinds {
        Kinds(self.0 | others.0)
    }

    /// Whether `kind` is one of these.
    pub const fn contains(self, kind: OpKind) -> bool {
        self.0 & 1 << kind as u32 != 0
    }

    /// Whether all of these are in `others`.
    pub const fn is_within(self, others: Kinds) -> bool {
        self.0 & !others.0 == 0
    }

    /// Whether one of these is in `others`.
    pub const fn meets(self, others: Kinds) -> bool {
        self.0 & others.0 != 0
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
