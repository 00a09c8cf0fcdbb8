//! A page for each concept.
//!
//! - [`tasks`]: tasks, and the stacks that they run on.
//! - [`cancel`]: how a task is asked to stop, and what it then sees.
//! - [`scopes`]: who waits for whom, and who may borrow from whom.
//! - [`threads`]: schedulers on many threads, and what crosses between them.
//! - [`async_await`]: what is different from `async`/`await`.
//! - [`stack_switching`]: what Rust does not specify, and what is done about it.

#[doc = include_str!("../guide/async_await.md")]
pub mod async_await {}
#[doc = include_str!("../guide/cancel.md")]
pub mod cancel {}
#[doc = include_str!("../guide/scopes.md")]
pub mod scopes {}
#[doc = include_str!("../guide/stack_switching.md")]
pub mod stack_switching {}
#[doc = include_str!("../guide/tasks.md")]
pub mod tasks {}
#[doc = include_str!("../guide/threads.md")]
pub mod threads {}
