//! Operations as calls that may wait: those on files and on names.

use std::fs;
use std::io;
use std::os::windows::fs::{symlink_dir, symlink_file};
use std::os::windows::io::{AsRawHandle, IntoRawHandle, OwnedHandle};
use std::path::PathBuf;
use std::ptr;

use windows_sys::Win32::Foundation as os;
use windows_sys::Win32::Storage::FileSystem::{
    CREATE_ALWAYS, CREATE_NEW, CreateFileW, FILE_ALLOCATION_INFO, FILE_APPEND_DATA,
    FILE_ATTRIBUTE_NORMAL, FILE_ATTRIBUTE_READONLY, FILE_END_OF_FILE_INFO,
    FILE_FLAG_BACKUP_SEMANTICS, FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_INFO_BY_HANDLE_CLASS,
    FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE, FILE_TYPE_DISK, FILE_WRITE_DATA,
    FileAllocationInfo, FileEndOfFileInfo, FlushFileBuffers, GetFileType, MOVEFILE_WRITE_THROUGH,
    MoveFileExW, OPEN_ALWAYS, OPEN_EXISTING, ReOpenFile, SetFileInformationByHandle,
    TRUNCATE_EXISTING,
};

use super::codes::{handle_of, last, of_calls};
use super::file::{self, failed};
use super::now::owned;
use super::path::{kind_of, path_of, units};
use super::stat;
use crate::error::Cause;
use crate::handle::RawHandle;
use crate::op::RawOp;
use crate::sys::c;

/// What others may do with a file that is open here: everything, as on other systems.
pub const SHARED: u32 = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

/// Whether an operation has such a call.
pub const fn has(op: &RawOp) -> bool {
    matches!(
        op,
        RawOp::Fsync { .. }
            | RawOp::OpenAt { .. }
            | RawOp::Ftruncate { .. }
            | RawOp::Fallocate { .. }
            | RawOp::Statx { .. }
            | RawOp::RenameAt { .. }
            | RawOp::UnlinkAt { .. }
            | RawOp::MkdirAt { .. }
            | RawOp::SymlinkAt { .. }
            | RawOp::LinkAt { .. }
    )
}

/// Does an operation; `None` if there is no such call.
///
/// # Safety
///
/// The memory that it names is valid and, where it is written to, unused.
pub unsafe fn call(op: &RawOp) -> Option<Result<u32, Cause>> {
    Some(match *op {
        RawOp::Nop => Ok(0),
        RawOp::Read { .. } | RawOp::Write { .. } | RawOp::Readv { .. } | RawOp::Writev { .. } => {
            // SAFETY: passed on; so in all of these.
            unsafe { file::transfer(op) }
        }
        RawOp::Fsync { fd, .. } => flush(fd),
        RawOp::Ftruncate { fd, len } => truncate(fd, len),
        RawOp::Fallocate { fd, mode, offset, len } => allocate(fd, mode, offset, len),
        RawOp::OpenAt { dir, path, flags, mode } => {
            // SAFETY: see above.
            unsafe { path_of(dir, path) }.and_then(|path| open(path, flags, mode))
        }
        RawOp::Statx { dir, path, flags, stat, .. } => {
            // SAFETY: see above.
            unsafe { stat::call(dir, path, flags, stat) }
        }
        RawOp::RenameAt { from, old, to, new, flags } => {
            // SAFETY: see above.
            let old = unsafe { path_of(from, old) };
            // SAFETY: see above.
            let new = unsafe { path_of(to, new) };
            both(old, new).and_then(|(old, new)| rename(old, new, flags))
        }
        RawOp::UnlinkAt { dir, path, flags } => {
            // SAFETY: see above.
            unsafe { path_of(dir, path) }.and_then(|path| unlink(path, flags))
        }
        RawOp::MkdirAt { dir, path, .. } => {
            // SAFETY: see above.
            unsafe { path_of(dir, path) }.and_then(|path| done(fs::create_dir(path)))
        }
        RawOp::SymlinkAt { target, dir, path } => {
            // SAFETY: see above.
            let target = unsafe { units(target) };
            // SAFETY: see above.
            let path = unsafe { path_of(dir, path) };
            path.and_then(|path| symlink(PathBuf::from(target), path))
        }
        RawOp::LinkAt { from, old, to, new, flags } => {
            // SAFETY: see above.
            let old = unsafe { path_of(from, old) };
            // SAFETY: see above.
            let new = unsafe { path_of(to, new) };
            both(old, new).and_then(|(old, new)| link(old, new, flags))
        }
        _ => return None,
    })
}

fn done(result: io::Result<()>) -> Result<u32, Cause> {
    failed(result).map(|()| 0)
}

