//! Counts and signals, made of pipes.

use std::io::{self, PipeReader, PipeWriter, pipe};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, ioctl_fionbio, retry_on_intr};

/// A count that threads and operations wait on, and a pipe that holds a byte while it is above
/// zero.
#[derive(Debug)]
pub struct CountedEvent {
    count: Mutex<u64>,
    signal: Signal,
}

impl CountedEvent {
    /// How many bytes stand for one, where some do.
    pub const UNIT: u32 = 0;

    pub fn new() -> io::Result<CountedEvent> {
        Ok(CountedEvent { count: Mutex::new(0), signal: Signal::new()? })
    }

    /// Adds `number`.
    pub fn notify_many(&self, number: u64) -> io::Result<()> {
        let mut count = self.count();
        let sum = count.checked_add(number).filter(|sum| *sum < u64::MAX);
        let sum = sum.ok_or(io::Error::from(Errno::INVAL))?;
        if *count == 0 && sum > 0 {
            self.signal.set();
        }
        *count = sum;
        Ok(())
    }

    /// Blocks the thread until the count is above zero, and takes one off.
    pub fn wait(&self) -> io::Result<()> {
        while !self.take() {
            self.signal.wait();
        }
        Ok(())
    }

    /// What bytes are read from to take one off the count: nothing, for there is an operation that
    /// is made for it.
    pub fn reader(&self) -> Option<RawFd> {
        None
    }

    /// What they are written to to add one; nothing as above.
    pub fn writer(&self) -> Option<RawFd> {
        None
    }

    /// What is readable while the count is above zero, for the operation that is made for it.
    pub fn waited_on(&self) -> Option<RawFd> {
        self.signal.raw()
    }

    /// Takes one off the count, if it is above zero, for the operation that is made for it.
    pub fn take(&self) -> bool {
        let mut count = self.count();
        if *count == 0 {
            return false;
        }
        *count -= 1;
        if *count == 0 {
            self.signal.clear();
        }
        true
    }

    fn count(&self) -> MutexGuard<'_, u64> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for CountedEvent {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signal.as_fd()
    }
}

/// What ends a wait from any thread: a pipe that never blocks.
#[derive(Debug)]
pub struct Signal {
    reader: PipeReader,
    writer: PipeWriter,
}

impl Signal {
    pub fn new() -> io::Result<Signal> {
        let (reader, writer) = pipe()?;
        ioctl_fionbio(&reader, true)?;
        ioctl_fionbio(&writer, true)?;
        Ok(Signal { reader, writer })
    }

    pub fn set(&self) {
        // It can fail only where the pipe is full: then it is set.
        let _ = retry_on_intr(|| rustix::io::write(&self.writer, &[1]));
    }

    /// Takes the signal back; says whether it was set.
    pub fn clear(&self) -> bool {
        let mut was_set = false;
        let mut bytes = [0; 1024];
        while let Ok(count @ 1..) = retry_on_intr(|| rustix::io::read(&self.reader, &mut bytes)) {
            was_set = true;
            if count < bytes.len() {
                break;
            }
        }
        was_set
    }

    /// Blocks the thread until it is set, or somebody interrupts it.
    pub fn wait(&self) {
        let _ = poll(&mut [PollFd::new(&self.reader, PollFlags::IN)], None);
    }

    /// What is readable while it is set, if there is such a thing.
    pub fn raw(&self) -> Option<RawFd> {
        Some(self.reader.as_raw_fd())
    }
}

impl AsFd for Signal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}
