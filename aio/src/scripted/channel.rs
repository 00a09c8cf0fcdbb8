//! Bytes on their way from one end to the other: a pipe, or one direction of a connection.

use std::collections::VecDeque;

use super::Attempt;
use crate::error::Cause;
use crate::sys::c;

/// The pages of a pipe, and the bytes of one.
const PAGES: usize = 16;
const PAGE: usize = 4096;

/// The bytes that one direction of a connection holds at most.
const SOCKET_ROOM: usize = 128 * 1024;

/// What was written and not read yet.
#[derive(Debug)]
pub struct Channel {
    bytes: VecDeque<u8>,
    room: Room,
    /// Nothing more will come through: the reader sees the end, the writer that nobody reads.
    is_shut: bool,
    /// The peer went away with bytes unread: the next one to read is told, once.
    is_reset: bool,
}

/// What bounds a channel.
#[derive(Debug)]
enum Room {
    /// Sockets count bytes.
    Bytes,
    /// Pipes count pages, of which none but the last is added to.
    Pages(VecDeque<Page>),
}

/// A page of a pipe: the bytes between `start` and `end` are to be read.
#[derive(Clone, Copy, Debug)]
struct Page {
    start: usize,
    end: usize,
}

impl Channel {
    /// One direction of a connection.
    pub fn socket() -> Channel {
        Channel { bytes: VecDeque::new(), room: Room::Bytes, is_shut: false, is_reset: false }
    }

    /// A pipe: 64 KiB in whole pages, as pipe(7) has it.
    pub fn pipe() -> Channel {
        Channel { room: Room::Pages(VecDeque::new()), ..Channel::socket() }
    }

    /// Lets nothing more through.
    pub fn shut(&mut self) {
        self.is_shut = true;
    }

    /// Tells who reads that the peer went away with bytes unread.
    pub fn reset(&mut self) {
        self.is_reset = true;
    }

    pub fn is_shut(&self) -> bool {
        self.is_shut
    }

    pub fn is_reset(&self) -> bool {
        self.is_reset
    }

    /// Whether bytes are there to be read.
    pub fn has_bytes(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// Whether at least one byte can be written.
    pub fn has_room(&self) -> bool {
        match &self.room {
            Room::Bytes => self.bytes.len() < SOCKET_ROOM,
            Room::Pages(pages) => pages.len() < PAGES,
        }
    }

    /// Moves bytes into `buf`, or copies them if `is_peek`; 0 once no more will come.
    pub fn read(&mut self, buf: &mut [u8], is_peek: bool) -> Attempt {
        if self.bytes.is_empty() {
            if std::mem::take(&mut self.is_reset) {
                return Some(Err(Cause::Os(c::ECONNRESET)));
            }
            return self.is_shut.then_some(Ok(0));
        }
        let count = buf.len().min(self.bytes.len());
        for (to, from) in buf.iter_mut().zip(&self.bytes) {
            *to = *from;
        }
        if !is_peek {
            self.bytes.drain(..count);
            if let Room::Pages(pages) = &mut self.room {
                free(pages, count);
            }
        }
        Some(Ok(count))
    }

    /// Takes as many of `bytes` as there is room for.
    pub fn write(&mut self, bytes: &[u8]) -> Attempt {
        if self.is_shut {
            return Some(Err(Cause::Os(c::EPIPE)));
        }
        let count = match &mut self.room {
            Room::Bytes => bytes.len().min(SOCKET_ROOM - self.bytes.len()),
            Room::Pages(pages) => fill(pages, bytes.len()),
        };
        self.bytes.extend(&bytes[..count]);
        (count > 0 || bytes.is_empty()).then_some(Ok(count))
    }
}

/// Puts up to `len` bytes into pages; yields how many. What is left over after whole pages comes
/// first, on the last page if that has room for all of it.
fn fill(pages: &mut VecDeque<Page>, len: usize) -> usize {
    let mut left = len;
    let rest = len % PAGE;
    if let Some(last) = pages.back_mut()
        && rest > 0
        && last.end + rest <= PAGE
    {
        last.end += rest;
        left -= rest;
    }
    while left > 0 && pages.len() < PAGES {
        let end = left.min(PAGE);
        pages.push_back(Page { start: 0, end });
        left -= end;
    }
    len - left
}

/// Takes `len` bytes out of pages.
fn free(pages: &mut VecDeque<Page>, mut len: usize) {
    while let Some(page) = pages.front_mut() {
        let count = len.min(page.end - page.start);
        page.start += count;
        len -= count;
        if page.start < page.end {
            return;
        }
        pages.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_takes_whole_pages_and_adds_to_the_last_one_only() {
        let mut pipe = Channel::pipe();
        assert_eq!(pipe.write(&[1; 100_000]), Some(Ok(PAGES * PAGE)));
        assert_eq!(pipe.write(&[2; 1]), None);
        assert_eq!(pipe.read(&mut [0; PAGE - 1], false), Some(Ok(PAGE - 1)));
        assert!(!pipe.has_room());
        assert_eq!(pipe.read(&mut [0; 1], false), Some(Ok(1)));
        assert_eq!(pipe.write(&[2; 10]), Some(Ok(10)));
        assert_eq!(pipe.write(&[3; PAGE]), None);
        assert_eq!(pipe.write(&[3; PAGE - 10]), Some(Ok(PAGE - 10)));
    }

    #[test]
    fn what_is_there_is_read_before_the_end_or_a_reset() {
        let mut channel = Channel::socket();
        assert_eq!(channel.write(b"abc"), Some(Ok(3)));
        channel.shut();
        channel.reset();
        let mut buf = [0; 8];
        assert_eq!(channel.read(&mut buf[..2], true), Some(Ok(2)));
        assert_eq!(channel.read(&mut buf, false), Some(Ok(3)));
        assert_eq!(&buf[..4], b"abc\0");
        assert_eq!(channel.read(&mut buf, false), Some(Err(Cause::Os(c::ECONNRESET))));
        assert_eq!(channel.read(&mut buf, false), Some(Ok(0)));
        assert_eq!(channel.write(b"d"), Some(Err(Cause::Os(c::EPIPE))));
    }
}
