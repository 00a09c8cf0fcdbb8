//! A queue between tasks and threads, with room for so many values, or for all.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use corio_aio::key::Key;

use super::wait_list::{self, WaitList};
use super::{RecvError, SendError, TryRecvError, TrySendError, WaitError};
use crate::park::{Parker, Unparker};
use crate::primitive::Lock;

/// A queue: any number of tasks and threads send values, and as many receive them, each value once,
/// in the order they were sent.
///
/// It is used by reference, or in an [`Arc`](std::sync::Arc). It is fair: who comes while others
/// wait for room, or for values, queues up behind them.
///
/// ```
/// use corio::sync::Queue;
/// # fn main() -> std::io::Result<()> {
/// let queue = Queue::bounded(2);
/// let sum = std::thread::scope(|threads| {
///     threads.spawn(|| {
///         for n in 1..=10 {
///             queue.send(n).unwrap();
///         }
///         queue.close();
///     });
///     corio::run(|| queue.iter().sum::<i32>())
/// })?;
/// assert_eq!(sum, 55);
/// # Ok(())
/// # }
/// ```
///
/// No value is lost on a receiver that is asked to stop or runs out of time: either it gets the
/// value, and says so, or another receiver does.
#[repr(C, align(64))]
pub struct Queue<T> {
    capacity: usize,
    state: Lock<State<T>>,
}

/// What each value meets comes first, in one line of the cache with the lock: threads that send and
/// receive side by side wait for such lines most of the time.
#[repr(C)]
struct State<T> {
    values: VecDeque<T>,
    /// How many of the values are promised to receivers that have not come for them yet: the first
    /// one to come takes the first. They take no room, as if they had been received.
    promised: usize,
    /// Whether it is open and nobody waits.
    is_plain: bool,
    /// They wait only if all values are promised.
    receivers: WaitList<Unparker>,
    /// They wait only if there is no room.
    senders: WaitList<Sending<T>>,
    is_closed: bool,
}

/// A value that waits for room, and who waits with it.
struct Sending<T> {
    value: T,
    unparker: Unparker,
}

impl<T> Queue<T> {
    /// A queue that holds at most `capacity` values: who sends one more waits. With 0, each sender
    /// waits for a receiver.
    pub const fn bounded(capacity: usize) -> Queue<T> {
        let state = State {
            values: VecDeque::new(),
            promised: 0,
            is_plain: true,
            receivers: WaitList::new(),
            senders: WaitList::new(),
            is_closed: false,
        };
        Queue { capacity, state: Lock::new(state) }
    }

    /// A queue that holds as many values as there is memory for: nobody waits to send.
    pub const fn unbounded() -> Queue<T> {
        Queue::bounded(usize::MAX)
    }

    /// How many values it holds at most; `None` for all.
    pub fn capacity(&self) -> Option<usize> {
        (self.capacity < usize::MAX).then_some(self.capacity)
    }

    /// How many values it holds, beside those that are promised to receivers on their way.
    pub fn len(&self) -> usize {
        self.state.lock().len()
    }

