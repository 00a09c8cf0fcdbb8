//! Waits that other threads may end: the scheduler sleeps for them, and is woken by its mailbox.

use std::cell::{Cell, OnceCell};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use corio_aio::guard::NoUnwind;
use corio_aio::key::Key;
use corio_aio::op;
use corio_aio::{Mode, Waker};

use super::mailbox::{self, Letter, Mailbox};
use super::spin::has_processors;
use super::team::Team;
use super::{Core, NO_TASK};
use crate::job::Job;
use crate::park::Parked;
use crate::record::{RecordPointer, Wait};

/// How long a scheduler sleeps that nobody can wake: it looks into its mailbox, and for what is
/// complete, after each of these.
const NAP: Duration = Duration::from_millis(1);

/// How many of the jobs that it was sent a scheduler starts in one turn, before those go on that
/// were started before.
const JOBS_PER_TURN: usize = 16;

/// The mailbox of a scheduler.
pub(crate) type PostBox = Mailbox<Bell, Job>;

/// The schedulers of a runtime.
pub(crate) type Workers = Team<Bell, Job>;

/// A bell is the waker of the scheduler's ring, made when the scheduler sleeps for others for the
/// first time, and let go when it ends. Where the ring has none, or no descriptor is left, the
/// scheduler takes naps instead.
#[derive(Debug, Default)]
pub(crate) struct Bell(Mutex<Option<Waker>>);

impl Bell {
    fn lock(&self) -> MutexGuard<'_, Option<Waker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl mailbox::Bell for Bell {
    fn ring(&self) {
        if let Some(waker) = &*self.lock() {
            waker.wake();
        }
    }

    fn take_down(&self) {
        *self.lock() = None;
    }
}

/// What a scheduler has to do with other threads.
#[derive(Default)]
pub(super) struct Remote {
    mailbox: OnceCell<Arc<PostBox>>,
    /// Those whose jobs it starts when it has none, and its own place among them.
    team: OnceCell<(Arc<Workers>, usize)>,
    /// Where letters are read.
    letters: Cell<Vec<Letter>>,
    /// How many waits there are that another thread may end.
    waits: Cell<usize>,
    /// Whether the code outside of all tasks waits, and whether it was let go on.
    runner_waits: Cell<bool>,
    runner_is_woken: Cell<bool>,
    /// Whether it is also let go on when nothing is left to be done.
    runner_awaits_end: Cell<bool>,
    /// Whether the bell is there.
    has_bell: Cell<bool>,
}

impl Drop for Remote {
    fn drop(&mut self) {
        if let Some(mailbox) = self.mailbox.get() {
            drop(mailbox.close());
        }
    }
}

impl Core {
    /// Where other threads leave what they have for this scheduler.
    pub fn mailbox(&self) -> &Arc<PostBox> {
        self.remote.mailbox.get_or_init(|| Arc::new(Mailbox::new(Bell::default())))
    }

    /// Makes it one of a team, whose mailboxes are there already.
    ///
    /// # Errors
    ///
    /// `EMFILE`: no descriptor is left for its bell.
    pub fn join_team(&self, team: &Arc<Workers>, index: usize) -> io::Result<()> {
        self.remote.mailbox.get_or_init(|| team.mailbox(index).clone());
        self.make_bell()?;
        self.remote.team.get_or_init(|| (team.clone(), index));
        Ok(())
    }

    /// Does what other threads ask for, and starts some of the jobs that they have sent.
    pub(super) fn read_mail(&self) {
        let Some(mailbox) = self.remote.mailbox.get() else { return };
        if !self.has_mail() {
            return;
        }
        let mut letters = self.remote.letters.take();
        mailbox.take(&mut letters);
        for letter in letters.drain(..) {
            match letter {
                Letter::GoOn(key) => self.unpark(key),
                Letter::Stop(key) => self.cancel(key),
            }
        }
        self.remote.letters.set(letters);
        for _ in 0..JOBS_PER_TURN {
            let Some(job) = mailbox.next_job() else { break };
            if let Some((team, _)) = self.remote.team.get()
                && mailbox.has_shared()
            {
                // This one may take long.
                team.call_for_help();
            }
            self.start(job);
        }
    }

    /// Starts a job as a task of the outermost scope. Without memory for its stack it is dropped,
    /// which its owner is told.
    fn start(&self, mut job: Job) {
        if let Some(scope) = self.outermost_scope()
            && job.is_wanted()
        {
            let options = std::mem::take(&mut job.options).detached();
            // SAFETY: nothing is borrowed.
            let _ = unsafe { self.spawn(scope, job.spawned_at, options, move || job.run()) };
        }
    }

