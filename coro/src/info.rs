//! What a scheduler says of its tasks, for people: who is there, and who waits for what.

use std::fmt;
use std::panic::Location;
use std::time::Instant;

use corio_aio::{OpKind, RawHandle};

use crate::task::TaskRef;

/// A task, as it was when the list was made: see [`tasks`](crate::tasks).
///
/// As text it is one line:
///
/// ```text
/// task 3v1 "reader" (src/main.rs:17:11) waits for recv on descriptor 5, for 1.2s
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskInfo {
    /// The task itself.
    pub task: TaskRef,
    /// What [`SpawnOptions::name`](crate::SpawnOptions::name) called it.
    pub name: Option<String>,
    /// Where it was spawned.
    pub spawned_at: &'static Location<'static>,
    /// What it is about.
    pub state: TaskState,
    /// Since when, by the scheduler's own clock, which stands still but when the scheduler comes
    /// back from the OS with something to do.
    pub since: Instant,
    /// How much of its stack it has used, if that is measured; see [`TaskRef::stack_used`].
    pub stack_used: Option<usize>,
}

/// What a task is about.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TaskState {
    /// It runs; or it has spawned the task that runs, and goes on when that one waits.
    Running,
    /// It can go on, and waits for its turn.
    Ready,
    /// It waits for these operations, which are in flight; for none, if all are complete and it is
    /// about to go on, or if the list was made by code that runs while operations are started.
    Operations(Vec<Pending>),
    /// It is [parked](crate::park) with this state.
    Parked(u32),
    /// It waits for this, of [`sync`](crate::sync).
    Waiting(&'static str),
    /// It joins this task, of this name.
    Join(TaskRef, Option<String>),
    /// It waits for the end of its scope, of which this many tasks have not ended.
    Scope(usize),
    /// It has ended, and its result was not taken.
    Ended,
}

/// An operation in flight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Pending {
    /// What it is.
    pub kind: OpKind,
    /// What it works on.
    pub descriptor: Option<RawHandle>,
}

/// A task's number, and its name if it has one.
struct Named<'a>(TaskRef, &'a Option<String>);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {:?}", self.0.key)?;
        self.1.as_ref().map_or(Ok(()), |name| write!(f, " {name:?}"))
    }
}

impl fmt::Display for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (named, age) = (Named(self.task, &self.name), self.since.elapsed());
        write!(f, "{named} ({}) {}, for {age:.1?}", self.spawned_at, self.state)
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TaskState::Running => f.write_str("runs"),
            TaskState::Ready => f.write_str("is ready"),
            TaskState::Operations(operations) => {
                f.write_str("waits for ")?;
                match operations.split_first() {
                    None => f.write_str("operations"),
                    Some((first, others)) => {
                        write!(f, "{first}")?;
                        others.iter().try_for_each(|operation| write!(f, " and {operation}"))
                    }
                }
            }
            TaskState::Parked(state) => write!(f, "is parked with state {state}"),
            TaskState::Waiting(what) => write!(f, "waits for {what}"),
            TaskState::Join(task, name) => write!(f, "joins {}", Named(*task, name)),
            TaskState::Scope(1) => f.write_str("waits for the last task of its scope"),
            TaskState::Scope(live) => write!(f, "waits for {live} tasks of its scope"),
            TaskState::Ended => f.write_str("has ended"),
        }
    }
}

impl fmt::Display for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        self.descriptor.map_or(Ok(()), |number| write!(f, " on descriptor {number}"))
    }
}
