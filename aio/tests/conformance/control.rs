//! nop, timeout, link_timeout, cancel and poll.

use std::time::{Duration, Instant};

use corio_aio::op::{Any, Events, Operation, Value};
use corio_aio::{self as aio, Cause, Mode, op};

use crate::positions;
use crate::scene::{Kept, Scene, cause, code, give, promises};
use crate::system::Code;

promises![
    a_nop_succeeds,
    a_timeout_is_never_early,
    a_timeout_of_nothing_is_over_at_once,
    timeouts_end_in_the_order_of_their_deadlines,
    the_longest_timeout_stays_pending_and_can_be_canceled,
    a_time_limit_that_expires_cancels_what_it_limits,
    a_time_limit_is_never_early,
    a_time_limit_on_what_comes_first_succeeds,
    a_time_limit_on_what_fails_succeeds,
    a_time_limit_that_expires_together_with_its_timeout_agrees_with_it,
    the_longest_time_limit_limits_nothing,
    a_cancel_that_hits_succeeds_and_its_target_is_canceled,
    a_cancel_that_is_late_finds_nothing,
    a_cancel_that_is_stale_finds_nothing,
    a_cancel_of_another_ring_finds_nothing,
    a_cancel_of_what_has_not_started_finds_nothing,
    each_kind_of_pending_operation_can_be_canceled,
    a_poll_tells_what_is_ready,
    a_poll_waits_until_something_is_ready,
    a_poll_tells_that_the_peer_is_gone,
    a_poll_of_a_closed_handle_is_ebadf,
    a_forever_pending_poll_can_be_canceled,
    a_file_is_always_ready,
];

const SHORT: Duration = Duration::from_millis(10);

fn a_nop_succeeds(_: &mut Scene) -> Kept {
    aio::single(op::nop())?;
    Ok(())
}

fn a_timeout_is_never_early(_: &mut Scene) -> Kept {
    for length_us in [1, 10, 100, 999, 1_000, 1_001, 2_500, 10_000] {
        let length = Duration::from_micros(length_us);
        let start = Instant::now();
        aio::single(op::timeout(length))?;
        assert!(start.elapsed() >= length, "{length:?} took {:?}", start.elapsed());
    }
    Ok(())
}

fn a_timeout_of_nothing_is_over_at_once(_: &mut Scene) -> Kept {
    aio::multi([op::timeout(Duration::ZERO); 16])?;
    Ok(())
}

fn timeouts_end_in_the_order_of_their_deadlines(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(4);
    for (number, length_ms) in [(3, 300), (1, 100), (2, 200)] {
        let timeout = op::timeout(Duration::from_millis(length_ms)).userdata(number);
        queue.queue(timeout)?.detach(&mut queue);
    }
    let order: Vec<u64> = queue.complete_all()?.iter().map(|done| done.userdata).collect();
    assert_eq!(order, [1, 2, 3]);
    Ok(())
}

fn the_longest_timeout_stays_pending_and_can_be_canceled(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(4);
    let longest = queue.queue(op::timeout(Duration::MAX))?;
    queue.queue(op::timeout(SHORT))?.detach(&mut queue);
    assert_eq!(queue.complete(Mode::Blocking)?.len(), 1);
    queue.queue(op::cancel(longest.id()))?.detach(&mut queue);
    assert_eq!(queue.complete_all()?.len(), 2);
    assert_eq!(cause(longest.take(&mut queue)), Cause::Canceled);
    Ok(())
}

fn a_time_limit_that_expires_cancels_what_it_limits(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    let mut buf = [7; 4];
    let (received, limit) =
        aio::complete((op::recv(&ours, &mut buf).soft(), op::link_timeout(SHORT)))?;
    assert_eq!((cause(received), cause(limit)), (Cause::Canceled, Cause::Expired));
    give(&theirs, b"late");
    assert_eq!(buf, [7; 4]);
    assert_eq!(aio::single(op::recv(&ours, &mut buf))?, 4);
    Ok(())
}

fn a_time_limit_is_never_early(scene: &mut Scene) -> Kept {
    let (ours, _theirs) = scene.pair();
    for length_us in [1, 100, 1_000, 10_000] {
        let (start, length) = (Instant::now(), Duration::from_micros(length_us));
        let limited = aio::multi((op::recv(&ours, &mut [0; 4]).soft(), op::link_timeout(length)));
        assert_eq!(cause(limited), Cause::Expired);
        assert!(start.elapsed() >= length, "{length:?} took {:?}", start.elapsed());
    }
    Ok(())
}

