//! A pool: the stacks of a scheduler, of one size as a rule, and of others on request.

use std::io;

use super::arena::Arena;
use super::memory::{self, Guards};
use super::{SMALLEST, Stack};

/// The stacks of a scheduler. Dropping it unmaps them all, so it comes after the tasks.
#[derive(Debug)]
pub struct Pool {
    usual: Arena,
    /// One for each power of two that was asked for.
    others: Vec<Arena>,
    idle: usize,
    guards: Guards,
}

impl Pool {
    /// A pool of stacks of `size` bytes, rounded up to whole pages, and a guard page each, up to
    /// `idle` of each size with memory of their own while nobody runs on them.
    ///
    /// The guard comes on top so that stacks, whose sizes tend to be powers of two, are not that
    /// far apart: their tops would all compete for the same few entries of the caches.
    pub fn new(size: usize, idle: usize, guards: Guards) -> Pool {
        let size = size.clamp(SMALLEST, isize::MAX as usize / 2).next_multiple_of(memory::page());
        Pool {
            usual: Arena::new(size + memory::margin(), idle, guards),
            others: Vec::new(),
            idle,
            guards,
        }
    }

    /// How many bytes of a stack of the usual size can be used.
    pub fn usual_size(&self) -> usize {
        self.usual.stride() - memory::margin()
    }

    /// Whether the stack is its own, and of the usual size.
    pub fn is_usual(&self, stack: &Stack) -> bool {
        stack.size == self.usual.stride() && !stack.is_lent
    }

    /// A stack of the usual size that nobody runs on: the one given back last, if there is one.
    ///
    /// # Errors
    ///
    /// `ENOMEM`: the process has no memory, no mappings or no addresses left.
    #[inline]
    pub fn take(&mut self) -> io::Result<Stack> {
        self.usual.take()
    }

    /// As [`take`](Pool::take), of a size that is a power of two, and at least `bytes`; or of the
    /// usual size, if that is no further from what was asked for.
    pub fn take_sized(&mut self, bytes: usize) -> io::Result<Stack> {
        let size = bytes.max(SMALLEST).checked_next_power_of_two();
        let stride = size.and_then(|size| size.checked_add(memory::margin()));
        let stride = stride.ok_or_else(memory::out_of_memory)?;
        let usual = self.usual.stride();
        if (bytes.saturating_add(memory::margin())..=stride).contains(&usual) {
            return self.usual.take();
        }
        if let Some(arena) = self.others.iter_mut().find(|arena| arena.stride() == stride) {
            return arena.take();
        }
        let mut arena = Arena::new(stride, self.idle, self.guards);
        let stack = arena.take()?;
        self.others.push(arena);
        Ok(stack)
    }

    /// Takes a stack back, unless it was only lent.
    #[inline]
    pub fn give(&mut self, stack: Stack) {
        if self.is_usual(&stack) {
            self.usual.give(stack);
        } else {
            self.give_sized(stack);
        }
    }

    #[cold]
    fn give_sized(&mut self, stack: Stack) {
        if !stack.is_lent {
            let arena = self.others.iter_mut().find(|arena| arena.stride() == stack.size);
            arena.expect("the arena that it was taken from").give(stack);
        }
    }
}
