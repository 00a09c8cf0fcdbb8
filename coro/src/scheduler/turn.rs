//! The loop: a turn runs what is ready, and then enters the kernel once.

use std::time::Instant;
use std::{io, thread};

use corio_aio::guard::{self, NoUnwind};
use corio_aio::{Mode, op};

use super::{Core, NO_TASK, set_current};
use crate::record::Wait;

impl Core {
    /// One turn: runs the tasks that are ready; or, if none is, hands their operations over and
    /// waits as `mode` says.
    ///
    /// # Errors
    ///
    /// `Deadlock`: all tasks wait for each other and nothing is in flight.
    pub fn tick(&self, mode: Mode) -> io::Result<()> {
        if self.is_in_task() || self.is_starting.get() || thread::panicking() {
            return Err(io::Error::other("a task can't run the scheduler that runs it"));
        }
        match self.is_settled.take() {
            true => self.wake_up(),
            false => self.read_mail(),
        }
        if mode == Mode::Blocking && self.runner_may_go_on() {
            return Ok(());
        }
        let had_ready = self.run_ready();
        let is_idle = self.ready.is_empty();
        let trim_at = self.trim();
        if is_idle && had_ready && mode == Mode::Blocking {
            // One of them may be what the caller waits for.
            return Ok(());
        }
        let has_operations = self.ring.borrow().in_flight() > 0;
        let is_polled = self.is_polled.get() && mode == Mode::NonBlocking;
        let may_be_woken = is_idle && (is_polled || self.waits_for_others());
        if !has_operations && !may_be_woken {
            self.is_settled.set(is_idle && mode == Mode::NonBlocking);
            if !is_idle || mode != Mode::Blocking || self.live.get() == 0 {
                return Ok(());
            }
            return Err(io::Error::new(io::ErrorKind::Deadlock, self.list_waits()));
        }
        if may_be_woken && mode == Mode::Blocking && self.linger(has_operations) {
            return Ok(());
        }
        let falls_asleep = is_idle && (mode == Mode::Blocking || is_polled);
        let may_sleep = falls_asleep && self.fall_asleep();
        let mode = if may_sleep { mode } else { Mode::NonBlocking };
        match trim_at {
            Some(deadline) if mode == Mode::Blocking => self.wait_until_deadline(deadline),
            _ => self.wait_as(mode),
        }
        // Where it neither waited nor found anything, the time is not worth the asking.
        if mode == Mode::Blocking || self.ring.borrow().has_completed() {
            self.now.set(Instant::now());
        }
        let is_settled = mode == Mode::NonBlocking
            && is_idle
            && may_sleep == falls_asleep
            && !self.ring.borrow().has_completed();
        self.note_completed();
        self.is_settled.set(is_settled);
        if falls_asleep && !is_settled {
            self.wake_up();
        }
        Ok(())
    }

    pub(super) fn wait_as(&self, mode: Mode) {
        if let Err(error) = self.ring.borrow_mut().wait(mode) {
            guard::abort(&error);
        }
    }

    /// Waits as the ring does, but until `deadline` at most.
    #[cold]
    fn wait_until_deadline(&self, deadline: Instant) {
        let rest = deadline.saturating_duration_since(Instant::now());
        let mut timeout = (op::timeout(rest),);
        let guard = NoUnwind;
        // SAFETY: `timeout` stays in this frame, untouched, until it is complete: the loop ends in
        // no other way, and no unwind leaves the frame (`guard`).
        let started = unsafe { self.ring.borrow_mut().start(&mut timeout, NO_TASK) };
        self.wait_as(Mode::Blocking);
        // Nothing else can be the matter with a timeout than that the process was forked.
        if let Ok(timer) = started {
            self.ring.borrow_mut().cancel(timer);
            self.note_completed();
            while !self.is_batch_complete(timer) {
                self.wait_as(Mode::Blocking);
                self.note_completed();
            }
            self.ring.borrow_mut().take(timer);
        }
        guard.release();
    }

    /// Runs those that are ready, but not who becomes ready meanwhile; says whether one was.
    fn run_ready(&self) -> bool {
        let ready = self.ready.take();
        if ready.is_empty() {
            return false;
        }
        let before = set_current(self);
        while let Some(task) = ready.pop() {
            // SAFETY: who is in the queue is suspended, and was taken out of it just now.
            unsafe { self.resume(task) };
        }
        set_current(before);
        true
    }

    /// Runs the scheduler until all tasks have ended.
    ///
    /// # Errors
    ///
    /// `Deadlock`: all tasks wait for each other and nothing is in flight.
    pub fn run(&self) -> io::Result<()> {
        while self.live.get() > 0 {
            self.tick(Mode::Blocking)?;
        }
        Ok(())
    }

    /// Lets tasks that wait for each other end: asks all to stop, and ends their waits, also those
    /// that are shielded.
    pub(super) fn break_deadlock(&self) {
        let report = self.list_waits();
        self.deadlock.borrow_mut().get_or_insert(report);
        self.cancel_all();
        for key in self.all_alive() {
            if let Some(task) = self.task(key)
                && let Wait::Join(_) | Wait::Wakeup(_) | Wait::Event(_) = task.wait.get()
            {
                self.make_ready(task);
            }
        }
    }

    /// The report of a deadlock that had to be broken.
    pub fn take_deadlock(&self) -> io::Result<()> {
        match self.deadlock.take() {
            Some(report) => Err(io::Error::new(io::ErrorKind::Deadlock, report)),
            None => Ok(()),
        }
    }
}
