//! Chains: soft, hard, limited, canceled, closed in the middle.

use std::fs::{self, OpenOptions};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use corio_aio::op::{Any, Link, Operation, Value};
use corio_aio::{self as aio, Cause, Closing, Cwd, Dynamic, EventSource, Mode, OpKind, Queue, op};

use crate::scene::{Kept, Scene, cause, code, give, promises, writer};

promises![
    a_soft_chain_runs_in_order,
    a_soft_chain_ends_with_its_first_failure,
    a_hard_chain_goes_on_after_a_failure,
    a_failure_cancels_the_hard_links_behind_a_soft_one_too,
    a_short_read_breaks_a_soft_chain_and_no_hard_one,
    a_short_recv_breaks_no_chain,
    a_failure_before_the_queue_cancels_what_follows,
    a_chain_waits_for_each_of_its_operations,
    a_linked_success_is_reported_before_its_chain_ends,
    two_chains_of_one_batch_are_independent,
    a_chain_of_sixteen_runs,
    a_timeout_in_a_chain_does_not_break_it,
    a_time_limit_in_the_middle_of_a_chain_that_expires_ends_a_soft_one,
    a_time_limit_in_the_middle_of_a_chain_that_expires_lets_a_hard_one_go_on,
    a_time_limit_in_the_middle_of_a_chain_that_does_not_expire_lets_it_go_on,
    a_time_limit_starts_with_what_it_limits,
    a_time_limit_on_what_never_starts_succeeds,
    a_time_limit_on_a_new_socket_succeeds,
    a_mistake_in_a_path_never_lets_what_it_breaks_happen,
    a_cancel_hits_its_place_in_a_chain_and_no_other,
    a_cancel_runs_as_part_of_a_chain,
    a_close_ends_a_chain,
    a_close_in_the_middle_ends_the_use_of_its_handle,
    a_close_while_a_recv_is_pending_cancels_it,
    a_close_while_an_accept_is_pending_cancels_it,
    a_close_can_be_limited,
    what_starts_after_a_close_meets_no_stranger,
];

const SHORT: Duration = Duration::from_millis(5);

fn a_soft_chain_runs_in_order(scene: &mut Scene) -> Kept {
    let file = scene.file(b"");
    let mut buf = [0; 8];
    let (.., n) = aio::multi((
        op::write(&file, b"one").soft(),
        op::write(&file, b"two").soft(),
        op::read(&file, &mut buf).at(0),
    ))?;
    assert_eq!(&buf[..n], b"onetwo");
    Ok(())
}

fn a_soft_chain_ends_with_its_first_failure(scene: &mut Scene) -> Kept {
    let (full, file) = (writer("/dev/full"), scene.file(b""));
    let (nop, failed, canceled, last) = aio::complete((
        op::nop().soft(),
        op::write(&full, b"a").soft(),
        op::write(&file, b"never").soft(),
        op::nop(),
    ))?;
    assert_eq!((nop, code(failed)), (Ok(()), libc::ENOSPC));
    assert_eq!((cause(canceled), cause(last)), (Cause::Canceled, Cause::Canceled));
    assert_eq!(file.metadata()?.len(), 0);
    Ok(())
}

fn a_hard_chain_goes_on_after_a_failure(_: &mut Scene) -> Kept {
    let full = writer("/dev/full");
    let (one, two, last) =
        aio::complete((op::write(&full, b"a").hard(), op::write(&full, b"a").hard(), op::nop()))?;
    assert_eq!((code(one), code(two), last), (libc::ENOSPC, libc::ENOSPC, Ok(())));
    Ok(())
}

fn a_failure_cancels_the_hard_links_behind_a_soft_one_too(_: &mut Scene) -> Kept {
    let full = writer("/dev/full");
    let (failed, hard, last) =
        aio::complete((op::write(&full, b"a").soft(), op::nop().hard(), op::nop()))?;
    assert_eq!(code(failed), libc::ENOSPC);
    assert_eq!((cause(hard), cause(last)), (Cause::Canceled, Cause::Canceled));
    Ok(())
}

