//! The soundness contract, attacked: memory, descriptors, threads, forks, signals, panics.
#![expect(unsafe_code, reason = "forks, sets timers, and looks at memory that it gave away")]

use std::cell::{Cell, RefCell};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::{Command, Output};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use corio_aio::{self as aio, Cause, Dynamic, Mode, op, op::Operation};

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
        Some(output) => assert!(output.status.success(), "{output:?}"),
    }
}

/// Runs `test`, which must abort with words of ours, in a process of its own.
fn aborts_alone(name: &str, test: impl FnOnce()) {
    match alone(name) {
        None => test(),
        Some(output) => {
            assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{output:?}");
            let words = String::from_utf8_lossy(&output.stderr);
            assert!(words.contains("corio: operations are in flight"), "{words}");
        }
    }
}

fn pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().expect("a pair of sockets")
}

/// Panics without a word.
fn unwind() -> ! {
    resume_unwind(Box::new("on purpose"))
}

/// Memory that is lent to a queue for ever and is looked at nevertheless.
struct Lent {
    start: *mut u8,
    len: usize,
}

impl Lent {
    const ALIGN: usize = 4096;

    fn new(len: usize, byte: u8) -> Lent {
        let memory: &'static mut [u8] = Vec::leak(vec![byte; len + Lent::ALIGN]);
        let skip = memory.as_ptr().align_offset(Lent::ALIGN);
        Lent { start: memory[skip..].as_mut_ptr(), len }
    }

    /// The memory, to be given to one operation.
    fn lend(&self) -> &'static mut [u8] {
        // SAFETY: it is leaked, and `look` is called after the operation is over only.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.len) }
    }

    /// What is in it, when no operation has it.
    fn look(&self) -> Vec<u8> {
        // SAFETY: it is leaked; the operation that had it is over, or this test fails.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }.to_vec()
    }
}

#[test]
fn a_forgotten_ticket_costs_its_place_and_no_more() {
    let (ours, mut theirs) = pair();
    let mut queue = Dynamic::new(2).unwrap();
    std::mem::forget(queue.queue(op::recv(ours, vec![0; 4])).unwrap());
    theirs.write_all(b"here").unwrap();
    assert_eq!(queue.complete_all().unwrap().len(), 1);
    for _ in 0..10 {
        let nop = queue.queue(op::nop()).unwrap();
        assert_eq!(queue.queue(op::nop()).unwrap_err().cause(), Cause::Full);
        queue.complete_all().unwrap();
        nop.take(&mut queue).unwrap();
    }
    assert_eq!(queue.len(), 1);
}

#[test]
fn a_forgotten_queue_lets_nothing_write_to_memory_of_others() {
    const LEN: usize = 4096;
    for _ in 0..20 {
        thread::spawn(|| {
            let (ours, mut theirs) = pair();
            let mut queue = Dynamic::new(8).unwrap();
            for _ in 0..8 {
                let recv = op::recv(ours.try_clone().unwrap(), vec![1; LEN]);
                std::mem::forget(queue.queue(recv).unwrap());
            }
            queue.complete(Mode::NonBlocking).unwrap();
            std::mem::forget(queue);
            let fresh: Vec<Vec<u8>> = (0..64).map(|_| vec![2; LEN]).collect();
            theirs.write_all(&[3; 2 * LEN]).unwrap();
            aio::single(op::timeout(Duration::from_millis(2))).unwrap();
            assert!(fresh.iter().all(|memory| memory.iter().all(|byte| *byte == 2)));
        })
        .join()
        .unwrap();
    }
}

#[test]
fn a_dropped_queue_is_done_with_its_buffers() {
    let (ours, mut theirs) = pair();
    let buffers: Vec<Lent> = (0..8).map(|_| Lent::new(64, 7)).collect();
    let mut queue = Dynamic::new(8).unwrap();
    for buffer in &buffers {
        let recv = op::recv(ours.try_clone().unwrap(), buffer.lend());
        let _ = queue.queue(recv).unwrap();
    }
    queue.complete(Mode::NonBlocking).unwrap();
    drop(queue);
    theirs.write_all(&[1; 64]).unwrap();
    let mut all = [0; 128];
    assert_eq!(aio::single(op::recv(&ours, &mut all)).unwrap(), 64);
    assert!(buffers.iter().all(|buffer| buffer.look() == [7; 64]));
}

