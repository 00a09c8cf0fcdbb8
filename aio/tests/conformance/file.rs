//! open_at, read, write, fsync and close.

use std::fs;
use std::io::{Read, Seek};
use std::rc::Rc;
use std::sync::Arc;

use corio_aio::{self as aio, Cause, Closing, Cwd, Mode, OwnedDescriptor, op, op::Operation};

use crate::scene::{Kept, Scene, cause, closes_on_exec, code, give, promises, raw};
use crate::system::{self, Code, without_descriptors};

promises![
    a_read_goes_on_from_the_position_of_the_file,
    a_read_at_an_offset_leaves_the_position_alone,
    a_read_leaves_the_rest_of_the_buffer_alone,
    a_read_at_the_end_is_zero,
    a_read_into_nothing_is_zero,
    a_read_of_what_is_write_only_is_ebadf,
    a_read_of_a_directory_is_eisdir,
    a_read_of_a_closed_handle_is_ebadf,
    the_current_directory_is_no_file,
    a_read_of_a_pipe_waits_for_bytes,
    a_read_of_a_pipe_without_writers_is_zero,
    a_write_moves_the_position_on,
    a_write_at_an_offset_leaves_the_position_alone,
    a_write_of_nothing_is_zero,
    a_write_to_what_is_read_only_is_ebadf,
    a_write_to_a_pipe_without_readers_is_epipe,
    many_megabytes_are_written_and_read_back,
    all_kinds_of_buffers_and_handles_are_taken,
    a_sync_succeeds,
    a_sync_of_a_pipe_is_einval,
    an_open_file_can_be_read_and_closes_on_exec,
    an_open_for_writing_creates_truncates_and_appends,
    a_file_is_made_with_the_mode_asked_for,
    an_open_from_a_directory_finds_what_is_in_it,
    an_open_of_what_is_missing_is_enoent,
    an_open_of_an_empty_path_is_enoent,
    an_open_of_what_must_be_new_is_eexist,
    an_open_of_a_directory_for_writing_is_eisdir,
    an_open_of_a_file_as_a_directory_is_enotdir,
    an_open_in_a_closed_directory_is_ebadf,
    an_open_of_a_path_with_a_nul_is_an_invalid_path,
    an_open_without_descriptors_left_is_emfile,
    a_close_closes_files_directories_and_sockets,
    a_close_of_what_is_closed_is_ebadf,
    a_close_that_never_ran_leaves_the_handle_open,
];

fn a_read_goes_on_from_the_position_of_the_file(scene: &mut Scene) -> Kept {
    let file = scene.file(b"hello world");
    let mut buf = [0; 6];
    assert_eq!(aio::single(op::read(&file, &mut buf))?, 6);
    assert_eq!(&buf, b"hello ");
    assert_eq!(aio::single(op::read(&file, &mut buf))?, 5);
    assert_eq!(&buf[..5], b"world");
    Ok(())
}

fn a_read_at_an_offset_leaves_the_position_alone(scene: &mut Scene) -> Kept {
    let mut file = scene.file(b"hello world");
    let mut buf = [0; 5];
    assert_eq!(aio::single(op::read(&file, &mut buf).at(6))?, 5);
    assert_eq!(&buf, b"world");
    assert_eq!(file.stream_position()?, 0);
    Ok(())
}

fn a_read_leaves_the_rest_of_the_buffer_alone(scene: &mut Scene) -> Kept {
    let file = scene.file(b"abc");
    let mut buf = [7; 6];
    assert_eq!(aio::single(op::read(&file, &mut buf))?, 3);
    assert_eq!(&buf, b"abc\x07\x07\x07");
    Ok(())
}

fn a_read_at_the_end_is_zero(scene: &mut Scene) -> Kept {
    let file = scene.file(b"abc");
    assert_eq!(aio::single(op::read(&file, &mut [0; 4]).at(3))?, 0);
    assert_eq!(aio::single(op::read(&file, &mut [0; 4]).at(1 << 40))?, 0);
    Ok(())
}

