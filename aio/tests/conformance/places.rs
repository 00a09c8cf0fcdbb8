//! Operations in each place of a chain.

use std::time::Duration;

use corio_aio::op::{Any, Link, Operation, Value};
use corio_aio::{self as aio, Cause, Mode, op};

use crate::scene::{Kept, Scene, cause};

/// Completes what `make` makes as the first, the middle and the last one of a soft and of a hard
/// chain, and lets `look` see each result; the rest of the chain must be as that result says.
pub fn in_each_place<'a>(
    mut make: impl FnMut() -> Any<'a>,
    mut look: impl FnMut(Result<Value, aio::Error>) -> Kept,
) -> Kept {
    for link in [Link::Soft, Link::Hard] {
        for place in 0..3 {
            let chain: Vec<Any<'_>> = (0..3)
                .map(|index| if index == place { make() } else { Any::new(op::nop()) })
                .enumerate()
                .map(|(index, op)| op.link_by(if index < 2 { link } else { Link::None }))
                .collect();
            let mut results = aio::complete(chain)?;
            let ends = results[place].is_err() && link == Link::Soft;
            let result = results.remove(place);
            let what = format!("{link:?}, place {place}: {result:?}, {results:?}");
            look(result).map_err(|error| format!("{what}: {error}"))?;
            for (index, rest) in results.into_iter().enumerate() {
                let is_canceled = ends && index >= place;
                assert_eq!(
                    rest.err().map(|error| error.cause() == Cause::Canceled),
                    is_canceled.then_some(true),
                    "{what}"
                );
            }
        }
    }
    Ok(())
}

/// What fails with this code of the OS, in each place.
pub fn fails_in_each_place<'a>(code: i32, make: impl FnMut() -> Any<'a>) -> Kept {
    in_each_place(make, |result| {
        assert_eq!(cause(result), Cause::Os(code));
        Ok(())
    })
}

/// What `op` waits for never comes: it can be canceled while it is pending, before it starts, and
/// when its time is up. Hands it back.
pub fn can_be_canceled<O>(scene: &mut Scene, mut op: O) -> Result<O, Box<dyn std::error::Error>>
where
    O: Operation<Output: std::fmt::Debug> + 'static,
{
    let mut queue = scene.queue(4);
    for _ in 0..2 {
        let ticket = queue.queue(op)?;
        assert_eq!(queue.complete(Mode::NonBlocking)?, []);
        let canceled = queue.queue(op::cancel(ticket.id()))?;
        queue.complete_all()?;
        assert_eq!(canceled.take(&mut queue), Ok(()));
        let (result, back) = ticket.recover(&mut queue)?;
        assert_eq!(cause(result), Cause::Canceled);
        op = back;
    }
    let (before, ticket) = queue.queue_all((op::timeout(Duration::MAX).soft(), op))?;
    queue.complete(Mode::NonBlocking)?;
    queue.queue(op::cancel(before.id()))?.detach(&mut queue);
    queue.complete_all()?;
    assert_eq!(cause(before.take(&mut queue)), Cause::Canceled);
    let (result, back) = ticket.recover(&mut queue)?;
    assert_eq!(cause(result), Cause::Canceled);
    let limit = op::link_timeout(Duration::from_millis(2));
    let (ticket, limit) = queue.queue_all((back.soft(), limit))?;
    queue.complete_all()?;
    let (result, back) = ticket.recover(&mut queue)?;
    assert_eq!((cause(result), cause(limit.take(&mut queue))), (Cause::Canceled, Cause::Expired));
    Ok(back.into_inner())
}
