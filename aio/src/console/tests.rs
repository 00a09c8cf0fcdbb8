//! What each record of a console is translated to.

use super::virtual_key as vk;
use super::*;

const NONE: Modifiers = Modifiers::NONE;
const SHIFT: Modifiers = Modifiers::SHIFT;
const ALT: Modifiers = Modifiers::LEFT_ALT;
const CTRL: Modifiers = Modifiers::LEFT_CTRL;
const ALT_GR: Modifiers = Modifiers::ALT_GR;
const ENHANCED: Modifiers = Modifiers::ENHANCED;
const ALL: Reports = Reports { mouse: true, size: true, focus: true };

/// What these records are translated to, as text in which an escape is a `^`.
fn translated(reports: Reports, records: &[Record]) -> String {
    let mut translation = Translation::new(reports);
    records.iter().for_each(|record| translation.feed(record));
    let mut bytes = vec![0; translation.unread()];
    assert_eq!(translation.read(&mut bytes), bytes.len());
    String::from_utf8(bytes).expect("UTF-8").replace('\x1b', "^")
}

fn key(virtual_key: u16, unit: u16, modifiers: Modifiers) -> Record {
    Record::Key(Key { modifiers, ..Key::press(virtual_key, unit) })
}

fn up(record: Record) -> Record {
    let Record::Key(key) = record else { panic!("no key") };
    Record::Key(Key { is_down: false, ..key })
}

/// A character that is typed on a key of which nothing else is known.
fn unit(unit: u16) -> Record {
    key(vk::PACKET, unit, NONE)
}

fn mouse(flags: u32, buttons: u32, column: i16, row: i16, modifiers: Modifiers) -> Record {
    Record::Mouse(Mouse { column, row, buttons, modifiers, flags })
}

/// Each of the keys alone gives these bytes; and nothing more when it goes up.
fn assert_keys(table: &[(u16, u16, Modifiers, &str)]) {
    for &(virtual_key, unit, modifiers, expected) in table {
        let down = key(virtual_key, unit, modifiers);
        let bytes = translated(Reports::default(), &[down, up(down)]);
        assert_eq!(bytes, expected, "{virtual_key:#x} {unit:#x} {modifiers:?}");
    }
}

#[test]
fn characters_are_sent_as_utf_8() {
    assert_keys(&[
        (0x41, 0x61, NONE, "a"),
        (0x41, 0x41, SHIFT, "A"),
        (0x45, 0x20ac, ALT_GR, "€"),
        (0x51, 0x40, ALT_GR, "@"),
        // Ctrl with Alt is as good as Alt-Gr, where there is a character.
        (0x51, 0x40, CTRL | ALT, "@"),
        (0x41, 0x61, ALT, "^a"),
        (0x41, 0x61, Modifiers::RIGHT_ALT, "^a"),
        (0x41, 0x41, ALT | SHIFT, "^A"),
        (0xde, 0xe4, ALT, "^ä"),
        (0x60, 0x30, NONE, "0"),
        (0x6a, 0x2a, NONE, "*"),
        (vk::SPACE, 0x20, NONE, " "),
        (vk::SPACE, 0x20, ALT, "^ "),
        (vk::SPACE, 0x20, SHIFT, " "),
        // What the console itself has translated comes without a key.
        (0, 0x1b, NONE, "^"),
        (0, 0x5b, NONE, "["),
    ]);
}

#[test]
fn control_makes_control_characters() {
    assert_keys(&[
        (0x41, 0x01, CTRL, "\x01"),
        (0x43, 0x03, CTRL, "\x03"),
        (0x43, 0x03, Modifiers::RIGHT_CTRL, "\x03"),
        (0x4a, 0x0a, CTRL, "\n"),
        (0x5a, 0x1a, CTRL | SHIFT, "\x1a"),
        (0xdb, 0x1b, CTRL, "^"),
        (0xdc, 0x1c, CTRL, "\x1c"),
        (0x41, 0x01, CTRL | ALT, "^\x01"),
        (0x41, 0, CTRL | ALT, "^\x01"),
        (0x41, 0, CTRL, "\x01"),
        // Alt-Gr alone chooses a character, and here there is none.
        (0x41, 0, ALT_GR, ""),
        (vk::SPACE, 0x20, CTRL, "\0"),
        (vk::SPACE, 0x20, CTRL | ALT, "^\0"),
        (0x32, 0, CTRL | SHIFT, "\0"),
        (0x31, 0, CTRL, "1"),
        (0x32, 0, CTRL, "\0"),
        (0x33, 0, CTRL, "^"),
        (0x34, 0, CTRL, "\x1c"),
        (0x35, 0, CTRL, "\x1d"),
        (0x36, 0, CTRL, "\x1e"),
        (0x37, 0, CTRL, "\x1f"),
        (0x38, 0, CTRL, "\x7f"),
        (0x39, 0, CTRL, "9"),
        (0x30, 0, CTRL, "0"),
        (vk::OEM_2, 0, CTRL, "\x1f"),
    ]);
}

