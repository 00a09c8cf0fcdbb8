//! Wakers: other threads end a ring's wait.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use corio_aio::{Mode, Options, Ring};

use crate::scene::{Kept, Scene, promises};

promises![
    a_wake_of_another_thread_ends_a_wait,
    a_wake_before_the_wait_ends_it,
    no_wake_is_lost,
    a_waker_may_outlive_its_ring,
];

const A_MOMENT: Duration = Duration::from_millis(10);

fn ring() -> Result<Ring, corio_aio::Error> {
    Ring::new(&Options::default())
}

fn a_wake_of_another_thread_ends_a_wait(_: &mut Scene) -> Kept {
    let mut ring = ring()?;
    let waker = ring.waker()?;
    for _ in 0..3 {
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(A_MOMENT);
                waker.wake();
            });
            ring.wait(Mode::Blocking)
        })?;
        assert!(!ring.has_completed());
    }
    Ok(())
}

fn a_wake_before_the_wait_ends_it(_: &mut Scene) -> Kept {
    let mut ring = ring()?;
    let waker = ring.waker()?;
    for _ in 0..3 {
        waker.wake();
        ring.wait(Mode::Blocking)?;
        ring.waker()?.wake();
        ring.wait(Mode::Blocking)?;
    }
    Ok(())
}

fn no_wake_is_lost(_: &mut Scene) -> Kept {
    const WAKES: usize = 10_000;
    let mut ring = ring()?;
    let waker = ring.waker()?;
    let (told, heard) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| -> Kept {
        scope.spawn(|| {
            for number in 1..=WAKES {
                told.store(number, Ordering::SeqCst);
                waker.wake();
                while heard.load(Ordering::SeqCst) < number {
                    thread::yield_now();
                }
            }
        });
        for number in 1..=WAKES {
            while told.load(Ordering::SeqCst) < number {
                ring.wait(Mode::Blocking)?;
            }
            heard.store(number, Ordering::SeqCst);
        }
        Ok(())
    })
}

fn a_waker_may_outlive_its_ring(_: &mut Scene) -> Kept {
    let mut ring = ring()?;
    let waker = ring.waker()?;
    ring.wait(Mode::NonBlocking)?;
    drop(ring);
    waker.wake();
    Ok(())
}
