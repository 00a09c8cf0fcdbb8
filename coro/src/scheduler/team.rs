//! Schedulers that start each other's jobs: who has none left takes those of who has too many.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::mailbox::{Bell, Mailbox};

/// The schedulers of a runtime.
///
/// No job waits behind one that runs for long while somebody sleeps. Who falls asleep says so, and
/// then looks at all mailboxes; who leaves a job does that first, and then looks who sleeps. Both
/// are sequentially consistent, so that one of the two sees the other.
#[derive(Debug)]
pub(crate) struct Team<B, J> {
    members: Box<[Member<B, J>]>,
    /// How many of them say that they sleep.
    sleepers: AtomicUsize,
    /// Who gets the next job, if nobody sleeps.
    next: AtomicUsize,
}

#[derive(Debug)]
struct Member<B, J> {
    mailbox: Arc<Mailbox<B, J>>,
    is_asleep: AtomicBool,
}

impl<B: Bell, J> Team<B, J> {
    pub fn new(mailboxes: impl Iterator<Item = Arc<Mailbox<B, J>>>) -> Team<B, J> {
        let member = |mailbox| Member { mailbox, is_asleep: AtomicBool::new(false) };
        let members = mailboxes.map(member).collect();
        Team { members, sleepers: AtomicUsize::new(0), next: AtomicUsize::new(0) }
    }

    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// The mailbox of each member.
    pub fn mailboxes(&self) -> impl Iterator<Item = &Arc<Mailbox<B, J>>> {
        self.members.iter().map(|member| &member.mailbox)
    }

    /// # Panics
    ///
    /// If there is no such member.
    pub fn mailbox(&self, index: usize) -> &Arc<Mailbox<B, J>> {
        &self.members[index].mailbox
    }

    /// Leaves a job for any of them: for one that sleeps, or else for each in its turn.
    ///
    /// # Errors
    ///
    /// The job: none is let in any more.
    pub fn post(&self, job: J) -> Result<(), J> {
        let index = self
            .wake_one()
            .unwrap_or_else(|| self.next.fetch_add(1, Ordering::Relaxed) % self.members.len());
        let has_woken_it = self.members[index].mailbox.post_shared(job)?;
        if !has_woken_it {
            // It may be busy with something that takes long.
            self.call_for_help();
        }
        Ok(())
    }

    /// Wakes one of those that sleep, if one does: a mailbox has more than its owner starts now.
    pub fn call_for_help(&self) {
        if let Some(index) = self.wake_one() {
            self.members[index].mailbox.poke();
        }
    }

    /// Strikes one off the list of those that sleep.
    fn wake_one(&self) -> Option<usize> {
        if self.sleepers.load(Ordering::SeqCst) == 0 {
            return None;
        }
        (0..self.members.len()).find(|index| self.strike_off(*index))
    }

    fn strike_off(&self, index: usize) -> bool {
        let was_asleep = self.members[index].is_asleep.swap(false, Ordering::SeqCst);
        if was_asleep {
            self.sleepers.fetch_sub(1, Ordering::SeqCst);
        }
        was_asleep
    }

    /// Notes that this one is about to sleep, as its mailbox says already; says whether it may:
    /// where others have jobs, it takes some of them.
    pub fn fall_asleep(&self, index: usize) -> bool {
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        self.members[index].is_asleep.store(true, Ordering::SeqCst);
        let others = (index + 1..self.members.len()).chain(0..index);
        for other in others {
            if !self.members[other].mailbox.has_shared() {
                continue;
            }
            let jobs = self.members[other].mailbox.steal();
            if jobs.is_empty() {
                continue;
            }
            self.strike_off(index);
            // Those that it may not have any more are dropped, and with that given up.
            drop(self.members[index].mailbox.move_in(jobs));
            return false;
        }
        true
    }

    /// Notes that this one is awake.
    pub fn wake_up(&self, index: usize) {
        self.strike_off(index);
    }
}
