//! The CPU clock of a process on Windows.

use std::mem::MaybeUninit;
use std::time::Duration;
use windows_sys::Win32::Foundation::FILETIME;
use windows_sys::Win32::System::Threading::{GetCurrentProcess, GetProcessTimes};

/// User and system time that the process has used, all threads together.
pub fn process_cpu() -> Duration {
    let mut times = [const { MaybeUninit::<FILETIME>::uninit() }; 4];
    let [created, ended, kernel, user] = times.each_mut().map(MaybeUninit::as_mut_ptr);
    // SAFETY: the call has no conditions; it names this process, and needs not be closed.
    let process = unsafe { GetCurrentProcess() };
    // SAFETY: each pointer is to a local of the type that the call writes.
    let succeeded = unsafe { GetProcessTimes(process, created, ended, kernel, user) };
    assert_ne!(succeeded, 0, "a process may ask for its own times");
    // SAFETY: the call has succeeded, so that it has written all four.
    let [.., kernel, user] = times.map(|time| span(unsafe { time.assume_init() }));
    kernel + user
}

/// A span of time, which Windows counts in steps of 100 ns.
fn span(time: FILETIME) -> Duration {
    let steps = u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime);
    Duration::from_nanos(steps * 100)
}
