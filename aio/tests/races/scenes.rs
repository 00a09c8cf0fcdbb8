//! Things that have descriptors, what can be waited for on them, and what ends the wait.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use corio_aio::op::{self, Any, Events, Value};
use corio_aio::{Domain, Socket, Type};
use socket2::SockRef;

use crate::random::Random;
use crate::system;

/// The size of a message.
const MESSAGE: usize = 8;

/// What a descriptor is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    Pipe,
    FullPipe,
    Stream,
    FullStream,
    EndingStream,
    Datagrams,
    Eventfd,
    File,
}

impl What {
    const ALL: [What; 8] = [
        What::Pipe,
        What::FullPipe,
        What::Stream,
        What::FullStream,
        What::EndingStream,
        What::Datagrams,
        What::Eventfd,
        What::File,
    ];

    /// Those that this system has.
    pub fn all() -> Vec<What> {
        let is_here = |what: &What| *what != What::Eventfd || system::eventfd().is_some();
        What::ALL.into_iter().filter(is_here).collect()
    }
}

/// One of them.
#[derive(Debug)]
pub struct Scene {
    what: What,
    /// What is waited on; `None` once it is closed.
    ours: Option<Arc<OwnedFd>>,
    /// What ends the wait.
    theirs: Option<Arc<OwnedFd>>,
    /// How many messages the operations take.
    messages: usize,
    /// Whether they only look.
    is_polled: bool,
    is_spent: bool,
}

impl Scene {
    pub fn new(what: What) -> Scene {
        let pair = |kind| {
            let (ours, theirs) = Socket::pair(Domain::UNIX, kind, None).unwrap();
            (OwnedFd::from(ours), OwnedFd::from(theirs))
        };
        let (ours, theirs) = match what {
            What::Pipe => {
                let (reader, writer) = std::io::pipe().unwrap();
                (reader.into(), writer.into())
            }
            What::FullPipe => {
                let (reader, writer) = std::io::pipe().unwrap();
                let size = system::pipe_room(&writer);
                assert_eq!(rustix::io::write(&writer, &vec![0; size]), Ok(size));
                (writer.into(), reader.into())
            }
            What::Stream | What::EndingStream => pair(Type::STREAM),
            What::FullStream => {
                let (ours, theirs) = pair(Type::STREAM);
                let socket = SockRef::from(&ours);
                socket.set_send_buffer_size(4096).unwrap();
                while socket.send_with_flags(&[0; 1024], libc::MSG_DONTWAIT).is_ok() {}
                (ours, theirs)
            }
            What::Datagrams => pair(Type::DGRAM),
            What::Eventfd => {
                let ours = system::eventfd().unwrap();
                let theirs = ours.try_clone().unwrap();
                (ours, theirs)
            }
            What::File => {
                let file = OwnedFd::from(system::scratch());
                assert_eq!(rustix::io::pwrite(&file, &[0; 1024], 0), Ok(1024));
                let other = file.try_clone().unwrap();
                (file, other)
            }
        };
        let (ours, theirs) = (Some(Arc::new(ours)), Some(Arc::new(theirs)));
        Scene { what, ours, theirs, messages: 0, is_polled: false, is_spent: false }
    }

    /// Whether nothing more can be waited for.
    pub fn is_spent(&self) -> bool {
        self.is_spent
    }

    /// Whether operations complete without being helped.
    pub fn is_always_ready(&self) -> bool {
        self.what == What::File
    }

    /// Closes it, though another thread may still be about to close its end.
    pub fn close(&mut self) {
        (self.ours, self.theirs) = (None, None);
    }

    /// From now on it has another number; what it was stays open, and may have the old number.
    pub fn move_to_another_number(&mut self) {
        let other = self.ours().try_clone().unwrap();
        self.ours = Some(Arc::new(other));
    }

    fn ours(&self) -> &Arc<OwnedFd> {
        self.ours.as_ref().unwrap()
    }

    fn theirs(&self) -> &Arc<OwnedFd> {
        self.theirs.as_ref().unwrap()
    }

