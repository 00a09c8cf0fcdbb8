//! Cancel: a flag, and a request to what the task waits for.

use std::mem;

use corio_aio::key::Key;

use super::Core;
use crate::task::Wait;

impl Core {
    /// Asks a task to stop, and with it what it waits for.
    pub fn cancel(&self, key: Key) {
        let mut asked = vec![key];
        while let Some(key) = asked.pop() {
            let waits = self.task(key, |task| {
                let was_canceled = mem::replace(&mut task.is_canceled, true);
                (!was_canceled).then_some((task.wait, task.batch))
            });
            match waits {
                Some(Some((Wait::Operations, first))) => self.cancel_batch(first),
                Some(Some((Wait::Wakeup(_) | Wait::Sync, _))) => self.make_ready(key),
                Some(Some((Wait::Join(other), _))) => asked.push(other),
                Some(Some((Wait::Scope(scope), _))) => asked.extend(self.tasks_of(scope)),
                Some(Some((Wait::Nothing | Wait::Ended, _)) | None) | None => {}
            }
        }
    }

    /// Asks the tasks of a scope to stop, newest first.
    pub fn cancel_scope(&self, scope: Key) {
        self.tasks_of(scope).into_iter().rev().for_each(|key| self.cancel(key));
    }

    /// The tasks of a scope, oldest first.
    pub(super) fn tasks_of(&self, scope: Key) -> Vec<Key> {
        let mut keys = Vec::new();
        let mut key = self.scope(scope, |scope| scope.newest);
        while let Some(older) = self.task(key, |task| task.older) {
            keys.push(key);
            key = older;
        }
        keys.reverse();
        keys
    }

    pub(super) fn cancel_batch(&self, first: Key) {
        let mut key = first;
        while key != Key::NONE {
            let mut ring = self.ring.borrow_mut();
            ring.cancel(key);
            key = ring.next(key);
        }
        self.note_completed();
    }
}
