//! The names of C on WASI: those of its libc, and those that it lacks, with values of ours. What
//! these ask for is refused, or ignored where it is a hint.

#![expect(non_camel_case_types, reason = "they are C's")]

pub use libc::*;

pub use super::files::{
    fallocate, linkat, madvise, mkdirat, pipe2, renameat2, splice, statx, symlinkat,
    sync_file_range, unlinkat,
};
pub use super::poll::{poll, ppoll};
pub use super::preview::*;
pub use super::sockets::{
    accept4, bind, connect, getsockopt, listen, preadv2, pwritev2, recv, recvmsg, send, sendmsg,
    setsockopt, shutdown,
};
pub use super::transfers::{pread, preadv, pwrite, pwritev, read, readv, write, writev};

pub const RWF_NOWAIT: c_int = 8;
pub const PIPE_BUF: usize = 4096;
pub const SOCK_SEQPACKET: c_int = -1;

pub const MSG_OOB: c_int = 0x1;
pub const MSG_CTRUNC: c_int = 0x8;
pub const MSG_TRUNC: c_int = 0x20;
pub const MSG_DONTWAIT: c_int = 0x40;
pub const MSG_WAITALL: c_int = 0x100;
pub const MSG_MORE: c_int = 0x8000;
pub const MSG_CMSG_CLOEXEC: c_int = 0x4000_0000;

pub const SCM_RIGHTS: c_int = 1;
pub const SO_REUSEPORT: c_int = 15;
pub const SO_PASSCRED: c_int = 16;

/// What only an option would be that there is not.
pub const POLLPRI: c_short = 0x200;

pub const PATH_MAX: c_int = 4096;
pub const UIO_MAXIOV: c_int = 1024;

pub const AT_EMPTY_PATH: c_int = 0x1000;

pub const RENAME_NOREPLACE: c_uint = 1;
pub const RENAME_EXCHANGE: c_uint = 2;

pub const FALLOC_FL_KEEP_SIZE: c_int = 0x1;
pub const FALLOC_FL_PUNCH_HOLE: c_int = 0x2;
pub const FALLOC_FL_COLLAPSE_RANGE: c_int = 0x8;
pub const FALLOC_FL_ZERO_RANGE: c_int = 0x10;
pub const FALLOC_FL_INSERT_RANGE: c_int = 0x20;

pub const SYNC_FILE_RANGE_WAIT_BEFORE: c_uint = 1;
pub const SYNC_FILE_RANGE_WRITE: c_uint = 2;
pub const SYNC_FILE_RANGE_WAIT_AFTER: c_uint = 4;

pub const SPLICE_F_MOVE: c_uint = 1;
pub const SPLICE_F_NONBLOCK: c_uint = 2;
pub const SPLICE_F_MORE: c_uint = 4;

pub const MADV_NORMAL: c_int = 0;
pub const MADV_RANDOM: c_int = 1;
pub const MADV_SEQUENTIAL: c_int = 2;
pub const MADV_WILLNEED: c_int = 3;
pub const MADV_HUGEPAGE: c_int = 14;
pub const MADV_NOHUGEPAGE: c_int = 15;
pub const MADV_COLD: c_int = 20;
pub const MADV_PAGEOUT: c_int = 21;

pub const WNOHANG: c_int = 1;
pub const WSTOPPED: c_int = 2;
pub const WEXITED: c_int = 4;
pub const WCONTINUED: c_int = 8;
pub const WNOWAIT: c_int = 0x0100_0000;

/// What the OS would say of a process.
#[derive(Debug)]
pub struct siginfo_t {
    pub _nothing: u8,
}

/// The header of a message, for who takes it apart: the OS has no messages.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct msghdr {
    pub msg_name: *mut c_void,
    pub msg_namelen: socklen_t,
    pub msg_iov: *mut iovec,
    pub msg_iovlen: c_int,
    pub msg_control: *mut c_void,
    pub msg_controllen: socklen_t,
    pub msg_flags: c_int,
}
