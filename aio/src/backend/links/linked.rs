//! What is known of an operation of a chain.

use crate::key::Key;
use crate::kind::OpKind;
use crate::op::{Link, RawOp};

/// An operation that has a place in a chain, or has to wait for its turn.
#[derive(Clone, Copy)]
pub struct Linked {
    pub key: Key,
    pub kind: OpKind,
    pub op: RawOp,
    pub link: Link,
    pub state: State,
    /// Whether it was asked to stop before its turn.
    pub is_asked: bool,
    /// Its neighbours in the chain.
    pub before: Key,
    pub after: Key,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// For the one before it.
    Waiting,
    /// Its chain has begun, but others are to get a turn first.
    Delayed,
    /// The driver has it.
    Running,
    /// It is a time limit that is up, and what it limits is still to be reported.
    Expired,
    /// It is a time limit that was not up in time; the driver is still to report it.
    Ending,
    Done,
}
