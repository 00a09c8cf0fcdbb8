//! What threads meet at, under stress: plain threads and the tasks of several schedulers use each
//! of it, run out of time and are canceled at random. In the end the sums match: nothing is lost,
//! and nothing comes twice.
//!
//! Each test takes a second, and they take turns. `CORIO_STRESS_SECONDS` says how long all of them
//! take together.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex as StdMutex, MutexGuard as StdMutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use corio::sync::{
    Barrier, Condvar, Mutex, Queue, RecvError, RwLock, Semaphore, SendError, WaitError, oneshot,
};

/// How many tests there are.
const TESTS: u32 = 7;

/// Gives the machine to one test at a time; says how long that may use it.
fn take_turn() -> (StdMutexGuard<'static, ()>, Duration) {
    static TURN: StdMutex<()> = StdMutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let asked = std::env::var("CORIO_STRESS_SECONDS").ok();
    let seconds = asked.map_or(TESTS, |text| text.parse().expect("a number of seconds"));
    (turn, Duration::from_secs(seconds.into()) / TESTS)
}

/// Numbers that look random (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A short time, which may be none.
    fn moment(&mut self) -> Duration {
        Duration::from_micros(self.below(100))
    }

    fn fork(&mut self) -> Random {
        Random(self.next() | 1)
    }
}

/// Counts what went in and came out: how many, and a sum in which each counts differently.
#[derive(Default)]
struct Tally {
    count: AtomicU64,
    sum: AtomicU64,
}

impl Tally {
    fn add(&self, value: u64) {
        self.count.fetch_add(1, Relaxed);
        self.sum.fetch_add(value.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31), Relaxed);
    }

    fn count(&self) -> u64 {
        self.count.load(Relaxed)
    }

    fn assert_same(&self, other: &Tally) {
        let both = [self, other].map(|tally| (tally.count(), tally.sum.load(Relaxed)));
        assert_eq!(both[0], both[1]);
        assert!(self.count() > 0, "something happened");
    }
}

/// Repeats `step` in two plain threads, and in the tasks of two schedulers, some of which are
/// canceled; a step says whether there may be another one.
fn crowd(time: Duration, step: impl Fn(&mut Random) -> bool + Sync) {
    let (step, until) = (&step, Instant::now() + time);
    let goes_on = move || Instant::now() < until;
    thread::scope(|threads| {
        for seed in [3, 5] {
            threads.spawn(move || {
                let mut random = Random(seed);
                while goes_on() && step(&mut random) {}
            });
        }
        for seed in [7, 11] {
            threads.spawn(move || {
                let mut random = Random(seed);
                corio::run(|| while goes_on() && herd(&mut random, step) {}).expect("a scheduler");
            });
        }
    });
}

/// Repeats `step` in some tasks, and cancels some of them.
fn herd(random: &mut Random, step: &(impl Fn(&mut Random) -> bool + Sync)) -> bool {
    let herded = corio::scope(|s| {
        let start = |_| {
            let mut own = random.fork();
            s.spawn(move || {
                for _ in 0..own.below(60) {
                    if !step(&mut own) {
                        break;
                    }
                    if own.below(4) == 0 {
                        corio::yield_now();
                    }
                }
            })
        };
        let tasks: Vec<_> = (0..8).map(start).collect();
        for _ in 0..random.below(6) {
            (0..random.below(4)).for_each(|_| corio::yield_now());
            tasks[random.below(8) as usize].cancel();
        }
    });
    herded.is_ok()
}

#[test]
fn a_mutex_under_stress() {
    let (_turn, time) = take_turn();
    let (mutex, locked) = (Mutex::new((0, 0)), AtomicU64::new(0));
    crowd(time, |random| {
        let guard = match random.below(4) {
            0 => mutex.try_lock(),
            1 => match mutex.lock_timeout(random.moment()) {
                Err(WaitError::Canceled) => return false,
                other => other.ok(),
            },
            _ => match mutex.lock() {
                Err(_) => return false,
                Ok(guard) => Some(guard),
            },
        };
        if let Some(mut guard) = guard {
            guard.0 += 1;
            if random.below(8) == 0 {
                corio::yield_now();
            }
            guard.1 += 1;
            locked.fetch_add(1, Relaxed);
        }
        true
    });
    let locked = locked.into_inner();
    assert!(locked > 0);
    assert_eq!(mutex.into_inner(), (locked, locked));
}

