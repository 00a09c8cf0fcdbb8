//! What is held back until the operation before it has succeeded.
//!
//! The kernel lets a chain go on after some of its operations as if they had not failed: it looks
//! for a mark that these forget to set (6.18 still does). So a soft link to the next operation is
//! followed here: that one is handed over when the one before it is known to have succeeded.

use std::collections::VecDeque;

use super::books::{Books, answer};
use crate::backend::Answered;
use crate::key::Key;
use crate::kind::OpKind;
use crate::op::{Link, RawOp};

/// Whether the kernel lets a chain go on although `op`, which is linked softly, has failed.
pub const fn fails_unnoticed(op: &RawOp) -> bool {
    matches!(
        op,
        RawOp::Fsync { .. }
            | RawOp::Ftruncate { .. }
            | RawOp::Fallocate { .. }
            | RawOp::Madvise { .. }
            | RawOp::SyncFileRange { .. }
            | RawOp::Statx { .. }
            | RawOp::RenameAt { .. }
            | RawOp::UnlinkAt { .. }
            | RawOp::MkdirAt { .. }
            | RawOp::SymlinkAt { .. }
            | RawOp::LinkAt { .. }
            | RawOp::Shutdown { .. }
    )
}

/// An operation that is held back; what it names stays valid, as that of those the kernel has.
#[derive(Clone, Copy)]
pub struct Waiting {
    pub key: Key,
    pub kind: OpKind,
    pub op: RawOp,
    pub link: Link,
    /// Whether it was asked to stop: it has to be asked again once it has started.
    pub is_canceled: bool,
}

/// The rests of chains.
#[derive(Default)]
pub struct Held {
    /// Each with the operation that it waits for; the last one is that of the chain being started.
    waiting: Vec<(Key, Vec<Waiting>)>,
    ready: VecDeque<Vec<Waiting>>,
}

impl Held {
    /// What is put from now on waits for `key`.
    pub fn wait_for(&mut self, key: Key) {
        self.waiting.push((key, Vec::new()));
    }

    /// Holds an operation back.
    pub fn put(&mut self, waiting: Waiting) {
        let (_, rest) = self.waiting.last_mut().expect("there is what it waits for");
        rest.push(waiting);
    }

    /// Notes that an operation is to stop; says whether it is held back.
    pub fn cancel(&mut self, key: Key) -> bool {
        let waiting = self.waiting.iter_mut().map(|(_, rest)| rest);
        let mut held = waiting.chain(&mut self.ready).flatten();
        held.find(|held| held.key == key).map(|held| held.is_canceled = true).is_some()
    }

    /// Looks at what was waited for: the rest of its chain is ready, or canceled with it.
    pub fn settle(&mut self, books: &Books, answered: &mut VecDeque<Answered>) {
        for (before, rest) in self.waiting.extract_if(.., |(key, _)| !books.is_pending(*key)) {
            if books.has_succeeded(before) {
                self.ready.push_back(rest);
            } else {
                let canceled = |held: Waiting| (held.key, answer(held.kind, -libc::ECANCELED));
                answered.extend(rest.into_iter().map(canceled));
            }
        }
    }

    /// Whether something is ready.
    pub fn is_any_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The rest of a chain that can start.
    pub fn next(&mut self) -> Option<Vec<Waiting>> {
        self.ready.pop_front()
    }
}
