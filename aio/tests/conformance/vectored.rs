//! readv and writev.

use std::io::{Read, Seek, Write};
use std::rc::Rc;

use corio_aio::{self as aio, Cause, Cwd, Mode, op, op::Any, op::Operation, op::Value};

use crate::positions::{self, contents};
use crate::scene::{Kept, Scene, cause, code, promises};
use crate::system::{self, Code};

promises![
    a_readv_fills_one_buffer_after_the_other,
    a_readv_at_an_offset_leaves_the_position_alone,
    a_readv_leaves_what_it_does_not_reach_alone,
    a_readv_at_the_end_is_zero,
    a_readv_and_a_writev_of_nothing_are_zero,
    a_readv_of_a_pipe_waits_for_bytes,
    a_readv_of_a_pipe_can_be_canceled,
    a_readv_that_never_starts_leaves_the_buffers_alone,
    a_readv_of_what_can_not_be_read_tells_why,
    a_writev_writes_one_buffer_after_the_other,
    a_writev_to_what_can_not_be_written_tells_why,
    a_writev_to_a_full_pipe_can_be_canceled,
    a_writev_that_never_starts_writes_nothing,
    a_thousand_and_twenty_four_buffers_are_taken,
    more_than_a_thousand_and_twenty_four_buffers_are_einval,
    many_megabytes_are_written_and_read_back_in_pieces,
    arrays_and_lists_of_borrowed_and_owned_buffers_are_taken,
    a_short_readv_breaks_a_soft_chain_and_no_hard_one,
    readv_and_writev_keep_their_place_in_a_chain,
];

fn a_readv_fills_one_buffer_after_the_other(scene: &mut Scene) -> Kept {
    let mut file = scene.file(b"hello world");
    let (mut one, mut two, mut three) = ([0; 2], [0; 4], [0; 3]);
    let read = op::readv(&file, [&mut one[..], &mut two[..], &mut three[..]]);
    assert_eq!(aio::single(read)?, 9);
    assert_eq!((&one, &two, &three), (b"he", b"llo ", b"wor"));
    assert_eq!(file.stream_position()?, 9);
    Ok(())
}

fn a_readv_at_an_offset_leaves_the_position_alone(scene: &mut Scene) -> Kept {
    let mut file = scene.file(b"hello world");
    let (mut one, mut two) = ([0; 3], [0; 2]);
    assert_eq!(aio::single(op::readv(&file, [&mut one[..], &mut two[..]]).at(6))?, 5);
    assert_eq!((&one, &two), (b"wor", b"ld"));
    assert_eq!(file.stream_position()?, 0);
    Ok(())
}

fn a_readv_leaves_what_it_does_not_reach_alone(scene: &mut Scene) -> Kept {
    let file = scene.file(b"abc");
    let mut bufs = [[7; 2], [7; 2], [7; 2]];
    let [one, two, three] = &mut bufs;
    assert_eq!(aio::single(op::readv(&file, [one, two, three]))?, 3);
    assert_eq!(bufs, [*b"ab", *b"c\x07", [7; 2]]);
    Ok(())
}

fn a_readv_at_the_end_is_zero(scene: &mut Scene) -> Kept {
    let file = scene.file(b"abc");
    assert_eq!(aio::single(op::readv(&file, [vec![0; 4], vec![0; 4]]).at(3))?, 0);
    Ok(())
}

fn a_readv_and_a_writev_of_nothing_are_zero(scene: &mut Scene) -> Kept {
    let file = scene.file(b"abc");
    assert_eq!(aio::single(op::readv(&file, [vec![0; 0], vec![], vec![]]))?, 0);
    assert_eq!(aio::single(op::writev(&file, ["", ""]))?, 0);
    assert_eq!(aio::single(op::readv::<_, [Vec<u8>; 0]>(&file, []))?, 0);
    assert_eq!(aio::single(op::writev(&file, Vec::<&str>::new()))?, 0);
    assert_eq!(contents(&file), b"abc");
    Ok(())
}

