//! What a simulated descriptor names, and what it answers to each operation.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::Attempt;
use super::channel::Channel;
use crate::error::Cause;
use crate::sys::c;

/// What a descriptor names. Dropping it is what closing the last descriptor does.
#[derive(Debug)]
pub enum Object {
    /// One end of a connection; `None` before it is connected.
    Socket(Option<Ends>),
    PipeReader(Shared),
    PipeWriter(Shared),
    File(RefCell<Contents>),
    Null,
    Full,
    /// An eventfd that is a semaphore.
    Counter(Cell<u64>),
}

pub type Shared = Rc<RefCell<Channel>>;

/// The two directions of a connection, as one end sees them.
#[derive(Debug)]
pub struct Ends {
    pub incoming: Shared,
    pub outgoing: Shared,
}

/// A file.
#[derive(Debug, Default)]
pub struct Contents {
    pub bytes: Vec<u8>,
    pub position: usize,
}

const fn os(code: i32) -> Attempt {
    Some(Err(Cause::Os(code)))
}

impl Object {
    /// read(2), or pread(2) with an offset.
    pub fn read(&self, buf: &mut [u8], offset: Option<u64>) -> Attempt {
        match self {
            Object::PipeWriter(_) => os(c::EBADF),
            Object::Socket(_) | Object::PipeReader(_) | Object::Counter(_) if offset.is_some() => {
                os(c::ESPIPE)
            }
            Object::Counter(_) if buf.len() < 8 => os(c::EINVAL),
            Object::Counter(count) => {
                count.set(count.get().checked_sub(1)?);
                buf[..8].copy_from_slice(&1u64.to_ne_bytes());
                Some(Ok(8))
            }
            Object::Socket(_) | Object::PipeReader(_) if buf.is_empty() => Some(Ok(0)),
            Object::Socket(_) => self.recv(buf, false),
            Object::PipeReader(channel) => channel.borrow_mut().read(buf, false),
            Object::File(contents) => contents.borrow_mut().read(buf, offset),
            Object::Null => Some(Ok(0)),
            Object::Full => {
                buf.fill(0);
                Some(Ok(buf.len()))
            }
        }
    }

    /// write(2), or pwrite(2) with an offset.
    pub fn write(&self, bytes: &[u8], offset: Option<u64>) -> Attempt {
        match self {
            Object::PipeReader(_) => os(c::EBADF),
            Object::Socket(_) | Object::PipeWriter(_) | Object::Counter(_) if offset.is_some() => {
                os(c::ESPIPE)
            }
            Object::Counter(count) => {
                let Some((number, _)) = bytes.split_first_chunk() else {
                    return os(c::EINVAL);
                };
                match u64::from_ne_bytes(*number) {
                    u64::MAX => os(c::EINVAL),
                    more => {
                        count.set(count.get().checked_add(more).filter(|sum| *sum < u64::MAX)?);
                        Some(Ok(8))
                    }
                }
            }
            Object::Socket(_) => self.send(bytes),
            Object::PipeWriter(_) if bytes.is_empty() => Some(Ok(0)),
            Object::PipeWriter(channel) => channel.borrow_mut().write(bytes),
            Object::File(contents) => contents.borrow_mut().write(bytes, offset),
            Object::Null => Some(Ok(bytes.len())),
            Object::Full => os(c::ENOSPC),
        }
    }

    /// recv(2): what is there, up to all of `buf`.
    pub fn recv(&self, buf: &mut [u8], is_peek: bool) -> Attempt {
        match self {
            Object::Socket(Some(ends)) => ends.incoming.borrow_mut().read(buf, is_peek),
            Object::Socket(None) => os(c::EINVAL),
            _ => os(c::ENOTSOCK),
        }
    }

    /// send(2): as much as there is room for.
    pub fn send(&self, bytes: &[u8]) -> Attempt {
        match self {
            Object::Socket(Some(ends)) => ends.outgoing.borrow_mut().write(bytes),
            Object::Socket(None) => os(c::ENOTCONN),
            _ => os(c::ENOTSOCK),
        }
    }

