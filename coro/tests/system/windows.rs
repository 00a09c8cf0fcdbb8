//! What the tests ask Windows for.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::windows::io::AsRawSocket;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;
use std::{mem, ptr, slice, thread};

use windows_sys::Wdk::System::SystemInformation::NtQuerySystemInformation;
use windows_sys::Win32::Foundation::{
    CloseHandle, FILETIME, LocalFree, STATUS_ACCESS_VIOLATION, STATUS_INFO_LENGTH_MISMATCH,
    STATUS_STACK_BUFFER_OVERRUN, STATUS_STACK_OVERFLOW,
};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::ProcessStatus::{K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS};
use windows_sys::Win32::System::SystemInformation::{GetSystemInfo, SYSTEM_INFO};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetCurrentThread, GetProcessTimes, GetThreadDescription, OpenThread,
    SetThreadAffinityMask, THREAD_QUERY_LIMITED_INFORMATION,
};

/// One end of a connection.
pub type Stream = TcpStream;

/// Two sockets that are connected.
pub fn pair() -> (Stream, Stream) {
    let listener = Listener::new();
    let ours = listener.connect().expect("a connection");
    let (theirs, _) = listener.socket.accept().expect("a connection");
    theirs.set_nodelay(true).expect("a socket");
    (ours, theirs)
}

/// What can be connected to.
pub struct Listener {
    pub socket: TcpListener,
}

impl Listener {
    pub fn new() -> Listener {
        Listener { socket: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket") }
    }

    pub fn connect(&self) -> Option<Stream> {
        let stream = TcpStream::connect(self.socket.local_addr().ok()?).ok()?;
        stream.set_nodelay(true).ok()?;
        Some(stream)
    }
}

/// What operations call a socket.
pub fn raw(socket: &Stream) -> i32 {
    socket.as_raw_socket() as i32
}

/// How many handles this process has open, once the threads that make calls for rings have ended:
/// a system may keep an event for each thread that has used a socket (Wine does).
pub fn descriptors() -> usize {
    /// `SystemExtendedHandleInformation`: two words, of which the first is how many entries follow.
    const ALL_HANDLES: i32 = 64;
    /// Five words each; the second says whose handle it is.
    const WORDS: usize = 5;
    while threads("corio-io") < threads("\0") {
        thread::sleep(Duration::from_millis(50));
    }
    let mut words = vec![0_usize; 1 << 16];
    loop {
        let (start, bytes) = (words.as_mut_ptr().cast(), size_of_val(&words[..]) as u32);
        let mut needed = 0;
        // SAFETY: the call writes no more than that to the list, and a number.
        match unsafe { NtQuerySystemInformation(ALL_HANDLES, start, bytes, &raw mut needed) } {
            STATUS_INFO_LENGTH_MISMATCH => words.resize(words.len() * 2, 0),
            status => break assert_eq!(status, 0, "a list of handles"),
        }
    }
    let entries = words[2..].chunks(WORDS).take(words[0]);
    entries.filter(|entry| entry[1] == std::process::id() as usize).count()
}

/// How many threads this process has, without those of this name.
pub fn threads(but: &str) -> Option<usize> {
    // SAFETY: the call takes numbers only.
    let snapshot = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0) };
    // SAFETY: it is numbers.
    let mut entry: THREADENTRY32 = unsafe { mem::zeroed() };
    entry.dwSize = size_of_val(&entry) as u32;
    let mut count = 0;
    // SAFETY: the snapshot is ours; the call writes to `entry` only.
    let mut is_one = unsafe { Thread32First(snapshot, &raw mut entry) } != 0;
    while is_one {
        let is_ours = entry.th32OwnerProcessID == std::process::id();
        if is_ours && name(entry.th32ThreadID).is_none_or(|name| !name.starts_with(but)) {
            count += 1;
        }
        // SAFETY: as above.
        is_one = unsafe { Thread32Next(snapshot, &raw mut entry) } != 0;
    }
    // SAFETY: it is ours, and not used any more.
    unsafe { CloseHandle(snapshot) };
    Some(count)
}

