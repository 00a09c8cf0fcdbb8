//! The threads themselves, and how what they did gets back to its ring.

use std::collections::VecDeque;
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use crate::backend::{Answered, syscall};
use crate::error::Cause;
use crate::fork;
use crate::key::Key;
use crate::op::RawOp;
use crate::sys::without_signals;
use crate::waker::Waker;

/// What a thread's stack has: room for a system call, and for a program's thread-local variables,
/// which lie on it too. Where these need more, std takes more.
pub const STACK_BYTES: usize = 128 << 10;

/// How long a thread waits for work before it ends.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Why no lock here is ever poisoned.
const NO_PANIC: &str = "nothing panics while it holds the lock";

/// What the threads have for one ring.
pub struct Outbox {
    news: Mutex<News>,
    /// Somebody blocks until there is news.
    awaited: Condvar,
}

pub struct News {
    done: Vec<Answered>,
    is_awaited: bool,
    /// It is the ring's: a thread that has just answered may have the outbox a moment longer, and
    /// must not keep the descriptor open.
    pub waker: Option<Waker>,
}

impl Outbox {
    /// Empty; `waker` is used when the first answer is put into it.
    pub fn new(waker: Waker) -> Outbox {
        let news = News { done: Vec::new(), is_awaited: false, waker: Some(waker) };
        Outbox { news: Mutex::new(news), awaited: Condvar::new() }
    }

    /// Moves the answers to the end of `done`; yields how many there were.
    pub fn take(&self, done: &mut VecDeque<Answered>) -> usize {
        let mut news = self.lock();
        let count = news.done.len();
        done.extend(news.done.drain(..));
        count
    }

    /// Blocks until `count` answers are there, which are the last ones.
    pub fn await_all(&self, count: usize) {
        let mut news = self.lock();
        news.is_awaited = true;
        while news.done.len() < count {
            news = self.awaited.wait(news).expect(NO_PANIC);
        }
        news.waker = None;
    }

    /// What is in it.
    pub fn lock(&self) -> MutexGuard<'_, News> {
        self.news.lock().expect(NO_PANIC)
    }

    fn put(&self, answered: Answered) {
        let mut news = self.lock();
        if news.done.is_empty()
            && let Some(waker) = &news.waker
        {
            waker.wake();
        }
        news.done.push(answered);
        let is_awaited = news.is_awaited;
        drop(news);
        if is_awaited {
            self.awaited.notify_one();
        }
    }
}

/// A call to be made, once.
pub struct Job {
    pub key: Key,
    pub op: RawOp,
    pub outbox: Arc<Outbox>,
}

// SAFETY: what the pointers of `op` name is left to the one thread that has the job: who started
// it promised that it stays valid and, where it is written to, unused, until the job is collected
// or dropped unrun; both are said to it under a lock, after the thread's last use.
unsafe impl Send for Job {}

impl Job {
    /// Makes the call and answers it.
    pub fn run(self) {
        // SAFETY: the memory is valid and unused until the answer below is collected, or the
        // `Threads` that waits for it is gone.
        let result = unsafe { syscall::call(&self.op) };
        self.outbox.put((self.key, result.unwrap_or(Err(Cause::Unsupported))));
    }
}

/// The threads of a process, and what they are to do.
pub struct Pool {
    pub generation: u32,
    patience: Duration,
    stack_bytes: usize,
    state: Mutex<State>,
    has_jobs: Condvar,
}

/// While there is a job, there is a thread.
pub struct State {
    pub queue: VecDeque<Job>,
    pub threads: usize,
    /// How many of the threads have no job, those included that are about to look for one.
    pub idle: usize,
}

impl Pool {
    /// A pool that has no threads yet.
    pub const fn new(generation: u32, patience: Duration, stack_bytes: usize) -> Pool {
        let state = Mutex::new(State { queue: VecDeque::new(), threads: 0, idle: 0 });
        Pool { generation, patience, stack_bytes, state, has_jobs: Condvar::new() }
    }

    /// The pool of this process. A child that was forked has no threads, and its parent's locks
    /// may have been held when it was made: it begins anew, and leaves its parent's pool alone.
    pub fn of_this_process() -> &'static Pool {
        static CURRENT: AtomicPtr<Pool> = AtomicPtr::new(ptr::null_mut());
        let generation = fork::generation();
        let current = CURRENT.load(Ordering::Acquire);
        // SAFETY: what is published here is never freed, and was written before.
        let pool: Option<&'static Pool> = unsafe { current.as_ref() };
        if let Some(pool) = pool.filter(|pool| pool.generation == generation) {
            return pool;
        }
        let fresh = Box::into_raw(Box::new(Pool::new(generation, PATIENCE, STACK_BYTES)));
        match CURRENT.compare_exchange(current, fresh, Ordering::AcqRel, Ordering::Acquire) {
            // SAFETY: it is published now, and never freed.
            Ok(_) => unsafe { &*fresh },
            Err(other) => {
                // SAFETY: it was made above and is known to nobody else.
                drop(unsafe { Box::from_raw(fresh) });
                // SAFETY: another thread of this process has published it; it is never freed.
                unsafe { &*other }
            }
        }
    }

    /// What it does now; nothing is run meanwhile that was not running before.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(NO_PANIC)
    }

    /// Queues `job`, and sees to it that a thread comes for it, if there may be that many; gives
    /// it back where there is none at all.
    pub fn accept(&'static self, job: Job, most: usize) -> Option<Job> {
        if most == 0 {
            return Some(job);
        }
        let mut state = self.lock();
        state.queue.push_back(job);
        while state.queue.len() > state.idle && state.threads < most && self.spawn().is_ok() {
            state.threads += 1;
            state.idle += 1;
        }
        if state.threads == 0 {
            return state.queue.pop_back();
        }
        let is_anyone_idle = state.idle > 0;
        drop(state);
        if is_anyone_idle {
            self.has_jobs.notify_one();
        }
        None
    }

    /// Starts a thread on which no signal is delivered: the program's handlers run on threads that
    /// it knows.
    fn spawn(&'static self) -> io::Result<()> {
        let thread = thread::Builder::new().name("corio-io".into()).stack_size(self.stack_bytes);
        without_signals(|| thread.spawn(|| self.serve())).map(drop)
    }

    /// What a thread does, from its start to its end.
    fn serve(&self) {
        let mut state = self.lock();
        loop {
            while let Some(job) = state.queue.pop_front() {
                state.idle -= 1;
                drop(state);
                job.run();
                state = self.lock();
                state.idle += 1;
            }
            let (locked, waited) =
                self.has_jobs.wait_timeout(state, self.patience).expect(NO_PANIC);
            state = locked;
            if waited.timed_out() && state.queue.is_empty() {
                state.idle -= 1;
                state.threads -= 1;
                return;
            }
        }
    }
}
