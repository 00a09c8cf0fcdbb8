//! Batches: tuples, arrays, lists and slices of operations, and the rules known at run time only.

use std::fs::File;
use std::net::{Shutdown, SocketAddr};
use std::path::Path;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use corio_aio::op::{Any, FileAdvice, Link, MemoryAdvice, Operation, SocketOption, Value};
use corio_aio::{self as aio, Cause, Cwd, Dynamic, Error, OpKind, Options, op};

use crate::scene::{Kept, Scene, cause, code_in, give, promises};
use crate::system::{self, Code};

promises![
    a_tuple_yields_a_tuple_in_order,
    an_array_yields_an_array,
    a_list_yields_a_list,
    a_slice_yields_a_list_and_keeps_its_operations,
    operations_of_all_types_go_into_one_list,
    the_error_of_many_is_the_failure_that_the_others_follow_from,
    a_batch_can_be_larger_than_the_ring,
    a_chain_longer_than_the_ring_is_full_and_starts_nothing,
    a_wrong_batch_known_at_run_time_is_invalid_and_starts_nothing,
    what_is_not_supported_says_so,
    options_may_require_operations,
];

fn a_tuple_yields_a_tuple_in_order(scene: &mut Scene) -> Kept {
    let file = scene.file(b"contents");
    let (mut one, mut two) = ([0; 3], [0; 5]);
    let results = aio::multi((
        op::timeout(Duration::from_millis(5)),
        op::read(&file, &mut one).at(0),
        op::nop(),
        op::read(&file, &mut two).at(3),
    ))?;
    assert_eq!(results, ((), 3, (), 5));
    assert_eq!((&one, &two), (b"con", b"tents"));
    Ok(())
}

fn an_array_yields_an_array(scene: &mut Scene) -> Kept {
    let file = scene.file(b"");
    let writes: [_; 4] = std::array::from_fn(|index| op::write(&file, vec![0; index]).at(0));
    assert_eq!(aio::multi(writes)?, [0, 1, 2, 3]);
    Ok(())
}

fn a_list_yields_a_list(scene: &mut Scene) -> Kept {
    let file = scene.file(b"");
    let writes: Vec<_> = (0..40).map(|length| op::write(&file, vec![0; length]).at(0)).collect();
    assert_eq!(aio::multi(writes)?, (0..40).collect::<Vec<_>>());
    Ok(())
}

fn a_slice_yields_a_list_and_keeps_its_operations(scene: &mut Scene) -> Kept {
    let file = scene.file(b"contents");
    let mut reads: Vec<_> =
        (0..3).map(|index| op::read(&file, vec![0; index + 1]).at(index as u64)).collect();
    assert_eq!(aio::multi(&mut reads[..])?, [1, 2, 3]);
    assert_eq!(reads[2].buf, b"nte");
    assert_eq!(aio::multi(&mut reads[..])?, [1, 2, 3]);
    Ok(())
}

fn operations_of_all_types_go_into_one_list(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    give(&theirs, b"hey");
    let (mut buf, path) = ([0; 8], scene.path());
    std::fs::write(&path, "")?;
    let values = aio::multi(vec![
        Any::new(op::nop()).link_by(Link::Soft),
        Any::new(op::recv(&ours, &mut buf).soft()),
        Any::new(op::open_at(Cwd, &path).hard()),
        Any::new(op::socket(aio::Domain::IPV4, aio::Type::STREAM, None)).link_by(Link::None),
        Any::new(op::poll(&ours, op::Events::WRITABLE)),
    ])?;
    assert!(matches!(
        values[..],
        [
            Value::Done,
            Value::Count(3),
            Value::File(_),
            Value::Socket(_),
            Value::Events(op::Events::WRITABLE)
        ]
    ));
    assert_eq!(&buf[..3], b"hey");
    Ok(())
}

