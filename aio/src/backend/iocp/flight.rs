//! What the system works on: a record for each operation, which stays in place for as long as the
//! system has its address.

use std::cell::Cell;
use std::mem;
use std::os::windows::io::OwnedHandle;
use std::ptr::{self, NonNull};

use windows_sys::Win32::Foundation::STATUS_PENDING;
use windows_sys::Win32::Networking::WinSock::WSABUF;
use windows_sys::Win32::System::IO::OVERLAPPED;

use super::own::OwnCall;
use super::wait::Wait;
use crate::handle::{OwnedSocket, RawHandle};
use crate::key::Key;
use crate::op::RawOp;

/// How the end of an operation becomes known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Course {
    /// Not at all yet: it waits for its turn on a file's position.
    Queued,
    /// By a completion routine, which runs in this thread.
    Routine,
    /// By an event that a wait of the system's is registered for.
    Event,
    /// By a packet at the port, to which the poller of sockets belongs.
    Poll,
    /// By a wait for the handle itself: of a process, or of a console.
    Object,
    /// By a count that goes up.
    Count,
    /// By a thread that makes a call.
    Thread,
    /// By a thread that makes a call which may wait for ever.
    OwnThread,
}

/// What an operation has beside its numbers while it is in flight.
#[derive(Default)]
pub enum Luggage {
    /// Nothing.
    #[default]
    None,
    /// The socket that an accept is going to be.
    Socket(OwnedSocket),
    /// The bytes of several buffers.
    Bytes(Vec<u8>),
    /// Where the buffers of a message are, which the system may look up as long as it works on it.
    Buffers { _list: Vec<WSABUF> },
}

/// What the driver knows of an operation. The system knows nothing of this.
pub struct Book {
    /// [`Key::NONE`] once it is answered.
    pub key: Key,
    pub op: RawOp,
    pub course: Course,
    /// How much of it has been moved before.
    pub moved: u32,
    /// Where in the file it began, if that is the file's own position.
    pub position: Option<u64>,
    /// Somebody has asked it to stop.
    pub is_asked: bool,
    /// The socket's receiving side was shut down.
    pub is_shut: bool,
    pub luggage: Luggage,
    /// What the system sets when it is done, where it has to; kept for the next operation.
    pub event: Option<OwnedHandle>,
    pub wait: Option<Wait>,
    pub call: Option<OwnCall>,
}

/// Room for what the system reads and writes beside the buffers: addresses, the header of a
/// message, or a question to the poller.
pub type Room = [u64; 40];

/// What the system has the address of, and the book.
///
/// The system, and the completion routine in its name, write to all of it but the book; the driver
/// reads that when they are done.
#[repr(C)]
struct Flight {
    /// First, so that its address is that of the flight.
    overlapped: OVERLAPPED,
    room: Room,
    flags: u32,
    /// What the completion routine was told.
    landing: Landing,
    landings: NonNull<Landings>,
    /// Whether the system may still use this.
    is_aloft: bool,
    index: usize,
    book: Book,
}

#[derive(Clone, Copy, Debug)]
pub struct Landing {
    /// The code of what went wrong, or 0.
    pub code: u32,
    /// How many bytes were moved.
    pub bytes: u32,
}

/// The flights of which the completion routine has run, the oldest first: a list of indices.
struct Landings(Cell<Vec<usize>>);

/// The flights of a ring. Their memory stays in place until all are done and the ring is gone.
pub struct Flights {
    all: Vec<NonNull<Flight>>,
    /// Those that nobody uses.
    spare: Vec<usize>,
    /// By slot of their keys; [`NOWHERE`] where there is none.
    by_slot: Vec<usize>,
    /// How many the system may still use.
    aloft: usize,
    /// How many of those are answered already.
    answered: usize,
    landings: NonNull<Landings>,
}

const NOWHERE: usize = usize::MAX;

impl Flights {
    pub fn new() -> Flights {
        let landings = Box::leak(Box::new(Landings(Cell::default())));
        Flights {
            all: Vec::new(),
            spare: Vec::new(),
            by_slot: Vec::new(),
            aloft: 0,
            answered: 0,
            landings: NonNull::from(landings),
        }
    }

    /// Takes an operation on board; yields its index.
    pub fn board(&mut self, key: Key, op: &RawOp, course: Course) -> usize {
        let index = self.spare.pop().unwrap_or_else(|| self.add());
        let (moved, position, luggage) = (0, None, Luggage::None);
        let (is_asked, is_shut, op) = (false, false, *op);
        let book = self.book(index);
        let (event, wait, call) = (book.event.take(), None, None);
        *book = Book {
            key,
            op,
            course,
            moved,
            position,
            is_asked,
            is_shut,
            luggage,
            event,
            wait,
            call,
        };
        if key.slot() >= self.by_slot.len() {
            self.by_slot.resize(key.slot() + 1, NOWHERE);
        }
        self.by_slot[key.slot()] = index;
        index
    }

