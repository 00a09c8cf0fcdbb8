//! Event sources: notify, wait, close.

use std::thread;
use std::time::Duration;

use corio_aio::{self as aio, Cause, EventSource, Mode, op, op::Operation};

use crate::scene::{Kept, Scene, cause, promises};

promises![
    a_notify_before_the_wait_is_not_lost,
    each_notify_lets_one_waiter_go_on,
    one_notify_of_many_lets_as_many_waiters_go_on,
    a_thread_wakes_an_operation,
    an_operation_wakes_a_thread,
    a_canceled_wait_takes_nothing_off,
    a_wait_can_be_limited,
    a_close_of_an_event_source_succeeds,
];

fn a_notify_before_the_wait_is_not_lost(_: &mut Scene) -> Kept {
    let source = EventSource::new()?;
    aio::multi([op::notify_event_source(&source), op::notify_event_source(&source)])?;
    source.notify()?;
    aio::multi((
        op::wait_event_source(&source),
        op::wait_event_source(&source),
        op::wait_event_source(&source),
    ))?;
    Ok(())
}

fn each_notify_lets_one_waiter_go_on(scene: &mut Scene) -> Kept {
    let source = EventSource::new()?;
    let mut queue = scene.queue(8);
    queue.scope(|queue| -> Kept {
        let waits = queue.queue_all([op::wait_event_source(&source); 4])?;
        assert_eq!(queue.complete(Mode::NonBlocking)?, []);
        for _ in 0..4 {
            source.notify()?;
            assert_eq!(queue.complete(Mode::Blocking)?.len(), 1);
            queue.queue(op::timeout(Duration::from_millis(2)))?.detach(queue);
            assert_eq!(queue.complete(Mode::Blocking)?.len(), 1);
        }
        waits.into_iter().try_for_each(|wait| wait.take(queue))?;
        Ok(())
    })
}

fn one_notify_of_many_lets_as_many_waiters_go_on(scene: &mut Scene) -> Kept {
    let source = EventSource::new()?;
    let mut queue = scene.queue(8);
    queue.scope(|queue| -> Kept {
        let waits = queue.queue_all([op::wait_event_source(&source); 4])?;
        assert_eq!(queue.complete(Mode::NonBlocking)?, []);
        source.notify_many(0)?;
        source.notify_many(3)?;
        let mut complete = 0;
        while complete < 3 {
            complete += queue.complete(Mode::Blocking)?.len();
        }
        queue.queue(op::timeout(Duration::from_millis(2)))?.detach(queue);
        assert_eq!(queue.complete(Mode::Blocking)?.len(), 1);
        source.notify()?;
        queue.complete_all()?;
        waits.into_iter().try_for_each(|wait| wait.take(queue))?;
        Ok(())
    })
}

fn a_thread_wakes_an_operation(_: &mut Scene) -> Kept {
    let source = EventSource::new()?;
    thread::scope(|scope| {
        scope.spawn(|| source.notify());
        aio::single(op::wait_event_source(&source))
    })?;
    Ok(())
}

fn an_operation_wakes_a_thread(_: &mut Scene) -> Kept {
    let source = EventSource::new()?;
    thread::scope(|scope| {
        let waiter = scope.spawn(|| source.wait());
        aio::single(op::notify_event_source(&source)).expect("a notify");
        waiter.join().expect("no panic")
    })?;
    Ok(())
}

fn a_canceled_wait_takes_nothing_off(scene: &mut Scene) -> Kept {
    let source = EventSource::new()?;
    let mut queue = scene.queue(4);
    queue.scope(|queue| -> Kept {
        let wait = queue.queue(op::wait_event_source(&source))?;
        queue.complete(Mode::NonBlocking)?;
        queue.queue(op::cancel(wait.id()))?.detach(queue);
        queue.complete_all()?;
        assert_eq!(cause(wait.take(queue)), Cause::Canceled);
        Ok(())
    })?;
    source.notify()?;
    aio::single(op::wait_event_source(&source))?;
    Ok(())
}

fn a_wait_can_be_limited(_: &mut Scene) -> Kept {
    let source = EventSource::new()?;
    let limit = op::link_timeout(Duration::from_millis(1));
    let result = aio::multi((op::wait_event_source(&source).soft(), limit));
    assert_eq!(cause(result), Cause::Expired);
    Ok(())
}

/// That it is gone is seen by who runs the promise.
fn a_close_of_an_event_source_succeeds(_: &mut Scene) -> Kept {
    aio::single(op::close_event_source(EventSource::new()?))?;
    Ok(())
}
