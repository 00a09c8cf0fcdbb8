//! Plain calls in the middle of a chain, for operations that the kernel's queue does not know.
//!
//! In the queue a nop stands where the call is to be made, and ends the kernel's part of the chain.
//! When the kernel reports it, the call's turn has come; what comes after it in the chain is held
//! back until then, and started as a chain of its own. Nothing in a batch with such calls is quiet
//! (they are not in `Kinds::ALWAYS_TRIED`): the kernel reports the nop also where it is canceled.

use crate::key::Key;
use crate::kind::OpKind;
use crate::op::{Link, RawOp};

/// An operation that the kernel's queue does not have yet.
#[derive(Clone, Copy)]
pub struct Held {
    pub key: Key,
    pub kind: OpKind,
    pub op: RawOp,
    pub link: Link,
}

/// A call that waits for its turn.
pub struct Turn {
    pub call: Held,
    /// The operations after it in its chain.
    pub rest: Vec<Held>,
    /// What its nop was reported with, once its turn has come or its chain is broken.
    pub reported: Option<i32>,
}

/// The calls that wait for their turn, the newest last.
pub struct Turns(Vec<Turn>);

impl Turns {
    /// None.
    pub fn new() -> Turns {
        Turns(Vec::new())
    }

    /// Lets a call wait for its turn.
    pub fn push(&mut self, call: Held) {
        self.0.push(Turn { call, rest: Vec::new(), reported: None });
    }

    /// Holds an operation back that comes after the newest call.
    pub fn hold(&mut self, op: Held) {
        let newest = self.0.last_mut().expect("a chain is held back by a call");
        newest.rest.push(op);
    }

    /// Notes that the kernel reported `key`; says whether that is a call's nop.
    pub fn report(&mut self, key: Key, result: i32) -> bool {
        let turn = self.0.iter_mut().find(|turn| turn.call.key == key);
        turn.map(|turn| turn.reported = Some(result)).is_some()
    }

    /// Whether a call's turn has come.
    pub fn has_come(&self) -> bool {
        self.0.iter().any(|turn| turn.reported.is_some())
    }

    /// Takes a call whose turn has come.
    pub fn take(&mut self) -> Option<Turn> {
        let index = self.0.iter().position(|turn| turn.reported.is_some())?;
        Some(self.0.remove(index))
    }

    /// Whether `key` is held back.
    pub fn holds(&self, key: Key) -> bool {
        self.0.iter().any(|turn| turn.rest.iter().any(|held| held.key == key))
    }
}