    fn add(&mut self) -> usize {
        let index = self.all.len();
        let flight = Flight {
            // SAFETY: it is made of numbers and a handle, which may be zero.
            overlapped: unsafe { mem::zeroed() },
            room: [0; 40],
            flags: 0,
            landing: Landing { code: 0, bytes: 0 },
            landings: self.landings,
            is_aloft: false,
            index,
            book: Book {
                key: Key::NONE,
                op: RawOp::Nop,
                course: Course::Queued,
                moved: 0,
                position: None,
                is_asked: false,
                is_shut: false,
                luggage: Luggage::None,
                event: None,
                wait: None,
                call: None,
            },
        };
        self.all.push(NonNull::from(Box::leak(Box::new(flight))));
        index
    }

    /// The index of an operation that is not answered.
    pub fn find(&self, key: Key) -> Option<usize> {
        let index = *self.by_slot.get(key.slot())?;
        let flight = self.all.get(index)?.as_ptr();
        // SAFETY: it is in place as long as `self`, and only `self` writes to its book.
        (unsafe { (*flight).book.key } == key).then_some(index)
    }

    /// The books on all operations that are not answered.
    pub fn books(&self) -> impl Iterator<Item = &Book> {
        // SAFETY: as for `book`, and nobody changes one as long as `self` is borrowed.
        let books = self.all.iter().map(|flight| unsafe { &(*flight.as_ptr()).book });
        books.filter(|book| book.key != Key::NONE)
    }

    /// The book on an operation.
    pub fn book(&mut self, index: usize) -> &mut Book {
        let flight = self.all[index].as_ptr();
        // SAFETY: it is in place as long as `self`; and of a flight the system uses all but this.
        unsafe { &mut (*flight).book }
    }

    /// What the system is given the address of.
    pub fn overlapped(&self, index: usize) -> *mut OVERLAPPED {
        self.all[index].as_ptr().cast()
    }

    /// Room for what the system reads and writes.
    pub fn room(&self, index: usize) -> *mut Room {
        // SAFETY: it stays within the flight, and nothing is read.
        unsafe { &raw mut (*self.all[index].as_ptr()).room }
    }

    /// Room for flags that the system reads and writes.
    pub fn flags(&self, index: usize) -> *mut u32 {
        // SAFETY: it stays within the flight, and nothing is read.
        unsafe { &raw mut (*self.all[index].as_ptr()).flags }
    }

    /// Makes a flight ready to be given to the system, which is to start at this offset of a file.
    ///
    /// # Panics
    ///
    /// If the system has it.
    pub fn prepare(&mut self, index: usize, offset: u64, event: *mut std::ffi::c_void) {
        let flight = self.all[index].as_ptr();
        // SAFETY: it is in place as long as `self`; the system does not have it, as is asserted.
        let flight = unsafe { &mut *flight };
        assert!(!flight.is_aloft, "the system has it");
        // SAFETY: as where it was made.
        flight.overlapped = unsafe { mem::zeroed() };
        flight.overlapped.Internal = STATUS_PENDING as usize;
        flight.overlapped.Anonymous.Anonymous.Offset = offset as u32;
        flight.overlapped.Anonymous.Anonymous.OffsetHigh = (offset >> 32) as u32;
        flight.overlapped.hEvent = event;
    }

    /// Notes that the system has a flight, until [`land`](Flights::land) says otherwise.
    pub fn take_off(&mut self, index: usize) {
        let flight = self.all[index].as_ptr();
        // SAFETY: it is in place as long as `self`, and the system knows nothing of this.
        unsafe { (*flight).is_aloft = true };
        self.aloft += 1;
    }

    /// Notes that the system is done with a flight; says whether its operation is not answered
    /// yet.
    pub fn land(&mut self, index: usize) -> bool {
        let flight = self.all[index].as_ptr();
        // SAFETY: as above.
        unsafe { (*flight).is_aloft = false };
        self.aloft -= 1;
        let is_answered = self.book(index).key == Key::NONE;
        if is_answered {
            self.answered -= 1;
            self.spare.push(index);
        }
        !is_answered
    }

    /// Whether there is an operation that is not answered, or a flight that the system has.
    pub fn is_any(&self) -> bool {
        self.aloft > 0 || self.spare.len() < self.all.len()
    }

    /// Whether the system, or a thread of its own, still has an operation.
    pub fn is_at_work(&self) -> bool {
        self.aloft > 0 || self.books().any(|book| book.course == Course::OwnThread)
    }

    /// How many flights the system has.
    pub fn aloft(&self) -> usize {
        self.aloft
    }

    /// How many of those are answered already: the completion routine still has to say it again.
    pub fn answered(&self) -> usize {
        self.answered
    }

    /// What the system has said of a flight: the status, and how many bytes were moved.
    pub fn status(&self, index: usize) -> (i32, u32) {
        // SAFETY: it is in place as long as `self`.
        unsafe { status_of(self.overlapped(index)) }
    }

