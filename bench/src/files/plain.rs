//! Blocks by calls that block, one after the other on one thread: what the system itself takes.

use super::{Access, BLOCK, WARM_UP, block, check, numbers};
use crate::measure::{Counts, Sample, after_warm_up};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

#[cfg(unix)]
use std::os::unix::fs::FileExt;
#[cfg(windows)]
use std::os::windows::fs::FileExt;

/// Does the work, a lane after the other; see [`Run`](super::Run).
pub fn run(path: &Path, access: Access, lanes: usize, each: usize) -> io::Result<Sample> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    after_warm_up(each.div_ceil(WARM_UP), each, |times| {
        (0..lanes).try_for_each(|number| lane(&file, access, number, times))?;
        Ok(Counts::Nothing)
    })
}

/// The work of one lane.
pub fn lane(file: &File, access: Access, number: usize, times: usize) -> io::Result<()> {
    numbers(number).take(times).try_for_each(|number| once(file, access, number))
}

/// Moves one block.
pub fn once(file: &File, access: Access, number: u64) -> io::Result<()> {
    let (at, mut room) = (number * BLOCK as u64, [0; BLOCK]);
    let n = match access {
        Access::Read => read_at(file, &mut room, at)?,
        Access::Write => {
            room = block(number);
            write_at(file, &room, at)?
        }
    };
    check(number, n, &room)
}

#[cfg(unix)]
fn read_at(file: &File, room: &mut [u8], at: u64) -> io::Result<usize> {
    file.read_at(room, at)
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<usize> {
    file.write_at(bytes, at)
}

#[cfg(windows)]
fn read_at(file: &File, room: &mut [u8], at: u64) -> io::Result<usize> {
    file.seek_read(room, at)
}

#[cfg(windows)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<usize> {
    file.seek_write(bytes, at)
}
