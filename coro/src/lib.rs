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
//! - [`SpawnOptions`]: a task's name and stack. [`tasks()`]: who is there, and waits for what.
//! - [`Task`]: join, cancel, wake up. [`timeout()`], [`race()`], [`try_scope()`]: who is canceled.
//! - [`sync`]: locks, queues, channels, for tasks and threads alike.
//! - [`Runtime`]: a scheduler on each core. [`Handle`]: tasks for a scheduler from any thread.
//!   [`ThreadPool`], [`blocking`]: threads for what can only block.
//! - [`with_stack`]: calls that go deeper than [`Options::stack_size`].
//! - [`guide`]: a page on each of the concepts.
//!
//! # What holds
//!
//! A task stays on its thread, so that `Rc`, `RefCell` and thread-locals mean in it what they mean
//! in a thread. It always runs to its end: a cancel is a flag and a canceled operation, never an
//! unwind. A panic stays in its task and comes out of `join`, or of the scope. Nothing relies on a
//! destructor being run: what a call lent to the kernel it waits for before it returns.
//!
//! # Feature `tracing`
//!
//! With it subscribers of the crate `tracing` have a span for each task, `task` of target
//! `corio::task` and level INFO: its `name`, its `key`, where it was `spawned_at`. Its parent is
//! the span that it was spawned in. It is entered while the task runs, and left while it waits; it
//! closes when the task ends. In it are events: that the task was asked to stop (DEBUG), that its
//! closure panicked (ERROR, with the text as `panic`), that it has started and ended (TRACE).
//!
//! A span that a task enters itself, and is in while it waits, stays entered on the thread: what
//! other tasks say meanwhile appears in it. So enter spans around what does not wait, or give the
//! work a task of its own.
//!
//! A subscriber that is told of such a span or event can't suspend a task: the operations that it
//! completes block the thread, and other waits answer `Canceled`. If it panics there, that ends
//! the process. Without the feature none of this is compiled.
//!
//! # What Rust does not specify
//!
//! Switching stacks as such. Tasks never change threads, which keeps thread-locals meaningful; a
//! guard page ends each stack, and code that rustc compiles touches each page on its way down, as C
//! does that was compiled with `-fstack-clash-protection`; no panic crosses a switch. One thing is
//! out of reach: `std::process::exit` inside of a task destroys this thread's thread-locals on the
//! task's stack, and a destructor among them that waits may resume another task.

#[cfg(not(any(unix, all(windows, not(target_arch = "aarch64")))))]
compile_error!("tasks need stacks that can be switched, which this system has not: use corio-aio");

#[cfg_attr(corio_tsan, expect(unsafe_code, reason = "calls the sanitizer"))]
mod fiber;
mod future;
mod handle;
mod info;
mod job;
#[cfg(loom)]
pub mod model;
mod options;
#[cfg(loom)]
pub(crate) use model as park;
#[cfg(not(loom))]
mod park;
#[expect(unsafe_code, reason = "lends closures to threads until they have run")]
mod pool;
mod primitive;
mod race;
#[expect(unsafe_code, reason = "lies on the stack of its task, and switches to it")]
mod record;
#[expect(unsafe_code, reason = "links the frames of a task")]
mod region;
mod runtime;
#[expect(unsafe_code, reason = "starts operations over stacks, and runs closures on them")]
mod scheduler;
#[expect(unsafe_code, reason = "promises that tasks end before their scope does")]
mod scope;
#[expect(unsafe_code, reason = "lies in the frame of the call that waits for its tasks")]
mod scope_record;
#[expect(unsafe_code, reason = "maps memory, and handles its faults")]
mod stack;
#[expect(unsafe_code, reason = "takes results from stacks")]
mod task;
mod timeout;
mod trace;
mod try_scope;

pub mod guide;
pub mod io;
pub mod sync;

pub use corio_aio as aio;
pub use future::block_on;
pub use handle::{Handle, JoinHandle, handle};
pub use info::{Pending, TaskInfo, TaskState};
pub use job::CancellationToken;
pub use options::{Options, SpawnOptions};
pub use pool::{PoolOptions, ThreadPool, blocking};
pub use race::{Race, Racers, race};
pub use runtime::{
    Runtime, RuntimeHandle, RuntimeOptions, ShutdownReport, Straggler, worker_index,
};
pub use scheduler::{current, is_canceled, park, tasks, with_stack, yield_now};
pub use scope::{Scheduler, Scope, run, scope, spawn, spawn_with};
pub use stack::{Guards, OwnStack as Stack};
pub use sync::ResetEvent;
pub use task::{Canceled, JoinError, Task, TaskRef};
pub use timeout::{Expired, shield, timeout};
pub use try_scope::{TryScope, try_scope};
