//! What is the same on all Unix systems.

use std::fs::{File, Metadata};
use std::io::{self, PipeReader, PipeWriter};
use std::mem::zeroed;
use std::os::fd::{FromRawFd, OwnedFd};
pub use std::os::unix::fs::symlink;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::ptr;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// A connected socket of a stream.
pub type Stream = UnixStream;

/// A connected socket of datagrams.
pub type Datagrams = UnixDatagram;

/// What the size of what a socket has not sent yet is called: level and name.
pub const SEND_BUFFER: (i32, i32) = (libc::SOL_SOCKET, libc::SO_SNDBUF);

/// Whether programs can start others.
pub const HAS_PROCESSES: bool = true;

/// Two that are connected to each other.
pub fn pair() -> (Stream, Stream) {
    UnixStream::pair().expect("a pair of sockets")
}

/// One that was connected to another one, which is gone.
pub fn alone() -> Stream {
    pair().0
}

/// Two that are connected to each other.
pub fn datagrams() -> (Datagrams, Datagrams) {
    UnixDatagram::pair().expect("a pair of sockets")
}

/// The ends of a pipe.
pub fn pipe() -> Option<(PipeReader, PipeWriter)> {
    Some(io::pipe().expect("a pipe"))
}

/// Whether a program that this one starts is not given the descriptor.
pub fn closes_on_exec(raw: i32) -> bool {
    // SAFETY: it only asks, whatever the number is.
    let flags = unsafe { libc::fcntl(raw, libc::F_GETFD) };
    flags >= 0 && flags & libc::FD_CLOEXEC != 0
}

/// Runs `act` while the process may open no descriptor more.
pub fn without_descriptors<T>(act: impl FnOnce() -> T) -> T {
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(0), ..before }).expect("a lower limit");
    let result = act();
    setrlimit(Resource::Nofile, before).expect("the limit that was");
    result
}

/// What makes a file the same one, and how many names it has.
pub fn inode_and_links(path: &Path) -> io::Result<(u64, u64)> {
    path.symlink_metadata().map(|metadata| (metadata.ino(), metadata.nlink()))
}

/// How many bytes a file has room for.
pub fn allocated(metadata: &Metadata) -> Option<u64> {
    Some(metadata.blocks() * 512)
}

/// When a file last changed, or what is said of it.
pub fn changed(metadata: &Metadata) -> Option<Duration> {
    Some(Duration::new(metadata.ctime() as u64, metadata.ctime_nsec() as u32))
}

/// Who may do what with a file.
pub fn mode(metadata: &Metadata) -> Option<u32> {
    Some(metadata.permissions().mode() & 0o777)
}

/// A program that ends with `code`.
pub fn child(code: i32) -> Command {
    shell(&format!("exit {code}"))
}

/// A program that ends with 1 at the end of its input.
pub fn waiting_child() -> Command {
    shell("read line")
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// Whether there is no process of this number, not even one that has ended.
pub fn is_gone(number: u32) -> bool {
    let number = rustix::process::Pid::from_raw(number.cast_signed()).expect("a number");
    rustix::process::test_kill_process(number).is_err()
}

/// Whether a process was killed by who started it.
pub fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(libc::SIGKILL)
}

/// The side of the one who types, and the terminal.
pub fn terminal() -> io::Result<(File, File)> {
    let (mut ends, nothing) = ([-1; 2], ptr::null_mut());
    let [keyboard, tty] = &mut ends;
    // SAFETY: there is room for two descriptors, and nothing else is asked for or given.
    let failed = unsafe { libc::openpty(keyboard, tty, nothing, ptr::null_mut(), ptr::null_mut()) };
    if failed != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: nobody else owns them.
    let ends = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
    for end in &ends {
        rustix::io::fcntl_setfd(end, rustix::io::FdFlags::CLOEXEC)?;
    }
    let [keyboard, tty] = ends.map(File::from);
    Ok((keyboard, tty))
}

/// From now on the terminal gives each key as it is typed.
pub fn make_raw(tty: &File) -> io::Result<()> {
    let mut attributes = tcgetattr(tty)?;
    attributes.make_raw();
    Ok(tcsetattr(tty, OptionalActions::Now, &attributes)?)
}

extern "C" fn ignore(_: libc::c_int) {}

/// Interrupts every call that the process makes, once per millisecond, without restarting it.
pub fn interrupt_each_millisecond() {
    // SAFETY: all zero is an action without flags and with an empty mask.
    let mut action: libc::sigaction = unsafe { zeroed() };
    action.sa_sigaction = ignore as extern "C" fn(libc::c_int) as usize;
    // SAFETY: the handler does nothing.
    let set = unsafe { libc::sigaction(libc::SIGALRM, &raw const action, ptr::null_mut()) };
    assert_eq!(set, 0);
    let each = libc::timeval { tv_sec: 0, tv_usec: 1_000 };
    let timer = libc::itimerval { it_interval: each, it_value: each };
    // SAFETY: the timer is a local that is read.
    let set = unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, ptr::null_mut()) };
    assert_eq!(set, 0);
}
