//! What one task does: some random steps, one after the other.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use corio::aio::op::{self, Operation};
use corio::aio::{Cause, Error};
use corio::sync::{RecvError, SendError, TrySendError};
use corio::sync::{Semaphore, oneshot};
use corio::{JoinError, Scope, TaskRef, io};

use super::books::{Counted, Dice};
use super::world::{Outcome, Pair, World};

/// How many steps a task takes at most, how far tasks start each other, and how far steps are taken
/// within steps.
const STEPS: usize = 12;
const GENERATIONS: usize = 2;
const NESTING: usize = 3;

/// How many permits there are on each thread, and how many of its tasks it remembers.
const PERMITS: usize = 3;
const REMEMBERED: usize = 500;

thread_local! {
    static PERMIT: Semaphore = const { Semaphore::new(PERMITS) };
    /// Some tasks of the thread, which may have ended long ago.
    static NEIGHBOURS: RefCell<Vec<TaskRef>> = const { RefCell::new(Vec::new()) };
}

struct Walk<'a> {
    world: &'a Arc<World>,
    dice: Dice,
    depth: usize,
}

/// The life of a task, which may be the last one's child.
pub fn live(world: &Arc<World>, seed: u64, depth: usize) -> Outcome {
    let _life = Counted::new(&world.lives);
    let walk = Walk { world, dice: Dice::new(seed), depth };
    walk.introduce_oneself();
    for _ in 0..walk.dice.throw(STEPS) {
        walk.step(0);
    }
    if walk.dice.once_in(20) {
        walk.panic();
    }
    Outcome { seed, _counted: Counted::new(&world.results) }
}

/// Each thread has all of its permits again.
pub fn check_permits() {
    PERMIT.with(|permit| assert_eq!(permit.available(), PERMITS));
}

/// Whether an operation was done; if not, it was canceled: nothing else happens here.
fn is_done<T>(result: &Result<T, Error>) -> bool {
    result
        .as_ref()
        .inspect_err(|error| {
            assert!(matches!(error.cause(), Cause::Canceled | Cause::Expired), "{error}");
        })
        .is_ok()
}