#[test]
fn editing_keys_send_what_they_send_on_unix() {
    assert_keys(&[
        (vk::BACK, 0x08, NONE, "\x7f"),
        (vk::BACK, 0x08, SHIFT, "\x7f"),
        (vk::BACK, 0x7f, CTRL, "\x08"),
        (vk::BACK, 0x08, ALT, "^\x7f"),
        (vk::RETURN, 0x0d, NONE, "\r"),
        (vk::RETURN, 0x0a, CTRL, "\r"),
        (vk::RETURN, 0x0d, ALT, "^\r"),
        (vk::RETURN, 0x0d, ENHANCED, "\r"),
        (vk::TAB, 0x09, NONE, "\t"),
        (vk::TAB, 0x09, SHIFT, "^[Z"),
        (vk::TAB, 0x09, SHIFT | ALT, "^^[Z"),
        (vk::TAB, 0, CTRL, "\t"),
        (vk::TAB, 0, CTRL | SHIFT, "^[Z"),
        (vk::ESCAPE, 0x1b, NONE, "^"),
        (vk::ESCAPE, 0x1b, ALT, "^^"),
    ]);
}

#[test]
fn keys_without_a_character_send_sequences_that_name_the_modifiers() {
    assert_keys(&[
        (vk::UP, 0, ENHANCED, "^[A"),
        (vk::DOWN, 0, ENHANCED, "^[B"),
        (vk::RIGHT, 0, ENHANCED, "^[C"),
        (vk::LEFT, 0, ENHANCED, "^[D"),
        (vk::CLEAR, 0, NONE, "^[E"),
        (vk::END, 0, ENHANCED, "^[F"),
        (vk::HOME, 0, ENHANCED, "^[H"),
        (vk::INSERT, 0, ENHANCED, "^[2~"),
        (vk::DELETE, 0, ENHANCED, "^[3~"),
        (vk::PRIOR, 0, ENHANCED, "^[5~"),
        (vk::NEXT, 0, ENHANCED, "^[6~"),
        (vk::HELP, 0, NONE, "^[28~"),
        (vk::APPS, 0, NONE, "^[29~"),
        // The keypad's, while its digits are off.
        (vk::UP, 0, NONE, "^[A"),
        (vk::UP, 0, ENHANCED | SHIFT, "^[1;2A"),
        (vk::UP, 0, ENHANCED | ALT, "^[1;3A"),
        (vk::UP, 0, ENHANCED | ALT | SHIFT, "^[1;4A"),
        (vk::UP, 0, ENHANCED | CTRL, "^[1;5A"),
        (vk::UP, 0, ENHANCED | CTRL | SHIFT, "^[1;6A"),
        (vk::UP, 0, ENHANCED | CTRL | ALT, "^[1;7A"),
        (vk::UP, 0, ENHANCED | CTRL | ALT | SHIFT, "^[1;8A"),
        (vk::UP, 0, ENHANCED | ALT_GR, "^[A"),
        (vk::UP, 0, ENHANCED | ALT_GR | Modifiers::RIGHT_CTRL, "^[1;5A"),
        (vk::HOME, 0, ENHANCED | CTRL, "^[1;5H"),
        (vk::DELETE, 0, ENHANCED | CTRL, "^[3;5~"),
        (vk::NEXT, 0, ENHANCED | SHIFT, "^[6;2~"),
    ]);
}

#[test]
fn function_keys_have_sequences_too() {
    let expected = [
        "^OP", "^OQ", "^OR", "^OS", "^[15~", "^[17~", "^[18~", "^[19~", "^[20~", "^[21~", "^[23~",
        "^[24~", "^[25~", "^[26~", "^[28~", "^[29~", "^[31~", "^[32~", "^[33~", "^[34~", "^[42~",
        "^[43~", "^[44~", "^[45~",
    ];
    for (virtual_key, expected) in (vk::F1..=vk::F24).zip(expected) {
        assert_keys(&[(virtual_key, 0, NONE, expected)]);
    }
    assert_keys(&[
        (vk::F1, 0, CTRL, "^[1;5P"),
        (vk::F1 + 3, 0, SHIFT | ALT, "^[1;4S"),
        (vk::F1 + 4, 0, SHIFT, "^[15;2~"),
        (vk::F24, 0, CTRL | ALT | SHIFT, "^[45;8~"),
    ]);
}

