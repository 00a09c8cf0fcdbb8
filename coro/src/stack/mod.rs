//! Stacks: where tasks run, each above a guard page.

mod arena;
mod memory;
mod overflow;
mod own;
mod pool;

use std::ptr::NonNull;

use corosensei::stack::{STACK_ALIGNMENT, StackPointer};

pub use memory::Guards;
pub(crate) use overflow::{Owner, on_own, watch};
pub use own::Stack as OwnStack;
pub(crate) use pool::Pool;

/// The smallest stack: what a panic with a backtrace takes, and a little more.
pub(crate) const SMALLEST: usize = 16 * 1024;

/// A stack that a task runs on, or is about to.
///
/// From its lowest address up: the margin, which is a guard page and what the system wants there;
/// what the task uses; and the books on it.
#[derive(Debug)]
pub(crate) struct Stack {
    bottom: NonNull<u8>,
    /// With the margin.
    size: usize,
    reserved: u32,
    /// Whether it is the user's, and not a pool's.
    is_lent: bool,
}

impl Stack {
    /// Reserves place for a `T` above what the task uses, which stays in place as long as the
    /// stack is not given back. What is reserved after it lies below it.
    pub fn reserve<T>(&mut self) -> NonNull<T> {
        let top = self.bottom.addr().get() + self.size;
        let reserved = self.reserved as usize;
        let end = top - reserved;
        // So much that its lower end is aligned for a `T`, also where that is more than a page.
        let size = size_of::<T>() + (end - size_of::<T>()) % STACK_ALIGNMENT.max(align_of::<T>());
        let reserved = reserved + size;
        let most = (self.bounds().size() / 2).min(u32::MAX as usize);
        assert!(reserved <= most, "half of a stack is left to who runs on it");
        memory::back(self.bottom, self.size, reserved).expect("memory for what lies on a stack");
        self.reserved = reserved as u32;
        // SAFETY: the place is inside of the mapping, because it is smaller than the stack.
        unsafe { self.bottom.add(self.size - reserved) }.cast()
    }

    /// Where it lies.
    pub fn bounds(&self) -> Bounds {
        Bounds { bottom: self.bottom, size: self.size }
    }

    /// Gives its memory back to the system, so that [`Bounds::touched`] counts from here on.
    ///
    /// # Panics
    ///
    /// If something is reserved on it.
    pub fn trim(&mut self) {
        assert_eq!(self.reserved, 0, "nothing lies on a stack that is trimmed");
        let used = above_guard(self.bottom, self.size);
        // SAFETY: the stack is the caller's, who has it exclusively: nobody runs on it.
        unsafe { memory::discard([used].into_iter()) };
    }
}

// SAFETY: `bottom..bottom + size` is mapped for as long as the stack is out of its pool, which
// outlives the tasks that run on it, or for as long as it is lent; its lowest page is a guard. On
// Windows it is as the system wants stacks, and can be touched from `limit` to `base`; the system
// keeps account of the first, so that it need not be noted.
unsafe impl corosensei::stack::Stack for Stack {
    fn base(&self) -> StackPointer {
        let top = self.bottom.addr().get() + self.size - self.reserved as usize;
        StackPointer::new(top).expect("no stack is at address zero")
    }

    fn limit(&self) -> StackPointer {
        self.bottom.addr()
    }

    #[cfg(windows)]
    fn teb_fields(&self) -> corosensei::stack::StackTebFields {
        memory::fields(self.bottom, self.size)
    }

    #[cfg(windows)]
    fn update_teb_fields(&mut self, _stack_limit: usize, _guaranteed_stack_bytes: usize) {}
}

/// Where a stack lies: good as long as that is not unmapped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    bottom: NonNull<u8>,
    size: usize,
}

impl Bounds {
    /// How many bytes can be used.
    pub fn size(&self) -> usize {
        self.size - memory::margin()
    }

    /// Whether an address is in the guard: who touches that has overflowed the stack.
    pub fn is_guard(&self, address: usize) -> bool {
        (self.bottom.addr().get()..).contains(&address)
            && address - self.bottom.addr().get() < memory::margin()
    }

    /// How many bytes lie above the lowest page that was touched since the stack was mapped or
    /// trimmed, whoever ran on it, and whatever was reserved on it.
    ///
    /// It sees which pages are in memory, so that one in swap counts as untouched.
    pub fn touched(&self) -> usize {
        let (start, bytes) = above_guard(self.bottom, self.size);
        memory::lowest_resident(start, bytes).map_or(0, |lowest| bytes - lowest)
    }
}

/// What can be used of the stack at `bottom`: where that starts, and how many bytes it has.
fn above_guard(bottom: NonNull<u8>, size: usize) -> (NonNull<u8>, usize) {
    let start = bottom.map_addr(|bottom| bottom.checked_add(memory::margin()).expect("no wrap"));
    (start, size - memory::margin())
}

#[cfg(test)]
mod tests;
