//! What a file is, as far as Windows says it in the words of Unix.

use std::mem;
use std::os::windows::io::AsRawHandle;
use std::ptr;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, CreateFileW, FILE_ATTRIBUTE_DIRECTORY, FILE_ATTRIBUTE_READONLY,
    FILE_ATTRIBUTE_REPARSE_POINT, FILE_ATTRIBUTE_TAG_INFO, FILE_BASIC_INFO,
    FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, FILE_INFO_BY_HANDLE_CLASS,
    FILE_READ_ATTRIBUTES, FILE_STANDARD_INFO, FileAttributeTagInfo, FileBasicInfo,
    FileStandardInfo, GetFileInformationByHandle, GetFileInformationByHandleEx, OPEN_EXISTING,
};

use super::calls::SHARED;
use super::codes::{handle_of, last, of_calls};
use super::file;
use super::now::owned;
use super::path::{path_of, with_end};
use crate::error::Cause;
use crate::handle::RawHandle;
use crate::op::Stat;
use crate::sys::status::Time;
use crate::sys::{Status, c};

/// The links that programs see as such (`IO_REPARSE_TAG_SYMLINK`, `IO_REPARSE_TAG_MOUNT_POINT`).
const LINKS: [u32; 2] = [0xa000_000c, 0xa000_0003];

/// From 1601 to 1970, in steps of 100 ns.
const EPOCH: i64 = 116_444_736_000_000_000;

/// Finds out what the file at `path` is.
///
/// # Safety
///
/// The path ends with a NUL, and `stat` may be written to.
pub unsafe fn call(
    dir: RawHandle,
    path: *const u16,
    flags: i32,
    stat: *mut Stat,
) -> Result<u32, Cause> {
    // SAFETY: passed on.
    let is_empty = unsafe { *path } == 0;
    let found = if is_empty && flags & c::AT_EMPTY_PATH != 0 && dir != c::AT_FDCWD {
        file::manner(dir)?;
        of_open(handle_of(dir))?
    } else {
        // SAFETY: passed on.
        let name = with_end(&unsafe { path_of(dir, path) }?);
        let link = match flags & c::AT_SYMLINK_NOFOLLOW {
            0 => 0,
            _ => FILE_FLAG_OPEN_REPARSE_POINT,
        };
        // SAFETY: the name ends with a NUL and outlives the call.
        let opened = owned(unsafe {
            CreateFileW(
                name.as_ptr(),
                FILE_READ_ATTRIBUTES,
                SHARED,
                ptr::null(),
                OPEN_EXISTING,
                FILE_FLAG_BACKUP_SEMANTICS | link,
                ptr::null_mut(),
            )
        })?;
        of_open(opened.as_raw_handle())?
    };
    // SAFETY: passed on; it is made of nothing else.
    unsafe { stat.cast::<Status>().write(found) };
    Ok(0)
}

const _: () = assert!(size_of::<Stat>() == size_of::<Status>());

/// Something that the system says of an open file.
fn ask<T>(file: HANDLE, class: FILE_INFO_BY_HANDLE_CLASS) -> Result<T, Cause> {
    let mut said = mem::MaybeUninit::<T>::uninit();
    let len = size_of::<T>() as u32;
    // SAFETY: so much may be written to the local.
    let asked = unsafe { GetFileInformationByHandleEx(file, class, said.as_mut_ptr().cast(), len) };
    if asked == 0 {
        return Err(Cause::Os(of_calls(last())));
    }
    // SAFETY: it has been written.
    Ok(unsafe { said.assume_init() })
}

fn of_open(file: HANDLE) -> Result<Status, Cause> {
    let mut said = mem::MaybeUninit::<BY_HANDLE_FILE_INFORMATION>::uninit();
    // SAFETY: so much may be written to the local.
    if unsafe { GetFileInformationByHandle(file, said.as_mut_ptr()) } == 0 {
        return Err(Cause::Os(of_calls(last())));
    }
    // SAFETY: it has been written.
    let said = unsafe { said.assume_init() };
    let basic: FILE_BASIC_INFO = ask(file, FileBasicInfo)?;
    let standard: FILE_STANDARD_INFO = ask(file, FileStandardInfo)?;
    let is_link = said.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT != 0
        && ask(file, FileAttributeTagInfo)
            .is_ok_and(|tag: FILE_ATTRIBUTE_TAG_INFO| LINKS.contains(&tag.ReparseTag));
    let device = said.dwVolumeSerialNumber;
    let changed = if basic.ChangeTime == 0 { basic.LastWriteTime } else { basic.ChangeTime };
    Ok(Status {
        mask: Status::MASK,
        block_size: 4096,
        links: said.nNumberOfLinks,
        mode: mode(said.dwFileAttributes, is_link),
        inode: u64::from(said.nFileIndexHigh) << 32 | u64::from(said.nFileIndexLow),
        size: u64::from(said.nFileSizeHigh) << 32 | u64::from(said.nFileSizeLow),
        blocks: standard.AllocationSize as u64 / 512,
        accessed: time(basic.LastAccessTime),
        created: time(basic.CreationTime),
        changed: time(changed),
        modified: time(basic.LastWriteTime),
        device_major: device >> 16,
        device_minor: device & 0xffff,
        ..Status::default()
    })
}

fn mode(attributes: u32, is_link: bool) -> u16 {
    let permissions = match attributes & FILE_ATTRIBUTE_READONLY {
        0 => 0o666,
        _ => 0o444,
    };
    match attributes & FILE_ATTRIBUTE_DIRECTORY {
        _ if is_link => Status::SYMBOLIC_LINK | 0o777,
        0 => Status::FILE | permissions,
        _ => Status::DIRECTORY | permissions | 0o111,
    }
}

fn time(steps: i64) -> Time {
    let since = steps - EPOCH;
    let (seconds, rest) = (since.div_euclid(10_000_000), since.rem_euclid(10_000_000));
    Time::new(seconds, rest as u32 * 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_modes_are_those_of_unix() {
        let start = time(EPOCH);
        assert_eq!((start.seconds, start.nanoseconds), (0, 0));
        let before = time(EPOCH - 1);
        assert_eq!((before.seconds, before.nanoseconds), (-1, 999_999_900));
        assert_eq!(mode(FILE_ATTRIBUTE_DIRECTORY, false), 0o40777);
        assert_eq!(mode(FILE_ATTRIBUTE_READONLY, false), 0o100_444);
        assert_eq!(mode(FILE_ATTRIBUTE_DIRECTORY, true), 0o120_777);
    }
}
