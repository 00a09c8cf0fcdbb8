//! Reads two files at once through a queue, and prints both as they come.
//!
//! `cargo run --release --example aio_dynamic -- [FILE FILE]`

use std::fs::File;
use std::io::{self, Write};

use corio_aio::op::{self, Operation};
use corio_aio::{Dynamic, Mode};

fn main() -> io::Result<()> {
    let mut paths = std::env::args().skip(1);
    let first = File::open(paths.next().as_deref().unwrap_or("README.md"))?;
    let second = File::open(paths.next().as_deref().unwrap_or("CHANGELOG.md"))?;
    let mut ring = Dynamic::new(16)?;

    // Queued operations own what they use, and hand it back with their result.
    let mut tickets = Vec::new();
    for (number, file) in (0..).zip([first, second]) {
        tickets.push(ring.queue(op::read(file, vec![0; 4096]).userdata(number))?);
    }
    while !tickets.is_empty() {
        for done in ring.complete(Mode::Blocking)? {
            let index = tickets.iter().position(|ticket| ticket.id() == done.id);
            let ticket = tickets.swap_remove(index.expect("each is reported once"));
            let (n, read) = ticket.recover(&mut ring)?;
            println!("-- file {}:", done.userdata);
            io::stdout().write_all(&read.into_inner().buf[..n?])?;
        }
    }
    Ok(())
}
