//! What tasks of one thread wait for each other with.

mod reset_event;

pub use reset_event::ResetEvent;
