//! The simulated system, its driver driven by hand.

use std::collections::VecDeque;
use std::net::Shutdown;
use std::time::Duration;

use super::{Scripted, World};
use crate::backend::{Answered, Driver, Stop};
use crate::error::Cause;
use crate::handle::Cwd;
use crate::key::{Key, Slots};
use crate::kind::OpKind;
use crate::op::{self, Events, Operation, RawOp};
use crate::sys::c;

const CANCELED: Result<u32, Cause> = Err(Cause::Canceled);
const MS: Duration = Duration::from_millis(1);

const fn os(code: i32) -> Cause {
    Cause::Os(code)
}

/// A driver, and the keys that it is given.
struct Scene {
    world: World,
    driver: Scripted,
    keys: Slots<()>,
}

impl Scene {
    fn new() -> Scene {
        let world = World::new();
        Scene { driver: Scripted::new(world.clone()), world, keys: Slots::new() }
    }

    /// Starts an operation.
    ///
    /// # Safety
    ///
    /// `op` stays in place until it is answered.
    unsafe fn start(&mut self, op: &mut impl Operation) -> (Key, Option<Result<u32, Cause>>) {
        let key = self.keys.insert(());
        // SAFETY: passed on.
        (key, unsafe { self.driver.start(key, op.kind(), &op.lower()) })
    }

    /// Starts an operation that has to wait.
    ///
    /// # Safety
    ///
    /// `op` stays in place until it is answered.
    unsafe fn start_to_wait(&mut self, op: &mut impl Operation) -> Key {
        // SAFETY: passed on.
        let (key, answer) = unsafe { self.start(op) };
        assert_eq!(answer, None);
        key
    }

    fn wait(&mut self) -> Vec<Answered> {
        let mut done = VecDeque::new();
        self.driver.wait(true, &mut done).expect("something completes");
        done.into()
    }

    fn poll(&mut self) -> Vec<Answered> {
        let mut done = VecDeque::new();
        self.driver.wait(false, &mut done).expect("collecting does not fail");
        done.into()
    }

    /// The result of an operation that does not wait.
    fn at_once<O: Operation>(&self, op: O) -> Result<O::Output, Cause> {
        let result = self.world.at_once(op).expect("it does not wait");
        result.map_err(|error| error.cause())
    }
}

#[test]
fn a_receive_waits_for_bytes_and_then_for_the_end() {
    let mut scene = Scene::new();
    let (ours, theirs) = scene.world.pair();
    let mut recv = op::recv(&ours, vec![0; 8]);
    // SAFETY: it stays in place until `wait` has answered it.
    let key = unsafe { scene.start_to_wait(&mut recv) };
    assert_eq!(scene.poll(), []);
    assert_eq!(scene.at_once(op::send(&theirs, b"abc")), Ok(3));
    assert_eq!(scene.wait(), [(key, Ok(3))]);
    assert_eq!(recv.buf, b"abc\0\0\0\0\0");
    // SAFETY: it stays in place until `wait` has answered it.
    let key = unsafe { scene.start_to_wait(&mut recv) };
    drop(theirs);
    assert_eq!(scene.wait(), [(key, Ok(0))]);
    assert_eq!(scene.at_once(op::send(&ours, b"abc")), Err(os(c::EPIPE)));
}

#[test]
fn one_that_waits_for_all_of_its_bytes_says_how_many_it_had_when_it_is_stopped() {
    let mut scene = Scene::new();
    let (ours, theirs) = scene.world.pair();
    assert_eq!(scene.at_once(op::send(&theirs, b"abc")), Ok(3));
    let mut recv = op::recv(&ours, vec![0; 8]).wait_all();
    // SAFETY: it stays in place until `stop` has answered it.
    let key = unsafe { scene.start_to_wait(&mut recv) };
    let mut users = Vec::new();
    scene.driver.users_of(ours.number(), &mut users);
    assert_eq!(users, [key]);
    assert_eq!(scene.driver.stop(key, None), Stop::Stopped(Ok(3)));
    assert_eq!(scene.driver.stop(key, None), Stop::Unknown);
    // SAFETY: it stays in place until `stop` has answered it.
    let key = unsafe { scene.start_to_wait(&mut recv) };
    assert_eq!(scene.driver.stop(key, None), Stop::Stopped(CANCELED));
}

