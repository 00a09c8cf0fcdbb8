//! Input of a Windows console, as the bytes that a Unix terminal (xterm) sends for it. Pure: it
//! makes no system call, and is the same on every system.
//!
//! [`read_tty`](crate::op::read_tty) uses it on Windows. It is public for programs that read the
//! records of a console themselves.
//!
//! ```
//! use corio_aio::console::{Key, Modifiers, Record, Reports, Translation, virtual_key};
//! let mut translation = Translation::new(Reports::default());
//! let modifiers = Modifiers::LEFT_CTRL;
//! let key = Key { modifiers, ..Key::press(virtual_key::UP, 0) };
//! translation.feed(&Record::Key(key));
//! let mut buf = [0; 16];
//! let n = translation.read(&mut buf);
//! assert_eq!(&buf[..n], b"\x1b[1;5A");
//! ```

mod key;
mod mouse;
#[cfg(test)]
mod tests;

pub use key::{Key, virtual_key};
pub use mouse::Mouse;

use std::collections::VecDeque;
use std::io::Write;
use std::ops::{BitOr, Sub};

/// One record of a console's input; those of menus have no meaning and are not here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Record {
    /// A key went down or up.
    Key(Key),
    /// The mouse moved, or one of its buttons or wheels did.
    Mouse(Mouse),
    /// The window has another size, in cells.
    Resize {
        /// How many columns it has now.
        columns: u16,
        /// How many rows it has now.
        rows: u16,
    },
    /// The window got the keyboard's focus, or lost it.
    Focus(bool),
}

/// The modifier keys and locks that were on (`dwControlKeyState`).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Modifiers(pub u32);

impl Modifiers {
    /// None.
    pub const NONE: Modifiers = Modifiers(0);
    /// The right Alt key. With the left Ctrl key it is Alt-Gr.
    pub const RIGHT_ALT: Modifiers = Modifiers(0x1);
    /// The left Alt key.
    pub const LEFT_ALT: Modifiers = Modifiers(0x2);
    /// The right Ctrl key.
    pub const RIGHT_CTRL: Modifiers = Modifiers(0x4);
    /// The left Ctrl key.
    pub const LEFT_CTRL: Modifiers = Modifiers(0x8);
    /// A Shift key.
    pub const SHIFT: Modifiers = Modifiers(0x10);
    /// Not a modifier: the key is not one of the keypad's.
    pub const ENHANCED: Modifiers = Modifiers(0x100);
    /// What an Alt-Gr key counts as.
    pub const ALT_GR: Modifiers = Modifiers(0x9);

    /// Whether any of these is on.
    pub const fn any(self, of: Modifiers) -> bool {
        self.0 & of.0 != 0
    }

    /// Whether all of these are on.
    pub const fn all(self, of: Modifiers) -> bool {
        self.0 & of.0 == of.0
    }

    const fn has_shift(self) -> bool {
        self.any(Modifiers::SHIFT)
    }

    const fn has_alt(self) -> bool {
        self.any(Modifiers(0x3))
    }

    const fn has_ctrl(self) -> bool {
        self.any(Modifiers(0xc))
    }

    /// What is left when Alt-Gr is taken for what it is: a key that chooses characters.
    fn without_alt_gr(self) -> Modifiers {
        let is_alt_gr = self.all(Modifiers::ALT_GR) && !self.any(Modifiers::LEFT_ALT);
        if is_alt_gr { self - Modifiers::ALT_GR } else { self }
    }
}

impl BitOr for Modifiers {
    type Output = Modifiers;

    fn bitor(self, other: Modifiers) -> Modifiers {
        Modifiers(self.0 | other.0)
    }
}

impl Sub for Modifiers {
    type Output = Modifiers;

    fn sub(self, other: Modifiers) -> Modifiers {
        Modifiers(self.0 & !other.0)
    }
}

/// What is reported beside keys. A Unix terminal reports these only to a program that has asked.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Reports {
    /// The mouse, its motions too: `CSI < button ; column ; row M`, and `m` for a release, as with
    /// the modes 1003 and 1006 of xterm.
    pub mouse: bool,
    /// The window's size in cells: `CSI 48 ; rows ; columns ; 0 ; 0 t`, as with the mode 2048 that
    /// several terminals have. The size in pixels is not known.
    pub size: bool,
    /// The keyboard's focus: `CSI I` and `CSI O`, as with the mode 1004 of xterm.
    pub focus: bool,
}

/// A translation of records to bytes, and what it has to know from one to the next: one of two
/// surrogates, the buttons that are held, and bytes that nobody has read yet.
#[derive(Debug, Default)]
pub struct Translation {
    /// What is reported beside keys; it can be changed at any time.
    pub reports: Reports,
    keys: key::Memory,
    mouse: mouse::Memory,
    size: Option<(u16, u16)>,
    bytes: VecDeque<u8>,
}

impl Translation {
    /// A translation that knows of nothing.
    pub fn new(reports: Reports) -> Translation {
        Translation { reports, ..Translation::default() }
    }

    /// Adds what a terminal would send for this record to what there is to be read. It may be
    /// nothing: a dead key has no bytes, and most keys have none when they go up.
    pub fn feed(&mut self, record: &Record) {
        match *record {
            Record::Key(key) => self.keys.translate(&key, &mut self.bytes),
            Record::Mouse(mouse) if self.reports.mouse => {
                self.mouse.translate(&mouse, &mut self.bytes);
            }
            Record::Mouse(mouse) => self.mouse.follow(&mouse),
            Record::Resize { columns, rows } => {
                // The console says so several times while its window is being drawn larger.
                let is_new = self.size.replace((columns, rows)) != Some((columns, rows));
                if self.reports.size && is_new {
                    put(&mut self.bytes, format_args!("\x1b[48;{rows};{columns};0;0t"));
                }
            }
            Record::Focus(is_here) if self.reports.focus => {
                self.bytes.extend(if is_here { b"\x1b[I" } else { b"\x1b[O" });
            }
            Record::Focus(_) => {}
        }
    }

    /// Moves bytes into `buf`; yields how many: all that there are, or as many as fit.
    pub fn read(&mut self, buf: &mut [u8]) -> usize {
        let count = self.bytes.len().min(buf.len());
        for (place, byte) in buf.iter_mut().zip(self.bytes.drain(..count)) {
            *place = byte;
        }
        count
    }

    /// How many bytes there are to be read.
    pub fn unread(&self) -> usize {
        self.bytes.len()
    }
}

/// Adds words to bytes.
fn put(bytes: &mut VecDeque<u8>, words: std::fmt::Arguments<'_>) {
    bytes.write_fmt(words).expect("a queue in memory takes everything");
}
