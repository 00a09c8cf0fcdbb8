//! Queued operations, whose types only their tickets know.

use std::mem;
use std::ptr::NonNull;

use super::Ticket;
use crate::batch::sealed::Sealed;
use crate::batch::{Batch, Lowering, Shape};
use crate::key::Id;
use crate::kind::OpKind;
use crate::op::{Answer, Link, Operation, RawOp};

/// An operation whose type was forgotten.
#[doc(hidden)]
pub trait Stored {
    fn kind(&self) -> OpKind;
    fn link(&self) -> Link;
    fn tag(&self) -> u64;
    fn lower(&mut self) -> RawOp;
    /// Drops what it yields.
    fn give_up(&mut self, answer: Answer);
}

impl<O: Operation> Stored for O {
    fn kind(&self) -> OpKind {
        Operation::kind(self)
    }

    fn link(&self) -> Link {
        Operation::link(self)
    }

    fn tag(&self) -> u64 {
        Operation::tag(self)
    }

    fn lower(&mut self) -> RawOp {
        Operation::lower(self)
    }

    fn give_up(&mut self, answer: Answer) {
        drop(self.finish(answer));
    }
}

/// Operations on the heap that are about to be queued: pointers, because moving a box would claim
/// that nobody else uses what is in it.
#[doc(hidden)]
#[derive(Debug)]
pub struct Boxed(Vec<NonNull<dyn Stored>>);

impl Boxed {
    pub(super) fn with_capacity(count: usize) -> Boxed {
        Boxed(Vec::with_capacity(count))
    }

    /// Hands the pointers over: what was started is not dropped here.
    pub(super) fn take(&mut self) -> Vec<NonNull<dyn Stored>> {
        mem::take(&mut self.0)
    }

    fn push<'a, O: Operation + 'a>(&mut self, op: O) {
        let op: Box<dyn Stored + 'a> = Box::new(op);
        let op: *mut (dyn Stored + 'a) = Box::into_raw(op);
        // SAFETY: the types differ in a lifetime only. Who stores the pointer in a queue has a
        // `'scope` that `'a` outlives, and drops the operation before that ends.
        let op =
            unsafe { mem::transmute::<*mut (dyn Stored + 'a), *mut (dyn Stored + 'static)>(op) };
        self.0.push(NonNull::new(op).expect("a box is not null"));
    }

    fn get(&mut self, index: usize) -> &mut dyn Stored {
        // SAFETY: until they are started, nobody else uses the operations.
        unsafe { self.0[index].as_mut() }
    }
}

impl Sealed for Boxed {}

impl Lowering for Boxed {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn shape(&self, index: usize) -> Shape {
        // SAFETY: as in `get`.
        let op = unsafe { self.0[index].as_ref() };
        Shape { kind: op.kind(), link: op.link() }
    }

    fn lower(&mut self, start: &mut impl FnMut(Shape, &RawOp)) {
        for index in 0..self.0.len() {
            let shape = self.shape(index);
            start(shape, &self.get(index).lower());
        }
    }
}

/// What was not started after all.
impl Drop for Boxed {
    fn drop(&mut self) {
        for op in self.0.drain(..) {
            // SAFETY: it was a box, and it was not started: it would not be here any more.
            drop(unsafe { Box::from_raw(op.as_ptr()) });
        }
    }
}

/// A batch that can be queued: a tuple, an array or a `Vec`, of operations that outlive `'scope`.
pub trait Queueable<'scope>: Batch {
    /// A ticket for each operation.
    type Tickets;

    /// Moves each operation to the heap.
    #[doc(hidden)]
    fn store(self, ops: &mut Boxed);

    /// Makes the tickets of the operations that were stored.
    #[doc(hidden)]
    fn tickets(count: usize, next: &mut impl FnMut() -> Id) -> Self::Tickets;
}

macro_rules! queueable_tuple {
    ($($O:ident $op:ident)+) => {
        impl<'scope, $($O: Operation + 'scope),+> Queueable<'scope> for ($($O,)+) {
            type Tickets = ($(Ticket<$O>,)+);

            fn store(self, ops: &mut Boxed) {
                let ($($op,)+) = self;
                $(ops.push($op);)+
            }

            fn tickets(_: usize, next: &mut impl FnMut() -> Id) -> Self::Tickets {
                ($(Ticket::<$O>::new(next()),)+)
            }
        }
    };
}

crate::batch::each_tuple!(queueable_tuple);

impl<'scope, O: Operation + 'scope, const N: usize> Queueable<'scope> for [O; N] {
    type Tickets = [Ticket<O>; N];

    fn store(self, ops: &mut Boxed) {
        self.into_iter().for_each(|op| ops.push(op));
    }

    fn tickets(_: usize, next: &mut impl FnMut() -> Id) -> [Ticket<O>; N] {
        std::array::from_fn(|_| Ticket::new(next()))
    }
}

impl<'scope, O: Operation + 'scope> Queueable<'scope> for Vec<O> {
    type Tickets = Vec<Ticket<O>>;

    fn store(self, ops: &mut Boxed) {
        self.into_iter().for_each(|op| ops.push(op));
    }

    fn tickets(count: usize, next: &mut impl FnMut() -> Id) -> Vec<Ticket<O>> {
        (0..count).map(|_| Ticket::new(next())).collect()
    }
}
