//! Coroutines of another library inside of ours: their frames may end in another order.

use std::mem;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::scene::alone;
use crate::system::was_aborted;

type Foreign = Coroutine<(), (), (), DefaultStack>;

/// A coroutine that suspends itself, by its own library's means, inside of what `enter` opens.
fn suspended_in(enter: impl Fn(&dyn Fn()) + 'static) -> Foreign {
    let mut foreign = Foreign::new(move |yielder: &Yielder<(), ()>, ()| {
        enter(&|| yielder.suspend(()));
    });
    assert!(matches!(foreign.resume(()), CoroutineResult::Yield(())));
    foreign
}

/// That the test `name` ends the process, with a word on why.
fn aborts_alone(name: &str, test: impl FnOnce() -> Foreign) {
    let Some(outcome) = alone(name) else {
        // It is suspended for good.
        mem::forget(test());
        panic!("what it is in has ended first");
    };
    assert!(was_aborted(outcome.status), "{}", outcome.status);
    let words = ["in another order", "before the calls that it was in"];
    assert!(words.iter().any(|words| outcome.words.contains(words)), "no word");
}

#[test]
fn regions_that_end_in_another_order_end_the_process() {
    aborts_alone("foreign::regions_that_end_in_another_order_end_the_process", || {
        let shielded = || corio::shield(|| suspended_in(|suspend| corio::shield(suspend)));
        corio::run(shielded).unwrap()
    });
}

#[test]
fn a_task_that_ends_before_its_region_ends_the_process() {
    aborts_alone("foreign::a_task_that_ends_before_its_region_ends_the_process", || {
        corio::run(|| suspended_in(|suspend| corio::shield(suspend))).unwrap()
    });
}

#[test]
fn a_task_that_ends_before_a_call_on_a_bigger_stack_ends_the_process() {
    let name = "foreign::a_task_that_ends_before_a_call_on_a_bigger_stack_ends_the_process";
    aborts_alone(name, || {
        corio::run(|| suspended_in(|suspend| corio::with_stack(1 << 20, suspend))).unwrap()
    });
}

#[test]
fn a_scheduler_that_ends_before_a_scope_in_it_ends_the_process() {
    aborts_alone("foreign::a_scheduler_that_ends_before_a_scope_in_it_ends_the_process", || {
        let inner = |suspend: &dyn Fn()| corio::scope(|_| suspend()).unwrap();
        corio::scope(|_| suspended_in(inner)).unwrap()
    });
}

#[test]
fn schedulers_that_end_in_another_order_end_the_process() {
    aborts_alone("foreign::schedulers_that_end_in_another_order_end_the_process", || {
        let inner = |suspend: &dyn Fn()| {
            let options = corio::Options::default();
            corio::Scheduler::with(options, |_| suspend()).unwrap();
        };
        corio::scope(|_| suspended_in(inner)).unwrap()
    });
}

#[test]
fn a_coroutine_of_another_library_may_wait_in_a_task() {
    let waited = corio::run(|| {
        let mut foreign = Foreign::new(|yielder: &Yielder<(), ()>, ()| {
            corio::yield_now();
            yielder.suspend(());
            corio::yield_now();
        });
        assert!(matches!(foreign.resume(()), CoroutineResult::Yield(())));
        corio::yield_now();
        matches!(foreign.resume(()), CoroutineResult::Return(()))
    });
    assert!(waited.unwrap());
}