/// What a thread of this process is called, if it has a name.
fn name(thread: u32) -> Option<String> {
    // SAFETY: the call takes numbers only.
    let thread = unsafe { OpenThread(THREAD_QUERY_LIMITED_INFORMATION, 0, thread) };
    let mut text = ptr::null_mut();
    // SAFETY: the handle is ours, or none; the call writes to `text` only.
    let told = unsafe { GetThreadDescription(thread, &raw mut text) };
    // SAFETY: it is ours, and not used any more.
    unsafe { CloseHandle(thread) };
    if told < 0 || text.is_null() {
        return None;
    }
    // SAFETY: a description ends with a zero.
    let length = (0..).take_while(|index| unsafe { *text.wrapping_add(*index) } != 0).count();
    // SAFETY: so many are there.
    let name = String::from_utf16(unsafe { slice::from_raw_parts(text, length) }).ok();
    // SAFETY: the text was allocated for us, and is not used any more.
    unsafe { LocalFree(text.cast()) };
    name
}

/// How many bytes of this process are in memory.
pub fn resident() -> usize {
    memory().WorkingSetSize
}

/// How many pages of this process had to be brought into memory.
pub fn faults() -> usize {
    memory().PageFaultCount as usize
}

fn memory() -> PROCESS_MEMORY_COUNTERS {
    // SAFETY: it is numbers.
    let mut counters: PROCESS_MEMORY_COUNTERS = unsafe { mem::zeroed() };
    let bytes = size_of_val(&counters) as u32;
    // SAFETY: the call takes nothing.
    let process = unsafe { GetCurrentProcess() };
    // SAFETY: the call writes to `counters` only.
    assert!(unsafe { K32GetProcessMemoryInfo(process, &raw mut counters, bytes) } != 0);
    counters
}

/// How many bytes of addresses this process has: the system does not tell.
pub fn addresses() -> Option<usize> {
    None
}

/// How many processors this thread may run on.
pub fn processors() -> Option<usize> {
    // SAFETY: the call takes nothing.
    let thread = unsafe { GetCurrentThread() };
    // The call says what was so before it. The first processor is there, as a rule.
    // SAFETY: the call takes numbers only.
    let before = unsafe { SetThreadAffinityMask(thread, 1) };
    // SAFETY: as above.
    unsafe { SetThreadAffinityMask(thread, before) };
    Some(before.count_ones() as usize)
}

/// How long this process has computed.
pub fn computed() -> Duration {
    let mut times = [FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 }; 4];
    let [created, ended, kernel, user] = &mut times;
    // SAFETY: the call takes nothing.
    let process = unsafe { GetCurrentProcess() };
    // SAFETY: the call writes to the four times only.
    unsafe { GetProcessTimes(process, created, ended, kernel, user) };
    // In tenths of a microsecond.
    let time = |time: FILETIME| {
        Duration::from_nanos(
            100 * (u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime)),
        )
    };
    time(times[2]) + time(times[3])
}

/// Whether a process has died of the overflow of a stack.
pub fn has_overflowed(status: ExitStatus) -> bool {
    status.code() == Some(STATUS_STACK_OVERFLOW)
}

/// Whether a process has died of touching what it can't touch.
pub fn has_faulted(status: ExitStatus) -> bool {
    status.code() == Some(STATUS_ACCESS_VIOLATION)
}

/// Whether a process has aborted.
pub fn was_aborted(status: ExitStatus) -> bool {
    status.code() == Some(STATUS_STACK_BUFFER_OVERRUN)
}

/// How many bytes a page has.
pub fn page() -> usize {
    // SAFETY: it is numbers and a pointer, which may be null.
    let mut system: SYSTEM_INFO = unsafe { mem::zeroed() };
    // SAFETY: the call writes to `system` only.
    unsafe { GetSystemInfo(&raw mut system) };
    system.dwPageSize as usize
}

/// Opens a file.
pub fn open_past_the_cache(path: &Path) -> File {
    File::open(path).expect("a file")
}
