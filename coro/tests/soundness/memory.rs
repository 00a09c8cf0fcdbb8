//! Memory that is lent to the kernel: it is not written to after the call that lent it returned.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use corio::aio::op;
use corio::aio::op::Operation;
use corio::io;

use crate::scene::{cause, left_in, pair, unwind, write};
use crate::system::open_past_the_cache;

const BLOCK: usize = 1 << 20;
const BLOCKS: usize = 64;

/// A block of memory that starts where `O_DIRECT` wants it to.
struct Block(NonNull<u8>);

impl Block {
    const LAYOUT: Layout = match Layout::from_size_align(BLOCK, 4096) {
        Ok(layout) => layout,
        Err(_) => unreachable!(),
    };

    fn new() -> Block {
        // SAFETY: the layout has a size.
        let start = unsafe { alloc_zeroed(Block::LAYOUT) };
        Block(NonNull::new(start).unwrap_or_else(|| handle_alloc_error(Block::LAYOUT)))
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the memory is ours, initialized, and borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_ptr(), BLOCK) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout.
        unsafe { dealloc(self.0.as_ptr(), Block::LAYOUT) };
    }
}

/// A file that is read past the cache, if the file system can do that, and its keeper.
fn direct_file() -> (File, tempfile::NamedTempFile) {
    let mut keeper = tempfile::NamedTempFile::new().unwrap();
    let block: Vec<u8> = (0..BLOCK).map(|index| (index % 250) as u8 + 1).collect();
    (0..BLOCKS).for_each(|_| keeper.write_all(&block).unwrap());
    keeper.as_file().sync_all().unwrap();
    (open_past_the_cache(keeper.path()), keeper)
}

fn sum(blocks: &mut [Block]) -> Vec<u64> {
    let sum = |block: &mut Block| block.bytes().iter().map(|byte| u64::from(*byte)).sum();
    blocks.iter_mut().map(sum).collect()
}

#[test]
fn large_reads_in_flight_when_a_scope_ends_by_panic_change_nothing_after_it() {
    let (file, _keeper) = direct_file();
    for is_in_task in [false, true] {
        let mut blocks: Vec<Block> = (0..BLOCKS).map(|_| Block::new()).collect();
        let read_all = || -> std::io::Result<()> {
            corio::scope(|s| {
                for (index, block) in blocks.iter_mut().enumerate() {
                    let (file, offset) = (&file, (index * BLOCK) as u64);
                    s.spawn(move || io::single(op::read(file, block.bytes()).at(offset))).detach();
                }
                corio::yield_now(); // they are in the kernel now
                unwind("with reads in flight")
            })
        };
        if is_in_task {
            assert!(catch_unwind(AssertUnwindSafe(|| corio::run(read_all))).is_err());
        } else {
            assert!(catch_unwind(AssertUnwindSafe(read_all)).is_err());
        }
        let before = sum(&mut blocks);
        std::thread::sleep(std::time::Duration::from_millis(100));
        assert_eq!(before, sum(&mut blocks), "the kernel writes to memory that was given back");
    }
}

#[test]
fn a_batch_whose_first_operation_fails_starts_nothing_of_its_soft_chain() {
    let ((a, b), mut buf) = (pair(), [7; 8]);
    write(&b, b"here");
    corio::run(|| {
        let missing = op::open_at(corio::aio::Cwd, "no/such/file").soft();
        let (opened, received, sent) =
            io::complete((missing, op::recv(&a, &mut buf).soft(), op::send(&a, b"no"))).unwrap();
        assert_eq!(opened.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(cause(received), Some(corio::aio::Cause::Canceled));
        assert_eq!(cause(sent), Some(corio::aio::Cause::Canceled));
    })
    .unwrap();
    assert_eq!((left_in(&a).as_slice(), left_in(&b), buf), (b"here".as_slice(), vec![], [7; 8]));
}

#[test]
fn a_batch_that_fails_half_way_is_waited_for_to_its_end() {
    let ((a, b), (c, d), mut buf) = (pair(), pair(), [0; 8]);
    corio::scope(|s| {
        let task = s.spawn(|| {
            let missing = op::open_at(corio::aio::Cwd, "no/such/file");
            io::multi((missing, op::recv(&a, &mut buf))).map(|_| ())
        });
        s.spawn(|| {
            corio::yield_now();
            write(&b, b"late");
        })
        .detach();
        assert_eq!(task.join().unwrap().unwrap_err().kind(), ErrorKind::NotFound);
    })
    .unwrap();
    assert_eq!(&buf[..4], b"late");
    drop((c, d));
}
