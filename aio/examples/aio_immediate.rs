//! Reads two files at once and prints both.
//!
//! `cargo run --release --example aio_immediate -- [FILE FILE]`

use std::fs::File;
use std::io::{self, Write};

use corio_aio::{self as aio, op};

fn main() -> io::Result<()> {
    let mut paths = std::env::args().skip(1);
    let first = File::open(paths.next().as_deref().unwrap_or("README.md"))?;
    let second = File::open(paths.next().as_deref().unwrap_or("CHANGELOG.md"))?;

    // Plain buffers: they are lent to the kernel until the call returns.
    let (mut ours, mut theirs) = ([0; 4096], [0; 4096]);
    let (n, m) = aio::multi((op::read(&first, &mut ours), op::read(&second, &mut theirs)))?;

    let mut out = io::stdout().lock();
    out.write_all(&ours[..n])?;
    out.write_all(&theirs[..m])
}
