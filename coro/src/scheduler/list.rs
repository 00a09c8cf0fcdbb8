//! The list of tasks, and the report of a deadlock that is made of it.

use corio_aio::key::Key;

use super::Core;
use crate::info::{Pending, TaskInfo, TaskState};
use crate::record::{Record, Wait};

/// How many tasks the report of a deadlock lists.
const LISTED: usize = 50;

impl Core {
    /// All tasks whose result was not taken, by number.
    pub fn list_tasks(&self) -> Vec<TaskInfo> {
        let tasks = self.tasks.borrow();
        let tasks = tasks.iter().filter(|(_, task)| task.is_busy());
        tasks.map(|(key, task)| self.describe(key, task)).collect()
    }

    fn describe(&self, key: Key, task: &Record) -> TaskInfo {
        TaskInfo {
            task: self.name(key),
            name: task.name(),
            spawned_at: task.owner.spawned_at.get(),
            state: self.state_of(task),
            since: task.since.get(),
            stack_used: task.stack_used(),
        }
    }

    fn state_of(&self, task: &Record) -> TaskState {
        match task.wait.get() {
            Wait::Nothing => TaskState::Running,
            Wait::Turn => TaskState::Ready,
            Wait::Operations | Wait::AnyOperation => {
                TaskState::Operations(self.pending(task.batch.get()))
            }
            Wait::Wakeup(state) => TaskState::Parked(state),
            Wait::Event(what) | Wait::Parked(what) => TaskState::Waiting(what),
            Wait::Join(key) => {
                TaskState::Join(self.name(key), self.task(key).and_then(|task| task.name()))
            }
            Wait::Scope(scope) => TaskState::Scope(scope.live.get()),
            Wait::Ended | Wait::Task => TaskState::Ended,
        }
    }

    /// The operations of a batch that are in flight.
    fn pending(&self, first: Key) -> Vec<Pending> {
        // While operations are started the ring is in use: code of the user may ask even then.
        let Ok(ring) = self.ring.try_borrow() else { return Vec::new() };
        let next = |&key: &Key| (key != Key::NONE).then(|| ring.next(key));
        std::iter::successors(Some(first), next)
            .filter_map(|key| ring.describe(key))
            .map(|(kind, descriptor)| Pending { kind, descriptor })
            .collect()
    }

    /// Says who waits for what.
    pub(super) fn list_waits(&self) -> String {
        let mut text = String::from("all tasks are parked and nothing is in flight:");
        let tasks = self.tasks.borrow();
        let mut waiting = tasks.iter().filter(|(_, task)| task.is_alive());
        for (key, task) in waiting.by_ref().take(LISTED) {
            text += &format!("\n  {}", self.describe(key, task));
        }
        match waiting.count() {
            0 => text,
            more => text + &format!("\n  and {more} more"),
        }
    }
}