fn a_time_limit_on_what_comes_first_succeeds(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    give(&theirs, b"now");
    let limit = op::link_timeout(Duration::from_secs(60));
    let (n, ()) = aio::multi((op::recv(&ours, &mut [0; 8]).soft(), limit))?;
    assert_eq!(n, 3);
    Ok(())
}

fn a_time_limit_on_what_fails_succeeds(scene: &mut Scene) -> Kept {
    let closed = scene.closed();
    let limit = op::link_timeout(Duration::from_secs(60));
    let (received, limit) = aio::complete((op::recv(&closed, &mut [0; 8]).soft(), limit))?;
    assert_eq!((code(received), limit), (Code::EBADF, Ok(())));
    Ok(())
}

fn a_time_limit_that_expires_together_with_its_timeout_agrees_with_it(_: &mut Scene) -> Kept {
    let (mut first, mut expired) = (0, 0);
    for round in 0..5_000 {
        let length = Duration::from_micros(round % 50);
        let limited = (op::timeout(length).soft(), op::link_timeout(length));
        match aio::complete(limited)? {
            (Ok(()), Ok(())) => first += 1,
            (Err(timeout), Err(limit)) => {
                assert_eq!((timeout.cause(), limit.cause()), (Cause::Canceled, Cause::Expired));
                expired += 1;
            }
            other => panic!("round {round} ({first} first, {expired} expired): {other:?}"),
        }
    }
    Ok(())
}

fn the_longest_time_limit_limits_nothing(_: &mut Scene) -> Kept {
    aio::multi((op::timeout(SHORT).soft(), op::link_timeout(Duration::MAX)))?;
    Ok(())
}

fn a_cancel_that_hits_succeeds_and_its_target_is_canceled(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(4);
    let (ours, theirs) = scene.pair();
    let received = queue.queue(op::recv(ours, vec![7; 4]))?;
    queue.complete(Mode::NonBlocking)?;
    let canceled = queue.queue(op::cancel(received.id()))?;
    queue.complete_all()?;
    canceled.take(&mut queue)?;
    let (result, recv) = received.recover(&mut queue)?;
    assert_eq!(cause(result), Cause::Canceled);
    give(&theirs, b"late");
    assert_eq!(recv.buf, [7; 4]);
    Ok(())
}

fn a_cancel_that_is_late_finds_nothing(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(4);
    let nop = queue.queue(op::nop())?;
    queue.complete_all()?;
    let canceled = queue.queue(op::cancel(nop.id()))?;
    queue.complete_all()?;
    assert_eq!(cause(canceled.take(&mut queue)), Cause::NotFound);
    nop.take(&mut queue)?;
    Ok(())
}

fn a_cancel_that_is_stale_finds_nothing(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(2);
    let mut stale = Vec::new();
    for _ in 0..100 {
        let nop = queue.queue(op::nop())?;
        stale.push(nop.id());
        queue.complete_all()?;
        nop.take(&mut queue)?;
    }
    let pending = queue.queue(op::timeout(Duration::MAX))?;
    for id in stale {
        let canceled = queue.queue(op::cancel(id))?;
        assert_eq!(queue.complete(Mode::Blocking)?.len(), 1);
        assert_eq!(cause(canceled.take(&mut queue)), Cause::NotFound);
    }
    queue.queue(op::cancel(pending.id()))?.detach(&mut queue);
    queue.complete_all()?;
    assert_eq!(cause(pending.take(&mut queue)), Cause::Canceled);
    Ok(())
}

fn a_cancel_of_another_ring_finds_nothing(scene: &mut Scene) -> Kept {
    let (mut one, mut other) = (scene.queue(2), scene.queue(2));
    let ours = one.queue(op::timeout(Duration::MAX))?;
    let theirs = other.queue(op::timeout(Duration::MAX))?;
    one.complete(Mode::NonBlocking)?;
    other.complete(Mode::NonBlocking)?;
    let canceled = one.queue(op::cancel(theirs.id()))?;
    assert_eq!(one.complete(Mode::Blocking)?.len(), 1);
    assert_eq!(cause(canceled.take(&mut one)), Cause::NotFound);
    assert_eq!(cause(aio::single(op::cancel(ours.id()))), Cause::NotFound);
    for (queue, ticket) in [(&mut one, ours), (&mut other, theirs)] {
        queue.queue(op::cancel(ticket.id()))?.detach(queue);
        queue.complete_all()?;
        assert_eq!(cause(ticket.take(queue)), Cause::Canceled);
    }
    Ok(())
}

