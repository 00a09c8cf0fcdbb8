//! What C's names of Unix are called by Windows: codes of errors, and those options that it has.
//! Those that it lacks have numbers of their own, so that the same operations can be made, and are
//! refused when their turn comes.

#![expect(non_camel_case_types, reason = "the names are C's")]
#![expect(dead_code, reason = "the list is that of other systems, and not all of it is used here")]

use std::ffi::c_void;

use windows_sys::Win32::Foundation as os;
use windows_sys::Win32::Networking::WinSock as socket;
use windows_sys::Win32::Storage::FileSystem::FILE_FLAG_OVERLAPPED;

pub const EBADF: i32 = os::ERROR_INVALID_HANDLE as i32;
pub const ECHILD: i32 = os::ERROR_WAIT_NO_CHILDREN as i32;
pub const EDEADLK: i32 = os::ERROR_POSSIBLE_DEADLOCK as i32;
pub const EEXIST: i32 = os::ERROR_ALREADY_EXISTS as i32;
pub const EFBIG: i32 = os::ERROR_FILE_TOO_LARGE as i32;
pub const EINVAL: i32 = os::ERROR_INVALID_PARAMETER as i32;
pub const EIO: i32 = os::ERROR_IO_DEVICE as i32;
pub const EISDIR: i32 = os::ERROR_DIRECTORY_NOT_SUPPORTED as i32;
pub const EMFILE: i32 = os::ERROR_TOO_MANY_OPEN_FILES as i32;
pub const ENAMETOOLONG: i32 = os::ERROR_FILENAME_EXCED_RANGE as i32;
pub const ENOENT: i32 = os::ERROR_FILE_NOT_FOUND as i32;
pub const ENOSPC: i32 = os::ERROR_DISK_FULL as i32;
pub const ENOTDIR: i32 = os::ERROR_DIRECTORY as i32;
pub const ENOTEMPTY: i32 = os::ERROR_DIR_NOT_EMPTY as i32;
pub const EPIPE: i32 = os::ERROR_BROKEN_PIPE as i32;
pub const ESPIPE: i32 = os::ERROR_SEEK_ON_DEVICE as i32;
pub const EXDEV: i32 = os::ERROR_NOT_SAME_DEVICE as i32;

pub const EADDRINUSE: i32 = socket::WSAEADDRINUSE;
pub const EADDRNOTAVAIL: i32 = socket::WSAEADDRNOTAVAIL;
pub const EAFNOSUPPORT: i32 = socket::WSAEAFNOSUPPORT;
pub const EALREADY: i32 = socket::WSAEALREADY;
pub const ECONNABORTED: i32 = socket::WSAECONNABORTED;
pub const ECONNREFUSED: i32 = socket::WSAECONNREFUSED;
pub const ECONNRESET: i32 = socket::WSAECONNRESET;
pub const EDESTADDRREQ: i32 = socket::WSAEDESTADDRREQ;
pub const EISCONN: i32 = socket::WSAEISCONN;
pub const EMSGSIZE: i32 = socket::WSAEMSGSIZE;
pub const ENOPROTOOPT: i32 = socket::WSAENOPROTOOPT;
pub const ENOTCONN: i32 = socket::WSAENOTCONN;
pub const ENOTSOCK: i32 = socket::WSAENOTSOCK;
pub const EOPNOTSUPP: i32 = socket::WSAEOPNOTSUPP;
pub const EPROTONOSUPPORT: i32 = socket::WSAEPROTONOSUPPORT;

pub const MSG_CMSG_CLOEXEC: i32 = 0;
pub const MSG_CTRUNC: i32 = socket::MSG_CTRUNC as i32;
pub const MSG_MORE: i32 = 0x1_0000;
pub const MSG_NOSIGNAL: i32 = 0;
pub const MSG_OOB: i32 = socket::MSG_OOB;
pub const MSG_PEEK: i32 = socket::MSG_PEEK;
pub const MSG_TRUNC: i32 = socket::MSG_TRUNC as i32;
pub const MSG_WAITALL: i32 = socket::MSG_WAITALL;
pub const SCM_RIGHTS: i32 = i32::MAX;
pub const SHUT_RD: i32 = socket::SD_RECEIVE;
pub const SHUT_RDWR: i32 = socket::SD_BOTH;
pub const SHUT_WR: i32 = socket::SD_SEND;
pub const SOCK_CLOEXEC: i32 = 0x8_0000;
pub const UIO_MAXIOV: i32 = 1024;

