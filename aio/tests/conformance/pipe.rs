//! pipe and splice.

use std::fs::OpenOptions;
use std::io::{Read, Seek, Write};

use corio_aio::op::{Any, Operation, RawOp, Value};
use corio_aio::{self as aio, Cause, Mode, op};

use crate::positions::{self, contents};
use crate::scene::{Kept, Scene, cause, closes_on_exec, code, give, promises};
use crate::system::{self, Code, without_descriptors};

promises![
    what_goes_into_a_pipe_comes_out_of_it,
    the_ends_of_a_pipe_close_on_exec,
    a_pipe_without_descriptors_left_is_emfile,
    a_pipe_that_nobody_takes_is_closed,
    a_pipe_that_never_starts_makes_none,
    a_pipe_keeps_its_place_in_a_chain,
    a_splice_moves_bytes_from_a_file_to_a_pipe_and_on,
    a_splice_at_offsets_leaves_the_positions_alone,
    a_splice_to_a_socket_arrives,
    a_splice_of_nothing_and_at_the_end_is_zero,
    a_splice_takes_the_longest_length,
    a_splice_waits_for_bytes,
    a_splice_from_an_empty_pipe_can_be_canceled,
    a_splice_to_a_full_pipe_can_be_canceled,
    a_splice_that_never_starts_moves_nothing,
    a_splice_that_does_not_fit_tells_why,
    a_short_splice_breaks_a_soft_chain_and_no_hard_one,
    a_splice_keeps_its_place_in_a_chain,
];

fn what_goes_into_a_pipe_comes_out_of_it(_: &mut Scene) -> Kept {
    let (mut reader, mut writer) = aio::single(op::pipe())?;
    writer.write_all(b"through")?;
    drop(writer);
    let mut through = String::new();
    reader.read_to_string(&mut through)?;
    assert_eq!(through, "through");
    Ok(())
}

fn the_ends_of_a_pipe_close_on_exec(_: &mut Scene) -> Kept {
    let (made, ()) = aio::multi((op::pipe().soft(), op::nop()))?;
    let ((), also_made) = aio::multi((op::nop().soft(), op::pipe()))?;
    for (reader, writer) in [made, also_made] {
        assert!(closes_on_exec(&reader) && closes_on_exec(&writer));
    }
    Ok(())
}

fn a_pipe_without_descriptors_left_is_emfile(_: &mut Scene) -> Kept {
    let (first, nop, later) =
        without_descriptors(|| aio::complete((op::pipe().hard(), op::nop().soft(), op::pipe())))?;
    assert_eq!((code(first), nop, code(later)), (Code::EMFILE, Ok(()), Code::EMFILE));
    Ok(())
}

/// That each descriptor is closed is seen by who runs the promise.
fn a_pipe_that_nobody_takes_is_closed(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(8);
    queue.queue(op::pipe())?.detach(&mut queue);
    let (nop, made) = queue.queue_all((op::nop().soft(), op::pipe()))?;
    queue.complete_all()?;
    nop.take(&mut queue)?;
    drop(made.take(&mut queue)?);
    let (nop, made) = queue.queue_all((op::nop().soft(), op::pipe()))?;
    nop.detach(&mut queue);
    made.detach(&mut queue);
    queue.complete_all()?;
    let broken = aio::multi((op::pipe().soft(), op::pipe().soft(), op::read(aio::Cwd, vec![0])));
    assert_eq!(code(broken), Code::EBADF);
    let mut dropped = aio::Dynamic::new(4)?;
    let _ = dropped.queue_all((op::nop().soft(), op::pipe()))?;
    dropped.complete_all()?;
    Ok(())
}

fn a_pipe_that_never_starts_makes_none(scene: &mut Scene) -> Kept {
    positions::never_starts(scene, Any::new(op::pipe()))
}

