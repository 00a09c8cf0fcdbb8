//! Unix: a handler of SIGSEGV and SIGBUS, which runs on a stack of its own.

use std::cell::OnceCell;
use std::ffi::{c_int, c_void};
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::{io, mem, ptr};

use super::super::memory::{Mapping, page};
use super::is_reported;

/// The signals that a page causes that can't be touched, and what was done about them before.
static SIGNALS: [(c_int, OnceLock<libc::sigaction>); 2] =
    [(libc::SIGSEGV, OnceLock::new()), (libc::SIGBUS, OnceLock::new())];

/// The codes of signals that a fault has caused. Those that somebody has sent have others, which
/// are below or far above.
const FAULTS: Range<c_int> = 1..0x1000;

thread_local! {
    /// The stack for handlers, if this thread had none.
    static ALTERNATE: OnceCell<Option<Alternate>> = const { OnceCell::new() };
}

/// Sets the handlers up, for the process.
pub fn install() {
    SIGNALS.iter().for_each(|(signal, before)| handle_with_ours(*signal, before));
}

/// Sees to it that this thread has a stack for handlers.
pub fn watch_thread() {
    // Where the thread's values are being destroyed already, there is no report.
    let _ = ALTERNATE.try_with(|alternate| {
        alternate.get_or_init(|| Alternate::install().ok().flatten());
    });
}

/// Writes to the standard error. What can't be written is lost.
pub fn write(text: &[u8]) {
    // SAFETY: so many bytes are there.
    unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
}

fn handle_with_ours(signal: c_int, before: &OnceLock<libc::sigaction>) {
    // SAFETY: all zeros is the default action, without flags and without a mask.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    let mut replaced = action;
    action.sa_sigaction = handle as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: the handler does what a handler may, also before it is known what it replaces; the
    // mask stays as it was.
    if unsafe { libc::sigaction(signal, &raw const action, &raw mut replaced) } == 0 {
        before.get_or_init(|| replaced);
    }
}

/// The handler. It reads memory that does not move while the thread stands still, and makes the
/// calls that a handler may make.
extern "C" fn handle(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes what has happened, which stays while this runs.
    let what = unsafe { &*info };
    let is_fault = FAULTS.contains(&what.si_code);
    // SAFETY: a fault has an address.
    let address = is_fault.then(|| unsafe { what.si_addr() }.addr());
    if address.is_some_and(is_reported) {
        // The instruction faults again when this has returned, and the process dies of it.
        restore_default(signal);
        return;
    }
    let before = SIGNALS.iter().find(|(own, _)| *own == signal).and_then(|entry| entry.1.get());
    match before.map(|before| (before.sa_sigaction, before.sa_flags)) {
        // That is ignored by the kernel only if it was sent.
        Some((libc::SIG_IGN, _)) if !is_fault => {}
        None | Some((libc::SIG_DFL | libc::SIG_IGN, _)) => {
            restore_default(signal);
            if !is_fault {
                // SAFETY: the signal is blocked until this has returned.
                unsafe { libc::raise(signal) };
            }
        }
        Some((handler, flags)) if flags & libc::SA_SIGINFO != 0 => {
            type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
            // SAFETY: a handler that was set up with this flag has this type.
            let handler: Handler = unsafe { mem::transmute(handler) };
            handler(signal, info, context);
        }
        Some((handler, _)) => {
            // SAFETY: a handler that was set up without the flag has this type.
            let handler: extern "C" fn(c_int) = unsafe { mem::transmute(handler) };
            handler(signal);
        }
    }
}

fn restore_default(signal: c_int) {
    // SAFETY: all zeros is the default action, without flags and without a mask.
    let action: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: the call reads `action` only.
    unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
}

/// A stack for the handlers of a thread that had none: one that the standard library did not start.
struct Alternate {
    _mapping: Mapping,
    start: NonNull<u8>,
}

impl Alternate {
    /// Sets one up, unless the thread has one.
    fn install() -> io::Result<Option<Alternate>> {
        let mut current = NO_STACK;
        // SAFETY: the call writes to `current` only.
        if unsafe { libc::sigaltstack(ptr::null(), &raw mut current) } != 0 {
            return Err(io::Error::last_os_error());
        }
        if current.ss_flags & libc::SS_DISABLE == 0 {
            return Ok(None);
        }
        let size = (most_saved() + 16 * 1024).next_multiple_of(page());
        let (mapping, start) = Mapping::above_a_guard(size)?;
        let stack = libc::stack_t { ss_sp: start.as_ptr().cast(), ss_flags: 0, ss_size: size };
        // SAFETY: the mapping stays until `drop` has told the system not to use it.
        match unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) } {
            0 => Ok(Some(Alternate { _mapping: mapping, start })),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// How much the kernel saves at most when a handler begins, which grows with the registers.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn most_saved() -> usize {
    // SAFETY: the call takes a number only.
    unsafe { libc::getauxval(libc::AT_MINSIGSTKSZ) as usize }
}

/// How much the kernel saves at most when a handler begins, and more.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn most_saved() -> usize {
    libc::SIGSTKSZ
}

/// Darwin looks at the size, though it means nothing here.
const NO_STACK: libc::stack_t =
    libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: libc::SIGSTKSZ };

impl Drop for Alternate {
    fn drop(&mut self) {
        let mut current = NO_STACK;
        // SAFETY: the call writes to `current` only.
        unsafe { libc::sigaltstack(ptr::null(), &raw mut current) };
        if current.ss_sp.addr() != self.start.addr().get() {
            // Somebody has set another one up since, so that the kernel does not know this one.
            return;
        }
        // SAFETY: a handler that starts from here on runs on the stack of the thread. None runs on
        // this one: a handler that has begun ends before the code that it interrupted goes on.
        unsafe { libc::sigaltstack(&NO_STACK, ptr::null_mut()) };
    }
}
