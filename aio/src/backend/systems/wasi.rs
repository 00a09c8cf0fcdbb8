//! WASI has poll.

use super::Kind;
use super::absent::Absent;
use super::emulate::Emulate;
use super::readiness::{self, Readiness};
use crate::kind::{Kinds, OpKind};
use crate::sys::MAKES_SOCKETS;

pub const CANDIDATES: &[Kind] = &[Kind::Poll];

pub type Uring = Absent;
pub type Epoll = Absent;
pub type Poll = Emulate<Readiness<readiness::poll::Poll>>;
pub type Kqueue = Absent;
pub type Iocp = Absent;

/// The operations that readiness and plain calls can't do here, whatever is asked of them.
pub const LACKS: Kinds = if MAKES_SOCKETS { OTHERS } else { OTHERS.and(THOSE_OF_NEW_SOCKETS) };

const OTHERS: Kinds = Kinds::NONE
    .with(OpKind::FutexWake)
    .with(OpKind::Splice)
    .with(OpKind::Pipe)
    .with(OpKind::Fallocate)
    .with(OpKind::Madvise)
    .with(OpKind::SyncFileRange)
    .with(OpKind::ChildExit)
    .with(OpKind::WaitId);

const THOSE_OF_NEW_SOCKETS: Kinds = Kinds::NONE
    .with(OpKind::Socket)
    .with(OpKind::Bind)
    .with(OpKind::Listen)
    .with(OpKind::Connect)
    .with(OpKind::SetSocketOption);

/// Whether there are threads for calls that can only block.
pub const HAS_THREADS: bool = false;