#[test]
fn a_lock_under_stress() {
    let (_turn, time) = take_turn();
    let (lock, written) = (RwLock::new((0, 0)), AtomicU64::new(0));
    crowd(time, |random| {
        let timeout = random.moment();
        if random.below(3) > 0 {
            let guard = match random.below(3) {
                0 => lock.try_read(),
                1 => lock.read_timeout(timeout).ok(),
                _ => lock.read().ok(),
            };
            if let Some(guard) = guard {
                let first = guard.0;
                if random.below(4) == 0 {
                    corio::yield_now();
                }
                assert_eq!((first, first), *guard, "nobody writes meanwhile");
            }
            return true;
        }
        let guard = match random.below(3) {
            0 => lock.try_write(),
            1 => lock.write_timeout(timeout).ok(),
            _ => lock.write().ok(),
        };
        if let Some(mut guard) = guard {
            guard.0 += 1;
            if random.below(4) == 0 {
                corio::yield_now();
            }
            guard.1 += 1;
            written.fetch_add(1, Relaxed);
        }
        true
    });
    let written = written.into_inner();
    assert!(written > 0);
    assert_eq!(lock.into_inner(), (written, written));
}

/// A queue as one makes it of a mutex and conditions.
#[derive(Default)]
struct Buffer {
    state: Mutex<(VecDeque<u64>, bool)>,
    has_room: Condvar,
    has_value: Condvar,
    sent: Tally,
    received: Tally,
}

impl Buffer {
    fn send(&self, random: &mut Random) -> bool {
        let Ok(guard) = self.state.lock() else { return false };
        let is_full = |state: &mut (VecDeque<u64>, bool)| state.0.len() >= 4 && !state.1;
        let (mut guard, outcome) = match random.below(2) {
            0 => self.has_room.wait_timeout_while(guard, random.moment(), is_full),
            _ => {
                let (guard, outcome) = self.has_room.wait_while(guard, is_full);
                (guard, outcome.map_err(WaitError::from))
            }
        };
        if outcome.is_ok() && !guard.1 {
            let value = random.next();
            guard.0.push_back(value);
            self.sent.add(value);
            self.has_value.notify_one();
        }
        outcome != Err(WaitError::Canceled) && !guard.1
    }

    fn recv(&self, random: &mut Random) -> bool {
        let Ok(guard) = self.state.lock() else { return false };
        let is_empty = |state: &mut (VecDeque<u64>, bool)| state.0.is_empty() && !state.1;
        let (mut guard, outcome) = match random.below(2) {
            0 => self.has_value.wait_timeout_while(guard, random.moment(), is_empty),
            _ => {
                let (guard, outcome) = self.has_value.wait_while(guard, is_empty);
                (guard, outcome.map_err(WaitError::from))
            }
        };
        let value = outcome.ok().and_then(|()| guard.0.pop_front());
        if let Some(value) = value {
            self.received.add(value);
            self.has_room.notify_one();
        }
        outcome != Err(WaitError::Canceled) && (value.is_some() || !guard.1)
    }

    fn close(&self) {
        self.state.lock().expect("a plain thread").1 = true;
        self.has_room.notify_all();
        self.has_value.notify_all();
    }
}

#[test]
fn conditions_under_stress() {
    let (_turn, time) = take_turn();
    let buffer = Buffer::default();
    thread::scope(|threads| {
        // Whoever waits in the crowd waits for these two.
        threads.spawn(|| {
            let mut random = Random(13);
            while buffer.send(&mut random) {}
        });
        threads.spawn(|| {
            let mut random = Random(17);
            while buffer.recv(&mut random) {}
        });
        crowd(time, |random| match random.below(2) {
            0 => buffer.send(random),
            _ => buffer.recv(random),
        });
        buffer.close();
    });
    buffer.sent.assert_same(&buffer.received);
}

#[test]
fn a_barrier_under_stress() {
    const NEEDED: u64 = 4;
    let (_turn, time) = take_turn();
    let (barrier, passed) = (Barrier::new(NEEDED as usize), [(); 2].map(|()| AtomicU64::new(0)));
    crowd(time, |random| match barrier.wait_timeout(2 * random.moment()) {
        Ok(leads) => {
            passed[usize::from(leads)].fetch_add(1, Relaxed);
            true
        }
        Err(error) => error == WaitError::Expired,
    });
    let [followers, leaders] = passed.map(AtomicU64::into_inner);
    assert!(leaders > 0);
    assert_eq!(followers, leaders * (NEEDED - 1));
}