fn a_readv_of_a_pipe_waits_for_bytes(scene: &mut Scene) -> Kept {
    let (reader, writer) = std::io::pipe()?;
    let mut queue = scene.queue(2);
    let read = queue.queue(op::readv(reader, [vec![0; 2], vec![7; 2]]))?;
    assert_eq!(queue.complete(Mode::NonBlocking)?, []);
    aio::single(op::write(&writer, b"abc"))?;
    assert_eq!(queue.complete(Mode::Blocking)?.len(), 1);
    let (result, read) = read.recover(&mut queue)?;
    assert_eq!((result?, read.bufs), (3, [vec![b'a', b'b'], vec![b'c', 7]]));
    Ok(())
}

fn a_readv_of_a_pipe_can_be_canceled(scene: &mut Scene) -> Kept {
    let (mut reader, mut writer) = std::io::pipe()?;
    let mut bufs = [[7; 2], [7; 2]];
    let [one, two] = &mut bufs;
    positions::is_canceled_while_it_waits(scene, Any::new(op::readv(&reader, [one, two])))?;
    writer.write_all(b"late")?;
    reader.read_exact(&mut [0; 4])?;
    assert_eq!(bufs, [[7; 2]; 2]);
    Ok(())
}

fn a_readv_that_never_starts_leaves_the_buffers_alone(scene: &mut Scene) -> Kept {
    let (file, mut buf) = (scene.file(b"abc"), [7; 3]);
    positions::never_starts(scene, Any::new(op::readv(&file, [&mut buf])))?;
    assert_eq!(buf, [7; 3]);
    Ok(())
}

fn a_readv_of_what_can_not_be_read_tells_why(scene: &mut Scene) -> Kept {
    let (null, closed, dir) = (scene.write_only(), scene.closed(), scene.open_dir());
    let bufs = || [vec![0; 4], vec![0; 4]];
    assert_eq!(code(aio::single(op::readv(&null, bufs()))), Code::EBADF);
    assert_eq!(code(aio::single(op::readv(&closed, bufs()))), Code::EBADF);
    assert_eq!(code(aio::single(op::readv(Cwd, bufs()))), Code::EBADF);
    assert_eq!(code(aio::single(op::readv(&dir, bufs()))), Code::EISDIR);
    Ok(())
}

fn a_writev_writes_one_buffer_after_the_other(scene: &mut Scene) -> Kept {
    let mut file = scene.file(b"");
    assert_eq!(aio::single(op::writev(&file, ["hel", "", "lo ", "world"]))?, 11);
    assert_eq!(file.stream_position()?, 11);
    assert_eq!(aio::single(op::writev(&file, ["W", "OR"]).at(6))?, 3);
    assert_eq!(file.stream_position()?, 11);
    assert_eq!(contents(&file), b"hello WORld");
    Ok(())
}

fn a_writev_to_what_can_not_be_written_tells_why(scene: &mut Scene) -> Kept {
    let (full, null, closed) = (system::full(), scene.read_only(), scene.closed());
    let (reader, pipe) = std::io::pipe()?;
    drop(reader);
    assert_eq!(code(aio::single(op::writev(&full, ["a", "b"]))), Code::FULL);
    assert_eq!(code(aio::single(op::writev(&null, ["a", "b"]))), Code::EBADF);
    assert_eq!(code(aio::single(op::writev(&closed, ["a", "b"]))), Code::EBADF);
    assert_eq!(code(aio::single(op::writev(&pipe, ["a", "b"]))), Code::EPIPE);
    Ok(())
}

fn a_writev_to_a_full_pipe_can_be_canceled(scene: &mut Scene) -> Kept {
    let (mut reader, mut writer) = std::io::pipe()?;
    let room = system::pipe_room(&writer);
    writer.write_all(&vec![1; room])?;
    positions::is_canceled_while_it_waits(scene, Any::new(op::writev(&writer, ["a", "b"])))?;
    drop(writer);
    assert_eq!(reader.read_to_end(&mut Vec::new())?, room);
    Ok(())
}

fn a_writev_that_never_starts_writes_nothing(scene: &mut Scene) -> Kept {
    let file = scene.file(b"");
    positions::never_starts(scene, Any::new(op::writev(&file, ["a", "b"])))?;
    assert_eq!(contents(&file), b"");
    Ok(())
}

