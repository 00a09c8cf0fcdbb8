//! Operations on the names in directories.
//!
//! A path is looked up from its directory on if it is relative; [`Cwd`](crate::Cwd) is the current
//! directory.

use std::path::Path;

use super::path::CPath;
use super::private::Sealed;
use super::{Answer, Operation, RawOp};
use crate::error::Error;
use crate::handle::{CLOSED, Descriptor, IntoDescriptor};
use crate::kind::OpKind;
use crate::sys::c;

/// Gives the file (or directory) at `old`, from `from` on, the name `new`, from `to` on. A file
/// that has that name already is replaced, all at once, unless the methods of [`RenameAt`] say
/// otherwise.
///
/// # Errors
///
/// - [`Cause::Os`](crate::Cause::Os)`(ENOENT)`: there is no such file, or no such directory.
/// - [`Cause::Os`](crate::Cause::Os)`(EEXIST)`: there is one at `new`, and `no_replace` was asked
///   for.
/// - [`Cause::Os`](crate::Cause::Os)`(EISDIR)`, `(ENOTDIR)`, `(ENOTEMPTY)`: what is at `new` can't
///   be replaced by what is at `old`.
/// - [`Cause::Os`](crate::Cause::Os)`(EXDEV)`: they are not on the same file system.
/// - [`Cause::InvalidPath`](crate::Cause::InvalidPath): a path holds a NUL byte.
///
/// Source: renameat2(2); `IORING_OP_RENAMEAT`, Linux 5.11.
pub fn rename_at<F: IntoDescriptor, T: IntoDescriptor>(
    from: F,
    old: impl AsRef<Path>,
    to: T,
    new: impl AsRef<Path>,
) -> RenameAt<F::Descriptor, T::Descriptor> {
    let (from, to) = (from.into_descriptor(), to.into_descriptor());
    RenameAt { from, old: CPath::new(old), to, new: CPath::new(new), flags: 0 }
}

/// See [`rename_at`].
#[derive(Debug)]
pub struct RenameAt<F, T> {
    from: F,
    old: CPath,
    to: T,
    new: CPath,
    flags: u32,
}

impl<F, T> RenameAt<F, T> {
    /// Fails if there is a file with the new name already.
    pub fn no_replace(self) -> RenameAt<F, T> {
        RenameAt { flags: self.flags | c::RENAME_NOREPLACE, ..self }
    }

    /// The two files, which must both exist, exchange their names.
    pub fn exchange(self) -> RenameAt<F, T> {
        RenameAt { flags: self.flags | c::RENAME_EXCHANGE, ..self }
    }
}

impl<F, T> Sealed for RenameAt<F, T> {}
impl<F: Descriptor, T: Descriptor> Operation for RenameAt<F, T> {
    type Output = ();
    const KIND: OpKind = OpKind::RenameAt;

    fn lower(&mut self) -> RawOp {
        let (from, old) = self.old.lower(self.from.raw());
        let (to, new) = self.new.lower(self.to.raw());
        RawOp::RenameAt { from, old, to, new, flags: self.flags }
    }

    fn finish(&mut self, answer: Answer) -> Result<(), Error> {
        CPath::judge(answer, [&self.old, &self.new]).done(OpKind::RenameAt)
    }
}

/// Removes the name `path`, from `dir` on, of a file; or an empty directory, if
/// [`directory`](UnlinkAt::directory) says so. A file without names is gone when nobody has it open
/// any more.
///
/// # Errors
///
/// - [`Cause::Os`](crate::Cause::Os)`(ENOENT)`: there is no such file.
/// - [`Cause::Os`](crate::Cause::Os)`(EISDIR)`: it is a directory (other systems: `EPERM`).
/// - [`Cause::Os`](crate::Cause::Os)`(ENOTDIR)`: it is none, and `directory` was asked for.
/// - [`Cause::Os`](crate::Cause::Os)`(ENOTEMPTY)`: the directory is not empty.
/// - [`Cause::InvalidPath`](crate::Cause::InvalidPath): `path` holds a NUL byte.
///
/// Source: unlinkat(2); `IORING_OP_UNLINKAT`, Linux 5.11.
pub fn unlink_at<D: IntoDescriptor>(dir: D, path: impl AsRef<Path>) -> UnlinkAt<D::Descriptor> {
    UnlinkAt { dir: dir.into_descriptor(), path: CPath::new(path), flags: 0 }
}

/// See [`unlink_at`].
#[derive(Debug)]
pub struct UnlinkAt<D> {
    dir: D,
    path: CPath,
    flags: i32,
}

impl<D> UnlinkAt<D> {
    /// Removes an empty directory, and nothing else.
    pub fn directory(self) -> UnlinkAt<D> {
        UnlinkAt { flags: c::AT_REMOVEDIR, ..self }
    }
}

impl<D> Sealed for UnlinkAt<D> {}
impl<D: Descriptor> Operation for UnlinkAt<D> {
    type Output = ();
    const KIND: OpKind = OpKind::UnlinkAt;

    fn lower(&mut self) -> RawOp {
        let (dir, path) = self.path.lower(self.dir.raw());
        RawOp::UnlinkAt { dir, path, flags: self.flags }
    }

    fn finish(&mut self, answer: Answer) -> Result<(), Error> {
        CPath::judge(answer, [&self.path]).done(OpKind::UnlinkAt)
    }
}

