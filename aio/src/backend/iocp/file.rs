//! Reads and writes of files, pipes and everything else that is a handle.

use std::io;
use std::mem;
use std::os::windows::io::RawHandle as Handle;
use std::ptr;
use std::slice;

use windows_sys::Wdk::Storage::FileSystem::{
    FILE_ACCESS_INFORMATION, FILE_INFORMATION_CLASS, FILE_MODE_INFORMATION,
    FILE_SYNCHRONOUS_IO_ALERT, FILE_SYNCHRONOUS_IO_NONALERT, FileAccessInformation,
    FileModeInformation, NtQueryInformationFile,
};
use windows_sys::Win32::Foundation as os;
use windows_sys::Win32::Storage::FileSystem::{
    FILE_APPEND_DATA, FILE_BEGIN, FILE_CURRENT, FILE_TYPE_CHAR, FILE_TYPE_DISK, FILE_WRITE_DATA,
    GetFileSizeEx, GetFileType, ReadFile, ReadFileEx, SetFilePointerEx, WriteFile, WriteFileEx,
};
use windows_sys::Win32::System::IO::{IO_STATUS_BLOCK, OVERLAPPED};

use super::codes::{handle_of, last, of_calls, of_status};
use super::console;
use super::flight::{Book, Luggage, file_done};
use super::socket::{Seat, Started};
use crate::error::Cause;
use crate::handle::RawHandle;
use crate::op::{RawOp, total};
use crate::sys::c;

/// How a handle is read and written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manner {
    /// Whether calls wait until they are done.
    pub waits: bool,
    /// Whether it has a position.
    pub has_position: bool,
}

/// Finds out how a handle is read and written.
pub fn manner(fd: RawHandle) -> Result<Manner, Cause> {
    if fd < 0 && fd > -16 {
        // These are no handles, or they stand for the process and its threads.
        return Err(Cause::Os(c::EBADF));
    }
    // SAFETY: a handle that is none is refused.
    let kind = unsafe { GetFileType(handle_of(fd)) };
    let mode = match query::<FILE_MODE_INFORMATION>(fd, FileModeInformation) {
        Ok(mode) => mode.Mode,
        // Consoles may not say; their calls wait.
        Err(_) if kind == FILE_TYPE_CHAR => FILE_SYNCHRONOUS_IO_NONALERT,
        Err(cause) => return Err(cause),
    };
    let waits = mode & (FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT) != 0;
    Ok(Manner { waits, has_position: kind == FILE_TYPE_DISK })
}

/// What the system says of a file: numbers, of the kind that `class` names.
fn query<T: Copy>(fd: RawHandle, class: FILE_INFORMATION_CLASS) -> Result<T, Cause> {
    // SAFETY: it is made of numbers and pointers.
    let mut said: T = unsafe { mem::zeroed() };
    // SAFETY: as above.
    let mut block: IO_STATUS_BLOCK = unsafe { mem::zeroed() };
    let len = size_of::<T>() as u32;
    // SAFETY: so much may be written to the local.
    let status = unsafe {
        NtQueryInformationFile(handle_of(fd), &mut block, (&raw mut said).cast(), len, class)
    };
    match of_status(status) {
        0 => Ok(said),
        // It is a handle, but of something that is not read and written.
        os::ERROR_INVALID_FUNCTION | os::ERROR_NOT_SUPPORTED => Err(Cause::Os(c::EINVAL)),
        code => Err(Cause::Os(of_calls(code))),
    }
}

/// Whether all writes of a file go to its end.
pub fn appends(fd: RawHandle) -> bool {
    let access = query::<FILE_ACCESS_INFORMATION>(fd, FileAccessInformation);
    access.is_ok_and(|access| {
        access.AccessFlags & (FILE_APPEND_DATA | FILE_WRITE_DATA) == FILE_APPEND_DATA
    })
}

/// Where a file is read and written next.
pub fn position(fd: RawHandle) -> Result<u64, Cause> {
    let mut position = 0;
    // SAFETY: a number is written to the local.
    match unsafe { SetFilePointerEx(handle_of(fd), 0, &mut position, FILE_CURRENT) } {
        0 => Err(Cause::Os(of_calls(last()))),
        _ => Ok(position as u64),
    }
}

/// Says where a file is read and written next.
pub fn set_position(fd: RawHandle, position: u64) {
    // SAFETY: nothing is written. It can't fail, where it could be asked for.
    unsafe { SetFilePointerEx(handle_of(fd), position as i64, ptr::null_mut(), FILE_BEGIN) };
}

/// How long a file is.
pub fn size(fd: RawHandle) -> Result<u64, Cause> {
    let mut size = 0;
    // SAFETY: a number is written to the local.
    match unsafe { GetFileSizeEx(handle_of(fd), &mut size) } {
        0 => Err(Cause::Os(of_calls(last()))),
        _ => Ok(size as u64),
    }
}