fn a_thousand_and_twenty_four_buffers_are_taken(scene: &mut Scene) -> Kept {
    let file = scene.file(b"");
    let bytes: Vec<[u8; 1]> = (0..1024).map(|index| [(index % 251) as u8]).collect();
    let mut back = vec![[0; 1]; bytes.len()];
    assert_eq!(aio::single(op::writev(&file, bytes.iter().collect::<Vec<_>>()))?, 1024);
    let into: Vec<&mut [u8; 1]> = back.iter_mut().collect();
    assert_eq!(aio::single(op::readv(&file, into).at(0))?, 1024);
    assert_eq!(back, bytes);
    Ok(())
}

fn more_than_a_thousand_and_twenty_four_buffers_are_einval(scene: &mut Scene) -> Kept {
    let file = scene.file(b"");
    assert_eq!(code(aio::single(op::writev(&file, vec!["a"; 1025]))), Code::EINVAL);
    assert_eq!(code(aio::single(op::readv(&file, vec![vec![0; 1]; 1025]))), Code::EINVAL);
    positions::fails(scene, || Any::new(op::writev(&file, vec!["a"; 1025])), Code::EINVAL)?;
    assert_eq!(contents(&file), b"");
    Ok(())
}

fn many_megabytes_are_written_and_read_back_in_pieces(scene: &mut Scene) -> Kept {
    let file = scene.file(b"");
    let pieces: Vec<Vec<u8>> = (0..8).map(|index| vec![index; (1 << 20) + 1]).collect();
    let len = pieces.iter().map(Vec::len).sum();
    let mut back = vec![vec![0; (1 << 20) + 1]; pieces.len()];
    let written = op::writev(&file, pieces.iter().collect::<Vec<_>>()).soft();
    let read = op::readv(&file, back.iter_mut().collect::<Vec<_>>()).at(0);
    assert_eq!(aio::multi((written, read))?, (len, len));
    assert!(back == pieces);
    Ok(())
}

fn arrays_and_lists_of_borrowed_and_owned_buffers_are_taken(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(4);
    let (file, text) = (Rc::new(scene.file(b"")), String::from("f"));
    aio::multi((
        op::writev(&file, [&b"a"[..], b"b"]).soft(),
        op::writev(&file, vec![String::from("c")]).soft(),
        op::writev(Rc::clone(&file), [vec![b'd'], vec![b'e']]).soft(),
        op::writev(&file, [&text]),
    ))?;
    let read = op::readv(Rc::clone(&file), vec![vec![0; 2].into_boxed_slice(), Box::new([0; 4])]);
    let read = queue.queue(read.at(0))?;
    queue.complete_all()?;
    let (result, read) = read.recover(&mut queue)?;
    assert_eq!((result?, read.bufs.concat()), (6, b"abcdef".to_vec()));
    Ok(())
}

fn a_short_readv_breaks_a_soft_chain_and_no_hard_one(scene: &mut Scene) -> Kept {
    let file = scene.file(b"short");
    let read = || op::readv(&file, [vec![0; 4], vec![0; 4]]).at(0);
    let (n, nop) = aio::complete((read().soft(), op::nop()))?;
    assert_eq!((n, cause(nop)), (Ok(5), Cause::Canceled));
    assert_eq!(aio::complete((read().hard(), op::nop()))?, (Ok(5), Ok(())));
    Ok(())
}

fn readv_and_writev_keep_their_place_in_a_chain(scene: &mut Scene) -> Kept {
    let (file, full, closed) = (scene.file(b"abcd"), system::full(), scene.closed());
    let is_four = |value: &Value| matches!(value, Value::Count(4));
    let bufs = || [vec![0; 1], vec![0; 3]];
    positions::succeeds(scene, || Any::new(op::readv(&file, bufs()).at(0)), is_four)?;
    positions::succeeds(scene, || Any::new(op::writev(&file, ["a", "bcd"]).at(0)), is_four)?;
    positions::fails(scene, || Any::new(op::readv(&closed, bufs())), Code::EBADF)?;
    positions::fails(scene, || Any::new(op::writev(&full, ["a", "b"])), Code::FULL)
}
