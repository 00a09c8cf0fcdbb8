//! What tasks and threads wait for each other with.
//!
//! - [`ResetEvent`], [`Semaphore`]: for the tasks of one thread, without atomics.
//! - [`Mutex`], [`RwLock`], [`Condvar`], [`Barrier`], [`Queue`], [`oneshot`]: for tasks and plain
//!   threads alike. A task that waits is suspended, outside of tasks the scheduler runs meanwhile,
//!   and where there is none the thread is blocked.
//!
//! All of them are fair: who waits longest goes on first, and what it waited for is handed to it,
//! so that nobody who comes later can take it away. And all are safe to cancel: a wait that was
//! granted is a success, also if the task was asked to stop meanwhile, or the deadline came; any
//! other leaves the queue, and what it would have been granted goes to the next. None takes a
//! descriptor.
//!
//! # Errors
//!
//! A wait answers [`Canceled`](crate::Canceled) if the task was asked to stop, and where it can't
//! be suspended because the thread unwinds. What can be had at once is had, asked to stop or not.

mod barrier;
mod condvar;
mod error;
#[expect(unsafe_code, reason = "gives access to its value")]
mod mutex;
pub mod oneshot;
mod queue;
mod reset_event;
#[expect(unsafe_code, reason = "gives access to its value")]
mod rw_lock;
mod semaphore;
mod wait_list;

pub use barrier::Barrier;
pub use condvar::Condvar;
pub use error::{RecvError, SendError, TryRecvError, TrySendError, WaitError};
pub use mutex::{Mutex, MutexGuard};
pub use queue::{Iter, Queue};
pub use reset_event::ResetEvent;
pub use rw_lock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use semaphore::{Permit, Semaphore};
