//! What all tasks of a round share, and the sums that have to match when it is over.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use corio::aio::op::{self, Operation};
use corio::aio::{self, EventSource};
use corio::sync::{Mutex, Queue, RwLock};
use corio::{Handle, JoinError, JoinHandle, PoolOptions, RuntimeHandle, SpawnOptions, ThreadPool};

use super::books::{Balance, Counted, Dice, Messages};
use super::system::{Stream, pair};
use super::walk;

const PAIRS: usize = 32;
const SOURCES: usize = 8;
const POOL_THREADS: usize = 4;

pub struct World {
    pub runtime: RuntimeHandle,
    /// One of each worker.
    pub handles: Vec<Handle>,
    pub pool: ThreadPool,
    pub queues: [Queue<usize>; 4],
    pub messages: Messages,
    pub mutex: Mutex<u64>,
    pub locked: AtomicU64,
    /// Two numbers that are the same for whoever may look.
    pub twins: RwLock<(u64, u64)>,
    pub written: AtomicU64,
    pub pairs: Vec<Pair>,
    pub sources: Vec<EventSource>,
    /// What was added to the sources, and taken off.
    pub notes: Balance,
    pub lives: Arc<Balance>,
    /// Closures, started or not; results; what was panicked with; what went through a oneshot.
    pub closures: Arc<Balance>,
    pub results: Arc<Balance>,
    pub panics: Arc<Balance>,
    pub parcels: Arc<Balance>,
    /// How often a result could not be had: because of a panic, a cancel, or the runtime's end.
    pub fates: [AtomicUsize; 3],
}

/// Two sockets that are connected, and how many bytes went from the first to the second.
pub struct Pair {
    pub ours: Stream,
    pub theirs: Stream,
    pub bytes: Balance,
}

/// What a task yields: the seed of its choices.
pub struct Outcome {
    pub seed: u64,
    pub _counted: Counted,
}

/// A task that somebody has yet to join.
pub struct Child {
    seed: u64,
    handle: JoinHandle<Outcome>,
    is_canceled: bool,
}

impl World {
    pub fn new(runtime: RuntimeHandle, handles: Vec<Handle>) -> World {
        let pair = |_| {
            let (ours, theirs) = pair();
            Pair { ours, theirs, bytes: Balance::default() }
        };
        World {
            runtime,
            handles,
            pool: ThreadPool::new(PoolOptions {
                max_threads: POOL_THREADS,
                name: "chaos-pool".into(),
                keep_alive: Duration::from_millis(20),
            }),
            queues: [Queue::bounded(0), Queue::bounded(1), Queue::bounded(32), Queue::unbounded()],
            messages: Messages::new(),
            mutex: Mutex::new(0),
            locked: AtomicU64::new(0),
            twins: RwLock::default(),
            written: AtomicU64::new(0),
            pairs: (0..PAIRS).map(pair).collect(),
            sources: (0..SOURCES).map(|_| EventSource::new().unwrap()).collect(),
            notes: Balance::default(),
            lives: Arc::default(),
            closures: Arc::default(),
            results: Arc::default(),
            panics: Arc::default(),
            parcels: Arc::default(),
            fates: [const { AtomicUsize::new(0) }; 3],
        }
    }

    /// Starts a task somewhere in the runtime, in one of the ways there are.
    pub fn start(self: &Arc<World>, dice: &Dice, depth: usize) -> Child {
        let (seed, world) = (dice.next(), self.clone());
        let closure = Counted::new(&self.closures);
        let f = move || {
            let _closure = closure;
            walk::live(&world, seed, depth)
        };
        let options = SpawnOptions::new();
        let handle = match dice.throw(6) {
            0 => self.runtime.spawn_on(dice.throw(self.handles.len()), f),
            1 => dice.choose(&self.handles).spawn(f),
            2 => dice.choose(&self.handles).spawn_with(options.name("by handle"), f),
            3 => self.runtime.spawn_with(options.stack_size(512 << 10), f),
            _ => self.runtime.spawn(f),
        };
        Child { seed, handle, is_canceled: false }
    }

    /// Looks at how a task has ended.
    fn settle(&self, result: Result<Outcome, JoinError>, seed: u64, is_canceled: bool) {
        let fate = match result {
            Ok(outcome) => return assert_eq!(outcome.seed, seed, "another's result"),
            Err(JoinError::Panicked(payload)) => {
                self.check_panic(&*payload);
                0
            }
            Err(JoinError::Canceled) => {
                assert!(is_canceled, "nobody canceled it");
                1
            }
            Err(JoinError::Lost) => {
                assert!(self.runtime.is_closed(), "the runtime starts all that it is sent");
                2
            }
            Err(JoinError::Unreachable) => panic!("it can be waited for"),
        };
        self.fates[fate].fetch_add(1, Relaxed);
    }

    /// It is one of those that tasks panic with here.
    pub fn check_panic(&self, payload: &(dyn Any + Send)) {
        assert!(payload.is::<Counted>(), "a panic that was not planned");
    }

    /// Looks whether all sums match, once nobody works on them any more.
    pub fn check(&mut self) {
        for queue in &self.queues {
            queue.close();
            while let Ok(number) = queue.try_recv() {
                self.messages.note_received(number);
            }
        }
        let count = self.messages.assert_even();
        assert_eq!(*self.mutex.get_mut(), self.locked.load(Relaxed), "the mutex excludes");
        let (first, second) = *self.twins.get_mut();
        assert_eq!((first, second), (self.written.load(Relaxed), first), "writers are alone");
        for Pair { ours, theirs, bytes } in &self.pairs {
            ours.shutdown(std::net::Shutdown::Both).unwrap();
            bytes.go(std::io::copy(&mut &*theirs, &mut std::io::sink()).unwrap() as usize);
            bytes.assert_even("bytes");
        }
        for source in &self.sources {
            let wait = || (op::wait_event_source(source).soft(), op::link_timeout(Duration::ZERO));
            while aio::complete(wait()).unwrap().0.is_ok() {
                self.notes.go(1);
            }
        }
        self.notes.assert_even("notes");
        self.lives.assert_even("tasks");
        self.closures.assert_even("closures");
        self.results.assert_even("results");
        self.panics.assert_even("panics");
        self.parcels.assert_even("parcels");
        let [panicked, canceled, lost] = self.fates.each_ref().map(|fate| fate.load(Relaxed));
        println!(
            "{} tasks, {count} messages, {} bytes, {} notes, {} panics; of those joined {panicked} \
             panicked, {canceled} were canceled unstarted, {lost} were lost",
            self.lives.came(),
            self.pairs.iter().map(|pair| pair.bytes.came()).sum::<usize>(),
            self.notes.came(),
            self.panics.came(),
        );
    }
}

impl Child {
    pub fn cancel(&mut self) {
        self.is_canceled = true;
        self.handle.cancel();
    }

    /// Waits for its end, in one of the ways there are.
    pub fn join(mut self, world: &World, dice: &Dice) {
        let polled = if dice.once_in(2) { corio::block_on(&mut self.handle).ok() } else { None };
        let result = polled.unwrap_or_else(|| self.handle.join());
        // A cancel of who waits goes on to the task.
        let is_canceled = self.is_canceled || corio::is_canceled();
        world.settle(result, self.seed, is_canceled);
    }

    pub fn is_complete(&self) -> bool {
        self.handle.is_complete()
    }

    pub fn detach(self) {
        self.handle.detach();
    }
}
