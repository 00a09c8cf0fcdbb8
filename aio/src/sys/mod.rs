//! What each system calls things, and what it does in its own way: the names, types and calls that
//! differ, under one interface.

#[cfg(any(unix, target_os = "wasi"))]
mod posix;
pub mod status;
#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(all(unix, not(target_os = "linux")), path = "bsd/mod.rs")]
#[cfg_attr(target_os = "wasi", path = "wasi/mod.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod system;
#[cfg(unix)]
mod unix;

pub use status::Status;
pub use system::{
    CONTROL_ALIGNMENT, CONTROL_HEADER, ChildInfo, ChildName, ControlLen, CountedEvent, PathUnit,
    Signal, SystemPath, c, watch_forks, without_signals,
};
#[cfg(all(unix, not(target_os = "linux")))]
pub use system::{Change, HAS_FADVISE, HAS_FALLOCATE, Queue};
#[cfg(windows)]
pub use system::{Packet, Port};
#[cfg(not(windows))]
pub use system::{
    connect_again, fail, has_peer_ended, not_polled, pid_of, that_do_not_wait, wait_id, wake_futex,
};

/// Sockets and their addresses, as far as the system has any.
#[cfg(not(target_os = "wasi"))]
pub use socket2 as net;
#[cfg(target_os = "wasi")]
pub use system::{MAKES_SOCKETS, net};

use std::process::ExitStatus;

/// The flag of a file that is opened for operations only, where there is such a thing.
#[cfg(windows)]
pub const OVERLAPPED: i32 = c::O_OVERLAPPED;
#[cfg(not(windows))]
pub const OVERLAPPED: i32 = 0;

/// What can become of a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChildState {
    /// It has ended.
    Exited(ExitStatus),
    /// This signal has stopped it.
    Stopped(i32),
    /// It goes on after it was stopped.
    Continued,
}
