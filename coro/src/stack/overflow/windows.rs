//! Windows: a vectored handler, which runs on the stack that has overflowed.
//!
//! What it needs of that is guaranteed: the system keeps so much below the guard of each stack, and
//! lets it be used when the guard can't be moved down any more.

use std::ptr;

use windows_sys::Win32::Foundation::{EXCEPTION_ACCESS_VIOLATION, EXCEPTION_STACK_OVERFLOW};
use windows_sys::Win32::Storage::FileSystem::WriteFile;
use windows_sys::Win32::System::Console::{GetStdHandle, STD_ERROR_HANDLE};
use windows_sys::Win32::System::Diagnostics::Debug::{
    AddVectoredExceptionHandler, EXCEPTION_CONTINUE_SEARCH, EXCEPTION_POINTERS,
};
use windows_sys::Win32::System::Threading::GetCurrentThreadStackLimits;

use super::is_reported;

/// Sets the handler up, for the process, before all that are there.
pub fn install() {
    // SAFETY: the handler does what a handler may, and stays for good.
    unsafe { AddVectoredExceptionHandler(1, Some(handle)) };
}

/// Does nothing: a thread handles its faults on the stack that it is on.
pub fn watch_thread() {}

/// Writes to the standard error. What can't be written is lost.
pub fn write(text: &[u8]) {
    let (bytes, mut written) = (text.len() as u32, 0);
    // SAFETY: the call takes a number only.
    let error = unsafe { GetStdHandle(STD_ERROR_HANDLE) };
    // SAFETY: so many bytes are there; the call waits, and writes to `written` only.
    unsafe { WriteFile(error, text.as_ptr(), bytes, &raw mut written, ptr::null_mut()) };
}

/// The handler. It reports what is ours, and leaves it to the others, and to the system in the end,
/// what becomes of the process.
unsafe extern "system" fn handle(exception: *mut EXCEPTION_POINTERS) -> i32 {
    // SAFETY: the system passes what has happened, which stays while this runs.
    let record = unsafe { (*exception).ExceptionRecord };
    // SAFETY: as above.
    let what = unsafe { &*record };
    match what.ExceptionCode {
        EXCEPTION_STACK_OVERFLOW => is_reported(bottom()),
        EXCEPTION_ACCESS_VIOLATION => is_reported(what.ExceptionInformation[1]),
        _ => false,
    };
    EXCEPTION_CONTINUE_SEARCH
}

/// Where the stack that this runs on begins: in what is its guard to us.
fn bottom() -> usize {
    let (mut lowest, mut highest) = (0, 0);
    // SAFETY: the call writes to the two numbers only.
    unsafe { GetCurrentThreadStackLimits(&raw mut lowest, &raw mut highest) };
    lowest
}
