//! Linux.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::io::PipeWriter;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use corio_aio::{self as aio, Domain, SockAddr, Socket, Type, op};
use rustix::event::{EventfdFlags, epoll};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

use super::Code;
pub use super::posix::{borrowed, is_open, open_dir};
use super::unix::interrupt_each_millisecond;
pub use super::unix::{
    Datagrams, HAS_PROCESSES, SEND_BUFFER, Stream, allocated, alone, changed, child,
    closes_on_exec, datagrams, inode_and_links, is_gone, mode, pair, pipe, symlink, waiting_child,
    was_killed, without_descriptors,
};

impl Code {
    /// What the file of [`full`] answers to who writes.
    pub const FULL: Code = Code::ENOSPC;
}

/// What the system and its kind are called in the table of exceptions.
pub fn names() -> Vec<&'static str> {
    match env::var_os("QEMU_LD_PREFIX") {
        Some(_) => vec!["linux", "qemu-user"],
        None => vec!["linux"],
    }
}

/// What a process in which promises are kept may have to cope with.
pub const OBSTACLES: &[(&str, fn())] = &[
    ("signals", || {
        have_workers();
        interrupt_each_millisecond();
    }),
    ("EPERM", || refuse_io_uring(libc::EPERM)),
    ("ENOSYS", || refuse_io_uring(libc::ENOSYS)),
    ("ENOMEM", || refuse_io_uring(libc::ENOMEM)),
];

/// Has the kernel make the threads that work for io_uring in this one's name: for files, and for
/// all else. It makes the first of them when one is needed, and if signals interrupt that again and
/// again, it cancels what there was to do.
fn have_workers() {
    let program = File::open("/proc/self/exe").expect("this program");
    let _ = aio::complete((op::fsync(&program), op::write(full(), "no room")));
}

/// How many descriptors are open.
pub fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("a list of descriptors").count()
}

/// A file that refuses to be written.
pub fn full() -> File {
    File::options().write(true).open("/dev/full").expect("a device")
}

/// How many bytes fit into an empty pipe.
pub fn pipe_room(writer: &PipeWriter) -> usize {
    rustix::pipe::fcntl_getpipe_size(writer).expect("a pipe")
}

/// Has the kernel answer all calls of io_uring with a failure.
fn refuse_io_uring(code: i32) {
    let calls = [libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];
    let rules: BTreeMap<_, _> = calls.into_iter().map(|call| (call, Vec::new())).collect();
    let refuse = SeccompAction::Errno(code.cast_unsigned());
    let machine = env::consts::ARCH.try_into().expect("a machine whose calls are known");
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, machine);
    let filter: BpfProgram =
        filter.and_then(TryInto::try_into).expect("a filter that can be expressed");
    apply_filter(&filter).expect("a kernel with filters");
}

/// A file that is read past all caches.
pub fn open_past_caches(path: &Path) -> File {
    let open = File::options().read(true).custom_flags(libc::O_DIRECT).open(path);
    open.expect("a file system that knows O_DIRECT")
}

/// A loop of somebody else's that waits for `descriptor`, as a descriptor.
pub fn watching(descriptor: BorrowedFd<'_>) -> OwnedFd {
    let watching = epoll::create(epoll::CreateFlags::CLOEXEC).expect("a loop");
    let (data, flags) = (epoll::EventData::new_u64(7), epoll::EventFlags::IN);
    epoll::add(&watching, descriptor, data, flags).expect("a descriptor that can be waited for");
    watching
}

/// A new file without a name.
pub fn scratch() -> File {
    rustix::fs::memfd_create("file", rustix::fs::MemfdFlags::CLOEXEC).expect("memory").into()
}

/// A socket that is bound to an address of its own, and the domain of that.
pub fn bound() -> (Socket, Domain) {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
    // Linux makes up a name.
    let bound = SockAddr::unix("").and_then(|address| socket.bind(&address));
    bound.expect("an address that is free");
    (socket, Domain::UNIX)
}

/// A count that can be read and written, as a descriptor.
pub fn eventfd() -> Option<OwnedFd> {
    let flags = EventfdFlags::CLOEXEC | EventfdFlags::SEMAPHORE;
    Some(rustix::event::eventfd(0, flags).expect("a descriptor"))
}
