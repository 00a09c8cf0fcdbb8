//! A program: rounds of chains of operations on a few objects, as a value.

use std::net::Shutdown;

use corio::aio::op::Link;

/// What is carried out: the rounds one after another, each when the one before is complete.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Program {
    pub rounds: Vec<Round>,
}

/// Chains that are in flight together.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Round {
    pub chains: Vec<Vec<Step>>,
    /// Whether each chain is handed over by itself, instead of all in one batch.
    pub is_split: bool,
}

/// An operation, and what befalls it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Step {
    pub action: Action,
    pub link: Link,
    /// Whether it is canceled as soon as the round has been handed over, and again until it ends.
    pub is_canceled: bool,
}

/// What an operation does.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Action {
    Nop,
    Send { to: Object, len: usize },
    Recv { from: Object, len: usize, how: How },
    Read { from: Object, len: usize, at: Option<u64> },
    Write { to: Object, len: usize, at: Option<u64> },
    Fsync { file: Object },
    Poll { object: Object, is_for_writing: bool },
    Shutdown { socket: Object, how: Shutdown },
    Close { object: Object },
    Notify,
    Wait,
    Timeout { ms: u64 },
    LinkTimeout { ms: u64 },
}

/// How much a receive waits for, and what it leaves.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum How {
    Some,
    All,
    Peek,
}

/// What the programs work on, by place in a scene's list of handles. `A0` and `A1` are connected,
/// and so are `B0` and `B1`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Object {
    A0,
    A1,
    B0,
    B1,
    PipeReader,
    PipeWriter,
    File,
    Null,
    Full,
    Counter,
}

impl Object {
    pub const ALL: [Object; 10] = [
        Object::A0,
        Object::A1,
        Object::B0,
        Object::B1,
        Object::PipeReader,
        Object::PipeWriter,
        Object::File,
        Object::Null,
        Object::Full,
        Object::Counter,
    ];

    /// The channels that bytes, notifications or a position move through, as they are numbered in
    /// outcomes: the one that it takes from, and the one that it gives to.
    pub fn channels(self) -> (Option<usize>, Option<usize>) {
        match self {
            Object::A0 => (Some(0), Some(1)),
            Object::A1 => (Some(1), Some(0)),
            Object::B0 => (Some(2), Some(3)),
            Object::B1 => (Some(3), Some(2)),
            Object::PipeReader => (Some(PIPE), None),
            Object::PipeWriter => (None, Some(PIPE)),
            Object::File => (Some(FILE), Some(FILE)),
            Object::Counter => (Some(COUNTER), Some(COUNTER)),
            Object::Null | Object::Full => (None, None),
        }
    }
}

/// The channels that are not directions of connections, and how many there are.
pub const PIPE: usize = 4;
pub const FILE: usize = 5;
pub const COUNTER: usize = 6;
pub const CHANNELS: usize = 7;

/// A time that is over soon, and one that no program sees the end of.
pub const SHORT_MS: u64 = 1;
pub const LONG_MS: u64 = 60_000;

impl Action {
    /// The object that it works on.
    pub fn object(self) -> Option<Object> {
        match self {
            Action::Send { to, .. } | Action::Write { to, .. } => Some(to),
            Action::Recv { from, .. } | Action::Read { from, .. } => Some(from),
            Action::Fsync { file } => Some(file),
            Action::Poll { object, .. } | Action::Close { object } => Some(object),
            Action::Shutdown { socket, .. } => Some(socket),
            Action::Notify | Action::Wait => Some(Object::Counter),
            Action::Nop | Action::Timeout { .. } | Action::LinkTimeout { .. } => None,
        }
    }

    /// The length of its buffer.
    pub fn len(self) -> usize {
        match self {
            Action::Send { len, .. }
            | Action::Recv { len, .. }
            | Action::Read { len, .. }
            | Action::Write { len, .. } => len,
            Action::Wait | Action::Notify => 8,
            _ => 0,
        }
    }

    /// The same with another length, if it has one.
    pub fn with_len(self, len: usize) -> Action {
        match self {
            Action::Send { to, .. } => Action::Send { to, len },
            Action::Recv { from, how, .. } => Action::Recv { from, len, how },
            Action::Read { from, at, .. } => Action::Read { from, len, at },
            Action::Write { to, at, .. } => Action::Write { to, len, at },
            other => other,
        }
    }

    /// Whether bytes move into its buffer.
    pub fn fills(self) -> bool {
        matches!(self, Action::Recv { .. } | Action::Read { .. } | Action::Wait)
    }

    /// Whether a result of `count` breaks a soft chain.
    pub fn is_short(self, count: usize) -> bool {
        match self {
            Action::Read { len, .. } | Action::Write { len, .. } => count < len,
            Action::Recv { len, how: How::All, .. } => count < len,
            _ => false,
        }
    }
}

impl Program {
    /// Its steps, each with where it stands.
    pub fn steps(&self) -> impl Iterator<Item = (Place, &Step)> {
        self.rounds.iter().enumerate().flat_map(|(round, chains)| {
            chains.chains.iter().enumerate().flat_map(move |(chain, steps)| {
                let place = move |(step, value)| (Place { round, chain, step }, value);
                steps.iter().enumerate().map(place)
            })
        })
    }
}

/// Where a step stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    pub round: usize,
    pub chain: usize,
    pub step: usize,
}