impl Walk<'_> {
    fn step(&self, nesting: usize) {
        match self.dice.throw(32) {
            0..=2 => self.send(),
            3..=5 => self.receive(),
            6..=8 => self.transfer(),
            9 => self.compete(),
            10 | 11 => self.note(),
            12 | 13 => self.pause(1),
            14 => corio::yield_now(),
            15 => self.add(),
            16 => self.write(),
            17 => self.compare(),
            18 => self.use_permit(),
            19 => self.expect_parcel(),
            20 => self.lend(),
            21 => self.call(),
            22 => self.start(),
            23 => self.spawn_beside(),
            24 => self.cancel_neighbour(),
            25 => self.park(),
            _ if nesting == NESTING => {}
            26 => self.hurry(nesting + 1),
            27 => corio::shield(|| self.hurry(nesting + 1)),
            28 => corio::with_stack(128 << 10, || self.step(nesting + 1)),
            29 => self.race(nesting + 1),
            30 => self.scope(),
            _ => self.try_scope(),
        }
    }

    fn introduce_oneself(&self) {
        let me = corio::current().expect("a task");
        NEIGHBOURS.with_borrow_mut(|names| {
            if names.len() < REMEMBERED {
                names.push(me);
            } else {
                names[self.dice.throw(REMEMBERED)] = me;
            }
        });
    }

    /// Waits for a moment, or for this part of one.
    fn pause(&self, part: u32) {
        _ = io::single(op::timeout(self.dice.instant() / part));
    }

    /// Takes a step that is limited in time.
    fn hurry(&self, nesting: usize) {
        _ = corio::timeout(self.dice.instant(), || self.step(nesting));
    }

    fn panic(&self) -> ! {
        resume_unwind(Box::new(Counted::new(&self.world.panics)))
    }

    fn send(&self) {
        let (queue, messages) = (self.dice.choose(&self.world.queues), &self.world.messages);
        let Some(number) = messages.next() else { return };
        let result = match self.dice.throw(3) {
            0 => queue.send(number),
            1 => queue.send_timeout(number, self.dice.instant()),
            _ => queue.try_send(number).map_err(|error| match error {
                TrySendError::Full(number) => SendError::Expired(number),
                TrySendError::Closed(number) => SendError::Closed(number),
            }),
        };
        match result {
            Ok(()) => messages.note_sent(number),
            Err(error) => assert_eq!(error.into_inner(), number, "another's message"),
        }
    }

    fn receive(&self) {
        let queue = self.dice.choose(&self.world.queues);
        let received = match self.dice.throw(3) {
            0 => queue.recv().ok(),
            1 => queue.recv_timeout(self.dice.instant()).ok(),
            _ => queue.try_recv().ok(),
        };
        if let Some(number) = received {
            self.world.messages.note_received(number);
        }
    }

    /// Sends or receives a few bytes, both at once, or with a limit.
    fn transfer(&self) {
        let Pair { ours, theirs, bytes } = self.dice.choose(&self.world.pairs);
        let (mut buf, data) = ([0xaa; 64], [7; 16]);
        let (limit, other) = (self.dice.instant(), self.dice.instant());
        let (limit, other) = (op::link_timeout(limit), op::link_timeout(other));
        let (sent, received) = match self.dice.throw(3) {
            0 => (io::complete((op::send(ours, &data).soft(), limit)).unwrap().0, Ok(0)),
            1 => (Ok(0), io::complete((op::recv(theirs, &mut buf).soft(), limit)).unwrap().0),
            _ => {
                let (recv, send) = (op::recv(theirs, &mut buf).soft(), op::send(ours, &data));
                let done = io::complete((recv, limit, send.soft(), other)).unwrap();
                (done.2, done.0)
            }
        };
        _ = (is_done(&sent), is_done(&received));
        let n = received.unwrap_or(0);
        let (filled, rest) = buf.split_at(n);
        assert!(filled.iter().all(|byte| *byte == 7), "what was sent comes");
        assert!(rest.iter().all(|byte| *byte == 0xaa), "and nothing else");
        bytes.come(sent.unwrap_or(0));
        bytes.go(n);
    }

    /// A receive that races with the time.
    fn compete(&self) {
        let Pair { theirs, bytes, .. } = self.dice.choose(&self.world.pairs);
        let mut buf = [0xaa; 64];
        let pause = op::timeout(self.dice.instant());
        let (received, _) = io::race((op::recv(theirs, &mut buf), pause)).unwrap();
        _ = is_done(&received);
        bytes.go(received.unwrap_or(0));
    }

    /// Adds to an event source, or takes off it.
    fn note(&self) {
        let source = self.dice.choose(&self.world.sources);
        let limit = self.dice.instant();
        let notes = &self.world.notes;
        let is_taken = match self.dice.throw(4) {
            0 => {
                source.notify().unwrap();
                return notes.come(1);
            }
            1 => {
                let notified = io::single(op::notify_event_source(source));
                return notes.come(is_done(&notified).into());
            }
            2 => {
                let wait = (op::wait_event_source(source).soft(), op::link_timeout(limit));
                is_done(&io::complete(wait).unwrap().0)
            }
            _ => {
                let wait = || io::single(op::wait_event_source(source));
                is_done(&corio::timeout(limit, wait).unwrap_or_else(|expired| expired.0))
            }
        };
        notes.go(is_taken.into());
    }

    fn add(&self) {
        let guard = match self.dice.throw(3) {
            0 => self.world.mutex.lock().ok(),
            1 => self.world.mutex.lock_timeout(self.dice.instant()).ok(),
            _ => self.world.mutex.try_lock(),
        };
        if let Some(mut sum) = guard {
            let before = *sum;
            corio::yield_now();
            *sum = before + 1;
            self.world.locked.fetch_add(1, Relaxed);
        }
    }

    fn write(&self) {
        if let Ok(mut twins) = self.world.twins.write() {
            twins.0 += 1;
            corio::yield_now();
            twins.1 += 1;
            self.world.written.fetch_add(1, Relaxed);
        }
    }

    fn compare(&self) {
        if let Ok(twins) = self.world.twins.read_timeout(self.dice.instant()) {
            let first = twins.0;
            corio::yield_now();
            assert_eq!((first, first), *twins, "nobody writes meanwhile");
        }
    }

    fn use_permit(&self) {
        PERMIT.with(|permits| {
            if let Ok(_permit) = permits.acquire_many(1 + self.dice.throw(PERMITS)) {
                self.pause(8);
            }
        });
    }

    /// Waits for a value from a thread of the pool.
    fn expect_parcel(&self) {
        let (sender, mut receiver) = oneshot::channel();
        let parcel = Counted::new(&self.world.parcels);
        let sent = self.world.pool.spawn_for_completion(move |_| sender.send(parcel).is_ok());
        let received = match self.dice.throw(4) {
            0 => Ok(()),
            1 => receiver.recv_timeout(self.dice.instant()).map(drop),
            2 => receiver.recv().map(drop),
            _ => {
                sent.cancel();
                corio::block_on(receiver).unwrap_or(Err(RecvError::Canceled)).map(drop)
            }
        };
        match (received, sent.join()) {
            (Err(RecvError::Closed), Err(JoinError::Canceled)) => {}
            (Err(RecvError::Closed), sent) => panic!("nothing came of {sent:?}"),
            (_, Ok(_) | Err(JoinError::Canceled)) => {}
            (_, Err(error)) => panic!("{error}"),
        }
    }

    /// Lends its stack to a thread of the pool.
    fn lend(&self) {
        let (mut numbers, number) = ([0; 32], self.dice.next());
        let (panics, is_doomed) = (&self.world.panics, self.dice.once_in(8));
        let fill = || {
            self.world.pool.yield_for_completion(|token| {
                numbers.fill(number);
                if token.is_canceled() || is_doomed {
                    resume_unwind(Box::new(Counted::new(panics)));
                }
            })
        };
        let was_run = match catch_unwind(AssertUnwindSafe(fill)) {
            Ok(result) => result.is_ok(),
            Err(payload) => {
                self.world.check_panic(&*payload);
                true
            }
        };
        assert_eq!(numbers, [if was_run { number } else { 0 }; 32]);
    }

    fn call(&self) {
        let nap = self.dice.instant() / 8;
        if self.dice.once_in(8) {
            _ = corio::blocking(|| thread::sleep(nap));
        }
    }

    /// Starts a task elsewhere, and joins it, cancels it or leaves it alone.
    fn start(&self) {
        if self.depth == GENERATIONS {
            return;
        }
        let mut child = self.world.start(&self.dice, self.depth + 1);
        match self.dice.throw(6) {
            0 => return child.detach(),
            1 => child.cancel(),
            2 => self.pause(1),
            _ => {}
        }
        child.join(self.world, &self.dice);
    }

    /// Starts a task on the same thread that nobody waits for.
    fn spawn_beside(&self) {
        let (world, seed, depth) = (self.world.clone(), self.dice.next(), self.depth + 1);
        if depth > GENERATIONS {
            return;
        }
        let task = corio::spawn(move || {
            let lived = catch_unwind(AssertUnwindSafe(|| live(&world, seed, depth)));
            lived.map(drop).unwrap_or_else(|payload| world.check_panic(&*payload));
        });
        let task = task.unwrap();
        match self.dice.throw(3) {
            0 => task.detach(),
            1 => task.join().unwrap(),
            _ => corio::block_on(task).map_or((), |result| result.unwrap()),
        }
    }

    fn cancel_neighbour(&self) {
        let name = NEIGHBOURS.with_borrow(|names| *self.dice.choose(names));
        if self.dice.once_in(2) { name.cancel() } else { _ = name.wakeup() }
    }

    fn park(&self) {
        let parked = corio::timeout(self.dice.instant(), || corio::park(1));
        _ = parked.map_err(|expired| expired.0);
    }

    fn race(&self, nesting: usize) {
        let (first, second) = (Dice::new(self.dice.next()), Dice::new(self.dice.next()));
        let walk = |dice| Walk { world: self.world, dice, depth: self.depth };
        let (first, second) = (walk(first), walk(second));
        let race = corio::race((|| first.step(nesting), || second.step(nesting), || self.pause(1)));
        assert!(race.expect("memory for a race").first < 3);
    }

    /// Starts tasks that borrow, some of which nobody joins.
    fn scope(&self) {
        if self.depth < GENERATIONS {
            corio::scope(|s| (0..1 + self.dice.throw(3)).for_each(|_| self.spawn(s))).unwrap();
        }
    }

    fn spawn<'scope>(&'scope self, s: &'scope Scope<'scope, '_>) {
        let seed = self.dice.next();
        let task = s.spawn(move || live(self.world, seed, self.depth + 1));
        match self.dice.throw(4) {
            0 => return,
            1 => s.cancel(),
            _ => {}
        }
        match task.join() {
            Ok(outcome) => assert_eq!(outcome.seed, seed),
            Err(JoinError::Panicked(payload)) => self.world.check_panic(&*payload),
            Err(error) => panic!("it can be waited for: {error}"),
        }
    }

    /// Starts tasks of which one may fail.
    fn try_scope(&self) {
        if self.depth == GENERATIONS {
            return;
        }
        let (seed, fails) = (self.dice.next(), self.dice.once_in(2));
        let result = corio::try_scope(|s| {
            s.spawn(|| {
                live(self.world, seed, self.depth + 1);
                Ok::<_, u64>(())
            })
            .detach();
            let other = s.spawn(|| {
                self.pause(1);
                if fails { Err(seed) } else { Ok(()) }
            });
            _ = other.join().unwrap();
            Ok(seed)
        });
        assert_eq!(result.unwrap(), if fails { Err(seed) } else { Ok(seed) });
    }
}