fn a_read_into_nothing_is_zero(scene: &mut Scene) -> Kept {
    let file = scene.file(b"abc");
    assert_eq!(aio::single(op::read(&file, &mut []))?, 0);
    Ok(())
}

fn a_read_of_what_is_write_only_is_ebadf(scene: &mut Scene) -> Kept {
    let file = scene.write_only();
    assert_eq!(code(aio::single(op::read(&file, &mut [0; 4]))), Code::EBADF);
    Ok(())
}

fn a_read_of_a_directory_is_eisdir(scene: &mut Scene) -> Kept {
    let dir = scene.open_dir();
    assert_eq!(code(aio::single(op::read(&dir, &mut [0; 4]))), Code::EISDIR);
    Ok(())
}

fn a_read_of_a_closed_handle_is_ebadf(scene: &mut Scene) -> Kept {
    let closed = scene.closed();
    assert_eq!(code(aio::single(op::read(&closed, &mut [0; 4]))), Code::EBADF);
    assert_eq!(code(aio::single(op::write(&closed, b"a"))), Code::EBADF);
    assert_eq!(code(aio::single(op::fsync(&closed))), Code::EBADF);
    Ok(())
}

fn the_current_directory_is_no_file(_: &mut Scene) -> Kept {
    assert_eq!(code(aio::single(op::read(Cwd, &mut [0; 4]))), Code::EBADF);
    assert_eq!(code(aio::single(op::recv(Cwd, &mut [0; 4]))), Code::EBADF);
    Ok(())
}

fn a_read_of_a_pipe_waits_for_bytes(scene: &mut Scene) -> Kept {
    let (reader, writer) = std::io::pipe()?;
    let mut queue = scene.queue(2);
    let read = queue.queue(op::read(reader, vec![0; 8]))?;
    assert_eq!(queue.complete(Mode::NonBlocking)?, []);
    aio::single(op::write(&writer, b"abc"))?;
    assert_eq!(queue.complete(Mode::Blocking)?.len(), 1);
    assert_eq!(read.take(&mut queue)?, 3);
    Ok(())
}

fn a_read_of_a_pipe_without_writers_is_zero(_: &mut Scene) -> Kept {
    let (reader, writer) = std::io::pipe()?;
    drop(writer);
    assert_eq!(aio::single(op::read(&reader, &mut [0; 4]))?, 0);
    Ok(())
}

fn a_write_moves_the_position_on(scene: &mut Scene) -> Kept {
    let mut file = scene.file(b"");
    assert_eq!(aio::single(op::write(&file, b"hello "))?, 6);
    assert_eq!(aio::single(op::write(&file, "world"))?, 5);
    file.rewind()?;
    assert_eq!(std::io::read_to_string(&file)?, "hello world");
    Ok(())
}

fn a_write_at_an_offset_leaves_the_position_alone(scene: &mut Scene) -> Kept {
    let mut file = scene.file(b"hello world");
    assert_eq!(aio::single(op::write(&file, b"WORLD").at(6))?, 5);
    assert_eq!(file.stream_position()?, 0);
    assert_eq!(std::io::read_to_string(&file)?, "hello WORLD");
    Ok(())
}

fn a_write_of_nothing_is_zero(scene: &mut Scene) -> Kept {
    let file = scene.file(b"abc");
    assert_eq!(aio::single(op::write(&file, b""))?, 0);
    Ok(())
}

fn a_write_to_what_is_read_only_is_ebadf(scene: &mut Scene) -> Kept {
    let file = scene.read_only();
    assert_eq!(code(aio::single(op::write(&file, b"a"))), Code::EBADF);
    Ok(())
}

fn a_write_to_a_pipe_without_readers_is_epipe(_: &mut Scene) -> Kept {
    let (reader, writer) = std::io::pipe()?;
    drop(reader);
    assert_eq!(code(aio::single(op::write(&writer, b"a"))), Code::EPIPE);
    Ok(())
}