#[test]
fn time_passes_when_nothing_else_can_happen() {
    let mut scene = Scene::new();
    let (mut late, mut soon) = (op::timeout(3_000 * MS), op::timeout(2_000 * MS));
    // SAFETY: it stays in place until `wait` has answered it.
    let late = unsafe { scene.start_to_wait(&mut late) };
    // SAFETY: it stays in place until `wait` has answered it.
    let soon = unsafe { scene.start_to_wait(&mut soon) };
    assert_eq!(scene.poll(), []);
    assert_eq!(scene.world.now(), Duration::ZERO);
    assert_eq!(scene.wait(), [(soon, Ok(0))]);
    assert_eq!(scene.world.now(), 2_000 * MS);
    assert_eq!(scene.wait(), [(late, Ok(0))]);
    assert_eq!(scene.world.now(), 3_000 * MS);
}

#[test]
fn a_wait_for_what_never_happens_is_an_error() {
    let mut scene = Scene::new();
    let counter = scene.world.counter();
    let (mut never, mut read) = (op::timeout(Duration::MAX), op::read(&counter, vec![0; 8]));
    // SAFETY: it stays in place until `stop` has answered it.
    let never = unsafe { scene.start_to_wait(&mut never) };
    // SAFETY: it stays in place until `stop` has answered it.
    let read = unsafe { scene.start_to_wait(&mut read) };
    let error = scene.driver.wait(true, &mut VecDeque::new()).expect_err("nothing happens");
    assert_eq!(error.cause(), os(c::EDEADLK));
    assert_eq!(scene.driver.stop(never, None), Stop::Stopped(CANCELED));
    assert_eq!(scene.driver.stop(read, None), Stop::Stopped(CANCELED));
}

#[test]
fn faults_are_met_once_each_by_their_kind() {
    let mut scene = Scene::new();
    let (file, world) = (scene.world.file(b"contents"), scene.world.clone());
    world.fail_next(OpKind::Read, os(c::EIO));
    world.shorten_next(OpKind::Read, 3);
    world.delay_next(OpKind::Read, MS);
    let mut write = op::write(&file, b"C").at(0);
    // SAFETY: it is answered at once.
    assert_eq!(unsafe { scene.start(&mut write) }.1, Some(Ok(1)));
    let mut read = op::read(&file, vec![0; 8]);
    // SAFETY: it is answered at once.
    assert_eq!(unsafe { scene.start(&mut read) }.1, Some(Err(os(c::EIO))));
    // SAFETY: it is answered at once.
    assert_eq!(unsafe { scene.start(&mut read) }.1, Some(Ok(3)));
    assert_eq!(read.buf, b"Con\0\0\0\0\0");
    // SAFETY: it stays in place until `wait` has answered it.
    let key = unsafe { scene.start_to_wait(&mut read) };
    assert_eq!(scene.wait(), [(key, Ok(5))]);
    assert_eq!(world.now(), MS);
    // SAFETY: it is answered at once.
    assert_eq!(unsafe { scene.start(&mut read) }.1, Some(Ok(0)));
}

