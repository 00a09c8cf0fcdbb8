//! Reads of a console: keys and other events, as the bytes that a Unix terminal sends.

use std::fs::OpenOptions;
use std::mem::MaybeUninit;
use std::os::windows::io::AsRawHandle;
use std::sync::{Mutex, MutexGuard};

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::Console::{
    CONSOLE_SCREEN_BUFFER_INFO, ENABLE_LINE_INPUT, ENABLE_MOUSE_INPUT, ENABLE_QUICK_EDIT_MODE,
    ENABLE_WINDOW_INPUT, FOCUS_EVENT, GetConsoleMode, GetConsoleScreenBufferInfo,
    GetNumberOfConsoleInputEvents, INPUT_RECORD, KEY_EVENT, MOUSE_EVENT, ReadConsoleInputW,
    ReadConsoleW, WINDOW_BUFFER_SIZE_EVENT,
};

use super::codes::{handle_of, last, of_calls};
use super::flight::Course;
use super::wait::Wait;
use super::{Iocp, WAITED, calls, packet};
use crate::console::{Key as Typed, Modifiers, Mouse, Record, Reports, Translation};
use crate::error::Cause;
use crate::handle::RawHandle;
use crate::key::Key;
use crate::op::RawOp;

/// What this process has read from its console, which is one: a process has one at a time.
static TRANSLATION: Mutex<Option<Translation>> = Mutex::new(None);

/// How many records are read at once.
const RECORDS: usize = 64;

/// How many units of a line are read at once: each makes up to three bytes.
const UNITS: usize = 1024;

fn translation() -> MutexGuard<'static, Option<Translation>> {
    TRANSLATION.lock().expect("nothing panics while it holds the lock")
}

/// The mode of a console's input; `None` if it is none.
fn mode(fd: RawHandle) -> Option<u32> {
    let mut mode = 0;
    // SAFETY: a number is written to the local.
    (unsafe { GetConsoleMode(handle_of(fd), &mut mode) } != 0).then_some(mode)
}

/// Whether it is the input of a console.
pub fn is_console(fd: RawHandle) -> bool {
    mode(fd).is_some()
}

/// What a program has asked a console for, beside keys.
fn reports(mode: u32) -> Reports {
    let windows = mode & ENABLE_WINDOW_INPUT != 0;
    let has_mouse = mode & ENABLE_MOUSE_INPUT != 0 && mode & ENABLE_QUICK_EDIT_MODE == 0;
    Reports { mouse: has_mouse, size: windows, focus: windows }
}

impl Iocp {
    /// Starts a read of a console; an answer, if there is something already.
    pub(super) fn start_console(
        &mut self,
        key: Key,
        op: &RawOp,
        fd: RawHandle,
    ) -> Option<Result<u32, Cause>> {
        let index = self.flights.board(key, op, Course::Object);
        let result = match mode(fd) {
            // A line is typed while somebody reads it; so a thread does.
            Some(mode) if mode & ENABLE_LINE_INPUT != 0 => self.await_console(index),
            _ => self.read_console(index),
        };
        let result = result?;
        self.leave(index);
        Some(result)
    }

    /// Reads what has been typed; waits for more if that has no bytes.
    pub(super) fn read_console(&mut self, index: usize) -> Option<Result<u32, Cause>> {
        let book = self.flights.book(index);
        let op = book.op;
        let RawOp::Read { fd, buf, len, .. } = op else { return Some(Err(Cause::Unsupported)) };
        let mode = match mode(fd) {
            Some(mode) => mode,
            None => return Some(Err(Cause::Os(of_calls(last())))),
        };
        if mode & ENABLE_LINE_INPUT != 0 {
            if self.max_threads == 0 {
                // SAFETY: who started the operation keeps its memory in place until it is answered.
                return unsafe { calls::call(&op) };
            }
            self.call_apart(index);
            return None;
        }
        // SAFETY: as above.
        let buf = unsafe { std::slice::from_raw_parts_mut(buf, len as usize) };
        match read(fd, mode, buf) {
            Ok(0) if len > 0 => self.await_console(index),
            result => Some(result),
        }
    }

    /// Waits until something is typed.
    fn await_console(&mut self, index: usize) -> Option<Result<u32, Cause>> {
        let book = self.flights.book(index);
        let console = handle_of(book.op.descriptor()?);
        match Wait::new(console, &self.port, packet(WAITED, book.key)) {
            Ok(wait) => {
                book.wait = Some(wait);
                None
            }
            Err(cause) => Some(Err(cause)),
        }
    }
}

