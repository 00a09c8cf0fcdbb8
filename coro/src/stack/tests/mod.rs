//! What holds of stacks, whoever runs on them.

use std::borrow::Cow;
use std::io::ErrorKind;
use std::panic::Location;

use corosensei::stack::Stack as _;
use system::is_readable;

use super::*;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(unix)]
#[path = "unix.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;

const WAYS: [Guards; 3] = [Guards::Batched, Guards::Single, Guards::Protected];

fn pool(size: usize) -> Pool {
    Pool::new(size, 64, Guards::Batched)
}

fn top(stack: &Stack) -> NonNull<u8> {
    // SAFETY: the last byte of the stack is in its mapping.
    unsafe { stack.bottom.add(stack.size - 1) }
}

/// Uses the topmost page.
fn touch(stack: &Stack) {
    // SAFETY: the stack is ours, and nobody runs on it.
    unsafe { top(stack).write(1) };
}

fn has_guard(stack: &Stack) -> bool {
    let above = above_guard(stack.bottom, stack.size).0;
    let last_of_guard = above.map_addr(|above| (above.get() - 1).try_into().unwrap());
    let in_use = if system::STACKS_GROW { top(stack) } else { above };
    !is_readable(stack.bottom) && !is_readable(last_of_guard) && is_readable(in_use)
}

#[test]
fn the_stack_given_back_last_is_taken_first() {
    let mut pool = pool(0);
    let (first, second) = (pool.take().unwrap(), pool.take().unwrap());
    let bottom = first.bottom;
    pool.give(second);
    pool.give(first);
    assert_eq!(pool.take().unwrap().bottom, bottom);
}

#[test]
fn stacks_do_not_overlap() {
    let mut pool = pool(64 * 1024);
    let sizes = [0, 64 * 1024, 100 * 1024, 1 << 20];
    let stacks: Vec<Stack> =
        (0..400).map(|index| pool.take_sized(sizes[index % 4]).unwrap()).collect();
    let mut ranges: Vec<_> = stacks.iter().map(|s| (s.limit(), s.base())).collect();
    ranges.sort_unstable();
    assert!(ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0));
    for (index, stack) in stacks.iter().enumerate() {
        assert!(stack.bounds().size() >= sizes[index % 4].max(SMALLEST));
        assert!(has_guard(stack));
    }
    stacks.into_iter().for_each(|stack| pool.give(stack));
}

#[test]
fn a_stack_of_another_size_is_taken_again_by_who_asks_for_about_that_much() {
    let mut pool = pool(96 * 1024);
    let larger = pool.take_sized(100 * 1024).unwrap();
    let bottom = larger.bottom;
    assert_eq!(larger.bounds().size(), 128 * 1024);
    pool.give(larger);
    assert_eq!(pool.take_sized(128 * 1024).unwrap().bottom, bottom);
    // The usual size is nearer to this than 128 KiB.
    assert_eq!(pool.take_sized(80 * 1024).unwrap().bounds().size(), 96 * 1024);
    assert_eq!(pool.take_sized(0).unwrap().bounds().size(), SMALLEST);
}

#[test]
fn a_stack_that_no_system_has_room_for_is_an_error() {
    let mut pool = pool(0);
    for bytes in [1 << 48, 1 << 62, usize::MAX / 2 + 2, usize::MAX] {
        let error = pool.take_sized(bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{bytes}");
        assert!(OwnStack::new(bytes).is_err(), "{bytes}");
    }
    assert!(Pool::new(usize::MAX, 0, Guards::Batched).take().is_err());
    assert!(pool.take().is_ok());
}

#[test]
fn every_way_makes_guards_that_outlast_the_memory_of_their_stacks() {
    for guards in WAYS {
        let mut pool = Pool::new(0, 0, guards);
        let stacks: Vec<Stack> = (0..100).map(|_| pool.take().unwrap()).collect();
        stacks.iter().for_each(touch);
        assert!(stacks.iter().all(|stack| stack.bounds().touched() == memory::page()));
        stacks.into_iter().for_each(|stack| pool.give(stack));
        let again: Vec<Stack> = (0..100).map(|_| pool.take().unwrap()).collect();
        assert!(again.iter().all(|stack| stack.bounds().touched() == 0), "{guards:?}");
        assert!(again.iter().all(has_guard), "{guards:?}");
    }
}

#[test]
fn the_longest_idle_stacks_give_their_memory_back_and_the_others_keep_it() {
    let mut pool = Pool::new(0, 10, Guards::Batched);
    let stacks: Vec<Stack> = (0..1000).map(|_| pool.take().unwrap()).collect();
    stacks.iter().for_each(touch);
    stacks.into_iter().for_each(|stack| pool.give(stack));
    let stacks: Vec<Stack> = (0..1000).map(|_| pool.take().unwrap()).collect();
    let is_warm: Vec<bool> = stacks.iter().map(|stack| stack.bounds().touched() > 0).collect();
    let warm = is_warm.iter().filter(|warm| **warm).count();
    assert!((5..=10).contains(&warm), "{warm} of 10 are warm");
    assert!(is_warm[..warm].iter().all(|warm| *warm), "the warm ones are taken first");
}

#[test]
fn what_is_reserved_is_above_what_the_task_uses_and_aligned() {
    #[repr(align(16384))]
    struct Aligned {
        _bytes: [u8; 100],
    }
    let mut pool = pool(512 * 1024);
    let mut stack = pool.take().unwrap();
    let above = stack.reserve::<[u8; 5]>();
    let place = stack.reserve::<Aligned>();
    assert_eq!(place.addr().get() % 16384, 0);
    assert_eq!(stack.base().get() % STACK_ALIGNMENT, 0);
    assert!(place.addr() >= stack.base());
    assert!(place.addr().get() + size_of::<Aligned>() <= above.addr().get());
    assert!(above.addr().get() + 5 <= stack.bottom.addr().get() + stack.size);
}

#[test]
fn a_stack_of_the_user_counts_what_was_touched_and_never_gets_into_a_pool() {
    let mut own = OwnStack::new(100_000).unwrap();
    assert_eq!(own.size(), 100_000_usize.next_multiple_of(memory::page()));
    let lent = own.lend();
    touch(&lent);
    let mut pool = pool(own.size());
    pool.give(lent);
    assert_ne!(pool.take().unwrap().bottom, own.lend().bottom);
    assert_eq!(own.touched(), memory::page());
    own.trim();
    assert_eq!(own.touched(), 0);
    assert!(has_guard(&own.lend()));
}

#[test]
fn the_report_names_the_task_and_where_it_was_spawned() {
    let spawned_at = Location::caller();
    let owner = Owner::new(spawned_at, pool(0).take().unwrap().bounds());
    assert_eq!(owner.to_string(), format!("the task spawned at {spawned_at}"));
    owner.name.set(Some(Cow::Borrowed("parser")));
    assert_eq!(owner.to_string(), format!("task 'parser' (spawned at {spawned_at})"));
}

#[test]
fn only_the_guard_of_a_stack_is_its_guard() {
    let stack = pool(0).take().unwrap();
    let (bounds, bottom) = (stack.bounds(), stack.bottom.addr().get());
    assert!(bounds.is_guard(bottom) && bounds.is_guard(bottom + memory::margin() - 1));
    assert!(!bounds.is_guard(bottom - 1) && !bounds.is_guard(bottom + memory::margin()));
}
