//! The dynamic queue: room, reports, tickets, scopes, handlers.

use std::cell::RefCell;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use corio_aio::{self as aio, Cause, Closing, Done, Dynamic, Mode, Options, op, op::Operation};

use crate::scene::{Kept, Scene, cause, code, give, promises};
use crate::system::{self, Code};

promises![
    a_full_queue_queues_nothing_of_a_batch,
    a_place_is_free_again_once_the_result_is_taken,
    a_place_is_free_again_once_the_detached_one_is_reported,
    completing_without_waiting_does_not_wait,
    completing_nothing_returns_at_once,
    each_operation_is_reported_once,
    what_is_complete_when_it_is_queued_is_reported_too,
    a_detached_operation_that_is_complete_at_once_is_reported,
    a_report_repeats_the_number_and_tells_failures,
    a_ticket_hands_the_operation_back_with_its_buffer,
    a_result_taken_too_early_is_in_progress,
    a_ticket_of_another_ring_is_not_found,
    a_ticket_of_an_ended_scope_is_not_found,
    a_scope_waits_for_what_is_in_flight,
    a_scope_drops_the_results_that_nobody_took,
    a_panic_of_a_handler_is_held_until_all_is_reported,
    a_handler_may_complete_immediately_and_in_another_queue,
    more_operations_are_in_flight_than_the_ring_has_entries,
    many_timeouts_overflow_nothing,
    chains_survive_an_overflow,
    a_queue_that_is_dropped_cancels_what_is_in_flight,
    a_close_that_was_not_queued_gives_its_handle_back,
];

const SHORT: Duration = Duration::from_millis(5);

fn a_full_queue_queues_nothing_of_a_batch(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(3);
    let file = Rc::new(scene.file(b""));
    let write = || op::write(Rc::clone(&file), b"x");
    let first = queue.queue(op::nop())?;
    let refused = queue.queue_all((write().soft(), write().soft(), write()));
    assert_eq!(cause(refused.map(drop)), Cause::Full);
    assert_eq!((queue.len(), queue.capacity()), (1, 3));
    assert_eq!(queue.complete_all()?.len(), 1);
    assert_eq!(file.metadata()?.len(), 0);
    let refused = queue.queue_all([op::nop(); 3]);
    assert_eq!(cause(refused.map(drop)), Cause::Full);
    first.take(&mut queue)?;
    let tickets = queue.queue_all([op::nop(); 3])?;
    queue.complete_all()?;
    tickets.into_iter().try_for_each(|ticket| ticket.take(&mut queue))?;
    assert_eq!(cause(Dynamic::new(0)?.queue(op::nop())), Cause::Full);
    Ok(())
}

fn a_place_is_free_again_once_the_result_is_taken(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(1);
    for _ in 0..100 {
        let nop = queue.queue(op::nop())?;
        assert_eq!(cause(queue.queue(op::nop())), Cause::Full);
        queue.complete_all()?;
        assert_eq!(cause(queue.queue(op::nop())), Cause::Full);
        nop.take(&mut queue)?;
    }
    Ok(())
}

fn a_place_is_free_again_once_the_detached_one_is_reported(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(1);
    for is_late in [false, true, false, true] {
        let nop = queue.queue(op::nop())?;
        if is_late {
            assert_eq!(queue.complete_all()?.len(), 1);
            nop.detach(&mut queue);
        } else {
            nop.detach(&mut queue);
            assert_eq!(cause(queue.queue(op::nop())), Cause::Full);
            assert_eq!(queue.complete_all()?.len(), 1);
        }
        assert!(queue.is_empty());
    }
    Ok(())
}

fn completing_without_waiting_does_not_wait(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(2);
    let forever = queue.queue(op::timeout(Duration::MAX))?;
    for _ in 0..100 {
        assert_eq!(queue.complete(Mode::NonBlocking)?, []);
    }
    queue.queue(op::cancel(forever.id()))?.detach(&mut queue);
    forever.detach(&mut queue);
    queue.complete_all()?;
    Ok(())
}

