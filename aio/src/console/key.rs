//! Keys: characters, what Ctrl and Alt make of them, and the keys that have none.

use std::char;
use std::collections::VecDeque;

use super::{Modifiers, put};

/// A key that went down or up (`KEY_EVENT_RECORD`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key {
    /// Whether it went down.
    pub is_down: bool,
    /// How often it did so by being held.
    pub repeat: u16,
    /// Which key it is: see [`virtual_key`].
    pub virtual_key: u16,
    /// The character that it makes, in UTF-16; half of one, if it has two halves, and 0 for none.
    pub unit: u16,
    /// What else was held.
    pub modifiers: Modifiers,
}

impl Key {
    /// A key that goes down once, alone.
    pub const fn press(virtual_key: u16, unit: u16) -> Key {
        Key { is_down: true, repeat: 1, virtual_key, unit, modifiers: Modifiers::NONE }
    }
}

/// What Windows calls keys. Letters and digits are called by their capital ASCII letters.
#[expect(missing_docs, reason = "the names are Windows' own")]
pub mod virtual_key {
    pub const BACK: u16 = 0x08;
    pub const TAB: u16 = 0x09;
    pub const CLEAR: u16 = 0x0c;
    pub const RETURN: u16 = 0x0d;
    pub const SHIFT: u16 = 0x10;
    pub const CONTROL: u16 = 0x11;
    pub const MENU: u16 = 0x12;
    pub const PAUSE: u16 = 0x13;
    pub const CAPITAL: u16 = 0x14;
    pub const ESCAPE: u16 = 0x1b;
    pub const SPACE: u16 = 0x20;
    pub const PRIOR: u16 = 0x21;
    pub const NEXT: u16 = 0x22;
    pub const END: u16 = 0x23;
    pub const HOME: u16 = 0x24;
    pub const LEFT: u16 = 0x25;
    pub const UP: u16 = 0x26;
    pub const RIGHT: u16 = 0x27;
    pub const DOWN: u16 = 0x28;
    pub const INSERT: u16 = 0x2d;
    pub const DELETE: u16 = 0x2e;
    pub const HELP: u16 = 0x2f;
    pub const APPS: u16 = 0x5d;
    pub const NUMPAD0: u16 = 0x60;
    pub const NUMPAD9: u16 = 0x69;
    pub const F1: u16 = 0x70;
    pub const F24: u16 = 0x87;
    pub const OEM_2: u16 = 0xbf;
    pub const PACKET: u16 = 0xe7;
}

/// How the sequence of a key without a character is made. In each, `m` is the parameter of the
/// modifiers, and is left out where none is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sequence {
    /// `CSI X`, or `CSI 1 ; m X`.
    Letter(char),
    /// `SS3 X`, or `CSI 1 ; m X`.
    Single(char),
    /// `CSI n ~`, or `CSI n ; m ~`.
    Number(u8),
}

/// The numbers of F1 to F24; the first four have letters instead.
const FUNCTION_KEYS: [u8; 24] = [
    11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 23, 24, // F12
    25, 26, 28, 29, 31, 32, 33, 34, 42, 43, 44, 45, // F24
];

/// The sequence of a key that has no character.
fn sequence(virtual_key: u16) -> Option<Sequence> {
    use self::virtual_key as key;
    Some(match virtual_key {
        key::UP => Sequence::Letter('A'),
        key::DOWN => Sequence::Letter('B'),
        key::RIGHT => Sequence::Letter('C'),
        key::LEFT => Sequence::Letter('D'),
        key::CLEAR => Sequence::Letter('E'),
        key::END => Sequence::Letter('F'),
        key::HOME => Sequence::Letter('H'),
        key::INSERT => Sequence::Number(2),
        key::DELETE => Sequence::Number(3),
        key::PRIOR => Sequence::Number(5),
        key::NEXT => Sequence::Number(6),
        key::HELP => Sequence::Number(28),
        key::APPS => Sequence::Number(29),
        key::F1..=key::F24 => match virtual_key - key::F1 {
            index @ 0..4 => Sequence::Single(char::from(b'P' + index as u8)),
            index => Sequence::Number(FUNCTION_KEYS[usize::from(index)]),
        },
        _ => return None,
    })
}

/// What is known of the keys before.
#[derive(Debug, Default)]
pub struct Memory {
    /// The first half of a character, and whether Alt was held with it.
    high: Option<(u16, bool)>,
}

impl Memory {
    /// Adds the bytes of a key.
    pub fn translate(&mut self, key: &Key, bytes: &mut VecDeque<u8>) {
        // A character that was composed of digits comes when the Alt key goes up.
        let is_composed = !key.is_down && key.virtual_key == virtual_key::MENU && key.unit != 0;
        if !(key.is_down || is_composed) || is_part_of_composing(key) {
            return;
        }
        let modifiers = match is_composed {
            true => Modifiers::NONE,
            false => key.modifiers,
        };
        for _ in 0..key.repeat.max(1) {
            self.translate_once(key, modifiers, bytes);
        }
    }