#[test]
fn a_seed_says_in_which_order_completions_are_reported() {
    let orders = [1, 1, 2, 3].map(|seed| {
        let mut scene = Scene::new();
        scene.world.shuffle(seed);
        let null = scene.world.null();
        let mut writes: Vec<_> = (0..8).map(|_| op::write(&null, b"x")).collect();
        for write in &mut writes {
            // SAFETY: it stays in place until `wait` has answered it.
            let key = unsafe { scene.start_to_wait(write) };
            assert_eq!(scene.driver.stop(key, None), Stop::TooLate);
        }
        let done = scene.wait();
        assert!(done.iter().all(|(_, result)| *result == Ok(1)));
        let mut order: Vec<usize> = done.iter().map(|(key, _)| key.slot()).collect();
        let said = order.clone();
        order.sort_unstable();
        assert_eq!(order, (0..8).collect::<Vec<_>>());
        said
    });
    assert_eq!(orders[0], orders[1]);
    assert!(orders[1] != orders[2] || orders[2] != orders[3]);
}

#[test]
fn what_a_descriptor_is_not_made_for_fails_as_on_linux() {
    let scene = Scene::new();
    let (reader, writer) = scene.world.pipe();
    let (ours, theirs) = scene.world.pair();
    let (socket, counter, full) = (scene.world.socket(), scene.world.counter(), scene.world.full());
    assert_eq!(scene.at_once(op::write(&reader, b"x")), Err(os(c::EBADF)));
    assert_eq!(scene.at_once(op::read(&writer, vec![0; 1])), Err(os(c::EBADF)));
    assert_eq!(scene.at_once(op::read(&reader, vec![0; 1]).at(1)), Err(os(c::ESPIPE)));
    assert_eq!(scene.at_once(op::recv(&reader, vec![0; 1])), Err(os(c::ENOTSOCK)));
    assert_eq!(scene.at_once(op::shutdown(&full, Shutdown::Both)), Err(os(c::ENOTSOCK)));
    assert_eq!(scene.at_once(op::send(&socket, b"x")), Err(os(c::ENOTCONN)));
    assert_eq!(scene.at_once(op::write(&full, b"x")), Err(os(c::ENOSPC)));
    assert_eq!(scene.at_once(op::read(&counter, vec![0; 7])), Err(os(c::EINVAL)));
    assert_eq!(scene.at_once(op::fsync(&ours)), Err(os(c::EINVAL)));
    assert_eq!(scene.at_once(op::shutdown(&ours, Shutdown::Write)), Ok(()));
    assert_eq!(scene.at_once(op::send(&ours, b"x")), Err(os(c::EPIPE)));
    assert_eq!(scene.at_once(op::recv(&theirs, vec![0; 1])), Ok(0));
    assert_eq!(scene.at_once(op::send(&theirs, b"x")), Ok(1));
    let timeout = scene.at_once(op::timeout(MS));
    assert_eq!(timeout, Err(Cause::Unsupported));
    let opened = scene.at_once(op::open_at(Cwd, "file")).map(drop);
    assert_eq!(opened, Err(Cause::Unsupported));
}

#[test]
fn a_poll_says_what_a_descriptor_is_ready_for() {
    let scene = Scene::new();
    let (ours, theirs) = scene.world.pair();
    assert!(scene.world.at_once(op::poll(&ours, Events::READABLE)).is_none());
    assert_eq!(scene.at_once(op::poll(&ours, Events::WRITABLE)), Ok(Events::WRITABLE));
    assert_eq!(scene.at_once(op::send(&ours, b"unread")), Ok(6));
    assert_eq!(scene.at_once(op::poll(&theirs, Events::READABLE)), Ok(Events::READABLE));
    drop(theirs);
    let ready = Events::READABLE | Events::HANG_UP | Events::ERROR;
    assert_eq!(scene.at_once(op::poll(&ours, Events::READABLE)), Ok(ready));
    assert_eq!(scene.at_once(op::recv(&ours, vec![0; 1])), Err(os(c::ECONNRESET)));
    assert_eq!(scene.at_once(op::recv(&ours, vec![0; 1])), Ok(0));
}

