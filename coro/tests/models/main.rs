//! What threads meet at, in models: `loom` runs each in every order that its threads can meet in,
//! with a bounded number of preemptions. `.ci/models` runs them.
//!
//! What is checked, of each where it applies:
//!
//! - mutual exclusion: who has the right to change a value is alone with it;
//! - no lost wakeup: no order leaves somebody waiting for what has come;
//! - a waiter that is canceled or runs out of time hands on what it would have been granted, and
//!   one that was granted says so;
//! - each value that was sent is received once, also after a close, or its sender has it back;
//! - a barrier lets all go on, and one of them leads;
//! - a oneshot delivers, or says that it is closed;
//! - a scheduler that goes to sleep is woken by whoever leaves something in its mailbox.
#![cfg(loom)]

mod locks;
mod mailbox;
mod queues;

/// Long enough in a model: what has not come yet is late.
const SOON: std::time::Duration = std::time::Duration::from_millis(1);