    /// Sees to it that no job is lost at the end of the outermost scope: says whether one was
    /// there, which has been started; where none is, none is let in any more.
    pub(super) fn start_last_jobs(&self) -> bool {
        let Some(mailbox) = self.remote.mailbox.get() else { return false };
        if mailbox.refuse_if_empty() {
            return false;
        }
        self.read_mail();
        true
    }

    /// Whether no task is left, and no job to be started.
    pub fn has_nothing_to_do(&self) -> bool {
        self.live.get() == 0 && self.remote.mailbox.get().is_none_or(|mailbox| mailbox.has_no_job())
    }

    /// Lets no jobs in any more, and drops those that were not started.
    pub fn drop_jobs(&self) {
        if let Some(mailbox) = self.remote.mailbox.get() {
            drop(mailbox.evict());
        }
    }

    /// Lets a task that is parked go on, or go on at once when it parks; [`Key::NONE`] stands for
    /// the code outside of all tasks.
    pub fn unpark(&self, key: Key) {
        if key == Key::NONE {
            self.remote.runner_is_woken.set(true);
            return;
        }
        if let Some(task) = self.task(key) {
            task.is_unparked.set(true);
            if matches!(task.wait.get(), Wait::Parked(_)) {
                self.make_ready(task);
            }
        }
    }

    /// Waits until somebody unparks the task that runs, or the code outside of all tasks.
    pub fn park_remotely(&self, what: &'static str, deadline: Option<Instant>) -> Parked {
        self.remote.waits.set(self.remote.waits.get() + 1);
        let parked = match self.running.get() {
            Some(me) => self.park_task(me, what, deadline),
            None => self.park_runner(deadline),
        };
        self.remote.waits.set(self.remote.waits.get() - 1);
        parked
    }

    /// Waits as `park_remotely` does, whether the task is asked to stop or not.
    pub fn park_shielded(&self, what: &'static str) -> Parked {
        self.remote.waits.set(self.remote.waits.get() + 1);
        let parked = match self.running.get() {
            None => self.park_runner(None),
            Some(me) => {
                while !me.is_unparked.take() {
                    self.suspend(me, Wait::Parked(what));
                }
                Parked::Woken
            }
        };
        self.remote.waits.set(self.remote.waits.get() - 1);
        parked
    }

    /// Waits outside of all tasks, as `park_remotely` does, but until nothing is left to be done at
    /// most.
    pub fn park_until_end(&self, deadline: Option<Instant>) -> Parked {
        self.remote.runner_awaits_end.set(true);
        let parked = self.park_remotely("the end of all tasks", deadline);
        self.remote.runner_awaits_end.set(false);
        parked
    }

    fn park_task(
        &self,
        me: RecordPointer,
        what: &'static str,
        deadline: Option<Instant>,
    ) -> Parked {
        if me.is_unparked.take() {
            return Parked::Woken;
        }
        if me.is_canceled.get() {
            return Parked::Canceled;
        }
        match deadline {
            None => self.suspend(me, Wait::Parked(what)),
            Some(deadline) => self.suspend_until(me, Wait::Parked(what), deadline),
        }
        // A wake that came is told, whatever came after it.
        if me.is_unparked.take() {
            Parked::Woken
        } else if me.is_canceled.get() {
            Parked::Canceled
        } else {
            Parked::Expired
        }
    }

    /// Suspends `me`, the task that runs, until it is made ready, or until `deadline`.
    fn suspend_until(&self, me: RecordPointer, wait: Wait, deadline: Instant) {
        let rest = deadline.saturating_duration_since(Instant::now());
        let mut timeout = (op::timeout(rest),);
        me.remaining.set(1);
        let guard = NoUnwind;
        let owner = me.key.get().slot() as u32;
        // SAFETY: `timeout` stays in this frame, untouched, until it is complete: `wait_for_batch`
        // ends in no other way, no unwind leaves the frame (`guard`), and the stack that it is on
        // is given back only after the task has ended.
        let started = unsafe { self.ring.borrow_mut().start(&mut timeout, owner) };
        // Nothing else can be the matter with a timeout than that the process was forked.
        if let Ok(first) = started {
            self.note_completed();
            // A time limit may have run out just now.
            if me.remaining.get() > 0 && !me.is_canceled.get() {
                self.suspend(me, wait);
            }
            if me.remaining.get() > 0 {
                self.cancel_batch(first);
                self.wait_for_batch(me, first);
            }
            self.ring.borrow_mut().take(first);
        }
        guard.release();
    }

