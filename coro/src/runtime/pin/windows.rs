//! Windows: masks of processors, of which a process has up to 64 as a rule.

use std::io;

use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetCurrentThread, GetProcessAffinityMask, SetThreadAffinityMask,
};

/// Keeps the calling thread on one of the processors that the process may use: the one of this
/// number among them, counted round and round.
///
/// # Errors
///
/// What the system says; `Unsupported` in a process whose threads are in several groups of
/// processors.
pub fn to_processor(number: usize) -> io::Result<()> {
    let (mut allowed, mut present) = (0_usize, 0_usize);
    // SAFETY: the call takes nothing.
    let process = unsafe { GetCurrentProcess() };
    // SAFETY: the call writes to the two numbers only.
    let told = unsafe { GetProcessAffinityMask(process, &raw mut allowed, &raw mut present) };
    if told == 0 {
        return Err(io::Error::last_os_error());
    }
    let is_allowed = |processor: &u32| allowed & (1 << processor) != 0;
    let processors: Vec<u32> = (0..usize::BITS).filter(is_allowed).collect();
    if processors.is_empty() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let only = 1 << processors[number % processors.len()];
    // SAFETY: the call takes nothing.
    let thread = unsafe { GetCurrentThread() };
    // SAFETY: the call takes numbers only.
    match unsafe { SetThreadAffinityMask(thread, only) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
