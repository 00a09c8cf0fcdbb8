//! Linux: guards that are no mappings of their own, for many stacks in a call.

use std::ffi::c_int;
use std::io;
use std::ptr::{self, NonNull};

use super::{BATCH, Guards, page, unix};

pub use unix::{OUT_OF_MEMORY, back, margin, page_size, release};

/// `MADV_GUARD_INSTALL`, Linux 6.13: a page that can't be touched and is no mapping of its own.
const GUARD_INSTALL: c_int = 102;

/// `MADV_POPULATE_READ`, Linux 5.14: reads a page, and says whether that can be done.
const POPULATE_READ: c_int = 22;

/// `PIDFD_SELF`, Linux 6.14: this process, where a descriptor of one is asked for.
const THIS_PROCESS: c_int = -10_001;

const READ_WRITE: c_int = libc::PROT_READ | libc::PROT_WRITE;

pub fn reserve(bytes: usize) -> io::Result<NonNull<u8>> {
    // Neither is accounted for as memory before it is committed.
    let start = unix::map(bytes, libc::MAP_NORESERVE | libc::MAP_STACK)?;
    // A huge page would back a whole row of stacks with memory, or only the tops of some that
    // are in use. `MAP_STACK` says so to Linux 6.7 on; a kernel without huge pages refuses.
    // SAFETY: the mapping is our own, and what it holds stays what it is.
    unsafe { libc::madvise(start.as_ptr().cast(), bytes, libc::MADV_NOHUGEPAGE) };
    Ok(start)
}

/// Lets pages of a reservation be read and written.
///
/// # Safety
///
/// They are the caller's.
pub unsafe fn commit(start: NonNull<u8>, bytes: usize) -> io::Result<()> {
    // SAFETY: the caller's promise; who holds a reference into the range can go on using that.
    unsafe { unix::protect(start, bytes, READ_WRITE) }
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

/// Makes the lowest page of each stack one that can't be touched, in the first of the ways, from
/// `guards` on, that the system does not refuse; notes which that was.
///
/// # Safety
///
/// The stacks, `size` bytes from each of the `bottoms` on, belong to the caller, and nothing is on
/// them.
pub unsafe fn guard(guards: &mut Guards, bottoms: &[NonNull<u8>], _size: usize) -> io::Result<()> {
    if let Guards::Batched = guards {
        let ranges = bottoms.iter().map(|start| (*start, page()));
        // SAFETY: the caller's promise; a guard changes nothing but that the page can't be used.
        match unsafe { advise(ranges, GUARD_INSTALL) } {
            Ok(true) => return Ok(()),
            // A signal got between: it is done again, one by one.
            Ok(false) => {}
            Err(_) => *guards = Guards::Single,
        }
    }
    for (index, start) in bottoms.iter().enumerate() {
        if *guards != Guards::Protected {
            // SAFETY: the caller's promise.
            let is_done = unsafe { advise_one(*start, page(), GUARD_INSTALL) };
            // Emulators of Linux (qemu's user mode) let advice pass that they don't know.
            // SAFETY: the page is read, or can't be.
            if is_done && (index > 0 || !unsafe { advise_one(*start, page(), POPULATE_READ) }) {
                continue;
            }
            *guards = Guards::Protected;
        }
        // SAFETY: the caller's promise.
        unsafe { unix::protect(*start, page(), libc::PROT_NONE) }?;
    }
    Ok(())
}

/// Gives the pages of some stacks back to the system: what can be used of each, which is zeros from
/// then on. What the system refuses (`mlock`) stays as it is.
///
/// # Safety
///
/// The stacks belong to the caller, and nothing is on them.
pub unsafe fn discard(stacks: impl ExactSizeIterator<Item = (NonNull<u8>, usize)> + Clone) {
    // SAFETY: the caller's promise.
    let discarded = unsafe { advise(stacks.clone(), libc::MADV_DONTNEED) };
    if !matches!(discarded, Ok(true)) {
        for (start, bytes) in stacks {
            // SAFETY: the caller's promise.
            unsafe { advise_one(start, bytes, libc::MADV_DONTNEED) };
        }
    }
}

/// Gives advice on a range; says whether it was taken.
///
/// # Safety
///
/// As `madvise` has it: the advice may change only what belongs to the caller.
unsafe fn advise_one(start: NonNull<u8>, bytes: usize, advice: c_int) -> bool {
    // SAFETY: the caller's promise.
    unsafe { libc::madvise(start.as_ptr().cast(), bytes, advice) == 0 }
}

/// Gives advice on up to [`BATCH`] ranges in one call; says whether all were done.
///
/// # Safety
///
/// As `madvise` has it: the advice may change only what belongs to the caller.
unsafe fn advise(
    ranges: impl ExactSizeIterator<Item = (NonNull<u8>, usize)>,
    advice: c_int,
) -> io::Result<bool> {
    let count = ranges.len();
    let mut list = [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; BATCH];
    let mut total = 0;
    for (entry, (start, bytes)) in list[..count].iter_mut().zip(ranges) {
        *entry = libc::iovec { iov_base: start.as_ptr().cast(), iov_len: bytes };
        total += bytes;
    }
    let list = list.as_ptr();
    // SAFETY: the list outlives the call; the advice is the caller's to give.
    let advised =
        unsafe { libc::syscall(libc::SYS_process_madvise, THIS_PROCESS, list, count, advice, 0) };
    usize::try_from(advised).map(|bytes| bytes == total).map_err(|_| io::Error::last_os_error())
}

/// The lowest page in a range that takes up memory, as its distance from the start.
pub fn lowest_resident(start: NonNull<u8>, bytes: usize) -> Option<usize> {
    let mut pages = vec![0_u8; bytes.div_ceil(page())];
    // SAFETY: the list has an entry for each page of the range, which the call does not touch.
    let seen = unsafe { libc::mincore(start.as_ptr().cast(), bytes, pages.as_mut_ptr().cast()) };
    let lowest = pages.iter().position(|page| page & 1 != 0)?;
    (seen == 0).then(|| lowest * page())
}
