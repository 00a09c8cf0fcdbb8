//! Results and closures of every size and alignment, and the stacks that they are on.

use corio::{Options, Scheduler};

use crate::scene::{OnDrop, succeeds_alone};

#[derive(Clone, Copy, PartialEq, Debug)]
#[repr(align(64))]
struct Line([u8; 100]);

#[derive(Clone, Copy, PartialEq, Debug)]
#[repr(align(4096))]
struct Page(u8);

#[derive(Clone, Copy, PartialEq, Debug)]
#[repr(align(16384))]
struct Pages(u8);

/// Sends `value` into a task, and back as its result, from stacks that were used before.
fn there_and_back<T: Copy + PartialEq + std::fmt::Debug>(value: T) {
    corio::scope(|s| {
        for _ in 0..3 {
            let at_once = s.spawn(move || value);
            let later = s.spawn(move || {
                corio::yield_now();
                assert_eq!((&raw const value).addr() % align_of::<T>(), 0);
                value
            });
            assert_eq!((at_once.join().unwrap(), later.join().unwrap()), (value, value));
        }
    })
    .unwrap();
}

#[test]
fn a_result_may_be_of_any_size_and_alignment() {
    there_and_back(());
    there_and_back(1_u8);
    there_and_back([3_u64; 3]);
    there_and_back(Some(5_u128));
    there_and_back(Line([7; 100]));
    corio::scope(|s| {
        let big = s.spawn(|| {
            corio::yield_now();
            [5_u8; 8 * 1024]
        });
        let page = s.spawn(|| Page(7));
        assert_eq!((big.join().unwrap(), page.join().unwrap()), ([5; 8 * 1024], Page(7)));
    })
    .unwrap();
}

#[test]
#[cfg_attr(windows, ignore = "on Windows, frames of such alignment touch not all of their pages")]
fn a_result_may_be_aligned_to_more_than_a_page() {
    succeeds_alone("results::a_result_may_be_aligned_to_more_than_a_page", || {
        let options = Options { stack_size: (4 << 20) + 4096, ..Options::default() };
        Scheduler::with(options, |scheduler| {
            let spawn = |number| scheduler.spawn(move || Pages(number)).unwrap();
            let tasks: Vec<_> = (0..8).map(spawn).collect();
            for (number, task) in tasks.into_iter().enumerate() {
                let result = Box::new(task.join().unwrap());
                assert_eq!(result.0, number as u8);
            }
        })
        .unwrap();
    });
}

#[test]
fn a_result_that_is_too_large_for_its_stack_is_refused_in_words() {
    let refused =
        std::panic::catch_unwind(|| corio::scope(|s| drop(s.spawn(|| [0_u8; 128 * 1024]))));
    let payload = refused.unwrap_err();
    let text = payload.downcast_ref::<&str>().copied().unwrap_or_default();
    assert!(text.contains("too large for its stack"), "{text}");
}

#[test]
fn a_closure_may_take_more_than_a_kibibyte_along() {
    there_and_back([7_u8; 2 * 1024]);
    there_and_back([Line([7; 100]); 64]);
}

#[test]
fn a_stack_that_ends_is_the_next_ones() {
    let place = || {
        let local = std::hint::black_box(0_u8);
        (&raw const local).addr()
    };
    corio::scope(|s| {
        let first = s.spawn(place).join().unwrap();
        for _ in 0..100 {
            assert_eq!(s.spawn(place).join().unwrap(), first);
        }
        let parked = s.spawn(|| corio::park(0));
        assert_ne!(s.spawn(place).join().unwrap(), first);
        parked.wakeup();
        parked.join().unwrap().unwrap();
        assert_eq!(s.spawn(place).join().unwrap(), first);
    })
    .unwrap();
}

#[test]
fn tasks_spawn_tasks_two_hundred_deep() {
    fn down(depth: usize) -> usize {
        corio::scope(|s| {
            let deeper = s.spawn(move || {
                if depth.is_multiple_of(2) {
                    corio::yield_now();
                }
                if depth == 0 { 0 } else { down(depth - 1) }
            });
            deeper.join().unwrap() + 1
        })
        .unwrap()
    }
    assert_eq!(down(199), 200);
}

#[test]
fn a_stack_is_as_large_as_it_is_asked_for() {
    fn fill(bytes: usize) -> usize {
        let page = std::hint::black_box([1_u8; 4096]);
        if bytes > 8192 { usize::from(page[7]) + fill(bytes - 4096) } else { 0 }
    }
    for stack_size in [16 * 1024, 256 * 1024, 4 * 1024 * 1024] {
        let options = Options { stack_size, ..Options::default() };
        let pages = Scheduler::with(options, |scheduler| {
            scheduler.spawn(move || fill(stack_size / 4)).unwrap().join().unwrap()
        });
        assert!(pages.unwrap() > 0 || stack_size < 64 * 1024);
    }
}

#[test]
fn what_could_not_be_spawned_is_dropped() {
    let drops = std::cell::Cell::new(0);
    let options = Options { stack_size: 1 << 48, ..Options::default() };
    Scheduler::with(options, |scheduler| {
        let captured = OnDrop(|| drops.set(drops.get() + 1));
        assert!(scheduler.spawn(move || drop(captured)).is_err());
    })
    .unwrap();
    assert_eq!(drops.get(), 1);
}