fn a_short_read_breaks_a_soft_chain_and_no_hard_one(scene: &mut Scene) -> Kept {
    let file = scene.file(b"short");
    let mut buf = [0; 8];
    let (read, nop) = aio::complete((op::read(&file, &mut buf).at(0).soft(), op::nop()))?;
    assert_eq!((read, cause(nop)), (Ok(5), Cause::Canceled));
    let (read, nop) = aio::complete((op::read(&file, &mut buf).at(0).hard(), op::nop()))?;
    assert_eq!((read, nop), (Ok(5), Ok(())));
    Ok(())
}

fn a_short_recv_breaks_no_chain(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.unix();
    give(&theirs, b"short");
    let (n, ()) = aio::multi((op::recv(&ours, &mut [0; 8]).soft(), op::nop()))?;
    assert_eq!(n, 5);
    Ok(())
}

/// `bind` is answered before the kernel's queue sees it; that must not show.
fn a_failure_before_the_queue_cancels_what_follows(scene: &mut Scene) -> Kept {
    let closed = scene.closed();
    let address = scene.listener().local_addr()?;
    let (bound, nop, last, other) =
        aio::complete((op::bind(&closed, address).soft(), op::nop().hard(), op::nop(), op::nop()))?;
    assert_eq!((code(bound), other), (libc::EBADF, Ok(())));
    assert_eq!((cause(nop), cause(last)), (Cause::Canceled, Cause::Canceled));
    let (bound, nop, last) =
        aio::complete((op::bind(&closed, address).hard(), op::nop().soft(), op::nop()))?;
    assert_eq!((code(bound), nop, last), (libc::EBADF, Ok(()), Ok(())));
    Ok(())
}

fn a_chain_waits_for_each_of_its_operations(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.unix();
    let mut queue = scene.queue(4);
    let (wait, write) =
        queue.queue_all((op::recv(ours, vec![0; 4]).soft(), op::write(scene.file(b""), b"a")))?;
    assert_eq!(queue.complete(Mode::NonBlocking)?, []);
    queue.queue(op::timeout(SHORT))?.detach(&mut queue);
    assert_eq!(queue.complete(Mode::Blocking)?.len(), 1);
    give(&theirs, b"go");
    queue.complete_all()?;
    assert_eq!((wait.take(&mut queue)?, write.take(&mut queue)?), (2, 1));
    Ok(())
}

fn a_linked_success_is_reported_before_its_chain_ends(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.unix();
    let mut queue = scene.queue(4);
    let limit = (op::timeout(Duration::from_secs(5)).userdata(9),);
    let (limit,) = queue.queue_all(limit)?;
    let (sent, received) = queue
        .queue_all((op::send(ours.try_clone()?, b"ping").soft(), op::recv(ours, vec![0; 4])))?;
    let done = queue.complete(Mode::Blocking)?;
    assert_eq!(done.iter().map(|done| done.id).collect::<Vec<_>>(), [sent.id()]);
    assert_eq!(sent.take(&mut queue)?, 4);
    give(&theirs, b"pong");
    assert_eq!(queue.complete(Mode::Blocking)?.len(), 1);
    assert_eq!(received.take(&mut queue)?, 4);
    queue.queue(op::cancel(limit.id()))?.detach(&mut queue);
    limit.detach(&mut queue);
    queue.complete_all()?;
    Ok(())
}

fn two_chains_of_one_batch_are_independent(scene: &mut Scene) -> Kept {
    let full = writer("/dev/full");
    let (ours, theirs) = scene.unix();
    let (failed, canceled, received, sent, last) = aio::complete((
        op::write(&full, b"a").soft(),
        op::nop(),
        op::recv(&ours, &mut [0; 4]),
        op::send(&theirs, b"go").soft(),
        op::nop(),
    ))?;
    assert_eq!((code(failed), cause(canceled)), (libc::ENOSPC, Cause::Canceled));
    assert_eq!((received, sent, last), (Ok(2), Ok(2), Ok(())));
    Ok(())
}

fn a_chain_of_sixteen_runs(scene: &mut Scene) -> Kept {
    let file = scene.file(b"");
    let step = || op::write(&file, b"x").soft();
    aio::multi((
        step(),
        step(),
        step(),
        step(),
        step(),
        step(),
        step(),
        step(),
        step(),
        step(),
        step(),
        step(),
        step(),
        step(),
        step(),
        op::write(&file, b"."),
    ))?;
    assert_eq!(file.metadata()?.len(), 16);
    Ok(())
}

