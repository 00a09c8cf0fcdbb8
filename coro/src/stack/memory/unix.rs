//! What all Unixes do to memory in the same way.

use std::ffi::c_int;
use std::io;
use std::ptr::{self, NonNull};

use super::{Mapping, page};

pub use libc::ENOMEM as OUT_OF_MEMORY;

pub fn page_size() -> usize {
    // SAFETY: the call takes numbers only.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(page).unwrap_or(4096)
}

/// The guard is all that a Unix wants below a stack.
pub fn margin(page: usize) -> usize {
    page
}

/// Has a new mapping that can't be touched.
pub fn map(bytes: usize, flags: c_int) -> io::Result<NonNull<u8>> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON | flags;
    // SAFETY: a new mapping, at an address that the kernel picks, touches nothing that exists.
    let start = unsafe { libc::mmap(ptr::null_mut(), bytes, libc::PROT_NONE, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(NonNull::new(start.cast()).expect("none is at address zero"))
}

/// Unmaps a mapping.
///
/// # Safety
///
/// It is the caller's, and nothing is on it.
pub unsafe fn release(start: NonNull<u8>, bytes: usize) {
    // SAFETY: the caller's promise.
    unsafe { libc::munmap(start.as_ptr().cast(), bytes) };
}

/// Has the system look after what may be done to some pages.
///
/// # Safety
///
/// They are the caller's, and nobody uses them in a way that is then forbidden.
pub unsafe fn protect(start: NonNull<u8>, bytes: usize, access: c_int) -> io::Result<()> {
    // SAFETY: the caller's promise.
    match unsafe { libc::mprotect(start.as_ptr().cast(), bytes, access) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// All of a stack can be used once it is committed.
pub fn back(_bottom: NonNull<u8>, _size: usize, _reserved: usize) -> io::Result<()> {
    Ok(())
}

impl Mapping {
    /// Memory for anything, with a page below it that can't be touched; and where it starts.
    pub fn above_a_guard(bytes: usize) -> io::Result<(Mapping, NonNull<u8>)> {
        let mapping = Mapping::of_one_stack(page() + bytes)?;
        let start = mapping.at(page());
        Ok((mapping, start))
    }
}
