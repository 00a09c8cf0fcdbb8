//! Files: blocks of 4 KiB are read or written at random places of a file that is in memory, so that
//! it is the way there that is measured, and not the disk.

mod corio;
mod plain;
mod tokio;

use crate::arguments::Options;
use crate::contest::{self, Series, Setting};
use crate::measure::Sample;
use crate::ping_pong::backend_of_corio;
use crate::report::Ratio;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// The systems that can run beside corio.
pub const RIVALS: &[&str] = &["plain", "tokio"];

/// Everybody is compared with calls that block.
pub const RATIO: Ratio = Ratio {
    metric: "cpu_ratio_to_plain",
    of: |sample| sample.cpu,
    is_floor: |one, other| one.system == "plain" && one.setting == other.setting,
};

/// What a block has.
const BLOCK: usize = 4096;

/// How many blocks the file has: 64 MiB.
const BLOCKS: u64 = 16 << 10;

/// The share of the operations, one in so many, that is made first and not measured.
const WARM_UP: usize = 10;

/// What is done with a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Access {
    Read,
    Write,
}

/// The settings: what is done, and by how many tasks at a time.
const SETTINGS: &[Setting<Access>] = &[
    Setting { name: "read x1", lanes: 1, operations: 40_000, shape: Access::Read },
    Setting { name: "read x16", lanes: 16, operations: 80_000, shape: Access::Read },
    Setting { name: "write x1", lanes: 1, operations: 20_000, shape: Access::Write },
    Setting { name: "write x16", lanes: 16, operations: 40_000, shape: Access::Write },
];

/// How a system takes part: each of `lanes` does so many operations on the file at the path, after
/// a warm-up.
type Run = fn(path: &Path, access: Access, lanes: usize, each: usize) -> io::Result<Sample>;

/// Runs corio and the rivals through all settings and rounds.
pub fn run(options: &Options) -> io::Result<Vec<Series>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("blocks");
    fill(&path)?;
    contest::race(
        options,
        SETTINGS,
        |name| system(name).0,
        |name, setting, each| system(name).1(&path, setting.shape, setting.lanes, each),
    )
}

/// The backend and the program of the named system.
fn system(name: &str) -> (String, Run) {
    match name {
        "corio" => (backend_of_corio(), corio::run),
        "plain" => ("-".into(), plain::run),
        "tokio" => ("threads".into(), tokio::run),
        _ => unreachable!("the arguments were checked against RIVALS"),
    }
}

/// Makes the file: each block begins with its number.
fn fill(path: &Path) -> io::Result<()> {
    let mut file = File::create(path)?;
    for number in 0..BLOCKS {
        file.write_all(&block(number))?;
    }
    file.sync_all()
}

/// What block `number` holds.
fn block(number: u64) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    block[..8].copy_from_slice(&number.to_ne_bytes());
    block
}

/// Which blocks a lane works on, one after the other: the same in each run.
fn numbers(lane: usize) -> impl Iterator<Item = u64> {
    let mut state = lane as u64;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (state >> 33) % BLOCKS
    })
}

/// Holds a system to its work: a whole block was moved, and it is the right one.
fn check(number: u64, n: usize, block: &[u8; BLOCK]) -> io::Result<()> {
    if n == BLOCK && block[..8] == number.to_ne_bytes() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, format!("{n} bytes, not block {number}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_does_all_of_the_work_in_each_setting() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("blocks");
        fill(&path).expect("room for a file");
        for setting in SETTINGS {
            for name in ["corio"].iter().chain(RIVALS) {
                system(name).1(&path, setting.shape, setting.lanes, 20).expect(name);
            }
        }
    }

    #[test]
    fn a_block_that_is_another_or_not_whole_is_refused() {
        assert!(check(7, BLOCK, &block(7)).is_ok());
        assert!(check(7, BLOCK, &block(8)).is_err());
        assert!(check(7, BLOCK - 1, &block(7)).is_err());
    }
}
