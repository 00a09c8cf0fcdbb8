//! Forks, aborts, signals, each in a process of its own.

use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use corio_aio::{self as aio, Cause, Dynamic, Mode, op, op::Operation};

use crate::system::{Stream, interrupt_each_millisecond, open_descriptors, pair};

/// Says to a test that it is in a process of its own.
const ALONE: &str = "CORIO_TEST_IS_ALONE";

/// Runs the test `name` in a process of its own and yields how that went; nothing in that process.
fn alone(name: &str) -> Option<Output> {
    if std::env::var_os(ALONE).is_some() {
        return None;
    }
    let program = std::env::current_exe().expect("a path");
    let mut test = Command::new(program);
    test.args([name, "--exact", "--test-threads=1", "--nocapture"]).env(ALONE, "1");
    Some(test.output().expect("a process"))
}

/// Runs `test`, which must not fail, in a process of its own.
fn succeeds_alone(name: &str, test: impl FnOnce()) {
    match alone(name) {
        None => test(),
        Some(output) => {
            let words = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && words.contains("1 passed"), "{output:?}");
        }
    }
}

/// Runs `test`, which must abort with words of ours, in a process of its own.
fn aborts_alone(name: &str, test: impl FnOnce()) {
    match alone(name) {
        None => test(),
        Some(output) => {
            assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{output:?}");
            let words = String::from_utf8_lossy(&output.stderr);
            assert!(words.contains("corio: memory that is in use"), "{words}");
        }
    }
}

/// Panics without a word.
fn unwind() -> ! {
    resume_unwind(Box::new("on purpose"))
}

/// What a forked child sees of its parent's rings.
fn as_child(mut queue: Dynamic, received: aio::Ticket<op::Recv<Stream, Vec<u8>>>) {
    assert_eq!(queue.queue(op::nop()).map_err(|error| error.cause()).err(), Some(Cause::Forked));
    let done = queue.complete(Mode::Blocking).expect("an answer");
    assert!(done.len() == 1 && done[0].failed);
    let (result, recv) = received.recover(&mut queue).expect("the operation");
    assert_eq!(result.map_err(|error| error.cause()), Err(Cause::Forked));
    assert_eq!(recv.buf, [7; 4]);
    assert!(queue.is_empty());
    drop(queue);
    let (ours, theirs) = pair();
    let mut buf = [0; 8];
    let moved = aio::multi((op::send(&ours, b"child").soft(), op::recv(&theirs, &mut buf)));
    assert_eq!(moved, Ok((5, 5)));
    let mut fresh = Dynamic::new(1).expect("a ring of the child's own");
    let nop = fresh.queue(op::nop()).expect("room");
    fresh.complete_all().expect("a ring");
    assert_eq!(nop.take(&mut fresh), Ok(()));
}

#[test]
fn a_forked_child_is_refused_and_its_parent_undisturbed() {
    succeeds_alone("unix::a_forked_child_is_refused_and_its_parent_undisturbed", || {
        let (ours, mut theirs) = pair();
        aio::single(op::nop()).unwrap();
        let mut queue = Dynamic::new(4).unwrap();
        let received = queue.queue(op::recv(ours, vec![7; 4])).unwrap();
        queue.complete(Mode::NonBlocking).unwrap();
        // SAFETY: the only other thread waits for this one and holds no lock; the child ends by
        // `_exit`.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let seen = catch_unwind(AssertUnwindSafe(|| as_child(queue, received)));
            // SAFETY: nothing of the parent's is to be run.
            unsafe { libc::_exit(i32::from(seen.is_err())) };
        }
        let mut status = -1;
        // SAFETY: the status is written to a local.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0, "the child has failed");
        theirs.write_all(b"here").unwrap();
        assert_eq!(queue.complete_all().unwrap().len(), 1);
        let (n, recv) = received.recover(&mut queue).unwrap();
        assert_eq!((n, &recv.buf[..]), (Ok(4), &b"here"[..]));
        aio::single(op::nop()).unwrap();
    });
}

