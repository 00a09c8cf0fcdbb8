//! The soundness contract, attacked: each test is named after the promise that it keeps.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]
#![expect(unsafe_code, reason = "forks, overflows stacks, and looks at memory that it lent")]

#[cfg(unix)]
mod as_fd;
mod cancel;
mod crowd;
mod deadlock;
mod foreign;
mod forget;
#[cfg(all(unix, not(target_os = "openbsd")))]
mod limits;
mod memory;
mod nested;
mod overflow;
mod panics;
#[cfg(unix)]
mod process;
mod race;
mod results;
mod scene;
#[cfg(unix)]
mod signals;
mod stacks;
#[path = "../system/mod.rs"]
mod system;
mod unwinding;
mod user_code;
mod waits;