fn a_pipe_keeps_its_place_in_a_chain(scene: &mut Scene) -> Kept {
    let is_pipe = |value: &Value| matches!(value, Value::Pipe(..));
    positions::succeeds(scene, || Any::new(op::pipe()), is_pipe)
}

fn a_splice_moves_bytes_from_a_file_to_a_pipe_and_on(scene: &mut Scene) -> Kept {
    let (mut from, mut to) = (scene.file(b"hello world"), scene.file(b""));
    let (reader, writer) = std::io::pipe()?;
    let moved = aio::multi((
        op::splice(&from, &writer, 5).soft(),
        op::splice(&reader, &to, 5).soft(),
        op::splice(&from, &writer, 6).more().move_pages().soft(),
        op::splice(&reader, &to, 6),
    ))?;
    assert_eq!(moved, (5, 5, 6, 6));
    assert_eq!(contents(&to), b"hello world");
    assert_eq!((from.stream_position()?, to.stream_position()?), (11, 11));
    Ok(())
}

fn a_splice_at_offsets_leaves_the_positions_alone(scene: &mut Scene) -> Kept {
    let (mut from, mut to) = (scene.file(b"hello world"), scene.file(b"HELLO WORLD"));
    let (reader, writer) = std::io::pipe()?;
    aio::multi((
        op::splice(&from, &writer, 3).from_at(6).soft(),
        op::splice(&reader, &to, 3).to_at(1),
    ))?;
    assert_eq!(contents(&to), b"HworO WORLD");
    assert_eq!((from.stream_position()?, to.stream_position()?), (0, 0));
    Ok(())
}

fn a_splice_to_a_socket_arrives(scene: &mut Scene) -> Kept {
    let ((ours, theirs), (reader, mut writer)) = (scene.pair(), std::io::pipe()?);
    writer.write_all(b"through")?;
    assert_eq!(aio::single(op::splice(&reader, &ours, 64))?, 7);
    let mut buf = [0; 8];
    assert_eq!(aio::single(op::recv(&theirs, &mut buf))?, 7);
    give(&theirs, b"back");
    assert_eq!(aio::single(op::splice(&ours, &writer, 64))?, 4);
    assert_eq!(aio::single(op::read(&reader, &mut buf))?, 4);
    assert_eq!(&buf[..4], b"back");
    Ok(())
}

fn a_splice_of_nothing_and_at_the_end_is_zero(scene: &mut Scene) -> Kept {
    let (file, (reader, writer)) = (scene.file(b"abc"), std::io::pipe()?);
    assert_eq!(aio::single(op::splice(&reader, &file, 0))?, 0);
    assert_eq!(aio::single(op::splice(&file, &writer, 8).from_at(3))?, 0);
    drop(writer);
    assert_eq!(aio::single(op::splice(&reader, &file, 8))?, 0);
    Ok(())
}

fn a_splice_takes_the_longest_length(scene: &mut Scene) -> Kept {
    let (file, (_reader, writer)) = (scene.file(b"abc"), std::io::pipe()?);
    for len in [RawOp::MOST, RawOp::MOST + 1, usize::MAX] {
        assert_eq!(aio::single(op::splice(&file, &writer, len).from_at(0))?, 3);
    }
    Ok(())
}

fn a_splice_waits_for_bytes(scene: &mut Scene) -> Kept {
    let (file, (reader, mut writer)) = (scene.file(b""), std::io::pipe()?);
    let mut queue = scene.queue(2);
    let moved = queue.queue(op::splice(reader, file.try_clone()?, 64))?;
    assert_eq!(queue.complete(Mode::NonBlocking)?, []);
    writer.write_all(b"now")?;
    assert_eq!(queue.complete(Mode::Blocking)?.len(), 1);
    assert_eq!(moved.take(&mut queue)?, 3);
    assert_eq!(contents(&file), b"now");
    Ok(())
}

