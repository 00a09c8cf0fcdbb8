//! Some two hundred tasks do random things for some seconds: the sums match, nothing leaks, and
//! the scope returns. `CORIO_SEED=N` repeats a run's choices.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::cell::{Cell, RefCell};
use std::panic::resume_unwind;
use std::time::{Duration, Instant, SystemTime};

use corio::aio::op::{self, Operation};
use corio::aio::{Cause, Error};
use corio::{JoinError, ResetEvent, Scope, TaskRef, io};

mod system;

use system::{Stream, descriptors, pair};

const TASKS: usize = 200;
const PAIRS: usize = 20;
const LASTS: Duration = Duration::from_secs(3);

/// Random numbers, the same for the same seed (xorshift).
struct Dice(Cell<u64>);

impl Dice {
    fn throw(&self, sides: usize) -> usize {
        let mut state = self.0.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.0.set(state);
        (state >> 33) as usize % sides
    }
}

/// What all tasks share: borrowed by all, locked by nobody.
struct World {
    dice: Dice,
    end: Instant,
    pairs: Vec<(Stream, Stream)>,
    /// How many bytes went into each pair, and how many came out.
    sent: Vec<Cell<usize>>,
    received: Vec<Cell<usize>>,
    names: RefCell<Vec<TaskRef>>,
    event: ResetEvent,
    started: Cell<usize>,
    ended: Cell<usize>,
    panics: Cell<usize>,
    caught: Cell<usize>,
}

fn add(count: &Cell<usize>, more: usize) {
    count.set(count.get() + more);
}

/// A success or a cancel; nothing else happens here.
fn count(result: Result<usize, Error>) -> usize {
    match result {
        Ok(n) => n,
        Err(error) => {
            assert!(matches!(error.cause(), Cause::Canceled | Cause::Expired), "{error}");
            0
        }
    }
}

impl World {
    fn new(seed: u64) -> World {
        let pairs: Vec<_> = (0..PAIRS).map(|_| pair()).collect();
        World {
            dice: Dice(Cell::new(seed | 1)),
            end: Instant::now() + LASTS,
            pairs,
            sent: vec![Cell::new(0); PAIRS],
            received: vec![Cell::new(0); PAIRS],
            names: RefCell::default(),
            event: ResetEvent::new(),
            started: Cell::new(0),
            ended: Cell::new(0),
            panics: Cell::new(0),
            caught: Cell::new(0),
        }
    }

    /// The name of some task, which may have ended long ago.
    fn somebody(&self) -> Option<TaskRef> {
        let names = self.names.borrow();
        (!names.is_empty()).then(|| names[self.dice.throw(names.len())])
    }

    /// Sends or receives a few bytes, both at once, or with a limit.
    fn transfer(&self) {
        let index = self.dice.throw(PAIRS);
        let (ours, theirs) = &self.pairs[index];
        let (mut buf, bytes) = ([0xaa; 64], [7; 16]);
        let limit = op::link_timeout(Duration::from_micros(self.dice.throw(500) as u64));
        let (sent, received) = match self.dice.throw(4) {
            0 => (io::single(op::send(ours, &bytes)), Ok(0)),
            1 => (Ok(0), io::complete((op::recv(theirs, &mut buf).soft(), limit)).unwrap().0),
            2 => io::complete((op::send(ours, &bytes).soft(), op::recv(theirs, &mut buf))).unwrap(),
            _ => {
                let recv = op::recv(theirs, &mut buf).soft();
                let (n, _, m) = io::complete((recv, limit, op::send(ours, &bytes))).unwrap();
                (m, n)
            }
        };
        let n = count(received);
        assert!(
            buf[..n].iter().all(|byte| *byte == 7) && buf[n..].iter().all(|byte| *byte == 0xaa)
        );
        add(&self.sent[index], count(sent));
        add(&self.received[index], n);
    }

    /// Less than a millisecond.
    fn instant(&self) -> Duration {
        Duration::from_micros(self.dice.throw(800) as u64)
    }

    /// Transfers in a race, and a receive that races with the time.
    fn compete(&self) {
        let race = corio::race((|| self.transfer(), || self.transfer(), || self.transfer()));
        assert!(race.expect("no deadlock of its own").first < 3);
        let (index, mut buf) = (self.dice.throw(PAIRS), [0xaa; 64]);
        let received = op::recv(&self.pairs[index].1, &mut buf);
        let (received, _) = io::race((received, op::timeout(self.instant()))).unwrap();
        add(&self.received[index], count(received));
    }