    /// Operations that wait, unless it is made ready first.
    pub fn choose(&mut self, random: &mut Random) -> Vec<Any<'static>> {
        let count = 1 + random.below(3);
        // One that asks for more than comes learns that no more is there.
        let room = if count == 1 { random.below(2) * 56 + MESSAGE } else { MESSAGE };
        let is_read = random.below(2) == 0;
        let fd = || Arc::clone(self.ours());
        let read = || Any::new(op::read(fd(), vec![0; room]));
        let receive = || match is_read {
            true => read(),
            false => Any::new(op::recv(fd(), vec![0; room])),
        };
        let write = || match is_read {
            true => Any::new(op::write(fd(), vec![0; MESSAGE])),
            false => Any::new(op::send(fd(), vec![0; MESSAGE])),
        };
        let poll = || Any::new(op::poll(fd(), Events::READABLE));
        let may_be_polled =
            matches!(self.what, What::Pipe | What::Stream | What::Datagrams | What::Eventfd);
        let is_polled = may_be_polled && random.below(4) == 0;
        let ops: Vec<_> = match self.what {
            _ if is_polled => (0..count).map(|_| poll()).collect(),
            What::Pipe | What::Eventfd => (0..count).map(|_| read()).collect(),
            What::File => {
                (0..count).map(|_| Any::new(op::read(fd(), vec![0; MESSAGE]).at(0))).collect()
            }
            What::Stream | What::EndingStream | What::Datagrams => {
                (0..count).map(|_| receive()).collect()
            }
            What::FullPipe => {
                (0..count).map(|_| Any::new(op::write(fd(), vec![0; MESSAGE]))).collect()
            }
            What::FullStream => (0..count).flat_map(|_| [receive(), write()]).collect(),
        };
        self.is_polled = is_polled;
        self.messages = if is_polled { 1 } else { count };
        self.is_spent = matches!(self.what, What::FullPipe | What::FullStream | What::EndingStream);
        ops
    }

    /// The steps, in any order, after which the operations complete.
    pub fn make_ready(&self) -> Vec<Box<dyn FnOnce() + Send>> {
        let send = || -> Box<dyn FnOnce() + Send> {
            let theirs = Arc::clone(self.theirs());
            Box::new(move || {
                let sent = rustix::io::write(&theirs, &1_u64.to_ne_bytes());
                assert_eq!(sent, Ok(MESSAGE));
            })
        };
        let theirs = Arc::clone(self.theirs());
        match self.what {
            What::File => Vec::new(),
            What::Pipe | What::Stream | What::Datagrams | What::Eventfd => {
                (0..self.messages).map(|_| send()).collect()
            }
            What::EndingStream => vec![Box::new(move || {
                SockRef::from(&*theirs).shutdown(std::net::Shutdown::Write).unwrap();
            })],
            What::FullPipe => vec![Box::new(move || {
                rustix::io::read(&theirs, &mut vec![0; 1 << 20]).unwrap();
            })],
            What::FullStream => {
                let drain = move || {
                    let mut room = vec![std::mem::MaybeUninit::uninit(); 4096];
                    let socket = SockRef::from(&*theirs);
                    // The other end may be closed by then.
                    let mut receive = || socket.recv_with_flags(&mut room, libc::MSG_DONTWAIT);
                    while receive().is_ok_and(|n| n > 0) {}
                };
                let mut steps: Vec<_> = (0..self.messages).map(|_| send()).collect();
                steps.push(Box::new(drain));
                steps
            }
        }
    }

    /// Holds an operation to what it was to yield.
    pub fn check(&self, value: &Value) {
        let is_right = match (self.what, value) {
            (What::EndingStream, Value::Count(count)) => *count == 0,
            (_, Value::Count(count)) => *count == MESSAGE,
            (_, Value::Events(events)) => self.is_polled && events.contains(Events::READABLE),
            _ => false,
        };
        assert!(is_right, "{value:?} of {self:?}");
    }

    /// Takes what the operations only looked at.
    pub fn clean_up(&mut self) {
        if self.is_polled {
            let taken = rustix::io::read(self.ours().as_fd(), &mut [0; MESSAGE]);
            assert_eq!(taken, Ok(MESSAGE));
        }
    }
}
