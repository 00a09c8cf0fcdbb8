//! The soundness contract, attacked: each test is named after the promise that it keeps.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]
#![expect(unsafe_code, reason = "forks, overflows stacks, and looks at memory that it lent")]

mod cancel;
mod crowd;
mod deadlock;
mod forget;
mod memory;
mod nested;
mod panics;
mod process;
mod race;
mod results;
mod scene;
mod unwinding;
mod user_code;
mod waits;
