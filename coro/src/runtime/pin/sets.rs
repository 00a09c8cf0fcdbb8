//! Linux and FreeBSD: sets of processors.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Keeps the calling thread on one of the processors that it may use: the one of this number among
/// them, counted round and round.
///
/// # Errors
///
/// What the OS says: that processor has just been taken from the process, for instance.
pub fn to_processor(number: usize) -> io::Result<()> {
    let allowed = sched_getaffinity(None)?;
    let is_allowed = |processor: &usize| allowed.is_set(*processor);
    let processors: Vec<usize> = (0..CpuSet::MAX_CPU).filter(is_allowed).collect();
    let mut only = CpuSet::new();
    only.set(processors[number % processors.len()]);
    Ok(sched_setaffinity(None, &only)?)
}
