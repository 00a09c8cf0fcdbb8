//! Chains that are canceled, and handles that are closed in them or beside them.

use std::fs::{self, OpenOptions};
use std::time::Duration;

use corio_aio::op::{Any, Link, Operation, Value};
use corio_aio::{
    self as aio, Cause, Closing, Dynamic, EventSource, Mode, OpKind, OwnedDescriptor, Queue, op,
};

use crate::scene::{Kept, Scene, cause, code, code_in, give, promises, raw, stuff};
use crate::system::{self, Code, Stream};

promises![
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

/// An operation that waits until it is canceled, in each of the ways to wait.
fn waiting<'a>(way: usize, scene: &'a Waits) -> Any<'a> {
    match way {
        0 => Any::new(op::recv(&scene.socket.0, vec![0; 4])),
        1 => Any::new(op::read(&scene.pipe.0, vec![0; 4])),
        2 => Any::new(op::wait_event_source(&scene.source)),
        3 => Any::new(op::timeout(Duration::MAX)),
        4 => Any::new(op::poll(&scene.socket.0, op::Events::READABLE)),
        _ => Any::new(op::send(&scene.stuffed, vec![1; 1 << 20])),
    }
}

const WAYS: usize = 6;

struct Waits {
    socket: (Stream, Stream),
    /// It is dropped first: to close the other waits, on WASI, until what was sent is taken.
    _peer: Stream,
    stuffed: Stream,
    /// A pipe, where there are any.
    pipe: (OwnedDescriptor, OwnedDescriptor),
    source: EventSource,
}

impl Waits {
    fn new(scene: &Scene) -> Result<Waits, Box<dyn std::error::Error>> {
        let (stuffed, peer) = scene.pair();
        stuff(&stuffed, Stream::set_nonblocking)?;
        let pipe = match system::pipe() {
            Some((reader, writer)) => (reader.into(), writer.into()),
            None => {
                let (ours, theirs) = scene.pair();
                (ours.into(), theirs.into())
            }
        };
        let source = EventSource::new()?;
        Ok(Waits { socket: scene.pair(), _peer: peer, stuffed, pipe, source })
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
    let (ours, _theirs) = scene.pair();
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
    let (ours, theirs) = scene.pair();
    let ours = Closing::new(ours);
    aio::multi((op::send(&ours, b"ok bye").soft(), op::close(&ours)))?;
    let mut buf = [0; 8];
    assert_eq!(aio::single(op::recv(&theirs, &mut buf))?, 6);
    assert_eq!(aio::single(op::recv(&theirs, &mut buf))?, 0);
    assert!(ours.into_inner().is_none());
    Ok(())
}

fn a_close_in_the_middle_ends_the_use_of_its_handle(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    let ours = Closing::new(ours);
    let (sent, closed, after, twice, last) = aio::complete((
        op::send(&ours, b"bye").soft(),
        op::close(&ours).hard(),
        op::send(&ours, b"never").hard(),
        op::close(&ours).hard(),
        op::nop(),
    ))?;
    assert_eq!((sent, closed, last), (Ok(3), Ok(()), Ok(())));
    assert_eq!((code(after), code(twice)), (Code::EBADF, Code::EBADF));
    assert_eq!(aio::single(op::recv(&theirs, &mut [0; 8]))?, 3);
    Ok(())
}

fn a_close_while_a_recv_is_pending_cancels_it(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    let ours = Closing::new(ours);
    let mut buf = [7; 4];
    let mut queue = Dynamic::new(8)?;
    queue.scope(|queue| -> Kept {
        let received = queue.queue(op::recv(&ours, &mut buf))?;
        assert_eq!(queue.complete(Mode::NonBlocking)?, []);
        let closed = queue.queue(op::close(&ours))?;
        let after = queue.queue(op::recv(&ours, vec![0; 4]))?;
        let twice = queue.queue(op::close(&ours))?;
        queue.complete_all()?;
        assert_eq!((cause(received.take(queue)), closed.take(queue)), (Cause::Canceled, Ok(())));
        assert_eq!(code(after.take(queue)), Code::EBADF);
        assert_eq!(code(twice.take(queue)), Code::EBADF);
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
    let ours = Closing::new(scene.pair().0);
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
    let (gate, theirs) = scene.pair();
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
    assert_eq!(length, 0, "{written:?} to a stranger, {}", raw(&stranger[0]));
    if let Err(error) = written {
        assert!(error.is_canceled() || code_in(error.cause()) == Code::EBADF, "{error}");
        assert_eq!(error.op(), Some(OpKind::Write));
    }
    Ok(())
}
