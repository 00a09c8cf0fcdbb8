//! Windows.

#[path = "windows_names.rs"]
pub mod c;
#[path = "windows_port.rs"]
mod port;

pub use port::{Packet, Port};

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::AsRawHandle;
use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use super::ChildState;

/// How the length of a control message is written.
pub type ControlLen = usize;

/// What stands before the data of a control message: its length with this, level and kind.
pub const CONTROL_HEADER: usize = size_of::<ControlLen>() + 2 * size_of::<i32>();

/// The next control message starts at a multiple of this.
pub const CONTROL_ALIGNMENT: usize = size_of::<usize>();

/// Why no lock here is ever poisoned.
const NO_PANIC: &str = "nothing panics while it holds the lock";

/// A count that threads and operations wait on.
///
/// The system has no semaphore that a completion port can wait on, so the count is kept here, and
/// whoever adds to it posts a packet to the port of each operation that it lets go on.
#[derive(Debug)]
pub struct CountedEvent {
    state: Mutex<Count>,
    /// The count is above zero.
    is_up: Condvar,
}

/// While the count is above zero, nobody waits.
#[derive(Debug)]
struct Count {
    count: u64,
    /// Operations that wait, the oldest first.
    waiters: VecDeque<Waiter>,
}

/// An operation that waits.
#[derive(Debug)]
struct Waiter {
    port: Arc<Port>,
    packet: Packet,
}

impl CountedEvent {
    /// How many bytes stand for one, where bytes do.
    pub const UNIT: u32 = 8;

    pub fn new() -> io::Result<CountedEvent> {
        let state = Mutex::new(Count { count: 0, waiters: VecDeque::new() });
        Ok(CountedEvent { state, is_up: Condvar::new() })
    }

    fn lock(&self) -> MutexGuard<'_, Count> {
        self.state.lock().expect(NO_PANIC)
    }

    /// Adds `number`.
    pub fn notify_many(&self, number: u64) -> io::Result<()> {
        let mut state = self.lock();
        let mut left = number;
        while left > 0
            && let Some(waiter) = state.waiters.pop_front()
        {
            waiter.port.post(waiter.packet);
            left -= 1;
        }
        state.count = state.count.saturating_add(left);
        drop(state);
        match left {
            0 => {}
            1 => self.is_up.notify_one(),
            _ => self.is_up.notify_all(),
        }
        Ok(())
    }

    /// Blocks the thread until the count is above zero, and takes one off.
    pub fn wait(&self) -> io::Result<()> {
        let state = self.is_up.wait_while(self.lock(), |state| state.count == 0);
        state.expect(NO_PANIC).count -= 1;
        Ok(())
    }

    /// Nothing is read from to take one off the count.
    pub fn reader(&self) -> Option<i32> {
        None
    }

    /// Nothing is written to to add one.
    pub fn writer(&self) -> Option<i32> {
        None
    }

    /// Takes one off the count: at once, which true says, or else when it is above zero, which
    /// `packet` at `port` is going to say.
    pub fn take_through(&self, port: &Arc<Port>, packet: Packet) -> bool {
        let mut state = self.lock();
        if state.count > 0 {
            state.count -= 1;
            return true;
        }
        state.waiters.push_back(Waiter { port: Arc::clone(port), packet });
        false
    }

    /// Does not wait for `packet` any more; false if it has been posted.
    pub fn give_up(&self, packet: Packet) -> bool {
        let mut state = self.lock();
        let found = state.waiters.iter().position(|waiter| waiter.packet == packet);
        found.and_then(|position| state.waiters.remove(position)).is_some()
    }
}

/// What ends a wait from any thread: a packet at a completion port of its own, which a backend can
/// use for everything else.
#[derive(Debug)]
pub struct Signal {
    port: Arc<Port>,
    is_set: AtomicBool,
}

impl Signal {
    pub fn new() -> io::Result<Signal> {
        Ok(Signal { port: Arc::new(Port::new()?), is_set: AtomicBool::new(false) })
    }

    pub fn set(&self) {
        if !self.is_set.swap(true, Ordering::AcqRel) {
            self.port.post(Packet::SIGNAL);
        }
    }

    /// Takes the signal back; says whether it was set. Its packet stays at the port.
    pub fn clear(&self) -> bool {
        self.is_set.swap(false, Ordering::AcqRel)
    }

