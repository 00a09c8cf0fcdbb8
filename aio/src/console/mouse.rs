//! The mouse: its buttons, its motions and its wheels.

use std::collections::VecDeque;

use super::{Modifiers, put};

/// What the mouse did (`MOUSE_EVENT_RECORD`).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Mouse {
    /// The column of the window that it is in, from 0 on.
    pub column: i16,
    /// The row of the window that it is in, from 0 on.
    pub row: i16,
    /// The buttons that are held (`dwButtonState`); the upper half says how far a wheel was turned.
    pub buttons: u32,
    /// What was held of the keyboard.
    pub modifiers: Modifiers,
    /// What it is about (`dwEventFlags`): 0 for a button, or [`Mouse::MOVED`],
    /// [`Mouse::DOUBLE_CLICK`], [`Mouse::WHEELED`], [`Mouse::WHEELED_SIDEWAYS`].
    pub flags: u32,
}

impl Mouse {
    /// It moved.
    pub const MOVED: u32 = 0x1;
    /// A button went down the second time.
    pub const DOUBLE_CLICK: u32 = 0x2;
    /// The wheel was turned: away from the user, if that is a positive number.
    pub const WHEELED: u32 = 0x4;
    /// The other wheel was turned: to the right, if that is a positive number.
    pub const WHEELED_SIDEWAYS: u32 = 0x8;
    /// The left button.
    pub const LEFT: u32 = 0x1;
    /// The right button.
    pub const RIGHT: u32 = 0x2;
    /// The button between them.
    pub const MIDDLE: u32 = 0x4;
}

/// The bits of buttons, and what a terminal calls these, in the order in which they are reported.
const BUTTONS: [(u32, u16); 5] =
    [(Mouse::LEFT, 0), (Mouse::MIDDLE, 1), (Mouse::RIGHT, 2), (0x8, 128), (0x10, 129)];

/// How far a wheel is turned from one notch to the next; finer ones report parts of that.
const NOTCH: i32 = 120;

/// What terminals add for a motion.
const MOTION: u16 = 32;

/// Where motions say which button is held: none.
const NO_BUTTON: u16 = 3;

/// What is known of the mouse.
#[derive(Debug, Default)]
pub struct Memory {
    /// The buttons that are held.
    held: u32,
    /// The cell that it is in.
    cell: Option<(i16, i16)>,
    /// How far the wheels have been turned from their last notch.
    wheels: [i32; 2],
}

impl Memory {
    /// Takes note of the buttons, and adds no bytes.
    pub fn follow(&mut self, mouse: &Mouse) {
        if mouse.flags & (Mouse::WHEELED | Mouse::WHEELED_SIDEWAYS) == 0 {
            self.held = mouse.buttons;
            self.cell = Some((mouse.column, mouse.row));
        }
    }

    /// Adds the bytes of what the mouse did.
    pub fn translate(&mut self, mouse: &Mouse, bytes: &mut VecDeque<u8>) {
        if mouse.flags & Mouse::WHEELED != 0 {
            // Up is 64, and down is 65.
            self.turn(0, [64, 65], mouse, bytes);
        } else if mouse.flags & Mouse::WHEELED_SIDEWAYS != 0 {
            // To the left is 66, and to the right 67.
            self.turn(1, [67, 66], mouse, bytes);
        } else {
            let is_elsewhere = self.cell != Some((mouse.column, mouse.row));
            self.change_buttons(mouse, bytes);
            // Several of them can come for one cell.
            if mouse.flags & Mouse::MOVED != 0 && is_elsewhere {
                let held = BUTTONS.iter().find(|(bit, _)| mouse.buttons & bit != 0);
                let button = held.map_or(NO_BUTTON, |(_, button)| *button);
                report(button + MOTION, mouse, 'M', bytes);
            }
            self.follow(mouse);
        }
    }

    /// Reports the buttons that went down or up. A record says only which are held now, and one
    /// that went up outside of the window is missing there with the next motion.
    fn change_buttons(&self, mouse: &Mouse, bytes: &mut VecDeque<u8>) {
        for (bit, button) in BUTTONS {
            match (self.held & bit != 0, mouse.buttons & bit != 0) {
                (false, true) => report(button, mouse, 'M', bytes),
                (true, false) => report(button, mouse, 'm', bytes),
                _ => {}
            }
        }
    }

    /// Reports the notches that a wheel has passed.
    fn turn(&mut self, wheel: usize, codes: [u16; 2], mouse: &Mouse, bytes: &mut VecDeque<u8>) {
        let distance = i32::from((mouse.buttons >> 16) as u16 as i16);
        let turned = &mut self.wheels[wheel];
        // The part of a notch that was turned the other way does not count.
        if turned.signum() * distance.signum() < 0 {
            *turned = 0;
        }
        *turned += distance;
        let [positive, negative] = codes;
        let code = if distance > 0 { positive } else { negative };
        while turned.abs() >= NOTCH {
            *turned -= NOTCH * distance.signum();
            report(code, mouse, 'M', bytes);
        }
    }
}

/// Adds one report: `CSI < button ; column ; row`, and `M` or `m`.
fn report(button: u16, mouse: &Mouse, end: char, bytes: &mut VecDeque<u8>) {
    let held = mouse.modifiers;
    let modifiers = 4 * u16::from(held.has_shift())
        + 8 * u16::from(held.has_alt())
        + 16 * u16::from(held.has_ctrl());
    // A mouse that is held down can be taken out of the window.
    let place = |cell: i16| i32::from(cell.max(0)) + 1;
    let (code, column, row) = (button + modifiers, place(mouse.column), place(mouse.row));
    put(bytes, format_args!("\x1b[<{code};{column};{row}{end}"));
}
