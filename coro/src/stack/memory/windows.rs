//! Windows: stacks as its threads have them, which grow down as they are used.
//!
//! From its lowest address up, a stack is:
//!
//! - reserved, as far as it was not used yet; the lowest page always is, so that nothing reaches
//!   what lies below;
//! - the zone that tells the system to commit more: committed pages with `PAGE_GUARD`, of which the
//!   first ones to be touched move all of them down, and the others are what is left for those who
//!   handle an overflow;
//! - what is in use: committed.
//!
//! So a stack takes as much of what the system can commit as it uses, and some pages. Where it ends
//! at the moment is the system's to know: [`limit`] asks for it.

use std::io;
use std::mem;
use std::ptr::{self, NonNull};

use corosensei::stack::StackTebFields;
use windows_sys::Win32::Foundation::ERROR_NOT_ENOUGH_MEMORY;
use windows_sys::Win32::System::Memory::{
    MEM_COMMIT, MEM_DECOMMIT, MEM_RELEASE, MEM_RESERVE, MEM_RESET, MEMORY_BASIC_INFORMATION,
    PAGE_GUARD, PAGE_PROTECTION_FLAGS, PAGE_READWRITE, VirtualAlloc, VirtualFree, VirtualQuery,
    VirtualUnlock,
};
use windows_sys::Win32::System::ProcessStatus::{
    PSAPI_WORKING_SET_EX_INFORMATION, QueryWorkingSetEx,
};
use windows_sys::Win32::System::SystemInformation::{GetSystemInfo, SYSTEM_INFO};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

use super::{Guards, page};

pub const OUT_OF_MEMORY: i32 = ERROR_NOT_ENOUGH_MEMORY as i32;

/// How many bytes of a stack are left for those who handle its overflow: as many as the standard
/// library wants for threads, whose handler runs after ours.
const GUARANTEED: usize = 20 * 1024;

/// How many pages the system's guard has: on systems of 64 bits two.
const GUARD_PAGES: usize = 2;

/// How many pages are committed from the start: for the books on a task and its first frames.
const FIRST_PAGES: usize = 2;

pub fn page_size() -> usize {
    // SAFETY: it is numbers and a pointer, which may be null.
    let mut system: SYSTEM_INFO = unsafe { mem::zeroed() };
    // SAFETY: the call writes to `system` only.
    unsafe { GetSystemInfo(&raw mut system) };
    system.dwPageSize as usize
}

/// The page that is never committed, and the zone above it.
pub fn margin(page: usize) -> usize {
    page + zone(page)
}

/// How many bytes have `PAGE_GUARD`, below what is in use.
fn zone(page: usize) -> usize {
    GUARD_PAGES * page + GUARANTEED.next_multiple_of(page)
}

pub fn reserve(bytes: usize) -> io::Result<NonNull<u8>> {
    // SAFETY: new addresses, which the system picks, touch nothing that exists.
    let start = unsafe { VirtualAlloc(ptr::null(), bytes, MEM_RESERVE, PAGE_READWRITE) };
    // It says of some that they are out of its range.
    NonNull::new(start.cast()).ok_or_else(super::out_of_memory)
}

/// Gives a reservation up.
///
/// # Safety
///
/// It is the caller's, and nothing is on it.
pub unsafe fn release(start: NonNull<u8>, _bytes: usize) {
    // SAFETY: the caller's promise.
    unsafe { VirtualFree(start.as_ptr().cast(), 0, MEM_RELEASE) };
}

/// Does nothing: each stack is committed by itself.
///
/// # Safety
///
/// None is needed.
pub unsafe fn commit(_start: NonNull<u8>, _bytes: usize) -> io::Result<()> {
    Ok(())
}

/// Makes a stack of a reservation.
///
/// # Safety
///
/// It is the caller's, and nothing is on it.
pub unsafe fn commit_one(bottom: NonNull<u8>, size: usize) -> io::Result<()> {
    let first = FIRST_PAGES * page();
    // SAFETY: the caller's promise; a stack is larger than that.
    let start = unsafe { bottom.add(size - first) };
    // SAFETY: the caller's promise.
    unsafe { commit_from(start, first) }
}

/// Makes stacks of a reservation.
///
/// # Safety
///
/// The stacks, `size` bytes from each of the `bottoms` on, belong to the caller, and nothing is on
/// them.
pub unsafe fn guard(_guards: &mut Guards, bottoms: &[NonNull<u8>], size: usize) -> io::Result<()> {
    // SAFETY: the caller's promise.
    bottoms.iter().try_for_each(|bottom| unsafe { commit_one(*bottom, size) })
}

/// Commits the upper end of a stack, so many bytes from `start` on, and the zone below.
///
/// # Safety
///
/// The stack is the caller's, and large enough, and nothing is on it below of what is in use.
unsafe fn commit_from(start: NonNull<u8>, bytes: usize) -> io::Result<()> {
    // SAFETY: the caller's promise.
    unsafe { commit_as(start, bytes, PAGE_READWRITE) }?;
    let zone = zone(page());
    // SAFETY: the stack has room for the zone: the caller's promise.
    let start = unsafe { start.sub(zone) };
    // SAFETY: as above.
    unsafe { commit_as(start, zone, PAGE_READWRITE | PAGE_GUARD) }
}

