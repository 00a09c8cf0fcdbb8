//! One value, from one task or thread to another.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::wait_list;
use super::{RecvError, TryRecvError};
use crate::park::{Parker, Unparker};
use crate::primitive::Lock;

/// The two ends of a channel that carries one value.
///
/// ```
/// use corio::sync::oneshot;
/// # fn main() -> std::io::Result<()> {
/// let (sender, receiver) = oneshot::channel();
/// std::thread::scope(|threads| {
///     threads.spawn(|| sender.send("done"));
///     corio::run(|| assert_eq!(receiver.recv(), Ok("done")))
/// })?;
/// # Ok(())
/// # }
/// ```
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let state = State { value: None, is_closed: false, waiter: Waiter::None };
    let channel = Arc::new(Lock::new(state));
    (Sender { channel: channel.clone() }, Receiver { channel })
}

/// Sends the value. Dropping it says that none will come.
pub struct Sender<T> {
    channel: Arc<Lock<State<T>>>,
}

/// Receives the value, by a wait or as a [`Future`]. Dropping it says that none is wanted.
pub struct Receiver<T> {
    channel: Arc<Lock<State<T>>>,
}

struct State<T> {
    value: Option<T>,
    /// Whether one of the ends is gone.
    is_closed: bool,
    /// Who waits to receive.
    waiter: Waiter,
}

#[derive(Default)]
enum Waiter {
    #[default]
    None,
    Parked(Unparker),
    Polled(Waker),
}

impl Waiter {
    fn wake(self) {
        match self {
            Waiter::None => {}
            Waiter::Parked(unparker) => unparker.unpark(),
            Waiter::Polled(waker) => waker.wake(),
        }
    }
}

impl<T> State<T> {
    fn take(&mut self) -> Result<T, TryRecvError> {
        let nothing = if self.is_closed { TryRecvError::Closed } else { TryRecvError::Empty };
        self.value.take().ok_or(nothing)
    }
}

impl<T> Sender<T> {
    /// Sends the value; never waits.
    ///
    /// # Errors
    ///
    /// The value: the receiver is gone.
    pub fn send(self, value: T) -> Result<(), T> {
        let mut state = self.channel.lock();
        if state.is_closed {
            return Err(value);
        }
        state.value = Some(value);
        Ok(())
    }

    /// Whether the receiver is gone.
    pub fn is_closed(&self) -> bool {
        self.channel.lock().is_closed
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let waiter = {
            let mut state = self.channel.lock();
            state.is_closed = true;
            mem::take(&mut state.waiter)
        };
        waiter.wake();
    }
}

impl<T> Receiver<T> {
    /// Waits for the value.
    ///
    /// # Errors
    ///
    /// - [`RecvError::Closed`]: the sender is gone, and has sent nothing.
    /// - [`RecvError::Canceled`]: the task was asked to stop before the value came, or can't be
    ///   suspended because the thread unwinds. A value that is sent later goes back to its sender.
    pub fn recv(mut self) -> Result<T, RecvError> {
        self.recv_before(|| None)
    }

    /// Waits for the value, for at most this long.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Receiver::recv), and [`RecvError::Expired`]; after
    /// [`Closed`](RecvError::Closed) it is of no more use.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T, RecvError> {
        self.recv_before(|| wait_list::deadline(timeout))
    }

    /// Waits for the value, but not beyond `deadline`.
    ///
    /// # Errors
    ///
    /// Those of [`recv_timeout`](Receiver::recv_timeout).
    pub fn recv_until(&mut self, deadline: Instant) -> Result<T, RecvError> {
        self.recv_before(|| Some(deadline))
    }

    /// The value, if it has come.
    ///
    /// # Errors
    ///
    /// - [`TryRecvError::Empty`]: not yet.
    /// - [`TryRecvError::Closed`]: the sender is gone, and the value was received, or never sent.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.channel.lock().take()
    }

    fn recv_before(&mut self, deadline: impl FnOnce() -> Option<Instant>) -> Result<T, RecvError> {
        let parker = Parker::current();
        let waker = {
            let mut state = self.channel.lock();
            match state.take() {
                Ok(value) => return Ok(value),
                Err(TryRecvError::Closed) => return Err(RecvError::Closed),
                Err(TryRecvError::Empty) => {}
            }
            mem::replace(&mut state.waiter, Waiter::Parked(parker.unparker()))
        };
        drop(waker);
        wait_list::wait(
            &parker,
            "the value of a channel",
            deadline(),
            &self.channel,
            |state, failure| match state.take() {
                Ok(value) => Some(Ok(value)),
                Err(TryRecvError::Closed) => Some(Err(RecvError::Closed)),
                Err(TryRecvError::Empty) => failure.map(|failure| Err(failure.into())),
            },
        )
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, RecvError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T, RecvError>> {
        // Wakers are foreign code: they are cloned and dropped while the lock is free.
        let waker = Waiter::Polled(context.waker().clone());
        let (answer, unused) = {
            let mut state = self.channel.lock();
            match state.take() {
                Ok(value) => (Poll::Ready(Ok(value)), waker),
                Err(TryRecvError::Closed) => (Poll::Ready(Err(RecvError::Closed)), waker),
                Err(TryRecvError::Empty) => (Poll::Pending, mem::replace(&mut state.waiter, waker)),
            }
        };
        drop(unused);
        answer
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let left = {
            let mut state = self.channel.lock();
            state.is_closed = true;
            (mem::take(&mut state.waiter), state.value.take())
        };
        drop(left);
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("is_closed", &self.is_closed()).finish()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("is_closed", &self.channel.lock().is_closed).finish()
    }
}