    /// Whether it holds no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.state.lock().is_closed
    }

    /// Ends the sending: who waits to send gets the value back, and who receives is given what was
    /// sent before, and after that [`RecvError::Closed`].
    pub fn close(&self) {
        let waiting: Vec<Unparker> = {
            let mut state = self.state.lock();
            state.is_closed = true;
            state.is_plain = false;
            let senders = state.senders.iter().map(|sending| &sending.unparker);
            state.receivers.iter().chain(senders).cloned().collect()
        };
        waiting.iter().for_each(Unparker::unpark);
    }

    /// Sends a value, once there is room for it.
    ///
    /// # Errors
    ///
    /// Each with the value.
    ///
    /// - [`SendError::Closed`]: the queue was closed.
    /// - [`SendError::Canceled`]: there is no room, and the task was asked to stop before there
    ///   was, or can't be suspended because the thread unwinds.
    #[inline]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.send_before(value, || None)
    }

    /// As [`send`](Queue::send), if there is room within this time.
    ///
    /// # Errors
    ///
    /// Also [`SendError::Expired`].
    pub fn send_timeout(&self, value: T, timeout: Duration) -> Result<(), SendError<T>> {
        self.send_before(value, || wait_list::deadline(timeout))
    }

    /// As [`send`](Queue::send), if there is room before `deadline`.
    ///
    /// # Errors
    ///
    /// Also [`SendError::Expired`].
    pub fn send_until(&self, value: T, deadline: Instant) -> Result<(), SendError<T>> {
        self.send_before(value, || Some(deadline))
    }

    /// Sends a value, if there is room for it.
    ///
    /// # Errors
    ///
    /// Each with the value.
    ///
    /// - [`TrySendError::Full`]: there is no room.
    /// - [`TrySendError::Closed`]: the queue was closed.
    #[inline]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let mut state = self.state.lock();
        if state.is_plain && state.len() < self.capacity {
            state.values.push_back(value);
            return Ok(());
        }
        let receiver = state.put(value, self.capacity)?;
        drop(state);
        unpark(receiver);
        Ok(())
    }

    /// Receives the value that was sent first of those that are there, once one is.
    ///
    /// # Errors
    ///
    /// - [`RecvError::Closed`]: the queue was closed and is empty.
    /// - [`RecvError::Canceled`]: no value is there, and the task was asked to stop before one was,
    ///   or can't be suspended because the thread unwinds.
    #[inline]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.recv_before(|| None)
    }

    /// As [`recv`](Queue::recv), if a value comes within this time.
    ///
    /// # Errors
    ///
    /// Also [`RecvError::Expired`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvError> {
        self.recv_before(|| wait_list::deadline(timeout))
    }

    /// As [`recv`](Queue::recv), if a value comes before `deadline`.
    ///
    /// # Errors
    ///
    /// Also [`RecvError::Expired`].
    pub fn recv_until(&self, deadline: Instant) -> Result<T, RecvError> {
        self.recv_before(|| Some(deadline))
    }

    /// Receives a value, if one is there that is not promised to somebody who waited for it.
    ///
    /// # Errors
    ///
    /// - [`TryRecvError::Empty`]: none is.
    /// - [`TryRecvError::Closed`]: none is, and none will come any more.
    #[inline]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        let mut state = self.state.lock();
        if state.is_plain
            && state.len() > 0
            && let Some(value) = state.values.pop_front()
        {
            return Ok(value);
        }
        let (value, sender) = state.take()?;
        drop(state);
        unpark(sender);
        Ok(value)
    }

    /// Receives one value after the other, until the queue is closed and empty, or the task is
    /// asked to stop.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { queue: self }
    }

    #[inline]
    fn send_before(
        &self,
        value: T,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<(), SendError<T>> {
        match self.try_send(value) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(value)) => Err(SendError::Closed(value)),
            Err(TrySendError::Full(value)) => self.wait_for_room(value, deadline()),
        }
    }

    #[inline]
    fn recv_before(&self, deadline: impl FnOnce() -> Option<Instant>) -> Result<T, RecvError> {
        match self.try_recv() {
            Ok(value) => Ok(value),
            Err(TryRecvError::Closed) => Err(RecvError::Closed),
            Err(TryRecvError::Empty) => self.wait_for_value(deadline()),
        }
    }

    #[cold]
    fn wait_for_room(&self, value: T, deadline: Option<Instant>) -> Result<(), SendError<T>> {
        let parker = Parker::current();
        let mut state = self.state.lock();
        let value = match state.put(value, self.capacity) {
            Ok(receiver) => {
                drop(state);
                unpark(receiver);
                return Ok(());
            }
            Err(TrySendError::Closed(value)) => return Err(SendError::Closed(value)),
            Err(TrySendError::Full(value)) => value,
        };
        let key = state.senders.push(Sending { value, unparker: parker.unparker() });
        state.is_plain = false;
        drop(state);
        wait_list::wait(&parker, "room in a queue", deadline, &self.state, |state, failure| {
            if state.senders.get(key).is_none() {
                return Some(Ok(()));
            }
            if state.is_closed {
                return state.senders.remove(key).map(|own| Err(SendError::Closed(own.value)));
            }
            let failure = failure?;
            let own = state.senders.remove(key)?;
            Some(Err(SendError::new(failure, own.value)))
        })
    }

    #[cold]
    fn wait_for_value(&self, deadline: Option<Instant>) -> Result<T, RecvError> {
        let parker = Parker::current();
        let mut state = self.state.lock();
        match state.take() {
            Ok((value, sender)) => {
                drop(state);
                unpark(sender);
                Ok(value)
            }
            Err(TryRecvError::Closed) => Err(RecvError::Closed),
            Err(TryRecvError::Empty) => {
                let key = state.receivers.push(parker.unparker());
                state.is_plain = false;
                drop(state);
                let what = "a value in a queue";
                wait_list::wait(&parker, what, deadline, &self.state, |state, failure| {
                    state.take_promised(key, failure)
                })
            }
        }
    }
}

