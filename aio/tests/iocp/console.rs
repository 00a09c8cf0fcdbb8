//! A console, at which keys are typed.

use std::fs::OpenOptions;
use std::os::windows::io::AsRawHandle;
use std::thread;
use std::time::Duration;

use corio_aio as aio;
use corio_aio::op::{self, Operation};
use windows_sys::Win32::System::Console::{
    AllocConsole, ENABLE_WINDOW_INPUT, FlushConsoleInputBuffer, INPUT_RECORD, INPUT_RECORD_0,
    KEY_EVENT, KEY_EVENT_RECORD, KEY_EVENT_RECORD_0, SetConsoleMode, WriteConsoleInputW,
};

use crate::{SOON, canceled};

/// A key that went down at a console.
fn key(virtual_key: u16, unit: u16, modifiers: u32) -> INPUT_RECORD {
    let key = KEY_EVENT_RECORD {
        bKeyDown: 1,
        wRepeatCount: 1,
        wVirtualKeyCode: virtual_key,
        wVirtualScanCode: 0,
        uChar: KEY_EVENT_RECORD_0 { UnicodeChar: unit },
        dwControlKeyState: modifiers,
    };
    INPUT_RECORD { EventType: KEY_EVENT as u16, Event: INPUT_RECORD_0 { KeyEvent: key } }
}

#[test]
fn what_is_typed_at_a_console_is_read_as_from_a_terminal() {
    // SAFETY: it has no conditions; where there is a console already, that serves.
    unsafe { AllocConsole() };
    let opened = OpenOptions::new().read(true).write(true).open("CONIN$");
    let console = opened.expect("a console; Wine has one if it is started at a terminal");
    let handle = console.as_raw_handle();
    // SAFETY: it is open.
    assert_ne!(unsafe { SetConsoleMode(handle, ENABLE_WINDOW_INPUT) }, 0, "a mode");
    // SAFETY: as above.
    assert_ne!(unsafe { FlushConsoleInputBuffer(handle) }, 0, "no input");
    let mut buf = [0; 4];
    let (read, _) = aio::complete((
        op::read_tty(&console, &mut buf).soft(),
        op::link_timeout(Duration::from_millis(5)),
    ))
    .expect("a ring");
    assert!(canceled(read));
    let typist = thread::spawn({
        let console = console.try_clone().expect("a handle");
        move || {
            thread::sleep(SOON);
            let keys = [key(0x10, 0, 0x10), key(0x41, 0x61, 0), key(0x26, 0, 0x108)];
            let mut count = 0;
            let (handle, len) = (console.as_raw_handle(), keys.len() as u32);
            // SAFETY: so many are read, and a number is written to the local.
            unsafe { WriteConsoleInputW(handle, keys.as_ptr(), len, &mut count) };
            assert_eq!(count, len);
        }
    });
    let mut read = Vec::new();
    while read.len() < 7 {
        let n = aio::single(op::read_tty(&console, &mut buf)).expect("keys");
        assert!(n > 0);
        read.extend_from_slice(&buf[..n]);
    }
    typist.join().expect("no panic");
    assert_eq!(read, b"a\x1b[1;5A");
}