fn many_megabytes_are_written_and_read_back(scene: &mut Scene) -> Kept {
    let file = scene.file(b"");
    let bytes: Vec<u8> = (0..8 << 20).map(|index: u32| (index % 251) as u8).collect();
    let mut back = vec![0; bytes.len()];
    let (written, read) =
        aio::multi((op::write(&file, &bytes).at(0).soft(), op::read(&file, &mut back).at(0)))?;
    assert_eq!((written, read), (bytes.len(), bytes.len()));
    assert!(back == bytes);
    Ok(())
}

fn all_kinds_of_buffers_and_handles_are_taken(scene: &mut Scene) -> Kept {
    let file = scene.file(b"");
    let shared = Arc::new(file.try_clone()?);
    aio::multi((
        op::write(&file, "a").soft(),
        op::write(&shared, &String::from("b")).soft(),
        op::write(Arc::clone(&shared), vec![b'c']).soft(),
        op::write(Rc::new(file.try_clone()?), String::from("d")).soft(),
        op::write(system::borrowed(&file), Box::<[u8]>::from(&b"e"[..])).soft(),
        op::write(file.try_clone()?, Arc::<[u8]>::from(&b"f"[..])).soft(),
        op::write(OwnedDescriptor::from(file.try_clone()?), Rc::<[u8]>::from(&b"g"[..])),
    ))?;
    let (mut array, mut list, mut boxed) = ([0; 2], vec![0; 2], vec![0; 2].into_boxed_slice());
    aio::multi((
        op::read(&file, &mut array).at(0),
        op::read(&file, &mut list).at(2),
        op::read(&file, &mut boxed).at(4),
    ))?;
    assert_eq!([&array[..], &list[..], &boxed[..]].concat(), b"abcdef");
    Ok(())
}

fn a_sync_succeeds(scene: &mut Scene) -> Kept {
    let file = scene.file(b"");
    aio::multi((
        op::write(&file, b"a").soft(),
        op::fsync(&file).soft(),
        op::fsync(&file).data_only(),
    ))?;
    Ok(())
}

fn a_sync_of_a_pipe_is_einval(_: &mut Scene) -> Kept {
    let (_reader, writer) = std::io::pipe()?;
    assert_eq!(code(aio::single(op::fsync(&writer))), Code::EINVAL);
    Ok(())
}

fn an_open_file_can_be_read_and_closes_on_exec(scene: &mut Scene) -> Kept {
    let path = scene.path();
    fs::write(&path, "contents")?;
    let file = aio::single(op::open_at(Cwd, &path))?;
    assert!(closes_on_exec(&file));
    assert_eq!(std::io::read_to_string(&file)?, "contents");
    assert_eq!(code(aio::single(op::write(&file, b"a"))), Code::EBADF);
    Ok(())
}

fn an_open_for_writing_creates_truncates_and_appends(scene: &mut Scene) -> Kept {
    let path = scene.path();
    let file = aio::single(op::open_at(Cwd, &path).write_only().create_new())?;
    aio::single(op::write(&file, b"first"))?;
    let file = aio::single(op::open_at(Cwd, &path).write_only().append())?;
    aio::single(op::write(&file, b", second"))?;
    assert_eq!(fs::read_to_string(&path)?, "first, second");
    let mut file = aio::single(op::open_at(Cwd, &path).read_write().create().truncate())?;
    assert_eq!(file.read(&mut [0; 4])?, 0);
    Ok(())
}

fn a_file_is_made_with_the_mode_asked_for(scene: &mut Scene) -> Kept {
    let path = scene.path();
    let file = aio::single(op::open_at(Cwd, &path).write_only().create_new().mode(0o600))?;
    assert_eq!(system::mode(&file.metadata()?), Some(0o600));
    Ok(())
}

