//! Where races are run: beside load, counted, watched, one at a time.

use std::env;
use std::io::{Read, Write, pipe};
use std::panic::resume_unwind;
use std::process::abort;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use corio_aio::backend::Kind;
use corio_aio::{Dynamic, Options, op};

use crate::system::open_descriptors;

/// Rounds, unless the environment says how many.
const ROUNDS: usize = 100_000;

/// How long no round ends before it is a hang.
const PATIENCE: Duration = Duration::from_secs(20);

/// Those that run are the only ones: they count the descriptors of the process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Stops the other threads, also when it panics.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Runs `race` on each backend that works here. It is given a queue and the rounds, which it runs
/// through.
pub fn on_each_backend(
    name: &str,
    race: impl Fn(&mut Dynamic, &mut dyn Iterator<Item = usize>) -> String + Sync,
) {
    let _one_at_a_time = ONE_AT_A_TIME.lock();
    let rounds = env::var("CORIO_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    // Old kernels have no io_uring.
    let best = corio_aio::backend().unwrap().name();
    for backend in Kind::CANDIDATES.iter().copied().skip_while(|backend| backend.name() != best) {
        // A thread that is joined has let go of its own ring, too.
        let count = || count(name, backend, rounds, &race);
        thread::scope(|scope| scope.spawn(count).join())
            .unwrap_or_else(|panic| resume_unwind(panic));
    }
}

/// Runs `race` on one backend, beside load, and counts the descriptors.
fn count(
    name: &str,
    backend: Kind,
    rounds: usize,
    race: impl Fn(&mut Dynamic, &mut dyn Iterator<Item = usize>) -> String,
) {
    // Some systems' sockets are made by the thread's own ring, which is kept.
    corio_aio::single(op::nop()).unwrap();
    let before = open_descriptors();
    let (round, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let report = thread::scope(|scope| {
        scope.spawn(|| make_load(&is_over));
        scope.spawn(|| watch(&round, &is_over, &format!("{name} on {backend}")));
        let _stop = Stop(&is_over);
        let options = Options { backend: Some(backend), ..Options::default() };
        let mut ring = Dynamic::with_options(64, options).unwrap();
        let mut counted = (0..rounds).inspect(|number| round.store(*number, Relaxed));
        race(&mut ring, &mut counted)
    });
    // What another thread is about to close is no leak.
    let patience = Instant::now() + Duration::from_secs(1);
    while open_descriptors() > before && Instant::now() < patience {
        thread::yield_now();
    }
    assert_eq!(open_descriptors(), before, "{name} on {backend}: descriptors");
    println!("{name} on {backend}: {rounds} rounds{report}");
}

/// Keeps a processor busy with making, using and closing pipes: their descriptors take the numbers
/// that have just become free.
fn make_load(is_over: &AtomicBool) {
    while !is_over.load(Relaxed) {
        let pipes: Vec<_> = (0..4).map(|_| pipe().unwrap()).collect();
        for (mut reader, mut writer) in pipes {
            writer.write_all(b"load").unwrap();
            reader.read_exact(&mut [0; 4]).unwrap();
        }
        thread::yield_now();
    }
}

/// Ends the process if the rounds stand still.
fn watch(round: &AtomicUsize, is_over: &AtomicBool, name: &str) {
    const STEP: Duration = Duration::from_millis(10);
    let (mut last, mut still) = (0, Duration::ZERO);
    while !is_over.load(Relaxed) {
        thread::sleep(STEP);
        let now = round.load(Relaxed);
        still = if now == last { still + STEP } else { Duration::ZERO };
        last = now;
        if still > PATIENCE {
            eprintln!("{name}: round {now} does not end");
            abort();
        }
    }
}
