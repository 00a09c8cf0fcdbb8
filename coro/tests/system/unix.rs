//! What the tests ask a Unix for.

use std::fs::{File, OpenOptions};
use std::mem;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

#[cfg(any(target_os = "linux", target_os = "freebsd"))]
use rustix::thread::{CpuSet, sched_getaffinity};
use tempfile::TempDir;

/// One end of a connection.
pub type Stream = UnixStream;

/// Two sockets that are connected.
pub fn pair() -> (Stream, Stream) {
    UnixStream::pair().expect("a pair of sockets")
}

/// What can be connected to.
pub struct Listener {
    pub socket: UnixListener,
    dir: TempDir,
}

impl Listener {
    pub fn new() -> Listener {
        let dir = tempfile::tempdir().expect("a folder");
        let socket = UnixListener::bind(dir.path().join("socket")).expect("a socket");
        Listener { socket, dir }
    }

    pub fn connect(&self) -> Option<Stream> {
        UnixStream::connect(self.dir.path().join("socket")).ok()
    }
}

/// What operations call a socket.
pub fn raw(socket: &Stream) -> RawFd {
    socket.as_raw_fd()
}

/// How many descriptors this process has open.
pub fn descriptors() -> usize {
    // SAFETY: the call takes numbers only, and says whether there is such a descriptor.
    (0..10_000).filter(|fd| unsafe { libc::fcntl(*fd, libc::F_GETFD) } != -1).count()
}

/// How many threads this process has, without those of this name; where the system tells.
pub fn threads(but: &str) -> Option<usize> {
    let threads = std::fs::read_dir("/proc/self/task").ok()?.flatten();
    let names = threads.map(|thread| std::fs::read_to_string(thread.path().join("comm")));
    Some(names.filter(|name| name.as_ref().is_ok_and(|name| !name.starts_with(but))).count())
}

/// How many bytes of addresses this process has, where the system tells.
pub fn addresses() -> Option<usize> {
    pages(0).map(|count| count * page())
}

/// How many bytes of this process are in memory.
pub fn resident() -> usize {
    pages(1).expect("a system that tells") * page()
}

/// What Linux says of the pages of this process: in this column.
fn pages(column: usize) -> Option<usize> {
    let counts = std::fs::read_to_string("/proc/self/statm").ok()?;
    counts.split_whitespace().nth(column)?.parse().ok()
}

/// How many pages of this process had to be brought into memory.
pub fn faults() -> usize {
    usage().ru_minflt as usize
}

fn usage() -> libc::rusage {
    // SAFETY: it is numbers.
    let mut usage: libc::rusage = unsafe { mem::zeroed() };
    // SAFETY: the call writes to `usage` only.
    assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) }, 0);
    usage
}

/// How many processors this thread may run on, where the system lets it choose.
#[cfg(any(target_os = "linux", target_os = "freebsd"))]
pub fn processors() -> Option<usize> {
    let allowed = sched_getaffinity(None).expect("a set");
    Some((0..CpuSet::MAX_CPU).filter(|number| allowed.is_set(*number)).count())
}

/// How many processors this thread may run on, where the system lets it choose.
#[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
pub fn processors() -> Option<usize> {
    None
}

/// How long this process has computed.
pub fn computed() -> Duration {
    let usage = usage();
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// Whether a process has died of the overflow of a stack.
pub fn has_overflowed(status: ExitStatus) -> bool {
    // Darwin's guards cause the second.
    matches!(status.signal(), Some(libc::SIGSEGV | libc::SIGBUS))
}

/// Whether a process has died of touching what it can't touch.
pub fn has_faulted(status: ExitStatus) -> bool {
    has_overflowed(status)
}

/// Whether a process has aborted.
pub fn was_aborted(status: ExitStatus) -> bool {
    status.signal() == Some(libc::SIGABRT)
}

/// How many bytes a page has.
pub fn page() -> usize {
    // SAFETY: the call takes a number only.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).expect("a size")
}

/// Opens a file so that reads take long: past the cache, if that can be.
pub fn open_past_the_cache(path: &Path) -> File {
    let direct = OpenOptions::new().read(true).custom_flags(PAST_THE_CACHE).open(path);
    direct.unwrap_or_else(|_| File::open(path).expect("a file"))
}

#[cfg(any(target_os = "linux", target_os = "freebsd", target_os = "netbsd"))]
const PAST_THE_CACHE: i32 = libc::O_DIRECT;
#[cfg(not(any(target_os = "linux", target_os = "freebsd", target_os = "netbsd")))]
const PAST_THE_CACHE: i32 = 0;
