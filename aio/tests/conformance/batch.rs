//! Batches: tuples, arrays, lists and slices of operations, and the rules known at run time only.

use std::sync::atomic::AtomicU32;
use std::time::Duration;

use corio_aio::op::{Any, Link, Operation, Value};
use corio_aio::{self as aio, Cause, Dynamic, Error, OpKind, Options, op};

use crate::scene::{Kept, Scene, cause, code, give, promises, writer};

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
    an_immediate_call_inside_a_call_works,
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
    let (ours, theirs) = scene.unix();
    give(&theirs, b"hey");
    let mut buf = [0; 8];
    let values = aio::multi(vec![
        Any::new(op::nop()).link_by(Link::Soft),
        Any::new(op::recv(&ours, &mut buf).soft()),
        Any::new(op::open_at(aio::Cwd, "/dev/null").hard()),
        Any::new(op::socket(aio::Domain::UNIX, aio::Type::STREAM, None)).link_by(Link::None),
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
    let full = writer("/dev/full");
    let file = scene.file(b"");
    let failed =
        aio::multi((op::write(&full, b"a").soft(), op::write(&file, b"a").soft(), op::nop()));
    assert_eq!(failed, Err(Error::new(OpKind::Write, Cause::Os(libc::ENOSPC))));
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

/// A handle whose descriptor is asked for by a call of its own.
struct Nested(std::fs::File);

impl std::os::fd::AsFd for Nested {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        aio::multi((op::nop().soft(), op::timeout(Duration::ZERO))).expect("a call inside a call");
        std::os::fd::AsFd::as_fd(&self.0)
    }
}

fn an_immediate_call_inside_a_call_works(scene: &mut Scene) -> Kept {
    let file = Nested(scene.file(b""));
    let written = aio::multi((
        op::write(&file, b"one").soft(),
        op::write(&file, b"two").soft(),
        op::write(&file, b"three"),
    ))?;
    assert_eq!(written, (3, 3, 5));
    let closed = scene.closed();
    assert_eq!(code(aio::single(op::recv(&closed, &mut [0; 1]))), libc::EBADF);
    Ok(())
}

fn what_is_not_supported_says_so(_: &mut Scene) -> Kept {
    let word = AtomicU32::new(0);
    for kind in OpKind::ALL.into_iter().filter(|kind| !aio::supports(&[*kind])) {
        assert_eq!(kind, OpKind::FutexWait, "everything else is supported everywhere");
        assert_eq!(cause(aio::single(op::futex_wait(&word, 0))), Cause::Unsupported);
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
