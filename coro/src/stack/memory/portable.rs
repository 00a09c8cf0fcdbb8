//! The BSDs and Darwin: guards that are mappings of their own, and pages that are looked into.

use std::ffi::c_int;
use std::io;
use std::ptr::NonNull;

use super::{Guards, page, unix};

pub use unix::{OUT_OF_MEMORY, back, margin, page_size, release};

pub fn reserve(bytes: usize) -> io::Result<NonNull<u8>> {
    unix::map(bytes, 0)
}

const READ_WRITE: c_int = libc::PROT_READ | libc::PROT_WRITE;

/// Lets pages of a reservation be read and written.
///
/// # Safety
///
/// They are the caller's, and nothing is on them.
#[cfg(not(target_os = "openbsd"))]
pub unsafe fn commit(start: NonNull<u8>, bytes: usize) -> io::Result<()> {
    // SAFETY: the caller's promise; who holds a reference into the range can go on using that.
    unsafe { unix::protect(start, bytes, READ_WRITE) }
}

/// Maps memory in place of pages of a reservation: OpenBSD ends a program whose stack is in memory
/// that was not mapped as one, with access to it.
///
/// # Safety
///
/// They are the caller's, and nothing is on them.
#[cfg(target_os = "openbsd")]
pub unsafe fn commit(start: NonNull<u8>, bytes: usize) -> io::Result<()> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_FIXED | libc::MAP_STACK;
    // SAFETY: the caller's promise. It replaces what was mapped there, and nothing else; what the
    // system's limits refuse is refused before that.
    match unsafe { libc::mmap(start.as_ptr().cast(), bytes, READ_WRITE, flags, -1, 0) } {
        libc::MAP_FAILED => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Makes a stack of a reservation.
///
/// # Safety
///
/// It is the caller's, and nothing is on it.
pub unsafe fn commit_one(bottom: NonNull<u8>, size: usize) -> io::Result<()> {
    // SAFETY: a stack is larger than its margin.
    let start = unsafe { bottom.add(page()) };
    // SAFETY: the caller's promise. The lowest page stays what can't be touched.
    unsafe { commit(start, size - page()) }
}

/// Makes the lowest page of each stack one that can't be touched.
///
/// # Safety
///
/// The stacks, `size` bytes from each of the `bottoms` on, belong to the caller, and nothing is on
/// them.
pub unsafe fn guard(_guards: &mut Guards, bottoms: &[NonNull<u8>], _size: usize) -> io::Result<()> {
    for bottom in bottoms {
        // SAFETY: the caller's promise.
        unsafe { unix::protect(*bottom, page(), libc::PROT_NONE) }?;
    }
    Ok(())
}

/// Gives the pages of some stacks back to the system: what can be used of each.
///
/// Some of these systems take such pages when they need some, and some at once. So that one can
/// tell the pages that are used from then on, they are zeros in any case. To map memory anew would
/// do the same, but for where that fails when the old one is gone.
///
/// # Safety
///
/// The stacks belong to the caller, and nothing is on them.
pub unsafe fn discard(stacks: impl ExactSizeIterator<Item = (NonNull<u8>, usize)> + Clone) {
    for (start, bytes) in stacks {
        for offset in used(start, bytes) {
            // SAFETY: the page is in the range.
            let used = unsafe { start.add(offset) };
            // SAFETY: the caller's promise.
            unsafe { used.write_bytes(0, page()) };
        }
        // SAFETY: the caller's promise. What the system refuses stays as it is.
        unsafe { libc::madvise(start.as_ptr().cast(), bytes, libc::MADV_FREE) };
    }
}

/// The lowest page in a range that is in use, as its distance from the start.
pub fn lowest_resident(start: NonNull<u8>, bytes: usize) -> Option<usize> {
    used(start, bytes).next()
}

/// The pages in a range that take up memory, and hold anything but zeros: how far they are from
/// the start.
fn used(start: NonNull<u8>, bytes: usize) -> impl Iterator<Item = usize> {
    let is_resident = resident(start, bytes);
    let holds_something = move |offset: &usize| {
        let words = start.cast::<usize>();
        (0..page() / size_of::<usize>()).any(|word| {
            // SAFETY: the word is in the range.
            let word = unsafe { words.add(offset / size_of::<usize>() + word) };
            // SAFETY: the range is aligned, and committed: it is what can be used of a stack. No
            // thread but this one runs on it.
            unsafe { word.read_volatile() != 0 }
        })
    };
    let resident = is_resident.into_iter().enumerate().filter(|(_, is_resident)| *is_resident);
    resident.map(|(index, _)| index * page()).filter(holds_something)
}

/// For each page of a range, whether it takes up memory.
#[cfg(not(target_os = "openbsd"))]
fn resident(start: NonNull<u8>, bytes: usize) -> Vec<bool> {
    let mut pages = vec![0_u8; bytes.div_ceil(page())];
    // SAFETY: the list has an entry for each page of the range, which the call does not touch.
    let seen = unsafe { libc::mincore(start.as_ptr().cast(), bytes, pages.as_mut_ptr().cast()) };
    // If it can't be seen, all are looked at.
    pages.into_iter().map(|page| seen != 0 || page & 1 != 0).collect()
}

/// For each page of a range, that it may take up memory: OpenBSD does not say.
#[cfg(target_os = "openbsd")]
fn resident(_start: NonNull<u8>, bytes: usize) -> Vec<bool> {
    vec![true; bytes.div_ceil(page())]
}
