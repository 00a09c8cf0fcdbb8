//! A scheduler on each of several threads, and closures that find their way to them.

mod pin;
mod shutdown;
mod worker;

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use corio_aio::key::Key;

use crate::handle::JoinHandle;
use crate::job::Job;
use crate::options::{Options, SpawnOptions};
use crate::park::Unparker;
use crate::scheduler::{Bell, Letter, Mailbox, Workers};

pub use shutdown::{ShutdownReport, Straggler};
pub use worker::worker_index;

/// How a [`Runtime`] is set up.
#[derive(Clone, Debug)]
pub struct RuntimeOptions {
    /// How many threads it has; 0 for as many as there are processors.
    pub threads: usize,
    /// Whether each thread stays on one processor: the first thread on the first one that this
    /// process may use, and so on, and again from the start where there are more threads.
    ///
    /// Linux, FreeBSD and Windows have this. Elsewhere [`Runtime::new`] says `Unsupported`.
    pub pin: bool,
    /// What the threads are called, with their number behind it.
    pub name: Cow<'static, str>,
    /// How the scheduler of each thread is set up.
    pub scheduler: Options,
    /// How long a canceled task may take to end before [`Runtime::shutdown`] reports it.
    pub patience: Duration,
}

impl Default for RuntimeOptions {
    /// A thread per processor, which the OS may move; a second of patience.
    fn default() -> RuntimeOptions {
        RuntimeOptions {
            threads: 0,
            pin: false,
            name: "corio".into(),
            scheduler: Options::default(),
            patience: Duration::from_secs(1),
        }
    }
}

/// Threads with a scheduler each, which start the closures that they are sent as tasks.
///
/// A closure goes to a thread that sleeps, or else to each in its turn. Until it has been started
/// any thread may take it that has nothing to do, so that none waits behind a task that computes
/// for long. Once started, a task stays on its thread.
///
/// ```
/// use corio::{Runtime, RuntimeOptions};
/// use std::time::Duration;
/// # fn main() -> std::io::Result<()> {
/// let runtime = Runtime::new(RuntimeOptions { threads: 2, ..RuntimeOptions::default() })?;
/// let halves: Vec<_> = (0..4).map(|n| runtime.spawn(move || n / 2)).collect();
/// let halves: Vec<i32> = halves.into_iter().map(|half| half.join().unwrap()).collect();
/// assert_eq!(halves, [0, 0, 1, 1]);
/// let report = runtime.shutdown(Duration::from_secs(1));
/// assert_eq!(report.canceled, 0);
/// # Ok(())
/// # }
/// ```
///
/// Tasks are in the outermost scope of their thread's scheduler: [`spawn`](crate::spawn) in one of
/// them starts another one on the same thread. That all tasks wait for each other is not noticed
/// here: another closure might come and let one go on.
///
/// # Drop
///
/// Dropping it cancels all tasks and waits for their end, as `shutdown(Duration::ZERO)` does. The
/// threads own all that they work on: forgetting the runtime leaves them running, and no more.
#[derive(Debug)]
pub struct Runtime {
    handle: RuntimeHandle,
    threads: Vec<thread::JoinHandle<()>>,
}

/// Sends closures to the threads of a [`Runtime`], from any thread. Once the runtime is being shut
/// down, what is sent is dropped, and its `join` answers [`JoinError::Lost`](crate::JoinError).
#[derive(Clone)]
pub struct RuntimeHandle {
    shared: Arc<Shared>,
}

/// What the threads and the handles share.
struct Shared {
    team: Arc<Workers>,
    options: RuntimeOptions,
    books: Mutex<Books>,
}

/// What becomes of the workers.
struct Books {
    stage: Stage,
    /// Those that were started.
    workers: Vec<WorkerBooks>,
    /// Who waits for the end of all.
    waiter: Option<Unparker>,
}

