//! Who waits, whatever it is: a task, the code outside of a scheduler's tasks, or a plain thread.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};
use std::time::Instant;

use corio_aio::key::Key;

use crate::scheduler::{self, Letter, PostBox};

/// The task or thread that calls, as one that can wait until it is unparked.
///
/// Waits can end for no reason: who waits looks at what it waits for.
#[derive(Debug)]
pub(crate) struct Parker {
    who: Unparker,
    _not_send: PhantomData<*mut ()>,
}

/// Why a wait is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Parked {
    /// It was unparked, now or since its last wait.
    Woken,
    /// The deadline has come.
    Expired,
    /// The task was asked to stop; or it can't be suspended, because the thread unwinds.
    Canceled,
}

/// Ends the wait of a [`Parker`], or its next one. From any thread, and as often as one likes: who
/// has ended, or waits for something else, is left alone.
#[derive(Clone, Debug)]
pub(crate) enum Unparker {
    /// A task; the code outside of tasks is [`Key::NONE`].
    Task {
        scheduler: u64,
        mailbox: Arc<PostBox>,
        key: Key,
    },
    Thread(Arc<ThreadCell>),
}

#[derive(Debug)]
pub(crate) struct ThreadCell {
    is_unparked: AtomicBool,
    thread: Thread,
}

thread_local! {
    static THIS_THREAD: Arc<ThreadCell> = ThreadCell::of_this_thread();
}

impl ThreadCell {
    fn of_this_thread() -> Arc<ThreadCell> {
        Arc::new(ThreadCell { is_unparked: AtomicBool::new(false), thread: thread::current() })
    }

    fn park(&self, deadline: Option<Instant>) -> Parked {
        while !self.is_unparked.swap(false, Ordering::Acquire) {
            match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => thread::park(),
                Some(rest) if rest.is_zero() => return Parked::Expired,
                Some(rest) => thread::park_timeout(rest),
            }
        }
        Parked::Woken
    }
}

impl Parker {
    pub fn current() -> Parker {
        let of_task = scheduler::with_current(|core| Unparker::Task {
            scheduler: core.id(),
            mailbox: core.mailbox().clone(),
            key: core.running().map_or(Key::NONE, |task| task.key),
        });
        let who = of_task.unwrap_or_else(|| {
            // A thread that ends has no thread-locals left.
            let cell = THIS_THREAD.try_with(Arc::clone);
            Unparker::Thread(cell.unwrap_or_else(|_| ThreadCell::of_this_thread()))
        });
        Parker { who, _not_send: PhantomData }
    }

    pub fn unparker(&self) -> Unparker {
        self.who.clone()
    }

    /// Whether it can wait: a task, or the code outside of tasks, can't while the thread unwinds,
    /// or while operations are started. This changes only by what the caller does.
    pub fn can_wait(&self) -> bool {
        match &self.who {
            Unparker::Thread(_) => true,
            Unparker::Task { scheduler, .. } => scheduler::can_park(*scheduler),
        }
    }

    /// Waits as [`park`](Parker::park) does, but goes on to wait when the task is asked to stop.
    pub fn park_shielded(&self, what: &'static str) -> Parked {
        match &self.who {
            Unparker::Thread(cell) => cell.park(None),
            Unparker::Task { scheduler, .. } => scheduler::park_shielded(*scheduler, what),
        }
    }

    /// Waits until it is unparked, or was since the last wait, or until `deadline`. `what` says to
    /// humans what for.
    pub fn park(&self, what: &'static str, deadline: Option<Instant>) -> Parked {
        match &self.who {
            Unparker::Thread(cell) => cell.park(deadline),
            Unparker::Task { scheduler, .. } => {
                scheduler::park_remotely(*scheduler, what, deadline)
            }
        }
    }
}

impl Unparker {
    pub fn unpark(&self) {
        match self {
            Unparker::Thread(cell) => {
                cell.is_unparked.store(true, Ordering::Release);
                cell.thread.unpark();
            }
            Unparker::Task { scheduler, mailbox, key } => {
                // On the scheduler's own thread there is no need for the mailbox.
                if scheduler::with_id(*scheduler, |core| core.unpark(*key)).is_none() {
                    mailbox.send(Letter::GoOn(*key));
                }
            }
        }
    }

    /// Asks the task to stop; anybody else is left alone.
    pub fn cancel(&self) {
        if let Unparker::Task { scheduler, mailbox, key } = self
            && scheduler::with_id(*scheduler, |core| core.cancel(*key)).is_none()
        {
            mailbox.send(Letter::Stop(*key));
        }
    }

    /// The scheduler that it is of.
    pub fn scheduler(&self) -> Option<u64> {
        match self {
            Unparker::Task { scheduler, .. } => Some(*scheduler),
            Unparker::Thread(_) => None,
        }
    }
}
