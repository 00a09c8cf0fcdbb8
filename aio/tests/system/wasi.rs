//! WASI.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, PipeReader, PipeWriter};
use std::net::{TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use super::Code;
pub use super::posix::{borrowed, count_descriptors as open_descriptors, is_open, open_dir};
pub use super::{alone_tcp as alone, bound_tcp as bound, tcp as pair};

/// A connected socket of a stream.
pub type Stream = TcpStream;

/// A connected socket of datagrams.
pub type Datagrams = UdpSocket;

/// What the size of what a socket has not sent yet is called: level and name.
pub const SEND_BUFFER: (i32, i32) = (libc::SOL_SOCKET, 7);

/// Whether programs can start others.
pub const HAS_PROCESSES: bool = false;

/// What a process in which promises are kept may have to cope with.
pub const OBSTACLES: &[(&str, fn())] = &[];

impl Code {
    /// What the file of [`full`] answers to who writes.
    pub const FULL: Code = Code::EBADF;
}

/// What the system and its kind are called in the table of exceptions.
pub fn names() -> Vec<&'static str> {
    vec!["wasi", if cfg!(target_env = "p1") { "wasip1" } else { "wasip2" }]
}

/// Where files for a while are put: the system does not say.
fn room() -> &'static Path {
    let is_there = |path: &&str| std::fs::read_dir(path).is_ok();
    let room = ["/tmp", "."].into_iter().find(is_there).expect("a directory that is given");
    Path::new(room)
}

/// Chooses where files for a while are put.
pub fn choose_room() {
    tempfile::env::override_temp_dir(room()).expect("the first to say so");
}

/// Two that are connected to each other.
pub fn datagrams() -> (Datagrams, Datagrams) {
    let socket = || UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let (ours, theirs) = (socket(), socket());
    let address = |socket: &UdpSocket| socket.local_addr().expect("a bound socket");
    ours.connect(address(&theirs)).expect("an open socket");
    theirs.connect(address(&ours)).expect("an open socket");
    (ours, theirs)
}

/// There are no pipes.
pub fn pipe() -> Option<(PipeReader, PipeWriter)> {
    None
}

/// There are no other programs.
pub fn closes_on_exec(_: i32) -> bool {
    true
}

/// There is no limit to run into.
pub fn without_descriptors<T>(_: impl FnOnce() -> T) -> T {
    panic!("the table of exceptions says that there is no limit")
}

/// What makes a file the same one, and how many names it has.
pub fn inode_and_links(path: &Path) -> io::Result<(u64, u64)> {
    let stat = rustix::fs::lstat(path)?;
    Ok((stat.st_ino, stat.st_nlink))
}

/// The standard library does not say.
pub fn allocated(_: &Metadata) -> Option<u64> {
    None
}

/// The standard library does not say.
pub fn changed(_: &Metadata) -> Option<Duration> {
    None
}

/// Nobody is kept from anything.
pub fn mode(_: &Metadata) -> Option<u32> {
    None
}

/// There are no other programs.
pub fn child(_: i32) -> Command {
    panic!("the table of exceptions says that there are no processes")
}

/// There are no other programs.
pub fn waiting_child() -> Command {
    child(1)
}

/// There are no processes.
pub fn is_gone(_: u32) -> bool {
    true
}

/// There are no processes.
pub fn was_killed(_: ExitStatus) -> bool {
    false
}

/// Gives a path another name.
pub fn symlink(target: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    rustix::fs::symlink(target.as_ref(), link.as_ref()).map_err(Into::into)
}

/// A file that refuses to be written.
pub fn full() -> File {
    let path = room().join("refuses");
    std::fs::write(&path, "").expect("room for a file");
    File::open(path).expect("a file of ours")
}

/// There are no pipes.
pub fn pipe_room(_: &PipeWriter) -> usize {
    0
}

/// A file whose contents are in no cache that this program knows of.
pub fn open_past_caches(path: &Path) -> File {
    File::open(path).expect("a file of ours")
}

/// A new file without a name.
pub fn scratch() -> File {
    tempfile::tempfile().expect("room for a file")
}
