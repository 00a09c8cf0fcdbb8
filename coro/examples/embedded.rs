//! Somebody else's event loop, an epoll with a timer of its own, that drives a scheduler beside it.
//! It ends when the tasks have.
//!
//! `cargo run --release --example embedded`

#[cfg(target_os = "linux")]
#[path = "embedded/linux.rs"]
mod linux;

#[cfg(target_os = "linux")]
use linux::main;

/// Says that this loop is none of this system's.
#[cfg(not(target_os = "linux"))]
fn main() {
    println!("this loop is made of an epoll and a timerfd, which Linux has");
}
