//! Windows, and Wine.

use std::env;
use std::ffi::c_void;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, PipeReader, PipeWriter};
use std::net::{TcpStream, UdpSocket};
use std::os::windows::fs::OpenOptionsExt;
pub use std::os::windows::fs::symlink_file as symlink;
use std::os::windows::io::{AsHandle, AsRawHandle};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use corio_aio::BorrowedDescriptor;
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_ALREADY_EXISTS, ERROR_BAD_PATHNAME, ERROR_BROKEN_PIPE,
    ERROR_CANT_RESOLVE_FILENAME, ERROR_DIR_NOT_EMPTY, ERROR_DIRECTORY,
    ERROR_DIRECTORY_NOT_SUPPORTED, ERROR_DISK_FULL, ERROR_FILE_EXISTS, ERROR_FILE_NOT_FOUND,
    ERROR_FILE_TOO_LARGE, ERROR_FILENAME_EXCED_RANGE, ERROR_INVALID_FUNCTION, ERROR_INVALID_HANDLE,
    ERROR_INVALID_NAME, ERROR_INVALID_PARAMETER, ERROR_IO_DEVICE, ERROR_NO_DATA,
    ERROR_NOT_SAME_DEVICE, ERROR_NOT_SUPPORTED, ERROR_PATH_NOT_FOUND, ERROR_PIPE_NOT_CONNECTED,
    ERROR_SEEK_ON_DEVICE, ERROR_SHARING_VIOLATION, ERROR_TOO_MANY_OPEN_FILES,
    ERROR_WAIT_NO_CHILDREN, GetHandleInformation, HANDLE_FLAG_INHERIT,
};
use windows_sys::Win32::Networking::WinSock::{
    SO_SNDBUF, SOL_SOCKET, WSAEADDRINUSE, WSAEAFNOSUPPORT, WSAECONNABORTED, WSAECONNREFUSED,
    WSAECONNRESET, WSAEDESTADDRREQ, WSAEINTR, WSAEINVAL, WSAEISCONN, WSAEMFILE, WSAEMSGSIZE,
    WSAENOPROTOOPT, WSAENOTCONN, WSAENOTSOCK, WSAEOPNOTSUPP, WSAESHUTDOWN, WSAEWOULDBLOCK,
};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_NO_BUFFERING,
    FILE_FLAG_OPEN_REPARSE_POINT, GetFileInformationByHandle,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, GetProcessHandleCount};

use super::Code;
pub use super::{alone_tcp as alone, bound_tcp as bound, tcp as pair};

/// A connected socket of a stream.
pub type Stream = TcpStream;

/// A connected socket of datagrams.
pub type Datagrams = UdpSocket;

/// What the size of what a socket has not sent yet is called: level and name.
pub const SEND_BUFFER: (i32, i32) = (SOL_SOCKET, SO_SNDBUF);

/// Whether programs can start others.
pub const HAS_PROCESSES: bool = true;

/// What a process in which promises are kept may have to cope with.
pub const OBSTACLES: &[(&str, fn())] = &[];

/// The codes of each name: those of Win32, or those of Winsock.
macro_rules! codes {
    ($($name:ident: $($code:ident),+;)+) => {
        impl Code {$(
            pub const $name: Code = Code::one_of(&[$($code as i32),+]);
        )+}
    };
}

codes! {
    EADDRINUSE: WSAEADDRINUSE;
    EAFNOSUPPORT: WSAEAFNOSUPPORT;
    EAGAIN: WSAEWOULDBLOCK;
    EBADF: ERROR_INVALID_HANDLE, WSAENOTSOCK, ERROR_ACCESS_DENIED;
    ECHILD: ERROR_WAIT_NO_CHILDREN;
    ECONNREFUSED: WSAECONNREFUSED;
    ECONNRESET: WSAECONNRESET, WSAECONNABORTED;
    EDESTADDRREQ: WSAEDESTADDRREQ, WSAENOTCONN, WSAEINVAL;
    EEXIST: ERROR_ALREADY_EXISTS, ERROR_FILE_EXISTS;
    EFBIG: ERROR_FILE_TOO_LARGE, ERROR_INVALID_PARAMETER;
    EINTR: WSAEINTR;
    EINVAL: ERROR_INVALID_PARAMETER, WSAEINVAL, ERROR_INVALID_FUNCTION, ERROR_INVALID_HANDLE;
    EIO: ERROR_IO_DEVICE;
    EISCONN: WSAEISCONN;
    EISDIR: ERROR_DIRECTORY_NOT_SUPPORTED, ERROR_ACCESS_DENIED, ERROR_INVALID_FUNCTION;
    ELOOP: ERROR_CANT_RESOLVE_FILENAME;
    EMFILE: ERROR_TOO_MANY_OPEN_FILES, WSAEMFILE;
    EMSGSIZE: WSAEMSGSIZE;
    ENAMETOOLONG: ERROR_FILENAME_EXCED_RANGE, ERROR_INVALID_NAME, ERROR_PATH_NOT_FOUND;
    ENODEV: ERROR_NOT_SUPPORTED;
    ENOENT: ERROR_FILE_NOT_FOUND, ERROR_PATH_NOT_FOUND, ERROR_INVALID_NAME, ERROR_BAD_PATHNAME;
    ENOPROTOOPT: WSAENOPROTOOPT;
    ENOSPC: ERROR_DISK_FULL;
    ENOTCONN: WSAENOTCONN;
    ENOTDIR: ERROR_DIRECTORY, ERROR_PATH_NOT_FOUND, ERROR_FILE_NOT_FOUND;
    ENOTEMPTY: ERROR_DIR_NOT_EMPTY;
    ENOTSOCK: WSAENOTSOCK, ERROR_INVALID_HANDLE, WSAEOPNOTSUPP;
    EOPNOTSUPP: WSAEOPNOTSUPP, WSAENOPROTOOPT, WSAEINVAL;
    EPERM: ERROR_ACCESS_DENIED;
    EPIPE: ERROR_BROKEN_PIPE, ERROR_NO_DATA, ERROR_PIPE_NOT_CONNECTED, WSAESHUTDOWN,
        WSAECONNRESET, WSAENOTCONN;
    ESPIPE: ERROR_SEEK_ON_DEVICE, ERROR_INVALID_PARAMETER;
    ETXTBSY: ERROR_SHARING_VIOLATION;
    EXDEV: ERROR_NOT_SAME_DEVICE;
    FULL: ERROR_INVALID_HANDLE, ERROR_ACCESS_DENIED;
}

