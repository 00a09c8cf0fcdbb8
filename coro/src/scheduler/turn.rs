//! The loop: a turn runs what is ready, and then enters the kernel once.

use std::{io, thread};

use corio_aio::key::Key;
use corio_aio::{Mode, guard};

use super::Core;
use crate::task::Wait;

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
        let count = self.ready.borrow().len();
        for _ in 0..count {
            let key = self.ready.borrow_mut().pop_front();
            self.resume(key.expect("nobody else takes from the queue"));
        }
        let is_idle = self.ready.borrow().is_empty();
        if is_idle && count > 0 && mode == Mode::Blocking {
            // One of them may be what the caller waits for.
            return Ok(());
        }
        let mut ring = self.ring.borrow_mut();
        if is_idle && mode == Mode::Blocking && ring.in_flight() == 0 {
            if self.live.get() == 0 {
                return Ok(());
            }
            return Err(io::Error::new(io::ErrorKind::Deadlock, self.list_waits()));
        }
        if let Err(error) = ring.wait(if is_idle { mode } else { Mode::NonBlocking }) {
            guard::abort(&error);
        }
        drop(ring);
        self.note_completed();
        Ok(())
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

    /// Says who waits for what.
    pub(super) fn list_waits(&self) -> String {
        let mut text = String::from("all tasks wait for each other and nothing is in flight:");
        for (_, task) in self.tasks.borrow().iter().filter(|(_, task)| task.wait != Wait::Ended) {
            text += &format!("\n  the task spawned at {} {}", task.spawned_at, task.wait);
        }
        text
    }

    /// Lets tasks that wait for each other end: asks all to stop, and gives up all joins.
    pub(super) fn break_deadlock(&self) {
        let report = self.list_waits();
        self.deadlock.borrow_mut().get_or_insert(report);
        let keys: Vec<Key> = self.tasks.borrow().iter().map(|(key, _)| key).collect();
        for key in keys {
            self.cancel(key);
            if matches!(self.wait_of(key), Some(Wait::Join(_))) {
                self.make_ready(key);
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
