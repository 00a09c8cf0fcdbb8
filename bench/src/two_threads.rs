//! Workloads of two threads that start together and end together.

use crate::measure::{self, Counts, Sample};
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// What a thread knows of the other one.
pub struct Other {
    tell: Sender<()>,
    hear: Receiver<()>,
}

/// Runs `here` on this thread beside `there` on another one, and yields the sample of `here`.
///
/// Each sets itself up and then calls [`Other::after_warm_up`].
pub fn run(
    here: impl FnOnce(&Other) -> io::Result<Sample>,
    there: impl FnOnce(&Other) -> io::Result<Sample> + Send,
) -> io::Result<Sample> {
    let ((tell_there, hear_here), (tell_here, hear_there)) = (channel(), channel());
    let other_of_here = Other { tell: tell_there, hear: hear_there };
    let other_of_there = Other { tell: tell_here, hear: hear_here };
    thread::scope(|threads| {
        let there = threads.spawn(move || there(&other_of_there));
        let here = here(&other_of_here);
        // If it waits for this thread, which has failed, it hears so.
        drop(other_of_here);
        let there = there.join().map_err(|_| io::Error::other("the other thread panicked"))?;
        match (here, there) {
            (Ok(sample), Ok(_)) => Ok(sample),
            (Err(error), there) if is_echo(&error) => there.and(Err(error)),
            (here, there) => here.and(there),
        }
    })
}

impl Other {
    /// As [`measure::after_warm_up`]; both threads begin when both are ready, and end when both are
    /// done.
    pub fn after_warm_up(
        &self,
        warm_up: usize,
        times: usize,
        mut work: impl FnMut(usize) -> io::Result<Counts>,
    ) -> io::Result<Sample> {
        measure::after_warm_up(warm_up, times, |times| {
            self.meet()?;
            let counts = work(times)?;
            self.meet()?;
            Ok(counts)
        })
    }

    /// Waits until the other thread is here, too.
    fn meet(&self) -> io::Result<()> {
        let met = self.tell.send(()).is_ok() && self.hear.recv().is_ok();
        if met { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }
}

/// Whether the error only says that the other thread has failed.
fn is_echo(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn both_threads_are_done_before_either_goes_on() {
        let done = AtomicUsize::new(0);
        let side = |other: &Other| {
            let mut phase = 0;
            other.after_warm_up(1, 2, |times| {
                assert_eq!(times, phase + 1);
                assert!(done.load(Ordering::SeqCst) >= 2 * phase, "the other one is not done");
                phase += 1;
                done.fetch_add(1, Ordering::SeqCst);
                Ok(Counts::Nothing)
            })
        };
        run(side, side).expect("no side fails");
        assert_eq!(done.into_inner(), 4);
    }

    #[test]
    fn the_failure_of_either_thread_ends_both_and_is_named() {
        let good = |other: &Other| other.after_warm_up(1, 1, |_| Ok(Counts::Nothing));
        let bad = |other: &Other| other.after_warm_up(1, 1, |_| Err(io::Error::other("no")));
        for failed in [run(good, bad), run(bad, good)] {
            assert_eq!(failed.map_err(|error| error.to_string()).err(), Some("no".into()));
        }
    }
}
