//! Threads for what can only block: a task lends them a closure, and is suspended until it has run.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use corio_aio::guard::NoUnwind;

use crate::handle::JoinHandle;
use crate::job::{CancellationToken, Job};
use crate::park::{Parked, Parker, Unparker};
use crate::scheduler::{self, Core};
use crate::task::Canceled;

/// How a [`ThreadPool`] is set up.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// How many threads there are at most: at least one.
    pub max_threads: usize,
    /// What the threads are called.
    pub name: Cow<'static, str>,
    /// How long a thread waits for work before it ends.
    pub keep_alive: Duration,
}

impl Default for PoolOptions {
    /// Up to 512 threads, as most of them only wait; they end after 10 s without work.
    fn default() -> PoolOptions {
        PoolOptions {
            max_threads: 512,
            name: "corio-pool".into(),
            keep_alive: Duration::from_secs(10),
        }
    }
}

/// Threads that run closures that block, or compute for long.
///
/// Threads are started when there is work and none is free, and end when they have had no work for
/// a while. Closures are started in the order in which they came.
///
/// ```
/// use corio::{PoolOptions, ThreadPool};
/// # fn main() -> std::io::Result<()> {
/// let pool = ThreadPool::new(PoolOptions { max_threads: 2, ..PoolOptions::default() });
/// let mut words = vec!["one", "two", "three"];
/// corio::run(|| {
///     // What the closure borrows is the task's own.
///     pool.yield_for_completion(|_| words.sort())
/// })??;
/// assert_eq!(words, ["one", "three", "two"]);
/// # Ok(())
/// # }
/// ```
///
/// Dropping the pool waits for nobody: who waits in `yield_for_completion` borrows it; what
/// [`spawn_for_completion`](ThreadPool::spawn_for_completion) started runs to its end, and what was
/// not started is dropped, which its `join` says. A child that is forked has no threads: it must
/// not use a pool of its parent's.
#[derive(Debug)]
pub struct ThreadPool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: PoolOptions,
    state: Mutex<State>,
    has_work: Condvar,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Work>,
    threads: usize,
    /// How many of the threads have no work, those included that are about to look for some.
    idle: usize,
    is_closed: bool,
}

#[derive(Debug)]
enum Work {
    Lent(Lent),
    Owned(Job),
}

/// A closure in the frame of who waits for it.
#[derive(Debug)]
struct Lent {
    call: *mut (),
    run: unsafe fn(*mut (), &CancellationToken),
    signal: Arc<Signal>,
}

/// What who waits and who runs the closure share beyond the frame.
#[derive(Debug)]
struct Signal {
    token: CancellationToken,
    is_done: AtomicBool,
    waiter: Unparker,
}

/// What is lent: the closure, and the place for its result.
struct Call<F, T> {
    f: Option<F>,
    outcome: Option<thread::Result<T>>,
}

// SAFETY: `yield_for_completion`, which alone makes it, takes closures and results that are `Send`;
// it leaves the call to who has this until it is done or was taken out of the queue.
unsafe impl Send for Lent {}

/// # Safety
///
/// It points to such a `Call`, which nobody else uses meanwhile, and which was not run.
unsafe fn run<F: FnOnce(&CancellationToken) -> T, T>(call: *mut (), token: &CancellationToken) {
    // SAFETY: the caller's promise.
    let call = unsafe { &mut *call.cast::<Call<F, T>>() };
    let f = call.f.take().expect("it was not run");
    call.outcome = Some(catch_unwind(AssertUnwindSafe(|| f(token))));
}

impl Lent {
    fn run(self) {
        // SAFETY: who has this has the call to itself, and it is run once: this is `self`.
        unsafe { (self.run)(self.call, &self.signal.token) };
        // From here on the frame may be gone; the signal is shared.
        self.signal.is_done.store(true, Ordering::Release);
        self.signal.waiter.unpark();
    }
}

impl Work {
    fn run(self) {
        match self {
            Work::Lent(lent) => lent.run(),
            Work::Owned(job) => job.run(),
        }
    }
}

impl ThreadPool {
    /// A pool that has no threads yet.
    pub fn new(options: PoolOptions) -> ThreadPool {
        let (state, has_work) = (Mutex::default(), Condvar::new());
        ThreadPool { shared: Arc::new(Shared { options, state, has_work }) }
    }

