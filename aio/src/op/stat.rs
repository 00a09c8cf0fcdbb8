//! What a file is: its size, its owner, its times.

use std::path::Path;
use std::time::SystemTime;

use super::path::CPath;
use super::private::Sealed;
use super::{Answer, Operation, RawOp};
use crate::error::Error;
use crate::handle::{Descriptor, IntoDescriptor};
use crate::kind::OpKind;
use crate::sys::{Status, c};

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
/// All. Windows knows no users and groups, and of the permissions whether anybody may write.
///
/// Source: statx(2); `IORING_OP_STATX`, Linux 5.6; fstatat(2); `GetFileInformationByHandle`.
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
        Statx { flags: self.flags | c::AT_SYMLINK_NOFOLLOW, ..self }
    }

    /// An empty `path` means `dir` itself, which may be any file.
    pub fn empty_path(self) -> Statx<D> {
        let (flags, path) = (self.flags | c::AT_EMPTY_PATH, self.path.may_be_empty());
        Statx { flags, path, ..self }
    }
}

impl<D> Sealed for Statx<D> {}
impl<D: Descriptor> Operation for Statx<D> {
    type Output = Stat;
    const KIND: OpKind = OpKind::Statx;

    fn lower(&mut self) -> RawOp {
        let (dir, path) = self.path.lower(self.dir.raw());
        RawOp::Statx { dir, path, flags: self.flags, mask: Status::MASK, stat: &raw mut self.stat }
    }

    fn finish(&mut self, answer: Answer) -> Result<Stat, Error> {
        CPath::judge(answer, [&self.path]).done(OpKind::Statx)?;
        Ok(self.stat)
    }
}

/// What a file is: see [`statx`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(transparent)]
pub struct Stat(Status);

impl Stat {
    /// How many bytes it has; of a symbolic link, how long its target is.
    pub const fn size(&self) -> u64 {
        self.0.size
    }

    /// Its type and its permissions (`st_mode`): the lower 9 bits say who may do what with it.
    pub const fn mode(&self) -> u32 {
        self.0.mode as u32
    }

    /// Whether it is a plain file.
    pub const fn is_file(&self) -> bool {
        self.0.is_of(Status::FILE)
    }

    /// Whether it is a directory.
    pub const fn is_dir(&self) -> bool {
        self.0.is_of(Status::DIRECTORY)
    }

    /// Whether it is a symbolic link.
    pub const fn is_symlink(&self) -> bool {
        self.0.is_of(Status::SYMBOLIC_LINK)
    }

    /// The user that owns it.
    pub const fn uid(&self) -> u32 {
        self.0.uid
    }

    /// The group that owns it.
    pub const fn gid(&self) -> u32 {
        self.0.gid
    }

    /// Its number in its file system.
    pub const fn inode(&self) -> u64 {
        self.0.inode
    }

    /// How many names it has.
    pub const fn links(&self) -> u32 {
        self.0.links
    }

    /// How much room it takes, in units of 512 bytes.
    pub const fn blocks(&self) -> u64 {
        self.0.blocks
    }

    /// How many bytes are best read or written at once.
    pub const fn block_size(&self) -> u32 {
        self.0.block_size
    }

    /// The device that holds its file system: the major and the minor number.
    pub const fn device(&self) -> (u32, u32) {
        (self.0.device_major, self.0.device_minor)
    }

    /// The device that it is, if it is one: the major and the minor number.
    pub const fn special_device(&self) -> (u32, u32) {
        (self.0.special_major, self.0.special_minor)
    }

    /// When it was last read, as far as its file system keeps count.
    pub fn accessed(&self) -> SystemTime {
        self.0.accessed.into()
    }

    /// When its contents were last written.
    pub fn modified(&self) -> SystemTime {
        self.0.modified.into()
    }

    /// When its contents, owner, permissions or names last changed.
    pub fn changed(&self) -> SystemTime {
        self.0.changed.into()
    }

    /// When it was made, if its file system remembers.
    pub fn created(&self) -> Option<SystemTime> {
        (self.0.mask & Status::HAS_CREATED != 0).then(|| self.0.created.into())
    }
}
