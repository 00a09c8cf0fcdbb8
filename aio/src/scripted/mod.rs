//! A simulated system for tests: operations complete in the order, with the faults and at the
//! virtual time that a test says.
//!
//! A [`World`] holds connections, pipes, files and counters that exist in memory only. Rings that
//! run on it make no system call, and time passes in it when nothing else can happen, at once.
//!
//! ```
//! use corio_aio::{Cause, op, scripted::World};
//! let world = World::new();
//! let (reader, writer) = world.pipe();
//! let mut buf = [0; 8];
//! assert!(world.at_once(op::read(&reader, &mut buf)).is_none(), "nothing is there");
//! assert_eq!(world.at_once(op::write(&writer, b"hello")), Some(Ok(5)));
//! assert_eq!(world.at_once(op::read(&reader, &mut buf)), Some(Ok(5)));
//! assert_eq!(&buf[..5], b"hello");
//! ```
//!
//! What it does not simulate answers [`Cause::Unsupported`]: operations that make a descriptor
//! (`open_at`, `socket`, `accept`), because their results are owned descriptors of the OS, and
//! those on addresses. An event source is of the OS too; a [counter](World::counter) is what one
//! is made of, and is waited for and notified by reads and writes of 8 bytes.

mod channel;
#[expect(unsafe_code, reason = "follows the pointers of operations")]
mod driver;
#[expect(unsafe_code, reason = "keeps a contract")]
mod handle;
mod object;
#[cfg(test)]
#[expect(unsafe_code, reason = "starts operations")]
mod tests;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use self::channel::Channel;
use self::object::{Contents, Ends, Object};
use crate::backend::{Backend, Custom, Emulate, Kind, Options};
use crate::error::{Cause, Error};
use crate::handle::RawHandle;
use crate::kind::OpKind;

use self::driver::Scripted;
pub use self::handle::{Handle, Lent};

/// The backend of rings that run on the world that is [installed](World::install) on their thread;
/// setting one up without that fails with [`Cause::Unsupported`].
///
/// ```
/// use corio_aio::{Dynamic, Mode, Options, op, scripted::{self, World}};
/// use std::time::Duration;
/// let world = World::new();
/// let _installed = world.install();
/// let options = Options { backend: Some(scripted::KIND), ..Options::DEFAULT };
/// let mut queue = Dynamic::with_options(16, options)?;
/// let hour = queue.queue(op::timeout(Duration::from_secs(3600)))?;
/// queue.complete(Mode::Blocking)?;
/// hour.take(&mut queue)?;
/// assert_eq!(world.now(), Duration::from_secs(3600));
/// # Ok::<(), corio_aio::Error>(())
/// ```
pub const KIND: Kind = Kind::Custom(Custom { name: "scripted", set_up });

fn set_up(options: &Options) -> Result<Box<dyn Backend>, Error> {
    let world = World::installed().ok_or(Error::of_ring(Cause::Unsupported))?;
    Ok(Box::new(Emulate::new(Scripted::new(world), options.entries)))
}

/// What an operation comes to: `None` if it would have to wait.
type Attempt = Option<Result<usize, Cause>>;

/// The first number of a descriptor: above those that an OS gives out.
const FIRST: RawHandle = 1 << 30;

/// A simulated system; its clones are the same one.
///
/// It behaves as Linux does: connections are Unix stream sockets, a pipe holds 16 pages. Faults are
/// for operations of rings, and each is met once.
#[derive(Clone, Default)]
pub struct World(Rc<RefCell<System>>);

#[derive(Default)]
struct System {
    objects: BTreeMap<RawHandle, Rc<Object>>,
    made: RawHandle,
    now: Duration,
    faults: VecDeque<(OpKind, Fault)>,
    /// The state of the generator of orders, if there is one.
    random: Option<u64>,
}

/// What an operation meets.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Fail(Cause),
    Shorten(usize),
    Delay(Duration),
}

thread_local! {
    /// The world of the rings that are set up on this thread.
    static INSTALLED: Cell<Option<World>> = const { Cell::new(None) };
}

impl World {
    /// An empty one, at time zero.
    pub fn new() -> World {
        World::default()
    }

    /// Lets what is complete at the same time be reported in an order that `seed` says, instead of
    /// the order in which it completed; and nothing as soon as it is started.
    pub fn shuffle(&self, seed: u64) {
        self.0.borrow_mut().random = Some(seed);
    }

    /// The time that has passed in it.
    pub fn now(&self) -> Duration {
        self.0.borrow().now
    }

    /// Lets the next operation of this kind that is started fail, without any effect but that a
    /// close still closes.
    pub fn fail_next(&self, kind: OpKind, cause: Cause) {
        self.0.borrow_mut().faults.push_back((kind, Fault::Fail(cause)));
    }