fn a_timeout_in_a_chain_does_not_break_it(_: &mut Scene) -> Kept {
    let start = Instant::now();
    aio::multi((
        op::nop().soft(),
        op::timeout(SHORT).soft(),
        op::timeout(SHORT).soft(),
        op::nop(),
    ))?;
    assert!(start.elapsed() >= 2 * SHORT);
    Ok(())
}

fn a_time_limit_in_the_middle_of_a_chain_that_expires_ends_a_soft_one(scene: &mut Scene) -> Kept {
    let (ours, _theirs) = scene.unix();
    let (nop, received, limit, rest) = aio::complete((
        op::nop().soft(),
        op::recv(&ours, &mut [0; 4]).soft(),
        op::link_timeout(SHORT).soft(),
        op::nop(),
    ))?;
    assert_eq!((nop, cause(received)), (Ok(()), Cause::Canceled));
    assert_eq!((cause(limit), cause(rest)), (Cause::Expired, Cause::Canceled));
    Ok(())
}

fn a_time_limit_in_the_middle_of_a_chain_that_expires_lets_a_hard_one_go_on(
    scene: &mut Scene,
) -> Kept {
    let (ours, _theirs) = scene.unix();
    let (received, limit, rest) = aio::complete((
        op::recv(&ours, &mut [0; 4]).hard(),
        op::link_timeout(SHORT).hard(),
        op::nop(),
    ))?;
    assert_eq!((cause(received), cause(limit)), (Cause::Canceled, Cause::Expired));
    assert_eq!(rest, Ok(()));
    Ok(())
}

fn a_time_limit_in_the_middle_of_a_chain_that_does_not_expire_lets_it_go_on(
    scene: &mut Scene,
) -> Kept {
    let (ours, theirs) = scene.unix();
    give(&theirs, b"now");
    let long = Duration::from_secs(60);
    let (n, ..) = aio::multi((
        op::recv(&ours, &mut [0; 4]).soft(),
        op::link_timeout(long).soft(),
        op::timeout(SHORT).soft(),
        op::link_timeout(long).soft(),
        op::nop(),
    ))?;
    assert_eq!(n, 3);
    Ok(())
}

fn a_time_limit_starts_with_what_it_limits(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.unix();
    give(&theirs, b"now");
    aio::multi((
        op::timeout(4 * SHORT).soft(),
        op::recv(&ours, &mut [0; 4]).soft(),
        op::link_timeout(SHORT),
    ))?;
    Ok(())
}

fn a_time_limit_on_what_never_starts_succeeds(_: &mut Scene) -> Kept {
    let full = writer("/dev/full");
    let (failed, canceled, limit) = aio::complete((
        op::write(&full, b"a").soft(),
        op::timeout(Duration::MAX).soft(),
        op::link_timeout(Duration::ZERO),
    ))?;
    assert_eq!((code(failed), cause(canceled), limit), (libc::ENOSPC, Cause::Canceled, Ok(())));
    Ok(())
}

fn a_time_limit_on_a_new_socket_succeeds(_: &mut Scene) -> Kept {
    let (_, (), ()) = aio::multi((
        op::socket(aio::Domain::UNIX, aio::Type::STREAM, None).soft(),
        op::link_timeout(Duration::ZERO).soft(),
        op::nop(),
    ))?;
    Ok(())
}

fn a_mistake_in_a_path_never_lets_what_it_breaks_happen(scene: &mut Scene) -> Kept {
    let file = scene.file(b"");
    let (first, opened, last) = aio::complete((
        op::write(&file, b"first").soft(),
        op::open_at(Cwd, "a\0b").soft(),
        op::write(&file, b"last"),
    ))?;
    assert_eq!((cause(opened), cause(last)), (Cause::InvalidPath, Cause::Canceled));
    let written = first.map_or(0, |n| n as u64);
    assert_eq!(file.metadata()?.len(), written, "what is canceled has not happened");
    Ok(())
}

/// An operation that waits until it is canceled, in each of the ways to wait.
fn waiting<'a>(way: usize, scene: &'a Waits) -> Any<'a> {
    match way {
        0 => Any::new(op::recv(&scene.socket.0, vec![0; 4])),
        1 => Any::new(op::read(&scene.pipe.0, vec![0; 4])),
        2 => Any::new(op::wait_event_source(&scene.source)),
        3 => Any::new(op::timeout(Duration::MAX)),
        4 => Any::new(op::poll(&scene.socket.0, op::Events::READABLE)),
        _ => Any::new(op::send(&scene.stuffed.0, vec![1; 1 << 20])),
    }
}

