//! The BSDs, and Darwin.

use std::env;
use std::fs::File;
use std::io::{PipeWriter, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::Code;
pub use super::bound_tcp as bound;
pub use super::posix::{borrowed, count_descriptors as open_descriptors, is_open, open_dir};
use super::unix::interrupt_each_millisecond;
pub use super::unix::{
    Datagrams, HAS_PROCESSES, SEND_BUFFER, Stream, allocated, alone, changed, child,
    closes_on_exec, datagrams, inode_and_links, is_gone, mode, pair, pipe, symlink, waiting_child,
    was_killed, without_descriptors,
};

impl Code {
    /// What the file of [`full`] answers to who writes.
    pub const FULL: Code = Code::EBADF;
}

/// What the system and its kind are called in the table of exceptions.
pub fn names() -> Vec<&'static str> {
    vec!["bsd", env::consts::OS]
}

/// What a process in which promises are kept may have to cope with.
pub const OBSTACLES: &[(&str, fn())] = &[("signals", interrupt_each_millisecond)];

/// A file that refuses to be written.
pub fn full() -> File {
    File::open("/dev/null").expect("a device")
}

/// How many bytes fit into an empty pipe: one like it is filled.
pub fn pipe_room(_: &PipeWriter) -> usize {
    let (_reader, mut writer) = std::io::pipe().expect("a pipe");
    let flags = fcntl_getfl(&writer).expect("a pipe");
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).expect("a pipe");
    let mut room = 0;
    for size in [4096, 512, 1] {
        while let Ok(n) = writer.write(&vec![0; size]) {
            room += n;
        }
    }
    room
}

/// A file whose contents are in no cache that this program knows of.
pub fn open_past_caches(path: &Path) -> File {
    File::open(path).expect("a file of ours")
}

/// A loop of somebody else's that waits for `descriptor`, as a descriptor: itself.
pub fn watching(descriptor: BorrowedFd<'_>) -> OwnedFd {
    descriptor.try_clone_to_owned().expect("a descriptor")
}

/// A new file without a name.
pub fn scratch() -> File {
    tempfile::tempfile().expect("room for a file")
}

/// There is no count that is a descriptor.
pub fn eventfd() -> Option<OwnedFd> {
    None
}