#[derive(Default)]
struct WorkerBooks {
    /// Whether it has seen that its tasks are to be canceled.
    has_canceled: bool,
    /// What it has to say once its scheduler has ended.
    report: Option<ShutdownReport>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Stage {
    Open,
    /// Nothing new is let in; what is there goes on.
    Draining,
    /// All tasks are asked to stop.
    Canceling,
}

impl Runtime {
    /// Starts the threads, and returns when each has its scheduler.
    ///
    /// # Errors
    ///
    /// Nothing is left of it then.
    ///
    /// - A thread can't have a scheduler; see [`aio::Ring::new`](crate::aio::Ring::new).
    /// - `EMFILE`: the process has no descriptors left.
    /// - `EAGAIN`: it can't have as many threads.
    pub fn new(options: RuntimeOptions) -> io::Result<Runtime> {
        let count = match options.threads {
            0 => thread::available_parallelism()?.get(),
            count => count,
        };
        let mailbox = |_| Arc::new(Mailbox::new(Bell::default()));
        let team = Arc::new(Workers::new((0..count).map(mailbox)));
        let books = Mutex::new(Books { stage: Stage::Open, workers: Vec::new(), waiter: None });
        let shared = Arc::new(Shared { team, options, books });
        let (ready, is_ready) = mpsc::channel();
        let handle = RuntimeHandle { shared };
        let mut runtime = Runtime { handle, threads: Vec::with_capacity(count) };
        for index in 0..count {
            // Who has been started so far ends when the runtime is dropped.
            let thread = worker::start(&runtime.handle.shared, index, ready.clone())?;
            runtime.threads.push(thread);
        }
        drop(ready);
        is_ready.iter().collect::<io::Result<()>>()?;
        Ok(runtime)
    }

    /// What sends closures to the threads from anywhere.
    pub fn handle(&self) -> RuntimeHandle {
        self.handle.clone()
    }

    /// See [`RuntimeHandle::threads`].
    pub fn threads(&self) -> usize {
        self.handle.threads()
    }

    /// See [`RuntimeHandle::spawn`].
    #[track_caller]
    pub fn spawn<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        self.handle.spawn(f)
    }

    /// See [`RuntimeHandle::spawn_with`].
    #[track_caller]
    pub fn spawn_with<T: Send + 'static>(
        &self,
        options: SpawnOptions<'static>,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        self.handle.spawn_with(options, f)
    }

    /// See [`RuntimeHandle::spawn_on`].
    #[track_caller]
    pub fn spawn_on<T: Send + 'static>(
        &self,
        index: usize,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        self.handle.spawn_on(index, f)
    }

    /// See [`RuntimeHandle::spawn_on_each`].
    #[track_caller]
    pub fn spawn_on_each<T: Send + 'static>(
        &self,
        f: impl FnOnce(usize) -> T + Clone + Send + 'static,
    ) -> Vec<JoinHandle<T>> {
        self.handle.spawn_on_each(f)
    }
}

impl RuntimeHandle {
    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.shared.team.len()
    }

    /// Starts a task on one of the threads.
    #[track_caller]
    pub fn spawn<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        self.spawn_with(SpawnOptions::new(), f)
    }

    /// As [`spawn`](RuntimeHandle::spawn), set up as `options` say.
    #[track_caller]
    pub fn spawn_with<T: Send + 'static>(
        &self,
        options: SpawnOptions<'static>,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let (job, outcome) = Job::new(options, Location::caller(), None, f);
        // Where it is not let in it is dropped here, which its `join` says.
        drop(self.shared.team.post(job));
        JoinHandle::new(outcome)
    }

    /// Starts a task on the thread of this number, from 0 on, and on no other.
    ///
    /// # Panics
    ///
    /// If there is no such thread.
    #[track_caller]
    pub fn spawn_on<T: Send + 'static>(
        &self,
        index: usize,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let mailbox = self.shared.team.mailbox(index);
        let (job, outcome) = Job::new(SpawnOptions::new(), Location::caller(), None, f);
        drop(mailbox.post(job));
        JoinHandle::new(outcome)
    }

    /// Starts a task on each thread, with the thread's number: a listener of its own with
    /// `SO_REUSEPORT`, for instance.
    #[track_caller]
    pub fn spawn_on_each<T: Send + 'static>(
        &self,
        f: impl FnOnce(usize) -> T + Clone + Send + 'static,
    ) -> Vec<JoinHandle<T>> {
        let mut handles = Vec::with_capacity(self.threads());
        for index in 0..self.threads() {
            let f = f.clone();
            handles.push(self.spawn_on(index, move || f(index)));
        }
        handles
    }

    /// Whether the runtime is being shut down, or has been.
    pub fn is_closed(&self) -> bool {
        self.shared.lock().stage > Stage::Open
    }
}

impl fmt::Debug for RuntimeHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeHandle").field("threads", &self.threads()).finish()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stage(&self) -> Stage {
        self.lock().stage
    }

    /// Goes on to this stage, and tells all workers.
    fn enter(&self, stage: Stage) {
        self.lock().stage = stage;
        self.team.mailboxes().for_each(|mailbox| mailbox.send(Letter::GoOn(Key::NONE)));
    }
}
