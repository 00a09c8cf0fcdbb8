//! read_tty.

use std::io::Write;

use corio_aio::op::{Any, Operation, Value};
use corio_aio::{self as aio, Cause, Mode, op};

use crate::positions;
use crate::scene::{Kept, Scene, cause, code, promises};
use crate::system::{Code, make_raw, terminal};

promises![
    a_terminal_gives_a_line,
    a_terminal_in_raw_mode_gives_what_is_there,
    a_read_of_a_terminal_waits_for_what_is_typed,
    the_end_of_the_input_is_zero,
    a_terminal_that_was_hung_up_is_eio_or_at_its_end,
    a_read_of_nothing_from_a_terminal_is_zero,
    a_read_of_a_terminal_works_and_fails_in_each_place_of_a_chain,
    a_read_of_a_terminal_that_does_not_fill_its_buffer_breaks_a_soft_chain,
    a_read_of_a_terminal_can_be_canceled,
];

fn a_terminal_gives_a_line(_: &mut Scene) -> Kept {
    let (mut keyboard, tty) = terminal()?;
    keyboard.write_all(b"one\ntwo\n")?;
    let mut buf = [7; 16];
    assert_eq!(aio::single(op::read_tty(&tty, &mut buf))?, 4);
    assert_eq!(&buf[..5], b"one\n\x07");
    assert_eq!(aio::single(op::read_tty(&tty, &mut buf[..2]))?, 2);
    assert_eq!(aio::single(op::read_tty(&tty, &mut buf))?, 2);
    assert_eq!(&buf[..2], b"o\n");
    Ok(())
}

fn a_terminal_in_raw_mode_gives_what_is_there(_: &mut Scene) -> Kept {
    let (mut keyboard, tty) = terminal()?;
    make_raw(&tty)?;
    keyboard.write_all(b"\x1b[A")?;
    let mut buf = [0; 16];
    let n = aio::single(op::read_tty(&tty, &mut buf))?;
    assert_eq!(&buf[..n], b"\x1b[A");
    Ok(())
}

fn a_read_of_a_terminal_waits_for_what_is_typed(scene: &mut Scene) -> Kept {
    let (mut keyboard, tty) = terminal()?;
    let mut queue = scene.queue(2);
    let typed = queue.queue(op::read_tty(tty, vec![0; 8]))?;
    assert_eq!(queue.complete(Mode::NonBlocking)?, []);
    keyboard.write_all(b"hey\n")?;
    queue.complete_all()?;
    assert_eq!(typed.take(&mut queue)?, 4);
    Ok(())
}

fn the_end_of_the_input_is_zero(_: &mut Scene) -> Kept {
    let (mut keyboard, tty) = terminal()?;
    keyboard.write_all(b"\x04")?;
    assert_eq!(aio::single(op::read_tty(&tty, &mut [0; 8]))?, 0);
    Ok(())
}

fn a_terminal_that_was_hung_up_is_eio_or_at_its_end(_: &mut Scene) -> Kept {
    let (keyboard, tty) = terminal()?;
    drop(keyboard);
    match aio::single(op::read_tty(&tty, &mut [0; 8])) {
        Ok(n) => assert_eq!(n, 0),
        hung_up => assert_eq!(code(hung_up), Code::EIO),
    }
    let (keyboard, tty) = terminal()?;
    drop(tty);
    assert_eq!(code(aio::single(op::read_tty(&keyboard, &mut [0; 8]))), Code::EIO);
    Ok(())
}

fn a_read_of_nothing_from_a_terminal_is_zero(_: &mut Scene) -> Kept {
    let (mut keyboard, tty) = terminal()?;
    keyboard.write_all(b"hey\n")?;
    assert_eq!(aio::single(op::read_tty(&tty, &mut []))?, 0);
    assert_eq!(aio::single(op::read_tty(&tty, &mut [0; 8]))?, 4);
    Ok(())
}

fn a_read_of_a_terminal_works_and_fails_in_each_place_of_a_chain(scene: &mut Scene) -> Kept {
    let (keyboard, tty) = terminal()?;
    let read = || {
        (&keyboard).write_all(b"hey\n").expect("an open terminal");
        Any::new(op::read_tty(&tty, vec![0; 4]))
    };
    positions::succeeds(scene, read, |typed| matches!(typed, Value::Count(4)))?;
    let (closed, dir) = (scene.closed(), scene.open_dir());
    positions::fails(scene, || Any::new(op::read_tty(&closed, vec![0; 4])), Code::EBADF)?;
    positions::fails(scene, || Any::new(op::read_tty(&dir, vec![0; 4])), Code::EISDIR)
}

fn a_read_of_a_terminal_that_does_not_fill_its_buffer_breaks_a_soft_chain(_: &mut Scene) -> Kept {
    let (mut keyboard, tty) = terminal()?;
    keyboard.write_all(b"hey\n")?;
    let (typed, nop) = aio::complete((op::read_tty(&tty, &mut [0; 8]).soft(), op::nop()))?;
    assert_eq!((typed, cause(nop)), (Ok(4), Cause::Canceled));
    Ok(())
}

fn a_read_of_a_terminal_can_be_canceled(scene: &mut Scene) -> Kept {
    let (mut keyboard, tty) = terminal()?;
    let mut read = positions::can_be_canceled(scene, op::read_tty(tty, vec![7; 8]))?;
    assert_eq!(read.buf, [7; 8]);
    keyboard.write_all(b"late\n")?;
    assert_eq!(aio::single(op::read_tty(&read.tty, &mut read.buf))?, 5);
    Ok(())
}
