//! Stacks: where tasks run, each below a guard page, reused last in, first out.

use std::io;
use std::ptr::{self, NonNull};

use corosensei::stack::{STACK_ALIGNMENT, StackPointer};

/// How many stacks the first mapping of a pool holds; each further one holds twice as many.
const FIRST_CHUNK: usize = 4;

/// How many stacks a mapping holds at most.
const LAST_CHUNK: usize = 4096;

/// How many stacks are given their guards at once.
const GUARDED_AT_ONCE: usize = 64;

/// `MADV_GUARD_INSTALL`, Linux 6.13: a page that can't be touched and is no mapping of its own.
const GUARD_INSTALL: i32 = 102;

/// `PIDFD_SELF`, Linux 6.14: this process, where a descriptor of one is asked for.
const THIS_PROCESS: i32 = -10_001;

/// A stack that a task runs on, or is about to.
///
/// From its lowest address up: a guard page, what the task uses, and the place that is reserved for
/// its result.
#[derive(Debug)]
pub struct Stack {
    bottom: NonNull<u8>,
    size: usize,
    reserved: usize,
}

impl Stack {
    /// Reserves place for a `T` above what the task uses, which stays in place as long as the
    /// stack is not given back.
    pub fn reserve<T>(&mut self) -> NonNull<T> {
        let top = self.bottom.addr().get() + self.size;
        // So much that its lower end is aligned for a `T`, also where that is more than a page.
        let size = size_of::<T>() + (top - size_of::<T>()) % STACK_ALIGNMENT.max(align_of::<T>());
        let fits = size_of::<T>() <= self.size / 16 && size <= self.size / 2;
        assert!(fits, "a task's result is too large for its stack: box it");
        self.reserved = size;
        // SAFETY: the result is inside of the mapping, because it is smaller than the stack.
        unsafe { self.bottom.add(self.size - size) }.cast()
    }
}

// SAFETY: `bottom..bottom + size` is mapped for as long as the stack is out of its pool, which
// outlives the tasks that run on it; its lowest page is a guard.
unsafe impl corosensei::stack::Stack for Stack {
    fn base(&self) -> StackPointer {
        let top = self.bottom.addr().get() + self.size - self.reserved;
        StackPointer::new(top).expect("no stack is at address zero")
    }

    fn limit(&self) -> StackPointer {
        self.bottom.addr()
    }
}

/// Stacks of one size. Dropping it unmaps them all, so it comes after the tasks.
#[derive(Debug)]
pub struct Pool {
    size: usize,
    page: usize,
    chunks: Vec<Chunk>,
    /// The bottoms of stacks that have a guard and no task.
    free: Vec<NonNull<u8>>,
    /// How many stacks of the newest chunk have no guard yet.
    fresh: usize,
    guards: Guards,
}

/// How the system makes a page that can't be touched: the best way that has not failed yet.
#[derive(Debug)]
enum Guards {
    /// Many in one call, without splitting the mapping.
    Many,
    /// One in a call, without splitting the mapping.
    Light,
    /// One in a call; each splits the mapping.
    Heavy,
}

#[derive(Debug)]
struct Chunk {
    start: NonNull<u8>,
    stacks: usize,
}

impl Pool {
    /// The smallest stack: what a panic with a backtrace takes, and a little more.
    pub const SMALLEST: usize = 16 * 1024;

    /// A pool of stacks of `size` bytes, rounded up to whole pages, and a guard page each.
    ///
    /// The guard comes on top so that stacks, whose sizes tend to be powers of two, are not that
    /// far apart: their tops would all compete for the same few entries of the caches.
    pub fn new(size: usize) -> Pool {
        // SAFETY: the call takes numbers only.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let page = usize::try_from(page).unwrap_or(4096);
        Pool {
            size: size.max(Pool::SMALLEST).next_multiple_of(page) + page,
            page,
            chunks: Vec::new(),
            free: Vec::new(),
            fresh: 0,
            guards: Guards::Many,
        }
    }

    /// A stack that nobody runs on: the one given back last, if there is one.
    ///
    /// # Errors
    ///
    /// `ENOMEM`: the process has no memory, or no mappings, left.
    pub fn take(&mut self) -> io::Result<Stack> {
        if self.free.is_empty() {
            self.add_free()?;
        }
        let bottom = self.free.pop().expect("one was added");
        Ok(Stack { bottom, size: self.size, reserved: 0 })
    }

    /// Gives a stack back.
    pub fn give(&mut self, stack: Stack) {
        debug_assert_eq!(stack.size, self.size, "a stack goes back to its own pool");
        self.free.push(stack.bottom);
    }

