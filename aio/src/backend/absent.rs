//! What stands for a backend that this system does not have: setting one up fails, so that none is
//! ever there.

use std::collections::VecDeque;

use super::{Announced, Answered, Backend, Mode, Options, SetUp, Traffic};
use crate::error::{Cause, Error};
use crate::key::Key;
use crate::kind::OpKind;
use crate::op::{Link, RawOp};

/// A backend of another system. There is no value of this type.
pub enum Absent {}

impl SetUp for Absent {
    fn set_up(_: &Options) -> Result<Absent, Error> {
        Err(Error::of_ring(Cause::Unsupported))
    }
}

// SAFETY: there is none that could break the contract.
unsafe impl Backend for Absent {
    fn capacity(&self) -> usize {
        match *self {}
    }

    fn begin(&mut self, _: &Announced, _: &mut VecDeque<Answered>) {
        match *self {}
    }

    unsafe fn start(&mut self, _: Key, _: OpKind, _: &RawOp, _: Link, _: &mut VecDeque<Answered>) {
        match *self {}
    }

    fn cancel(&mut self, _: Key, _: &mut VecDeque<Answered>) {
        match *self {}
    }

    fn wait(&mut self, _: Mode, _: &mut VecDeque<Answered>) -> Result<(), Error> {
        match *self {}
    }

    fn traffic(&self) -> Traffic {
        match *self {}
    }

    fn supports(&self, _: OpKind) -> bool {
        match *self {}
    }
}