fn a_splice_from_an_empty_pipe_can_be_canceled(scene: &mut Scene) -> Kept {
    let (file, (mut reader, mut writer)) = (scene.file(b""), std::io::pipe()?);
    positions::is_canceled_while_it_waits(scene, Any::new(op::splice(&reader, &file, 64)))?;
    writer.write_all(b"late")?;
    drop(writer);
    assert_eq!((reader.read_to_end(&mut Vec::new())?, contents(&file)), (4, vec![]));
    Ok(())
}

fn a_splice_to_a_full_pipe_can_be_canceled(scene: &mut Scene) -> Kept {
    let (mut file, (_reader, mut writer)) = (scene.file(b"abc"), std::io::pipe()?);
    writer.write_all(&vec![1; system::pipe_room(&writer)])?;
    positions::is_canceled_while_it_waits(scene, Any::new(op::splice(&file, &writer, 3)))?;
    assert_eq!(file.stream_position()?, 0);
    Ok(())
}

fn a_splice_that_never_starts_moves_nothing(scene: &mut Scene) -> Kept {
    let (mut file, (_reader, writer)) = (scene.file(b"abc"), std::io::pipe()?);
    positions::never_starts(scene, Any::new(op::splice(&file, &writer, 3)))?;
    assert_eq!(file.stream_position()?, 0);
    Ok(())
}

fn a_splice_that_does_not_fit_tells_why(scene: &mut Scene) -> Kept {
    let (file, other, closed) = (scene.file(b"abc"), scene.file(b""), scene.closed());
    let (path, (reader, mut writer)) = (scene.path(), std::io::pipe()?);
    writer.write_all(b"bytes")?;
    assert_eq!(code(aio::single(op::splice(&file, &other, 3))), Code::EINVAL);
    assert_eq!(code(aio::single(op::splice(&reader, &writer, 3))), Code::EINVAL);
    assert_eq!(code(aio::single(op::splice(&closed, &writer, 3))), Code::EBADF);
    assert_eq!(code(aio::single(op::splice(&reader, &closed, 3))), Code::EBADF);
    assert_eq!(code(aio::single(op::splice(&writer, &file, 3))), Code::EBADF);
    assert_eq!(code(aio::single(op::splice(&reader, &file, 3).from_at(1))), Code::ESPIPE);
    assert_eq!(code(aio::single(op::splice(&file, &writer, 3).to_at(1))), Code::ESPIPE);
    let read_only = scene.read_only();
    assert_eq!(code(aio::single(op::splice(&reader, &read_only, 3))), Code::EBADF);
    let appends = OpenOptions::new().create(true).append(true).open(path)?;
    assert_eq!(code(aio::single(op::splice(&reader, &appends, 3))), Code::EINVAL);
    drop(reader);
    assert_eq!(code(aio::single(op::splice(&file, &writer, 3))), Code::EPIPE);
    Ok(())
}

fn a_short_splice_breaks_a_soft_chain_and_no_hard_one(scene: &mut Scene) -> Kept {
    let (file, (_reader, writer)) = (scene.file(b"short"), std::io::pipe()?);
    let splice = || op::splice(&file, &writer, 8).from_at(0);
    let (n, nop) = aio::complete((splice().soft(), op::nop()))?;
    assert_eq!((n, cause(nop)), (Ok(5), Cause::Canceled));
    assert_eq!(aio::complete((splice().hard(), op::nop()))?, (Ok(5), Ok(())));
    Ok(())
}

fn a_splice_keeps_its_place_in_a_chain(scene: &mut Scene) -> Kept {
    let (file, closed, (_reader, writer)) = (scene.file(b"abc"), scene.closed(), std::io::pipe()?);
    let splice = || Any::new(op::splice(&file, &writer, 3).from_at(0));
    positions::succeeds(scene, splice, |value| matches!(value, Value::Count(3)))?;
    positions::fails(scene, || Any::new(op::splice(&closed, &writer, 3)), Code::EBADF)
}
