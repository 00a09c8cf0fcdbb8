//! The mailbox of a scheduler: what other threads leave for it, and how they wake it.

use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::Ordering;

use corio_aio::key::Key;

use crate::primitive::{AtomicBool, Lock, LockGuard};

/// What rings where a scheduler sleeps.
pub(crate) trait Bell {
    /// Ends the sleep of the scheduler, or its next one.
    fn ring(&self);

    /// Gives up what it takes to ring: nobody sleeps there any more.
    fn take_down(&self);
}

/// What was left for a scheduler, and whether it sleeps. `J` is what it is to start as a task.
///
/// Whoever leaves something rings only if the scheduler sleeps, and only the first does: a
/// scheduler that is awake looks here in each of its turns.
///
/// No wakeup is missed, because the scheduler says that it sleeps under the same lock under which
/// it sees that nothing is there.
#[derive(Debug)]
pub(crate) struct Mailbox<B, J> {
    inbox: Lock<Inbox<J>>,
    /// Whether something is there, for a look without the lock.
    has_mail: AtomicBool,
    /// Whether jobs are there that others may take, for a look without the lock. It is written
    /// under the lock, in one order with what is said of who sleeps: see `Team`.
    has_shared: AtomicBool,
    bell: B,
}

/// What a task of the scheduler is asked to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Letter {
    /// To go on; [`Key::NONE`] for the code outside of all tasks.
    GoOn(Key),
    /// To stop.
    Stop(Key),
}

#[derive(Debug)]
struct Inbox<J> {
    letters: Vec<Letter>,
    /// What only this scheduler may start.
    own: VecDeque<J>,
    /// What any scheduler of its team may start.
    shared: VecDeque<J>,
    /// How many there are who may leave more jobs.
    handles: usize,
    is_asleep: bool,
    admission: Admission,
}

/// What is still let in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Admission {
    All,
    /// No new jobs; those that were let in already may move between mailboxes.
    NoNewJobs,
    NoJobs,
    /// Nothing: the scheduler has ended.
    Nothing,
}

impl<J> Inbox<J> {
    fn is_empty(&self) -> bool {
        self.letters.is_empty() && self.own.is_empty() && self.shared.is_empty()
    }
}

impl<B: Bell, J> Mailbox<B, J> {
    pub fn new(bell: B) -> Mailbox<B, J> {
        let inbox = Inbox {
            letters: Vec::new(),
            own: VecDeque::new(),
            shared: VecDeque::new(),
            handles: 0,
            is_asleep: false,
            admission: Admission::All,
        };
        let (has_mail, has_shared) = (AtomicBool::new(false), AtomicBool::new(false));
        Mailbox { inbox: Lock::new(inbox), has_mail, has_shared, bell }
    }

    pub fn bell(&self) -> &B {
        &self.bell
    }

    /// Asks something of a task. From any thread.
    pub fn send(&self, letter: Letter) {
        let mut inbox = self.inbox.lock();
        if inbox.admission < Admission::Nothing {
            inbox.letters.push(letter);
            self.deliver(inbox);
        }
    }

    /// Leaves a job that only this scheduler may start. From any thread.
    ///
    /// # Errors
    ///
    /// The job: none is let in any more.
    pub fn post(&self, job: J) -> Result<(), J> {
        let mut inbox = self.inbox.lock();
        if inbox.admission > Admission::All {
            return Err(job);
        }
        inbox.own.push_back(job);
        self.deliver(inbox);
        Ok(())
    }

    /// Leaves a job that others may start; says whether this wakes the scheduler. From any thread.
    ///
    /// # Errors
    ///
    /// The job: none is let in any more.
    pub fn post_shared(&self, job: J) -> Result<bool, J> {
        let mut inbox = self.inbox.lock();
        if inbox.admission > Admission::All {
            return Err(job);
        }
        inbox.shared.push_back(job);
        self.has_shared.store(true, Ordering::SeqCst);
        Ok(self.deliver(inbox))
    }

    /// Leaves jobs that were let in elsewhere; yields those that can't be had here.
    pub fn move_in(&self, mut jobs: VecDeque<J>) -> VecDeque<J> {
        let mut inbox = self.inbox.lock();
        if inbox.admission <= Admission::NoNewJobs {
            inbox.shared.append(&mut jobs);
            self.has_shared.store(!inbox.shared.is_empty(), Ordering::SeqCst);
            self.deliver(inbox);
        }
        jobs
    }

    /// Ends the scheduler's sleep, if it sleeps, so that it looks at all that it waits for.
    pub fn poke(&self) {
        self.rouse(self.inbox.lock());
    }

    /// Says that something is there, and whether this wakes the scheduler.
    fn deliver(&self, inbox: LockGuard<'_, Inbox<J>>) -> bool {
        self.has_mail.store(true, Ordering::Release);
        self.rouse(inbox)
    }

