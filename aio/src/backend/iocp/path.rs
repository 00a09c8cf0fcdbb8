//! Paths that start at a directory that is open.

use std::ffi::OsString;
use std::fs;
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};
use std::slice;

use windows_sys::Win32::Storage::FileSystem::GetFinalPathNameByHandleW;

use super::codes::{handle_of, last, of_calls};
use super::file;
use crate::error::Cause;
use crate::handle::RawHandle;
use crate::sys::c;

/// A path in lowered form.
///
/// # Safety
///
/// It ends with a NUL, and is valid.
pub unsafe fn units(path: *const u16) -> OsString {
    let unit = |at: usize| path.wrapping_add(at);
    // SAFETY: passed on: none is read that is behind the NUL.
    let len = (0..).take_while(|at| unsafe { *unit(*at) } != 0).count();
    // SAFETY: passed on.
    OsString::from_wide(unsafe { slice::from_raw_parts(path, len) })
}

/// A path as calls take it.
pub fn with_end(path: &Path) -> Vec<u16> {
    path.as_os_str().encode_wide().chain([0]).collect()
}

/// What is at a path, if anything; a link is not followed.
pub fn kind_of(path: &Path) -> Option<fs::FileType> {
    fs::symlink_metadata(path).ok().map(|found| found.file_type())
}

/// The path that leads to what `path` names from `dir` on.
///
/// # Safety
///
/// The path ends with a NUL, and is valid.
pub unsafe fn path_of(dir: RawHandle, path: *const u16) -> Result<PathBuf, Cause> {
    // SAFETY: passed on.
    let path = PathBuf::from(unsafe { units(path) });
    if dir == c::AT_FDCWD || path.is_absolute() || path.has_root() {
        return Ok(path);
    }
    let mut whole = path_of_open(dir)?;
    if path.as_os_str().is_empty() {
        return Ok(whole);
    }
    if !fs::metadata(&whole).is_ok_and(|found| found.is_dir()) {
        return Err(Cause::Os(c::ENOTDIR));
    }
    for component in path.components() {
        match component {
            Component::ParentDir => {
                whole.pop();
            }
            Component::Normal(name) => whole.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    Ok(whole)
}

/// The path of what is open.
fn path_of_open(dir: RawHandle) -> Result<PathBuf, Cause> {
    file::manner(dir)?;
    let mut name = vec![0; 512];
    loop {
        let room = name.len() as u32;
        // SAFETY: so much may be written.
        let len = unsafe { GetFinalPathNameByHandleW(handle_of(dir), name.as_mut_ptr(), room, 0) };
        match len as usize {
            0 => return Err(Cause::Os(of_calls(last()))),
            len if len < name.len() => {
                name.truncate(len);
                return Ok(PathBuf::from(OsString::from_wide(&name)));
            }
            len => name.resize(len + 1, 0),
        }
    }
}
