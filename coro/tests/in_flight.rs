//! A hundred thousand operations in flight at once, on each backend: none is lost, none is `Full`.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::cell::Cell;
use std::fs;
use std::io::Write;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use corio::aio::backend::Kind;
use corio::aio::{self, Mode, op};
use corio::{Options, Scheduler, io};

mod system;

/// Operations of each of both kinds.
const TIMERS: usize = 50_000;
const RECEIVES: usize = 50_000;

/// Sockets; the receives are shared out among them.
const SOCKETS: usize = 50;

/// How long the timers run: until after all operations have started.
const PAUSE: Duration = Duration::from_secs(2);

/// The tests look at all rings of the process, and at the clock.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// How many tasks share the operations.
#[derive(Clone, Copy)]
struct Shared {
    timers: usize,
    receives: usize,
}

fn options(kind: Kind) -> Options {
    let ring = aio::Options { backend: Some(kind), ..aio::Options::DEFAULT };
    Options { ring, stack_size: 16 * 1024, ..Options::default() }
}

/// What the byte with this number is.
fn byte(number: usize) -> u8 {
    (number % 251) as u8
}

/// Starts all operations from tasks, lets all complete while nobody looks, and collects.
fn all_complete(kind: Kind, shared: Shared) {
    let pairs: Vec<_> = (0..SOCKETS).map(|_| system::pair()).collect();
    let (fired, received) = (Cell::new(0), vec![const { Cell::new(0usize) }; 256]);
    Scheduler::with(options(kind), |scheduler| {
        let (fired, received) = (&fired, &received[..]);
        let each = RECEIVES / shared.receives;
        for number in 0..shared.receives {
            let socket = &pairs[number % SOCKETS].0;
            let task = scheduler.spawn(move || {
                let mut bytes = vec![0; each];
                let batch: Vec<_> = bytes.chunks_mut(1).map(|buf| op::recv(socket, buf)).collect();
                assert!(io::multi(batch).unwrap().into_iter().all(|n| n == 1));
                for byte in bytes {
                    let count = &received[usize::from(byte)];
                    count.set(count.get() + 1);
                }
            });
            task.unwrap().detach();
        }
        let each = TIMERS / shared.timers;
        for _ in 0..shared.timers {
            let task = scheduler.spawn(move || {
                let start = Instant::now();
                let results = io::complete(vec![op::timeout(PAUSE); each]).unwrap();
                assert!(start.elapsed() >= PAUSE, "a timer fired early");
                assert!(results.into_iter().all(|result| result.is_ok()));
                fired.set(fired.get() + each);
            });
            task.unwrap().detach();
        }
        scheduler.tick(Mode::NonBlocking).unwrap();
        assert_eq!(fired.get(), 0, "the pause is long enough for all to start");
        let each = RECEIVES / SOCKETS;
        for (index, (_, theirs)) in pairs.iter().enumerate() {
            let bytes: Vec<u8> = (0..each).map(|number| byte(index * each + number)).collect();
            (&*theirs).write_all(&bytes).unwrap();
        }
        thread::sleep(PAUSE);
        if std::env::var_os(WITHOUT).is_some() {
            println!("{kind}: {OVERFLOW}{}", kept_beside_the_queue());
        }
        let complete = || fired.get() + received.iter().map(Cell::get).sum::<usize>();
        while complete() < TIMERS + RECEIVES {
            scheduler.tick(Mode::Blocking).unwrap();
        }
        println!("{kind}: {:?}", scheduler.traffic());
    })
    .unwrap();
    assert_eq!(fired.get(), TIMERS);
    let mut sent = vec![0; 256];
    (0..RECEIVES).for_each(|number| sent[usize::from(byte(number))] += 1);
    let received: Vec<usize> = received.iter().map(Cell::get).collect();
    assert_eq!(received, sent, "each byte was received once");
}

/// Names what the kernel is taken to lack.
const WITHOUT: &str = "CORIO_URING_WITHOUT";

/// Comes before the number of completions that the completion queue had no room for.
const OVERFLOW: &str = "completions beside the queue: ";

/// How many completions did not fit into the completion queues of this process's rings.
fn kept_beside_the_queue() -> usize {
    let links = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let rings = links.filter(|link| {
        fs::read_link(link.path()).is_ok_and(|file| file.to_string_lossy().contains("[io_uring]"))
    });
    let infos = rings.filter_map(|ring| {
        let name = ring.file_name();
        fs::read_to_string(format!("/proc/self/fdinfo/{}", name.to_string_lossy())).ok()
    });
    let lists = infos.map(|info| {
        let list = info.split_once("CqOverflowList:").map_or("", |(_, list)| list).to_owned();
        list.lines().filter(|line| line.contains("user_data=")).count()
    });
    lists.sum()
}

fn all_complete_from_few_tasks_and_from_many(kind: Kind) {
    let _one_at_a_time = ONE_AT_A_TIME.lock();
    all_complete(kind, Shared { timers: 100, receives: 100 });
    all_complete(kind, Shared { timers: TIMERS, receives: RECEIVES });
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "Linux has io_uring")]
fn a_hundred_thousand_operations_complete_on_uring() {
    all_complete_from_few_tasks_and_from_many(Kind::Uring);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "Linux has epoll")]
fn a_hundred_thousand_operations_complete_on_epoll() {
    all_complete_from_few_tasks_and_from_many(Kind::Epoll);
}

#[test]
#[cfg_attr(any(target_os = "linux", windows), ignore = "the BSDs and Darwin have kqueue")]
fn a_hundred_thousand_operations_complete_on_kqueue() {
    all_complete_from_few_tasks_and_from_many(Kind::Kqueue);
}

#[test]
#[cfg_attr(not(windows), ignore = "Windows has completion ports")]
fn a_hundred_thousand_operations_complete_on_iocp() {
    all_complete_from_few_tasks_and_from_many(Kind::Iocp);
}

#[test]
#[cfg_attr(windows, ignore = "Windows has no poll for all that can be waited for")]
fn a_hundred_thousand_operations_complete_on_poll() {
    all_complete_from_few_tasks_and_from_many(Kind::Poll);
}

/// Where completions wait until the thread asks for them there is never a queue full of them. So
/// this is with rings as older kernels have them, in a process of its own.
#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "Linux has io_uring")]
fn what_the_completion_queue_has_no_room_for_is_not_lost() {
    let _one_at_a_time = ONE_AT_A_TIME.lock();
    let mut test = system::this_program();
    test.args(["a_hundred_thousand_operations_complete_on_uring", "--exact", "--nocapture"]);
    test.env(WITHOUT, "no_sqarray,defer_taskrun,coop_taskrun");
    let output = test.output().unwrap();
    let words = String::from_utf8_lossy(&output.stdout);
    println!("{words}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success());
    let kept = words.lines().filter_map(|line| Some(line.split_once(OVERFLOW)?.1.parse::<usize>()));
    let kept: Vec<usize> = kept.map(|count| count.unwrap()).collect();
    assert!(kept.len() == 2 && kept.iter().all(|count| *count > TIMERS / 2), "{kept:?}");
}