#[test]
fn modifiers_locks_and_dead_keys_send_nothing() {
    assert_keys(&[
        (vk::SHIFT, 0, SHIFT, ""),
        (vk::CONTROL, 0, CTRL, ""),
        (vk::MENU, 0, ALT, ""),
        (vk::CAPITAL, 0, Modifiers(0x80), ""),
        (vk::PAUSE, 0, NONE, ""),
        // The acute accent, of which the next key makes a character.
        (0xdd, 0, NONE, ""),
    ]);
    let (accent, letter) = (key(0xdd, 0, NONE), key(0x45, 0xe9, NONE));
    assert_eq!(translated(ALL, &[accent, up(accent), letter, up(letter)]), "é");
}

#[test]
fn a_key_that_is_held_is_sent_again_and_again() {
    let held =
        |virtual_key, unit, repeat| Record::Key(Key { repeat, ..Key::press(virtual_key, unit) });
    assert_eq!(translated(ALL, &[held(0x41, 0x61, 3)]), "aaa");
    assert_eq!(translated(ALL, &[held(vk::LEFT, 0, 2)]), "^[D^[D");
    assert_eq!(translated(ALL, &[held(0x41, 0x61, 0)]), "a");
}

#[test]
fn a_character_of_two_halves_is_put_together() {
    let (high, low) = (unit(0xd83e), unit(0xdd80));
    assert_eq!(translated(ALL, &[high, up(high), low, up(low)]), "🦀");
    assert_eq!(translated(ALL, &[high, low, high, low]), "🦀🦀");
    let alt = |record| match record {
        Record::Key(key) => Record::Key(Key { modifiers: ALT, ..key }),
        other => other,
    };
    assert_eq!(translated(ALL, &[alt(high), alt(low)]), "^🦀");
    // Other records may come between the two.
    assert_eq!(translated(ALL, &[high, Record::Focus(true), low]), "^[I🦀");
}

#[test]
fn half_a_character_is_replaced() {
    let (high, low) = (unit(0xd83e), unit(0xdd80));
    assert_eq!(translated(ALL, &[low]), "\u{fffd}");
    assert_eq!(translated(ALL, &[high]), "");
    assert_eq!(translated(ALL, &[high, unit(0x61)]), "\u{fffd}a");
    assert_eq!(translated(ALL, &[high, high, low]), "\u{fffd}🦀");
    assert_eq!(translated(ALL, &[high, key(vk::UP, 0, NONE)]), "\u{fffd}^[A");
    assert_eq!(translated(ALL, &[high, key(vk::RETURN, 0x0d, NONE)]), "\u{fffd}\r");
}

#[test]
fn a_character_that_is_composed_of_digits_comes_when_alt_goes_up() {
    let digits = [vk::NUMPAD0, vk::NUMPAD9, vk::INSERT, vk::CLEAR, vk::UP, vk::PRIOR];
    let mut records = vec![key(vk::MENU, 0, ALT)];
    for digit in digits {
        records.extend([key(digit, 0, ALT), up(key(digit, 0, ALT))]);
    }
    assert_eq!(translated(ALL, &records), "");
    records.push(up(key(vk::MENU, 0xfc, NONE)));
    assert_eq!(translated(ALL, &records), "ü");
    // The same keys that are not the keypad's are what they are.
    assert_eq!(translated(ALL, &[key(vk::UP, 0, ALT | ENHANCED)]), "^[1;3A");
}

#[test]
fn buttons_are_reported_when_they_go_down_and_up() {
    let table: &[(u32, Modifiers, &str)] = &[
        (Mouse::LEFT, NONE, "^[<0;4;3M^[<0;4;3m"),
        (Mouse::MIDDLE, NONE, "^[<1;4;3M^[<1;4;3m"),
        (Mouse::RIGHT, NONE, "^[<2;4;3M^[<2;4;3m"),
        (0x8, NONE, "^[<128;4;3M^[<128;4;3m"),
        (0x10, NONE, "^[<129;4;3M^[<129;4;3m"),
        (Mouse::LEFT, SHIFT, "^[<4;4;3M^[<4;4;3m"),
        (Mouse::LEFT, ALT, "^[<8;4;3M^[<8;4;3m"),
        (Mouse::LEFT, CTRL, "^[<16;4;3M^[<16;4;3m"),
        (Mouse::RIGHT, SHIFT | ALT | CTRL, "^[<30;4;3M^[<30;4;3m"),
        (Mouse::LEFT | Mouse::RIGHT, NONE, "^[<0;4;3M^[<2;4;3M^[<0;4;3m^[<2;4;3m"),
    ];
    for &(button, held, expected) in table {
        let records = [mouse(0, button, 3, 2, held), mouse(0, 0, 3, 2, held)];
        assert_eq!(translated(ALL, &records), expected);
        assert_eq!(translated(Reports::default(), &records), "");
    }
    let again = mouse(Mouse::DOUBLE_CLICK, Mouse::LEFT, 3, 2, NONE);
    assert_eq!(translated(ALL, &[again]), "^[<0;4;3M");
}

