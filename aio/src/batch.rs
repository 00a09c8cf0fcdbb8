//! Batches: operations that are submitted together, and the rules for how they may be linked.

use crate::error::{Cause, Error};
use crate::kind::{Kinds, OpKind};
use crate::op::{Answer, Link, Operation, RawOp};

/// Operations that are started together: a tuple of 1 to 16, an array, a `Vec`, or a `&mut` slice
/// of one type (which may be [`op::Any`](crate::op::Any)).
///
/// It yields a tuple (array, `Vec`) of results, in order, each of its operation's own type.
///
/// The wrong batch does not compile:
///
/// ```compile_fail
/// use corio_aio::{self as aio, op::{self, Operation}};
/// aio::multi((op::nop(), op::nop().soft())); // the last one is linked to nothing
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a batch of operations",
    label = "a batch is a tuple of 1 to 16 operations, an array, a `Vec` or a `&mut` slice of them",
    note = "a batch of nothing has nothing to complete"
)]
pub trait Batch: Lowering {
    /// The results of all operations.
    type Results;

    /// What they yield if all succeed.
    type Outputs;

    /// The results, of the answers in order.
    #[doc(hidden)]
    fn finish(&mut self, next: &mut impl FnMut() -> Answer) -> Self::Results;

    /// All outputs, or the failure that the others follow from: the first that is no cancel.
    #[doc(hidden)]
    fn all(results: Self::Results) -> Result<Self::Outputs, Error>;
}

/// Operations in order, each of which can be lowered: the part of a batch that a ring sees.
#[doc(hidden)]
#[expect(clippy::len_without_is_empty, reason = "an empty one is refused by `check`")]
pub trait Lowering: sealed::Sealed {
    /// How many operations there are.
    fn len(&self) -> usize;

    /// What the operation at `index` is.
    fn shape(&self, index: usize) -> Shape;

    /// Lowers them in order. What the pointers name stays in place until `self` is used again.
    fn lower(&mut self, start: &mut impl FnMut(Shape, &RawOp));

    /// What kinds of operations there are, and what kinds of softly linked ones.
    fn kinds(&self) -> (Kinds, Kinds) {
        let shapes = (0..self.len()).map(|index| self.shape(index));
        shapes.fold((Kinds::NONE, Kinds::NONE), |kinds, shape| shape.add_to(kinds))
    }

    /// Whether the rules are kept; where they can be known at compile time, it is then that they
    /// are checked.
    fn check(&self) -> Result<(), Error> {
        let mut rules = Rules::new();
        for index in 0..self.len() {
            rules = rules.next(self.shape(index));
        }
        match rules.end() {
            None => Ok(()),
            Some(_) => Err(Error::of_ring(Cause::InvalidBatch)),
        }
    }
}

/// What a batch's rules look at in an operation.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub kind: OpKind,
    pub link: Link,
}

impl Shape {
    fn of<O: Operation>(op: &O) -> Shape {
        Shape { kind: op.kind(), link: op.link() }
    }

    /// Adds its kind to those of a batch.
    #[inline]
    fn add_to(self, (all, soft): (Kinds, Kinds)) -> (Kinds, Kinds) {
        (all.with(self.kind), if self.link == Link::Soft { soft.with(self.kind) } else { soft })
    }
}

/// The rules of a batch, told one operation after the other.
#[derive(Clone, Copy)]
struct Rules {
    count: usize,
    before: Option<Shape>,
    fault: Option<&'static str>,
}

impl Rules {
    const fn new() -> Rules {
        Rules { count: 0, before: None, fault: None }
    }

    const fn next(self, shape: Shape) -> Rules {
        let fault = match (self.before, shape.kind) {
            (None, OpKind::LinkTimeout) => {
                Some("a link_timeout has no operation before it that is linked to it")
            }
            (Some(before), OpKind::LinkTimeout)
                if !before.link.is_linked() || matches!(before.kind, OpKind::LinkTimeout) =>
            {
                Some("a link_timeout has no operation before it that is linked to it")
            }
            _ => None,
        };
        let fault = if self.fault.is_some() { self.fault } else { fault };
        Rules { count: self.count + 1, before: Some(shape), fault }
    }

