//! Which entry of the submission queue an operation is: one arm each.

use io_uring::opcode::{
    Accept, AsyncCancel, AsyncCancel2, Bind, Close, Connect, Fadvise, Fallocate, Fsync, Ftruncate,
    FutexWait, FutexWake, LinkAt, LinkTimeout, Listen, Madvise, MkDirAt, Nop, OpenAt, Pipe,
    PollAdd, Read, Readv, Recv, RecvMsg, RenameAt, Send, SendMsg, SendZc, Shutdown, Socket, Splice,
    Statx, SymlinkAt, SyncFileRange, Timeout, UnlinkAt, WaitId, Write, Writev,
};
use io_uring::squeue::Entry;
use io_uring::types::{self, CancelBuilder, Fd, FsyncFlags, TimeoutFlags};

use crate::handle::RawHandle;
use crate::key::Key;
use crate::kind::OpKind;
use crate::op::{Link, RawOp};

/// The entry of an operation. The number at the end of a line is the version of Linux that had it
/// first.
#[expect(clippy::too_many_lines, reason = "a table: one arm for each operation")]
pub fn of(op: &RawOp, link: Link) -> Entry {
    match *op {
        RawOp::Nop => Nop::new().build(), // 5.1
        RawOp::Read { fd, buf, len, offset } => {
            Read::new(Fd(fd), buf, len).offset(offset).build() // 5.6
        }
        RawOp::Write { fd, buf, len, offset } => {
            Write::new(Fd(fd), buf, len).offset(offset).build() // 5.6
        }
        RawOp::Fsync { fd, data_only } => {
            let flags = if data_only { FsyncFlags::DATASYNC } else { FsyncFlags::empty() };
            Fsync::new(Fd(fd)).flags(flags).build() // 5.1
        }
        RawOp::OpenAt { dir, path, flags, mode } => {
            OpenAt::new(Fd(dir), path).flags(flags).mode(mode).build() // 5.6
        }
        RawOp::Readv { fd, vectors, count, offset } => {
            Readv::new(Fd(fd), vectors, count).offset(offset).build() // 5.1
        }
        RawOp::Writev { fd, vectors, count, offset } => {
            Writev::new(Fd(fd), vectors, count).offset(offset).build() // 5.1
        }
        RawOp::Ftruncate { fd, len } => Ftruncate::new(Fd(fd), len).build(), // 6.9
        RawOp::Fallocate { fd, mode, offset, len } => {
            Fallocate::new(Fd(fd), len).offset(offset).mode(mode).build() // 5.6
        }
        RawOp::Fadvise { fd, offset, len, advice } => {
            Fadvise::new(Fd(fd), len.into(), advice).offset(offset).build() // 5.6
        }
        RawOp::Madvise { address, len, advice } => {
            Madvise::new(address.cast(), len.into(), advice).build() // 5.6
        }
        RawOp::SyncFileRange { fd, offset, len, flags } => {
            SyncFileRange::new(Fd(fd), len).offset(offset).flags(flags).build() // 5.2
        }
        RawOp::Splice { from, from_at, to, to_at, len, flags } => {
            let (from_at, to_at) = (from_at as i64, to_at as i64);
            Splice::new(Fd(from), from_at, Fd(to), to_at, len).flags(flags).build() // 5.7
        }
        RawOp::Pipe { ends } => {
            Pipe::new(ends.cast()).flags(libc::O_CLOEXEC as u32).build() // 6.16
        }
        RawOp::Statx { dir, path, flags, mask, stat } => {
            Statx::new(Fd(dir), path, stat.cast()).flags(flags).mask(mask).build() // 5.6
        }
        RawOp::RenameAt { from, old, to, new, flags } => {
            RenameAt::new(Fd(from), old, Fd(to), new).flags(flags).build() // 5.11
        }
        RawOp::UnlinkAt { dir, path, flags } => {
            UnlinkAt::new(Fd(dir), path).flags(flags).build() // 5.11
        }
        RawOp::MkdirAt { dir, path, mode } => {
            MkDirAt::new(Fd(dir), path).mode(mode).build() // 5.15
        }
        RawOp::SymlinkAt { target, dir, path } => {
            SymlinkAt::new(Fd(dir), target, path).build() // 5.15
        }
        RawOp::LinkAt { from, old, to, new, flags } => {
            LinkAt::new(Fd(from), old, Fd(to), new).flags(flags).build() // 5.15
        }
        // Who started it keeps the descriptor: all that is left to do is to cancel what uses it.
        RawOp::Close { lingers: true, .. } => Nop::new().build(),
        RawOp::Close { fd, .. } => Close::new(Fd(fd)).build(), // 5.6
        RawOp::Socket { domain, kind, protocol } => {
            Socket::new(domain, kind, protocol).build() // 5.19
        }
        RawOp::Bind { fd, address, len } => Bind::new(Fd(fd), address, len).build(), // 6.11
        RawOp::Listen { fd, backlog } => Listen::new(Fd(fd), backlog).build(),       // 6.11
        RawOp::Accept { fd } => {
            let nobody = (std::ptr::null_mut(), std::ptr::null_mut());
            Accept::new(Fd(fd), nobody.0, nobody.1).flags(libc::SOCK_CLOEXEC).build() // 5.5
        }
        RawOp::Connect { fd, address, len } => Connect::new(Fd(fd), address, len).build(), // 5.5
        RawOp::Send { fd, buf, len, flags } => {
            Send::new(Fd(fd), buf, len).flags(flags | whole(link)).build() // 5.6
        }
        RawOp::Recv { fd, buf, len, flags } => {
            Recv::new(Fd(fd), buf, len).flags(flags).build() // 5.6
        }
        RawOp::Shutdown { fd, how } => Shutdown::new(Fd(fd), how).build(), // 5.11
        RawOp::SendMsg { fd, header, flags } => {
            SendMsg::new(Fd(fd), header).flags((flags | whole(link)) as u32).build() // 5.3
        }
        RawOp::RecvMsg { fd, header, flags } => {
            RecvMsg::new(Fd(fd), header).flags(flags as u32).build() // 5.3
        }
        RawOp::SendZc { fd, buf, len, flags } => {
            SendZc::new(Fd(fd), buf, len).flags(flags | whole(link)).build() // 6.0
        }
        // They are plain calls, and do not come here.
        RawOp::GetOption { .. } | RawOp::SetOption { .. } => Nop::new().build(),
        RawOp::ChildExit { child } => PollAdd::new(Fd(child), libc::POLLIN as u32).build(), // 5.1
        RawOp::WaitId { pidfd, info, options } => {
            WaitId::new(libc::P_PIDFD, pidfd as libc::id_t, options).infop(info).build() // 6.7
        }
        RawOp::FutexWait { word, expected, mask, flags } => {
            FutexWait::new(word, expected.into(), mask.into(), flags).build() // 6.7
        }
        RawOp::FutexWake { word, count, mask, flags } => {
            FutexWake::new(word, count.into(), mask.into(), flags).build() // 6.7
        }
        RawOp::Timeout { after } => {
            // That the time is up breaks no chain, since 5.16.
            Timeout::new(after.cast()).flags(TimeoutFlags::ETIME_SUCCESS).build() // 5.4
        }
        RawOp::LinkTimeout { after } => LinkTimeout::new(after.cast()).build(), // 5.5
        RawOp::Cancel { target, .. } => cancel(target),                         // 5.5
        RawOp::Poll { fd, events } => PollAdd::new(Fd(fd), events).build(),     // 5.1
        RawOp::NotifyEvent { .. } | RawOp::WaitEvent { .. } => {
            unreachable!("event sources are written and read here")
        }
    }
}