#[test]
fn a_queue_of_a_thread_that_ends_is_done_with_its_buffers() {
    thread_local! {
        static QUEUE: RefCell<Option<Dynamic>> = const { RefCell::new(None) };
    }
    let (ours, mut theirs) = pair();
    let socket = ours.try_clone().unwrap();
    let ended = thread::spawn(move || {
        let buffer = Lent::new(64, 7);
        let mut queue = Dynamic::new(2).unwrap();
        let _ = queue.queue(op::recv(socket, buffer.lend())).unwrap();
        queue.complete(Mode::NonBlocking).unwrap();
        QUEUE.set(Some(queue));
        buffer.start as usize
    });
    let start = ended.join().unwrap() as *mut u8;
    theirs.write_all(&[1; 64]).unwrap();
    assert_eq!(aio::single(op::recv(&ours, &mut [0; 128])).unwrap(), 64);
    assert_eq!(Lent { start, len: 64 }.look(), [7; 64]);
}

#[test]
fn a_scope_that_ends_by_panic_returns_at_once_and_is_done_with_its_buffers() {
    let (ours, mut theirs) = pair();
    let (mut one, mut two) = ([7; 64], [7; 64]);
    let mut queue = Dynamic::new(8).unwrap();
    let start = Instant::now();
    let ended = catch_unwind(AssertUnwindSafe(|| {
        queue.scope(|queue| {
            let _ = queue.queue(op::recv(&ours, &mut one)).unwrap();
            let chain = (op::timeout(Duration::MAX).hard(), op::recv(&ours, &mut two));
            let _ = queue.queue_all(chain).unwrap();
            queue.complete(Mode::NonBlocking).unwrap();
            unwind()
        })
    }));
    assert_eq!(ended.unwrap_err().downcast_ref(), Some(&"on purpose"));
    assert!(start.elapsed() < Duration::from_secs(5));
    theirs.write_all(&[1; 64]).unwrap();
    assert_eq!(aio::single(op::recv(&ours, &mut [0; 128])).unwrap(), 64);
    assert_eq!((one, two), ([7; 64], [7; 64]));
    assert!(queue.is_empty());
    let nop = queue.queue(op::nop()).unwrap();
    queue.complete_all().unwrap();
    nop.take(&mut queue).unwrap();
}

#[test]
fn a_scope_that_panics_before_anything_was_handed_over_is_done_with_its_buffers() {
    let (ours, mut theirs) = pair();
    let mut buf = [7; 64];
    let mut queue = Dynamic::new(8).unwrap();
    let ended = catch_unwind(AssertUnwindSafe(|| {
        queue.scope(|queue| {
            let _ = queue.queue(op::recv(&ours, &mut buf)).unwrap();
            unwind()
        })
    }));
    ended.unwrap_err();
    theirs.write_all(&[1; 64]).unwrap();
    drop(queue);
    assert_eq!(aio::single(op::recv(&ours, &mut [0; 128])).unwrap(), 64);
    assert_eq!(buf, [7; 64]);
}

/// What a scope borrows and drops, maybe with a panic.
struct Guarded<'a> {
    socket: &'a UnixStream,
    drops: &'a Cell<u32>,
    panics: bool,
}

impl AsFd for Guarded<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Guarded<'_> {
    fn drop(&mut self) {
        self.drops.set(self.drops.get() + 1);
        if self.panics {
            unwind();
        }
    }
}

#[test]
fn a_scope_drops_nothing_after_its_end_though_a_drop_panics_in_it() {
    let (socket, _peer) = pair();
    let drops = Cell::new(0);
    let mut queue = Dynamic::new(8).unwrap();
    let ended = catch_unwind(AssertUnwindSafe(|| {
        queue.scope(|queue| {
            for panics in [true, false, false] {
                let handle = Guarded { socket: &socket, drops: &drops, panics };
                let _ = queue.queue(op::send(handle, b"x")).unwrap();
            }
        });
    }));
    ended.unwrap_err();
    let in_scope = drops.get();
    queue.complete_all().unwrap();
    drop(queue);
    assert_eq!(drops.get(), in_scope, "what was borrowed is dropped after the borrow has ended");
}

