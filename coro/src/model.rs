//! Who waits, in the world that `loom` simulates: threads that can be asked to stop, as tasks can.
//!
//! A deadline has always come already, unless the wake has: so models see both outcomes.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Instant;

use corio_aio::key::Key;
use loom::sync::{Condvar, Mutex};
use loom::thread::JoinHandle;

use crate::scheduler::{self, Letter};

loom::thread_local! {
    static THIS: RefCell<Arc<Waiter>> = RefCell::new(Arc::new(Waiter::new()));
}

/// A thread of a model.
pub struct Task<T> {
    thread: JoinHandle<T>,
    waiter: Arc<Waiter>,
}

impl<T: 'static> Task<T> {
    /// Starts it.
    pub fn spawn(f: impl FnOnce() -> T + 'static) -> Task<T> {
        let waiter = Arc::new(Waiter::new());
        let own = waiter.clone();
        let thread = loom::thread::spawn(move || {
            THIS.with(|this| *this.borrow_mut() = own);
            f()
        });
        Task { thread, waiter }
    }

    /// Asks it to stop.
    pub fn cancel(&self) {
        self.waiter.change(|flags| flags.is_canceled = true);
    }

    /// Waits for its end.
    pub fn join(self) -> T {
        self.thread.join().expect("a panic ends the model")
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Task")
    }
}

/// The mailbox of a scheduler, with a bell that can be waited for as an event source can.
#[derive(Debug)]
pub struct Mailbox(scheduler::Mailbox<Bell, ()>);

impl Mailbox {
    /// An empty one, of a scheduler that is awake.
    #[expect(clippy::new_without_default, reason = "a model has no use for it")]
    pub fn new() -> Mailbox {
        let bell = Bell { count: Mutex::new(0), changed: Condvar::new() };
        Mailbox(scheduler::Mailbox::new(bell))
    }

    /// Wakes a task of this number, which is less than 2^31.
    pub fn wake(&self, task: u64) {
        self.0.send(Letter::GoOn(Key::from_bits(task)));
    }

    /// A turn of a scheduler that has nothing to do: it sleeps, unless something is there; yields
    /// whom it was to wake.
    pub fn turn(&self) -> Vec<u64> {
        let before = self.turn_awake();
        if !before.is_empty() {
            return before;
        }
        if self.0.fall_asleep() {
            self.0.bell().wait();
        }
        self.0.wake_up();
        self.turn_awake()
    }

    /// What a scheduler does in each turn; yields whom it was to wake.
    pub fn turn_awake(&self) -> Vec<u64> {
        let mut letters = Vec::new();
        if self.0.has_mail() {
            self.0.take(&mut letters);
        }
        let number = |letter| match letter {
            Letter::GoOn(task) | Letter::Stop(task) => task.to_bits(),
        };
        letters.into_iter().map(number).collect()
    }

    /// The end of the scheduler.
    pub fn close(&self) {
        let jobs = self.0.close();
        assert!(jobs.is_empty(), "a model posts none");
    }
}

#[derive(Debug)]
struct Bell {
    count: Mutex<u32>,
    changed: Condvar,
}

impl Bell {
    fn wait(&self) {
        let mut count = self.count.lock().expect("loom knows no poison");
        while *count == 0 {
            count = self.changed.wait(count).expect("loom knows no poison");
        }
        *count = 0;
    }
}

impl scheduler::mailbox::Bell for Bell {
    fn ring(&self) {
        *self.count.lock().expect("loom knows no poison") += 1;
        self.changed.notify_all();
    }

    fn take_down(&self) {}
}

#[derive(Debug)]
struct Waiter {
    flags: Mutex<Flags>,
    changed: Condvar,
}

#[derive(Default, Debug)]
struct Flags {
    is_unparked: bool,
    is_canceled: bool,
}

impl Waiter {
    fn new() -> Waiter {
        Waiter { flags: Mutex::new(Flags::default()), changed: Condvar::new() }
    }

    fn change(&self, f: impl FnOnce(&mut Flags)) {
        f(&mut self.flags.lock().expect("loom knows no poison"));
        self.changed.notify_all();
    }

    fn park(&self, may_cancel: bool, may_expire: bool) -> Parked {
        let mut flags = self.flags.lock().expect("loom knows no poison");
        loop {
            if std::mem::take(&mut flags.is_unparked) {
                return Parked::Woken;
            }
            if flags.is_canceled && may_cancel {
                return Parked::Canceled;
            }
            if may_expire {
                return Parked::Expired;
            }
            flags = self.changed.wait(flags).expect("loom knows no poison");
        }
    }
}

#[derive(Debug)]
pub(crate) struct Parker {
    waiter: Arc<Waiter>,
    _not_send: PhantomData<*mut ()>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Parked {
    Woken,
    Expired,
    Canceled,
}

#[derive(Clone, Debug)]
pub(crate) struct Unparker(Arc<Waiter>);

impl Parker {
    pub fn current() -> Parker {
        Parker { waiter: THIS.with(|this| this.borrow().clone()), _not_send: PhantomData }
    }

    pub fn unparker(&self) -> Unparker {
        Unparker(self.waiter.clone())
    }

    pub fn can_wait(&self) -> bool {
        true
    }

    pub fn park(&self, _what: &'static str, deadline: Option<Instant>) -> Parked {
        self.waiter.park(true, deadline.is_some())
    }

    pub fn park_shielded(&self, _what: &'static str) -> Parked {
        self.waiter.park(false, false)
    }
}

impl Unparker {
    pub fn unpark(&self) {
        self.0.change(|flags| flags.is_unparked = true);
    }

    pub fn cancel(&self) {
        self.0.change(|flags| flags.is_canceled = true);
    }

    pub fn scheduler(&self) -> Option<u64> {
        None
    }
}
