//! Coroutine-powered IO tasks: code is written as plain blocking calls over borrowed buffers, and
//! runs as a completion loop on io_uring, epoll or poll.
//!
//! ```
//! use corio::{aio::op::{self, Operation}, io};
//! # fn main() -> std::io::Result<()> {
//! let (client, server) = std::os::unix::net::UnixStream::pair()?;
//! corio::scope(|s| {
//!     let server = s.spawn(|| {
//!         let mut buf = [0; 64]; // on the task's own stack, lent to the kernel
//!         let n = io::single(op::recv(&server, &mut buf))?;
//!         io::single(op::send(&server, &buf[..n]))
//!     });
//!     let mut echo = [0; 64];
//!     let (_, n) = io::multi((op::send(&client, b"hello").soft(), op::recv(&client, &mut echo)))?;
//!     assert_eq!(&echo[..n], b"hello");
//!     server.join()??;
//!     std::io::Result::Ok(())
//! })?
//! # }
//! ```
//!
//! - [`run`], [`scope()`], [`Scheduler::with`]: the calls that tasks live in.
//! - [`io`]: every operation of [`aio`], suspending the task instead of the thread.
//! - [`Task`]: join, cancel, wake up. [`ResetEvent`]: wait for each other.
//!
//! # What holds
//!
//! A task stays on its thread, so that `Rc`, `RefCell` and thread-locals mean in it what they mean
//! in a thread. It always runs to its end: a cancel is a flag and a canceled operation, never an
//! unwind. A panic stays in its task and comes out of `join`, or of the scope. Nothing relies on a
//! destructor being run: what a call lent to the kernel it waits for before it returns.
//!
//! # What Rust does not specify
//!
//! Switching stacks as such. Tasks never change threads, which keeps thread-locals meaningful; a
//! guard page ends each stack; no panic crosses a switch. One thing is out of reach:
//! `std::process::exit` inside of a task destroys this thread's thread-locals on the task's stack,
//! and a destructor among them that waits may resume another task.

#[expect(unsafe_code, reason = "switches stacks, and starts operations over them")]
mod scheduler;
#[expect(unsafe_code, reason = "promises that tasks end before their scope does")]
mod scope;
#[expect(unsafe_code, reason = "maps memory")]
mod stack;
#[expect(unsafe_code, reason = "leaves results on stacks")]
mod task;

pub mod io;
pub mod sync;

pub use corio_aio as aio;
pub use scheduler::{current, park, yield_now};
pub use scope::{Options, Scheduler, Scope, run, scope, spawn};
pub use sync::ResetEvent;
pub use task::{Canceled, JoinError, Task, TaskRef};
