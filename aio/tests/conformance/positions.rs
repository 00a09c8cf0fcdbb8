//! One operation at each place of a chain, and before its start: the same promises for every kind.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;

use corio_aio::op::{Any, Link, Value};
use corio_aio::{self as aio, Cause, Error, Mode, op};

use crate::scene::{Kept, Scene, cause};

/// The operation that `make` makes succeeds at each place of a chain; `look` judges what it yields.
pub fn succeeds<'a>(
    scene: &mut Scene,
    make: impl FnMut() -> Any<'a>,
    look: impl Fn(&Value) -> bool,
) -> Kept {
    at_each_place(scene, make, |result| matches!(result, Ok(value) if look(value)))
}

/// The operation that `make` makes fails at each place of a chain, with `code` of the OS.
pub fn fails<'a>(scene: &mut Scene, make: impl FnMut() -> Any<'a>, code: i32) -> Kept {
    fails_with(scene, make, Cause::Os(code))
}

/// The operation that `make` makes fails at each place of a chain, because of `cause`.
pub fn fails_with<'a>(scene: &mut Scene, make: impl FnMut() -> Any<'a>, cause: Cause) -> Kept {
    at_each_place(scene, make, |result| matches!(result, Err(error) if error.cause() == cause))
}

/// Puts an operation at the first, the middle and the last place of a soft and of a hard chain, at
/// once and in a queue. The others write to a file, which must show which of them ran.
fn at_each_place<'a>(
    scene: &mut Scene,
    mut make: impl FnMut() -> Any<'a>,
    look: impl Fn(&Result<Value, Error>) -> bool,
) -> Kept {
    const LENGTH: usize = 3;
    let path = scene.path();
    let log = OpenOptions::new().create(true).append(true).open(&path)?;
    for (link, place, is_queued) in [Link::Soft, Link::Hard].into_iter().flat_map(|link| {
        (0..LENGTH).flat_map(move |place| [(link, place, false), (link, place, true)])
    }) {
        log.set_len(0)?;
        let chain: Vec<Any<'_>> = (0..LENGTH)
            .map(|index| {
                let op = if index == place { make() } else { Any::new(op::write(&log, b"x")) };
                op.link_by(if index + 1 == LENGTH { Link::None } else { link })
            })
            .collect();
        let what = format!("{:?}, place {place}, queued: {is_queued}", chain[place]);
        let results = if is_queued { queued(scene, chain)? } else { aio::complete(chain)? };
        assert!(look(&results[place]), "{what}: {:?}", results[place]);
        let breaks = link == Link::Soft && results[place].is_err();
        for (index, result) in results.iter().enumerate().filter(|(index, _)| *index != place) {
            let found = result.as_ref().map(drop).map_err(|error| error.cause());
            let is_canceled = breaks && index > place;
            assert_eq!(found, if is_canceled { Err(Cause::Canceled) } else { Ok(()) }, "{what}");
        }
        let ran = if breaks { place } else { LENGTH - 1 };
        assert_eq!(fs::read(&path)?.len(), ran, "{what}");
    }
    Ok(())
}

fn queued(scene: &Scene, chain: Vec<Any<'_>>) -> Result<Vec<Result<Value, Error>>, Error> {
    let mut queue = scene.queue(chain.len());
    queue.scope(|queue| {
        let tickets = queue.queue_all(chain)?;
        queue.complete_all()?;
        Ok(tickets.into_iter().map(|ticket| ticket.take(queue)).collect())
    })
}

/// `op`, which waits for what is canceled, is canceled with it, and so never starts. The caller
/// sees that nothing happened.
pub fn never_starts(scene: &Scene, op: Any<'_>) -> Kept {
    let (gate, _end) = std::io::pipe()?;
    let mut queue = scene.queue(4);
    queue.scope(|queue| -> Kept {
        let wait = Any::new(op::read(&gate, vec![0; 1])).link_by(Link::Soft);
        let what = format!("{op:?}");
        let tickets = queue.queue_all(vec![wait, op])?;
        assert_eq!(queue.complete(Mode::NonBlocking)?, [], "{what}");
        queue.queue(op::cancel(tickets[0].id()))?.detach(queue);
        queue.complete_all()?;
        for ticket in tickets {
            assert_eq!(cause(ticket.take(queue)), Cause::Canceled, "{what}");
        }
        Ok(())
    })
}

/// `op`, which waits, ends when it is canceled.
pub fn is_canceled_while_it_waits(scene: &Scene, op: Any<'_>) -> Kept {
    let mut queue = scene.queue(2);
    queue.scope(|queue| -> Kept {
        let what = format!("{op:?}");
        let waiting = queue.queue(op)?;
        assert_eq!(queue.complete(Mode::NonBlocking)?, [], "{what}");
        let canceled = queue.queue(op::cancel(waiting.id()))?;
        queue.complete_all()?;
        // One that is in the middle of a call is interrupted, and no more is known of it.
        let asked = canceled.take(queue).map_err(|error| error.cause());
        assert!(matches!(asked, Ok(()) | Err(Cause::InProgress)), "{what}: {asked:?}");
        assert_eq!(cause(waiting.take(queue)), Cause::Canceled, "{what}");
        Ok(())
    })
}

/// What a file holds.
pub fn contents(file: &File) -> Vec<u8> {
    let mut contents = vec![0; file.metadata().expect("an open file").len() as usize];
    file.read_exact_at(&mut contents, 0).expect("a file of ours");
    contents
}