fn the_error_of_many_is_the_failure_that_the_others_follow_from(scene: &mut Scene) -> Kept {
    let full = system::full();
    let file = scene.file(b"");
    let failed =
        aio::multi((op::write(&full, b"a").soft(), op::write(&file, b"a").soft(), op::nop()));
    let failed = failed.expect_err("one fails");
    assert_eq!((failed.op(), code_in(failed.cause())), (Some(OpKind::Write), Code::FULL));
    let canceled_first =
        aio::multi((op::timeout(Duration::MAX).soft(), op::link_timeout(Duration::from_millis(1))));
    assert_eq!(canceled_first, Err(Error::new(OpKind::LinkTimeout, Cause::Expired)));
    Ok(())
}

fn a_batch_can_be_larger_than_the_ring(scene: &mut Scene) -> Kept {
    aio::multi(vec![op::nop(); 10_000])?;
    let file = scene.file(b"");
    let chains: Vec<Any<'_>> = (0..3_000)
        .map(|index| {
            let link = if index % 3 < 2 { Link::Soft } else { Link::None };
            Any::new(op::write(&file, b"x").at(index)).link_by(link)
        })
        .collect();
    assert_eq!(aio::multi(chains)?.len(), 3_000);
    assert_eq!(file.metadata()?.len(), 3_000);
    Ok(())
}

fn a_chain_longer_than_the_ring_is_full_and_starts_nothing(scene: &mut Scene) -> Kept {
    let options = Options { entries: 4, ..Options::default() };
    let mut queue = scene.queue_with(100, options);
    let file = scene.file(b"");
    queue.scope(|queue| -> Kept {
        let chain = |length: usize| -> Vec<Any<'_>> {
            (0..length)
                .map(|index| {
                    let link = if index + 1 < length { Link::Soft } else { Link::None };
                    Any::new(op::write(&file, b"x")).link_by(link)
                })
                .collect()
        };
        assert_eq!(cause(queue.queue_all(chain(64))), Cause::Full);
        assert!(queue.is_empty() && queue.complete_all()?.is_empty());
        queue.queue_all(chain(4))?.into_iter().for_each(|ticket| ticket.detach(queue));
        assert_eq!(queue.complete_all()?.len(), 4);
        Ok(())
    })?;
    assert_eq!(file.metadata()?.len(), 4);
    Ok(())
}

fn a_wrong_batch_known_at_run_time_is_invalid_and_starts_nothing(scene: &mut Scene) -> Kept {
    let file = scene.file(b"");
    let write = || Any::new(op::write(&file, b"x"));
    let limit = || Any::new(op::link_timeout(Duration::ZERO));
    let wrong: [Vec<Any<'_>>; 6] = [
        vec![],
        vec![write().link_by(Link::Soft)],
        vec![write(), write().link_by(Link::Hard)],
        vec![limit()],
        vec![write(), limit()],
        vec![write().link_by(Link::Soft), limit().link_by(Link::Soft), limit()],
    ];
    for batch in wrong {
        assert_eq!(cause(aio::multi(batch)), Cause::InvalidBatch);
    }
    assert_eq!(cause(aio::multi((write(), write().soft()))), Cause::InvalidBatch);
    assert_eq!(cause(aio::multi([write().hard()])), Cause::InvalidBatch);
    assert_eq!(cause(aio::complete(&mut [write()][..0]).map(drop)), Cause::InvalidBatch);
    assert_eq!(file.metadata()?.len(), 0);
    Ok(())
}

