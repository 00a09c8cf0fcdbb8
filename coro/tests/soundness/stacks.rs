//! The memory of stacks, and calls on bigger ones.

use std::cell::Cell;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use corio::aio::op;
use corio::{JoinError, Options, Scheduler, SpawnOptions, Stack, io, with_stack};

use crate::scene::{OnDrop, succeeds_alone, text, unwind};
use crate::system::{self, faults, resident};

/// Uses about so many bytes of the stack, and then waits.
fn use_stack(kibibytes: usize) -> u8 {
    let frame = black_box([kibibytes as u8; 1024]);
    if kibibytes > 1 {
        return use_stack(kibibytes - 1) ^ black_box(frame)[kibibytes % 1024];
    }
    corio::yield_now();
    black_box(frame)[0]
}

#[test]
#[cfg_attr(
    not(any(target_os = "linux", windows)),
    ignore = "the system does not say how much is in memory"
)]
fn after_a_burst_of_tasks_the_memory_of_their_stacks_is_given_back() {
    let name = "stacks::after_a_burst_of_tasks_the_memory_of_their_stacks_is_given_back";
    succeeds_alone(name, || {
        const TASKS: usize = 2000;
        const USED: usize = 32 * 1024;
        let options = Options { idle_stacks: 16, ..Options::default() };
        Scheduler::with(options, |scheduler| {
            let before = resident();
            for _ in 0..TASKS {
                scheduler.spawn(|| use_stack(USED / 1024)).unwrap().detach();
            }
            let during = resident() - before;
            assert!(during > TASKS * USED, "{during}");
            scheduler.run().unwrap();
            // Nothing else happens meanwhile: the scheduler gives them back on its own.
            let sleep = || io::single(op::timeout(Duration::from_secs(3))).map(|()| resident());
            let after = scheduler.spawn(sleep).unwrap().join().unwrap().unwrap();
            let after = after.saturating_sub(before);
            // The page tables are not counted; a task's record is.
            assert!(after < during / 10, "{during} bytes, and then {after}");
        })
        .unwrap();
    });
}

#[test]
fn a_burst_of_tasks_that_comes_again_soon_finds_the_memory_of_its_stacks() {
    let name = "stacks::a_burst_of_tasks_that_comes_again_soon_finds_the_memory_of_its_stacks";
    succeeds_alone(name, || {
        const TASKS: usize = 2000;
        const BURSTS: usize = 30;
        let options = Options { idle_stacks: 16, ..Options::default() };
        Scheduler::with(options, |scheduler| {
            let burst = || {
                for _ in 0..TASKS {
                    scheduler.spawn(|| use_stack(16)).unwrap().detach();
                }
                scheduler.run().unwrap();
            };
            burst();
            let before = faults();
            for _ in 0..BURSTS {
                burst();
                let nap = || io::single(op::timeout(Duration::from_millis(50)));
                scheduler.spawn(nap).unwrap().join().unwrap().unwrap();
            }
            let more = faults() - before;
            assert!(more < TASKS / 2, "{more} faults in {BURSTS} bursts of {TASKS} tasks");
        })
        .unwrap();
    });
}

/// Recurses; each level takes a kibibyte and more.
fn depth(levels: usize) -> usize {
    let frame = black_box([levels; 128]);
    if levels == 0 { 0 } else { depth(levels - 1) + (black_box(frame)[7] == levels) as usize }
}

const LEVELS: usize = 3000;
const BIG: usize = 16 << 20;

#[test]
fn a_bigger_stack_is_there_in_tasks_and_outside_of_them() {
    assert_eq!(with_stack(BIG, || depth(LEVELS)), LEVELS, "no scheduler");
    corio::scope(|s| {
        assert_eq!(with_stack(BIG, || depth(LEVELS)), LEVELS, "outside of tasks");
        let task = s.spawn(|| with_stack(BIG, || depth(LEVELS)));
        assert_eq!(task.join().unwrap(), LEVELS, "a task");
    })
    .unwrap();
}

#[test]
fn a_task_waits_on_a_bigger_stack_while_others_run_and_borrow_from_it() {
    let log = Cell::new(0);
    let count = |more| log.set(log.get() * 10 + more);
    corio::scope(|s| {
        let first = s.spawn(|| {
            let local = Cell::new(1);
            let sum = with_stack(BIG, || {
                let deep = Cell::new(2);
                count(1);
                corio::scope(|inner| {
                    inner
                        .spawn(|| {
                            corio::yield_now();
                            deep.set(deep.get() + local.get());
                        })
                        .detach();
                    io::single(op::timeout(Duration::from_millis(1))).unwrap();
                })
                .unwrap();
                count(3);
                with_stack(2 * BIG, || {
                    corio::yield_now();
                    local.set(depth(LEVELS));
                });
                deep.get()
            });
            (sum, local.get())
        });
        let second = s.spawn(|| {
            count(2);
            with_stack(BIG, || {
                corio::yield_now();
                depth(LEVELS)
            })
        });
        assert_eq!(first.join().unwrap(), (3, LEVELS));
        assert_eq!(second.join().unwrap(), LEVELS);
    })
    .unwrap();
    assert_eq!(log.get(), 123);
}

#[test]
fn a_panic_passes_through_a_bigger_stack_and_drops_what_is_on_it() {
    corio::run(|| {
        let dropped = Cell::new(0);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let _outer = OnDrop(|| dropped.set(dropped.get() + 1));
            with_stack(BIG, || {
                let _inner = OnDrop(|| dropped.set(dropped.get() + 1));
                with_stack(0, || {
                    corio::yield_now();
                    unwind("from below")
                })
            })
        }));
        assert_eq!(text(caught.unwrap_err()), "from below");
        assert_eq!(dropped.get(), 2);
        assert_eq!(with_stack(BIG, || depth(LEVELS)), LEVELS);
    })
    .unwrap();
}

