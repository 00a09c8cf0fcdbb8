//! The bridge from futures: a task waits for one as it waits for anything else.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::park::{Parked, Parker, Unparker};
use crate::task::Canceled;

impl Wake for Unparker {
    fn wake(self: Arc<Self>) {
        self.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.unpark();
    }
}

/// Waits for a future: in a task that suspends the task; outside of a task the scheduler runs
/// meanwhile, and where there is none the thread is blocked.
///
/// The future may be woken from any thread. It is polled here only, so that it needs neither be
/// `Send` nor `'static`. One that needs its own executor's reactor (tokio's sockets, say) finds it
/// where that executor says: with tokio, inside of `Handle::enter`.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let (wanted, found) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
/// corio::scope(|s| {
///     let finder = s.spawn(|| corio::block_on(async { found.set(wanted.get() + 1) }));
///     finder.join().unwrap()
/// })?
/// .unwrap();
/// assert_eq!(found.get(), 1);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`Canceled`]: the task was asked to stop, or can't be suspended because the thread unwinds. The
/// future has been dropped.
pub fn block_on<F: Future>(future: F) -> Result<F::Output, Canceled> {
    let parker = Parker::current();
    let waker = Waker::from(Arc::new(parker.unparker()));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Ok(output);
        }
        if parker.park("a future", None) == Parked::Canceled {
            return Err(Canceled);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::{run, scope};
    use std::thread;
    use std::time::{Duration, Instant};

    const SOON: Duration = Duration::from_millis(2);
    const NEVER: Duration = Duration::from_secs(3600);

    #[test]
    fn a_wait_ends_at_its_deadline_and_not_before() {
        let wait = || {
            let deadline = Instant::now() + SOON;
            assert_eq!(Parker::current().park("a test", Some(deadline)), Parked::Expired);
            assert!(Instant::now() >= deadline);
        };
        wait();
        run(wait).unwrap();
        scope(|_| wait()).unwrap();
    }

    #[test]
    fn an_unpark_that_came_before_the_wait_ends_it() {
        let wait = || {
            let parker = Parker::current();
            parker.unparker().unpark();
            assert_eq!(parker.park("a test", None), Parked::Woken);
        };
        wait();
        run(wait).unwrap();
        scope(|_| wait()).unwrap();
    }

    #[test]
    fn an_unpark_from_another_thread_ends_a_wait_with_a_deadline() {
        let wait = || {
            let parker = Parker::current();
            let unparker = parker.unparker();
            let other = thread::spawn(move || unparker.unpark());
            let deadline = Instant::now() + NEVER;
            assert_eq!(parker.park("a test", Some(deadline)), Parked::Woken);
            other.join().unwrap();
        };
        wait();
        for _ in 0..50 {
            run(wait).unwrap();
            scope(|_| wait()).unwrap();
        }
    }

    #[test]
    fn a_cancel_ends_the_wait_of_a_task() {
        for deadline in [None, Some(Instant::now() + NEVER)] {
            let parked = scope(|s| {
                let task = s.spawn(|| Parker::current().park("a test", deadline));
                task.cancel();
                task.join().unwrap()
            });
            assert_eq!(parked.unwrap(), Parked::Canceled);
        }
    }

    #[test]
    fn who_is_unparked_may_have_ended() {
        let unparker = run(|| Parker::current().unparker()).unwrap();
        unparker.unpark();
    }
}