    /// Runs the scheduler until the code outside of all tasks is let go on.
    fn park_runner(&self, deadline: Option<Instant>) -> Parked {
        let is_over = || self.runner_is_let_go();
        // Where what a job owned waits while it is dropped, it does so within the scheduler's turn.
        let is_nested = self.remote.runner_waits.replace(true);
        match deadline {
            None => while !is_over() && self.tick(Mode::Blocking).is_ok() {},
            Some(deadline) => self.run_until_deadline(deadline, is_over),
        }
        let is_let_go = is_over();
        self.remote.runner_waits.set(is_nested);
        // Who waits further below looks again at what it waits for.
        self.remote.runner_is_woken.set(is_nested);
        if is_let_go {
            Parked::Woken
        } else if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            Parked::Expired
        } else {
            Parked::Canceled
        }
    }

    /// Runs the scheduler, from outside of its tasks, until `is_over` or `deadline`.
    fn run_until_deadline(&self, deadline: Instant, is_over: impl Fn() -> bool) {
        let rest = deadline.saturating_duration_since(Instant::now());
        let mut timeout = (op::timeout(rest),);
        let guard = NoUnwind;
        // SAFETY: as in `suspend_until`; the loop ends when it is complete.
        let started = unsafe { self.ring.borrow_mut().start(&mut timeout, NO_TASK) };
        if let Ok(first) = started {
            self.note_completed();
            while !self.is_batch_complete(first) && !is_over() {
                self.tick(Mode::Blocking).expect("an operation is in flight");
            }
            // From here on it waits for the end of the timeout, and for nothing else.
            self.remote.runner_waits.set(false);
            self.cancel_batch(first);
            while !self.is_batch_complete(first) {
                self.tick(Mode::Blocking).expect("an operation is in flight");
            }
            self.ring.borrow_mut().take(first);
        }
        guard.release();
    }

    /// Whether the code outside of all tasks waits, and was let go on.
    pub(super) fn runner_may_go_on(&self) -> bool {
        self.remote.runner_waits.get() && self.runner_is_let_go()
    }

    fn runner_is_let_go(&self) -> bool {
        let sees_end = || self.remote.runner_awaits_end.get() && self.has_nothing_to_do();
        self.remote.runner_is_woken.get() || sees_end()
    }

    /// Whether another thread may let somebody go on, or send a job that does.
    pub(super) fn waits_for_others(&self) -> bool {
        self.remote.waits.get() > 0
            || self.live.get() > 0
                && self.remote.mailbox.get().is_some_and(|mailbox| mailbox.may_have_mail())
    }

    /// Whether another thread has left something.
    pub(super) fn has_mail(&self) -> bool {
        self.remote.mailbox.get().is_some_and(|mailbox| mailbox.has_mail())
    }

    /// Looks for a while whether other threads leave something for who waits for that, if it may
    /// pay; says whether there is something to do. What is queued is handed over before.
    pub(super) fn linger(&self, has_operations: bool) -> bool {
        let Some(mailbox) = self.remote.mailbox.get() else { return false };
        if !self.spin.is_due() || !has_processors() {
            return false;
        }
        if has_operations {
            self.wait_as(Mode::NonBlocking);
        }
        let has_completed = self.ring.borrow().has_completed();
        if !has_completed && !self.spin.look(|| mailbox.has_mail()) {
            return false;
        }
        self.now.set(Instant::now());
        self.note_completed();
        self.read_mail();
        true
    }

    /// Notes that the scheduler is about to sleep, or somebody else's loop in its place; says
    /// whether it may: whether other threads have left nothing. Where nobody could wake it, it has
    /// slept for a moment.
    pub(super) fn fall_asleep(&self) -> bool {
        let Some(mailbox) = self.remote.mailbox.get() else { return true };
        if !self.waits_for_others() && !self.is_polled.get() {
            return true;
        }
        let has_bell = self.make_bell().is_ok();
        let team = self.remote.team.get();
        let may_sleep =
            mailbox.fall_asleep() && team.is_none_or(|(team, index)| team.fall_asleep(*index));
        if may_sleep && !has_bell {
            self.nap();
        }
        may_sleep && has_bell
    }

    /// Sleeps for a moment, if nothing is complete.
    fn nap(&self) {
        let mut ring = self.ring.borrow_mut();
        // The wait that comes after it finds out as well that the ring is broken.
        if ring.wait(Mode::NonBlocking).is_ok() && !ring.has_completed() {
            thread::sleep(NAP);
        }
    }

    /// Sees to it that other threads can wake it.
    pub(super) fn make_bell(&self) -> io::Result<()> {
        // Who rings may hold the lock still when this scheduler is about to sleep again.
        if !self.remote.has_bell.get() {
            *self.mailbox().bell().lock() = Some(self.ring.borrow_mut().waker()?);
            self.remote.has_bell.set(true);
        }
        Ok(())
    }

    /// Notes that the scheduler is awake.
    pub(super) fn wake_up(&self) {
        if let Some(mailbox) = self.remote.mailbox.get() {
            mailbox.wake_up();
        }
        if let Some((team, index)) = self.remote.team.get() {
            team.wake_up(*index);
        }
        self.read_mail();
    }
}
