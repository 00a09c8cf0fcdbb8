//! An arena: stacks of one size, side by side in reserved address space.

use std::io;
use std::ptr::NonNull;

use super::Stack;
use super::memory::{self, BATCH, Guards, Mapping};

/// How many bytes of address space are reserved first: 60,000 stacks of 256 KiB.
const FIRST_RESERVATION: usize = 16 << 30;

/// How many times as many are reserved when that is used up, and then at most: a million stacks.
const GROWTH: usize = 16;
const LARGEST_RESERVATION: usize = FIRST_RESERVATION * GROWTH;

/// Stacks of one size. Dropping it unmaps them all, so it comes after the tasks.
///
/// A reservation is used from its start on, and committed in steps that double, so that it is two
/// mappings, one that is in use and one that is not yet, however many stacks it holds.
#[derive(Debug)]
pub struct Arena {
    /// How far one stack is from the next: its size and its guard.
    stride: usize,
    /// How many stacks may lie idle with memory of their own.
    idle: usize,
    guards: Guards,
    reservations: Vec<Mapping>,
    /// How many bytes of the newest reservation have become stacks, and how many can be used.
    carved: usize,
    committed: usize,
    /// How many stacks there are.
    total: usize,
    /// The bottoms of the stacks that nobody runs on. The first of them, so many, are `clean`: they
    /// take up no memory. The others are warm, the one that was given back last at the end.
    free: Vec<NonNull<u8>>,
    clean: usize,
    /// How long `free` may be before some of the warm ones are given back.
    most_free: usize,
}

impl Arena {
    /// An arena for stacks of `stride` bytes, a multiple of the page, guard included.
    pub fn new(stride: usize, idle: usize, guards: Guards) -> Arena {
        Arena {
            stride,
            idle,
            guards,
            reservations: Vec::new(),
            carved: 0,
            committed: 0,
            total: 0,
            free: Vec::new(),
            clean: 0,
            most_free: idle,
        }
    }

    pub fn stride(&self) -> usize {
        self.stride
    }

    /// A stack that nobody runs on: the one given back last, if there is one.
    ///
    /// # Errors
    ///
    /// `ENOMEM`: the process has no memory, no mappings or no addresses left.
    #[inline]
    pub fn take(&mut self) -> io::Result<Stack> {
        if self.free.len() == self.clean {
            self.break_into_clean()?;
        }
        let bottom = self.free.pop().expect("a warm one, or one that was clean");
        Ok(Stack { bottom, size: self.stride, reserved: 0, is_lent: false })
    }

    /// Takes a stack back.
    #[inline]
    pub fn give(&mut self, stack: Stack) {
        debug_assert_eq!(stack.size, self.stride, "a stack goes back to its own arena");
        self.free.push(stack.bottom);
        if self.free.len() > self.most_free {
            self.trim();
        }
    }

    /// Counts one of the clean stacks, of which it makes more if there is none, as warm.
    #[cold]
    fn break_into_clean(&mut self) -> io::Result<()> {
        if self.free.is_empty() {
            self.carve()?;
        }
        self.set_clean(self.free.len() - 1);
        Ok(())
    }

    fn set_clean(&mut self, clean: usize) {
        self.clean = clean;
        self.most_free = clean.saturating_add(self.idle);
    }

    /// Gives the memory of the older half of the warm stacks back.
    #[cold]
    fn trim(&mut self) {
        let end = self.clean + (self.free.len() - self.clean).div_ceil(2);
        for bottoms in self.free[self.clean..end].chunks(BATCH) {
            let used = bottoms.iter().map(|bottom| super::above_guard(*bottom, self.stride));
            // SAFETY: the stacks are our own, and nobody runs on one that is free.
            unsafe { memory::discard(used) };
        }
        self.set_clean(end);
    }

    /// Makes stacks of what is reserved: commits memory, and gives them their guards.
    fn carve(&mut self) -> io::Result<()> {
        if self.reservations.last().is_none_or(|last| self.carved == last.bytes()) {
            self.reserve()?;
        }
        let reservation = self.reservations.last_mut().expect("there is one with room");
        let count = ((reservation.bytes() - self.carved) / self.stride).min(BATCH);
        let end = self.carved + count * self.stride;
        // So that giving a stack back never allocates, and never fails.
        self.free.try_reserve(self.total + count).map_err(|_| memory::out_of_memory())?;
        if end > self.committed {
            let doubled = (self.committed * 2).clamp(end, reservation.bytes());
            let start = self.committed;
            self.committed = match reservation.commit(start, doubled - start) {
                Ok(()) => doubled,
                // Where memory is accounted for beforehand, there may be less than that.
                Err(_) => reservation.commit(start, end - start).map(|()| end)?,
            };
        }
        let mut bottoms = [NonNull::dangling(); BATCH];
        // The lowest one last, so that it is taken first.
        for (index, bottom) in bottoms[..count].iter_mut().rev().enumerate() {
            *bottom = reservation.at(self.carved + index * self.stride);
        }
        // SAFETY: the pages are our own, and nobody runs on these stacks yet.
        unsafe { memory::guard(&mut self.guards, &bottoms[..count], self.stride) }?;
        self.free.extend_from_slice(&bottoms[..count]);
        self.carved = end;
        self.total += count;
        Ok(())
    }

    /// Reserves address space: as much as planned, or, where addresses are scarce (`RLIMIT_AS`),
    /// no more than for the next few stacks, so that the rest of the program has some, too.
    fn reserve(&mut self) -> io::Result<()> {
        let last = self.reservations.last().map(|last| last.bytes().saturating_mul(GROWTH));
        let bytes = last.unwrap_or(FIRST_RESERVATION).min(LARGEST_RESERVATION);
        let mut count = (bytes / self.stride).max(1);
        loop {
            let bytes = count.checked_mul(self.stride).ok_or_else(memory::out_of_memory)?;
            match Mapping::reserve(bytes) {
                Ok(reservation) => {
                    self.reservations.push(reservation);
                    (self.carved, self.committed) = (0, 0);
                    return Ok(());
                }
                Err(error) if count == 1 => return Err(error),
                Err(_) => count = (count / 2).min(BATCH),
            }
        }
    }
}