/// An operation of `kind` on `file` and in `dir`. Most are on the wrong thing, which is not what
/// they are to say where they are not supported.
fn any<'a>(kind: OpKind, file: &'a File, dir: &Path, word: &'a AtomicU32) -> Any<'a> {
    let (new, address) = (dir.join("new"), SocketAddr::from(([127, 0, 0, 1], 0)));
    match kind {
        OpKind::Read => Any::new(op::read(file, vec![0; 1])),
        OpKind::Write => Any::new(op::write(file, "")),
        OpKind::Fsync => Any::new(op::fsync(file)),
        OpKind::OpenAt => Any::new(op::open_at(Cwd, dir)),
        OpKind::Readv => Any::new(op::readv(file, [vec![0; 1]])),
        OpKind::Writev => Any::new(op::writev(file, [""])),
        OpKind::Ftruncate => Any::new(op::ftruncate(file, 0)),
        OpKind::Fallocate => Any::new(op::fallocate(file, 0, 1)),
        OpKind::Fadvise => Any::new(op::fadvise(file, FileAdvice::Normal)),
        OpKind::Madvise => Any::new(op::madvise(Vec::new(), MemoryAdvice::Normal)),
        OpKind::SyncFileRange => Any::new(op::sync_file_range(file)),
        OpKind::Splice => Any::new(op::splice(file, file, 1)),
        OpKind::Pipe => Any::new(op::pipe()),
        OpKind::Statx => Any::new(op::statx(Cwd, dir)),
        OpKind::RenameAt => Any::new(op::rename_at(Cwd, dir, Cwd, new)),
        OpKind::UnlinkAt => Any::new(op::unlink_at(Cwd, new)),
        OpKind::MkdirAt => Any::new(op::mkdir_at(Cwd, new)),
        OpKind::SymlinkAt => Any::new(op::symlink_at("target", Cwd, new)),
        OpKind::LinkAt => Any::new(op::link_at(Cwd, dir, Cwd, new)),
        OpKind::Socket => Any::new(op::socket(aio::Domain::IPV4, aio::Type::STREAM, None)),
        OpKind::Bind => Any::new(op::bind(file, address)),
        OpKind::Listen => Any::new(op::listen(file)),
        OpKind::Accept => Any::new(op::accept(file)),
        OpKind::Connect => Any::new(op::connect(file, address)),
        OpKind::Send => Any::new(op::send(file, "")),
        OpKind::Recv => Any::new(op::recv(file, vec![0; 1])),
        OpKind::Shutdown => Any::new(op::shutdown(file, Shutdown::Both)),
        OpKind::SendMsg => Any::new(op::send_msg(file, [""])),
        OpKind::RecvMsg => Any::new(op::recv_msg(file, [vec![0; 1]])),
        OpKind::SendZc => Any::new(op::send_zc(file, "")),
        OpKind::GetSocketOption => Any::new(op::get_socket_option(file, SocketOption::ERROR)),
        OpKind::SetSocketOption => Any::new(op::set_socket_option(file, SocketOption::ERROR, 0)),
        OpKind::ReadTty => Any::new(op::read_tty(file, vec![0; 1])),
        OpKind::WaitId => Any::new(op::wait_id(file)),
        OpKind::FutexWait => Any::new(op::futex_wait(word, 1)),
        OpKind::FutexWake => Any::new(op::futex_wake(word, 1)),
        OpKind::Poll => Any::new(op::poll(file, op::Events::READABLE)),
        // Every backend does the rest itself, or it is asked with what only another call can make.
        _ => Any::new(op::nop()),
    }
}

fn what_is_not_supported_says_so(scene: &mut Scene) -> Kept {
    let (file, dir, word) = (scene.file(b""), scene.dir().to_owned(), AtomicU32::new(0));
    // There is no child to be asked about where there are no processes.
    let is_askable = |kind: &OpKind| *kind != OpKind::ChildExit || system::HAS_PROCESSES;
    let lacks = |kind: &OpKind| !aio::supports(&[*kind]);
    for kind in OpKind::ALL.into_iter().filter(lacks).filter(is_askable) {
        let refused = aio::single(any(kind, &file, &dir, &word)).map(drop);
        assert_eq!(refused, Err(Error::new(kind, Cause::Unsupported)));
    }
    assert!(aio::supports(&[]));
    Ok(())
}

fn options_may_require_operations(scene: &mut Scene) -> Kept {
    let options = Options { required: &[OpKind::Recv, OpKind::Statx], ..Options::default() };
    assert!(scene.queue_with(1, options).is_empty());
    let options = Options {
        required: &[OpKind::FutexWait],
        backend: Some(aio::backend()?),
        ..Options::default()
    };
    let set_up = Dynamic::with_options(1, options);
    assert_eq!(set_up.is_ok(), aio::supports(&[OpKind::FutexWait]));
    Ok(())
}
