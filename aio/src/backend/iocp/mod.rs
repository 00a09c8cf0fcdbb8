//! Windows: operations that go on in the background, and a completion port that is waited on.
//!
//! A file or socket can be tied to one port, for good; yet it may be used by any ring of any
//! thread. So none is: what is read, written, sent and received ends in completion routines of the
//! ring's thread, which the system runs while that waits on the ring's own port. What has no such
//! routine, or belongs to a port of somebody else's, sets an event. The port brings all the rest:
//! events, processes and consoles that a thread of the system's waits for, counts, the answers of
//! threads, wakes, and what the poller of sockets says.

pub mod calls;
mod codes;
mod conclude;
mod console;
mod file;
mod flight;
mod message;
mod now;
mod own;
mod path;
mod poll;
mod socket;
mod start;
mod stat;
mod turn;
mod wait;
mod winsock;

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::mem::{self, MaybeUninit};
use std::sync::Arc;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{ERROR_OPERATION_ABORTED, STATUS_PENDING};
use windows_sys::Win32::System::IO::OVERLAPPED_ENTRY;
use windows_sys::Win32::System::Threading::{INFINITE, SleepEx};

use self::flight::{Course, Flights};
use self::own::OwnCall;
use self::poll::Poller;
use self::turn::Turns;
use super::emulate::{Driver, Stop};
use super::threads::Threads;
use super::timeouts::Timeouts;
use super::{Answered, Options, SetUp, Traffic};
use crate::error::{Cause, Error};
use crate::handle::RawHandle;
use crate::key::Key;
use crate::kind::OpKind;
use crate::op::RawOp;
use crate::sys::{Packet, Port};
use crate::waker::Waker;

/// The packets of a port: what the poller says, what a wait has come to, and what a count has.
const POLLED: usize = 2;
const WAITED: usize = 3;
const COUNTED: usize = 4;

/// How many flights that were answered at once may wait for their completion routine.
const MOST_ANSWERED: usize = 32;

/// How long a wait may take while somebody may not have heard that it is to stop.
const UNHEARD_MS: u32 = 5;

/// How many packets are taken at once.
const PACKETS: usize = 64;

/// A driver over a completion port.
pub struct Iocp {
    /// The port's, which it keeps.
    waker: Waker,
    port: Arc<Port>,
    flights: Flights,
    timeouts: Timeouts,
    turns: Turns,
    poller: Option<Poller>,
    threads: Option<Threads>,
    max_threads: usize,
    from_threads: VecDeque<Answered>,
    /// Answers that came while something was started.
    early: VecDeque<Answered>,
    /// Cancels that wait for what comes of what they cancel: that, and the cancel.
    askers: Vec<(Key, Key)>,
    /// Operations with a thread of their own that were asked to stop. One that does not wait yet
    /// does not hear it, and is asked again.
    unheard: Vec<Key>,
    /// Whether somebody but the threads has the waker.
    has_waker: bool,
    /// Whether it was used, and no wait has ended for it.
    is_woken: bool,
    traffic: Traffic,
    /// Completion routines run in the thread that has started something.
    _not_send: PhantomData<*mut ()>,
}

impl SetUp for Iocp {
    fn set_up(options: &Options) -> Result<Iocp, Error> {
        winsock::start_up().map_err(Error::of_ring)?;
        let waker = Waker::new()?;
        let port = Arc::clone(waker.signal().port());
        Ok(Iocp {
            waker,
            port,
            flights: Flights::new(),
            timeouts: Timeouts::new(),
            turns: Turns::new(),
            poller: None,
            threads: None,
            max_threads: options.max_threads,
            from_threads: VecDeque::new(),
            early: VecDeque::new(),
            askers: Vec::new(),
            unheard: Vec::new(),
            has_waker: false,
            is_woken: false,
            traffic: Traffic::default(),
            _not_send: PhantomData,
        })
    }
}

