//! Races: closures that run beside each other until the first has ended.

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};

use crate::options::SpawnOptions;
use crate::scheduler;
use crate::scope::{Scope, scope};
use crate::task::Task;

/// How a race went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Race<V> {
    /// Which closure ended first, counted from 0.
    pub first: usize,
    /// What each of them yielded.
    pub values: V,
}

/// Closures that can [`race`]: a tuple of 1 to 8, an array, or a `Vec` of one type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a number of closures",
    label = "closures race as a tuple of 1 to 8, an array, or a `Vec` of one type"
)]
pub trait Racers: sealed::Sealed + Sized {
    /// What they yield.
    type Values;

    #[doc(hidden)]
    fn race(self, spawned_at: &'static Location<'static>) -> io::Result<Race<Self::Values>>;
}

mod sealed {
    pub trait Sealed {}
}

/// Runs closures beside each other, each as a task; when the first has ended, the others are asked
/// to stop, as by [`Task::cancel`](crate::Task::cancel). When all have ended, yields which was
/// first, and what each of them yielded: nothing is lost.
///
/// ```
/// use corio::{aio::op, io};
/// use std::time::Duration;
/// # fn main() -> std::io::Result<()> {
/// let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
/// let (mut a, mut b) = ([0; 8], [0; 8]);
/// let race = corio::race((
///     || io::single(op::recv(&ours, &mut a)),
///     || {
///         io::single(op::timeout(Duration::from_micros(10)))?;
///         io::single(op::send(&ours, b"hello"))?;
///         io::single(op::recv(&theirs, &mut b))
///     },
/// ))?;
/// assert_eq!(race.first, 1);
/// let (loser, winner) = race.values;
/// assert_eq!(winner?, 5);
/// assert!(loser.unwrap_err().is_canceled());
/// # Ok(())
/// # }
/// ```
///
/// They start in order, and each runs until it waits for the first time; one that starts after
/// another has ended is asked to stop before it begins. A cancel of the caller goes on to all. For
/// a race of operations, see [`io::race`](crate::io::race).
///
/// # Errors
///
/// - Those of [`scope()`].
/// - `InvalidInput`: a `Vec` of none.
/// - `ENOMEM`: there is no memory for the stack of each; those that have begun are asked to stop
///   and waited for.
///
/// # Panics
///
/// With what the first closure panicked with that did; a panic is an end, too.
#[track_caller]
pub fn race<R: Racers>(racers: R) -> io::Result<Race<R::Values>> {
    racers.race(Location::caller())
}

/// Who was first, as far as that is known.
struct Finish {
    first: Cell<Option<usize>>,
    /// Where the race was called for.
    spawned_at: &'static Location<'static>,
}

impl Finish {
    fn new(spawned_at: &'static Location<'static>) -> Finish {
        Finish { first: Cell::new(None), spawned_at }
    }

    /// Starts `racer`, whose value is to be in `place` when the scope has ended.
    fn start<'scope, T: 'scope>(
        &'scope self,
        s: &'scope Scope<'scope, '_>,
        number: usize,
        place: &'scope Cell<Option<T>>,
        racer: impl FnOnce() -> T + 'scope,
    ) -> io::Result<()> {
        let options = SpawnOptions::new().detached();
        let task = s.spawn_at(self.spawned_at, options, move || {
            if let (Some(_), Some(task)) = (self.first.get(), scheduler::current()) {
                task.cancel();
            }
            let outcome = catch_unwind(AssertUnwindSafe(racer));
            if self.first.get().is_none() {
                self.first.set(Some(number));
                s.cancel();
            }
            place.set(Some(outcome.unwrap_or_else(|panic| resume_unwind(panic))));
        });
        task.map(Task::detach).inspect_err(|_| s.cancel())
    }

    fn of<V>(&self, values: V) -> Race<V> {
        Race { first: self.first.get().expect("one was first"), values }
    }
}

/// The value of a closure that has ended.
fn taken<T>(place: &Cell<Option<T>>) -> T {
    place.take().expect("one that ended without a panic has left its value")
}

/// Lets closures of one type race, for values in `places`.
fn race_alike<T, F: FnOnce() -> T>(
    racers: impl IntoIterator<Item = F>,
    places: &[Cell<Option<T>>],
    spawned_at: &'static Location<'static>,
) -> io::Result<Race<()>> {
    let finish = Finish::new(spawned_at);
    scope(|s| {
        let mut lanes = racers.into_iter().zip(places).enumerate();
        lanes.try_for_each(|(number, (racer, place))| finish.start(s, number, place, racer))
    })??;
    Ok(finish.of(()))
}

impl<F, const N: usize> sealed::Sealed for [F; N] {}

impl<T, F: FnOnce() -> T, const N: usize> Racers for [F; N] {
    type Values = [T; N];

    fn race(self, spawned_at: &'static Location<'static>) -> io::Result<Race<[T; N]>> {
        const { assert!(N > 0, "a race of nobody has no first one") };
        let places = [const { Cell::new(None) }; N];
        let Race { first, .. } = race_alike(self, &places, spawned_at)?;
        Ok(Race { first, values: places.each_ref().map(taken) })
    }
}

impl<F> sealed::Sealed for Vec<F> {}

impl<T, F: FnOnce() -> T> Racers for Vec<F> {
    type Values = Vec<T>;

    fn race(self, spawned_at: &'static Location<'static>) -> io::Result<Race<Vec<T>>> {
        if self.is_empty() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let places: Vec<_> = self.iter().map(|_| Cell::new(None)).collect();
        let Race { first, .. } = race_alike(self, &places, spawned_at)?;
        Ok(Race { first, values: places.iter().map(taken).collect() })
    }
}

macro_rules! tuple_racers {
    ($($T:ident $F:ident $place:ident $number:tt)+) => {
        impl<$($F),+> sealed::Sealed for ($($F,)+) {}

        impl<$($T, $F: FnOnce() -> $T),+> Racers for ($($F,)+) {
            type Values = ($($T,)+);

            fn race(self, spawned_at: &'static Location<'static>) -> io::Result<Race<($($T,)+)>> {
                let finish = Finish::new(spawned_at);
                $(let $place = Cell::new(None);)+
                scope(|s| {
                    $(finish.start(s, $number, &$place, self.$number)?;)+
                    io::Result::Ok(())
                })??;
                Ok(finish.of(($(taken(&$place),)+)))
            }
        }
    };
}

tuple_racers!(A F a 0);
tuple_racers!(A F a 0 B G b 1);
tuple_racers!(A F a 0 B G b 1 C H c 2);
tuple_racers!(A F a 0 B G b 1 C H c 2 D I d 3);
tuple_racers!(A F a 0 B G b 1 C H c 2 D I d 3 E J e 4);
tuple_racers!(A F a 0 B G b 1 C H c 2 D I d 3 E J e 4 K L k 5);
tuple_racers!(A F a 0 B G b 1 C H c 2 D I d 3 E J e 4 K L k 5 M N m 6);
tuple_racers!(A F a 0 B G b 1 C H c 2 D I d 3 E J e 4 K L k 5 M N m 6 O P o 7);
