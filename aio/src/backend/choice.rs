//! Which backend serves: asked for, named by the environment, or the best that this machine has.

use std::collections::VecDeque;
use std::env;
use std::fmt;
use std::sync::OnceLock;
use std::time::Instant;

use super::system::{self, Epoll, Iocp, Kqueue, Poll, Uring};
use super::{Announced, Answered, Backend, Mode, Options, SetUp, Traffic};
use crate::error::{Cause, Error};
use crate::handle::BorrowedDescriptor;
use crate::key::Key;
use crate::kind::OpKind;
use crate::op::{Link, RawOp};
use crate::sys::c;
use crate::waker::Waker;

/// A backend, by name.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// `uring`: Linux's io_uring, from 5.17 on.
    Uring,
    /// `epoll`: Linux's epoll, and threads for what can only block.
    Epoll,
    /// `kqueue`: that of the BSDs and of Darwin, and threads for what can only block.
    Kqueue,
    /// `iocp`: Windows' completion ports, and threads for what can only block.
    Iocp,
    /// `poll`: poll(2) of Unix and WASI, and threads for what can only block.
    Poll,
    /// One of the program's own.
    Custom(Custom),
}

/// A backend of the program's own.
#[derive(Clone, Copy, Debug)]
pub struct Custom {
    /// What [`Kind::name`] calls it.
    pub name: &'static str,
    /// Sets one up, for the calling thread.
    pub set_up: fn(&Options) -> Result<Box<dyn Backend>, Error>,
}

impl Kind {
    /// Those that this system may have, the best one first.
    pub const CANDIDATES: &[Kind] = system::CANDIDATES;