/// Makes the directory `path`, from `dir` on.
///
/// # Errors
///
/// - [`Cause::Os`](crate::Cause::Os)`(EEXIST)`: there is a file or directory of that name.
/// - [`Cause::Os`](crate::Cause::Os)`(ENOENT)`: the directory that it is to be in is missing.
/// - [`Cause::InvalidPath`](crate::Cause::InvalidPath): `path` holds a NUL byte.
///
/// Source: mkdirat(2); `IORING_OP_MKDIRAT`, Linux 5.15.
pub fn mkdir_at<D: IntoDescriptor>(dir: D, path: impl AsRef<Path>) -> MkdirAt<D::Descriptor> {
    MkdirAt { dir: dir.into_descriptor(), path: CPath::new(path), mode: 0o777 }
}

/// See [`mkdir_at`].
#[derive(Debug)]
pub struct MkdirAt<D> {
    dir: D,
    path: CPath,
    mode: u32,
}

impl<D> MkdirAt<D> {
    /// The permissions of the directory, less the process's mask; 0o777 by default.
    pub fn mode(self, mode: u32) -> MkdirAt<D> {
        MkdirAt { mode, ..self }
    }
}

impl<D> Sealed for MkdirAt<D> {}
impl<D: Descriptor> Operation for MkdirAt<D> {
    type Output = ();
    const KIND: OpKind = OpKind::MkdirAt;

    fn lower(&mut self) -> RawOp {
        let (dir, path) = self.path.lower(self.dir.raw());
        RawOp::MkdirAt { dir, path, mode: self.mode }
    }

    fn finish(&mut self, answer: Answer) -> Result<(), Error> {
        CPath::judge(answer, [&self.path]).done(OpKind::MkdirAt)
    }
}

/// Makes the symbolic link `path`, from `dir` on, that says `target`, which need not exist.
///
/// # Errors
///
/// - [`Cause::Os`](crate::Cause::Os)`(EEXIST)`: there is a file or directory of that name.
/// - [`Cause::Os`](crate::Cause::Os)`(ENOENT)`: the directory that it is to be in is missing, or
///   `target` is empty.
/// - [`Cause::InvalidPath`](crate::Cause::InvalidPath): `target` or `path` holds a NUL byte.
///
/// Source: symlinkat(2); `IORING_OP_SYMLINKAT`, Linux 5.15.
pub fn symlink_at<D: IntoDescriptor>(
    target: impl AsRef<Path>,
    dir: D,
    path: impl AsRef<Path>,
) -> SymlinkAt<D::Descriptor> {
    let dir = dir.into_descriptor();
    SymlinkAt { target: CPath::new(target), dir, path: CPath::new(path) }
}

/// See [`symlink_at`].
#[derive(Debug)]
pub struct SymlinkAt<D> {
    target: CPath,
    dir: D,
    path: CPath,
}

impl<D> Sealed for SymlinkAt<D> {}
impl<D: Descriptor> Operation for SymlinkAt<D> {
    type Output = ();
    const KIND: OpKind = OpKind::SymlinkAt;

    fn lower(&mut self) -> RawOp {
        let (_, target) = self.target.lower(CLOSED);
        // A target that is no path lets the link be nowhere.
        let place = if self.target.is_path() { &self.path } else { &self.target };
        let (dir, path) = place.lower(self.dir.raw());
        RawOp::SymlinkAt { target, dir, path }
    }

    fn finish(&mut self, answer: Answer) -> Result<(), Error> {
        CPath::judge(answer, [&self.target, &self.path]).done(OpKind::SymlinkAt)
    }
}

/// Gives the file at `old`, from `from` on, one more name: `new`, from `to` on.
///
/// # Errors
///
/// - [`Cause::Os`](crate::Cause::Os)`(ENOENT)`: there is no such file, or no such directory.
/// - [`Cause::Os`](crate::Cause::Os)`(EEXIST)`: there is one at `new`.
/// - [`Cause::Os`](crate::Cause::Os)`(EPERM)`: it is a directory, or its file system has no links.
/// - [`Cause::Os`](crate::Cause::Os)`(EXDEV)`: they are not on the same file system.
/// - [`Cause::InvalidPath`](crate::Cause::InvalidPath): a path holds a NUL byte.
///
/// Source: linkat(2); `IORING_OP_LINKAT`, Linux 5.15.
pub fn link_at<F: IntoDescriptor, T: IntoDescriptor>(
    from: F,
    old: impl AsRef<Path>,
    to: T,
    new: impl AsRef<Path>,
) -> LinkAt<F::Descriptor, T::Descriptor> {
    let (from, to) = (from.into_descriptor(), to.into_descriptor());
    LinkAt { from, old: CPath::new(old), to, new: CPath::new(new), flags: 0 }
}

/// See [`link_at`].
#[derive(Debug)]
pub struct LinkAt<F, T> {
    from: F,
    old: CPath,
    to: T,
    new: CPath,
    flags: i32,
}

impl<F, T> LinkAt<F, T> {
    /// If `old` is a symbolic link, what it leads to gets the name, and not the link itself.
    pub fn follow(self) -> LinkAt<F, T> {
        LinkAt { flags: c::AT_SYMLINK_FOLLOW, ..self }
    }
}

impl<F, T> Sealed for LinkAt<F, T> {}
impl<F: Descriptor, T: Descriptor> Operation for LinkAt<F, T> {
    type Output = ();
    const KIND: OpKind = OpKind::LinkAt;

    fn lower(&mut self) -> RawOp {
        let (from, old) = self.old.lower(self.from.raw());
        let (to, new) = self.new.lower(self.to.raw());
        RawOp::LinkAt { from, old, to, new, flags: self.flags }
    }

    fn finish(&mut self, answer: Answer) -> Result<(), Error> {
        CPath::judge(answer, [&self.old, &self.new]).done(OpKind::LinkAt)
    }
}
