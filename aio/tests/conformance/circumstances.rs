//! What a process in which promises are kept has to cope with.

use std::collections::BTreeMap;
use std::env;
use std::mem::zeroed;
use std::ptr;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

/// Says to a process of this program what its circumstances are: words with commas between them.
pub const VARIABLE: &str = "CONFORMANCE";

/// The word for signals that interrupt.
pub const SIGNALS: &str = "signals";

/// The word for a process that keeps no promises, but says which backend serves.
pub const LOOK: &str = "look";

/// The circumstances that a process is told of.
pub struct Circumstances {
    /// What the system says to calls of io_uring.
    refusal: Option<i32>,
    has_signals: bool,
    pub is_look: bool,
}

/// Those of this process; `None` if it is the one that starts the others.
pub fn of_this_process() -> Option<Circumstances> {
    let words = match env::var(VARIABLE) {
        Ok(words) => words,
        // Somebody asks for one backend and nothing else.
        Err(_) => env::var_os("CORIO_BACKEND").map(|_| String::new())?,
    };
    let has = |word: &str| words.split(',').any(|found| found == word);
    let refusals = REFUSALS.into_iter();
    let refusal = refusals.filter(|(name, _)| has(name)).map(|(_, code)| code).next();
    Some(Circumstances { refusal, has_signals: has(SIGNALS), is_look: has(LOOK) })
}

/// The ways in which a system refuses io_uring.
const REFUSALS: [(&str, i32); 3] =
    [("EPERM", libc::EPERM), ("ENOSYS", libc::ENOSYS), ("ENOMEM", libc::ENOMEM)];

impl Circumstances {
    /// Makes them those of this process, before it starts a thread.
    pub fn bring_about(&self) {
        log::set_logger(&Log).expect("there was no other");
        log::set_max_level(log::LevelFilter::Trace);
        if let Some(code) = self.refusal {
            refuse_io_uring(code);
        }
        if self.has_signals {
            interrupt_each_millisecond();
        }
    }
}

/// Puts what is logged where whoever started this process looks for it.
struct Log;

/// How its lines begin.
pub const LOGGED: &str = "logged: ";

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        eprintln!("{LOGGED}{}", record.args());
    }

    fn flush(&self) {}
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

extern "C" fn ignore(_: libc::c_int) {}

/// Interrupts every call that the process makes, once per millisecond, without restarting it.
fn interrupt_each_millisecond() {
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
