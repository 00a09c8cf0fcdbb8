//! Windows has completion ports.

use super::Kind;
use super::absent::Absent;
use super::emulate::Emulate;
use super::iocp;

pub const CANDIDATES: &[Kind] = &[Kind::Iocp];

pub type Uring = Absent;
pub type Epoll = Absent;
pub type Poll = Absent;
pub type Kqueue = Absent;
pub type Iocp = Emulate<iocp::Iocp>;
