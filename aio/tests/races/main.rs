//! Races with what is closed, canceled and reused, many rounds of each on each backend, while
//! another thread makes load. `CORIO_ROUNDS=N` is the number of rounds.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod late;
mod load;
mod reuse;
mod scenes;
