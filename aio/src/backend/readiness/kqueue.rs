//! kqueue(2): what is waited for goes along with the call that waits, edge-triggered.
//!
//! A queue forgets a descriptor when that is closed, and what is added again is looked at again. So
//! nothing is assumed here: each operation that is to wait adds what it waits for.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use super::poll::{Poll, timespec};
use super::poller::{Interest, Poller, Ready, Waited};
use crate::error::Cause;
use crate::handle::{BorrowedDescriptor, RawHandle};
use crate::sys::{Change, Queue, c};
use crate::waker::Waker;

/// How many events one call collects.
const EVENTS: usize = 256;

/// A kqueue.
pub struct Kqueue {
    queue: Queue,
    /// By descriptor.
    registered: Vec<Registration>,
    /// What the next call is to change.
    changes: Vec<c::kevent>,
    events: Vec<c::kevent>,
    /// What a queue does not tell; and the queue itself, if there is any.
    others: Poll,
    waker: Option<Waker>,
}

#[derive(Clone, Copy)]
struct Registration {
    /// What the queue was told, of reading and writing.
    told: Interest,
    /// What is waited for.
    wanted: Interest,
    /// Whether the queue does not take it: some devices can't be watched.
    is_refused: bool,
}

impl Registration {
    const NONE: Registration =
        Registration { told: Interest::NONE, wanted: Interest::NONE, is_refused: false };
}

impl Poller for Kqueue {
    const CONFIRMS_WITHOUT_A_CALL: bool = true;

    fn new() -> Result<Kqueue, Cause> {
        let queue = Queue::new().map_err(|error| cause(&error))?;
        Ok(Kqueue {
            queue,
            registered: Vec::new(),
            changes: Vec::new(),
            events: Vec::with_capacity(EVENTS),
            others: Poll::new()?,
            waker: None,
        })
    }

    fn is_edge_triggered(&self, fd: RawHandle) -> bool {
        self.others.place(fd).is_none()
    }

    fn watch(&mut self, fd: RawHandle, interest: Interest) -> Result<bool, Cause> {
        let index = fd as usize;
        if index >= self.registered.len() {
            self.registered.resize(index + 1, Registration::NONE);
        }
        self.registered[index].wanted = interest;
        if interest != Interest::NONE {
            self.confirm(fd)?;
        } else if self.others.place(fd).is_some() {
            self.watch_otherwise(fd)?;
        }
        Ok(true)
    }

    fn confirm(&mut self, fd: RawHandle) -> Result<(), Cause> {
        let registration = &mut self.registered[fd as usize];
        let Registration { told, wanted, is_refused } = *registration;
        if !is_refused {
            registration.told = filters_of(wanted);
            let is_told = registration.told;
            for (interest, filter) in
                [(Interest::READ, c::EVFILT_READ), (Interest::WRITE, c::EVFILT_WRITE)]
            {
                let flags = match is_told.contains(interest) {
                    true => c::EV_ADD | c::EV_CLEAR,
                    false if told.contains(interest) => c::EV_DELETE,
                    false => continue,
                };
                let change = Change { flags, ..Change::new(fd as usize, filter) };
                self.changes.push(change.lowered());
            }
        }
        if is_refused || wanted.contains(Interest::PRIORITY) || self.others.place(fd).is_some() {
            self.watch_otherwise(fd)?;
        }
        Ok(())
    }

    fn forget(&mut self, fd: RawHandle) {
        if let Some(registration) = self.registered.get_mut(fd as usize) {
            registration.told = Interest::NONE;
            registration.is_refused = false;
            if self.others.place(fd).is_some() {
                self.others.forget(fd);
                self.watch_queue_too();
            }
        }
    }

    fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> Result<Waited, Cause> {
        if self.others.entries.is_empty() {
            return self.wait_once(timeout, ready);
        }
        // What is to be changed is changed first, for poll(2) to tell what comes of it.
        let before = ready.len();
        let mut waited = self.wait_once(Some(Duration::ZERO), ready)?;
        let is_over = ready.len() > before || waited.is_woken;
        let timeout = if is_over { Some(Duration::ZERO) } else { timeout };
        let mut told = Vec::new();
        waited.calls += self.others.wait(timeout, &mut told)?.calls;
        let queue = self.queue.as_fd().as_raw_fd();
        for one in told {
            if one.fd == queue {
                let more = self.wait_once(Some(Duration::ZERO), ready)?;
                waited.calls += more.calls;
                waited.is_woken |= more.is_woken;
            } else {
                ready.push(one);
            }
        }
        Ok(waited)
    }

    fn waker(&mut self) -> Result<Waker, Cause> {
        if let Some(waker) = &self.waker {
            return Ok(waker.clone());
        }
        let waker = Waker::new().map_err(|error| error.cause())?;
        let signal = waker.signal().as_fd().as_raw_fd();
        let change = Change { flags: c::EV_ADD, ..Change::new(signal as usize, c::EVFILT_READ) };
        self.queue.apply(change).map_err(|error| cause(&error))?;
        Ok(self.waker.insert(waker).clone())
    }

    fn has_untold(&self) -> bool {
        !self.others.entries.is_empty()
    }

    fn descriptor(&self) -> Option<BorrowedDescriptor<'_>> {
        Some(self.queue.as_fd())
    }
}

impl Kqueue {
    /// One call, which makes the changes; an interrupted one has made them.
    fn wait_once(
        &mut self,
        timeout: Option<Duration>,
        ready: &mut Vec<Ready>,
    ) -> Result<Waited, Cause> {
        // Each change may be answered with an error.
        self.events.clear();
        self.events.reserve(self.changes.len());
        let timeout = timeout.map(timespec);
        let result = self.queue.wait(&self.changes, &mut self.events, timeout.as_ref());
        self.changes.clear();
        match result.map_err(|error| cause(&error)) {
            Err(Cause::Os(c::EINTR)) => Ok(Waited { calls: 1, is_woken: false }),
            result => result.and_then(|()| self.collect(ready)),
        }
    }

    /// Appends what is ready.
    fn collect(&mut self, ready: &mut Vec<Ready>) -> Result<Waited, Cause> {
        let waker = self.waker.as_ref().and_then(Waker::raw);
        let mut waited = Waited { calls: 1, is_woken: false };
        let mut events = std::mem::take(&mut self.events);
        for event in events.drain(..) {
            let fd = event.ident as RawHandle;
            let is_over = event.flags & c::EV_EOF != 0;
            if event.flags & c::EV_ERROR != 0 {
                match event.data as i32 {
                    // It was not watched for that.
                    0 | c::ENOENT => {}
                    // The operation is to find out itself.
                    c::EBADF | c::EPIPE => ready.push(all(fd)),
                    _ => {
                        self.registered[fd as usize].is_refused = true;
                        self.watch_otherwise(fd)?;
                    }
                }
            } else if waker == Some(fd) {
                waited.calls += 1;
                waited.is_woken |= self.waker.as_ref().is_some_and(Waker::clear);
            } else if is_over {
                ready.push(all(fd));
            } else {
                let read = event.filter == c::EVFILT_READ;
                ready.push(Ready { fd, read, write: !read, priority: false });
            }
        }
        self.events = events;
        Ok(waited)
    }

    /// Has poll(2) watch for what the queue does not tell, and no more than that.
    fn watch_otherwise(&mut self, fd: RawHandle) -> Result<(), Cause> {
        let Registration { wanted, is_refused, .. } = self.registered[fd as usize];
        let interest = match is_refused {
            true => wanted,
            false if wanted.contains(Interest::PRIORITY) => Interest::PRIORITY,
            false => Interest::NONE,
        };
        self.others.watch(fd, interest)?;
        self.watch_queue_too();
        Ok(())
    }

    /// Has poll(2) tell of the queue, if there is anything else that it is to tell of.
    fn watch_queue_too(&mut self) {
        let queue = self.queue.as_fd().as_raw_fd();
        self.others.forget(queue);
        if !self.others.entries.is_empty() {
            // Watching fails only for what is not open.
            let _ = self.others.watch(queue, Interest::READ);
        }
    }
}