#[test]
fn a_canceled_task_ends_its_call_on_a_bigger_stack_first() {
    corio::scope(|s| {
        let task = s.spawn(|| {
            let answer = with_stack(BIG, || (corio::park(1), depth(LEVELS)));
            (answer.0.is_err(), answer.1)
        });
        task.cancel();
        assert_eq!(task.join().unwrap(), (true, LEVELS));
    })
    .unwrap();
}

#[test]
fn a_scheduler_runs_on_a_bigger_stack_of_a_task_and_outside() {
    let nested = || corio::run(|| with_stack(BIG, || depth(LEVELS))).unwrap();
    assert_eq!(with_stack(BIG, nested), LEVELS);
    assert_eq!(corio::run(|| with_stack(BIG, nested)).unwrap(), LEVELS);
}

#[test]
fn while_the_thread_unwinds_a_bigger_stack_is_there_as_well() {
    let reached = Cell::new(0);
    corio::scope(|s| {
        let task = s.spawn(|| {
            let _on_drop = OnDrop(|| reached.set(with_stack(BIG, || depth(LEVELS))));
            unwind("on purpose")
        });
        assert!(task.join().is_err());
    })
    .unwrap();
    assert_eq!(reached.get(), LEVELS);
}

#[test]
fn a_bigger_stack_that_can_not_be_had_is_a_panic_of_the_task() {
    corio::scope(|s| {
        let task = s.spawn(|| with_stack(usize::MAX, || ()));
        assert!(task.join().is_err());
        assert_eq!(s.spawn(|| with_stack(BIG, || 5)).join().unwrap(), 5);
    })
    .unwrap();
}

#[test]
fn a_task_that_waits_has_touched_one_page_of_its_stack() {
    // Without the optimiser, whose work the promise is, frames are several times as large.
    let most = if cfg!(debug_assertions) { 4 } else { 1 };
    let waits: [fn(); 6] = [
        || corio::park(1).unwrap(),
        corio::yield_now,
        || io::single(op::timeout(Duration::from_millis(1))).unwrap(),
        || {
            let pair = (op::timeout(Duration::from_millis(1)), op::timeout(Duration::ZERO));
            io::multi(pair).map(drop).unwrap();
        },
        || corio::spawn(corio::yield_now).unwrap().join().unwrap(),
        || corio::scope(|s| s.spawn(corio::yield_now).detach()).unwrap(),
    ];
    corio::scope(|s| {
        // In the second round the paths were all taken before.
        for _ in 0..2 {
            for (index, wait) in waits.into_iter().enumerate() {
                let task = s.spawn_with(SpawnOptions::new().measured(), wait).unwrap();
                assert!(!task.is_complete(), "{index} waits");
                let pages = task.stack_used().unwrap() / system::page();
                assert!((1..=most).contains(&pages), "{index} has touched {pages} pages");
                task.wakeup();
                task.join().unwrap();
            }
        }
    })
    .unwrap();
}

#[test]
fn what_a_measured_task_has_used_is_known_until_it_is_joined() {
    corio::scope(|s| {
        let measured = || SpawnOptions::new().measured();
        for kibibytes in [40, 10] {
            let task = s.spawn_with(measured(), move || use_stack(kibibytes)).unwrap();
            let used = task.stack_used().unwrap();
            // A frame in a debug build is several times what is in it.
            assert!((kibibytes * 1024..kibibytes * 8192).contains(&used), "{used}");
            let name = task.task();
            while !task.is_complete() {
                corio::yield_now();
            }
            assert!(corio::tasks().iter().any(|info| info.stack_used == name.stack_used()));
            assert!(task.stack_used() >= Some(used));
            task.join().unwrap();
            assert_eq!(name.stack_used(), None);
        }
        let other = s.spawn(|| corio::current().unwrap().stack_used());
        assert_eq!(other.join().unwrap(), None);
        // What runs on a bigger stack is not on the task's own.
        let task = s.spawn_with(measured(), || with_stack(1 << 20, || use_stack(100))).unwrap();
        assert!(task.stack_used().unwrap() < 100 * 1024);
        task.join().unwrap();
    })
    .unwrap();
}

#[test]
fn a_task_on_a_stack_of_the_users_leaves_nothing_there_that_is_used_again() {
    let mut stack = Stack::new(64 * 1024).unwrap();
    for round in 0..3_u8 {
        Scheduler::with(Options::default(), |scheduler| {
            let options = SpawnOptions::new().stack(&mut stack);
            let task = scheduler.spawn_with(options, || use_stack(8)).unwrap();
            scheduler.spawn(|| use_stack(8)).unwrap().detach();
            let _ended = scheduler.spawn(|| 1).unwrap();
            match round {
                0 => drop(task.join().unwrap()),
                1 => task.detach(),
                _ => std::mem::forget(task),
            }
            scheduler.run().unwrap();
        })
        .unwrap();
        assert!(stack.touched() >= 8 * 1024);
        stack.trim();
        assert_eq!(stack.touched(), 0);
    }
}

#[test]
fn a_panic_on_a_stack_of_the_users_is_the_joiners() {
    let mut stack = Stack::new(256 * 1024).unwrap();
    corio::scope(|s| {
        let options = SpawnOptions::new().stack(&mut stack).stack_size(1).measured();
        let task = s.spawn_with(options, || unwind("mine")).unwrap();
        assert!(task.stack_used() > Some(0));
        let Err(JoinError::Panicked(payload)) = task.join() else { panic!("it panicked") };
        assert_eq!(text(payload), "mine");
    })
    .unwrap();
}
