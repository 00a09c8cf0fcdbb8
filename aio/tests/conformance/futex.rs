//! futex_wait and futex_wake.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use corio_aio::op::{Any, Operation, Value};
use corio_aio::{self as aio, Cause, Mode, op};

use crate::positions;
use crate::scene::{Kept, Scene, cause, code, promises};
use crate::system::Code;

promises![
    a_wake_wakes_as_many_as_it_says,
    a_wait_for_another_value_is_eagain,
    a_wake_of_nobody_is_zero,
    masks_choose_who_is_woken,
    an_empty_mask_is_einval_and_wakes_nobody,
    a_shared_word_has_waiters_of_its_own,
    threads_and_operations_wake_each_other,
    a_wait_for_a_word_can_be_canceled,
    a_wait_for_a_word_can_be_limited,
    futexes_work_and_fail_in_each_place_of_a_chain,
];

fn a_wake_wakes_as_many_as_it_says(scene: &mut Scene) -> Kept {
    let word = AtomicU32::new(5);
    let mut queue = scene.queue(8);
    queue.scope(|queue| -> Kept {
        let waits: Vec<_> =
            (0..4).map(|_| queue.queue(op::futex_wait(&word, 5))).collect::<Result<_, _>>()?;
        assert_eq!(queue.complete(Mode::NonBlocking)?, []);
        for (asked, woken) in [(0, 0), (1, 1), (2, 2), (u32::MAX, 1), (1, 0)] {
            assert_eq!(aio::single(op::futex_wake(&word, asked))?, woken);
        }
        queue.complete_all()?;
        for wait in waits {
            wait.take(queue)?;
        }
        Ok(())
    })
}

fn a_wait_for_another_value_is_eagain(_: &mut Scene) -> Kept {
    let word = AtomicU32::new(5);
    assert_eq!(code(aio::single(op::futex_wait(&word, 6))), Code::EAGAIN);
    Ok(())
}

fn a_wake_of_nobody_is_zero(_: &mut Scene) -> Kept {
    let word = AtomicU32::new(0);
    assert_eq!(aio::single(op::futex_wake(&word, 1))?, 0);
    Ok(())
}

fn masks_choose_who_is_woken(scene: &mut Scene) -> Kept {
    let word = AtomicU32::new(0);
    let mut queue = scene.queue(4);
    queue.scope(|queue| -> Kept {
        let one = queue.queue(op::futex_wait(&word, 0).mask(0b01))?;
        let two = queue.queue(op::futex_wait(&word, 0).mask(0b10))?;
        queue.complete(Mode::NonBlocking)?;
        assert_eq!(aio::single(op::futex_wake(&word, 9).mask(0b100))?, 0);
        assert_eq!(aio::single(op::futex_wake(&word, 9).mask(0b110))?, 1);
        let done = queue.complete(Mode::Blocking)?;
        assert_eq!(done.iter().map(|done| done.id).collect::<Vec<_>>(), [two.id()]);
        assert_eq!(aio::single(op::futex_wake(&word, 9))?, 1);
        queue.complete_all()?;
        assert_eq!((one.take(queue), two.take(queue)), (Ok(()), Ok(())));
        Ok(())
    })
}

fn an_empty_mask_is_einval_and_wakes_nobody(_: &mut Scene) -> Kept {
    let word = AtomicU32::new(0);
    assert_eq!(code(aio::single(op::futex_wait(&word, 0).mask(0))), Code::EINVAL);
    assert_eq!(code(aio::single(op::futex_wake(&word, 1).mask(0))), Code::EINVAL);
    Ok(())
}

fn a_shared_word_has_waiters_of_its_own(scene: &mut Scene) -> Kept {
    let word = AtomicU32::new(0);
    let mut queue = scene.queue(4);
    queue.scope(|queue| -> Kept {
        let wait = queue.queue(op::futex_wait(&word, 0).shared())?;
        queue.complete(Mode::NonBlocking)?;
        assert_eq!(aio::single(op::futex_wake(&word, 1))?, 0);
        assert_eq!(aio::single(op::futex_wake(&word, 1).shared())?, 1);
        queue.complete_all()?;
        Ok(wait.take(queue)?)
    })
}

fn threads_and_operations_wake_each_other(_: &mut Scene) -> Kept {
    let (ping, pong) = (AtomicU32::new(0), AtomicU32::new(0));
    let wait = |word: &AtomicU32, round: u32| {
        while word.load(Ordering::Acquire) < round {
            match aio::single(op::futex_wait(word, round - 1)) {
                Ok(()) => {}
                waited => assert_eq!(code(waited), Code::EAGAIN),
            }
        }
    };
    let tell = |word: &AtomicU32, round: u32| {
        word.store(round, Ordering::Release);
        aio::single(op::futex_wake(word, 1)).expect("a wake works");
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            for round in 1..=200 {
                wait(&ping, round);
                tell(&pong, round);
            }
        });
        for round in 1..=200 {
            tell(&ping, round);
            wait(&pong, round);
        }
        // Its ring is gone when the thread is, not when its closure is done.
        other.join().expect("no panic");
    });
    assert_eq!(pong.into_inner(), 200);
    Ok(())
}

static WORD: AtomicU32 = AtomicU32::new(0);

fn a_wait_for_a_word_can_be_canceled(scene: &mut Scene) -> Kept {
    positions::can_be_canceled(scene, op::futex_wait(&WORD, 0))?;
    assert_eq!(aio::single(op::futex_wake(&WORD, 9))?, 0, "nobody waits any more");
    Ok(())
}

fn a_wait_for_a_word_can_be_limited(_: &mut Scene) -> Kept {
    let limit = op::link_timeout(Duration::from_millis(2));
    let (waited, limit) = aio::complete((op::futex_wait(&WORD, 0).soft(), limit))?;
    assert_eq!((cause(waited), cause(limit)), (Cause::Canceled, Cause::Expired));
    Ok(())
}

fn futexes_work_and_fail_in_each_place_of_a_chain(scene: &mut Scene) -> Kept {
    let word = AtomicU32::new(0);
    let wake = || Any::new(op::futex_wake(&word, 1));
    positions::succeeds(scene, wake, |woken| matches!(woken, Value::Count(0)))?;
    positions::fails(scene, || Any::new(op::futex_wait(&word, 7)), Code::EAGAIN)?;
    positions::fails(scene, || Any::new(op::futex_wake(&word, 1).mask(0)), Code::EINVAL)?;
    positions::fails(scene, || Any::new(op::futex_wait(&word, 0).mask(0)), Code::EINVAL)?;
    let mut queue = scene.queue(4);
    queue.scope(|queue| -> Kept {
        let (_, wait, last) = queue.queue_all((
            op::nop().soft(),
            op::futex_wait(&word, 0).soft(),
            op::futex_wake(&word, 1),
        ))?;
        queue.complete(Mode::NonBlocking)?;
        assert_eq!(aio::single(op::futex_wake(&word, 1))?, 1);
        queue.complete_all()?;
        assert_eq!((wait.take(queue), last.take(queue)), (Ok(()), Ok(0)));
        Ok(())
    })
}