    /// The name that `CORIO_BACKEND` knows it by.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Uring => "uring",
            Kind::Epoll => "epoll",
            Kind::Kqueue => "kqueue",
            Kind::Iocp => "iocp",
            Kind::Poll => "poll",
            Kind::Custom(custom) => custom.name,
        }
    }

    /// The candidate of this name.
    fn of_name(name: &str) -> Option<Kind> {
        Kind::CANDIDATES.iter().copied().find(|kind| kind.name() == name)
    }

    /// Sets one up, if it can do what is required.
    fn set_up(self, options: &Options) -> Result<Chosen, Error> {
        let chosen = match self {
            Kind::Uring => Chosen::Uring(Uring::set_up(options)?),
            Kind::Epoll => Chosen::Epoll(Epoll::set_up(options)?),
            Kind::Kqueue => Chosen::Kqueue(Kqueue::set_up(options)?),
            Kind::Iocp => Chosen::Iocp(Iocp::set_up(options)?),
            Kind::Poll => Chosen::Poll(Poll::set_up(options)?),
            Kind::Custom(custom) => Chosen::Custom((custom.set_up)(options)?),
        };
        match options.required.iter().find(|kind| !chosen.supports(**kind)) {
            Some(kind) => Err(Error::new(*kind, Cause::Unsupported)),
            None => Ok(chosen),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The backend of rings whose [`Options::backend`] does not say: the one that the environment
/// variable `CORIO_BACKEND` names, or else the first of [`Kind::CANDIDATES`] that works here. It is
/// decided once per process, by the first ring.
///
/// A ring that [requires](Options::required) more than that one can do gets a later candidate.
///
/// # Errors
///
/// None works, or `CORIO_BACKEND` names one that does not.
pub fn backend() -> Result<Kind, Error> {
    if DECIDED.get().is_none() {
        Chosen::new(&Options { entries: 1, ..Options::DEFAULT })?;
    }
    Ok(*DECIDED.get().expect("setting one up decides"))
}

static DECIDED: OnceLock<Kind> = OnceLock::new();

/// The backend of a ring. Which one is a matter of a jump, not of a table of functions.
#[allow(clippy::large_enum_variant, reason = "a ring has one, and a system may have one only")]
pub enum Chosen {
    Uring(Uring),
    Epoll(Epoll),
    Kqueue(Kqueue),
    Iocp(Iocp),
    Poll(Poll),
    Custom(Box<dyn Backend>),
}

impl Chosen {
    /// Sets up the backend that `options` ask for.
    pub fn new(options: &Options) -> Result<Chosen, Error> {
        if let Some(kind) = options.backend {
            return kind.set_up(options);
        }
        if let Ok(name) = env::var("CORIO_BACKEND") {
            let kind = Kind::of_name(&name).ok_or(Error::of_ring(Cause::Unsupported))?;
            let chosen = kind.set_up(options)?;
            DECIDED.get_or_init(|| kind);
            return Ok(chosen);
        }
        let decided = DECIDED.get().map(|kind| kind.name());
        let candidates = Kind::CANDIDATES.iter().copied();
        let candidates =
            candidates.skip_while(|kind| decided.is_some_and(|decided| decided != kind.name()));
        let mut first_failure = None;
        for kind in candidates {
            match kind.set_up(options) {
                Ok(chosen) => {
                    DECIDED.get_or_init(|| decide(kind, first_failure));
                    return Ok(chosen);
                }
                // It is no better for another one.
                Err(error) if error.cause() == Cause::Os(c::EMFILE) => return Err(error),
                Err(error) => first_failure = first_failure.or(Some((kind, error))),
            }
        }
        Err(first_failure.map_or(Error::of_ring(Cause::Unsupported), |(_, error)| error))
    }
}

/// Says in one line of the log that it is not the best one.
fn decide(kind: Kind, failure: Option<(Kind, Error)>) -> Kind {
    if let Some((better, error)) = failure {
        log::warn!("the backend is {kind}, for {better} can't be used here: {error}");
    }
    kind
}

/// Passes a call on to the backend.
macro_rules! pass_on {
    ($chosen:expr, $backend:ident => $call:expr) => {
        match $chosen {
            Chosen::Uring($backend) => $call,
            Chosen::Epoll($backend) => $call,
            Chosen::Kqueue($backend) => $call,
            Chosen::Iocp($backend) => $call,
            Chosen::Poll($backend) => $call,
            Chosen::Custom($backend) => $call,
        }
    };
}

// SAFETY: each backend keeps the contract.
unsafe impl Backend for Chosen {
    fn capacity(&self) -> usize {
        pass_on!(self, backend => backend.capacity())
    }

    fn begin(&mut self, announced: &Announced, answered: &mut VecDeque<Answered>) {
        pass_on!(self, backend => backend.begin(announced, answered));
    }

    unsafe fn start(
        &mut self,
        key: Key,
        kind: OpKind,
        op: &RawOp,
        link: Link,
        answered: &mut VecDeque<Answered>,
    ) {
        pass_on!(self, backend => {
            // SAFETY: passed on.
            unsafe { backend.start(key, kind, op, link, answered) }
        });
    }

    fn cancel(&mut self, key: Key, answered: &mut VecDeque<Answered>) {
        pass_on!(self, backend => backend.cancel(key, answered));
    }

    fn wait(&mut self, mode: Mode, answered: &mut VecDeque<Answered>) -> Result<(), Error> {
        pass_on!(self, backend => backend.wait(mode, answered))
    }

    fn traffic(&self) -> Traffic {
        pass_on!(self, backend => backend.traffic())
    }

    fn supports(&self, kind: OpKind) -> bool {
        pass_on!(self, backend => backend.supports(kind))
    }

    fn descriptor(&self) -> Result<BorrowedDescriptor<'_>, Error> {
        pass_on!(self, backend => backend.descriptor())
    }

    fn waker(&mut self) -> Result<Waker, Error> {
        pass_on!(self, backend => backend.waker())
    }

    fn next_deadline(&self) -> Option<Instant> {
        pass_on!(self, backend => backend.next_deadline())
    }
}
