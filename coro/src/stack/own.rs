//! A stack that the user has set up, to run a task on.

use std::io;

use super::memory::{self, Mapping};
use super::{Bounds, SMALLEST};

/// A stack of the user's own, to run a task on.
///
/// It is a mapping and a guard page below it, and takes up memory only as far down as it was ever
/// used. Dropping it unmaps it.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let mut stack = corio::Stack::new(1 << 20)?;
/// assert_eq!((stack.size(), stack.touched()), (1 << 20, 0));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Stack {
    mapping: Mapping,
}

impl Stack {
    /// Maps a stack of `bytes`, rounded up to whole pages and to 16 KiB, and a guard page.
    ///
    /// The stacks of a scheduler come cheaper: they are mapped many at a time, and reused.
    ///
    /// # Errors
    ///
    /// `ENOMEM`: the process has no memory, no mappings or no addresses left.
    pub fn new(bytes: usize) -> io::Result<Stack> {
        let size = bytes.max(SMALLEST).checked_next_multiple_of(memory::page());
        let whole = size.and_then(|size| size.checked_add(memory::margin()));
        let mapping = Mapping::of_one_stack(whole.ok_or_else(memory::out_of_memory)?)?;
        Ok(Stack { mapping })
    }

    /// How many bytes can be used.
    pub fn size(&self) -> usize {
        self.bounds().size()
    }

    /// How many bytes have been in use at the same time, at most, since it was made or
    /// [trimmed](Stack::trim): in whole pages, from the top down to the lowest that was touched.
    ///
    /// It counts what takes up memory: a page that the system has moved to a swap device is not
    /// seen, if it is the lowest.
    pub fn touched(&self) -> usize {
        self.bounds().touched()
    }

    /// Gives its memory back to the system.
    pub fn trim(&mut self) {
        self.lend().trim();
    }

    fn bounds(&self) -> Bounds {
        Bounds { bottom: self.mapping.at(0), size: self.mapping.bytes() }
    }

    /// The stack, as one that a task can run on. It must not be used longer than the borrow lasts.
    pub(crate) fn lend(&mut self) -> super::Stack {
        let Bounds { bottom, size } = self.bounds();
        super::Stack { bottom, size, reserved: 0, is_lent: true }
    }
}