/// What the system and its kind are called in the table of exceptions.
pub fn names() -> Vec<&'static str> {
    let is_wine = env::var_os("WINEPREFIX").is_some() || env::var_os("WINELOADERNOEXEC").is_some();
    if is_wine { vec!["windows", "wine"] } else { vec!["windows"] }
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

/// The ends of a pipe.
pub fn pipe() -> Option<(PipeReader, PipeWriter)> {
    Some(io::pipe().expect("a pipe"))
}

/// Borrows a file as it is.
pub fn borrowed(file: &File) -> BorrowedDescriptor<'_> {
    file.as_handle().into()
}

/// How many handles are open, of all kinds.
pub fn open_descriptors() -> usize {
    let mut count = 0;
    // SAFETY: it has no preconditions.
    let process = unsafe { GetCurrentProcess() };
    // SAFETY: the count is a local that is written to.
    let counted = unsafe { GetProcessHandleCount(process, &raw mut count) };
    assert_ne!(counted, 0, "a process has handles");
    count as usize
}

/// What is said of a handle.
fn information(raw: i32) -> Option<u32> {
    let mut flags = 0;
    let handle = raw as isize as *mut c_void;
    // SAFETY: it only asks, whatever the number is; the flags are a local that is written to.
    let known = unsafe { GetHandleInformation(handle, &raw mut flags) };
    (known != 0).then_some(flags)
}

/// Whether a handle is one.
pub fn is_open(raw: i32) -> bool {
    information(raw).is_some()
}

/// Whether a program that this one starts is not given the handle.
pub fn closes_on_exec(raw: i32) -> bool {
    information(raw).is_some_and(|flags| flags & HANDLE_FLAG_INHERIT == 0)
}

/// There is no limit to run into.
pub fn without_descriptors<T>(_: impl FnOnce() -> T) -> T {
    panic!("the table of exceptions says that there is no limit")
}

/// What makes a file the same one, and how many names it has.
pub fn inode_and_links(path: &Path) -> io::Result<(u64, u64)> {
    let flags = FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT;
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    let mut information = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the file is open, and the information a local that is written to.
    let told = unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut information) };
    if told == 0 {
        return Err(io::Error::last_os_error());
    }
    let halves = [information.nFileIndexHigh, information.nFileIndexLow].map(u64::from);
    Ok((halves[0] << 32 | halves[1], information.nNumberOfLinks.into()))
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

/// A program that ends with `code`.
pub fn child(code: i32) -> Command {
    let mut command = Command::new("cmd");
    command.args(["/C", "exit", &code.to_string()]);
    command
}

/// A program that ends with 1 at the end of its input.
pub fn waiting_child() -> Command {
    let mut command = Command::new("cmd");
    command.args(["/C", "set /p line= & exit 1"]);
    command
}

/// Nothing is left of a process but what who started it has of it.
pub fn is_gone(_: u32) -> bool {
    true
}

/// Whether a process was killed by who started it.
pub fn was_killed(status: ExitStatus) -> bool {
    status.code() == Some(1)
}

/// A file that refuses to be written.
pub fn full() -> File {
    File::open("NUL").expect("a device")
}

/// How many bytes fit into an empty pipe of the standard library.
pub fn pipe_room(_: &PipeWriter) -> usize {
    4096
}

/// A directory, to be named from.
pub fn open_dir(path: &Path) -> File {
    let mut options = File::options();
    let open = options.read(true).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(path);
    open.expect("a directory")
}

/// A file that is read past all caches.
pub fn open_past_caches(path: &Path) -> File {
    let open = File::options().read(true).custom_flags(FILE_FLAG_NO_BUFFERING).open(path);
    open.expect("a file of ours")
}

/// A new file without a name.
pub fn scratch() -> File {
    tempfile::tempfile().expect("room for a file")
}