    /// Blocks the thread until it is set, or was set since this was last called. What else is at
    /// the port is lost.
    pub fn wait(&self) {
        while !self.is_set.load(Ordering::Acquire) {
            self.port.wait_for_one();
        }
    }

    /// The completion port.
    pub fn raw(&self) -> Option<i32> {
        Some(self.port.raw())
    }

    /// The completion port.
    pub fn port(&self) -> &Arc<Port> {
        &self.port
    }
}

/// What a child is called: its handle, which it keeps open.
#[derive(Debug)]
pub struct ChildName(i32);

impl ChildName {
    /// Names a child that was not waited for.
    pub fn new(child: &Child) -> io::Result<ChildName> {
        Ok(ChildName(child.as_raw_handle() as usize as i32))
    }

    /// The name, in lowered form.
    pub fn raw(&self) -> i32 {
        self.0
    }
}

/// What the system says of a process: nothing, as no operation asks for it here.
#[derive(Debug)]
pub struct ChildInfo(c::siginfo_t);

impl ChildInfo {
    pub fn new() -> ChildInfo {
        ChildInfo(c::siginfo_t {})
    }

    /// Where the system writes it.
    pub fn as_mut_ptr(&mut self) -> *mut c::siginfo_t {
        &raw mut self.0
    }

    /// The number of the process.
    pub fn pid(&self) -> u32 {
        0
    }

    /// What became of it.
    pub fn state(&self) -> ChildState {
        ChildState::Exited(ExitStatus::default())
    }
}

/// What a path is made of.
pub type PathUnit = u16;

/// A path as the system takes it.
#[derive(Debug)]
pub struct SystemPath(Vec<u16>);

/// The path of a place where nothing is.
static NOWHERE: [u16; 8] =
    [b'n' as u16, b'o' as u16, b'w' as u16, b'h' as u16, b'e' as u16, b'r' as u16, b'e' as u16, 0];

impl SystemPath {
    /// The path of a place where nothing is.
    pub const NOWHERE: *const u16 = (&raw const NOWHERE).cast();

    /// Encodes `path`; `None` if it holds a NUL.
    pub fn new(path: &OsStr) -> Option<SystemPath> {
        let mut units: Vec<u16> = path.encode_wide().collect();
        if units.contains(&0) {
            return None;
        }
        units.push(0);
        Some(SystemPath(units))
    }

    /// How long it is, in the units of [`c::PATH_MAX`], without its end.
    pub fn len(&self) -> usize {
        self.0.len() - 1
    }

    /// Its lowered form.
    pub fn as_ptr(&self) -> *const u16 {
        self.0.as_ptr()
    }
}

impl Default for SystemPath {
    fn default() -> SystemPath {
        SystemPath(vec![0])
    }
}

/// There are no forks to be watched for.
///
/// # Safety
///
/// None here.
pub unsafe fn watch_forks(_: unsafe extern "C" fn()) {}

/// Calls `f`: there are no signals.
pub fn without_signals<R>(f: impl FnOnce() -> R) -> R {
    f()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: Packet = Packet::of(7, 1, 2);

    #[test]
    fn what_is_added_goes_to_who_waits_and_then_to_the_count() {
        let (event, port) = (CountedEvent::new().unwrap(), Arc::new(Port::new().unwrap()));
        assert!(!event.take_through(&port, PACKET));
        event.notify_many(3).unwrap();
        assert_eq!(port.wait_for_one(), Some(PACKET));
        assert!(event.take_through(&port, PACKET));
        event.wait().unwrap();
        assert!(!event.take_through(&port, PACKET));
        assert!(event.give_up(PACKET));
        assert!(!event.give_up(PACKET));
    }

    #[test]
    fn a_signal_is_told_once() {
        let signal = Signal::new().unwrap();
        signal.set();
        signal.set();
        signal.wait();
        assert!(signal.clear());
        assert!(!signal.clear());
        assert_eq!(signal.port.wait_for_one(), Some(Packet::SIGNAL));
    }

    #[test]
    fn a_path_ends_with_a_nul_and_holds_none() {
        let path = SystemPath::new(OsStr::new("ab")).unwrap();
        assert_eq!((path.0.as_slice(), path.len()), ([97, 98, 0].as_slice(), 2));
        assert!(SystemPath::new(OsStr::new("a\0b")).is_none());
        assert_eq!(SystemPath::default().len(), 0);
    }
}
