//! The BSDs and Darwin have kqueue and poll.

use super::Kind;
use super::absent::Absent;
use super::emulate::Emulate;
use super::readiness::{self, Readiness};
use crate::kind::{Kinds, OpKind};
use crate::sys;

pub const CANDIDATES: &[Kind] = &[Kind::Kqueue, Kind::Poll];

pub type Uring = Absent;
pub type Epoll = Absent;
pub type Poll = Emulate<Readiness<readiness::poll::Poll>>;
pub type Kqueue = Emulate<Readiness<readiness::kqueue::Kqueue>>;
pub type Iocp = Absent;

/// The operations that readiness and plain calls can't do here, whatever is asked of them.
pub const LACKS: Kinds = {
    let lacks = Kinds::NONE
        .with(OpKind::FutexWake)
        .with(OpKind::Splice)
        .with(OpKind::SyncFileRange)
        .with(OpKind::WaitId);
    let lacks = if sys::HAS_FADVISE { lacks } else { lacks.with(OpKind::Fadvise) };
    if sys::HAS_FALLOCATE { lacks } else { lacks.with(OpKind::Fallocate) }
};

/// Whether there are threads for calls that can only block.
pub const HAS_THREADS: bool = true;