#[test]
fn queues_under_stress() {
    let (_turn, time) = take_turn();
    for queue in [Queue::bounded(0), Queue::bounded(3), Queue::unbounded()] {
        let [sent, received] = [(); 2].map(|()| Tally::default());
        let send = |random: &mut Random| {
            let value = random.next();
            let outcome = match random.below(3) {
                0 => queue.try_send(value).map_err(|error| SendError::Expired(error.into_inner())),
                1 => queue.send_timeout(value, random.moment()),
                _ => queue.send(value),
            };
            match outcome {
                Ok(()) => sent.add(value),
                Err(error) => {
                    let goes_on = matches!(error, SendError::Expired(_));
                    assert_eq!(error.into_inner(), value);
                    return goes_on;
                }
            }
            true
        };
        let recv = |random: &mut Random| {
            let outcome = match random.below(3) {
                0 => queue.try_recv().map_err(|_| RecvError::Expired),
                1 => queue.recv_timeout(random.moment()),
                _ => queue.recv(),
            };
            outcome.map(|value| received.add(value)).is_ok() || outcome == Err(RecvError::Expired)
        };
        thread::scope(|threads| {
            // Whoever waits in the crowd waits for these two; the one ends because the other does.
            threads.spawn(|| queue.iter().for_each(|value| received.add(value)));
            let sender = threads.spawn(|| {
                let mut random = Random(13);
                while !queue.is_closed() && send(&mut random) {}
            });
            crowd(
                time / 3,
                |random| if random.below(2) == 0 { send(random) } else { recv(random) },
            );
            queue.close();
            sender.join().expect("no panic");
        });
        sent.assert_same(&received);
        assert!(queue.is_empty());
    }
}

/// A value that notes its end.
struct Noted<'a>(&'a AtomicU64);

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[test]
fn oneshots_under_stress() {
    let (_turn, time) = take_turn();
    let [made, ended, received] = [(); 3].map(|()| AtomicU64::new(0));
    let senders = Queue::bounded(8);
    thread::scope(|threads| {
        for seed in [13, 17] {
            let (senders, made, ended) = (&senders, &made, &ended);
            threads.spawn(move || {
                let mut random = Random(seed);
                for sender in senders {
                    let sender: oneshot::Sender<Noted<'_>> = sender;
                    if random.below(4) > 0 {
                        made.fetch_add(1, Relaxed);
                        drop(sender.send(Noted(ended)));
                    }
                }
            });
        }
        crowd(time, |random| {
            let (sender, mut receiver) = oneshot::channel();
            if senders.send(sender).is_err() {
                return false;
            }
            let outcome = match random.below(4) {
                0 => receiver.recv_timeout(random.moment()),
                1 => corio::block_on(receiver).unwrap_or(Err(RecvError::Canceled)),
                _ => receiver.recv(),
            };
            received.fetch_add(u64::from(outcome.is_ok()), Relaxed);
            !matches!(outcome, Err(RecvError::Canceled))
        });
        senders.close();
    });
    assert!(senders.is_empty() && received.load(Relaxed) > 0);
    assert_eq!(made.load(Relaxed), ended.load(Relaxed));
}

#[test]
fn a_semaphore_under_stress() {
    let (_turn, time) = take_turn();
    let (until, mut random, mut acquired) = (Instant::now() + time, Random(3), 0_u64);
    let semaphore = Semaphore::new(5);
    while Instant::now() < until {
        let granted = corio::scope(|s| {
            let start = |_| {
                let (mut own, semaphore) = (random.fork(), &semaphore);
                s.spawn(move || {
                    let mut granted = 0;
                    while granted < 20
                        && let Ok(_permits) = semaphore.acquire_many(own.below(6) as usize)
                    {
                        granted += 1;
                        corio::yield_now();
                    }
                    granted
                })
            };
            let tasks: Vec<_> = (0..16).map(start).collect();
            for _ in 0..random.below(20) {
                corio::yield_now();
                tasks[random.below(16) as usize].cancel();
            }
            tasks.into_iter().map(|task| task.join().unwrap()).sum::<u64>()
        });
        acquired += granted.unwrap();
        assert_eq!(semaphore.available(), 5);
    }
    assert!(acquired > 0);
}
