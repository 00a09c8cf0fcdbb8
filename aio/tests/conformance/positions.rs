//! One operation at each place of a chain, and before its start: the same promises for every kind.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::time::Duration;

use corio_aio::op::{Any, Link, Operation, Value};
use corio_aio::{self as aio, Cause, Error, Mode, OpKind, op};

use crate::scene::{Kept, Scene, cause, code_in};
use crate::system::{self, Code};

/// What is shown of an operation here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Shown {
    Success,
    Failure,
    CancelBeforeStart,
    CancelWhilePending,
}

thread_local! {
    static TABLE: RefCell<HashSet<(Shown, OpKind)>> = RefCell::default();
}

fn note(shown: Shown, kind: OpKind) {
    TABLE.with_borrow_mut(|table| table.insert((shown, kind)));
}

/// What this thread has shown of no operation that it is owed to.
pub fn missing() -> Vec<String> {
    // A backend without futexes keeps none of their promises, though it can wake.
    let has_futexes = aio::supports(&[OpKind::FutexWait]);
    let is_kept = |kind: &OpKind| {
        aio::supports(&[*kind]) && (has_futexes || !kind.name().starts_with("futex"))
    };
    let owed = |kind| {
        let waits = WAITING.contains(&kind);
        // What limits another operation has no place of its own; and the closing of an event
        // source is a close.
        let is_alone = !matches!(kind, OpKind::LinkTimeout | OpKind::CloseEventSource);
        [
            // Nobody wakes the waiter between two links, and a target has to be of the same queue:
            // `futex.rs` and `ends.rs` have chains of their own for them.
            (Shown::Success, is_alone && !matches!(kind, OpKind::FutexWait | OpKind::Cancel)),
            (Shown::Failure, is_alone && !NEVER_FAILING.contains(&kind)),
            (Shown::CancelBeforeStart, is_alone),
            (Shown::CancelWhilePending, waits),
        ]
        .map(|(shown, is_owed)| (shown, kind, is_owed))
    };
    TABLE.with_borrow(|table| {
        let all = OpKind::ALL.into_iter().filter(is_kept).flat_map(owed);
        all.filter(|(shown, kind, is_owed)| *is_owed && !table.contains(&(*shown, *kind)))
            .map(|(shown, kind, _)| format!("{kind}: {shown:?}"))
            .collect()
    })
}

/// Those that have nothing that could be wrong, but that there may be no descriptor left for a
/// pipe; then there is none for a queue either.
const NEVER_FAILING: [OpKind; 5] = [
    OpKind::Nop,
    OpKind::Pipe,
    OpKind::Timeout,
    OpKind::NotifyEventSource,
    OpKind::WaitEventSource,
];

/// Those that wait for somebody.
const WAITING: [OpKind; 19] = [
    OpKind::Read,
    OpKind::Write,
    OpKind::Readv,
    OpKind::Writev,
    OpKind::Splice,
    OpKind::Accept,
    OpKind::Connect,
    OpKind::Send,
    OpKind::Recv,
    OpKind::SendMsg,
    OpKind::RecvMsg,
    OpKind::SendZc,
    OpKind::ReadTty,
    OpKind::ChildExit,
    OpKind::WaitId,
    OpKind::FutexWait,
    OpKind::Timeout,
    OpKind::Poll,
    OpKind::WaitEventSource,
];

/// The operation that `make` makes succeeds at each place of a chain; `look` judges what it yields.
pub fn succeeds<'a>(
    scene: &mut Scene,
    make: impl FnMut() -> Any<'a>,
    look: impl Fn(&Value) -> bool,
) -> Kept {
    let looks = |result: &Result<_, _>| matches!(result, Ok(value) if look(value));
    at_each_place(scene, Shown::Success, make, looks)
}

/// The operation that `make` makes fails at each place of a chain, with `code` of the OS.
pub fn fails<'a>(scene: &mut Scene, make: impl FnMut() -> Any<'a>, code: Code) -> Kept {
    let looks = |result: &Result<_, Error>| match result {
        Err(error) => matches!(error.cause(), Cause::Os(_)) && code_in(error.cause()) == code,
        Ok(_) => false,
    };
    at_each_place(scene, Shown::Failure, make, looks)
}

/// The operation that `make` makes fails at each place of a chain, because of `cause`.
pub fn fails_with<'a>(scene: &mut Scene, make: impl FnMut() -> Any<'a>, cause: Cause) -> Kept {
    let looks = |result: &Result<_, Error>| matches!(result, Err(error) if error.cause() == cause);
    at_each_place(scene, Shown::Failure, make, looks)
}

/// Puts an operation at the first, the middle and the last place of a soft and of a hard chain, at
/// once and in a queue. The others write to a file, which must show which of them ran.
fn at_each_place<'a>(
    scene: &mut Scene,
    shown: Shown,
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
        let kind = chain[place].kind();
        note(shown, kind);
        let results = if is_queued { queued(scene, chain)? } else { aio::complete(chain)? };
        let refused = results[place].as_ref().err().map(Error::cause) == Some(Cause::Unsupported);
        let is_right = if aio::supports(&[kind]) { look(&results[place]) } else { refused };
        assert!(is_right, "{what}: {:?}", results[place]);
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
    let gate = system::pipe();
    let mut queue = scene.queue(4);
    queue.scope(|queue| -> Kept {
        note(Shown::CancelBeforeStart, op.kind());
        let wait = match &gate {
            Some((gate, _end)) => Any::new(op::read(gate, vec![0; 1])),
            None => Any::new(op::timeout(Duration::MAX)),
        };
        let wait = wait.link_by(Link::Soft);
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
        note(Shown::CancelWhilePending, op.kind());
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

/// What `op` waits for never comes: it can be canceled while it is pending, before it starts, and
/// when its time is up. Hands it back.
pub fn can_be_canceled<O>(scene: &mut Scene, mut op: O) -> Result<O, Box<dyn std::error::Error>>
where
    O: Operation<Output: std::fmt::Debug> + 'static,
{
    note(Shown::CancelWhilePending, op.kind());
    note(Shown::CancelBeforeStart, op.kind());
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

/// What a file holds; its position is as it was.
pub fn contents(mut file: &File) -> Vec<u8> {
    let (mut contents, position) = (Vec::new(), file.stream_position().expect("an open file"));
    file.rewind().expect("an open file");
    file.read_to_end(&mut contents).expect("a file of ours");
    file.seek(SeekFrom::Start(position)).expect("an open file");
    contents
}