    fn translate_once(&mut self, key: &Key, modifiers: Modifiers, bytes: &mut VecDeque<u8>) {
        let held = modifiers.without_alt_gr();
        if let Some((byte, is_alt)) = editing(key, held) {
            self.give_up_half(bytes);
            bytes.extend(is_alt.then_some(0x1b).into_iter().chain([byte]));
        } else if key.virtual_key == virtual_key::TAB && held.has_shift() {
            self.give_up_half(bytes);
            bytes.extend(held.has_alt().then_some(0x1b));
            bytes.extend(b"\x1b[Z");
        } else if let Some(sequence) = sequence(key.virtual_key).filter(|_| key.unit == 0) {
            self.give_up_half(bytes);
            put_sequence(sequence, held, bytes);
        } else if key.unit != 0 {
            self.translate_unit(key, modifiers, bytes);
        } else if let Some(control) = control(key.virtual_key, held) {
            self.give_up_half(bytes);
            bytes.extend(held.has_alt().then_some(0x1b).into_iter().chain([control]));
        }
    }

    /// Adds a character, or keeps half of one.
    fn translate_unit(&mut self, key: &Key, modifiers: Modifiers, bytes: &mut VecDeque<u8>) {
        let is_control = key.unit < 0x20 || key.unit == 0x7f;
        // With Ctrl and Alt, either of which may be an Alt-Gr's, a key makes its third character.
        let chooses = modifiers.has_alt() && modifiers.has_ctrl() && !is_control;
        let is_alt = modifiers.has_alt() && !chooses;
        match key.unit {
            0xd800..=0xdbff => {
                self.give_up_half(bytes);
                self.high = Some((key.unit, is_alt));
            }
            0xdc00..=0xdfff => {
                let (high, is_alt) = self.high.take().unwrap_or((0, is_alt));
                let pair = char::decode_utf16([high, key.unit]).next();
                let whole = pair.and_then(Result::ok).filter(|_| high != 0);
                put_character(whole.unwrap_or(char::REPLACEMENT_CHARACTER), is_alt, bytes);
            }
            unit => {
                self.give_up_half(bytes);
                let character = char::from_u32(u32::from(unit));
                put_character(character.expect("it is no surrogate"), is_alt, bytes);
            }
        }
    }

    /// The half of a character that is not followed by its other half is replaced.
    fn give_up_half(&mut self, bytes: &mut VecDeque<u8>) {
        if let Some((_, is_alt)) = self.high.take() {
            put_character(char::REPLACEMENT_CHARACTER, is_alt, bytes);
        }
    }
}

/// Whether it is a digit of a character that is being composed: the keypad's, while the left Alt
/// key is held. The character comes in the end.
fn is_part_of_composing(key: &Key) -> bool {
    use self::virtual_key as name;
    let is_digit = matches!(
        key.virtual_key,
        name::INSERT | name::CLEAR | name::PRIOR..=name::DOWN | name::NUMPAD0..=name::NUMPAD9
    );
    let is_composing = key.modifiers.any(Modifiers::LEFT_ALT)
        && !key.modifiers.any(Modifiers::ENHANCED)
        && !key.modifiers.has_ctrl();
    is_digit && is_composing
}

/// The byte of a key for which Windows has another one than Unix terminals, and whether an escape
/// comes before it.
fn editing(key: &Key, held: Modifiers) -> Option<(u8, bool)> {
    let byte = match key.virtual_key {
        virtual_key::BACK if held.has_ctrl() => 0x08,
        virtual_key::BACK => 0x7f,
        virtual_key::RETURN => b'\r',
        virtual_key::TAB if !held.has_shift() => b'\t',
        virtual_key::ESCAPE => 0x1b,
        virtual_key::SPACE if held.has_ctrl() => 0,
        _ => return None,
    };
    Some((byte, held.has_alt()))
}

/// The byte of a key that is held with Ctrl and that makes no character in Windows.
fn control(virtual_key: u16, held: Modifiers) -> Option<u8> {
    if !held.has_ctrl() {
        return None;
    }
    match virtual_key {
        0x41..=0x5a => Some(virtual_key as u8 & 0x1f),
        0x30 | 0x31 | 0x39 => Some(virtual_key as u8),
        0x32 => Some(0),
        0x33..=0x37 => Some(virtual_key as u8 - b'3' + 0x1b),
        0x38 => Some(0x7f),
        // The slash, where the keyboard has it beside the right Shift key.
        virtual_key::OEM_2 => Some(0x1f),
        _ => None,
    }
}

fn put_character(character: char, is_alt: bool, bytes: &mut VecDeque<u8>) {
    bytes.extend(is_alt.then_some(0x1b));
    bytes.extend(character.encode_utf8(&mut [0; 4]).as_bytes());
}

fn put_sequence(sequence: Sequence, held: Modifiers, bytes: &mut VecDeque<u8>) {
    let shift = u8::from(held.has_shift());
    let parameter = 1 + shift + 2 * u8::from(held.has_alt()) + 4 * u8::from(held.has_ctrl());
    match (sequence, parameter) {
        (Sequence::Letter(letter), 1) => put(bytes, format_args!("\x1b[{letter}")),
        (Sequence::Single(letter), 1) => put(bytes, format_args!("\x1bO{letter}")),
        (Sequence::Letter(letter) | Sequence::Single(letter), held) => {
            put(bytes, format_args!("\x1b[1;{held}{letter}"));
        }
        (Sequence::Number(number), 1) => put(bytes, format_args!("\x1b[{number}~")),
        (Sequence::Number(number), held) => put(bytes, format_args!("\x1b[{number};{held}~")),
    }
}