#[test]
fn a_closed_handle_is_refused_but_what_had_started_on_it_holds_it() {
    let mut scene = Scene::new();
    let (ours, theirs) = scene.world.pair();
    let mut recv = op::recv(&ours, vec![0; 8]);
    // SAFETY: it stays in place until `wait` has answered it.
    let key = unsafe { scene.start_to_wait(&mut recv) };
    assert_eq!(scene.at_once(op::close(&ours)), Ok(()));
    assert!(!ours.is_open());
    assert_eq!(scene.at_once(op::close(&ours)), Err(os(c::EBADF)));
    assert_eq!(scene.at_once(op::recv(&ours, vec![0; 8])), Err(os(c::EBADF)));
    assert_eq!(scene.at_once(op::send(&theirs, b"abc")), Ok(3));
    assert_eq!(scene.wait(), [(key, Ok(3))]);
    assert_eq!(scene.at_once(op::send(&theirs, b"abc")), Err(os(c::EPIPE)));
}

#[test]
fn a_close_that_never_ran_leaves_the_handle_open() {
    let scene = Scene::new();
    let (ours, _theirs) = scene.world.pair();
    let mut close = op::close(&ours);
    assert!(matches!(close.lower(), RawOp::Close { shared: true, lingers: false, .. }));
    assert!(!ours.is_open());
    drop(close);
    assert!(ours.is_open());
}

#[test]
fn a_file_grows_where_it_is_written_and_keeps_its_position() {
    let scene = Scene::new();
    let file = scene.world.file(b"abc");
    assert_eq!(scene.at_once(op::write(&file, b"XY").at(5)), Ok(2));
    assert_eq!(scene.at_once(op::write(&file, b"A")), Ok(1));
    assert_eq!(scene.at_once(op::write(&file, b"").at(100)), Ok(0));
    let mut buf = [0; 8];
    assert_eq!(scene.at_once(op::read(&file, &mut buf)), Ok(6));
    assert_eq!(&buf, b"bc\0\0XY\0\0");
    assert_eq!(scene.world.contents(&file).as_deref(), Some(&b"Abc\0\0XY"[..]));
    assert_eq!(scene.at_once(op::fsync(&file)), Ok(()));
}

#[test]
fn a_counter_lets_one_waiter_go_on_per_notification() {
    let mut scene = Scene::new();
    let counter = scene.world.counter();
    let mut waits = [op::read(&counter, vec![0; 8]), op::read(&counter, vec![0; 8])];
    let keys = waits.each_mut().map(|wait| {
        // SAFETY: it stays in place until `wait` has answered it.
        unsafe { scene.start_to_wait(wait) }
    });
    for key in keys {
        assert_eq!(scene.poll(), []);
        assert_eq!(scene.at_once(op::write(&counter, 1u64.to_ne_bytes().to_vec())), Ok(8));
        assert_eq!(scene.wait(), [(key, Ok(8))]);
    }
}

#[test]
fn a_wake_ends_a_wait_and_time_stands_still() {
    let mut scene = Scene::new();
    let waker = scene.driver.waker().unwrap();
    let mut sleep = op::timeout(MS);
    // SAFETY: the driver is dropped before the operation.
    let key = unsafe { scene.start_to_wait(&mut sleep) };
    waker.wake();
    let wait = |scene: &mut Scene, done: &mut VecDeque<Answered>| {
        scene.driver.wait(true, done).unwrap();
        scene.driver.take_wake()
    };
    let mut done = VecDeque::new();
    assert!(wait(&mut scene, &mut done));
    assert_eq!((done.len(), scene.world.now()), (0, Duration::ZERO));
    assert!(!wait(&mut scene, &mut done));
    assert_eq!(done, [(key, Ok(0))]);
    drop(scene);
}

#[test]
#[cfg_attr(target_os = "wasi", ignore = "there are no threads")]
fn a_wake_of_another_thread_ends_a_wait_in_which_nothing_else_can_happen() {
    let mut scene = Scene::new();
    let waker = scene.driver.waker().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| waker.wake());
        scene.driver.wait(true, &mut VecDeque::new()).unwrap();
        assert!(scene.driver.take_wake());
    });
}
