//! What the programs work on: real descriptors, or those of a simulated system.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use corio::aio::op::{self, Any, Events};
use corio::aio::scripted::{Handle, World};
use corio::aio::{Closing, EventSource, IntoClosable, IntoDescriptor};

use super::program::{Action, CHANNELS, FILE, How, Object, PIPE};

/// What the file of a program holds at first.
const CONTENTS: &[u8] = b"0123456789abcdef";

/// The objects of one program, by their place in [`Object::ALL`].
pub struct Scene<H> {
    pub handles: Vec<H>,
    /// Where it is one of the OS, whose operations are its own.
    pub source: Option<EventSource>,
}

/// The last words of a channel: the bytes that are left in it, and the code of the error after
/// them (0 for an end).
pub type Rest = (Vec<u8>, i32);

impl<H> Scene<H>
where
    for<'a> &'a H: IntoDescriptor + IntoClosable,
{
    /// The operation of an action. What moves, moves through `bytes`.
    pub fn op<'a>(&'a self, action: Action, bytes: &'a mut [u8]) -> Any<'a> {
        let handle = |object: Object| &self.handles[object as usize];
        let ms = std::time::Duration::from_millis;
        match action {
            Action::Nop => Any::new(op::nop()),
            Action::Send { to, .. } => Any::new(op::send(handle(to), &*bytes)),
            Action::Recv { from, how, .. } => {
                let recv = op::recv(handle(from), bytes);
                Any::new(match how {
                    How::Some => recv,
                    How::All => recv.wait_all(),
                    How::Peek => recv.peek(),
                })
            }
            Action::Read { from, at: None, .. } => Any::new(op::read(handle(from), bytes)),
            Action::Read { from, at: Some(at), .. } => {
                Any::new(op::read(handle(from), bytes).at(at))
            }
            Action::Write { to, at: None, .. } => Any::new(op::write(handle(to), &*bytes)),
            Action::Write { to, at: Some(at), .. } => {
                Any::new(op::write(handle(to), &*bytes).at(at))
            }
            Action::Fsync { file } => Any::new(op::fsync(handle(file))),
            Action::Poll { object, is_for_writing } => {
                let events = if is_for_writing { Events::WRITABLE } else { Events::READABLE };
                Any::new(op::poll(handle(object), events))
            }
            Action::Shutdown { socket, how } => Any::new(op::shutdown(handle(socket), how)),
            Action::Close { object } => Any::new(op::close(handle(object))),
            Action::Notify => match &self.source {
                Some(source) => Any::new(op::notify_event_source(source)),
                None => Any::new(op::write(handle(Object::Counter), &*bytes)),
            },
            Action::Wait => match &self.source {
                Some(source) => Any::new(op::wait_event_source(source)),
                None => Any::new(op::read(handle(Object::Counter), bytes)),
            },
            Action::Timeout { ms: after } => Any::new(op::timeout(ms(after))),
            Action::LinkTimeout { ms: after } => Any::new(op::link_timeout(ms(after))),
        }
    }
}

/// The real objects that outlive a program.
pub struct Real {
    file: File,
    devices: [File; 2],
}

impl Real {
    pub fn new() -> io::Result<Real> {
        let device = |path| OpenOptions::new().read(true).write(true).open(path);
        let file = tempfile::tempfile_in("/dev/shm").or_else(|_| tempfile::tempfile())?;
        Ok(Real { file, devices: [device("/dev/null")?, device("/dev/full")?] })
    }

    /// Fresh objects.
    pub fn scene(&mut self) -> io::Result<Scene<Closing>> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(CONTENTS)?;
        self.file.rewind()?;
        let (a, b) = (UnixStream::pair()?, UnixStream::pair()?);
        let pipe = io::pipe()?;
        let source = EventSource::new()?;
        let [null, full] = &self.devices;
        let handles = vec![
            Closing::new(a.0),
            Closing::new(a.1),
            Closing::new(b.0),
            Closing::new(b.1),
            Closing::new(pipe.0),
            Closing::new(pipe.1),
            Closing::new(self.file.try_clone()?),
            Closing::new(null.try_clone()?),
            Closing::new(full.try_clone()?),
            Closing::new(std::os::fd::AsFd::as_fd(&source).try_clone_to_owned()?),
        ];
        Ok(Scene { handles, source: Some(source) })
    }

    /// What a program left in its channels.
    pub fn rest(&mut self, scene: Scene<Closing>) -> io::Result<Vec<Rest>> {
        let mut handles: Vec<Option<OwnedFd>> =
            scene.handles.into_iter().map(Closing::into_inner).collect();
        let mut rest = vec![Rest::default(); CHANNELS];
        let mut sockets = Vec::new();
        for object in [Object::A0, Object::A1, Object::B0, Object::B1] {
            let Some(socket) = handles[object as usize].take() else { continue };
            let mut socket = UnixStream::from(socket);
            socket.set_nonblocking(true)?;
            let (from, _) = object.channels();
            rest[from.expect("sockets take")] = drain(&mut socket);
            sockets.push(socket);
        }
        // Without its writer it can be read to its end.
        drop(handles[Object::PipeWriter as usize].take());
        if let Some(reader) = handles[Object::PipeReader as usize].take() {
            rest[PIPE] = drain(&mut File::from(reader));
        }
        self.file.rewind()?;
        rest[FILE] = drain(&mut self.file);
        Ok(rest)
    }
}

fn drain(from: &mut impl Read) -> Rest {
    let mut bytes = Vec::new();
    let end = from.read_to_end(&mut bytes).err();
    (bytes, end.map_or(0, |error| error.raw_os_error().unwrap_or(-1)))
}

/// Fresh objects of a simulated system, and one more descriptor of the file.
pub fn simulated(world: &World) -> (Scene<Handle>, Handle) {
    let (a, b, pipe) = (world.pair(), world.pair(), world.pipe());
    let file = world.file(CONTENTS);
    let handles = vec![
        a.0,
        a.1,
        b.0,
        b.1,
        pipe.0,
        pipe.1,
        world.duplicate(&file),
        world.null(),
        world.full(),
        world.counter(),
    ];
    (Scene { handles, source: None }, file)
}

/// What a program left in simulated channels.
pub fn simulated_rest(world: &World, scene: Scene<Handle>, file: &Handle) -> Vec<Rest> {
    let mut handles: Vec<Option<Handle>> = scene.handles.into_iter().map(Some).collect();
    let mut rest = vec![Rest::default(); CHANNELS];
    for object in [Object::A0, Object::A1, Object::B0, Object::B1, Object::PipeReader] {
        if object == Object::PipeReader {
            handles[Object::PipeWriter as usize] = None;
        }
        let Some(handle) = &handles[object as usize] else { continue };
        if handle.is_open() {
            let (from, _) = object.channels();
            rest[from.expect("these take")] = drain(&mut Simulated { world, handle });
        }
    }
    rest[FILE] = (world.contents(file).expect("a file of our own"), 0);
    rest
}

/// A simulated object, read without waiting.
struct Simulated<'a> {
    world: &'a World,
    handle: &'a Handle,
}

impl Read for Simulated<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.world.at_once(op::read(self.handle, buf)) {
            Some(result) => result.map_err(io::Error::from),
            None => Err(io::Error::from_raw_os_error(libc::EAGAIN)),
        }
    }
}