fn a_cancel_of_what_has_not_started_finds_nothing(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(4);
    let (ours, theirs) = scene.pair();
    let (received, nop) = queue.queue_all((op::recv(ours, vec![0; 4]).soft(), op::nop()))?;
    queue.complete(Mode::NonBlocking)?;
    let canceled = queue.queue(op::cancel(nop.id()))?;
    queue.complete(Mode::Blocking)?;
    assert_eq!(cause(canceled.take(&mut queue)), Cause::NotFound);
    give(&theirs, b"go");
    queue.complete_all()?;
    assert_eq!((received.take(&mut queue)?, nop.take(&mut queue)), (2, Ok(())));
    Ok(())
}

fn each_kind_of_pending_operation_can_be_canceled(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(4);
    let (ours, _theirs) = scene.pair();
    let (stream, _end) = scene.pair();
    let (listener, source) = (scene.listener(), aio::EventSource::new()?);
    let (mut buf, mut other) = ([7; 4], [7; 4]);
    queue.scope(|queue| -> Kept {
        for pending in [
            Any::new(op::recv(&ours, &mut buf)),
            Any::new(op::read(&stream, &mut other)),
            Any::new(op::accept(&listener)),
            Any::new(op::poll(&ours, Events::READABLE)),
            Any::new(op::wait_event_source(&source)),
            Any::new(op::timeout(Duration::MAX)),
        ] {
            let what = format!("{pending:?}");
            let pending = queue.queue(pending)?;
            assert_eq!(queue.complete(Mode::NonBlocking)?, [], "{what}");
            let canceled = queue.queue(op::cancel(pending.id()))?;
            queue.complete_all()?;
            assert_eq!(canceled.take(queue), Ok(()), "{what}");
            assert_eq!(cause(pending.take(queue)), Cause::Canceled, "{what}");
        }
        Ok(())
    })?;
    assert_eq!((buf, other), ([7; 4], [7; 4]));
    Ok(())
}

fn a_poll_tells_what_is_ready(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    give(&theirs, b"now");
    let both = Events::READABLE | Events::WRITABLE;
    // On its way, where another thread carries it.
    assert_eq!(aio::single(op::poll(&ours, Events::READABLE))?, Events::READABLE);
    assert_eq!(aio::single(op::poll(&ours, both))?, both);
    assert_eq!(aio::single(op::poll(&theirs, both))?, Events::WRITABLE);
    Ok(())
}

fn a_poll_waits_until_something_is_ready(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    let mut queue = scene.queue(4);
    let ready = queue.queue(op::poll(ours, Events::READABLE))?;
    queue.queue(op::timeout(SHORT))?.detach(&mut queue);
    assert!(queue.complete(Mode::Blocking)?.iter().all(|done| done.id != ready.id()));
    give(&theirs, b"now");
    queue.complete_all()?;
    assert!(ready.take(&mut queue)?.contains(Events::READABLE));
    Ok(())
}

fn a_poll_tells_that_the_peer_is_gone(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    drop(theirs);
    let events = aio::single(op::poll(&ours, Events::default()))?;
    assert!(events.contains(Events::HANG_UP));
    Ok(())
}

fn a_poll_of_a_closed_handle_is_ebadf(scene: &mut Scene) -> Kept {
    let closed = scene.closed();
    assert_eq!(code(aio::single(op::poll(&closed, Events::READABLE))), Code::EBADF);
    Ok(())
}

fn a_forever_pending_poll_can_be_canceled(scene: &mut Scene) -> Kept {
    let (ours, _theirs) = scene.pair();
    let limited = (op::poll(&ours, Events::READABLE).soft(), op::link_timeout(SHORT));
    let (ready, limit) = aio::complete(limited)?;
    assert_eq!((cause(ready), cause(limit)), (Cause::Canceled, Cause::Expired));
    Ok(())
}

fn a_file_is_always_ready(scene: &mut Scene) -> Kept {
    let (file, both) = (scene.file(b""), Events::READABLE | Events::WRITABLE);
    let is_ready = |value: &Value| matches!(value, Value::Events(events) if *events == both);
    positions::succeeds(scene, || Any::new(op::poll(&file, both)), is_ready)
}
