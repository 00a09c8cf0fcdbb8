//! Races of closures, and of operations.

use std::cell::Cell;
use std::io::ErrorKind;

use corio::aio::op::{self, Operation};
use corio::aio::{Cause, Error};
use corio::{Canceled, Race, io, race, shield, timeout};

use super::{FOREVER, SOON, in_a_task, is_canceled, on_each_backend, pair, panic_of, unwind};

fn waits() -> Result<(), Error> {
    io::single(op::timeout(FOREVER))
}

#[test]
fn the_first_closure_to_end_stops_the_others_and_every_value_is_there() {
    let runs = || {
        let ended = Cell::new(0);
        let Race { first, values } = race((
            || is_canceled(&waits()),
            || io::single(op::timeout(SOON)).map(|()| "slept"),
            || {
                let _ = corio::park(1);
                ended.set(ended.get() + 1);
                ended.get()
            },
        ))
        .unwrap();
        assert_eq!((first, values), (1, (true, Ok("slept"), 1)));
    };
    runs();
    on_each_backend(|_| runs());
    in_a_task(runs);
}

#[test]
fn a_closure_that_starts_when_the_race_is_over_is_asked_to_stop_before_it_begins() {
    in_a_task(|| {
        let Race { first, values } = race((|| 5, || waits().map_err(|e| e.cause()))).unwrap();
        assert_eq!((first, values), (0, (5, Err(Cause::Canceled))));
    });
}

#[test]
fn arrays_and_vecs_of_closures_race_too() {
    in_a_task(|| {
        let runner = |number: usize| move || (number == 2).then_some(5).ok_or_else(waits);
        let result = race([0, 1, 2, 3].map(runner)).unwrap();
        let winners = result.values.map(|value| value.ok());
        assert_eq!((result.first, winners[2]), (2, Some(5)));
        let runner = |number: u32| move || io::single(op::timeout(SOON * number)).is_ok();
        let result = race((1..50).rev().map(|n| runner(n * 100)).collect::<Vec<_>>());
        let Race { first, values } = result.unwrap();
        assert_eq!((first, values.len(), values[48], values[0]), (48, 49, true, false));
        let none = race(Vec::<fn()>::new());
        assert_eq!(none.unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn a_loser_that_succeeds_all_the_same_says_so() {
    in_a_task(|| {
        let stubborn = || shield(|| io::single(op::timeout(SOON)).map(|()| 7));
        let Race { first, values } = race((stubborn, || corio::yield_now())).unwrap();
        assert_eq!((first, values), (1, (Ok(7), ())));
    });
}

#[test]
fn a_panic_ends_a_race_and_comes_out_of_it_when_all_have_ended() {
    in_a_task(|| {
        let was_canceled = Cell::new(false);
        let fails = || {
            corio::yield_now();
            unwind("a racer")
        };
        let waits = || was_canceled.set(is_canceled(&waits()));
        let text = panic_of(|| race((waits, fails)));
        assert_eq!((text, was_canceled.get()), ("a racer", true));
    });
}

#[test]
fn those_that_race_are_listed_with_the_place_where_the_race_was_called_for() {
    in_a_task(|| {
        let files = || corio::tasks().iter().map(|task| task.spawned_at.file()).collect::<Vec<_>>();
        let Race { values, .. } = race((files, files)).unwrap();
        assert_eq!(values.0.last(), Some(&file!()));
    });
}

#[test]
fn a_cancel_of_who_waits_for_a_race_reaches_all_of_it() {
    on_each_backend(|scheduler| {
        let task = scheduler.spawn(|| race((waits, || corio::park(1), waits)).unwrap());
        let task = task.unwrap();
        task.cancel();
        let (a, b, c) = task.join().unwrap().values;
        assert!(is_canceled(&a) && b == Err(Canceled) && is_canceled(&c));
    });
    in_a_task(|| {
        let result = timeout(SOON, || race([waits, waits]).unwrap());
        let Race { values, .. } = result.unwrap_err().into_inner();
        assert!(values.iter().all(is_canceled));
    });
}

#[test]
fn the_first_operation_to_complete_stops_the_others() {
    let runs = || {
        let ((ours, theirs), mut buf) = (pair(), [7; 8]);
        let race = io::race((op::recv(&ours, &mut buf), op::timeout(SOON), op::timeout(FOREVER)));
        let (received, soon, never) = race.unwrap();
        assert!(is_canceled(&received) && is_canceled(&never) && soon.is_ok());
        assert_eq!(io::single(op::send(&theirs, b"here")), Ok(4));
        let timers = vec![op::timeout(FOREVER); 3];
        let race = io::race((op::recv(&ours, &mut buf), op::timeout(FOREVER))).unwrap();
        assert!(race.0 == Ok(4) && is_canceled(&race.1));
        drop(timers);
        let race = io::race([op::timeout(FOREVER), op::timeout(SOON)]).unwrap();
        assert!(is_canceled(&race[0]) && race[1].is_ok());
    };
    runs();
    on_each_backend(|_| runs());
    in_a_task(runs);
}

#[test]
fn an_operation_that_loses_with_success_says_so() {
    in_a_task(|| {
        let ((a, b), (c, d)) = (pair(), pair());
        for socket in [&b, &d] {
            io::single(op::send(socket, b"here")).unwrap();
        }
        let (mut first, mut second) = ([0; 8], [0; 8]);
        let race = io::race((op::recv(&a, &mut first), op::recv(&c, &mut second))).unwrap();
        let taken = [(&race.0, &first), (&race.1, &second)].map(|(result, buf)| match result {
            Ok(n) => buf[..*n] == *b"here",
            Err(error) => {
                assert!(error.is_canceled());
                false
            }
        });
        assert!(taken[0] || taken[1]);
        // What was not received is still there.
        for (socket, taken) in [&a, &c].into_iter().zip(taken) {
            if !taken {
                assert_eq!(io::single(op::recv(socket, &mut first)), Ok(4));
            }
        }
    });
}

#[test]
fn a_chain_has_won_when_it_is_complete_to_its_end() {
    let runs = || {
        let ((ours, theirs), mut buf) = (pair(), [0; 8]);
        let race = io::race((
            op::timeout(SOON).soft(),
            op::send(&theirs, b"here").soft(),
            op::recv(&ours, &mut buf),
            op::timeout(FOREVER),
        ));
        let (slept, sent, received, never) = race.unwrap();
        assert_eq!((slept, sent, received), (Ok(()), Ok(4), Ok(4)));
        assert!(is_canceled(&never));
    };
    runs();
    on_each_backend(|_| runs());
    in_a_task(runs);
}

#[test]
fn a_race_of_operations_ends_by_a_cancel_and_by_a_limit() {
    on_each_backend(|scheduler| {
        let both = || io::race((op::timeout(FOREVER), op::timeout(FOREVER))).unwrap();
        let task = scheduler.spawn(both).unwrap();
        task.cancel();
        let (a, b) = task.join().unwrap();
        assert!(is_canceled(&a) && is_canceled(&b));
        let task = scheduler.spawn(move || timeout(SOON, both)).unwrap();
        let (a, b) = task.join().unwrap().unwrap_err().into_inner();
        assert!(is_canceled(&a) && is_canceled(&b));
    });
}