pub const IPPROTO_IPV6: i32 = socket::IPPROTO_IPV6;
pub const IPPROTO_TCP: i32 = socket::IPPROTO_TCP;
pub const IPV6_V6ONLY: i32 = socket::IPV6_V6ONLY;
pub const SOL_SOCKET: i32 = socket::SOL_SOCKET;
pub const SO_ACCEPTCONN: i32 = socket::SO_ACCEPTCONN;
pub const SO_BROADCAST: i32 = socket::SO_BROADCAST;
pub const SO_ERROR: i32 = socket::SO_ERROR;
pub const SO_KEEPALIVE: i32 = socket::SO_KEEPALIVE;
pub const SO_PASSCRED: i32 = 0x7fff_0001;
pub const SO_RCVBUF: i32 = socket::SO_RCVBUF;
pub const SO_REUSEADDR: i32 = socket::SO_REUSEADDR;
pub const SO_REUSEPORT: i32 = 0x7fff_0002;
pub const SO_SNDBUF: i32 = socket::SO_SNDBUF;
pub const TCP_NODELAY: i32 = socket::TCP_NODELAY;

pub const POLLIN: i16 = 0x1;
pub const POLLPRI: i16 = 0x2;
pub const POLLOUT: i16 = 0x4;
pub const POLLERR: i16 = 0x8;
pub const POLLHUP: i16 = 0x10;

pub const AT_EMPTY_PATH: i32 = 0x1000;
pub const AT_FDCWD: i32 = -100;
pub const AT_REMOVEDIR: i32 = 0x200;
pub const AT_SYMLINK_FOLLOW: i32 = 0x400;
pub const AT_SYMLINK_NOFOLLOW: i32 = 0x100;
pub const O_APPEND: i32 = 0x400;
pub const O_CLOEXEC: i32 = 0;
pub const O_CREAT: i32 = 0x40;
pub const O_DIRECTORY: i32 = 0x2000;
pub const O_EXCL: i32 = 0x80;
pub const O_OVERLAPPED: i32 = FILE_FLAG_OVERLAPPED as i32;
pub const O_RDONLY: i32 = 0;
pub const O_RDWR: i32 = 2;
pub const O_TRUNC: i32 = 0x200;
pub const O_WRONLY: i32 = 1;
/// The flags of Unix; those of Windows (`FILE_FLAG_…`) are other bits.
pub const O_ALL: i32 = 0xffff;
pub const PATH_MAX: i32 = 32_767;
pub const RENAME_EXCHANGE: u32 = 2;
pub const RENAME_NOREPLACE: u32 = 1;

pub const FALLOC_FL_COLLAPSE_RANGE: i32 = 0x8;
pub const FALLOC_FL_INSERT_RANGE: i32 = 0x20;
pub const FALLOC_FL_KEEP_SIZE: i32 = 0x1;
pub const FALLOC_FL_PUNCH_HOLE: i32 = 0x2;
pub const FALLOC_FL_ZERO_RANGE: i32 = 0x10;
pub const MADV_COLD: i32 = 20;
pub const MADV_HUGEPAGE: i32 = 14;
pub const MADV_NOHUGEPAGE: i32 = 15;
pub const MADV_NORMAL: i32 = 0;
pub const MADV_PAGEOUT: i32 = 21;
pub const MADV_RANDOM: i32 = 1;
pub const MADV_SEQUENTIAL: i32 = 2;
pub const MADV_WILLNEED: i32 = 3;
pub const POSIX_FADV_DONTNEED: i32 = 4;
pub const POSIX_FADV_NOREUSE: i32 = 5;
pub const POSIX_FADV_NORMAL: i32 = 0;
pub const POSIX_FADV_RANDOM: i32 = 1;
pub const POSIX_FADV_SEQUENTIAL: i32 = 2;
pub const POSIX_FADV_WILLNEED: i32 = 3;
pub const SPLICE_F_MORE: u32 = 4;
pub const SPLICE_F_MOVE: u32 = 1;
pub const SYNC_FILE_RANGE_WAIT_AFTER: u32 = 4;
pub const SYNC_FILE_RANGE_WAIT_BEFORE: u32 = 1;
pub const SYNC_FILE_RANGE_WRITE: u32 = 2;
pub const WCONTINUED: i32 = 8;
pub const WEXITED: i32 = 4;
pub const WNOWAIT: i32 = 0x100_0000;
pub const WSTOPPED: i32 = 2;

/// An address of a socket.
pub type sockaddr = socket::SOCKADDR;

/// How long one is.
pub type socklen_t = i32;

/// A buffer among several.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct iovec {
    pub iov_base: *mut c_void,
    pub iov_len: usize,
}

/// The header of a message.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct msghdr {
    pub msg_name: *mut c_void,
    pub msg_namelen: i32,
    pub msg_iov: *mut iovec,
    pub msg_iovlen: usize,
    pub msg_control: *mut c_void,
    pub msg_controllen: usize,
    pub msg_flags: i32,
}

/// What a process is said to have become; nothing says it here.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct siginfo_t {}