/// The packet that says something of the operation of `key`.
fn packet(kind: usize, key: Key) -> Packet {
    Packet::of(kind, key.slot(), key.to_bits() as u32)
}

/// The operation of which a packet says something.
fn key_of(packet: Packet) -> Key {
    let (slot, generation) = packet.numbers();
    Key::from_bits((slot as u64) << 32 | u64::from(generation))
}

impl Iocp {
    /// Answers an operation, and lets go on what waited for it.
    fn report(&mut self, index: usize, result: Result<u32, Cause>, done: &mut VecDeque<Answered>) {
        let key = self.flights.book(index).key;
        let next = self.leave(index);
        done.push_back((key, result));
        // Most often there are none.
        while let Some(position) = self.askers.iter().position(|(target, _)| *target == key) {
            let (_, asker) = self.askers.remove(position);
            let stopped = result == Err(Cause::Canceled);
            done.push_back((asker, if stopped { Ok(0) } else { Err(Cause::NotFound) }));
        }
        if let Some(next) = next
            && let Some(index) = self.flights.find(next)
            && let Some(result) = self.take_turn(index)
        {
            self.report(index, result, done);
        }
    }

    /// Takes an operation that has come to its end off the books; yields whose turn it is now.
    fn leave(&mut self, index: usize) -> Option<Key> {
        let book = self.flights.book(index);
        let (key, fd) = (book.key, book.position.and(book.op.descriptor()));
        self.flights.answer(index);
        fd.and_then(|fd| self.turns.pass(fd, key))
    }

    /// What follows from the system's being done with a flight.
    fn land(&mut self, index: usize, code: u32, bytes: u32, done: &mut VecDeque<Answered>) {
        if self.flights.land(index)
            && let Some(result) = self.conclude(index, code, bytes)
        {
            self.report(index, result, done);
        }
    }

    /// Collects those of which the completion routine has run.
    fn collect_landed(&mut self, done: &mut VecDeque<Answered>) {
        let landed = self.flights.take_landed();
        for index in landed.iter().copied() {
            let landing = self.flights.landing(index);
            self.traffic.completed += 1;
            self.land(index, landing.code, landing.bytes, done);
        }
        self.flights.give_back(landed);
    }

    /// Lets completion routines run of flights that were answered at once, where nobody waits: as
    /// long as all is complete at once, nobody has to.
    fn make_room(&mut self) {
        self.traffic.calls += 1;
        // SAFETY: it has no conditions.
        unsafe { SleepEx(0, 1) };
        let mut early = mem::take(&mut self.early);
        self.collect_landed(&mut early);
        self.early = early;
    }

    /// What follows from a packet.
    fn unpack(&mut self, entry: &OVERLAPPED_ENTRY, done: &mut VecDeque<Answered>) {
        let packet = Packet::from_entry(entry);
        self.traffic.completed += 1;
        match packet.kind() {
            POLLED => {
                // SAFETY: the poller was given the address of a flight, and gives it back.
                let index = unsafe { self.flights.index_of(entry.lpOverlapped) };
                let (status, bytes) = self.flights.status(index);
                self.land(index, codes::of_status(status), bytes, done);
            }
            WAITED => {
                if let Some(index) = self.flights.find(key_of(packet)) {
                    self.advance(index, done);
                }
            }
            COUNTED => {
                if let Some(index) = self.flights.find(key_of(packet)) {
                    self.report(index, Ok(0), done);
                }
            }
            _ => self.is_woken |= self.waker.clear() && self.has_waker,
        }
    }

