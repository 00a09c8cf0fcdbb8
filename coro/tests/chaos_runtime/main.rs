//! Ten thousand tasks on the four schedulers of a runtime do random things to each other for some
//! seconds: in the end nothing of them is left, and the sums match. Alone in its program: it counts
//! the descriptors, the threads and the memory of the process.
//!
//! `CORIO_CHAOS_SECONDS` says how long, `CORIO_SEED=N` repeats a run's choices.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod books;
mod crowd;
#[path = "../system/mod.rs"]
mod system;
mod walk;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};
use std::{env, panic, process, thread};

use books::Dice;
use corio::aio::op;
use corio::{Runtime, RuntimeOptions, io};
use crowd::Crowd;
use world::World;

const THREADS: usize = 4;

/// How long all may take that ends by itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// Less than a scheduler reserves for its stacks, and more than a thread for what it allocates.
const STACKS: usize = 8 << 30;

/// How many tasks of each worker are listed that should not be there.
const LISTED: usize = 40;

/// How a round ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// All tasks come to their end, and then the runtime.
    Drained,
    /// The runtime is shut down in the midst of everything.
    Canceled,
}

/// What the process has: descriptors, threads, and bytes of addresses, as far as the system tells.
struct Held {
    descriptors: usize,
    threads: Option<usize>,
    addresses: Option<usize>,
}

impl Held {
    fn count() -> Held {
        Held {
            descriptors: system::descriptors(),
            // The threads of `corio::blocking` outlive everything for some seconds.
            threads: system::threads("corio-blocking"),
            addresses: system::addresses(),
        }
    }

    /// What has ended may be listed a moment longer.
    fn await_again(&self) {
        let deadline = Instant::now() + PATIENCE;
        let mut last = Held::count();
        while last.threads > self.threads && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
            last = Held::count();
        }
        assert_eq!(last.descriptors, self.descriptors, "descriptors");
        assert_eq!(last.threads, self.threads, "threads");
        assert!(last.addresses <= self.addresses.map(|a| a + STACKS), "the stacks are unmapped");
    }
}

/// Prints who is there and waits for what, and ends the process.
fn give_up(world: &World, why: &str) -> ! {
    eprintln!("{why}");
    let listed = world.runtime.spawn_on_each(|index| {
        for task in corio::tasks().iter().take(LISTED) {
            eprintln!("worker {index}: {task}");
        }
    });
    // A worker that hangs lists nothing.
    thread::sleep(Duration::from_secs(3));
    drop(listed);
    process::abort()
}

/// Waits until nobody but who looks is on any worker.
fn await_nobody(world: &World) {
    let deadline = Instant::now() + PATIENCE;
    let is_alone = || {
        let counts = world.runtime.spawn_on_each(|_| {
            let count = corio::tasks().len();
            if count == 1 {
                walk::check_permits();
            }
            count
        });
        counts.into_iter().all(|count| count.join().unwrap() == 1)
    };
    while !is_alone() {
        if Instant::now() > deadline {
            give_up(world, "tasks are left");
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn round(dice: &Dice, lasts: Duration, end: End) {
    println!("until {end:?}");
    // What the process gets for its first socket, some systems keep.
    drop(system::pair());
    let before = Held::count();
    let options = RuntimeOptions {
        threads: THREADS,
        name: "chaos".into(),
        patience: PATIENCE,
        ..RuntimeOptions::default()
    };
    let runtime = Runtime::new(options).unwrap();
    let handles = runtime.spawn_on_each(|_| corio::handle().unwrap());
    let handles = handles.into_iter().map(|handle| handle.join().unwrap()).collect();
    let world = Arc::new(World::new(runtime.handle(), handles));
    let crowd = Crowd::start(&world, dice);
    thread::sleep(lasts);
    let report = match end {
        End::Drained => {
            crowd.stop(&world);
            if !crowd.wait(PATIENCE) {
                give_up(&world, "tasks don't end");
            }
            await_nobody(&world);
            let report = runtime.shutdown(PATIENCE);
            assert_eq!((report.canceled, report.not_started), (0, 0), "all had ended");
            report
        }
        End::Canceled => {
            let report = runtime.shutdown(dice.instant() * 32);
            assert!(report.canceled > 0, "it was in the midst of everything");
            crowd.stop(&world);
            assert!(crowd.wait(PATIENCE), "who drives the tasks does not end");
            report
        }
    };
    println!("{report:?}");
    assert!(report.stragglers.is_empty() && report.panic.is_none());
    let deadline = Instant::now() + PATIENCE;
    while Arc::strong_count(&world) > 1 && Instant::now() < deadline {
        thread::yield_now();
    }
    let mut world = Arc::into_inner(world).expect("nobody is left who knows it");
    world.check();
    drop(world);
    before.await_again();
}

#[test]
fn whatever_ten_thousand_tasks_do_nothing_is_left_and_nothing_is_lost() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let given = env::var("CORIO_SEED").ok().map(|seed| seed.parse().expect("a number"));
    let seed = given.unwrap_or(now.as_nanos() as u64);
    let seconds = env::var("CORIO_CHAOS_SECONDS").ok();
    let seconds: u64 = seconds.map_or(3, |text| text.parse().expect("a number of seconds"));
    println!("CORIO_SEED={seed}");
    // Those panics that are planned don't come here.
    let failures = Arc::new(AtomicUsize::new(0));
    let (count, print) = (failures.clone(), panic::take_hook());
    panic::set_hook(Box::new(move |info| {
        count.fetch_add(1, Relaxed);
        print(info);
    }));
    let dice = Dice::new(seed);
    // The thread's own ring is made, and kept.
    io::single(op::nop()).unwrap();
    let rounds = (seconds / 3).clamp(1, 5) as u32 * 2;
    for number in 0..rounds {
        let end = if number % 2 == 0 { End::Drained } else { End::Canceled };
        round(&dice, Duration::from_secs(seconds) / rounds, end);
        assert_eq!(failures.load(Relaxed), 0, "a task has failed; see above");
    }
}