fn completing_nothing_returns_at_once(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(2);
    assert_eq!(queue.complete(Mode::Blocking)?, []);
    assert_eq!(queue.complete_all()?, []);
    Ok(())
}

fn each_operation_is_reported_once(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(100);
    let mut tickets = Vec::new();
    for index in 0..90 {
        tickets.push(queue.queue(op::timeout(Duration::from_micros(index % 7 * 300)))?);
    }
    let mut seen = HashSet::new();
    while seen.len() < tickets.len() {
        for done in queue.complete(Mode::Blocking)? {
            assert!(seen.insert(done.id), "{done:?} is reported twice");
        }
    }
    assert!(tickets.iter().all(|ticket| seen.contains(&ticket.id())));
    assert_eq!(queue.complete_all()?, []);
    tickets.into_iter().try_for_each(|ticket| ticket.take(&mut queue))?;
    Ok(())
}

fn what_is_complete_when_it_is_queued_is_reported_too(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(4);
    let socket = || op::socket(aio::Domain::IPV4, aio::Type::STREAM, None);
    let forever = queue.queue(op::timeout(Duration::MAX))?;
    let made = queue.queue(socket())?;
    let done = queue.complete(Mode::Blocking)?;
    assert_eq!(done.iter().map(|done| done.id).collect::<Vec<_>>(), [made.id()]);
    made.take(&mut queue)?;
    queue.queue(op::cancel(forever.id()))?.detach(&mut queue);
    forever.detach(&mut queue);
    queue.complete_all()?;
    Ok(())
}

fn a_detached_operation_that_is_complete_at_once_is_reported(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(1);
    let socket = op::socket(aio::Domain::IPV4, aio::Type::STREAM, None).userdata(5);
    queue.queue(socket)?.detach(&mut queue);
    let done = queue.complete_all()?;
    assert_eq!(done.iter().map(|done| done.userdata).collect::<Vec<_>>(), [5]);
    assert!(queue.is_empty());
    Ok(())
}

fn a_report_repeats_the_number_and_tells_failures(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(4);
    let (good, bad, plain) = queue.queue_all((
        op::nop().userdata(u64::MAX).hard(),
        op::write(system::full(), b"a").hard().userdata(7),
        op::Any::new(op::nop().userdata(9)),
    ))?;
    let mut done = queue.complete_all()?;
    done.sort_by_key(|done| done.userdata);
    let expected = [(&plain.id(), 9, false), (&bad.id(), 7, true), (&good.id(), u64::MAX, false)];
    let mut found: Vec<_> =
        done.iter().map(|done| (&done.id, done.userdata, done.failed)).collect();
    found.swap(0, 1);
    assert_eq!(found, expected);
    good.take(&mut queue)?;
    assert_eq!(code(bad.take(&mut queue)), Code::FULL);
    plain.take(&mut queue)?;
    Ok(())
}

fn a_ticket_hands_the_operation_back_with_its_buffer(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(2);
    let (file, buf) = (scene.file(b"contents"), Vec::with_capacity(100));
    let mut buf: Vec<u8> = buf;
    buf.resize(8, 0);
    let place = buf.as_ptr();
    let read = queue.queue(op::read(file, buf))?;
    queue.complete_all()?;
    let (n, read) = read.recover(&mut queue)?;
    assert_eq!((n?, &read.buf[..], read.buf.as_ptr()), (8, &b"contents"[..], place));
    assert_eq!(aio::single(op::read(&read.file, &mut [0; 4]))?, 0);
    Ok(())
}

fn a_result_taken_too_early_is_in_progress(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(2);
    let timeout = queue.queue(op::timeout(SHORT))?;
    assert_eq!(cause(timeout.take(&mut queue)), Cause::InProgress);
    assert_eq!(queue.complete_all()?.len(), 1);
    assert!(queue.is_empty());
    Ok(())
}

