//! The soundness contract, attacked: what is forgotten, dropped, or left by a panic.
#![expect(unsafe_code, reason = "looks at memory that it gave away")]

#[cfg(any(unix, target_os = "wasi"))]
mod fds;
#[path = "../system/mod.rs"]
mod system;

use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use corio_aio::{self as aio, Cause, Dynamic, Mode, op, op::Operation};

use crate::system::{Code, pair};

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
#[cfg_attr(target_env = "p1", ignore = "no sockets can be made")]
fn a_forgotten_ticket_costs_its_place_and_no_more() {
    let (ours, mut theirs) = pair();
    let mut queue = Dynamic::new(2).unwrap();
    let _ = queue.queue(op::recv(ours, vec![0; 4])).unwrap();
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
#[cfg_attr(target_os = "wasi", ignore = "there are no threads")]
fn a_forgotten_queue_lets_nothing_write_to_memory_of_others() {
    const LEN: usize = 4096;
    for _ in 0..20 {
        thread::spawn(|| {
            let (ours, mut theirs) = pair();
            let mut queue = Dynamic::new(8).unwrap();
            for _ in 0..8 {
                let recv = op::recv(ours.try_clone().unwrap(), vec![1; LEN]);
                let _ = queue.queue(recv).unwrap();
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
#[cfg_attr(target_os = "wasi", ignore = "a descriptor can't be duplicated")]
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
#[cfg_attr(target_os = "wasi", ignore = "there are no threads")]
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
#[cfg_attr(target_os = "wasi", ignore = "a panic ends the program")]
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
#[cfg_attr(target_os = "wasi", ignore = "a panic ends the program")]
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

const DIRECT: usize = 2 << 20;

/// A file that is read past all caches.
fn direct_file() -> (tempfile::TempDir, File) {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let path = dir.path().join("direct");
    fs::write(&path, vec![1; DIRECT]).expect("room for a file");
    File::options().write(true).open(&path).and_then(|file| file.sync_all()).expect("a file");
    let file = system::open_past_caches(&path);
    (dir, file)
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
#[cfg_attr(target_os = "wasi", ignore = "no read goes past the host's cache")]
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
#[cfg_attr(target_os = "wasi", ignore = "a panic ends the program")]
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
#[cfg_attr(target_os = "wasi", ignore = "there are no threads")]
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
#[cfg_attr(target_os = "wasi", ignore = "a panic ends the program")]
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
#[cfg_attr(target_env = "p1", ignore = "no sockets can be made")]
fn a_batch_whose_first_operation_fails_is_done_with_all_its_buffers() {
    let full = system::full();
    let (ours, mut theirs) = pair();
    let (mut one, mut two) = ([7; 8], [7; 8]);
    let (failed, canceled, parallel, _) = aio::complete((
        op::write(&full, b"x").soft(),
        op::recv(&ours, &mut one),
        op::recv(&ours, &mut two).soft(),
        op::link_timeout(Duration::from_millis(5)),
    ))
    .unwrap();
    let Cause::Os(code) = failed.unwrap_err().cause() else { panic!("it has a code") };
    assert_eq!(Code::one_of(&[code]), Code::FULL);
    assert_eq!(canceled.unwrap_err().cause(), Cause::Canceled);
    assert_eq!(parallel.unwrap_err().cause(), Cause::Canceled);
    theirs.write_all(&[1; 8]).unwrap();
    assert_eq!(aio::single(op::recv(&ours, &mut [0; 16])).unwrap(), 8);
    assert_eq!((one, two), ([7; 8], [7; 8]));
}

#[cfg(not(any(unix, target_os = "wasi")))]
#[test]
#[ignore = "an operation takes handles of the library's own here, whose drop does not panic"]
fn a_scope_drops_nothing_after_its_end_though_a_drop_panics_in_it() {}