    const fn end(self) -> Option<&'static str> {
        match self.before {
            _ if self.fault.is_some() => self.fault,
            None => Some("a batch of nothing has nothing to complete"),
            Some(last) if last.link.is_linked() => {
                Some("the last operation of a batch is linked to nothing")
            }
            Some(_) => None,
        }
    }

    /// Stops the compiler with the sentence that says what is wrong.
    const fn assert(self) {
        if let Some(sentence) = self.end() {
            panic!("{}", sentence);
        }
    }
}

/// A batch is lowered to pointers that are followed: nobody else makes one.
pub(crate) mod sealed {
    pub trait Sealed {}
    impl<O: super::Operation> Sealed for [O] {}
    impl<O: super::Operation, const N: usize> Sealed for [O; N] {}
    impl<O: super::Operation> Sealed for Vec<O> {}
    impl<O: super::Operation> Sealed for &mut [O] {}
}

/// Keeps in `cause` the failure that the others follow from.
fn first_cause<T>(cause: &mut Option<Error>, result: &Result<T, Error>) {
    if let Err(error) = result
        && cause.is_none_or(|earlier| earlier.is_canceled() && !error.is_canceled())
    {
        *cause = Some(*error);
    }
}

macro_rules! tuple_batch {
    ($($O:ident $op:ident)+) => {
        impl<$($O: Operation),+> sealed::Sealed for ($($O,)+) {}

        impl<$($O: Operation),+> Lowering for ($($O,)+) {
            fn len(&self) -> usize {
                const { [$(stringify!($O)),+].len() }
            }

            fn shape(&self, index: usize) -> Shape {
                let ($($op,)+) = self;
                [$(Shape::of($op)),+][index]
            }

            fn lower(&mut self, start: &mut impl FnMut(Shape, &RawOp)) {
                let ($($op,)+) = self;
                $(start(Shape::of($op), &$op.lower());)+
            }

            fn kinds(&self) -> (Kinds, Kinds) {
                let ($($op,)+) = self;
                let kinds = (Kinds::NONE, Kinds::NONE);
                $(let kinds = Shape::of($op).add_to(kinds);)+
                kinds
            }

            fn check(&self) -> Result<(), Error> {
                const {
                    if $($O::IS_FIXED)&&+ {
                        Rules::new()$(.next(Shape { kind: $O::KIND, link: $O::LINK }))+.assert();
                    }
                }
                let ($($op,)+) = self;
                if $($O::IS_FIXED)&&+ {
                    return Ok(());
                }
                match Rules::new()$(.next(Shape::of($op)))+.end() {
                    None => Ok(()),
                    Some(_) => Err(Error::of_ring(Cause::InvalidBatch)),
                }
            }
        }

        impl<$($O: Operation),+> Batch for ($($O,)+) {
            type Results = ($(Result<$O::Output, Error>,)+);
            type Outputs = ($($O::Output,)+);

            fn finish(&mut self, next: &mut impl FnMut() -> Answer) -> Self::Results {
                let ($($op,)+) = self;
                ($($op.finish(next()),)+)
            }

            fn all(results: Self::Results) -> Result<Self::Outputs, Error> {
                let ($($op,)+) = results;
                let mut cause = None;
                $(first_cause(&mut cause, &$op);)+
                match cause {
                    Some(error) => Err(error),
                    None => Ok(($($op?,)+)),
                }
            }
        }
    };
}

/// Calls `macro` for the tuples of 1 to 16 operations.
macro_rules! each_tuple {
    ($macro:ident) => {
        $crate::batch::each_tuple! {
            @ $macro [] A a B b C c D d E e F f G g H h I i J j K k L l M m N n O o P p
        }
    };
    (@ $macro:ident [$($done:ident)*]) => {};
    (@ $macro:ident [$($done:ident)*] $O:ident $op:ident $($rest:ident)*) => {
        $macro!($($done)* $O $op);
        $crate::batch::each_tuple!(@ $macro [$($done)* $O $op] $($rest)*);
    };
}

pub(crate) use each_tuple;

each_tuple!(tuple_batch);

impl<O: Operation> Lowering for [O] {
    fn len(&self) -> usize {
        <[O]>::len(self)
    }

    fn shape(&self, index: usize) -> Shape {
        Shape::of(&self[index])
    }

    fn lower(&mut self, start: &mut impl FnMut(Shape, &RawOp)) {
        for op in self {
            start(Shape::of(op), &op.lower());
        }
    }
}