    /// shutdown(2).
    pub fn shutdown(&self, how: i32) -> Attempt {
        match self {
            Object::Socket(Some(ends)) => {
                if how == c::SHUT_RD || how == c::SHUT_RDWR {
                    ends.incoming.borrow_mut().shut();
                }
                if how == c::SHUT_WR || how == c::SHUT_RDWR {
                    ends.outgoing.borrow_mut().shut();
                }
                Some(Ok(0))
            }
            Object::Socket(None) => Some(Ok(0)),
            _ => os(c::ENOTSOCK),
        }
    }

    /// fsync(2).
    pub fn sync(&self) -> Attempt {
        match self {
            Object::File(_) => Some(Ok(0)),
            _ => os(c::EINVAL),
        }
    }

    /// poll(2): what of `events` it is ready for, and what is reported unasked.
    pub fn poll(&self, events: u32) -> Attempt {
        let ready = self.ready() & (events as i16 | c::POLLERR | c::POLLHUP);
        (ready != 0).then_some(Ok(ready as usize))
    }

    fn ready(&self) -> i16 {
        let flag = |is_set: bool, events: i16| if is_set { events } else { 0 };
        match self {
            Object::Socket(None) => c::POLLOUT | c::POLLHUP,
            Object::Socket(Some(Ends { incoming, outgoing })) => {
                let (incoming, outgoing) = (incoming.borrow(), outgoing.borrow());
                flag(incoming.has_bytes() || incoming.is_shut(), c::POLLIN)
                    | flag(outgoing.has_room(), c::POLLOUT)
                    | flag(incoming.is_shut() && outgoing.is_shut(), c::POLLHUP)
                    | flag(incoming.is_reset(), c::POLLERR)
            }
            Object::PipeReader(channel) => {
                let channel = channel.borrow();
                flag(channel.has_bytes(), c::POLLIN) | flag(channel.is_shut(), c::POLLHUP)
            }
            Object::PipeWriter(channel) => {
                let channel = channel.borrow();
                flag(channel.has_room(), c::POLLOUT) | flag(channel.is_shut(), c::POLLERR)
            }
            Object::Counter(count) => {
                flag(count.get() > 0, c::POLLIN) | flag(count.get() < u64::MAX - 1, c::POLLOUT)
            }
            Object::File(_) | Object::Null | Object::Full => c::POLLIN | c::POLLOUT,
        }
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        match self {
            Object::Socket(Some(Ends { incoming, outgoing })) => {
                if incoming.borrow().has_bytes() {
                    outgoing.borrow_mut().reset();
                }
                incoming.borrow_mut().shut();
                outgoing.borrow_mut().shut();
            }
            Object::PipeReader(channel) | Object::PipeWriter(channel) => {
                channel.borrow_mut().shut();
            }
            _ => {}
        }
    }
}

impl Contents {
    fn read(&mut self, buf: &mut [u8], offset: Option<u64>) -> Attempt {
        let from = self.place(offset);
        let bytes = self.bytes.get(from..).unwrap_or_default();
        let count = buf.len().min(bytes.len());
        buf[..count].copy_from_slice(&bytes[..count]);
        self.move_on(from + count, offset);
        Some(Ok(count))
    }

    fn write(&mut self, bytes: &[u8], offset: Option<u64>) -> Attempt {
        let from = self.place(offset);
        let Some(end) = from.checked_add(bytes.len()).filter(|end| *end <= MOST) else {
            return os(c::EFBIG);
        };
        if !bytes.is_empty() {
            if self.bytes.len() < end {
                self.bytes.resize(end, 0);
            }
            self.bytes[from..end].copy_from_slice(bytes);
        }
        self.move_on(end, offset);
        Some(Ok(bytes.len()))
    }

    fn place(&self, offset: Option<u64>) -> usize {
        offset.map_or(self.position, |offset| usize::try_from(offset).unwrap_or(usize::MAX))
    }

    fn move_on(&mut self, position: usize, offset: Option<u64>) {
        if offset.is_none() {
            self.position = position;
        }
    }
}

/// The longest file: these are in memory.
const MOST: usize = 1 << 28;