    /// What follows from the end of a registered wait.
    fn advance(&mut self, index: usize, done: &mut VecDeque<Answered>) {
        let book = self.flights.book(index);
        if let Some(wait) = book.wait.take() {
            wait.end();
        }
        match (book.course, book.op) {
            (Course::Event, _) => {
                let (status, bytes) = self.flights.status(index);
                if status == STATUS_PENDING {
                    // Somebody else has set the event.
                    if let Err(cause) = self.wait_for_event(index)
                        && let Some(result) = self.wait_here(index, cause)
                    {
                        self.report(index, result, done);
                    }
                    return;
                }
                self.land(index, codes::of_status(status), bytes, done);
            }
            (Course::OwnThread, _) => {
                let result = book.call.as_ref().map_or(Err(Cause::Unsupported), OwnCall::result);
                let is_stopped = result == Err(Cause::Os(ERROR_OPERATION_ABORTED as i32));
                let is_asked = book.is_asked;
                let result = if is_stopped && is_asked { Err(Cause::Canceled) } else { result };
                self.report(index, result, done);
            }
            (_, RawOp::ChildExit { .. }) => self.report(index, Ok(0), done),
            _ => {
                if let Some(result) = self.read_console(index) {
                    self.report(index, result, done);
                }
            }
        }
    }

    /// Collects what calls that block have come to.
    fn collect_from_threads(&mut self, done: &mut VecDeque<Answered>) {
        let Some(threads) = self.threads.as_mut().filter(|threads| threads.in_flight() > 0) else {
            return;
        };
        threads.collect(&mut self.from_threads);
        while let Some((key, result)) = self.from_threads.pop_front() {
            let index = self.flights.find(key).expect("what a thread does is on the books");
            self.report(index, result, done);
        }
    }

    /// Takes what is at the port, after a wait of so many milliseconds if there is nothing, and
    /// lets completion routines run.
    fn enter(&mut self, timeout_ms: u32, done: &mut VecDeque<Answered>) {
        let mut entries = [const { MaybeUninit::<OVERLAPPED_ENTRY>::uninit() }; PACKETS];
        self.traffic.calls += 1;
        // They may have run in a wait of somebody else's in this thread, such as another ring's.
        let timeout_ms = if self.flights.has_landed() { 0 } else { timeout_ms };
        let count = self.port.wait(&mut entries, timeout_ms);
        // Where there are packets, or there is no time, the routines may not have had their turn.
        if (count > 0 || timeout_ms == 0) && self.flights.aloft() > 0 {
            self.traffic.calls += 1;
            // SAFETY: it has no conditions.
            unsafe { SleepEx(0, 1) };
        }
        self.collect_landed(done);
        for entry in &entries[..count] {
            // SAFETY: so many have been written.
            self.unpack(unsafe { entry.assume_init_ref() }, done);
        }
    }

    /// Asks those again that may not have heard it.
    fn ask_again(&mut self) {
        let flights = &mut self.flights;
        self.unheard.retain(|key| match flights.find(*key) {
            Some(index) => {
                flights.book(index).call.as_ref().inspect(|call| call.interrupt()).is_some()
            }
            None => false,
        });
    }

    /// How long a wait may take: in milliseconds, and none where something is complete.
    fn patience(&mut self, is_blocking: bool, done: &mut VecDeque<Answered>) -> u32 {
        if !is_blocking || self.is_woken || !done.is_empty() {
            return 0;
        }
        self.timeouts.expire(done);
        if !done.is_empty() {
            return 0;
        }
        let patience = self.timeouts.patience().map_or(INFINITE, whole_milliseconds);
        self.ask_again();
        if self.unheard.is_empty() { patience } else { patience.min(UNHEARD_MS) }
    }
}

/// Milliseconds, rounded up: a wait that ends too early has to be followed by another one.
fn whole_milliseconds(span: Duration) -> u32 {
    let whole = span.as_nanos().div_ceil(1_000_000);
    u32::try_from(whole).unwrap_or(INFINITE).min(INFINITE - 1)
}

// SAFETY: an operation is answered where it starts, where it is stopped, or when the system, a
// thread, or the timers are done with it, which each of them says once; its flight is on the books
// until then, and is taken off them with the answer. What the system says later of a flight whose
// call was answered at once, or of a wait that was given up, finds no key.
unsafe impl Driver for Iocp {
    unsafe fn start(&mut self, key: Key, kind: OpKind, op: &RawOp) -> Option<Result<u32, Cause>> {
        self.traffic.submitted += 1;
        if self.flights.answered() >= MOST_ANSWERED {
            self.make_room();
        }
        // SAFETY: passed on.
        unsafe { self.begin(key, kind, op) }
    }