/// The flag of a linked send: the next operation must not start between two parts of what is sent.
fn whole(link: Link) -> i32 {
    if link.is_linked() { libc::MSG_WAITALL } else { 0 }
}

/// Asks the operation of `key` to stop.
pub fn cancel(key: Key) -> Entry {
    AsyncCancel::new(key.to_bits()).build()
}

/// Asks everything that is in flight on `fd` to stop: Linux 5.19.
pub fn cancel_all_of(fd: RawHandle) -> Entry {
    AsyncCancel2::new(CancelBuilder::fd(Fd(fd)).all()).build()
}

/// Waits a moment: the time between two attempts to stop an operation that has not started.
pub fn moment() -> Entry {
    static MOMENT: types::Timespec = types::Timespec::new().nsec(1_000_000);
    Timeout::new(&MOMENT).flags(TimeoutFlags::ETIME_SUCCESS).build()
}

/// Reports each time that `fd` becomes readable, and at once if it is, until it says that there is
/// no more to come: Linux 5.13.
pub fn each_readable(fd: RawHandle) -> Entry {
    PollAdd::new(Fd(fd), libc::POLLIN as u32).multi(true).build()
}

/// The opcode that the kernel must know for operations of this kind; `None` if it has none, and
/// they are plain calls.
pub const fn opcode(kind: OpKind) -> Option<u8> {
    Some(match kind {
        OpKind::Nop | OpKind::CloseEventSource => Nop::CODE,
        OpKind::Read | OpKind::ReadTty | OpKind::WaitEventSource => Read::CODE,
        OpKind::Write | OpKind::NotifyEventSource => Write::CODE,
        OpKind::Fsync => Fsync::CODE,
        OpKind::OpenAt => OpenAt::CODE,
        OpKind::Readv => Readv::CODE,
        OpKind::Writev => Writev::CODE,
        OpKind::Ftruncate => Ftruncate::CODE,
        OpKind::Fallocate => Fallocate::CODE,
        OpKind::Fadvise => Fadvise::CODE,
        OpKind::Madvise => Madvise::CODE,
        OpKind::SyncFileRange => SyncFileRange::CODE,
        OpKind::Splice => Splice::CODE,
        OpKind::Pipe => Pipe::CODE,
        OpKind::Statx => Statx::CODE,
        OpKind::RenameAt => RenameAt::CODE,
        OpKind::UnlinkAt => UnlinkAt::CODE,
        OpKind::MkdirAt => MkDirAt::CODE,
        OpKind::SymlinkAt => SymlinkAt::CODE,
        OpKind::LinkAt => LinkAt::CODE,
        OpKind::Close => Close::CODE,
        OpKind::Socket => Socket::CODE,
        OpKind::Bind => Bind::CODE,
        OpKind::Listen => Listen::CODE,
        OpKind::Accept => Accept::CODE,
        OpKind::Connect => Connect::CODE,
        OpKind::Send => Send::CODE,
        OpKind::Recv => Recv::CODE,
        OpKind::Shutdown => Shutdown::CODE,
        OpKind::SendMsg => SendMsg::CODE,
        OpKind::RecvMsg => RecvMsg::CODE,
        OpKind::SendZc => SendZc::CODE,
        OpKind::GetSocketOption | OpKind::SetSocketOption => return None,
        OpKind::WaitId => WaitId::CODE,
        OpKind::FutexWait => FutexWait::CODE,
        OpKind::FutexWake => FutexWake::CODE,
        OpKind::Timeout => Timeout::CODE,
        OpKind::LinkTimeout => LinkTimeout::CODE,
        OpKind::Cancel => AsyncCancel::CODE,
        OpKind::Poll | OpKind::ChildExit => PollAdd::CODE,
    })
}