    /// One task: some random steps, in a scope of its own for those that it spawns.
    fn live<'scope>(&'scope self, s: &'scope Scope<'scope, '_>, depth: usize) -> usize {
        add(&self.started, 1);
        self.names.borrow_mut().push(corio::current().expect("a task"));
        for _ in 0..self.dice.throw(12) {
            match self.dice.throw(19) {
                0..=5 => self.transfer(),
                6 => drop(io::single(op::timeout(Duration::from_micros(
                    self.dice.throw(800) as u64
                )))),
                7 => corio::yield_now(),
                8 => drop(corio::park(self.dice.throw(3) as u32)),
                9 => drop(self.event.wait()),
                10 => self.event.set(),
                11 => self.event.reset(),
                12 => self.spawn(s, depth),
                13 => {
                    corio::scope(|inner| self.spawn(inner, depth)).expect("no deadlock of its own");
                }
                14 => _ = self.somebody().map(|name| name.wakeup_if(self.dice.throw(3) as u32)),
                15 => drop(corio::timeout(self.instant(), || self.spawn(s, depth))),
                16 => drop(corio::shield(|| corio::timeout(self.instant(), || self.transfer()))),
                17 => self.compete(),
                _ if self.dice.throw(4) == 0 => _ = self.somebody().map(|name| name.cancel()),
                _ => _ = self.somebody().map(|name| name.wakeup()),
            }
        }
        add(&self.ended, 1);
        if self.dice.throw(20) == 0 {
            add(&self.panics, 1);
            resume_unwind(Box::new("chaos"));
        }
        depth
    }

    /// Spawns a task, and joins it, now or after a while; the panics that are caught are counted.
    fn spawn<'scope>(&'scope self, s: &'scope Scope<'scope, '_>, depth: usize) {
        if depth == 4 {
            return;
        }
        let task = s.spawn(move || self.live(s, depth + 1));
        if self.dice.throw(2) == 0 {
            corio::yield_now();
        }
        match task.join() {
            Ok(below) => assert_eq!(below, depth + 1),
            Err(JoinError::Panicked(_)) => add(&self.caught, 1),
            Err(error) => panic!("it can end: {error}"),
        }
    }

    /// Keeps the tasks from waiting for each other for ever.
    fn stir(&self) {
        while Instant::now() < self.end {
            if io::single(op::timeout(Duration::from_micros(300))).is_err() {
                return;
            }
            self.event.set();
            let all = self.names.take();
            let live = all.into_iter().filter(|name| !name.is_complete()).inspect(|name| {
                name.wakeup();
            });
            let live = live.collect();
            self.names.replace(live);
        }
    }
}

/// Runs tasks until the end, some `TASKS` at a time.
fn run(world: &World) {
    corio::scope(|s| {
        s.spawn(|| world.stir()).detach();
        for _ in 0..TASKS {
            s.spawn(|| {
                while Instant::now() < world.end {
                    corio::scope(|inner| world.spawn(inner, 0)).unwrap();
                }
            })
            .detach();
        }
        s.spawn(|| {
            io::single(op::timeout(LASTS)).unwrap();
            world.event.set();
            s.cancel();
        })
        .detach();
    })
    .unwrap();
}

#[test]
fn whatever_two_hundred_tasks_do_the_sums_match_and_the_scope_returns() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let given = std::env::var("CORIO_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or(now.as_nanos() as u64);
    println!("CORIO_SEED={seed}");
    // What the process gets for its first socket, some systems keep.
    drop(pair());
    let before = descriptors();
    let world = World::new(seed);
    run(&world);
    for (index, (ours, theirs)) in world.pairs.iter().enumerate() {
        ours.shutdown(std::net::Shutdown::Both).unwrap();
        let left = std::io::copy(&mut &*theirs, &mut std::io::sink()).unwrap();
        let (sent, received) = (world.sent[index].get(), world.received[index].get());
        assert_eq!(sent, received + left as usize, "pair {index}");
        assert!(received > 0);
    }
    assert!(world.started.get() > TASKS);
    assert_eq!(world.started.get(), world.ended.get());
    assert_eq!(world.panics.get(), world.caught.get());
    println!("{} tasks, {} panics", world.started.get(), world.panics.get());
    drop(world);
    assert_eq!(descriptors(), before);
}