/// Which filters tell it. That a descriptor is over is told by both, each in its own direction.
fn filters_of(interest: Interest) -> Interest {
    let mut filters = Interest::NONE;
    let is_end_only = interest == Interest::END;
    for filter in [Interest::READ, Interest::WRITE] {
        if interest.contains(filter) || is_end_only {
            filters |= filter;
        }
    }
    filters
}

fn all(fd: RawHandle) -> Ready {
    Ready { fd, read: true, write: true, priority: true }
}

fn cause(error: &io::Error) -> Cause {
    Cause::Os(error.raw_os_error().unwrap_or(c::EIO))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write, pipe};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;
    use std::thread;

    use super::*;

    const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

    fn ready(fd: &impl AsRawFd, interest: Interest) -> Ready {
        let [read, write, priority] =
            [Interest::READ, Interest::WRITE, Interest::PRIORITY].map(|one| interest.contains(one));
        Ready { fd: fd.as_raw_fd(), read, write, priority }
    }

    fn wait(kqueue: &mut Kqueue, timeout: Option<Duration>) -> Vec<Ready> {
        let mut ready = Vec::new();
        kqueue.wait(timeout, &mut ready).unwrap();
        ready
    }

    #[test]
    fn what_is_ready_is_told_once_and_again_when_it_is_confirmed() {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let (mut kqueue, fd) = (Kqueue::new().unwrap(), ours.as_raw_fd());
        assert_eq!(kqueue.watch(fd, Interest::READ), Ok(true));
        assert_eq!(wait(&mut kqueue, AT_ONCE), []);
        theirs.write_all(b"x").unwrap();
        assert_eq!(wait(&mut kqueue, None), [ready(&ours, Interest::READ)]);
        assert_eq!(wait(&mut kqueue, AT_ONCE), []);
        kqueue.confirm(fd).unwrap();
        assert_eq!(wait(&mut kqueue, None), [ready(&ours, Interest::READ)]);
        ours.read_exact(&mut [0]).unwrap();
        kqueue.confirm(fd).unwrap();
        assert_eq!(wait(&mut kqueue, AT_ONCE), []);
        kqueue.watch(fd, Interest::WRITE).unwrap();
        assert_eq!(wait(&mut kqueue, None), [ready(&ours, Interest::WRITE)]);
        theirs.write_all(b"x").unwrap();
        assert_eq!(wait(&mut kqueue, AT_ONCE), []);
    }

    #[test]
    fn a_number_that_means_another_file_is_watched_anew() {
        let mut kqueue = Kqueue::new().unwrap();
        loop {
            let (reader, _writer) = pipe().unwrap();
            let fd = reader.as_raw_fd();
            kqueue.watch(fd, Interest::READ).unwrap();
            assert_eq!(wait(&mut kqueue, AT_ONCE), []);
            drop(reader);
            let (other, mut writer) = pipe().unwrap();
            // Another test may have been faster.
            if other.as_raw_fd() != fd {
                continue;
            }
            writer.write_all(b"x").unwrap();
            assert_eq!(wait(&mut kqueue, AT_ONCE), []);
            kqueue.confirm(fd).unwrap();
            assert_eq!(wait(&mut kqueue, None), [ready(&other, Interest::READ)]);
            return;
        }
    }

    #[test]
    fn what_is_over_or_closed_is_ready_for_everything() {
        let mut kqueue = Kqueue::new().unwrap();
        let (reader, writer) = pipe().unwrap();
        kqueue.watch(reader.as_raw_fd(), Interest::END).unwrap();
        wait(&mut kqueue, AT_ONCE);
        drop(writer);
        assert!(wait(&mut kqueue, None).contains(&all(reader.as_raw_fd())));
        let never_open = 60_000;
        kqueue.watch(never_open, Interest::READ).unwrap();
        assert_eq!(wait(&mut kqueue, None), [all(never_open)]);
    }

    #[test]
    fn urgent_data_is_told_for_as_long_as_somebody_asks_for_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (theirs, _) = listener.accept().unwrap();
        let (mut kqueue, fd) = (Kqueue::new().unwrap(), ours.as_raw_fd());
        kqueue.watch(fd, Interest::PRIORITY).unwrap();
        assert!(!kqueue.is_edge_triggered(fd) && kqueue.has_untold());
        assert_eq!(wait(&mut kqueue, AT_ONCE), []);
        socket2::SockRef::from(&theirs).send_out_of_band(b"!").unwrap();
        assert_eq!(wait(&mut kqueue, None), [ready(&ours, Interest::PRIORITY)]);
        let (reader, mut writer) = pipe().unwrap();
        kqueue.watch(reader.as_raw_fd(), Interest::READ).unwrap();
        writer.write_all(b"x").unwrap();
        let mut told = wait(&mut kqueue, None);
        told.sort_unstable_by_key(|ready| ready.priority);
        assert_eq!(told, [ready(&reader, Interest::READ), ready(&ours, Interest::PRIORITY)]);
        kqueue.watch(fd, Interest::NONE).unwrap();
        assert!(kqueue.is_edge_triggered(fd) && !kqueue.has_untold());
        assert_eq!(wait(&mut kqueue, AT_ONCE), []);
    }

    #[test]
    fn what_the_queue_refuses_is_polled() {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let (mut kqueue, fd) = (Kqueue::new().unwrap(), ours.as_raw_fd());
        kqueue.watch(fd, Interest::READ).unwrap();
        kqueue.registered[fd as usize].is_refused = true;
        kqueue.confirm(fd).unwrap();
        theirs.write_all(b"x").unwrap();
        assert!(wait(&mut kqueue, None).contains(&ready(&ours, Interest::READ)));
        ours.read_exact(&mut [0]).unwrap();
        assert_eq!(wait(&mut kqueue, AT_ONCE), []);
        kqueue.forget(fd);
        assert!(!kqueue.has_untold() && !kqueue.registered[fd as usize].is_refused);
    }

    #[test]
    fn many_changes_and_a_wait_are_one_call() {
        let mut kqueue = Kqueue::new().unwrap();
        let pipes: Vec<_> = (0..200).map(|_| pipe().unwrap()).collect();
        for (reader, writer) in &pipes {
            kqueue.watch(reader.as_raw_fd(), Interest::READ).unwrap();
            kqueue.watch(writer.as_raw_fd(), Interest::WRITE).unwrap();
        }
        let (mut told, waited) = (Vec::new(), Waited { calls: 1, is_woken: false });
        while told.len() < pipes.len() {
            assert_eq!(kqueue.wait(None, &mut told), Ok(waited));
        }
        assert!(told.iter().all(|ready| ready.write && !ready.read));
        assert_eq!(wait(&mut kqueue, AT_ONCE), []);
    }

    #[test]
    fn a_waker_ends_a_wait_once_however_often_it_is_used() {
        let mut kqueue = Kqueue::new().unwrap();
        let waker = kqueue.waker().unwrap();
        assert_eq!(waker.raw(), kqueue.waker().unwrap().raw());
        thread::scope(|scope| {
            scope.spawn(|| waker.wake());
            let waited = Waited { calls: 2, is_woken: true };
            assert_eq!(kqueue.wait(None, &mut Vec::new()), Ok(waited));
        });
        // More often than a pipe has room for.
        (0..100_000).for_each(|_| waker.wake());
        let waited = |calls, is_woken| Ok(Waited { calls, is_woken });
        assert_eq!(kqueue.wait(None, &mut Vec::new()), waited(2, true));
        assert_eq!(kqueue.wait(AT_ONCE, &mut Vec::new()), waited(1, false));
        waker.wake();
        assert_eq!(kqueue.wait(None, &mut Vec::new()), waited(2, true));
    }

    #[test]
    fn no_wait_ends_early() {
        let mut kqueue = Kqueue::new().unwrap();
        for micros in [0, 1, 999, 1_001, 10_000] {
            let timeout = Duration::from_micros(micros);
            let start = std::time::Instant::now();
            assert_eq!(wait(&mut kqueue, Some(timeout)), []);
            assert!(start.elapsed() >= timeout);
        }
    }
}
