//! How the result of a queued operation is had.

use std::marker::PhantomData;

use super::Queue;
use crate::error::{Cause, Error};
use crate::key::{Id, Key};
use crate::op::Operation;

/// An operation that was queued, and how its result is had.
///
/// It is a number: forgetting it keeps the operation's place in its queue taken, and no more.
#[derive(Debug)]
#[must_use = "the place in the queue is taken until the result is: take, recover or detach it"]
pub struct Ticket<O> {
    id: Id,
    _op: PhantomData<fn() -> O>,
}

impl<O> Ticket<O> {
    pub(super) fn new(id: Id) -> Ticket<O> {
        Ticket { id, _op: PhantomData }
    }
}

impl<O: Operation> Ticket<O> {
    /// Which operation: for [`op::cancel`](crate::op::cancel), and to compare with
    /// [`Done::id`](super::Done::id).
    pub fn id(&self) -> Id {
        self.id
    }

    /// The operation's result; what it owned is dropped.
    ///
    /// # Errors
    ///
    /// Those of the operation, and those of [`recover`](Ticket::recover).
    pub fn take(self, queue: &mut Queue<'_, '_>) -> Result<O::Output, Error> {
        self.recover(queue)?.0
    }

    /// The operation's result, and the operation with all that it owns.
    ///
    /// # Errors
    ///
    /// - [`Cause::InProgress`]: it is not complete yet; it is detached then.
    /// - [`Cause::NotFound`]: it is not of this queue, or of a scope that has ended.
    pub fn recover(
        self,
        queue: &mut Queue<'_, '_>,
    ) -> Result<(Result<O::Output, Error>, O), Error> {
        let key = self.key(queue)?;
        if !queue.ring.is_complete(key) {
            self.detach(queue);
            return Err(Error::of_ring(Cause::InProgress));
        }
        let (answer, op) = queue.take(key);
        // SAFETY: the entry of this key was made of a box of this type, together with this ticket;
        // it is gone, and the kernel is done with it.
        let mut op = unsafe { Box::from_raw(op.as_ptr().cast::<O>()) };
        let result = op.finish(answer);
        Ok((result, *op))
    }

    /// Gives the result up: the operation's place is free again once it is complete and reported.
    pub fn detach(self, queue: &mut Queue<'_, '_>) {
        let Ok(key) = self.key(queue) else { return };
        match queue.entry(key) {
            Some(entry) if !entry.is_reported => entry.is_detached = true,
            _ => queue.give_up(key),
        }
    }

    /// The key, if the operation is held by `queue`.
    fn key(&self, queue: &mut Queue<'_, '_>) -> Result<Key, Error> {
        let key = self.id.key();
        if queue.ring.id(key) != self.id || queue.entry(key).is_none() {
            return Err(Error::of_ring(Cause::NotFound));
        }
        Ok(key)
    }
}