    /// Lets the next operation of this kind that is started move `most` bytes at most.
    pub fn shorten_next(&self, kind: OpKind, most: usize) {
        self.0.borrow_mut().faults.push_back((kind, Fault::Shorten(most)));
    }

    /// Lets the next operation of this kind that is started do nothing until `delay` has passed.
    pub fn delay_next(&self, kind: OpKind, delay: Duration) {
        self.0.borrow_mut().faults.push_back((kind, Fault::Delay(delay)));
    }

    /// Two connected stream sockets.
    pub fn pair(&self) -> (Handle, Handle) {
        let [one, other] = [(); 2].map(|()| Rc::new(RefCell::new(Channel::socket())));
        let ours = Ends { incoming: Rc::clone(&one), outgoing: Rc::clone(&other) };
        let theirs = Ends { incoming: other, outgoing: one };
        (self.hold(Object::Socket(Some(ours))), self.hold(Object::Socket(Some(theirs))))
    }

    /// A stream socket that is not connected.
    pub fn socket(&self) -> Handle {
        self.hold(Object::Socket(None))
    }

    /// The end of a pipe to read from, and the one to write to.
    pub fn pipe(&self) -> (Handle, Handle) {
        let channel = Rc::new(RefCell::new(Channel::pipe()));
        let reader = self.hold(Object::PipeReader(Rc::clone(&channel)));
        (reader, self.hold(Object::PipeWriter(channel)))
    }

    /// A file, open for reading and writing, at its start.
    pub fn file(&self, contents: &[u8]) -> Handle {
        self.hold(Object::File(RefCell::new(Contents { bytes: contents.to_vec(), position: 0 })))
    }

    /// What `/dev/null` is.
    pub fn null(&self) -> Handle {
        self.hold(Object::Null)
    }

    /// What `/dev/full` is.
    pub fn full(&self) -> Handle {
        self.hold(Object::Full)
    }

    /// What an [`EventSource`](crate::EventSource) is made of: a semaphore, at zero.
    pub fn counter(&self) -> Handle {
        self.hold(Object::Counter(Cell::new(0)))
    }

    /// Another descriptor of what `handle` names (dup(2)).
    ///
    /// # Panics
    ///
    /// If `handle` is closed.
    pub fn duplicate(&self, handle: &Handle) -> Handle {
        let object = self.object(handle.number()).expect("an open handle names an object");
        self.name(object)
    }

    /// The bytes of a file; `None` if `handle` is closed or something else.
    pub fn contents(&self, handle: &Handle) -> Option<Vec<u8>> {
        match &*self.object(handle.number())? {
            Object::File(contents) => Some(contents.borrow().bytes.clone()),
            _ => None,
        }
    }

    /// Lets rings that are set up on this thread with [`KIND`] run on this world, until what it
    /// yields is dropped.
    pub fn install(&self) -> Installed {
        Installed { before: INSTALLED.replace(Some(self.clone())) }
    }

    /// The world that is installed on this thread.
    fn installed() -> Option<World> {
        let world = INSTALLED.take();
        INSTALLED.set(world.clone());
        world
    }

    fn hold(&self, object: Object) -> Handle {
        self.name(Rc::new(object))
    }

    fn name(&self, object: Rc<Object>) -> Handle {
        let mut system = self.0.borrow_mut();
        let raw = FIRST + system.made;
        system.made += 1;
        system.objects.insert(raw, object);
        Handle::new(raw, self.clone())
    }

    fn object(&self, raw: RawHandle) -> Option<Rc<Object>> {
        self.0.borrow().objects.get(&raw).cloned()
    }

    /// Gives a number up; says whether it named something.
    fn close(&self, raw: RawHandle) -> bool {
        self.0.borrow_mut().objects.remove(&raw).is_some()
    }

    /// The fault that an operation of this kind meets.
    fn take_fault(&self, kind: OpKind) -> Option<Fault> {
        let faults = &mut self.0.borrow_mut().faults;
        let place = faults.iter().position(|(met_by, _)| *met_by == kind)?;
        faults.remove(place).map(|(_, fault)| fault)
    }

    fn is_shuffled(&self) -> bool {
        self.0.borrow().random.is_some()
    }

    /// Lets time pass.
    fn advance_to(&self, time: Duration) {
        let now = &mut self.0.borrow_mut().now;
        *now = time.max(*now);
    }

    /// A number below `bound`, which the seed says (`SplitMix64`).
    fn below(&self, bound: usize) -> usize {
        let Some(state) = &mut self.0.borrow_mut().random else { return 0 };
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("now", &self.now()).finish_non_exhaustive()
    }
}

/// That a [`World`] is installed on this thread; dropping it installs the one before again.
#[derive(Debug)]
#[must_use = "the world is installed for as long as this is held"]
pub struct Installed {
    before: Option<World>,
}

impl Drop for Installed {
    fn drop(&mut self) {
        INSTALLED.set(self.before.take());
    }
}