/// What arrays, `Vec`s and `&mut` slices pass on to the slice that they hold.
macro_rules! lower_as_slice {
    () => {
        fn len(&self) -> usize {
            Lowering::len(&self[..])
        }

        fn shape(&self, index: usize) -> Shape {
            Lowering::shape(&self[..], index)
        }

        fn lower(&mut self, start: &mut impl FnMut(Shape, &RawOp)) {
            Lowering::lower(&mut self[..], start);
        }
    };
}

impl<O: Operation, const N: usize> Lowering for [O; N] {
    lower_as_slice!();

    fn check(&self) -> Result<(), Error> {
        const {
            let mut rules = Rules::new();
            let mut index = 0;
            while index < N && O::IS_FIXED {
                rules = rules.next(Shape { kind: O::KIND, link: O::LINK });
                index += 1;
            }
            if N == 0 || O::IS_FIXED {
                rules.assert();
            }
        }
        if O::IS_FIXED { Ok(()) } else { self[..].check() }
    }
}

impl<O: Operation> Lowering for Vec<O> {
    lower_as_slice!();
}

impl<O: Operation> Lowering for &mut [O] {
    lower_as_slice!();
}

impl<O: Operation, const N: usize> Batch for [O; N] {
    type Results = [Result<O::Output, Error>; N];
    type Outputs = [O::Output; N];

    fn finish(&mut self, next: &mut impl FnMut() -> Answer) -> Self::Results {
        self.each_mut().map(|op| op.finish(next()))
    }

    fn all(results: Self::Results) -> Result<Self::Outputs, Error> {
        let mut cause = None;
        results.iter().for_each(|result| first_cause(&mut cause, result));
        match cause {
            Some(error) => Err(error),
            None => Ok(results.map(|result| result.expect("none failed"))),
        }
    }
}

/// The two batches whose length is known at run time only yield `Vec`s.
macro_rules! vec_batch {
    ($type:ty) => {
        impl<O: Operation> Batch for $type {
            type Results = Vec<Result<O::Output, Error>>;
            type Outputs = Vec<O::Output>;

            fn finish(&mut self, next: &mut impl FnMut() -> Answer) -> Self::Results {
                self.iter_mut().map(|op| op.finish(next())).collect()
            }

            fn all(results: Self::Results) -> Result<Self::Outputs, Error> {
                let mut cause = None;
                results.iter().for_each(|result| first_cause(&mut cause, result));
                match cause {
                    Some(error) => Err(error),
                    None => results.into_iter().collect(),
                }
            }
        }
    };
}

vec_batch!(Vec<O>);
vec_batch!(&mut [O]);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::{Any, link_timeout, nop, timeout};
    use std::time::Duration;

    fn is_refused(batch: Vec<Any<'_>>) -> bool {
        batch.check().is_err()
    }

    #[test]
    fn a_batch_known_at_run_time_is_checked_by_the_same_rules() {
        let soft = || Any::new(nop().soft());
        let plain = || Any::new(nop());
        let limit = || Any::new(link_timeout(Duration::ZERO));
        assert!(is_refused(vec![]));
        assert!(is_refused(vec![plain(), soft()]));
        assert!(is_refused(vec![limit()]));
        assert!(is_refused(vec![plain(), limit()]));
        assert!(is_refused(vec![soft(), limit().link_by(Link::Soft), limit()]));
        assert!(!is_refused(vec![soft(), limit(), plain()]));
        assert!(!is_refused(vec![soft(), limit().link_by(Link::Hard), plain()]));
    }

    #[test]
    fn the_error_of_a_batch_is_the_failure_that_the_others_follow_from() {
        let canceled = Error::new(OpKind::Timeout, Cause::Canceled);
        let expired = Error::new(OpKind::LinkTimeout, Cause::Expired);
        let (result, limit) = (Err(canceled), Err(expired));
        type Limited = (crate::op::Soft<crate::op::Timeout>, crate::op::LinkTimeout);
        assert_eq!(Limited::all((result, limit)), Err(expired));
        assert_eq!(Limited::all((Err(canceled), Ok(()))), Err(canceled));
        assert_eq!(Limited::all((Ok(()), Ok(()))), Ok(((), ())));
        let _ = timeout(Duration::ZERO);
    }
}