    /// Gives some stacks their guards.
    fn add_free(&mut self) -> io::Result<()> {
        if self.fresh == 0 {
            let stacks = self.chunks.last().map_or(FIRST_CHUNK, |last| last.stacks * 2);
            let stacks = stacks.min(LAST_CHUNK);
            let start = map(stacks * self.size)?;
            self.chunks.push(Chunk { start, stacks });
            self.fresh = stacks;
        }
        let chunk = self.chunks.last().expect("there is a chunk with a fresh stack");
        let first = chunk.stacks - self.fresh;
        let count = self.fresh.min(GUARDED_AT_ONCE);
        // The lowest one last, so that it is taken first.
        let bottoms = (first..first + count).rev().map(|index| {
            // SAFETY: the result is inside of the chunk, which has that many stacks.
            unsafe { chunk.start.add(index * self.size) }
        });
        let bottoms: Vec<NonNull<u8>> = bottoms.collect();
        self.guard(&bottoms)?;
        self.free.extend(bottoms);
        self.fresh -= count;
        Ok(())
    }

    /// Makes the lowest pages of stacks ones that can't be touched.
    fn guard(&mut self, bottoms: &[NonNull<u8>]) -> io::Result<()> {
        if let Guards::Many = self.guards {
            if guard_many(bottoms, self.page) {
                return Ok(());
            }
            self.guards = Guards::Light;
        }
        for bottom in bottoms {
            let page = bottom.as_ptr().cast();
            if let Guards::Light = self.guards {
                // SAFETY: the page is our own mapping's, and nobody uses it yet.
                if unsafe { libc::madvise(page, self.page, GUARD_INSTALL) } == 0 {
                    continue;
                }
                self.guards = Guards::Heavy;
            }
            // SAFETY: the page is our own mapping's, and nobody uses it yet.
            if unsafe { libc::mprotect(page, self.page, libc::PROT_NONE) } != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    }
}

/// Guards all these pages in one call; says whether that went well.
fn guard_many(bottoms: &[NonNull<u8>], page: usize) -> bool {
    let pages: Vec<libc::iovec> = bottoms
        .iter()
        .map(|bottom| libc::iovec { iov_base: bottom.as_ptr().cast(), iov_len: page })
        .collect();
    // SAFETY: the pages are our own mapping's, and nobody uses them yet; the list outlives the
    // call.
    let guarded = unsafe {
        libc::syscall(
            libc::SYS_process_madvise,
            THIS_PROCESS,
            pages.as_ptr(),
            pages.len(),
            GUARD_INSTALL,
            0,
        )
    };
    guarded == (pages.len() * page) as libc::c_long
}

/// Maps `bytes` of memory that takes up none until it is touched.
fn map(bytes: usize) -> io::Result<NonNull<u8>> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // `MAP_STACK` keeps the kernel from backing a whole row of stacks with one huge page.
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK;
    // SAFETY: a new mapping, at an address that the kernel picks, touches nothing that exists.
    let start = unsafe { libc::mmap(ptr::null_mut(), bytes, protection, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(NonNull::new(start.cast()).expect("no mapping is at address zero"))
}

impl Drop for Pool {
    fn drop(&mut self) {
        for chunk in &self.chunks {
            // SAFETY: the mapping is our own, and the pool comes after the tasks that used it.
            unsafe { libc::munmap(chunk.start.as_ptr().cast(), chunk.stacks * self.size) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corosensei::stack::Stack as _;

    #[test]
    fn the_stack_given_back_last_is_taken_first() {
        let mut pool = Pool::new(0);
        let (first, second) = (pool.take().unwrap(), pool.take().unwrap());
        let bottom = first.bottom;
        pool.give(second);
        pool.give(first);
        assert_eq!(pool.take().unwrap().bottom, bottom);
    }

    #[test]
    fn stacks_do_not_overlap() {
        let mut pool = Pool::new(64 * 1024);
        let stacks: Vec<Stack> = (0..100).map(|_| pool.take().unwrap()).collect();
        let mut ranges: Vec<_> = stacks.iter().map(|s| (s.limit(), s.base())).collect();
        ranges.sort_unstable();
        assert!(ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0));
        assert!(ranges.iter().all(|(limit, base)| base.get() - limit.get() > 64 * 1024));
    }

    #[test]
    fn what_is_reserved_is_above_what_the_task_uses_and_aligned() {
        #[repr(align(16384))]
        struct Aligned {
            _bytes: [u8; 100],
        }
        let mut stack = Pool::new(512 * 1024).take().unwrap();
        let place = stack.reserve::<Aligned>();
        assert_eq!(place.addr().get() % 16384, 0);
        assert_eq!(stack.base().get() % STACK_ALIGNMENT, 0);
        assert!(place.addr() >= stack.base());
        let top = stack.bottom.addr().get() + stack.size;
        assert!(place.addr().get() + size_of::<Aligned>() <= top);
    }
}
