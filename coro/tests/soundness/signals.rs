//! Stacks that overflow under handlers of signals, the program's own among them.

use std::ffi::c_void;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::{mem, process, ptr};

use corio::{Guards, Options, Scheduler};

use crate::overflow::{OF_SIZE, SIZE, TASK, assert_reported, overflow, run};
use crate::scene::{alone, succeeds_alone};
use crate::system::page;

/// Runs `main` on a thread that has no stack for handlers yet.
fn on_a_foreign_thread(main: extern "C" fn(*mut c_void) -> *mut c_void) {
    let mut thread = MaybeUninit::uninit();
    let (attributes, argument) = (ptr::null(), ptr::null_mut());
    // SAFETY: the function takes what it is given, and needs nothing of this frame.
    let error = unsafe { libc::pthread_create(thread.as_mut_ptr(), attributes, main, argument) };
    assert_eq!(error, 0);
    // SAFETY: the call that succeeded wrote it.
    let thread = unsafe { thread.assume_init() };
    // SAFETY: the thread was started, and nobody else joins it.
    assert_eq!(unsafe { libc::pthread_join(thread, ptr::null_mut()) }, 0);
}

#[test]
fn a_thread_that_the_standard_library_did_not_start_reports_too() {
    extern "C" fn main(_: *mut c_void) -> *mut c_void {
        run(Guards::Batched, || overflow(0));
        ptr::null_mut()
    }
    let name = "signals::a_thread_that_the_standard_library_did_not_start_reports_too";
    let Some(outcome) = alone(name) else { return on_a_foreign_thread(main) };
    assert_reported(&outcome, &[TASK, OF_SIZE]);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "only Linux lists the mappings of a process")]
fn such_a_thread_leaves_no_mapping_behind() {
    extern "C" fn main(_: *mut c_void) -> *mut c_void {
        corio::run(|| ()).unwrap();
        ptr::null_mut()
    }
    succeeds_alone("signals::such_a_thread_leaves_no_mapping_behind", || {
        let mappings = || std::fs::read_to_string("/proc/self/maps").unwrap().lines().count();
        on_a_foreign_thread(main);
        let before = mappings();
        (0..50).for_each(|_| on_a_foreign_thread(main));
        assert!(mappings() < before + 10, "{before}, and then {}", mappings());
    });
}

/// Sets a handler up for faults; yields the one before.
fn handle(handler: extern "C" fn(libc::c_int)) -> usize {
    // SAFETY: all zeros is a handler without flags and without a mask.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = libc::SA_ONSTACK;
    // SAFETY: all zeros is a handler.
    let mut before: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: the handlers of these tests read memory that stays, and end the process.
    unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, &raw mut before) };
    before.sa_sigaction
}

const SEEN: i32 = 55;

extern "C" fn see(_signal: libc::c_int) {
    // SAFETY: the call ends the process.
    unsafe { libc::_exit(SEEN) };
}

#[test]
fn a_fault_that_is_no_overflow_goes_to_who_handled_it_before() {
    let name = "signals::a_fault_that_is_no_overflow_goes_to_who_handled_it_before";
    let Some(outcome) = alone(name) else {
        handle(see);
        corio::run(|| {
            // SAFETY: the signal is handled.
            unsafe { libc::raise(libc::SIGSEGV) }
        })
        .unwrap();
        return;
    };
    assert_eq!(outcome.status.code(), Some(SEEN), "{outcome:?}");
    assert!(!outcome.words.contains("corio: "), "{outcome:?}");
}

/// Where the neighbours of a stack that overflows keep their bytes, the lowest first.
static NEIGHBOURS: [AtomicPtr<u8>; 4] = [const { AtomicPtr::new(ptr::null_mut()) }; 4];
/// The handler of the scheduler.
static REPORT: AtomicUsize = AtomicUsize::new(0);
const KEPT: usize = 4096;
const CHANGED: i32 = 1;
const BETWEEN: &str = concat!("the task spawned at ", file!(), ":");

/// Looks, after an overflow, at the bytes of the neighbours; then lets the report come.
extern "C" fn look(signal: libc::c_int) {
    let is_untouched = NEIGHBOURS.iter().all(|start| {
        let start = start.load(Ordering::Relaxed);
        // SAFETY: the task that keeps the bytes is parked, and will not go on.
        let bytes = unsafe { std::slice::from_raw_parts(start, KEPT) };
        bytes.iter().all(|byte| *byte == 7)
    });
    if !is_untouched {
        // SAFETY: the call ends the process.
        unsafe { libc::_exit(CHANGED) };
    }
    // SAFETY: all zeros is a handler without flags and without a mask.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = REPORT.load(Ordering::Relaxed);
    action.sa_flags = libc::SA_ONSTACK | libc::SA_SIGINFO;
    // SAFETY: it is the handler that was there before; the fault comes again, to it.
    unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
}

/// Parks tasks on stacks side by side, and lets one between them overflow.
fn overflow_between_neighbours(guards: Guards) {
    let options = Options { stack_size: SIZE, guards, ..Options::default() };
    let ended = Scheduler::with(options, |scheduler| {
        REPORT.store(handle(look), Ordering::Relaxed);
        let keep = |place: &'static AtomicPtr<u8>| {
            let task = scheduler.spawn(move || {
                let mut kept = black_box([7_u8; KEPT]);
                place.store(kept.as_mut_ptr(), Ordering::Relaxed);
                let _ = corio::park(0);
                black_box(kept)[0]
            });
            mem::forget(task);
        };
        NEIGHBOURS[..2].iter().for_each(keep);
        let between = scheduler.spawn(|| {
            corio::yield_now();
            overflow(0)
        });
        NEIGHBOURS[2..].iter().for_each(keep);
        let places = NEIGHBOURS.each_ref().map(|place| place.load(Ordering::Relaxed).addr());
        let distance = SIZE + page();
        if places[1] != places[0] + distance || places[2] != places[1] + 2 * distance {
            process::exit(CHANGED);
        }
        between.unwrap().join()
    });
    panic!("an overflow ends the process: {ended:?}");
}

#[test]
fn a_stack_that_overflows_leaves_its_neighbours_alone() {
    let name = "signals::a_stack_that_overflows_leaves_its_neighbours_alone";
    let Some(outcome) = alone(name) else { return overflow_between_neighbours(Guards::Batched) };
    assert_reported(&outcome, &[BETWEEN, OF_SIZE]);
}

#[test]
fn a_guard_that_is_a_mapping_protects_the_neighbours() {
    let name = "signals::a_guard_that_is_a_mapping_protects_the_neighbours";
    let Some(outcome) = alone(name) else { return overflow_between_neighbours(Guards::Protected) };
    assert_reported(&outcome, &[BETWEEN, OF_SIZE]);
}
