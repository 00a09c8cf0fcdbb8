//! Stacks that overflow: the process says whose it was, and dies; nothing else is touched.

use std::hint::black_box;
use std::ptr;

use corio::{Guards, Options, Scheduler, SpawnOptions};

use crate::scene::{Outcome, alone};
use crate::system::{has_faulted, has_overflowed};

pub const SIZE: usize = 64 * 1024;

/// Takes more and more of the stack.
pub fn overflow(depth: usize) -> usize {
    let frame = black_box([depth; 64]);
    if depth == usize::MAX { 0 } else { overflow(depth + 1) + frame[depth % 64] }
}

/// Takes a frame that is larger than a guard page, and than all stacks around.
fn overflow_at_once() -> usize {
    black_box([7_u8; 512 * 1024])[black_box(5)].into()
}

/// Runs `main` as a task on a stack of `SIZE`.
pub fn run(guards: Guards, main: fn() -> usize) {
    let options = Options { stack_size: SIZE, guards, ..Options::default() };
    let ended = Scheduler::with(options, |scheduler| scheduler.spawn(main).unwrap().join());
    panic!("an overflow ends the process: {ended:?}");
}

/// That the process died of the overflow, as without us, after it said this.
pub fn assert_reported(outcome: &Outcome, words: &[&str]) {
    assert!(has_overflowed(outcome.status), "{outcome:?}");
    let report = outcome.words.lines().find(|line| line.contains("corio: "));
    let report = report.unwrap_or_else(|| panic!("no report: {outcome:?}"));
    assert!(words.iter().all(|word| report.contains(word)), "{report}");
}

pub const TASK: &str = concat!("the task spawned at ", file!(), ":");
pub const OF_SIZE: &str = "has overflowed its stack of 65536 bytes; give it more with ";

#[test]
fn a_stack_that_overflows_ends_the_process_with_a_report() {
    let name = "overflow::a_stack_that_overflows_ends_the_process_with_a_report";
    let Some(outcome) = alone(name) else { return run(Guards::Batched, || overflow(0)) };
    let ways = "SpawnOptions::stack_size, Options::stack_size or corio::with_stack";
    assert_reported(&outcome, &[TASK, OF_SIZE, ways]);
}

#[test]
fn the_report_has_the_name_of_the_task_and_the_size_that_it_asked_for() {
    let name = "overflow::the_report_has_the_name_of_the_task_and_the_size_that_it_asked_for";
    let Some(outcome) = alone(name) else {
        let ended = corio::scope(|s| {
            let options = SpawnOptions::new().name("parser").stack_size(SIZE);
            s.spawn_with(options, || overflow(0)).unwrap().join()
        });
        panic!("an overflow ends the process: {ended:?}");
    };
    let task = concat!("task 'parser' (spawned at ", file!(), ":");
    assert_reported(&outcome, &[task, OF_SIZE]);
}

#[test]
fn an_overflow_of_a_stack_whose_guard_is_a_mapping_is_reported() {
    let name = "overflow::an_overflow_of_a_stack_whose_guard_is_a_mapping_is_reported";
    let Some(outcome) = alone(name) else { return run(Guards::Protected, || overflow(0)) };
    assert_reported(&outcome, &[TASK, OF_SIZE]);
}

#[test]
fn a_large_frame_does_not_step_over_the_guard() {
    let name = "overflow::a_large_frame_does_not_step_over_the_guard";
    let Some(outcome) = alone(name) else { return run(Guards::Batched, overflow_at_once) };
    assert_reported(&outcome, &[TASK, OF_SIZE]);
}

#[test]
fn an_overflow_of_a_bigger_stack_is_its_tasks() {
    let name = "overflow::an_overflow_of_a_bigger_stack_is_its_tasks";
    let Some(outcome) = alone(name) else {
        return run(Guards::Batched, || {
            corio::with_stack(1 << 20, || {
                corio::yield_now();
                overflow(0)
            })
        });
    };
    assert_reported(&outcome, &[TASK, "has overflowed its stack of 1048576 bytes"]);
}

#[test]
fn after_a_bigger_stack_the_usual_one_counts_again() {
    let name = "overflow::after_a_bigger_stack_the_usual_one_counts_again";
    let Some(outcome) = alone(name) else {
        return run(Guards::Batched, || corio::with_stack(1 << 20, || black_box(0)) + overflow(0));
    };
    assert_reported(&outcome, &[TASK, OF_SIZE]);
}

#[test]
fn a_task_that_runs_a_scheduler_overflows_as_itself() {
    let name = "overflow::a_task_that_runs_a_scheduler_overflows_as_itself";
    let Some(outcome) = alone(name) else {
        return run(Guards::Batched, || {
            Scheduler::with(Options::default(), |_| overflow(0)).unwrap()
        });
    };
    assert_reported(&outcome, &[TASK, OF_SIZE]);
}

#[test]
fn a_bigger_stack_outside_of_tasks_is_reported_as_well() {
    let name = "overflow::a_bigger_stack_outside_of_tasks_is_reported_as_well";
    let Some(outcome) = alone(name) else {
        corio::scope(|_| corio::with_stack(SIZE, || overflow(0))).unwrap();
        return;
    };
    assert_reported(&outcome, &["code outside of tasks", OF_SIZE]);
}

#[test]
fn a_fault_that_nobody_handles_ends_the_process_as_ever() {
    let name = "overflow::a_fault_that_nobody_handles_ends_the_process_as_ever";
    let Some(outcome) = alone(name) else {
        corio::run(|| {
            // SAFETY: there is nothing at this address, and never will be.
            unsafe { ptr::with_exposed_provenance::<u8>(black_box(8)).read_volatile() }
        })
        .unwrap();
        return;
    };
    assert!(has_faulted(outcome.status), "{outcome:?}");
    assert!(!outcome.words.contains("corio: "), "{outcome:?}");
}
