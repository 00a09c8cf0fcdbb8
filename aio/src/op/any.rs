//! Operations of different types in one list.

use std::fmt;
use std::fs::File;
use std::io::{PipeReader, PipeWriter};
use std::process::ExitStatus;

use super::private::Sealed;
use super::{Answer, Events, Link, Operation, RawOp, Received, Stat, Waited};
use crate::error::Error;
use crate::kind::OpKind;
use crate::sys::net;

/// Any operation: for batches whose operations are known at run time only.
///
/// Making one allocates.
///
/// ```
/// use corio_aio::{self as aio, op::{self, Any, Link, Operation}};
/// # fn main() -> Result<(), aio::Error> {
/// let mut batch: Vec<Any<'_>> = Vec::new();
/// batch.push(Any::new(op::nop()).link_by(Link::Soft));
/// batch.push(Any::new(op::timeout(std::time::Duration::ZERO)));
/// assert_eq!(aio::multi(batch)?.len(), 2);
/// # Ok(())
/// # }
/// ```
pub struct Any<'a> {
    op: Box<dyn Erased + 'a>,
    link: Link,
}

/// What an [`Any`] yields.
#[derive(Debug)]
#[non_exhaustive]
pub enum Value {
    /// It is done; there is nothing more to say.
    Done,
    /// A number, of bytes in most cases.
    Count(usize),
    /// An open file.
    File(File),
    /// The two ends of a pipe.
    Pipe(PipeReader, PipeWriter),
    /// What a file is.
    Stat(Box<Stat>),
    /// A socket.
    Socket(net::Socket),
    /// What a descriptor is ready for.
    Events(Events),
    /// A message.
    Message(Box<Received>),
    /// A socket's option that is on or off.
    Flag(bool),
    /// A socket's option that is a number.
    Number(i32),
    /// A socket's option that is neither.
    Bytes(Box<[u8]>),
    /// How a child ended.
    Exit(ExitStatus),
    /// What became of a process.
    Waited(Waited),
}

impl<'a> Any<'a> {
    /// Forgets which operation `op` is, but not how it is linked and which number it carries.
    pub fn new<O: Operation<Output: Into<Value>> + 'a>(op: O) -> Any<'a> {
        Any { link: op.link(), op: Box::new(op) }
    }

    /// Links it to the next operation, or not.
    pub fn link_by(self, link: Link) -> Any<'a> {
        Any { link, ..self }
    }
}

trait Erased {
    fn kind(&self) -> OpKind;
    fn tag(&self) -> u64;
    fn lower(&mut self) -> RawOp;
    fn finish(&mut self, answer: Answer) -> Result<Value, Error>;
}

impl<O: Operation<Output: Into<Value>>> Erased for O {
    fn kind(&self) -> OpKind {
        Operation::kind(self)
    }

    fn tag(&self) -> u64 {
        Operation::tag(self)
    }

    fn lower(&mut self) -> RawOp {
        Operation::lower(self)
    }

    fn finish(&mut self, answer: Answer) -> Result<Value, Error> {
        Operation::finish(self, answer).map(Into::into)
    }
}

impl Sealed for Any<'_> {}
impl Operation for Any<'_> {
    type Output = Value;
    const KIND: OpKind = OpKind::Nop;
    const IS_FIXED: bool = false;

    fn kind(&self) -> OpKind {
        self.op.kind()
    }

    fn link(&self) -> Link {
        self.link
    }

    fn tag(&self) -> u64 {
        self.op.tag()
    }

    fn lower(&mut self) -> RawOp {
        self.op.lower()
    }

    fn finish(&mut self, answer: Answer) -> Result<Value, Error> {
        self.op.finish(answer)
    }
}

impl fmt::Debug for Any<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Any").field(&self.op.kind()).field(&self.link).finish()
    }
}

impl From<()> for Value {
    fn from((): ()) -> Value {
        Value::Done
    }
}

impl From<usize> for Value {
    fn from(count: usize) -> Value {
        Value::Count(count)
    }
}

impl From<File> for Value {
    fn from(file: File) -> Value {
        Value::File(file)
    }
}

impl From<(PipeReader, PipeWriter)> for Value {
    fn from((reader, writer): (PipeReader, PipeWriter)) -> Value {
        Value::Pipe(reader, writer)
    }
}

impl From<Stat> for Value {
    fn from(stat: Stat) -> Value {
        Value::Stat(Box::new(stat))
    }
}

impl From<net::Socket> for Value {
    fn from(socket: net::Socket) -> Value {
        Value::Socket(socket)
    }
}

impl From<Events> for Value {
    fn from(events: Events) -> Value {
        Value::Events(events)
    }
}

impl From<Received> for Value {
    fn from(message: Received) -> Value {
        Value::Message(Box::new(message))
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Value {
        Value::Flag(flag)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Value {
        Value::Number(number)
    }
}

impl From<ExitStatus> for Value {
    fn from(status: ExitStatus) -> Value {
        Value::Exit(status)
    }
}

impl From<Waited> for Value {
    fn from(waited: Waited) -> Value {
        Value::Waited(waited)
    }
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(bytes: [u8; N]) -> Value {
        Value::Bytes(Box::new(bytes))
    }
}
