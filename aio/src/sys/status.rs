//! What a file is, in the form of Linux's `struct statx`, whatever the system.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What a file is. Linux writes it; elsewhere it is filled in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Status {
    pub mask: u32,
    pub block_size: u32,
    pub attributes: u64,
    pub links: u32,
    pub uid: u32,
    pub gid: u32,
    pub mode: u16,
    pub _pad: u16,
    pub inode: u64,
    pub size: u64,
    pub blocks: u64,
    pub attributes_mask: u64,
    pub accessed: Time,
    pub created: Time,
    pub changed: Time,
    pub modified: Time,
    pub special_major: u32,
    pub special_minor: u32,
    pub device_major: u32,
    pub device_minor: u32,
    pub _rest: [u64; 14],
}

const _: () = assert!(size_of::<Status>() == 256);

impl Status {
    /// In the mask: when the file was made is known (`STATX_BTIME`).
    pub const HAS_CREATED: u32 = 0x800;

    /// All that there is to know (`STATX_BASIC_STATS` and the above).
    pub const MASK: u32 = 0x7ff | Status::HAS_CREATED;

    /// In the mode: a plain file (`S_IFREG`).
    pub const FILE: u16 = 0o100_000;

    /// In the mode: a directory (`S_IFDIR`).
    pub const DIRECTORY: u16 = 0o040_000;

    /// In the mode: a symbolic link (`S_IFLNK`).
    pub const SYMBOLIC_LINK: u16 = 0o120_000;

    /// Whether it is a file of this type.
    pub const fn is_of(&self, file_type: u16) -> bool {
        self.mode & 0o170_000 == file_type
    }
}

/// Seconds since 1970 and nanoseconds more (`struct statx_timestamp`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Time {
    pub seconds: i64,
    pub nanoseconds: u32,
    _pad: i32,
}

impl Time {
    /// A time.
    pub const fn new(seconds: i64, nanoseconds: u32) -> Time {
        Time { seconds, nanoseconds, _pad: 0 }
    }
}

impl From<Time> for SystemTime {
    fn from(time: Time) -> SystemTime {
        let whole = Duration::from_secs(time.seconds.unsigned_abs());
        let start = match time.seconds {
            0.. => UNIX_EPOCH.checked_add(whole),
            _ => UNIX_EPOCH.checked_sub(whole),
        };
        let start = start.expect("a time has as many seconds as the kernel's");
        start + Duration::from_nanos(time.nanoseconds.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_before_1970_counts_backwards() {
        let time = Time::new(-1, 250_000_000);
        assert_eq!(SystemTime::from(time), UNIX_EPOCH - Duration::from_millis(750));
        // Not every system has such times; but then it tells none either.
        let is_far = UNIX_EPOCH.checked_add(Duration::from_secs(i64::MAX as u64)).is_some();
        for seconds in [i64::MIN, i64::MAX].into_iter().filter(|_| is_far) {
            let time = Time::new(seconds, 999_999_999);
            assert_eq!(SystemTime::from(time) < UNIX_EPOCH, seconds < 0);
        }
    }
}
