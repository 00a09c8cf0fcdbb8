//! Cancel: a flag, and a request to what the task waits for.

use corio_aio::key::Key;

use super::Core;
use crate::record::{RecordPointer, Wait};
use crate::scope_record::ScopePointer;

impl Core {
    /// Asks a task to stop, and with it what it waits for.
    pub fn cancel(&self, key: Key) {
        let Some(task) = self.task(key) else { return };
        self.ask(task);
        self.reconsider(task);
        // While operations are being started the ring is in use.
        if !self.is_starting.get() {
            self.note_completed();
        }
    }

    /// Notes that a task was asked to stop.
    fn ask(&self, task: RecordPointer) {
        // Of one that has ended nothing is told: who is told could take it away.
        if !task.is_asked.replace(true) && task.wait.get() != Wait::Ended {
            self.tell(|| task.span.cancel());
        }
    }

    /// Looks again whether a task is to stop where it is; if that is new, what it waits for is
    /// asked to.
    pub(super) fn reconsider(&self, task: RecordPointer) {
        let mut asked = Vec::new();
        self.stop_wait(task, &mut asked);
        while let Some(key) = asked.pop() {
            if let Some(task) = self.task(key) {
                self.ask(task);
                self.stop_wait(task, &mut asked);
            }
        }
    }

    /// Ends the wait of a task that is to stop, if that is new; adds whom else to ask.
    fn stop_wait(&self, task: RecordPointer, asked: &mut Vec<Key>) {
        let is_canceled = task.regions.is_canceled(task.is_asked.get());
        if task.is_canceled.replace(is_canceled) || !is_canceled {
            return;
        }
        match task.wait.get() {
            Wait::Operations | Wait::AnyOperation if self.is_starting.get() => {
                self.owes_cancels.set(true);
            }
            Wait::Operations | Wait::AnyOperation => {
                self.is_settled.set(false);
                self.ring.borrow_mut().cancel_batch(task.batch.get());
            }
            Wait::Wakeup(_) | Wait::Event(_) | Wait::Parked(_) => self.make_ready(task),
            Wait::Join(other) => asked.push(other),
            Wait::Scope(scope) => asked.extend(self.tasks_of(scope)),
            Wait::Nothing | Wait::Turn | Wait::Ended | Wait::Task => {}
        }
    }

    /// Cancels what was left in flight of tasks that were asked to stop while the ring was in use.
    #[cold]
    pub(super) fn pay_cancels(&self) {
        self.owes_cancels.set(false);
        let mut ring = self.ring.borrow_mut();
        for (_, task) in self.tasks.borrow().iter().filter(|(_, task)| task.is_canceled.get()) {
            if let Wait::Operations | Wait::AnyOperation = task.wait.get() {
                ring.cancel_batch(task.batch.get());
            }
        }
    }

    /// Asks the tasks of a scope to stop, newest first.
    pub fn cancel_scope(&self, scope: ScopePointer) {
        self.tasks_of(scope).into_iter().rev().for_each(|key| self.cancel(key));
    }

    /// Asks all tasks to stop, and from here on each that is started, before it begins.
    pub fn stop(&self) {
        self.is_stopping.set(true);
        self.cancel_all();
    }

    /// Asks all tasks to stop.
    pub(super) fn cancel_all(&self) {
        self.all_alive().into_iter().for_each(|key| self.cancel(key));
    }

    /// The tasks that have not ended.
    pub(super) fn all_alive(&self) -> Vec<Key> {
        let tasks = self.tasks.borrow();
        tasks.iter().filter(|(_, task)| task.is_alive()).map(|(key, _)| key).collect()
    }

    /// The tasks of a scope, oldest first.
    pub(super) fn tasks_of(&self, scope: ScopePointer) -> Vec<Key> {
        let mut keys = Vec::new();
        let mut next = scope.newest.get();
        while let Some(task) = next {
            keys.push(task.key.get());
            next = task.older.get();
        }
        keys.reverse();
        keys
    }

    /// Asks the operations of a batch, which starts with `first`, to stop.
    pub(super) fn cancel_batch(&self, first: Key) {
        self.ring.borrow_mut().cancel_batch(first);
        self.note_completed();
    }
}