/// The descriptor of a read or a write, where it is to begin, and whether it is a write.
pub fn transfer_of(op: &RawOp) -> Option<(RawHandle, u64, bool)> {
    match *op {
        RawOp::Read { fd, offset, .. } | RawOp::Readv { fd, offset, .. } => {
            Some((fd, offset, false))
        }
        RawOp::Write { fd, offset, .. } | RawOp::Writev { fd, offset, .. } => {
            Some((fd, offset, true))
        }
        _ => None,
    }
}

/// How many bytes it is to move.
///
/// # Safety
///
/// What it names is valid.
pub unsafe fn len_of(op: &RawOp) -> u32 {
    match *op {
        RawOp::Read { len, .. } | RawOp::Write { len, .. } => len,
        RawOp::Readv { vectors, count, .. } | RawOp::Writev { vectors, count, .. } => {
            // SAFETY: passed on.
            let vectors = unsafe { vectors_of(vectors, count) };
            u32::try_from(total(vectors))
                .map_or(RawOp::MOST as u32, |total| total.min(RawOp::MOST as u32))
        }
        _ => 0,
    }
}

/// # Safety
///
/// They are valid for as long as the result is used.
unsafe fn vectors_of<'a>(vectors: *const c::iovec, count: u32) -> &'a [c::iovec] {
    match count {
        0 => &[],
        // SAFETY: passed on.
        _ => unsafe { slice::from_raw_parts(vectors, count as usize) },
    }
}

/// Where the bytes of a transfer are, and how many: in its own buffer, or in one that stands for
/// several, which go into it now if it is a write.
///
/// # Safety
///
/// What the operation names is valid.
unsafe fn buffer_of(op: &RawOp, luggage: &mut Luggage) -> Result<(*mut u8, u32), u32> {
    match *op {
        RawOp::Read { buf, len, .. } => Ok((buf, len)),
        RawOp::Write { buf, len, .. } => Ok((buf.cast_mut(), len)),
        _ => {
            // SAFETY: passed on.
            let len = unsafe { len_of(op) };
            let mut bytes = Vec::new();
            if bytes.try_reserve_exact(len as usize).is_err() {
                return Err(os::ERROR_NOT_ENOUGH_MEMORY);
            }
            if let RawOp::Writev { vectors, count, .. } = *op {
                // SAFETY: passed on.
                for vector in unsafe { vectors_of(vectors, count) } {
                    let rest = len as usize - bytes.len();
                    // SAFETY: passed on.
                    let part = unsafe {
                        slice::from_raw_parts(vector.iov_base.cast::<u8>(), vector.iov_len)
                    };
                    bytes.extend_from_slice(&part[..part.len().min(rest)]);
                }
            }
            bytes.resize(len as usize, 0);
            let buffer = bytes.as_mut_ptr();
            *luggage = Luggage::Bytes(bytes);
            Ok((buffer, len))
        }
    }
}

/// Moves what was read to where it is to go.
///
/// # Safety
///
/// What the operation names is valid, and so many bytes were read into its luggage.
pub unsafe fn scatter(op: &RawOp, luggage: &Luggage, count: u32) {
    let (RawOp::Readv { vectors, count: many, .. }, Luggage::Bytes(bytes)) = (*op, luggage) else {
        return;
    };
    let mut rest = &bytes[..count as usize];
    // SAFETY: passed on.
    for vector in unsafe { vectors_of(vectors, many) } {
        let (part, others) = rest.split_at(rest.len().min(vector.iov_len));
        // SAFETY: passed on; it has room for as much.
        unsafe { ptr::copy_nonoverlapping(part.as_ptr(), vector.iov_base.cast(), part.len()) };
        rest = others;
    }
}

/// Starts a read or a write of a handle whose calls do not wait.
///
/// # Safety
///
/// As for [`socket::start`](super::socket::start).
pub unsafe fn start(book: &mut Book, seat: &Seat) -> Started {
    let Some((fd, _, is_write)) = transfer_of(&book.op) else {
        return Started::Failed(c::EINVAL as u32);
    };
    // SAFETY: passed on.
    let (buffer, len) = match unsafe { buffer_of(&book.op, &mut book.luggage) } {
        Ok(buffer) => buffer,
        Err(code) => return Started::Failed(code),
    };
    let handle = handle_of(fd);
    let started = match (is_write, seat.has_routine) {
        // SAFETY: passed on; so in all of these.
        (false, true) => unsafe {
            ReadFileEx(handle, buffer, len, seat.overlapped, Some(file_done))
        },
        // SAFETY: see above.
        (true, true) => unsafe {
            WriteFileEx(handle, buffer, len, seat.overlapped, Some(file_done))
        },
        // SAFETY: see above.
        (false, false) => unsafe {
            ReadFile(handle, buffer, len, ptr::null_mut(), seat.overlapped)
        },
        // SAFETY: see above.
        (true, false) => unsafe {
            WriteFile(handle, buffer, len, ptr::null_mut(), seat.overlapped)
        },
    };
    let (status, bytes) = seat.status();
    match (started, last()) {
        (0, os::ERROR_IO_PENDING) => Started::Pending,
        (0, code) => Started::Failed(code),
        _ if status == os::STATUS_PENDING => Started::Pending,
        // A failure is told by the routine; where there is none, it has been told already.
        _ if status < 0 => Started::Pending,
        _ => Started::Done(bytes),
    }
}