fn both<A, B>(a: Result<A, Cause>, b: Result<B, Cause>) -> Result<(A, B), Cause> {
    Ok((a?, b?))
}

/// Refuses what is no file.
fn disk(fd: RawHandle) -> Result<(), Cause> {
    let manner = file::manner(fd)?;
    if manner.has_position { Ok(()) } else { Err(Cause::Os(c::EINVAL)) }
}

fn flush(fd: RawHandle) -> Result<u32, Cause> {
    disk(fd)?;
    // SAFETY: it has no conditions.
    if unsafe { FlushFileBuffers(handle_of(fd)) } != 0 {
        return Ok(0);
    }
    let code = last();
    if code != os::ERROR_ACCESS_DENIED {
        return Err(Cause::Os(of_calls(code)));
    }
    // One that was opened for reading only does not flush what others have written.
    // SAFETY: as above.
    let again = owned(unsafe { ReOpenFile(handle_of(fd), FILE_GENERIC_WRITE, SHARED, 0) })?;
    // SAFETY: as above.
    said(unsafe { FlushFileBuffers(again.as_raw_handle()) })
}

/// What a call says: true, or that there is an error.
fn said(returned: i32) -> Result<u32, Cause> {
    if returned == 0 { Err(Cause::Os(of_calls(last()))) } else { Ok(0) }
}

/// Tells the system something of a file.
fn inform<T>(fd: RawHandle, class: FILE_INFO_BY_HANDLE_CLASS, what: &T) -> Result<u32, Cause> {
    let (handle, what, len) = (handle_of(fd), ptr::from_ref(what).cast(), size_of::<T>() as u32);
    // SAFETY: so much is read of what is borrowed.
    match said(unsafe { SetFileInformationByHandle(handle, class, what, len) }) {
        Err(Cause::Os(code)) if code == os::ERROR_ACCESS_DENIED as i32 => Err(Cause::Os(c::EINVAL)),
        result => result,
    }
}

fn truncate(fd: RawHandle, len: u64) -> Result<u32, Cause> {
    disk(fd)?;
    let len = i64::try_from(len).map_err(|_| Cause::Os(c::EINVAL))?;
    // It does not say that this is too long.
    inform(fd, FileEndOfFileInfo, &FILE_END_OF_FILE_INFO { EndOfFile: len }).map_err(|cause| {
        let is_too_long = cause == Cause::Os(os::ERROR_INVALID_PARAMETER as i32) && len > 1 << 40;
        if is_too_long { Cause::Os(c::EFBIG) } else { cause }
    })
}

fn allocate(fd: RawHandle, mode: i32, offset: u64, len: u64) -> Result<u32, Cause> {
    disk(fd)?;
    let end = offset.checked_add(len).and_then(|end| i64::try_from(end).ok());
    let end = end.filter(|_| len > 0).ok_or(Cause::Os(c::EINVAL))?;
    let is_longer = end as u64 > file::size(fd)?;
    match mode {
        0 if is_longer => inform(fd, FileEndOfFileInfo, &FILE_END_OF_FILE_INFO { EndOfFile: end }),
        c::FALLOC_FL_KEEP_SIZE if is_longer => {
            inform(fd, FileAllocationInfo, &FILE_ALLOCATION_INFO { AllocationSize: end })
        }
        0 | c::FALLOC_FL_KEEP_SIZE => Ok(0),
        _ => Err(Cause::Unsupported),
    }
}

/// Opens a file or a directory.
fn open(path: PathBuf, flags: i32, mode: u32) -> Result<u32, Cause> {
    let access = match flags & (c::O_WRONLY | c::O_RDWR) {
        c::O_RDONLY => FILE_GENERIC_READ,
        c::O_WRONLY => FILE_GENERIC_WRITE,
        _ => FILE_GENERIC_READ | FILE_GENERIC_WRITE,
    };
    let access = match flags & c::O_APPEND {
        0 => access,
        // Without the right to write elsewhere, each write goes to the end.
        _ => access & !FILE_WRITE_DATA | access & FILE_APPEND_DATA,
    };
    let has = |flag| flags & flag != 0;
    let disposition = match (has(c::O_CREAT), has(c::O_EXCL), has(c::O_TRUNC)) {
        (true, true, _) => CREATE_NEW,
        (true, false, true) => CREATE_ALWAYS,
        (true, false, false) => OPEN_ALWAYS,
        (false, _, true) if has(c::O_WRONLY | c::O_RDWR) => TRUNCATE_EXISTING,
        _ => OPEN_EXISTING,
    };
    // The right to truncate is that to write, also of one that appends.
    let access = match disposition {
        TRUNCATE_EXISTING => access | os::GENERIC_WRITE,
        _ => access,
    };
    let attributes = match mode & 0o222 {
        0 if has(c::O_CREAT) => FILE_ATTRIBUTE_READONLY,
        _ => FILE_ATTRIBUTE_NORMAL,
    };
    let own = (flags & !c::O_ALL) as u32 | FILE_FLAG_BACKUP_SEMANTICS;
    let name = super::path::with_end(&path);
    // SAFETY: the name ends with a NUL and outlives the call.
    let opened = owned(unsafe {
        CreateFileW(
            name.as_ptr(),
            access,
            SHARED,
            ptr::null(),
            disposition,
            attributes | own,
            ptr::null_mut(),
        )
    });
    let file = opened.map_err(|cause| no_directory(cause, &path, c::EISDIR))?;
    check(&file, flags, &path)?;
    Ok(file.into_raw_handle() as usize as u32)
}