    fn rouse(&self, mut inbox: LockGuard<'_, Inbox<J>>) -> bool {
        let was_asleep = mem::take(&mut inbox.is_asleep);
        drop(inbox);
        if was_asleep {
            self.bell.ring();
        }
        was_asleep
    }

    /// Notes that the scheduler is about to sleep; says whether it may: whether nothing is there.
    pub fn fall_asleep(&self) -> bool {
        let mut inbox = self.inbox.lock();
        inbox.is_asleep = inbox.is_empty();
        inbox.is_asleep
    }

    /// Notes that the scheduler is awake.
    pub fn wake_up(&self) {
        self.inbox.lock().is_asleep = false;
    }

    /// Whether something may be there. That nothing is says nothing to who is about to sleep.
    pub fn has_mail(&self) -> bool {
        self.has_mail.load(Ordering::Acquire)
    }

    /// Whether jobs may be there that others may take.
    pub fn has_shared(&self) -> bool {
        self.has_shared.load(Ordering::SeqCst)
    }

    /// Whether something is there, or may come from one of the handles.
    pub fn may_have_mail(&self) -> bool {
        let inbox = self.inbox.lock();
        inbox.handles > 0 || !inbox.is_empty()
    }

    /// Takes the letters: into `letters`, which is empty.
    pub fn take(&self, letters: &mut Vec<Letter>) {
        let mut inbox = self.inbox.lock();
        mem::swap(&mut inbox.letters, letters);
        self.has_mail.store(!inbox.is_empty(), Ordering::Relaxed);
    }

    /// Takes the job that comes next. One at a time: others may take the rest meanwhile.
    pub fn next_job(&self) -> Option<J> {
        let mut inbox = self.inbox.lock();
        let job = inbox.own.pop_front().or_else(|| inbox.shared.pop_front());
        self.has_mail.store(!inbox.is_empty(), Ordering::Relaxed);
        self.has_shared.store(!inbox.shared.is_empty(), Ordering::SeqCst);
        job
    }

    /// Takes the newer half of the jobs that others may take. From any thread.
    pub fn steal(&self) -> VecDeque<J> {
        let mut inbox = self.inbox.lock();
        let kept = inbox.shared.len() / 2;
        let stolen = inbox.shared.split_off(kept);
        self.has_shared.store(kept > 0, Ordering::SeqCst);
        stolen
    }

    /// Whether no job is there.
    pub fn has_no_job(&self) -> bool {
        let inbox = self.inbox.lock();
        inbox.own.is_empty() && inbox.shared.is_empty()
    }

    /// Lets no new jobs in.
    pub fn refuse(&self) {
        let mut inbox = self.inbox.lock();
        inbox.admission = inbox.admission.max(Admission::NoNewJobs);
    }

    /// Lets no new jobs in, if none is there; says whether that was so.
    pub fn refuse_if_empty(&self) -> bool {
        let mut inbox = self.inbox.lock();
        let is_empty = inbox.own.is_empty() && inbox.shared.is_empty();
        if is_empty {
            inbox.admission = inbox.admission.max(Admission::NoNewJobs);
        }
        is_empty
    }

    /// Lets no jobs in; yields those that are there.
    #[must_use = "dropping it runs code of the user"]
    pub fn evict(&self) -> VecDeque<J> {
        self.shut(Admission::NoJobs)
    }

    /// Lets nothing more be left here, the scheduler having ended; yields the jobs that are there.
    #[must_use = "dropping it runs code of the user"]
    pub fn close(&self) -> VecDeque<J> {
        self.bell.take_down();
        self.shut(Admission::Nothing)
    }

    fn shut(&self, admission: Admission) -> VecDeque<J> {
        let mut inbox = self.inbox.lock();
        inbox.admission = inbox.admission.max(admission);
        if inbox.admission == Admission::Nothing {
            inbox.letters = Vec::new();
        }
        let mut jobs = mem::take(&mut inbox.own);
        jobs.append(&mut inbox.shared);
        self.has_shared.store(false, Ordering::SeqCst);
        jobs
    }

    /// Whether jobs are let in.
    pub fn is_open(&self) -> bool {
        self.inbox.lock().admission == Admission::All
    }

    /// Notes one more who may leave jobs.
    pub fn add_handle(&self) {
        self.inbox.lock().handles += 1;
    }

    /// Notes one less who may leave jobs. When none is left, the scheduler looks whether that
    /// leaves its tasks to wait for nothing.
    pub fn drop_handle(&self) {
        let mut inbox = self.inbox.lock();
        inbox.handles -= 1;
        let is_last = inbox.handles == 0;
        drop(inbox);
        if is_last {
            self.poke();
        }
    }
}