/// Reads the records that are there; yields how many bytes they have made.
fn read(fd: RawHandle, mode: u32, buf: &mut [u8]) -> Result<u32, Cause> {
    let mut translation = translation();
    let translation = translation.get_or_insert_with(Translation::default);
    translation.reports = reports(mode);
    let handle = handle_of(fd);
    while translation.unread() == 0 {
        let mut count = 0;
        // SAFETY: a number is written to the local.
        if unsafe { GetNumberOfConsoleInputEvents(handle, &mut count) } == 0 {
            return Err(Cause::Os(of_calls(last())));
        }
        if count == 0 {
            break;
        }
        let mut records = [const { MaybeUninit::<INPUT_RECORD>::uninit() }; RECORDS];
        let room = count.min(RECORDS as u32);
        // SAFETY: so many may be written.
        if unsafe { ReadConsoleInputW(handle, records.as_mut_ptr().cast(), room, &mut count) } == 0
        {
            return Err(Cause::Os(of_calls(last())));
        }
        for record in &records[..count as usize] {
            // SAFETY: so many have been written.
            if let Some(record) = record_of(unsafe { record.assume_init_ref() }) {
                translation.feed(&record);
            }
        }
    }
    Ok(translation.read(buf) as u32)
}

/// A record in our words; `None` if it has none.
fn record_of(record: &INPUT_RECORD) -> Option<Record> {
    match u32::from(record.EventType) {
        KEY_EVENT => {
            // SAFETY: its type says that it is one of a key.
            let key = unsafe { record.Event.KeyEvent };
            // SAFETY: all that a key has may be read as UTF-16, which is what was asked for.
            let unit = unsafe { key.uChar.UnicodeChar };
            Some(Record::Key(Typed {
                is_down: key.bKeyDown != 0,
                repeat: key.wRepeatCount,
                virtual_key: key.wVirtualKeyCode,
                unit,
                modifiers: Modifiers(key.dwControlKeyState),
            }))
        }
        MOUSE_EVENT => {
            // SAFETY: its type says that it is one of the mouse.
            let mouse = unsafe { record.Event.MouseEvent };
            let (left, top) = window().map_or((0, 0), |window| (window.0, window.1));
            Some(Record::Mouse(Mouse {
                column: mouse.dwMousePosition.X.saturating_sub(left),
                row: mouse.dwMousePosition.Y.saturating_sub(top),
                buttons: mouse.dwButtonState,
                modifiers: Modifiers(mouse.dwControlKeyState),
                flags: mouse.dwEventFlags,
            }))
        }
        WINDOW_BUFFER_SIZE_EVENT => {
            // SAFETY: its type says that it is one of the size.
            let size = unsafe { record.Event.WindowBufferSizeEvent.dwSize };
            let (columns, rows) = window().map_or((size.X, size.Y), |window| (window.2, window.3));
            Some(Record::Resize { columns: columns as u16, rows: rows as u16 })
        }
        FOCUS_EVENT => {
            // SAFETY: its type says that it is one of the focus.
            Some(Record::Focus(unsafe { record.Event.FocusEvent.bSetFocus } != 0))
        }
        _ => None,
    }
}

/// Where in its buffer the console's window is, and how many columns and rows it has.
fn window() -> Option<(i16, i16, i16, i16)> {
    let output = OpenOptions::new().read(true).write(true).open("CONOUT$").ok()?;
    let mut info = MaybeUninit::<CONSOLE_SCREEN_BUFFER_INFO>::uninit();
    let output: HANDLE = output.as_raw_handle();
    // SAFETY: so much may be written to the local.
    if unsafe { GetConsoleScreenBufferInfo(output, info.as_mut_ptr()) } == 0 {
        return None;
    }
    // SAFETY: it has been written.
    let window = unsafe { info.assume_init() }.srWindow;
    let (columns, rows) = (window.Right - window.Left + 1, window.Bottom - window.Top + 1);
    Some((window.Left, window.Top, columns, rows))
}

/// Reads a part of a line, as it is typed at a console that edits lines: the thread waits for it.
pub fn read_line(fd: RawHandle, buf: &mut [u8]) -> Result<u32, Cause> {
    {
        let mut translation = translation();
        if let Some(translation) = translation.as_mut().filter(|left| left.unread() > 0) {
            return Ok(translation.read(buf) as u32);
        }
    }
    let (mut units, mut count) = ([0_u16; UNITS], 0);
    // SAFETY: so many may be written.
    let done = unsafe {
        ReadConsoleW(
            handle_of(fd),
            units.as_mut_ptr().cast(),
            UNITS as u32,
            &mut count,
            std::ptr::null(),
        )
    };
    if done == 0 {
        return Err(Cause::Os(of_calls(last())));
    }
    // Ctrl-Z at the start of a line is its end here, as Ctrl-D is elsewhere.
    if units[0] == 0x1a || count == 0 {
        return Ok(0);
    }
    let mut translation = translation();
    let translation = translation.get_or_insert_with(Translation::default);
    for unit in units[..count as usize].iter().filter(|unit| **unit != u16::from(b'\r')) {
        translation.feed(&Record::Key(Typed::press(0, *unit)));
    }
    Ok(translation.read(buf) as u32)
}
