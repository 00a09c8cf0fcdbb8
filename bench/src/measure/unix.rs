//! The CPU clock of a process on Unix.

use std::mem::MaybeUninit;
use std::time::Duration;

/// User and system time that the process has used, all threads together.
pub fn process_cpu() -> Duration {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: clock_gettime(2) keeps no pointer and writes one `timespec` to the one it is given,
    // which is a live local of that type.
    let answer = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, time.as_mut_ptr()) };
    assert_eq!(answer, 0, "every Unix has this clock");
    // SAFETY: the call above has succeeded (asserted), so it has written the whole `timespec`.
    let time = unsafe { time.assume_init() };
    let seconds = u64::try_from(time.tv_sec).expect("a process uses no negative time");
    Duration::from_secs(seconds) + Duration::from_nanos(time.tv_nsec.unsigned_abs())
}