    /// Runs `f` on a thread of the pool, and yields its value. A task is suspended meanwhile;
    /// outside of tasks the scheduler runs, and a plain thread blocks.
    ///
    /// The closure may borrow: the call returns when it has ended, or was taken back unstarted.
    /// When the task is asked to stop, a closure that was not started is taken back; one that runs
    /// is told so by its token, and its true result is yielded.
    ///
    /// Where the caller can't wait, because its thread unwinds, and where the pool can't have any
    /// thread, the closure runs on the caller's thread.
    ///
    /// # Errors
    ///
    /// [`Canceled`]: the task was asked to stop, and the closure was not started.
    ///
    /// # Panics
    ///
    /// With what the closure panicked with.
    pub fn yield_for_completion<T: Send, F>(&self, f: F) -> Result<T, Canceled>
    where
        F: FnOnce(&CancellationToken) -> T + Send,
    {
        const WHAT: &str = "a thread of a pool";
        if scheduler::with_current(Core::is_canceled) == Some(true) {
            return Err(Canceled);
        }
        let parker = Parker::current();
        if !parker.can_wait() {
            return Ok(f(&CancellationToken::default()));
        }
        let signal = Arc::new(Signal {
            token: CancellationToken::default(),
            is_done: AtomicBool::new(false),
            waiter: parker.unparker(),
        });
        let mut call = Call { f: Some(f), outcome: None };
        let guard = NoUnwind;
        // The call is left alone from here on until it is done, or was taken back: the loop ends
        // in no other way, and no unwind leaves the frame (`guard`). If the frame is a task's, its
        // stack is given back only after the task has ended.
        let call_pointer = (&raw mut call).cast();
        let lent = Lent { call: call_pointer, run: run::<F, T>, signal: signal.clone() };
        self.shared.accept(Work::Lent(lent));
        let mut is_canceled = false;
        while !signal.is_done.load(Ordering::Acquire) {
            if is_canceled {
                parker.park_shielded(WHAT);
            } else if parker.park(WHAT, None) == Parked::Canceled {
                is_canceled = true;
                signal.token.cancel();
                if self.shared.take_back(&signal) {
                    guard.release();
                    return Err(Canceled);
                }
            }
        }
        guard.release();
        let outcome = call.outcome.expect("it is done");
        Ok(outcome.unwrap_or_else(|payload| resume_unwind(payload)))
    }

    /// Runs `f` on a thread of the pool; the handle waits for its value. Without a handle it runs
    /// all the same.
    ///
    /// A cancel of the handle drops a closure that was not started, and tells one that runs by its
    /// token.
    #[track_caller]
    pub fn spawn_for_completion<T: Send + 'static>(
        &self,
        f: impl FnOnce(&CancellationToken) -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let (job, outcome) = Job::for_pool(Location::caller(), f);
        self.shared.accept(Work::Owned(job));
        JoinHandle::new(outcome)
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_closed = true;
        let unstarted = std::mem::take(&mut state.queue);
        drop(state);
        self.shared.has_work.notify_all();
        drop(unstarted);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues `work`, and sees to it that a thread comes for it; where none can be had, it is done
    /// here.
    fn accept(self: &Arc<Shared>, work: Work) {
        let mut state = self.lock();
        state.queue.push_back(work);
        let is_short = state.queue.len() > state.idle;
        if is_short && state.threads < self.options.max_threads.max(1) {
            state.threads += 1;
            state.idle += 1;
            drop(state);
            if let Err(error) = self.start_thread() {
                self.do_without_thread(&error);
            }
            return;
        }
        drop(state);
        self.has_work.notify_one();
    }

    fn start_thread(self: &Arc<Shared>) -> io::Result<()> {
        let shared = self.clone();
        let thread = thread::Builder::new().name(self.options.name.to_string());
        thread.spawn(move || shared.serve()).map(drop)
    }

    /// Notes that a thread was not to be had; does what no other thread would do.
    fn do_without_thread(&self, error: &io::Error) {
        log::warn!("a pool can't have one more thread: {error}");
        let mut state = self.lock();
        state.threads -= 1;
        state.idle -= 1;
        while state.threads == 0
            && let Some(work) = state.queue.pop_front()
        {
            drop(state);
            work.run();
            state = self.lock();
        }
        drop(state);
        // Another thread may have been called for this work before.
        self.has_work.notify_one();
    }

    /// Takes a closure out of the queue; says whether it was there.
    fn take_back(&self, signal: &Arc<Signal>) -> bool {
        let mut state = self.lock();
        let is_it =
            |work: &Work| matches!(work, Work::Lent(lent) if Arc::ptr_eq(&lent.signal, signal));
        let found = state.queue.iter().position(is_it);
        found.and_then(|index| state.queue.remove(index)).is_some()
    }

    /// What a thread does, from its start to its end.
    fn serve(&self) {
        let mut state = self.lock();
        loop {
            while let Some(work) = state.queue.pop_front() {
                state.idle -= 1;
                drop(state);
                work.run();
                state = self.lock();
                state.idle += 1;
            }
            if state.is_closed {
                break;
            }
            let patience = self.options.keep_alive;
            let waited = self.has_work.wait_timeout(state, patience);
            let (locked, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            state = locked;
            if waited.timed_out() && state.queue.is_empty() {
                break;
            }
        }
        state.idle -= 1;
        state.threads -= 1;
    }
}

/// Runs `f` on a thread of the process's own pool while the task is suspended: for a call that can
/// only block. See [`ThreadPool::yield_for_completion`]; the pool has the options' defaults.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let addresses = corio::run(|| {
///     use std::net::ToSocketAddrs;
///     corio::blocking(|| ("localhost", 80).to_socket_addrs())
/// })???;
/// # drop(addresses);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`Canceled`]: the task was asked to stop, and the closure was not started.
///
/// # Panics
///
/// With what the closure panicked with.
pub fn blocking<T: Send>(f: impl FnOnce() -> T + Send) -> Result<T, Canceled> {
    static POOL: OnceLock<ThreadPool> = OnceLock::new();
    let pool = POOL.get_or_init(|| {
        let name = "corio-blocking".into();
        ThreadPool::new(PoolOptions { name, ..PoolOptions::default() })
    });
    pool.yield_for_completion(|_| f())
}
