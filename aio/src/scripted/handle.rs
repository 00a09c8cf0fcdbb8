//! The descriptors of a simulated system.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use super::World;
use crate::handle::{
    CLOSED, Closable, Descriptor, IntoClosable, IntoDescriptor, Lending, RawHandle, Sealed,
};

/// A descriptor of a [`World`]: shared by its clones, and closed with the last of them, unless
/// [`op::close`](crate::op::close) closed it before.
///
/// Operations take it where they take a descriptor of the OS, also by reference. It can be closed
/// while others use it, as a [`Closing`](crate::Closing) can; its number is never given to another
/// one, and names nothing outside of its world.
#[derive(Clone)]
pub struct Handle(Rc<Inner>);

struct Inner {
    raw: RawHandle,
    state: Cell<State>,
    world: World,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Open,
    /// A close has started and is not answered.
    Lent,
    Closed,
}

impl Handle {
    pub(super) fn new(raw: RawHandle, world: World) -> Handle {
        Handle(Rc::new(Inner { raw, state: Cell::new(State::Open), world }))
    }

    /// Whether no close of it has succeeded, or is on its way.
    pub fn is_open(&self) -> bool {
        self.0.state.get() == State::Open
    }

    /// The number, also once it is closed.
    pub(super) fn number(&self) -> RawHandle {
        self.0.raw
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.world.close(self.raw);
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.0.raw).field(&self.0.state.get()).finish()
    }
}

// SAFETY: the number names nothing outside of its world, in which no other descriptor is ever
// called by it.
unsafe impl Descriptor for Handle {
    fn raw(&self) -> RawHandle {
        if self.is_open() { self.0.raw } else { CLOSED }
    }
}

impl IntoDescriptor for Handle {
    type Descriptor = Handle;

    fn into_descriptor(self) -> Handle {
        self
    }
}

impl IntoDescriptor for &Handle {
    type Descriptor = Handle;

    fn into_descriptor(self) -> Handle {
        self.clone()
    }
}

/// A [`Handle`] that a close has.
#[derive(Debug)]
pub struct Lent {
    handle: Handle,
    is_lent: bool,
}

impl IntoClosable for Handle {
    type Closable = Lent;

    fn into_closable(self) -> Lent {
        Lent { handle: self, is_lent: false }
    }
}

impl IntoClosable for &Handle {
    type Closable = Lent;

    fn into_closable(self) -> Lent {
        self.clone().into_closable()
    }
}

impl Sealed for Lent {}
impl Closable for Lent {
    fn lend(&mut self) -> Lending {
        let raw = self.handle.raw();
        if raw != CLOSED {
            self.is_lent = true;
            self.handle.0.state.set(State::Lent);
        }
        // The number is never used again, so that nobody has to keep it.
        Lending { raw, is_shared: true, lingers: false }
    }

    fn settle(&mut self, closed: bool) {
        if std::mem::take(&mut self.is_lent) {
            self.handle.0.state.set(if closed { State::Closed } else { State::Open });
        }
    }
}

/// A close that was lowered and then not queued gives the handle back.
impl Drop for Lent {
    fn drop(&mut self) {
        self.settle(false);
    }
}
