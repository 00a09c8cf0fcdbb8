//! Races with what is closed, canceled and reused, many rounds of each on each backend, while
//! another thread makes load. `CORIO_ROUNDS=N` is the number of rounds.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

#[cfg(not(target_os = "wasi"))]
mod late;
#[cfg(not(target_os = "wasi"))]
mod load;
#[cfg(not(target_os = "wasi"))]
mod random;
#[cfg(unix)]
mod reuse;
#[cfg(unix)]
mod scenes;
#[cfg(not(target_os = "wasi"))]
mod stops;
#[path = "../system/mod.rs"]
#[allow(unsafe_code, reason = "asks the system")]
mod system;

#[cfg(not(unix))]
#[test]
#[ignore = "the scenes are made of calls of Unix"]
fn no_wakeup_is_lost_when_numbers_come_to_name_other_things() {}

#[cfg(target_os = "wasi")]
#[test]
#[ignore = "there are no threads to race with"]
fn what_is_late_is_not_lost() {}
