//! What promises are kept with: pairs of sockets, files, queues, and ways to look at results.

use std::cell::Cell;
use std::error::Error;
use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::ops::{Deref, DerefMut};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use corio_aio::{self as aio, Cause, Closing, Dynamic, Options, op};
use tempfile::TempDir;

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

    /// Two connected Unix sockets.
    pub fn unix(&self) -> (UnixStream, UnixStream) {
        UnixStream::pair().expect("a pair of sockets")
    }

    /// Two connected TCP sockets.
    pub fn tcp(&self) -> (TcpStream, TcpStream) {
        let listener = self.listener();
        let address = listener.local_addr().expect("a bound listener");
        let client = TcpStream::connect(address).expect("a connection");
        (client, listener.accept().expect("a connection").0)
    }

    /// A TCP listener on a port of its own.
    pub fn listener(&self) -> TcpListener {
        TcpListener::bind("127.0.0.1:0").expect("a free port")
    }

    /// A handle that was closed by an operation.
    pub fn closed(&self) -> Closing {
        let closing = Closing::new(self.unix().0);
        aio::single(op::close(&closing)).expect("an open handle closes");
        closing
    }

    /// The directory of the promise.
    pub fn dir(&mut self) -> &Path {
        self.dir.get_or_insert_with(|| TempDir::new().expect("a directory")).path()
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
pub fn code<T: Debug>(result: Result<T, aio::Error>) -> i32 {
    match cause(result) {
        Cause::Os(code) => code,
        other => panic!("{other:?} is no code of the OS"),
    }
}

/// Sends all of `bytes`, as the peer of an operation does.
pub fn give(mut socket: &UnixStream, bytes: &[u8]) {
    socket.write_all(bytes).expect("a peer that listens");
}
