//! What is left to calls that can only block.

use std::collections::VecDeque;

use super::attempt::rest;
use super::waiters::Pending;
use super::{Poller, Readiness};
use crate::backend::threads::Threads;
use crate::backend::{Answered, syscall};
use crate::error::Cause;
use crate::key::Key;
use crate::op::RawOp;

impl<P: Poller> Readiness<P> {
    /// Lets a call that can only block do the rest of an operation.
    pub(super) fn block(&mut self, key: Key, op: &RawOp, moved: u32) -> Option<Result<u32, Cause>> {
        let left = rest(op, moved);
        if self.max_threads > 0
            && let Ok(wake) = self.poller.waker()
        {
            let most = self.max_threads;
            let threads = self.threads.get_or_insert_with(|| Threads::new(most, wake));
            // SAFETY: who started the operation keeps its memory in place until it is answered.
            unsafe { threads.start(key, &left) };
            self.waiters.put_in_thread(key, op, moved);
            return None;
        }
        self.traffic.calls += 1;
        // SAFETY: as above.
        let result = unsafe { syscall::call(&left) };
        Some(self.finished(op, moved, result.unwrap_or(Err(Cause::Unsupported))))
    }

    /// The answer of an operation of which a plain call did the rest.
    pub(super) fn finished(
        &mut self,
        op: &RawOp,
        moved: u32,
        result: Result<u32, Cause>,
    ) -> Result<u32, Cause> {
        match result {
            Err(_) if moved > 0 => Ok(moved),
            Ok(count) => {
                self.note_new(op, count);
                Ok(count + moved)
            }
            Err(cause) => Err(cause),
        }
    }

    /// Collects what calls that block have come to.
    pub(super) fn collect_from_threads(&mut self, done: &mut VecDeque<Answered>) {
        let Some(threads) = self.threads.as_mut().filter(|threads| threads.in_flight() > 0) else {
            return;
        };
        threads.collect(&mut self.from_threads);
        while let Some((key, result)) = self.from_threads.pop_front() {
            let &Pending { op, moved, .. } = self.waiters.take(key);
            done.push_back((key, self.finished(&op, moved, result)));
        }
    }
}
