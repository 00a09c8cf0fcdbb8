//! What a file is: its size, its owner, its times.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::path::CPath;
use super::private::Sealed;
use super::{Answer, Operation, RawOp};
use crate::error::Error;
use crate::handle::{Descriptor, IntoDescriptor};
use crate::kind::OpKind;

/// Finds out what the file at `path` is, from `dir` on if `path` is relative
/// ([`Cwd`](crate::Cwd) is the current directory). Symbolic links are followed, unless
/// [`no_follow`](Statx::no_follow) says otherwise.
///
/// ```
/// use corio_aio::{self as aio, op};
/// # fn main() -> std::io::Result<()> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("file");
/// # std::fs::write(&path, "hello")?;
/// let stat = aio::single(op::statx(aio::Cwd, path))?;
/// assert!(stat.is_file() && stat.size() == 5);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// - [`Cause::Os`](crate::Cause::Os)`(ENOENT)`: there is no such file.
/// - [`Cause::Os`](crate::Cause::Os)`(ENOTDIR)`, `(ELOOP)`: the way there leads through what is no
///   directory, or in circles.
/// - [`Cause::Os`](crate::Cause::Os)`(EBADF)`: `dir` is closed.
/// - [`Cause::InvalidPath`](crate::Cause::InvalidPath): `path` holds a NUL byte.
///
/// # Platforms
///
/// Linux.
///
/// Source: statx(2); `IORING_OP_STATX`, Linux 5.6.
pub fn statx<D: IntoDescriptor>(dir: D, path: impl AsRef<Path>) -> Statx<D::Descriptor> {
    let dir = dir.into_descriptor();
    Statx { dir, path: CPath::new(path), flags: 0, stat: Stat::default() }
}

/// See [`statx`].
#[derive(Debug)]
pub struct Statx<D> {
    dir: D,
    path: CPath,
    flags: i32,
    stat: Stat,
}

impl<D> Statx<D> {
    /// If `path` is a symbolic link, it is the link that is looked at.
    pub fn no_follow(self) -> Statx<D> {
        Statx { flags: self.flags | libc::AT_SYMLINK_NOFOLLOW, ..self }
    }

    /// An empty `path` means `dir` itself, which may be any file.
    pub fn empty_path(self) -> Statx<D> {
        let (flags, path) = (self.flags | libc::AT_EMPTY_PATH, self.path.may_be_empty());
        Statx { flags, path, ..self }
    }
}

impl<D> Sealed for Statx<D> {}
impl<D: Descriptor> Operation for Statx<D> {
    type Output = Stat;
    const KIND: OpKind = OpKind::Statx;

    fn lower(&mut self) -> RawOp {
        let (dir, path) = self.path.lower(self.dir.raw());
        let mask = libc::STATX_BASIC_STATS | libc::STATX_BTIME;
        RawOp::Statx { dir, path, flags: self.flags, mask, stat: &raw mut self.stat }
    }

    fn finish(&mut self, answer: Answer) -> Result<Stat, Error> {
        CPath::judge(answer, [&self.path]).done(OpKind::Statx)?;
        Ok(self.stat)
    }
}

/// What a file is: see [`statx`]. It is what the kernel writes (`struct statx`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Stat {
    mask: u32,
    block_size: u32,
    attributes: u64,
    links: u32,
    uid: u32,
    gid: u32,
    mode: u16,
    _pad: u16,
    inode: u64,
    size: u64,
    blocks: u64,
    attributes_mask: u64,
    accessed: Time,
    created: Time,
    changed: Time,
    modified: Time,
    special_major: u32,
    special_minor: u32,
    device_major: u32,
    device_minor: u32,
    _rest: [u64; 14],
}

const _: () = assert!(size_of::<Stat>() == 256);

/// Seconds since 1970 and nanoseconds more (`struct statx_timestamp`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
struct Time {
    seconds: i64,
    nanoseconds: u32,
    _pad: i32,
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

impl Stat {
    /// How many bytes it has; of a symbolic link, how long its target is.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Its type and its permissions (`st_mode`).
    pub const fn mode(&self) -> u32 {
        self.mode as u32
    }

    /// Who may do what with it.
    pub fn permissions(&self) -> Permissions {
        Permissions::from_mode(self.mode())
    }

    /// Whether it is a plain file.
    pub const fn is_file(&self) -> bool {
        self.mode() & libc::S_IFMT == libc::S_IFREG
    }

    /// Whether it is a directory.
    pub const fn is_dir(&self) -> bool {
        self.mode() & libc::S_IFMT == libc::S_IFDIR
    }

    /// Whether it is a symbolic link.
    pub const fn is_symlink(&self) -> bool {
        self.mode() & libc::S_IFMT == libc::S_IFLNK
    }

    /// The user that owns it.
    pub const fn uid(&self) -> u32 {
        self.uid
    }

    /// The group that owns it.
    pub const fn gid(&self) -> u32 {
        self.gid
    }

    /// Its number in its file system.
    pub const fn inode(&self) -> u64 {
        self.inode
    }

    /// How many names it has.
    pub const fn links(&self) -> u32 {
        self.links
    }

    /// How much room it takes, in units of 512 bytes.
    pub const fn blocks(&self) -> u64 {
        self.blocks
    }

    /// How many bytes are best read or written at once.
    pub const fn block_size(&self) -> u32 {
        self.block_size
    }

    /// The device that holds its file system: the major and the minor number.
    pub const fn device(&self) -> (u32, u32) {
        (self.device_major, self.device_minor)
    }

    /// The device that it is, if it is one: the major and the minor number.
    pub const fn special_device(&self) -> (u32, u32) {
        (self.special_major, self.special_minor)
    }

    /// When it was last read, as far as its file system keeps count.
    pub fn accessed(&self) -> SystemTime {
        self.accessed.into()
    }

    /// When its contents were last written.
    pub fn modified(&self) -> SystemTime {
        self.modified.into()
    }

    /// When its contents, owner, permissions or names last changed.
    pub fn changed(&self) -> SystemTime {
        self.changed.into()
    }

    /// When it was made, if its file system remembers.
    pub fn created(&self) -> Option<SystemTime> {
        (self.mask & libc::STATX_BTIME != 0).then(|| self.created.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_before_1970_counts_backwards() {
        let time = Time { seconds: -1, nanoseconds: 250_000_000, _pad: 0 };
        assert_eq!(SystemTime::from(time), UNIX_EPOCH - Duration::from_millis(750));
        for seconds in [i64::MIN, i64::MAX] {
            let time = Time { seconds, nanoseconds: 999_999_999, _pad: 0 };
            assert_eq!(SystemTime::from(time) < UNIX_EPOCH, seconds < 0);
        }
    }
}