const WAYS: usize = 6;

struct Waits {
    socket: (std::os::unix::net::UnixStream, std::os::unix::net::UnixStream),
    stuffed: (std::os::unix::net::UnixStream, std::os::unix::net::UnixStream),
    pipe: (std::io::PipeReader, std::io::PipeWriter),
    source: EventSource,
}

impl Waits {
    fn new(scene: &Scene) -> Result<Waits, Box<dyn std::error::Error>> {
        let stuffed = scene.unix();
        stuffed.0.set_nonblocking(true)?;
        while std::io::Write::write(&mut &stuffed.0, &[0; 4096]).is_ok() {}
        stuffed.0.set_nonblocking(false)?;
        let source = EventSource::new()?;
        Ok(Waits { socket: scene.unix(), stuffed, pipe: std::io::pipe()?, source })
    }
}

fn a_cancel_hits_its_place_in_a_chain_and_no_other(scene: &mut Scene) -> Kept {
    const LENGTH: usize = 5;
    let waits = Waits::new(scene)?;
    let mut queue = scene.queue(16);
    for way in 0..WAYS {
        for place in 0..LENGTH {
            for link in [Link::Soft, Link::Hard] {
                let results = queue.scope(|queue| {
                    let chain: Vec<Any<'_>> = (0..LENGTH)
                        .map(|index| {
                            let op = if index == place {
                                waiting(way, &waits)
                            } else {
                                Any::new(op::nop())
                            };
                            op.link_by(if index + 1 == LENGTH { Link::None } else { link })
                        })
                        .collect();
                    canceled_at(queue, chain, place)
                })?;
                for (index, result) in results.iter().enumerate() {
                    let is_canceled = index == place || (index > place && link == Link::Soft);
                    let found = result.as_ref().map(drop).map_err(|error| error.cause());
                    let expected = if is_canceled { Err(Cause::Canceled) } else { Ok(()) };
                    assert_eq!(found, expected, "way {way}, {link:?}, {index} of {place}");
                }
            }
        }
    }
    Ok(())
}

/// Starts `chain`, asks in vain to cancel each operation but the one at `place`, then that one.
fn canceled_at<'scope>(
    queue: &mut Queue<'scope, '_>,
    chain: Vec<Any<'scope>>,
    place: usize,
) -> Result<Vec<Result<Value, aio::Error>>, aio::Error> {
    let tickets = queue.queue_all(chain)?;
    queue.complete(Mode::NonBlocking)?;
    let (target, others): (Vec<_>, Vec<_>) =
        tickets.iter().enumerate().partition(|(index, _)| *index == place);
    for (_, other) in others {
        let canceled = queue.queue(op::cancel(other.id()))?;
        queue.complete(Mode::NonBlocking)?;
        assert_eq!(cause(canceled.take(queue)), Cause::NotFound);
    }
    let canceled = queue.queue(op::cancel(target[0].1.id()))?;
    queue.complete_all()?;
    assert_eq!(canceled.take(queue), Ok(()));
    Ok(tickets.into_iter().map(|ticket| ticket.take(queue)).collect())
}

fn a_cancel_runs_as_part_of_a_chain(scene: &mut Scene) -> Kept {
    let (ours, _theirs) = scene.unix();
    let mut queue = scene.queue(8);
    let received = queue.queue(op::recv(ours, vec![0; 4]))?;
    let (wait, canceled, again, last) = queue.queue_all((
        op::timeout(SHORT).soft(),
        op::cancel(received.id()).soft(),
        op::cancel(received.id()).soft(),
        op::nop(),
    ))?;
    queue.complete_all()?;
    assert_eq!(cause(received.take(&mut queue)), Cause::Canceled);
    assert_eq!((wait.take(&mut queue), canceled.take(&mut queue)), (Ok(()), Ok(())));
    assert_eq!(cause(again.take(&mut queue)), Cause::NotFound);
    assert_eq!(cause(last.take(&mut queue)), Cause::Canceled);
    Ok(())
}

