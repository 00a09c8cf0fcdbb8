//! A loop that sleeps in a poll of the scheduler's descriptor, which Unixes have.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use corio::aio::backend::Kind;
use corio::aio::{Mode, OwnedDescriptor, op};
use corio::{Scheduler, io};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::system::pair;
use crate::{FOREVER, ROUNDS, options, pause, pool_calls, sockets, timers, wakes};

/// Longer than any sleep of these tests takes.
const LONG: Duration = Duration::from_secs(20);

/// Somebody else's loop, around a scheduler.
struct Foreign<'scope, 'env> {
    scheduler: Scheduler<'scope, 'env>,
    descriptor: OwnedDescriptor,
}

impl Foreign<'_, '_> {
    /// Goes on until `is_over`; fails if a sleep takes so long that something was missed.
    fn run_until(&self, mut is_over: impl FnMut() -> bool) {
        while !is_over() {
            self.scheduler.tick(Mode::NonBlocking).unwrap();
            if is_over() {
                return;
            }
            let deadline = self.scheduler.next_deadline();
            let is_woken = self.sleep(deadline.unwrap_or(Instant::now() + LONG));
            assert!(is_woken || deadline.is_some(), "something was missed");
        }
    }

    /// Sleeps until the descriptor is readable, which it says, or until `deadline`.
    fn sleep(&self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).unwrap();
        match poll(&mut [PollFd::new(&self.descriptor, PollFlags::IN)], Some(&left)) {
            Ok(count) => count > 0,
            // The kernel has work for this thread: that of the ring, as a rule.
            Err(error) => error == Errno::INTR,
        }
    }

    /// Takes turns until the scheduler says that there is nothing to do: at least one, which takes
    /// off what other threads have rung for since the last one. None of them rings meanwhile.
    fn settle(&self) {
        let start = Instant::now();
        loop {
            self.scheduler.tick(Mode::NonBlocking).unwrap();
            if !self.is_due() {
                break;
            }
            assert!(start.elapsed() < LONG, "there is always something to do");
        }
        assert!(!self.sleep(Instant::now()), "it is readable though nothing is to be done");
    }

    /// Whether the scheduler says that there is something to do at once.
    fn is_due(&self) -> bool {
        self.scheduler.next_deadline().is_some_and(|deadline| deadline <= Instant::now())
    }
}

/// Runs `test` on each backend that has a descriptor.
fn on_each_backend<'env>(test: impl Fn(&Foreign<'_, 'env>)) {
    let kinds = Kind::CANDIDATES.iter().filter(|kind| kind.name() != Kind::Poll.name());
    for options in kinds.copied().filter_map(options) {
        Scheduler::with(options, |scheduler| {
            let descriptor = scheduler.descriptor().unwrap();
            test(&Foreign { scheduler, descriptor });
        })
        .unwrap();
    }
}

#[test]
fn a_loop_of_somebody_elses_misses_neither_timers_nor_sockets_nor_threads() {
    let kinds: [fn(); 4] = [timers, sockets, pool_calls, wakes];
    on_each_backend(|foreign| {
        // Each alone first: what is missed is not found by chance then.
        for kind in kinds {
            let task = foreign.scheduler.spawn(kind).unwrap();
            foreign.run_until(|| task.is_complete());
            task.join().unwrap();
        }
        let tasks = kinds.map(|kind| foreign.scheduler.spawn(kind).unwrap());
        foreign.run_until(|| tasks.iter().all(|task| task.is_complete()));
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
}

#[test]
fn jobs_of_other_threads_end_the_sleep_also_where_no_task_is() {
    on_each_backend(|foreign| {
        let done = Arc::new(AtomicUsize::new(0));
        let (handle, count) = (foreign.scheduler.handle(), done.clone());
        let sender = thread::spawn(move || {
            for round in 0..ROUNDS {
                thread::sleep(pause(round));
                let count = count.clone();
                handle.spawn(move || count.fetch_add(1, Relaxed)).join().unwrap();
            }
        });
        foreign.run_until(|| done.load(Relaxed) == ROUNDS);
        // Its handle may be the last thing to ring, when nothing is left to be done.
        sender.join().unwrap();
        foreign.settle();
        assert_eq!(foreign.scheduler.next_deadline(), None);
    });
}

#[test]
fn a_loop_with_nothing_to_do_but_wait_sleeps() {
    on_each_backend(|foreign| {
        foreign.settle();
        assert_eq!(foreign.scheduler.next_deadline(), None);
        let (ours, _theirs) = pair();
        let receive = || io::single(op::recv(&ours, &mut [0])).is_err();
        corio::scope(|s| {
            let receives = [s.spawn(receive), s.spawn(receive)];
            let naps = s.spawn(|| io::single(op::timeout(FOREVER)).is_err());
            foreign.settle();
            let deadline = foreign.scheduler.next_deadline().unwrap();
            assert!(deadline > Instant::now() + FOREVER / 2);
            assert!(deadline < Instant::now() + FOREVER * 2);
            naps.cancel();
            foreign.run_until(|| naps.is_complete());
            foreign.settle();
            assert_eq!(foreign.scheduler.next_deadline(), None);
            s.cancel();
            foreign.run_until(|| receives.iter().all(|task| task.is_complete()));
        })
        .unwrap();
    });
}

#[test]
fn what_was_started_sent_or_asked_for_since_the_last_turn_is_due_at_once() {
    on_each_backend(|foreign| {
        let (ours, _theirs) = pair();
        foreign.settle();
        let task = foreign.scheduler.spawn(move || io::single(op::recv(&ours, &mut [0])).is_err());
        assert!(foreign.is_due(), "its operation is to be handed over");
        foreign.settle();
        task.as_ref().unwrap().cancel();
        assert!(foreign.is_due(), "the cancel is to be handed over");
        assert!(task.unwrap().join().unwrap());
        foreign.settle();
        let parked = foreign.scheduler.spawn(|| corio::park(7)).unwrap();
        foreign.settle();
        parked.wakeup();
        assert!(foreign.is_due(), "a task is ready");
        foreign.run_until(|| parked.is_complete());
        foreign.settle();
        let handle = foreign.scheduler.handle();
        let sent = thread::spawn(move || handle.spawn(|| 7)).join().unwrap();
        assert!(foreign.is_due() && foreign.sleep(Instant::now()), "a job is there");
        foreign.run_until(|| sent.is_complete());
        assert_eq!(sent.join().unwrap(), 7);
    });
}