/// Refuses a directory that was opened as a file, and a file that was opened as a directory.
fn check(file: &OwnedHandle, flags: i32, path: &std::path::Path) -> Result<(), Cause> {
    // SAFETY: it is open.
    if unsafe { GetFileType(file.as_raw_handle()) } != FILE_TYPE_DISK {
        return Ok(());
    }
    let wants_directory = flags & c::O_DIRECTORY != 0;
    let wants_to_write = flags & (c::O_WRONLY | c::O_RDWR | c::O_TRUNC) != 0;
    if !wants_directory && !wants_to_write {
        return Ok(());
    }
    match kind_of(path).is_some_and(|kind| kind.is_dir()) {
        true if wants_to_write => Err(Cause::Os(c::EISDIR)),
        false if wants_directory => Err(Cause::Os(c::ENOTDIR)),
        _ => Ok(()),
    }
}

/// Says better why something was denied, if it is because of a directory.
fn no_directory(cause: Cause, path: &std::path::Path, code: i32) -> Cause {
    let is_denied = cause == Cause::Os(os::ERROR_ACCESS_DENIED as i32);
    match is_denied && kind_of(path).is_some_and(|kind| kind.is_dir()) {
        true => Cause::Os(code),
        false => cause,
    }
}

fn rename(old: PathBuf, new: PathBuf, flags: u32) -> Result<u32, Cause> {
    match flags {
        0 => {}
        c::RENAME_NOREPLACE => {
            let (old, new) = (super::path::with_end(&old), super::path::with_end(&new));
            // SAFETY: the names end with a NUL and outlive the call.
            return said(unsafe {
                MoveFileExW(old.as_ptr(), new.as_ptr(), MOVEFILE_WRITE_THROUGH)
            });
        }
        _ => return Err(Cause::Unsupported),
    }
    match (kind_of(&old), kind_of(&new)) {
        // An empty one is replaced, but the system does not do that by itself.
        (Some(from), Some(to)) if from.is_dir() && to.is_dir() && !is_same(&old, &new) => {
            failed(fs::remove_dir(&new))?;
        }
        (Some(from), Some(to)) if from.is_dir() && !to.is_dir() => {
            return Err(Cause::Os(c::ENOTDIR));
        }
        (Some(from), Some(to)) if !from.is_dir() && to.is_dir() => {
            return Err(Cause::Os(c::EISDIR));
        }
        _ => {}
    }
    done(fs::rename(old, new))
}

fn is_same(one: &std::path::Path, other: &std::path::Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

fn unlink(path: PathBuf, flags: i32) -> Result<u32, Cause> {
    let wants_directory = flags & c::AT_REMOVEDIR != 0;
    match kind_of(&path) {
        Some(kind) if wants_directory && !kind.is_dir() => Err(Cause::Os(c::ENOTDIR)),
        Some(kind) if !wants_directory && kind.is_dir() => Err(Cause::Os(c::EISDIR)),
        _ if wants_directory => done(fs::remove_dir(path)),
        // A link that leads to a directory is removed as one.
        Some(kind) if kind.is_symlink() => {
            done(fs::remove_file(&path).or_else(|_| fs::remove_dir(&path)))
        }
        _ => done(fs::remove_file(path)),
    }
}

/// Makes a symbolic link, of the kind that its target needs: that of a file, if there is none.
fn symlink(target: PathBuf, path: PathBuf) -> Result<u32, Cause> {
    let from = path.parent().map_or_else(|| target.clone(), |parent| parent.join(&target));
    match fs::metadata(from).is_ok_and(|target| target.is_dir()) {
        true => done(symlink_dir(target, path)),
        false => done(symlink_file(target, path)),
    }
}

fn link(old: PathBuf, new: PathBuf, flags: i32) -> Result<u32, Cause> {
    let old = match flags & c::AT_SYMLINK_FOLLOW {
        0 => old,
        _ => failed(fs::canonicalize(old))?,
    };
    done(fs::hard_link(old, new))
}