const DIRECT: usize = 2 << 20;

/// A file that is read past all caches.
fn direct_file() -> (tempfile::TempDir, File) {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let path = dir.path().join("direct");
    fs::write(&path, vec![1; DIRECT]).expect("room for a file");
    File::open(&path).and_then(|file| file.sync_all()).expect("a file");
    let open = OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(&path);
    (dir, open.expect("a file system that knows O_DIRECT"))
}

/// That nothing writes to the buffers any more.
fn assert_still(buffers: &[Lent]) {
    let before: Vec<Vec<u8>> = buffers.iter().map(Lent::look).collect();
    thread::sleep(Duration::from_millis(300));
    for (buffer, before) in buffers.iter().zip(before) {
        assert!(buffer.look() == before, "the kernel has written after the teardown");
    }
}

#[test]
fn direct_reads_in_flight_when_a_queue_is_dropped_write_nothing_afterwards() {
    let (_dir, file) = direct_file();
    let buffers: Vec<Lent> = (0..64).map(|_| Lent::new(DIRECT, 7)).collect();
    let mut queue = Dynamic::new(64).unwrap();
    for buffer in &buffers {
        let _ = queue.queue(op::read(file.try_clone().unwrap(), buffer.lend()).at(0)).unwrap();
    }
    queue.complete(Mode::NonBlocking).unwrap();
    drop(queue);
    assert_still(&buffers);
}

#[test]
fn direct_reads_in_flight_when_a_scope_panics_write_nothing_afterwards() {
    let (_dir, file) = direct_file();
    let buffers: Vec<Lent> = (0..64).map(|_| Lent::new(DIRECT, 7)).collect();
    let mut queue = Dynamic::new(64).unwrap();
    let ended = catch_unwind(AssertUnwindSafe(|| {
        queue.scope(|queue| {
            for buffer in &buffers {
                let _ = queue.queue(op::read(&file, buffer.lend()).at(0)).unwrap();
            }
            queue.complete(Mode::NonBlocking).unwrap();
            unwind()
        })
    }));
    ended.unwrap_err();
    assert_still(&buffers);
}

/// What a forked child sees of its parent's rings.
fn as_child(mut queue: Dynamic, received: aio::Ticket<op::Recv<UnixStream, Vec<u8>>>) {
    assert_eq!(queue.queue(op::nop()).unwrap_err().cause(), Cause::Forked);
    let done = queue.complete(Mode::Blocking).expect("an answer");
    assert!(done.len() == 1 && done[0].failed);
    let (result, recv) = received.recover(&mut queue).expect("the operation");
    assert_eq!((result.unwrap_err().cause(), recv.buf), (Cause::Forked, vec![7; 4]));
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
    succeeds_alone("a_forked_child_is_refused_and_its_parent_undisturbed", || {
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
    succeeds_alone("a_scope_in_a_forked_child_ends", || {
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

/// Makes an immediate call when its thread's values are destroyed.
struct AtExit(RefCell<Option<Sender<Result<(), aio::Error>>>>);

impl Drop for AtExit {
    fn drop(&mut self) {
        let result = aio::multi((op::nop().soft(), op::timeout(Duration::ZERO))).map(drop);
        if let Some(told) = self.0.take() {
            told.send(result).expect("a test that waits");
        }
    }
}

#[test]
fn an_immediate_call_in_the_destructor_of_a_thread_local_works() {
    thread_local! {
        static BEFORE: AtExit = const { AtExit(RefCell::new(None)) };
        static AFTER: AtExit = const { AtExit(RefCell::new(None)) };
    }
    let (tell, told) = channel();
    thread::spawn(move || {
        BEFORE.with(|exit| exit.0.replace(Some(tell.clone())));
        aio::single(op::nop()).unwrap();
        AFTER.with(|exit| exit.0.replace(Some(tell)));
    })
    .join()
    .unwrap();
    assert_eq!(told.iter().collect::<Vec<_>>(), [Ok(()), Ok(())]);
}

/// Makes immediate and queued calls when it is dropped.
struct InDrop<'a>(&'a Cell<bool>);

impl Drop for InDrop<'_> {
    fn drop(&mut self) {
        let (ours, theirs) = pair();
        let mut buf = [0; 4];
        let moved = aio::multi((op::send(&ours, b"hey").soft(), op::recv(&theirs, &mut buf)));
        let mut queue = Dynamic::new(2).expect("a ring");
        let _ = queue.queue(op::recv(ours, vec![0; 4])).expect("room");
        queue.complete(Mode::NonBlocking).expect("a ring");
        drop(queue);
        self.0.set(thread::panicking() && moved == Ok((3, 3)));
    }
}

#[test]
fn operations_in_a_drop_while_unwinding_work() {
    let worked = Cell::new(false);
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let _in_drop = InDrop(&worked);
        unwind()
    }));
    ended.unwrap_err();
    assert!(worked.get());
}