    fn stop(&mut self, key: Key, asker: Option<Key>) -> Stop {
        if self.timeouts.stop(key) {
            return Stop::Stopped(Err(Cause::Canceled));
        }
        let Some(index) = self.flights.find(key) else { return Stop::Unknown };
        let book = self.flights.book(index);
        let op = book.op;
        let stopped = match book.course {
            Course::Routine | Course::Event | Course::Poll => {
                book.is_asked = true;
                self.ask(index);
                self.askers.extend(asker.map(|asker| (key, asker)));
                return Stop::Asked;
            }
            Course::OwnThread => {
                book.is_asked = true;
                self.unheard.push(key);
                self.ask_again();
                self.askers.extend(asker.map(|asker| (key, asker)));
                return Stop::Asked;
            }
            Course::Thread => {
                if !self.threads.as_mut().is_some_and(|threads| threads.stop(key)) {
                    return Stop::TooLate;
                }
                Err(Cause::Canceled)
            }
            Course::Queued => {
                if let Some(fd) = op.descriptor() {
                    self.turns.give_up(fd, key);
                }
                book.position = None;
                Err(Cause::Canceled)
            }
            Course::Object => {
                // From here on nobody says anything of it but a packet that may be at the port.
                drop(book.wait.take());
                match op {
                    RawOp::ChildExit { child } if wait::is_signaled(codes::handle_of(child)) => {
                        Ok(0)
                    }
                    _ => Err(Cause::Canceled),
                }
            }
            Course::Count => match op {
                // SAFETY: who started it keeps the event in place until it is answered.
                RawOp::WaitEvent { event } if !unsafe { &*event }.give_up(packet(COUNTED, key)) => {
                    Ok(0)
                }
                _ => Err(Cause::Canceled),
            },
        };
        self.leave(index);
        match stopped {
            Ok(_) => Stop::Complete(stopped),
            Err(_) => Stop::Stopped(stopped),
        }
    }

    fn users_of(&self, fd: RawHandle, keys: &mut Vec<Key>) {
        self.flights.users_of(fd, keys);
    }

    fn wait(&mut self, is_blocking: bool, done: &mut VecDeque<Answered>) -> Result<(), Error> {
        done.append(&mut self.early);
        let in_threads = self.threads.as_ref().map_or(0, Threads::in_flight);
        let is_any_told = self.flights.is_any() || in_threads > 0 || self.has_waker;
        if is_blocking || is_any_told {
            let patience = self.patience(is_blocking, done);
            self.enter(patience, done);
        }
        self.collect_from_threads(done);
        self.timeouts.expire(done);
        Ok(())
    }

    fn traffic(&self) -> Traffic {
        self.traffic
    }

    fn supports(&self, kind: OpKind) -> bool {
        start::supports(kind)
    }

    fn waker(&mut self) -> Result<Waker, Error> {
        self.has_waker = true;
        Ok(self.waker.clone())
    }

    fn take_wake(&mut self) -> bool {
        mem::take(&mut self.is_woken)
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.timeouts.next()
    }
}

impl Drop for Iocp {
    /// Waits until the system is done with all flights: those that nobody waits for any more are
    /// those that were answered at once.
    fn drop(&mut self) {
        let mut done = VecDeque::new();
        let keys: Vec<Key> = self.flights.books().map(|book| book.key).collect();
        for key in keys {
            self.stop(key, None);
        }
        while self.flights.is_at_work() {
            self.ask_again();
            let timeout_ms = if self.unheard.is_empty() { INFINITE } else { UNHEARD_MS };
            self.enter(timeout_ms, &mut done);
        }
    }
}
