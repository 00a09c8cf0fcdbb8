//! Which promises can't be kept where, and why not: each is reported as ignored, and counted.

mod bsd;
mod qemu;
mod several;
mod wasi;
mod windows;

use corio_aio::{self as aio, OpKind};

use crate::system;

/// Promises that can't be kept on some systems.
pub struct Exception {
    /// The systems, or their kinds: see `names` in `tests/system`.
    pub on: &'static [&'static str],
    pub why: &'static str,
    /// Their areas, or areas and names.
    pub promises: &'static [&'static str],
}

/// The table. Each entry is of a promise that there is.
const EXCEPTIONS: &[&[Exception]] = &[
    several::EXCEPTIONS,
    bsd::EXCEPTIONS,
    qemu::EXCEPTIONS,
    wasi::EXCEPTIONS,
    windows::EXCEPTIONS,
];

fn all() -> impl Iterator<Item = &'static Exception> {
    EXCEPTIONS.iter().copied().flatten()
}

/// Areas that are not compiled everywhere, with the number of their promises and why.
const ELSEWHERE: &[(&str, usize, &str)] = &[
    ("fds", 6, "handles are no file descriptors"),
    ("linux_only", 13, "only Linux has what they are of"),
    ("tty", 9, "terminals are no files that another program types into"),
    ("unix_only", 13, "only Unix has what they are of"),
];

/// What no promise shows of operations, or which operations: the system, what, and why not.
const UNSHOWN: &[(&str, &[&str], &str)] = &[
    ("wasi", &["connect: CancelWhilePending"], "there are no queues of length zero to wait in"),
    ("wasip1", OF_SOCKETS, "no sockets can be made"),
    ("windows", &["child_exit: Failure"], "nobody else can have waited for a child"),
    ("windows", &["read_tty"], "the terminals of the promises are those of Unix"),
    ("wine", &["symlink_at: Success"], "Wine's symbolic links are stubs"),
];

/// Operations that sockets alone are for, and what is shown of others with sockets.
const OF_SOCKETS: &[&str] = &[
    "accept",
    "send",
    "recv",
    "shutdown",
    "send_msg",
    "recv_msg",
    "send_zc",
    "get_socket_option",
    "poll",
    "read: CancelWhilePending",
    "write: CancelWhilePending",
    "readv: CancelWhilePending",
    "writev: CancelWhilePending",
    "read_tty: CancelWhilePending",
];

/// Whether that is shown by none, as it is said in the table.
pub fn is_unshown(what: &str) -> bool {
    let names = system::names();
    let kind = what.split(':').next().unwrap_or(what);
    UNSHOWN.iter().any(|(on, unshown, _)| {
        names.contains(on) && (unshown.contains(&what) || unshown.contains(&kind))
    })
}

/// Those of a backend that can't wait for a word of memory.
const FUTEXES: (&str, &str) = ("futex", "the backend can't wait for a word of memory");

/// Why a promise can't be kept here, if it can't.
pub fn reason(area: &str, name: &str) -> Option<&'static str> {
    if area == FUTEXES.0 && !aio::supports(&[OpKind::FutexWait]) {
        return Some(FUTEXES.1);
    }
    let names = system::names();
    let here = all().filter(|exception| exception.on.iter().any(|name| names.contains(name)));
    let mut found = here.filter(|exception| {
        exception.promises.iter().any(|promise| {
            promise
                .strip_prefix(area)
                .is_some_and(|rest| rest.is_empty() || rest.strip_prefix("::") == Some(name))
        })
    });
    found.next().map(|exception| exception.why)
}

/// The areas that are not compiled here: name, number of promises, reason.
pub fn left_out(
    areas: &[(&'static str, usize)],
) -> impl Iterator<Item = &'static (&'static str, usize, &'static str)> {
    ELSEWHERE.iter().filter(|(area, ..)| areas.iter().all(|(compiled, _)| compiled != area))
}

/// Entries of the tables that are of nothing: `areas` are all that are compiled here, with the
/// number of their promises, and `promises` their names.
pub fn mistakes(areas: &[(&'static str, usize)], promises: &[String]) -> Vec<String> {
    let is_elsewhere = |area: &str| left_out(areas).any(|(other, ..)| *other == area);
    let is_known = |entry: &&str| match entry.split_once("::") {
        Some((area, _)) if is_elsewhere(area) => true,
        Some(_) => promises.iter().any(|promise| promise == entry),
        None => is_elsewhere(entry) || areas.iter().any(|(area, _)| area == entry),
    };
    let entries = all().flat_map(|exception| exception.promises.iter().copied());
    let unknown = entries.filter(|entry| !is_known(entry)).map(|entry| format!("{entry} is none"));
    let miscounted = ELSEWHERE.iter().filter(|(area, number, _)| {
        areas.iter().any(|(compiled, count)| compiled == area && count != number)
    });
    let miscounted = miscounted.map(|(area, ..)| format!("{area} has another number of promises"));
    unknown.chain(miscounted).collect()
}