/// Commits pages, also those that are committed already, and says what may be done to them.
///
/// # Safety
///
/// They are the caller's, who does no more to them than that.
unsafe fn commit_as(
    start: NonNull<u8>,
    bytes: usize,
    access: PAGE_PROTECTION_FLAGS,
) -> io::Result<()> {
    // SAFETY: the caller's promise.
    let committed = unsafe { VirtualAlloc(start.as_ptr().cast(), bytes, MEM_COMMIT, access) };
    if committed.is_null() { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Sees to it that the upper `reserved` bytes of a stack can be used from outside of it, and a page
/// below for what its first frame is given: while somebody else's stack is the thread's, touching
/// the zone of this one does not make it grow.
pub fn back(bottom: NonNull<u8>, size: usize, reserved: usize) -> io::Result<()> {
    let needed = (reserved + page()).next_multiple_of(page());
    let top = bottom.addr().get() + size;
    if needed <= FIRST_PAGES * page() || limit(bottom, size) <= top - needed {
        return Ok(());
    }
    // SAFETY: half of a stack is left to who runs on it.
    let start = unsafe { bottom.add(size - needed) };
    // SAFETY: the stack is the caller's, who has nothing on it but what is reserved.
    unsafe { commit_from(start, needed) }
}

/// Gives the pages of some stacks back to the system: what can be used of each. What they hold
/// then is not known.
///
/// # Safety
///
/// The stacks belong to the caller, and nothing is on them.
pub unsafe fn discard(stacks: impl ExactSizeIterator<Item = (NonNull<u8>, usize)> + Clone) {
    let (first, zone) = (FIRST_PAGES * page(), zone(page()));
    for (start, bytes) in stacks {
        // What can be used lies above a zone that was moved down all the way.
        // SAFETY: the zone and a page lie below what can be used.
        let lowest = unsafe { start.sub(zone) }.as_ptr().cast();
        // SAFETY: the caller's promise; what is committed from the start stays so, and the zone
        // below it.
        unsafe { VirtualFree(lowest, bytes - first, MEM_DECOMMIT) };
        // SAFETY: what is committed from the start is in what can be used.
        let used = unsafe { start.add(bytes - first) };
        // SAFETY: the zone and a page lie below what can be used.
        let kept = unsafe { used.sub(zone) };
        // Pages that are committed already can be had again, also where memory is short.
        // SAFETY: the caller's promise.
        let _ = unsafe { commit_as(kept, zone + first, PAGE_READWRITE) };
        let pages = kept.as_ptr().cast();
        // SAFETY: the caller's promise; what the pages hold means nothing any more.
        unsafe { VirtualAlloc(pages, zone + first, MEM_RESET, PAGE_READWRITE) };
        // What was never locked is taken out of memory by this.
        // SAFETY: as above.
        unsafe { VirtualUnlock(pages, zone + first) };
        // SAFETY: as above.
        let _ = unsafe { commit_as(kept, zone, PAGE_READWRITE | PAGE_GUARD) };
    }
}

/// The lowest page in what can be used of a stack that takes up memory, as its distance from the
/// start.
pub fn lowest_resident(start: NonNull<u8>, bytes: usize) -> Option<usize> {
    let margin = margin(page());
    let bottom = start.map_addr(|start| (start.get() - margin).try_into().expect("no wrap"));
    let limit = limit(bottom, bytes + margin).max(start.addr().get());
    let first = bytes - FIRST_PAGES * page();
    match limit - start.addr().get() {
        // What is committed from the start may not have been touched.
        committed if committed >= first => {
            (committed..bytes).step_by(page()).find(|offset| is_resident(start, *offset))
        }
        committed => Some(committed),
    }
}

/// Whether a page is in memory, that lies so many bytes above `start`.
fn is_resident(start: NonNull<u8>, offset: usize) -> bool {
    // SAFETY: it is a pointer, which may be null, and numbers.
    let mut page: PSAPI_WORKING_SET_EX_INFORMATION = unsafe { mem::zeroed() };
    page.VirtualAddress = start.as_ptr().wrapping_add(offset).cast();
    let bytes = size_of_val(&page) as u32;
    // SAFETY: the call takes nothing.
    let process = unsafe { GetCurrentProcess() };
    // SAFETY: the call reads and writes `page` only.
    let told = unsafe { QueryWorkingSetEx(process, (&raw mut page).cast(), bytes) };
    // SAFETY: the flags can be read as a number; the lowest bit says that the page is there.
    told != 0 && unsafe { page.VirtualAttributes.Flags } & 1 != 0
}

/// What the system is told of a stack while it is a thread's.
pub fn fields(bottom: NonNull<u8>, size: usize) -> StackTebFields {
    StackTebFields {
        StackBase: bottom.addr().get() + size,
        StackLimit: limit(bottom, size),
        DeallocationStack: bottom.addr().get(),
        GuaranteedStackBytes: GUARANTEED,
    }
}

/// The lowest address of a stack that is in use: where it starts that pages are committed, and
/// without `PAGE_GUARD`.
fn limit(bottom: NonNull<u8>, size: usize) -> usize {
    let top = bottom.addr().get() + size;
    let mut address = bottom.addr().get();
    while address < top {
        // SAFETY: it is pointers, which may be null, and numbers.
        let mut region: MEMORY_BASIC_INFORMATION = unsafe { mem::zeroed() };
        let at = bottom.as_ptr().with_addr(address).cast();
        // SAFETY: the call writes to `region` only.
        if unsafe { VirtualQuery(at, &raw mut region, size_of_val(&region)) } == 0 {
            break;
        }
        if region.State == MEM_COMMIT && region.Protect & PAGE_GUARD == 0 {
            return address;
        }
        address = region.BaseAddress.addr() + region.RegionSize;
    }
    top
}