fn a_ticket_of_another_ring_is_not_found(scene: &mut Scene) -> Kept {
    let (mut one, mut other) = (scene.queue(2), scene.queue(2));
    let (ours, theirs) = (one.queue(op::nop())?, other.queue(op::nop())?);
    one.complete_all()?;
    other.complete_all()?;
    let stranger = other.queue(op::nop())?;
    other.complete_all()?;
    assert_eq!(cause(stranger.take(&mut one)), Cause::NotFound);
    assert_eq!((one.len(), other.len()), (1, 2));
    ours.take(&mut one)?;
    theirs.take(&mut other)?;
    drop(std::mem::replace(&mut *other, Dynamic::new(1)?));
    Ok(())
}

fn a_ticket_of_an_ended_scope_is_not_found(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(2);
    let (complete, pending) = queue.scope(|queue| -> Result<_, aio::Error> {
        let complete = queue.queue(op::nop())?;
        queue.complete_all()?;
        Ok((complete, queue.queue(op::timeout(SHORT))?))
    })?;
    let next = queue.queue(op::nop())?;
    queue.complete_all()?;
    assert_eq!(cause(complete.take(&mut queue)), Cause::NotFound);
    assert_eq!(cause(pending.recover(&mut queue).map(drop)), Cause::NotFound);
    next.take(&mut queue)?;
    Ok(())
}

fn a_scope_waits_for_what_is_in_flight(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(4);
    let file = scene.file(b"contents");
    let (start, mut buf) = (Instant::now(), [0; 8]);
    let outer = queue.queue(op::timeout(SHORT))?;
    queue.scope(|queue| -> Kept {
        let timeout = op::timeout(SHORT).soft();
        let (_wait, _read) = queue.queue_all((timeout, op::read(&file, &mut buf)))?;
        Ok(())
    })?;
    assert!(start.elapsed() >= SHORT);
    assert_eq!(&buf, b"contents");
    queue.complete_all()?;
    outer.take(&mut queue)?;
    Ok(())
}

fn a_scope_drops_the_results_that_nobody_took(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(4);
    let listener = scene.listener();
    let client = std::net::TcpStream::connect(listener.local_addr()?)?;
    queue.scope(|queue| queue.queue(op::accept(&listener)).map(drop))?;
    assert!(queue.is_empty());
    assert_eq!(aio::single(op::recv(&client, &mut [0; 4]))?, 0);
    Ok(())
}

fn a_panic_of_a_handler_is_held_until_all_is_reported(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(8);
    for number in 0..5 {
        queue.queue(op::nop().userdata(number))?.detach(&mut queue);
    }
    let mut seen = Vec::new();
    let mut handler = |done: Done| {
        seen.push(done.userdata);
        std::panic::resume_unwind(Box::new(done.userdata));
    };
    let completed =
        catch_unwind(AssertUnwindSafe(|| queue.complete_with(Mode::Blocking, &mut handler)));
    let first = completed.expect_err("the panic goes on").downcast::<u64>();
    assert_eq!(first.ok().as_deref(), seen.first());
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2, 3, 4]);
    assert!(queue.is_empty());
    Ok(())
}

fn a_handler_may_complete_immediately_and_in_another_queue(scene: &mut Scene) -> Kept {
    let (mut queue, mut other) = (scene.queue(4), scene.queue(4));
    let (ours, theirs) = scene.pair();
    for number in 0..3 {
        queue.queue(op::nop().userdata(number))?.detach(&mut queue);
    }
    let results = RefCell::new(Vec::new());
    let mut handler = |done: Done| {
        let mut buf = [0; 1];
        let byte = [b'0' + done.userdata as u8];
        let sent = aio::multi((op::send(&ours, &byte).soft(), op::recv(&theirs, &mut buf)));
        results.borrow_mut().push((sent, buf[0]));
        let timeout = other.queue(op::timeout(Duration::from_micros(100))).expect("room");
        other.complete_all().expect("a ring");
        timeout.take(&mut other).expect("a timeout");
    };
    assert_eq!(queue.complete_with(Mode::Blocking, &mut handler)?, 3);
    let expected = [(Ok((1, 1)), b'0'), (Ok((1, 1)), b'1'), (Ok((1, 1)), b'2')];
    assert_eq!(results.into_inner(), expected);
    Ok(())
}