/// Wakes who was granted something, if anybody was.
fn unpark(waiter: Option<Unparker>) {
    if let Some(waiter) = waiter {
        waiter.unpark();
    }
}

impl<T> State<T> {
    /// How many values are there that are not promised.
    fn len(&self) -> usize {
        self.values.len() - self.promised
    }

    /// Appends a value, if there is room; yields the receiver that waits for it, to be unparked.
    #[cold]
    fn put(&mut self, value: T, capacity: usize) -> Result<Option<Unparker>, TrySendError<T>> {
        if self.is_closed {
            return Err(TrySendError::Closed(value));
        }
        let receiver = self.receivers.pop();
        if receiver.is_some() {
            // All others are promised already.
            self.promised += 1;
        } else if self.len() >= capacity {
            return Err(TrySendError::Full(value));
        }
        self.values.push_back(value);
        self.note_who_waits();
        Ok(receiver)
    }

    fn note_who_waits(&mut self) {
        let nobody_waits = self.receivers.is_empty() && self.senders.is_empty();
        self.is_plain = nobody_waits && !self.is_closed;
    }

    /// Takes the first value, if not all are promised; yields who waits for the room, to be
    /// unparked.
    #[cold]
    fn take(&mut self) -> Result<(T, Option<Unparker>), TryRecvError> {
        let sender = if self.is_closed { None } else { self.senders.pop() };
        let unparker = sender.map(|Sending { value, unparker }| {
            self.values.push_back(value);
            unparker
        });
        self.note_who_waits();
        let nothing = if self.is_closed { TryRecvError::Closed } else { TryRecvError::Empty };
        let value = if self.len() > 0 { self.values.pop_front() } else { None };
        value.map(|value| (value, unparker)).ok_or(nothing)
    }

    /// Takes the value that was promised to a waiting receiver, once one was.
    fn take_promised(
        &mut self,
        key: Key,
        failure: Option<WaitError>,
    ) -> Option<Result<T, RecvError>> {
        if self.is_closed && self.receivers.remove(key).is_some() {
            return Some(Err(RecvError::Closed));
        }
        if let Err(failure) = self.receivers.is_over(key, failure)? {
            return Some(Err(failure.into()));
        }
        self.promised -= 1;
        self.values.pop_front().map(Ok)
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("Queue")
            .field("capacity", &self.capacity())
            .field("len", &state.len())
            .field("is_closed", &state.is_closed)
            .finish()
    }
}

/// Receives from a [`Queue`], until that is closed and empty, or the task is asked to stop.
#[derive(Debug)]
pub struct Iter<'a, T> {
    queue: &'a Queue<T>,
}

impl<T> Iterator for Iter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.queue.recv().ok()
    }
}

impl<'a, T> IntoIterator for &'a Queue<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}