    /// What its completion routine was told.
    pub fn landing(&self, index: usize) -> Landing {
        // SAFETY: it is in place as long as `self`, and routines run in this thread only, which is
        // here.
        unsafe { (*self.all[index].as_ptr()).landing }
    }

    /// The flight that the system names by this address.
    ///
    /// # Safety
    ///
    /// It was given the address, and has just given it back.
    pub unsafe fn index_of(&self, overlapped: *mut OVERLAPPED) -> usize {
        // SAFETY: flights are in place as long as `self`.
        unsafe { (*overlapped.cast::<Flight>()).index }
    }

    /// Whether there are some whose completion routine has run.
    pub fn has_landed(&self) -> bool {
        let landed = self.take_landed();
        let is_any = !landed.is_empty();
        // SAFETY: as below.
        unsafe { self.landings.as_ref() }.0.set(landed);
        is_any
    }

    /// Takes the list of those whose completion routine has run.
    pub fn take_landed(&self) -> Vec<usize> {
        // SAFETY: it is in place as long as `self`; routines run in this thread only.
        unsafe { self.landings.as_ref() }.0.take()
    }

    /// Gives the list back, so that its memory is used again.
    pub fn give_back(&self, mut list: Vec<usize>) {
        list.clear();
        // SAFETY: as above.
        let landings = unsafe { self.landings.as_ref() };
        let newer = landings.0.take();
        landings.0.set(if newer.is_empty() { list } else { newer });
    }

    /// Forgets the key of an operation that is answered; its flight may stay aloft.
    pub fn answer(&mut self, index: usize) {
        let flight = self.all[index].as_ptr();
        let book = self.book(index);
        (book.luggage, book.wait, book.call) = (Luggage::None, None, None);
        let key = mem::replace(&mut book.key, Key::NONE);
        self.by_slot[key.slot()] = NOWHERE;
        // SAFETY: as for `take_off`.
        match unsafe { (*flight).is_aloft } {
            true => self.answered += 1,
            false => self.spare.push(index),
        }
    }

    /// The keys of those that work on `fd`.
    pub fn users_of(&self, fd: RawHandle, keys: &mut Vec<Key>) {
        let users = self.books().filter(|book| book.op.descriptor() == Some(fd));
        keys.extend(users.map(|book| book.key));
    }
}

impl Drop for Flights {
    /// What the system still has is not freed.
    fn drop(&mut self) {
        if self.aloft > 0 {
            return;
        }
        for flight in self.all.drain(..) {
            // SAFETY: it was made by `add`, and nobody has it any more.
            drop(unsafe { Box::from_raw(flight.as_ptr()) });
        }
        // SAFETY: it was made by `new`; there is no flight that names it any more.
        drop(unsafe { Box::from_raw(self.landings.as_ptr()) });
    }
}

/// The status that the system has written, and how many bytes were moved.
///
/// # Safety
///
/// It is in place; the system may write to it at the same time.
pub unsafe fn status_of(overlapped: *const OVERLAPPED) -> (i32, u32) {
    // Its first two numbers.
    let status = overlapped.cast::<usize>();
    let bytes = status.wrapping_add(1);
    // SAFETY: passed on. It is read as what can change at any time.
    let status = unsafe { ptr::read_volatile(status) };
    // SAFETY: as above.
    let bytes = unsafe { ptr::read_volatile(bytes) };
    (status as i32, bytes as u32)
}

/// Notes what the system says of a flight.
///
/// # Safety
///
/// The address is that of a flight that was aloft, in the thread that started it.
unsafe fn note(overlapped: *mut OVERLAPPED, code: u32, bytes: u32) {
    let flight = overlapped.cast::<Flight>();
    // SAFETY: a flight that is aloft is in place, and the driver does not read this meanwhile: it
    // is in this thread too, in the call that has led here.
    unsafe { (*flight).landing = Landing { code, bytes } };
    // SAFETY: as above.
    let index = unsafe { (*flight).index };
    // SAFETY: as above.
    let landings = unsafe { (*flight).landings };
    // SAFETY: the list is in place as long as there is a flight.
    let landings = unsafe { landings.as_ref() };
    let mut list = landings.0.take();
    list.push(index);
    landings.0.set(list);
}

/// The completion routine of sockets.
///
/// # Safety
///
/// The system calls it, for a flight that it was given.
pub unsafe extern "system" fn socket_done(
    code: u32,
    bytes: u32,
    overlapped: *mut OVERLAPPED,
    _: u32,
) {
    // SAFETY: passed on.
    unsafe { note(overlapped, code, bytes) };
}

/// The completion routine of files.
///
/// # Safety
///
/// The system calls it, for a flight that it was given.
pub unsafe extern "system" fn file_done(code: u32, bytes: u32, overlapped: *mut OVERLAPPED) {
    // SAFETY: passed on.
    unsafe { note(overlapped, code, bytes) };
}