#[test]
fn motions_name_the_button_that_is_held_and_come_once_for_a_cell() {
    let at = |buttons, column| mouse(Mouse::MOVED, buttons, column, 0, NONE);
    assert_eq!(translated(ALL, &[at(0, 1), at(0, 1), at(0, 2)]), "^[<35;2;1M^[<35;3;1M");
    let drag = [mouse(0, Mouse::RIGHT, 1, 0, NONE), at(Mouse::RIGHT, 1), at(Mouse::RIGHT, 2)];
    assert_eq!(translated(ALL, &drag), "^[<2;2;1M^[<34;3;1M");
    // It was let go outside of the window.
    let lost = [mouse(0, Mouse::LEFT, 1, 0, NONE), at(0, -7)];
    assert_eq!(translated(ALL, &lost), "^[<0;2;1M^[<0;1;1m^[<35;1;1M");
}

#[test]
fn buttons_are_followed_while_nobody_asks_for_them() {
    let mut translation = Translation::new(Reports::default());
    translation.feed(&mouse(0, Mouse::LEFT, 1, 1, NONE));
    translation.reports.mouse = true;
    translation.feed(&mouse(0, 0, 1, 1, NONE));
    let mut buf = [0; 32];
    let n = translation.read(&mut buf);
    assert_eq!(&buf[..n], b"\x1b[<0;2;2m");
}

#[test]
fn wheels_report_whole_notches() {
    let turned =
        |flags, distance: i16, held| mouse(flags, u32::from(distance as u16) << 16, 0, 0, held);
    let (wheel, sideways) = (Mouse::WHEELED, Mouse::WHEELED_SIDEWAYS);
    let table: &[(&[Record], &str)] = &[
        (&[turned(wheel, 120, NONE)], "^[<64;1;1M"),
        (&[turned(wheel, -120, NONE)], "^[<65;1;1M"),
        (&[turned(sideways, -120, NONE)], "^[<66;1;1M"),
        (&[turned(sideways, 120, NONE)], "^[<67;1;1M"),
        (&[turned(wheel, 120, CTRL)], "^[<80;1;1M"),
        (&[turned(wheel, 240, NONE)], "^[<64;1;1M^[<64;1;1M"),
        (&[turned(wheel, 50, NONE), turned(wheel, 50, NONE)], ""),
        (&[turned(wheel, 50, NONE), turned(wheel, 70, NONE)], "^[<64;1;1M"),
        (
            &[turned(wheel, 119, NONE), turned(wheel, -119, NONE), turned(wheel, -1, NONE)],
            "^[<65;1;1M",
        ),
        (&[turned(wheel, 60, NONE), turned(sideways, 60, NONE)], ""),
    ];
    for (records, expected) in table {
        assert_eq!(translated(ALL, records), *expected, "{records:?}");
    }
    // It says nothing of the buttons.
    let held = mouse(0, Mouse::LEFT, 0, 0, NONE);
    let records = [held, turned(wheel, 120, NONE), held];
    assert_eq!(translated(ALL, &records), "^[<0;1;1M^[<64;1;1M");
}

#[test]
fn sizes_and_focus_are_reported_if_they_were_asked_for() {
    let size = |columns, rows| Record::Resize { columns, rows };
    let records = [size(80, 25), size(80, 25), size(100, 30)];
    assert_eq!(translated(ALL, &records), "^[48;25;80;0;0t^[48;30;100;0;0t");
    let focus = [Record::Focus(true), Record::Focus(false)];
    assert_eq!(translated(ALL, &focus), "^[I^[O");
    assert_eq!(
        translated(Reports::default(), &[records, [focus[0], focus[1], focus[0]]].concat()),
        ""
    );
}

#[test]
fn what_does_not_fit_is_read_later() {
    let mut translation = Translation::default();
    translation.feed(&key(vk::F1 + 4, 0, CTRL));
    assert_eq!(translation.unread(), 7);
    let mut buf = [0; 3];
    let mut read = Vec::new();
    while translation.unread() > 0 {
        let n = translation.read(&mut buf);
        read.extend_from_slice(&buf[..n]);
    }
    assert_eq!(read, b"\x1b[15;5~");
    assert_eq!((translation.read(&mut buf), translation.read(&mut [])), (0, 0));
}