fn a_close_ends_a_chain(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.unix();
    let ours = Closing::new(ours);
    aio::multi((op::send(&ours, b"ok bye").soft(), op::close(&ours)))?;
    let mut buf = [0; 8];
    assert_eq!(aio::single(op::recv(&theirs, &mut buf))?, 6);
    assert_eq!(aio::single(op::recv(&theirs, &mut buf))?, 0);
    assert!(ours.into_inner().is_none());
    Ok(())
}

fn a_close_in_the_middle_ends_the_use_of_its_handle(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.unix();
    let ours = Closing::new(ours);
    let (sent, closed, after, twice, last) = aio::complete((
        op::send(&ours, b"bye").soft(),
        op::close(&ours).hard(),
        op::send(&ours, b"never").hard(),
        op::close(&ours).hard(),
        op::nop(),
    ))?;
    assert_eq!((sent, closed, last), (Ok(3), Ok(()), Ok(())));
    assert_eq!((code(after), code(twice)), (libc::EBADF, libc::EBADF));
    assert_eq!(aio::single(op::recv(&theirs, &mut [0; 8]))?, 3);
    Ok(())
}

fn a_close_while_a_recv_is_pending_cancels_it(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.unix();
    let ours = Closing::new(ours);
    let mut buf = [7; 4];
    let mut queue = Dynamic::with_options(8, scene.options())?;
    queue.scope(|queue| -> Kept {
        let received = queue.queue(op::recv(&ours, &mut buf))?;
        assert_eq!(queue.complete(Mode::NonBlocking)?, []);
        let closed = queue.queue(op::close(&ours))?;
        let after = queue.queue(op::recv(&ours, vec![0; 4]))?;
        queue.complete_all()?;
        assert_eq!((cause(received.take(queue)), closed.take(queue)), (Cause::Canceled, Ok(())));
        assert_eq!(code(after.take(queue)), libc::EBADF);
        Ok(())
    })?;
    assert_eq!(aio::single(op::recv(&theirs, &mut [0; 4]))?, 0);
    assert_eq!(buf, [7; 4]);
    Ok(())
}

fn a_close_while_an_accept_is_pending_cancels_it(scene: &mut Scene) -> Kept {
    let listener = Closing::new(scene.listener());
    let (accepted, closed) = aio::complete((op::accept(&listener), op::close(&listener)))?;
    assert_eq!((cause(accepted), closed), (Cause::Canceled, Ok(())));
    Ok(())
}

fn a_close_can_be_limited(scene: &mut Scene) -> Kept {
    let ours = Closing::new(scene.unix().0);
    let limit = op::link_timeout(Duration::from_secs(60));
    aio::multi((op::nop().soft(), op::close(&ours).soft(), limit.soft(), op::nop()))?;
    assert!(ours.into_inner().is_none());
    Ok(())
}

/// The kernel looks the descriptor of a linked operation up when its turn comes: by then the
/// number may be that of somebody else's file.
fn what_starts_after_a_close_meets_no_stranger(scene: &mut Scene) -> Kept {
    let (ours, path) = (Closing::new(scene.file(b"")), scene.path());
    fs::write(&path, "")?;
    let (gate, theirs) = scene.unix();
    let mut queue = scene.queue(8);
    let (stranger, written) = queue.scope(|queue| -> Result<_, Box<dyn std::error::Error>> {
        let (wait, write) =
            queue.queue_all((op::recv(&gate, vec![0; 1]).soft(), op::write(&ours, b"a secret")))?;
        queue.complete(Mode::NonBlocking)?;
        let closed = queue.queue(op::close(&ours))?;
        queue.complete(Mode::NonBlocking)?;
        let strangers: Result<Vec<_>, _> =
            (0..8).map(|_| OpenOptions::new().append(true).open(&path)).collect();
        give(&theirs, b"!");
        queue.complete_all()?;
        wait.take(queue)?;
        closed.take(queue)?;
        Ok((strangers?, write.take(queue)))
    })?;
    let length = stranger[0].metadata()?.len();
    assert_eq!(length, 0, "{written:?} to a stranger, {}", stranger[0].as_raw_fd());
    if let Err(error) = written {
        assert!(matches!(error.cause(), Cause::Canceled | Cause::Os(libc::EBADF)), "{error}");
        assert_eq!(error.op(), Some(OpKind::Write));
    }
    Ok(())
}
