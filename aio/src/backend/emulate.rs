//! A backend made of anything that can start and stop single operations.

use std::collections::VecDeque;
use std::time::Instant;

use super::links::Links;
use super::{Announced, Answered, Backend, Mode, Options, SetUp, Traffic};
use crate::error::{Cause, Error};
use crate::handle::{BorrowedDescriptor, RawHandle};
use crate::key::Key;
use crate::kind::OpKind;
use crate::op::{Link, RawOp};
use crate::waker::Waker;

/// Starts, stops and reports single operations.
///
/// # Safety
///
/// Every started key is answered exactly once: by `start`, by `stop`, or through `wait`; nothing
/// touches the memory of its operation after that. A number that answers an operation that makes a
/// descriptor is a descriptor that nobody else owns.
pub unsafe trait Driver {
    /// Starts `op`; an answer, if it is complete at once. It is never given a nop, a cancel or a
    /// time limit.
    ///
    /// # Safety
    ///
    /// As for [`Backend::start`].
    unsafe fn start(&mut self, key: Key, kind: OpKind, op: &RawOp) -> Option<Result<u32, Cause>>;

    /// Asks an operation to stop, in the name of the cancel `asker` if there is one.
    fn stop(&mut self, key: Key, asker: Option<Key>) -> Stop;

    /// Lists the operations that are in flight on a descriptor.
    fn users_of(&self, fd: RawHandle, keys: &mut Vec<Key>);

    /// Adds what is complete to `done`; if that is nothing and `is_blocking`, waits for something,
    /// or for the waker.
    ///
    /// # Errors
    ///
    /// As for [`Backend::wait`].
    fn wait(&mut self, is_blocking: bool, done: &mut VecDeque<Answered>) -> Result<(), Error>;

    /// What has gone to and fro so far.
    fn traffic(&self) -> Traffic;

    /// Whether operations of this kind can be done.
    fn supports(&self, kind: OpKind) -> bool;

    /// As for [`Backend::descriptor`].
    ///
    /// # Errors
    ///
    /// As there.
    fn descriptor(&self) -> Result<BorrowedDescriptor<'_>, Error> {
        Err(Error::of_ring(Cause::Unsupported))
    }

    /// As for [`Backend::waker`].
    ///
    /// # Errors
    ///
    /// As there.
    fn waker(&mut self) -> Result<Waker, Error> {
        Err(Error::of_ring(Cause::Unsupported))
    }

    /// Whether the waker was used since this was last asked, as far as it is known from a `wait`.
    fn take_wake(&mut self) -> bool {
        false
    }

    /// As for [`Backend::next_deadline`].
    fn next_deadline(&self) -> Option<Instant> {
        None
    }
}

/// What came of asking an operation to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// It is stopped, with this answer: how much it had moved, if it had.
    Stopped(Result<u32, Cause>),
    /// It was complete, with this answer.
    Complete(Result<u32, Cause>),
    /// `wait` will report it, stopped or not, and the asker if there is one.
    Asked,
    /// It can't be stopped any more; `wait` will report it.
    TooLate,
    /// It is not in flight.
    Unknown,
}

/// Waits as `mode` says, and starts what was waiting for what is complete; `done` is room for it.
///
/// # Errors
///
/// As for [`Backend::wait`].
pub fn wait(
    driver: &mut impl Driver,
    links: &mut Links,
    done: &mut VecDeque<Answered>,
    mode: Mode,
    answered: &mut VecDeque<Answered>,
) -> Result<(), Error> {
    loop {
        let is_blocking = mode == Mode::Blocking && answered.is_empty();
        if links.is_empty() {
            driver.wait(is_blocking, answered)?;
        } else {
            driver.wait(is_blocking, done)?;
            while let Some(report) = done.pop_front() {
                links.settle(driver, report, answered);
            }
        }
        if driver.take_wake() || mode == Mode::NonBlocking || !answered.is_empty() {
            return Ok(());
        }
    }
}

/// A backend made of a driver.
pub struct Emulate<D> {
    driver: D,
    links: Links,
    done: VecDeque<Answered>,
    entries: usize,
}

impl<D: Driver> Emulate<D> {
    /// A backend whose chains are at most `entries` long.
    pub fn new(driver: D, entries: u32) -> Emulate<D> {
        let entries = entries.max(1).next_power_of_two() as usize;
        Emulate { driver, links: Links::new(), done: VecDeque::new(), entries }
    }
}

impl<D: Driver + SetUp> SetUp for Emulate<D> {
    fn set_up(options: &Options) -> Result<Emulate<D>, Error> {
        Ok(Emulate::new(D::set_up(options)?, options.entries))
    }
}

// SAFETY: the driver answers each key that it was given once, and `Links` those that it was not
// given; it starts an operation only until that is answered.
unsafe impl<D: Driver> Backend for Emulate<D> {
    fn capacity(&self) -> usize {
        self.entries
    }

    fn begin(&mut self, _: &Announced, _: &mut VecDeque<Answered>) {}

    unsafe fn start(
        &mut self,
        key: Key,
        kind: OpKind,
        op: &RawOp,
        link: Link,
        answered: &mut VecDeque<Answered>,
    ) {
        // SAFETY: passed on.
        unsafe { self.links.start(&mut self.driver, key, kind, op, link, answered) }
    }

    fn cancel(&mut self, key: Key, answered: &mut VecDeque<Answered>) {
        self.links.cancel(&mut self.driver, key, answered);
    }

    fn wait(&mut self, mode: Mode, answered: &mut VecDeque<Answered>) -> Result<(), Error> {
        self.links.start_delayed(&mut self.driver, answered);
        wait(&mut self.driver, &mut self.links, &mut self.done, mode, answered)
    }

    fn traffic(&self) -> Traffic {
        self.driver.traffic()
    }

    fn supports(&self, kind: OpKind) -> bool {
        matches!(kind, OpKind::Nop | OpKind::Cancel | OpKind::LinkTimeout)
            || self.driver.supports(kind)
    }

    fn descriptor(&self) -> Result<BorrowedDescriptor<'_>, Error> {
        self.driver.descriptor()
    }

    fn waker(&mut self) -> Result<Waker, Error> {
        self.driver.waker()
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.driver.next_deadline()
    }
}