fn more_operations_are_in_flight_than_the_ring_has_entries(scene: &mut Scene) -> Kept {
    let options = Options { entries: 1, ..Options::default() };
    let mut queue = scene.queue_with(1_000, options);
    let (ours, theirs) = scene.pair();
    queue.scope(|queue| -> Kept {
        let mut tickets = Vec::new();
        for _ in 0..1_000 {
            tickets.push(queue.queue(op::recv(&ours, vec![0; 1]))?);
        }
        assert_eq!(queue.complete(Mode::NonBlocking)?, []);
        give(&theirs, &[1; 1_000]);
        assert_eq!(queue.complete_all()?.len(), 1_000);
        for ticket in tickets {
            let (n, recv) = ticket.recover(queue)?;
            assert_eq!((n?, &recv.buf[..]), (1, &[1][..]));
        }
        Ok(())
    })
}

fn many_timeouts_overflow_nothing(scene: &mut Scene) -> Kept {
    let options = Options { entries: 8, ..Options::default() };
    let mut queue = scene.queue_with(10_000, options);
    for number in 0..10_000 {
        let length = Duration::from_micros(if number % 2 == 0 { 0 } else { number });
        queue.queue(op::timeout(length).userdata(number))?.detach(&mut queue);
    }
    let mut numbers: Vec<u64> = queue.complete_all()?.iter().map(|done| done.userdata).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..10_000));
    Ok(())
}

fn chains_survive_an_overflow(scene: &mut Scene) -> Kept {
    let options = Options { entries: 8, ..Options::default() };
    let mut queue = scene.queue_with(9_000, options);
    let (full, file) = (system::full(), scene.file(b""));
    queue.scope(|queue| -> Kept {
        let mut tickets = Vec::new();
        for at in 0..1_000 {
            tickets.push(queue.queue_all((
                op::nop().soft(),
                op::write(&file, b"x").at(at).soft(),
                op::write(&full, b"x").hard(),
                op::nop().soft(),
                op::write(&full, b"x").soft(),
                op::nop().hard(),
                op::nop(),
            ))?);
        }
        assert_eq!(queue.complete_all()?.len(), 7_000);
        for (one, two, three, four, five, six, seven) in tickets {
            assert_eq!((one.take(queue), two.take(queue)), (Ok(()), Ok(1)));
            assert_eq!((code(three.take(queue)), four.take(queue)), (Code::FULL, Ok(())));
            assert_eq!(code(five.take(queue)), Code::FULL);
            assert_eq!(cause(six.take(queue)), Cause::Canceled);
            assert_eq!(cause(seven.take(queue)), Cause::Canceled);
        }
        Ok(())
    })?;
    assert_eq!(file.metadata()?.len(), 1_000);
    Ok(())
}

fn a_queue_that_is_dropped_cancels_what_is_in_flight(scene: &mut Scene) -> Kept {
    let mut queue = Dynamic::new(8)?;
    let (ours, theirs) = scene.pair();
    let ours = Rc::new(ours);
    let _ = queue.queue(op::timeout(Duration::MAX))?;
    let _ = queue.queue(op::recv(Rc::clone(&ours), vec![0; 4]))?;
    let _ = queue.queue_all((
        op::timeout(Duration::from_millis(1)).hard(),
        op::recv(Rc::clone(&ours), vec![0; 4]).hard(),
        op::link_timeout(Duration::MAX).hard(),
        op::accept(scene.listener()).hard(),
        op::timeout(Duration::MAX),
    ))?;
    queue.complete(Mode::NonBlocking)?;
    drop(queue);
    give(&theirs, b"here");
    assert_eq!(aio::single(op::recv(&ours, &mut [0; 8]))?, 4);
    Ok(())
}

fn a_close_that_was_not_queued_gives_its_handle_back(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(1);
    let (ours, theirs) = scene.pair();
    let ours = Closing::new(ours);
    queue.scope(|queue| {
        let refused = queue.queue_all((op::nop().soft(), op::close(&ours)));
        assert_eq!(cause(refused.map(drop)), Cause::Full);
    });
    aio::single(op::send(&ours, b"open"))?;
    assert_eq!(aio::single(op::recv(&theirs, &mut [0; 8]))?, 4);
    Ok(())
}