#[test]
fn a_batch_whose_first_operation_fails_is_done_with_all_its_buffers() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (ours, mut theirs) = pair();
    let (mut one, mut two) = ([7; 8], [7; 8]);
    let (failed, canceled, parallel, _) = aio::complete((
        op::write(&full, b"x").soft(),
        op::recv(&ours, &mut one),
        op::recv(&ours, &mut two).soft(),
        op::link_timeout(Duration::from_millis(5)),
    ))
    .unwrap();
    assert_eq!(failed.unwrap_err().cause(), Cause::Os(libc::ENOSPC));
    assert_eq!(canceled.unwrap_err().cause(), Cause::Canceled);
    assert_eq!(parallel.unwrap_err().cause(), Cause::Canceled);
    theirs.write_all(&[1; 8]).unwrap();
    assert_eq!(aio::single(op::recv(&ours, &mut [0; 16])).unwrap(), 8);
    assert_eq!((one, two), ([7; 8], [7; 8]));
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
    aborts_alone("a_handle_that_panics_in_an_immediate_call_aborts_with_words", || {
        let (ours, _theirs) = pair();
        let mut buf = [0; 4];
        let _ = aio::complete((op::recv(&ours, &mut buf), op::send(Panics, b"x")));
    });
}

#[test]
fn a_handle_that_panics_in_a_queue_aborts_with_words() {
    aborts_alone("a_handle_that_panics_in_a_queue_aborts_with_words", || {
        let (ours, _theirs) = pair();
        let mut queue = Dynamic::new(2).unwrap();
        let _ = queue.queue_all((op::recv(ours, vec![0; 4]), op::send(Panics, b"x")));
    });
}

#[test]
fn threads_that_end_leave_no_descriptor() {
    succeeds_alone("threads_that_end_leave_no_descriptor", || {
        let count = || fs::read_dir("/proc/self/fd").unwrap().count();
        let before = count();
        for _ in 0..4 {
            let threads: Vec<_> = (0..25)
                .map(|_| thread::spawn(|| aio::single(op::timeout(Duration::from_micros(50)))))
                .collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap().unwrap());
        }
        assert_eq!(count(), before);
    });
}

extern "C" fn ignore(_: libc::c_int) {}

/// Interrupts every call of the process each millisecond.
fn interrupt_each_millisecond() {
    // SAFETY: all zero is an action without flags and with an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = ignore as extern "C" fn(libc::c_int) as usize;
    // SAFETY: the handler does nothing.
    let set = unsafe { libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut()) };
    assert_eq!(set, 0);
    let each = libc::timeval { tv_sec: 0, tv_usec: 1_000 };
    let timer = libc::itimerval { it_interval: each, it_value: each };
    // SAFETY: the timer is a local that is read.
    let set = unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
    assert_eq!(set, 0);
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
    succeeds_alone("signals_change_nothing", || {
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
