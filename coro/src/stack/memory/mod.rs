//! What the system does to memory: address space, access to it, guards, and giving pages back.
//!
//! Each system has a module of the same functions: `reserve`, `release`, `commit`, `commit_one`,
//! `guard`, `back`, `discard`, `lowest_resident`, `page_size` and `margin`.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux;
#[cfg(any(target_os = "linux", target_os = "android"))]
use linux as system;
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
mod portable;
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
use portable as system;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as system;

pub use system::{back, discard, guard, lowest_resident};
#[cfg(windows)]
pub use windows::fields;

/// How many stacks one call speaks of at most.
pub const BATCH: usize = 64;

/// How the page below each stack of a scheduler is made one that can't be touched.
///
/// It is the way that is tried first: what the system refuses is done in the next way. Systems
/// other than Linux have one way, whatever this says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Guards {
    /// For many stacks in one call, without splitting their mapping: `process_madvise` with
    /// `MADV_GUARD_INSTALL`, Linux 6.14.
    #[default]
    Batched,
    /// For one stack in a call, without splitting the mapping: `MADV_GUARD_INSTALL`, Linux 6.13.
    Single,
    /// By `mprotect`, which splits the mapping: two mappings a stack, of which a process can have
    /// as many as `vm.max_map_count` says, 65,530 as a rule.
    Protected,
}

/// How many bytes a page has.
pub fn page() -> usize {
    static PAGE: AtomicUsize = AtomicUsize::new(0);
    match PAGE.load(Ordering::Relaxed) {
        0 => {
            let page = system::page_size();
            PAGE.store(page, Ordering::Relaxed);
            page
        }
        page => page,
    }
}

/// How many bytes at the lower end of a stack are not for who runs on it: its guard, and what the
/// system wants there.
pub fn margin() -> usize {
    system::margin(page())
}

/// The error of a system that is out of memory, or out of addresses.
pub fn out_of_memory() -> io::Error {
    io::Error::from_raw_os_error(system::OUT_OF_MEMORY)
}

/// Address space of our own. Dropping it unmaps it.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a mapping belongs to the process, not to a thread, and this value is its only owner.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Reserves addresses that can't be touched, and take up no memory.
    pub fn reserve(bytes: usize) -> io::Result<Mapping> {
        system::reserve(bytes).map(|start| Mapping { start, bytes })
    }

    /// A stack by itself, with a margin at its lower end.
    pub fn of_one_stack(bytes: usize) -> io::Result<Mapping> {
        let mapping = Mapping::reserve(bytes)?;
        // SAFETY: the mapping is our own, and new.
        unsafe { system::commit_one(mapping.start, bytes) }?;
        Ok(mapping)
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The address that lies `offset` bytes above the start.
    pub fn at(&self, offset: usize) -> NonNull<u8> {
        assert!(offset < self.bytes, "inside of the mapping");
        // SAFETY: the result is inside of the mapping.
        unsafe { self.start.add(offset) }
    }

    /// Lets the bytes from `offset` on, which nobody has used yet, become stacks: [`guard`] makes
    /// them of it.
    pub fn commit(&mut self, offset: usize, bytes: usize) -> io::Result<()> {
        assert!(bytes <= self.bytes - offset, "inside of the mapping");
        // SAFETY: the range is our own, and nothing is on it: the caller's word, who has the
        // mapping exclusively.
        unsafe { system::commit(self.at(offset), bytes) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is our own; whoever owns it has seen to it that nothing is on it.
        unsafe { system::release(self.start, self.bytes) };
    }
}
