//! What promises are kept with: pairs of sockets, files, queues, and ways to look at results.

use std::cell::Cell;
use std::error::Error;
use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use corio_aio::{
    self as aio, Cause, Closing, Descriptor, Dynamic, IntoDescriptor, Options, RawHandle, op,
};
use tempfile::TempDir;

use crate::system::{self, Code, Datagrams, Stream};

/// How a promise ends.
pub type Kept = Result<(), Box<dyn Error>>;

/// A promise and its name.
pub struct Promise {
    /// The name of the function.
    pub name: &'static str,
    /// Keeps it, or says why not.
    pub keep: fn(&mut Scene) -> Kept,
}

/// The table of a file's promises: each is a function.
macro_rules! promises {
    ($($name:ident),+ $(,)?) => {
        pub const PROMISES: &[$crate::scene::Promise] =
            &[$($crate::scene::Promise { name: stringify!($name), keep: $name }),+];
    };
}

pub(crate) use promises;

/// Where a promise is kept: with a directory of its own.
pub struct Scene {
    dir: Option<TempDir>,
    files: usize,
    left: Rc<Cell<usize>>,
}

impl Scene {
    /// An empty one.
    pub fn new() -> Scene {
        Scene { dir: None, files: 0, left: Rc::default() }
    }

    /// How many operations were left in the queues that were dropped.
    pub fn left(&self) -> usize {
        self.left.get()
    }

    /// A queue that must be empty at its end.
    pub fn queue(&self, capacity: usize) -> Watched {
        self.queue_with(capacity, Options::default())
    }

    /// A queue that must be empty at its end, with options of its own.
    pub fn queue_with(&self, capacity: usize, options: Options) -> Watched {
        let queue = Dynamic::with_options(capacity, options).expect("a queue");
        Watched { queue, left: Rc::clone(&self.left) }
    }

    /// Two connected sockets of a stream: those of the system that are the fastest.
    pub fn pair(&self) -> (Stream, Stream) {
        system::pair()
    }

    /// A connected socket whose peer is gone: who sends learns it at once.
    pub fn alone(&self) -> Stream {
        system::alone()
    }

    /// Two connected TCP sockets.
    pub fn tcp(&self) -> (TcpStream, TcpStream) {
        system::tcp()
    }

    /// A TCP socket whose peer resets the connection: it closes its side before it has read all.
    pub fn reset(&self) -> TcpStream {
        let (mut ours, mut theirs) = self.tcp();
        ours.write_all(b"ab").expect("a peer");
        theirs.read_exact(&mut [0]).expect("the first byte");
        ours
    }

    /// Two connected sockets of datagrams.
    pub fn datagrams(&self) -> (Datagrams, Datagrams) {
        system::datagrams()
    }

    /// A TCP listener on a port of its own.
    pub fn listener(&self) -> TcpListener {
        TcpListener::bind("127.0.0.1:0").expect("a free port")
    }

    /// A handle that was closed by an operation.
    pub fn closed(&mut self) -> Closing {
        let closing = Closing::new(self.file(b""));
        aio::single(op::close(&closing)).expect("an open handle closes");
        closing
    }

    /// The directory of the promise.
    pub fn dir(&mut self) -> &Path {
        self.dir.get_or_insert_with(|| TempDir::new().expect("a directory")).path()
    }

    /// That directory, open.
    pub fn open_dir(&mut self) -> File {
        system::open_dir(self.dir())
    }

    /// The path of a new file.
    pub fn path(&mut self) -> PathBuf {
        self.files += 1;
        let name = format!("file-{}", self.files);
        self.dir().join(name)
    }

    /// A new file, open for reading and writing, at its start.
    pub fn file(&mut self, contents: &[u8]) -> File {
        let path = self.path();
        fs::write(&path, contents).expect("room for a file");
        OpenOptions::new().read(true).write(true).open(path).expect("a file of ours")
    }

    /// A file that can be read only.
    pub fn read_only(&mut self) -> File {
        let path = self.path();
        fs::write(&path, "contents").expect("room for a file");
        File::open(path).expect("a file of ours")
    }

    /// A file that can be written only.
    pub fn write_only(&mut self) -> File {
        let path = self.path();
        fs::write(&path, "contents").expect("room for a file");
        writer(path)
    }
}

/// A queue that tells its scene how many operations are left in it.
pub struct Watched {
    queue: Dynamic,
    left: Rc<Cell<usize>>,
}

impl Deref for Watched {
    type Target = Dynamic;

    fn deref(&self) -> &Dynamic {
        &self.queue
    }
}

impl DerefMut for Watched {
    fn deref_mut(&mut self) -> &mut Dynamic {
        &mut self.queue
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.left.set(self.left.get() + self.queue.len());
    }
}

/// A file or device, opened for writing.
pub fn writer(path: impl AsRef<Path>) -> File {
    OpenOptions::new().write(true).open(path).expect("a file to write to")
}

/// The cause of a failure.
pub fn cause<T: Debug>(result: Result<T, aio::Error>) -> Cause {
    result.expect_err("it fails").cause()
}

/// The code of the OS in a failure.
pub fn code<T: Debug>(result: Result<T, aio::Error>) -> Code {
    code_in(cause(result))
}

/// The code of the OS in a cause.
pub fn code_in(cause: Cause) -> Code {
    match cause {
        Cause::Os(code) => Code::one_of(&[code]),
        other => panic!("{other:?} is no code of the OS"),
    }
}

/// What the system calls an open file or socket.
pub fn raw<'a, T>(descriptor: &'a T) -> RawHandle
where
    &'a T: IntoDescriptor,
{
    descriptor.into_descriptor().raw()
}

/// Whether a program that this one starts is not given it.
pub fn closes_on_exec(descriptor: impl IntoDescriptor) -> bool {
    let descriptor = descriptor.into_descriptor();
    system::closes_on_exec(descriptor.raw())
}

/// Sends all of `bytes`, as the peer of an operation does.
pub fn give(mut socket: &Stream, bytes: &[u8]) {
    socket.write_all(bytes).expect("a peer that listens");
}

/// Fills what lies between two sockets: it is full if it stays so, for the receiver's side may take
/// more for a while.
pub fn stuff<S>(mut socket: &S, set_nonblocking: fn(&S, bool) -> io::Result<()>) -> io::Result<()>
where
    for<'a> &'a S: Write,
{
    set_nonblocking(socket, true)?;
    let mut refused = 0u64;
    while refused < 5 {
        match socket.write(&[0; 1 << 16]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => refused += 1,
            result => refused = u64::from(result? == 0),
        }
        thread::sleep(Duration::from_millis(refused * 5));
    }
    set_nonblocking(socket, false)
}