fn an_open_from_a_directory_finds_what_is_in_it(scene: &mut Scene) -> Kept {
    fs::write(scene.dir().join("inside"), "contents")?;
    let dir = aio::single(op::open_at(Cwd, scene.dir()).directory())?;
    let file = aio::single(op::open_at(&dir, "inside"))?;
    assert_eq!(std::io::read_to_string(&file)?, "contents");
    Ok(())
}

fn an_open_of_what_is_missing_is_enoent(scene: &mut Scene) -> Kept {
    let path = scene.path();
    assert_eq!(code(aio::single(op::open_at(Cwd, path))), Code::ENOENT);
    Ok(())
}

fn an_open_of_an_empty_path_is_enoent(_: &mut Scene) -> Kept {
    assert_eq!(code(aio::single(op::open_at(Cwd, ""))), Code::ENOENT);
    Ok(())
}

fn an_open_of_what_must_be_new_is_eexist(scene: &mut Scene) -> Kept {
    let path = scene.path();
    fs::write(&path, "")?;
    let open = op::open_at(Cwd, path).write_only().create_new();
    assert_eq!(code(aio::single(open)), Code::EEXIST);
    Ok(())
}

fn an_open_of_a_directory_for_writing_is_eisdir(scene: &mut Scene) -> Kept {
    let open = op::open_at(Cwd, scene.dir()).write_only();
    assert_eq!(code(aio::single(open)), Code::EISDIR);
    Ok(())
}

fn an_open_of_a_file_as_a_directory_is_enotdir(scene: &mut Scene) -> Kept {
    let path = scene.path();
    fs::write(&path, "")?;
    assert_eq!(code(aio::single(op::open_at(Cwd, path).directory())), Code::ENOTDIR);
    Ok(())
}

fn an_open_in_a_closed_directory_is_ebadf(scene: &mut Scene) -> Kept {
    let dir = Closing::new(scene.open_dir());
    aio::single(op::close(&dir))?;
    assert_eq!(code(aio::single(op::open_at(&dir, "file"))), Code::EBADF);
    Ok(())
}

fn an_open_of_a_path_with_a_nul_is_an_invalid_path(_: &mut Scene) -> Kept {
    let result = aio::single(op::open_at(Cwd, "a\0b").write_only().create());
    assert_eq!(cause(result), Cause::InvalidPath);
    Ok(())
}

fn an_open_without_descriptors_left_is_emfile(_: &mut Scene) -> Kept {
    let results = without_descriptors(|| {
        aio::complete((
            op::open_at(Cwd, "/dev/null"),
            op::socket(aio::Domain::IPV4, aio::Type::STREAM, None),
        ))
    })?;
    assert_eq!((code(results.0), code(results.1)), (Code::EMFILE, Code::EMFILE));
    Ok(())
}

fn a_close_closes_files_directories_and_sockets(scene: &mut Scene) -> Kept {
    let (socket, peer) = scene.pair();
    let (file, dir) = (scene.file(b""), scene.open_dir());
    let numbers = [raw(&socket), raw(&file), raw(&dir)];
    aio::multi((op::close(socket), op::close(file), op::close(OwnedDescriptor::from(dir))))?;
    assert_eq!(numbers.map(system::is_open), [false; 3]);
    assert_eq!(aio::single(op::recv(&peer, &mut [0; 4]))?, 0);
    Ok(())
}

fn a_close_of_what_is_closed_is_ebadf(scene: &mut Scene) -> Kept {
    let closed = scene.closed();
    assert_eq!(code(aio::single(op::close(&closed))), Code::EBADF);
    assert!(closed.into_inner().is_none());
    Ok(())
}

fn a_close_that_never_ran_leaves_the_handle_open(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    let (full, ours) = (system::full(), Closing::new(ours));
    let (written, closed) = aio::complete((op::write(&full, b"a").soft(), op::close(&ours)))?;
    assert_eq!((code(written), cause(closed)), (Code::FULL, Cause::Canceled));
    give(&theirs, b"still open");
    assert_eq!(aio::single(op::recv(&ours, &mut [0; 16]))?, 10);
    assert!(ours.into_inner().is_some());
    Ok(())
}