/// Does a read or a write of a handle whose calls wait.
///
/// # Safety
///
/// What the operation names is valid and, where it is written to, unused.
pub unsafe fn transfer(op: &RawOp) -> Result<u32, Cause> {
    let Some((fd, offset, is_write)) = transfer_of(op) else { return Err(Cause::Unsupported) };
    let manner = manner(fd)?;
    if offset != RawOp::OWN_POSITION && !manner.has_position {
        return Err(Cause::Os(c::ESPIPE));
    }
    if let RawOp::Read { buf, len, .. } = *op
        && console::is_console(fd)
    {
        // SAFETY: passed on.
        return console::read_line(fd, unsafe { slice::from_raw_parts_mut(buf, len as usize) });
    }
    let mut luggage = Luggage::None;
    // SAFETY: passed on.
    let buffer = unsafe { buffer_of(op, &mut luggage) };
    let (buffer, len) = buffer.map_err(|code| Cause::Os(of_calls(code)))?;
    let turn = manner.has_position.then(|| turns::take(fd));
    let moved = match offset {
        // SAFETY: passed on.
        RawOp::OWN_POSITION => unsafe { call(handle_of(fd), buffer, len, is_write, None) },
        offset => {
            let before = position(fd)?;
            // SAFETY: passed on.
            let moved = unsafe { call(handle_of(fd), buffer, len, is_write, Some(offset)) };
            set_position(fd, before);
            moved
        }
    };
    drop(turn);
    let moved = moved.or_else(|code| result(op, code, 0))?;
    // SAFETY: passed on.
    unsafe { scatter(op, &luggage, moved) };
    Ok(moved)
}

/// Reads or writes in one call, which waits.
///
/// # Safety
///
/// The buffer is valid and, where it is written to, unused.
unsafe fn call(
    handle: Handle,
    buffer: *mut u8,
    len: u32,
    is_write: bool,
    offset: Option<u64>,
) -> Result<u32, u32> {
    // SAFETY: it is made of numbers and a handle.
    let mut overlapped: OVERLAPPED = unsafe { mem::zeroed() };
    let at = match offset {
        None => ptr::null_mut(),
        Some(offset) => {
            overlapped.Anonymous.Anonymous.Offset = offset as u32;
            overlapped.Anonymous.Anonymous.OffsetHigh = (offset >> 32) as u32;
            &raw mut overlapped
        }
    };
    let mut moved = 0;
    let done = match is_write {
        // SAFETY: passed on; the calls of this handle wait until they are done.
        true => unsafe { WriteFile(handle, buffer, len, &mut moved, at) },
        // SAFETY: as above.
        false => unsafe { ReadFile(handle, buffer, len, &mut moved, at) },
    };
    if done == 0 { Err(last()) } else { Ok(moved) }
}

/// The answer of a transfer that has ended.
///
/// # Errors
///
/// Why it failed.
pub fn result(op: &RawOp, code: u32, bytes: u32) -> Result<u32, Cause> {
    let is_read = matches!(op, RawOp::Read { .. } | RawOp::Readv { .. });
    match code {
        0 => Ok(bytes),
        os::ERROR_HANDLE_EOF | os::ERROR_BROKEN_PIPE | os::ERROR_PIPE_NOT_CONNECTED if is_read => {
            Ok(0)
        }
        os::ERROR_MORE_DATA if is_read => Ok(bytes),
        os::ERROR_NETNAME_DELETED => Err(Cause::Os(c::ECONNRESET)),
        code => Err(Cause::Os(of_calls(code))),
    }
}

/// Turns on the positions of files whose calls wait: one that leaves the position alone has to move
/// it and to move it back, and nobody of this library's may see that.
mod turns {
    use std::sync::{Mutex, MutexGuard};

    use crate::handle::RawHandle;

    static TURNS: [Mutex<()>; 16] = [const { Mutex::new(()) }; 16];

    /// Takes the turn of a file; others may have to wait for it too.
    pub fn take(fd: RawHandle) -> MutexGuard<'static, ()> {
        // Handles are multiples of four.
        let turn = &TURNS[(fd as usize >> 2) % TURNS.len()];
        turn.lock().expect("nothing panics in its turn")
    }
}

/// Why a plain call of `std` failed, in the words of operations.
pub fn failed<T>(result: io::Result<T>) -> Result<T, Cause> {
    result.map_err(|error| super::codes::cause_of(&error))
}