#[test]
fn a_scope_in_a_forked_child_ends() {
    succeeds_alone("unix::a_scope_in_a_forked_child_ends", || {
        let (ours, mut theirs) = pair();
        let (mut buf, mut child) = ([7; 4], -1);
        let mut queue = Dynamic::new(4).unwrap();
        queue.scope(|queue| {
            let _ = queue.queue(op::recv(&ours, &mut buf)).unwrap();
            queue.complete(Mode::NonBlocking).unwrap();
            // SAFETY: as in the test before.
            child = unsafe { libc::fork() };
            if child != 0 {
                theirs.write_all(b"here").unwrap();
            }
        });
        if child == 0 {
            // SAFETY: nothing of the parent's is to be run.
            unsafe { libc::_exit(i32::from(buf != [7; 4])) };
        }
        let mut status = -1;
        // SAFETY: the status is written to a local.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!((status, &buf), (0, b"here"));
    });
}

/// A handle that panics when it is asked for its descriptor.
struct Panics;

impl AsFd for Panics {
    fn as_fd(&self) -> BorrowedFd<'_> {
        unwind()
    }
}

#[test]
fn a_handle_that_panics_in_an_immediate_call_aborts_with_words() {
    aborts_alone("unix::a_handle_that_panics_in_an_immediate_call_aborts_with_words", || {
        let (ours, _theirs) = pair();
        let mut buf = [0; 4];
        let _ = aio::complete((op::recv(&ours, &mut buf), op::send(Panics, b"x")));
    });
}

#[test]
fn a_handle_that_panics_in_a_queue_aborts_with_words() {
    aborts_alone("unix::a_handle_that_panics_in_a_queue_aborts_with_words", || {
        let (ours, _theirs) = pair();
        let mut queue = Dynamic::new(2).unwrap();
        let _ = queue.queue_all((op::recv(ours, vec![0; 4]), op::send(Panics, b"x")));
    });
}

#[test]
fn threads_that_end_leave_no_descriptor() {
    succeeds_alone("unix::threads_that_end_leave_no_descriptor", || {
        let before = open_descriptors();
        for _ in 0..4 {
            let threads: Vec<_> = (0..25)
                .map(|_| thread::spawn(|| aio::single(op::timeout(Duration::from_micros(50)))))
                .collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap().unwrap());
        }
        assert_eq!(open_descriptors(), before);
    });
}

/// The signal goes to any thread: this one takes them all.
fn take_no_signals() {
    // SAFETY: all zero is a valid set, and is emptied and filled below.
    let mut signals: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is a local.
    assert_eq!(unsafe { libc::sigaddset(&raw mut signals, libc::SIGALRM) }, 0);
    let block = libc::SIG_BLOCK;
    // SAFETY: the set is a local that is read.
    let set = unsafe { libc::pthread_sigmask(block, &raw const signals, std::ptr::null_mut()) };
    assert_eq!(set, 0);
}

#[test]
fn signals_change_nothing() {
    succeeds_alone("unix::signals_change_nothing", || {
        let (ours, mut theirs) = pair();
        let sender = thread::spawn(move || {
            take_no_signals();
            for _ in 0..20 {
                thread::sleep(Duration::from_millis(5));
                theirs.write_all(b"hey").expect("a peer");
            }
        });
        interrupt_each_millisecond();
        let mut queue = Dynamic::new(4).unwrap();
        for length_ms in [0, 1, 2, 3, 5, 8, 20] {
            let (start, length) = (Instant::now(), Duration::from_millis(length_ms));
            aio::single(op::timeout(length)).unwrap();
            assert!(start.elapsed() >= length);
            let timeout = queue.queue(op::timeout(length)).unwrap();
            assert_eq!(queue.complete(Mode::Blocking).unwrap().len(), 1);
            timeout.take(&mut queue).unwrap();
        }
        let mut all = [0; 60];
        assert_eq!(aio::single(op::recv(&ours, &mut all).wait_all()).unwrap(), 60);
        sender.join().unwrap();
        let (bytes, mut back) = (vec![1; 8 << 20], vec![0; 8 << 20]);
        let (one, other) = pair();
        for _ in 0..5 {
            let sent = op::send(&one, &bytes).wait_all();
            let moved = aio::multi((sent, op::recv(&other, &mut back).wait_all()));
            assert_eq!(moved.unwrap(), (bytes.len(), bytes.len()));
        }
    });
}
