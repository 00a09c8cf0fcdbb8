//! Backends that are wrong on purpose are found, and what they do is shrunk.

use std::collections::VecDeque;

use corio::aio::backend::{Announced, Answered, Backend, Custom};
use corio::aio::key::Key;
use corio::aio::op::{Link, RawOp};
use corio::aio::{Error, Mode, OpKind, Traffic};

use super::*;
use crate::differential::program::Action;

/// A simulated backend with a fault.
struct Wrong {
    inner: Box<dyn Backend>,
    fault: Fault,
    /// The reads in flight, with their lengths.
    reads: Vec<(Key, u32)>,
    /// The operations of which a cancel was swallowed.
    swallowed: Vec<Key>,
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// Says that short reads are full ones.
    FillsReads,
    /// Says of the first cancel of each operation that it has worked.
    SwallowsCancels,
    /// Lets chains go on that have to end.
    HardensLinks,
}

impl Wrong {
    fn set_up(options: &Options, fault: Fault) -> Result<Box<dyn Backend>, Error> {
        let Kind::Custom(simulated) = scripted::KIND else { panic!("it is plugged in") };
        let inner = (simulated.set_up)(options)?;
        Ok(Box::new(Wrong { inner, fault, reads: Vec::new(), swallowed: Vec::new() }))
    }
}

// SAFETY: the inner backend keeps the contract; what is answered here is not given to it.
unsafe impl Backend for Wrong {
    fn capacity(&self) -> usize {
        self.inner.capacity()
    }

    fn begin(&mut self, announced: &Announced, answered: &mut VecDeque<Answered>) {
        self.inner.begin(announced, answered);
    }

    unsafe fn start(
        &mut self,
        key: Key,
        kind: OpKind,
        op: &RawOp,
        link: Link,
        answered: &mut VecDeque<Answered>,
    ) {
        let link = match (self.fault, link) {
            (Fault::HardensLinks, Link::Soft) => Link::Hard,
            _ => link,
        };
        match *op {
            RawOp::Read { len, .. } => self.reads.push((key, len)),
            RawOp::Cancel { target, .. }
                if self.fault == Fault::SwallowsCancels && !self.swallowed.contains(&target) =>
            {
                self.swallowed.push(target);
                answered.push_back((key, Ok(0)));
                return;
            }
            _ => {}
        }
        // SAFETY: passed on.
        unsafe { self.inner.start(key, kind, op, link, answered) }
    }

    fn cancel(&mut self, key: Key, answered: &mut VecDeque<Answered>) {
        self.inner.cancel(key, answered);
    }

    fn wait(&mut self, mode: Mode, answered: &mut VecDeque<Answered>) -> Result<(), Error> {
        self.inner.wait(mode, answered)?;
        for (key, result) in answered {
            if let Some(place) = self.reads.iter().position(|(read, _)| read == key) {
                let (_, len) = self.reads.swap_remove(place);
                if self.fault == Fault::FillsReads && result.is_ok() {
                    *result = Ok(len);
                }
            }
        }
        Ok(())
    }

    fn traffic(&self) -> Traffic {
        self.inner.traffic()
    }

    fn supports(&self, kind: OpKind) -> bool {
        self.inner.supports(kind)
    }
}

/// A backend that is wrong, as one is plugged in.
macro_rules! wrong {
    ($fault:expr) => {
        Kind::Custom(Custom { name: "wrong", set_up: |options| Wrong::set_up(options, $fault) })
    };
}

/// What the simulated system and this backend disagree about first.
fn found(wrong: Kind) -> Option<Disagreement> {
    let contestants = [scripted::KIND, wrong]
        .map(|kind| simulated(kind.name(), kind, World::new()).expect("simulated rings are there"));
    let settings = Settings { programs: 2_000, seed: 1 };
    compare(&mut Vec::from(contestants), settings).expect("simulated objects are there")
}

/// How many operations a program has.
fn size(disagreement: &Disagreement) -> usize {
    disagreement.program.steps().count()
}

#[test]
fn a_backend_that_is_right_is_not_blamed() {
    assert!(found(wrong!(Fault::None)).is_none());
}

#[test]
fn a_short_read_that_is_said_to_be_full_is_found_and_shrunk() {
    let found = found(wrong!(Fault::FillsReads)).expect("it is wrong");
    assert!(size(&found) <= 2, "{found:#?}");
    let mut steps = found.program.steps();
    assert!(steps.any(|(_, step)| matches!(step.action, Action::Read { .. })), "{found:#?}");
}

#[test]
fn a_cancel_that_is_swallowed_is_found_and_shrunk() {
    let found = found(wrong!(Fault::SwallowsCancels)).expect("it is wrong");
    assert!(size(&found) == 1, "{found:#?}");
    assert!(found.program.rounds[0].chains[0][0].is_canceled, "{found:#?}");
    assert!(found.what.contains("did not end"), "{found:#?}");
}

#[test]
fn a_chain_that_goes_on_where_it_has_to_end_is_found_and_shrunk() {
    let found = found(wrong!(Fault::HardensLinks)).expect("it is wrong");
    assert!(size(&found) <= 3, "{found:#?}");
}

#[test]
fn the_same_seed_makes_the_same_program() {
    let (one, plan) = generate(7);
    assert_eq!(one, generate(7).0);
    assert_eq!(plan.races.len(), one.steps().count());
    assert_ne!(one, generate(8).0);
}

#[test]
fn programs_of_all_backends_agree() {
    let mut contestants = contestants(3).expect("the objects are there");
    let found = compare(&mut contestants, Settings { programs: 200, seed: 3 });
    assert!(found.as_ref().is_ok_and(Option::is_none), "{found:#?}");
}
