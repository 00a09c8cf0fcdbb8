//! What a program sees of its tasks: names, places, who waits for what and since when; and the
//! options that a task is spawned with.

use std::cell::Cell;
use std::hint::black_box;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use corio::aio::op;
use corio::aio::{Mode, OpKind};
use corio::{
    JoinError, Options, ResetEvent, Scheduler, SpawnOptions, TaskInfo, TaskRef, TaskState, io,
};

mod system;

use system::{pair, raw};

fn named(name: &'static str) -> SpawnOptions<'static> {
    SpawnOptions::new().name(name)
}

/// What the list says of a task.
fn info(task: TaskRef) -> TaskInfo {
    corio::tasks().into_iter().find(|info| info.task == task).expect("the task is listed")
}

/// The kinds and descriptors of what a task waits for.
fn operations(task: TaskRef) -> Vec<(OpKind, Option<i32>)> {
    let TaskState::Operations(operations) = info(task).state else { return Vec::new() };
    operations.iter().map(|operation| (operation.kind, operation.descriptor)).collect()
}

#[test]
fn a_task_is_listed_with_its_name_and_its_place() {
    corio::scope(|s| {
        let line = line!() + 1;
        let static_name = s.spawn_with(named("static"), || corio::park(0)).unwrap();
        let owned = SpawnOptions::new().name(format!("owned {}", 1));
        let owned = s.spawn_with(owned, || corio::park(0)).unwrap();
        let nameless = s.spawn(|| corio::park(0));
        let listed: Vec<_> =
            corio::tasks().into_iter().map(|info| (info.task, info.name)).collect();
        let expected = [
            (static_name.task(), Some("static".to_string())),
            (owned.task(), Some("owned 1".to_string())),
            (nameless.task(), None),
        ];
        assert_eq!(listed, expected);
        let place = info(static_name.task()).spawned_at;
        assert_eq!((place.file(), place.line()), (file!(), line));
        assert_eq!(info(nameless.task()).spawned_at.line(), line + 3);
        for task in [static_name, owned, nameless] {
            task.wakeup();
            task.join().unwrap().unwrap();
        }
    })
    .unwrap();
}

#[test]
fn a_task_knows_its_name_until_it_was_joined() {
    corio::scope(|s| {
        let own_name = || corio::current().unwrap().name();
        let task = s.spawn_with(named("someone"), own_name).unwrap();
        let number = task.task();
        assert_eq!(task.name().as_deref(), Some("someone"));
        assert_eq!(number.name(), task.name());
        assert_eq!(task.join().unwrap().as_deref(), Some("someone"));
        assert_eq!(number.name(), None);
        assert_eq!(s.spawn(own_name).join().unwrap(), None);
    })
    .unwrap();
}

#[test]
fn what_a_task_waits_for_is_listed_by_kind_and_descriptor() {
    let (ours, theirs) = pair();
    corio::scope(|s| {
        let mut buf = [0; 8];
        let ours = &ours;
        let task = s.spawn(move || {
            let hour = Duration::from_secs(3600);
            io::complete((op::nop(), op::recv(ours, &mut buf), op::timeout(hour))).unwrap()
        });
        // Until the first is told to be complete, which takes a turn of the scheduler.
        while operations(task.task()).len() > 2 {
            io::single(op::timeout(Duration::from_millis(1))).unwrap();
        }
        let expected = [(OpKind::Recv, Some(raw(ours))), (OpKind::Timeout, None)];
        assert_eq!(operations(task.task()), expected);
        let text = info(task.task()).to_string();
        let expected = format!("recv on descriptor {} and timeout", raw(ours));
        assert!(text.contains(&expected), "{text}");
        task.cancel();
        let _ = task.join().unwrap();
    })
    .unwrap();
    drop(theirs);
}

#[test]
fn every_way_to_wait_is_told_from_the_others() {
    let (event, ended) = (ResetEvent::new(), Cell::new(false));
    corio::scope(|s| {
        let parked = s.spawn_with(named("parked"), || corio::park(7).unwrap()).unwrap();
        let parked_task = parked.task();
        let in_sync = s.spawn(|| event.wait().unwrap());
        let joining = s.spawn(|| parked.join().unwrap());
        let in_scope = s.spawn(|| {
            corio::scope(|s| {
                for _ in 0..2 {
                    s.spawn(|| event.wait().unwrap()).detach();
                }
            })
            .unwrap();
        });
        let yielding = s.spawn(corio::yield_now);
        let done = s.spawn(|| ended.set(true));
        let observed = s.spawn(|| info(corio::current().unwrap()).state);
        assert_eq!(observed.join().unwrap(), TaskState::Running);
        let states = [
            (parked_task, TaskState::Parked(7), "is parked with state 7"),
            (in_sync.task(), TaskState::Waiting("a reset event"), "waits for a reset event"),
            (
                joining.task(),
                TaskState::Join(parked_task, Some("parked".to_string())),
                "joins task 0v1 \"parked\"",
            ),
            (in_scope.task(), TaskState::Scope(2), "waits for 2 tasks of its scope"),
            (done.task(), TaskState::Ended, "has ended"),
        ];
        for (task, state, text) in states {
            assert_eq!(info(task).state, state);
            assert!(info(task).to_string().contains(text), "{}", info(task));
        }
        parked_task.wakeup();
        assert_eq!(info(parked_task).state, TaskState::Ready);
        event.set();
        joining.join().unwrap();
        in_scope.join().unwrap();
        yielding.join().unwrap();
    })
    .unwrap();
    assert!(ended.get());
}

#[test]
fn a_task_that_yields_is_ready_and_one_that_spawned_the_one_that_runs_runs() {
    corio::scope(|s| {
        let yielding = s.spawn(corio::yield_now);
        assert_eq!(info(yielding.task()).state, TaskState::Ready);
        let outer = s.spawn(|| {
            let me = corio::current().unwrap();
            let seen = corio::scope(|s| s.spawn(|| info(me).state).join().unwrap());
            seen.unwrap()
        });
        assert_eq!(outer.join().unwrap(), TaskState::Running);
    })
    .unwrap();
}

#[test]
fn a_task_whose_result_was_taken_is_not_listed() {
    corio::scope(|s| {
        s.spawn(|| ()).join().unwrap();
        s.spawn(|| ()).detach();
        let kept = s.spawn(|| ());
        let listed: Vec<TaskRef> = corio::tasks().iter().map(|info| info.task).collect();
        assert_eq!(listed, [kept.task()]);
        kept.join().unwrap();
        assert!(corio::tasks().is_empty());
    })
    .unwrap();
    assert!(corio::tasks().is_empty());
}

#[test]
fn since_is_when_a_task_came_to_wait() {
    let pause = Duration::from_millis(30);
    Scheduler::with(Options::default(), |scheduler| {
        let before = Instant::now();
        let early = scheduler.spawn(|| corio::park(0)).unwrap();
        io::single(op::timeout(pause)).unwrap();
        let late = scheduler.spawn(|| corio::park(0)).unwrap();
        let of = |task| scheduler.tasks().into_iter().find(|info| info.task == task).unwrap();
        let (first, second) = (of(early.task()).since, of(late.task()).since);
        assert!(second - first >= pause, "{:?}", second - first);
        assert!(second - before >= pause && second <= Instant::now());
        // It does not change while the task waits.
        io::single(op::timeout(pause)).unwrap();
        assert_eq!(of(early.task()).since, first);
        early.wakeup();
        assert!(of(early.task()).since > second);
        late.wakeup();
        early.join().unwrap().unwrap();
        late.join().unwrap().unwrap();
    })
    .unwrap();
}

#[test]
fn the_clock_goes_on_also_where_tasks_keep_yielding() {
    let pause = Duration::from_millis(30);
    corio::scope(|s| {
        let busy = s.spawn(|| {
            let sleeper = s.spawn(|| io::single(op::timeout(pause)).unwrap());
            let before = info(sleeper.task()).since;
            while !sleeper.is_complete() {
                corio::yield_now();
            }
            info(sleeper.task()).since - before
        });
        let passed = busy.join().unwrap();
        assert!(passed >= pause, "{passed:?}");
    })
    .unwrap();
}

#[test]
fn a_deadlock_is_reported_with_names_and_who_joins_whom() {
    let event = ResetEvent::new();
    let error = corio::scope(|s| {
        let waiter = s.spawn_with(named("the waiter"), || event.wait().is_err()).unwrap();
        let joiner = s.spawn_with(named("the joiner"), move || waiter.join()).unwrap();
        joiner.detach();
        s.spawn(|| ()).detach();
    });
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Deadlock);
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].contains("nothing is in flight"), "{text}");
    assert!(lines[1].contains("\"the waiter\" (coro/tests/tasks.rs:"), "{text}");
    assert!(lines[1].contains("waits for a reset event, for "), "{text}");
    assert!(lines[2].contains("\"the joiner\""), "{text}");
    assert!(lines[2].contains("joins task 0v1 \"the waiter\", for "), "{text}");
}

#[test]
fn a_deadlock_of_many_tasks_is_reported_in_few_lines() {
    let error = corio::scope(|s| (0..70).for_each(|_| s.spawn(|| corio::park(0)).detach()));
    let text = error.unwrap_err().to_string();
    assert_eq!(text.lines().count(), 52, "{text}");
    assert!(text.ends_with("and 20 more"), "{text}");
}

/// Takes so many KiB of the stack.
fn dive(kib: usize) -> usize {
    let frame = black_box([1u8; 1024]);
    if kib == 0 { 0 } else { dive(kib - 1) + usize::from(frame[kib % 1024]) }
}

#[test]
fn a_task_has_the_stack_that_was_asked_for_also_beside_others_and_again() {
    let options = Options { stack_size: 32 * 1024, ..Options::default() };
    Scheduler::with(options, |scheduler| {
        for _ in 0..3 {
            for bytes in [8 << 20, 1 << 20, 5 << 19, 0] {
                let options = SpawnOptions::new().stack_size(bytes);
                // A frame in a debug build is up to three times what is in it.
                let kib = bytes / 4096;
                let task = scheduler.spawn_with(options, move || dive(kib)).unwrap();
                let small = scheduler.spawn(|| dive(1)).unwrap();
                assert_eq!(task.join().unwrap(), kib);
                assert_eq!(small.join().unwrap(), 1);
            }
        }
    })
    .unwrap();
}

#[test]
fn a_stack_that_is_too_large_is_an_error_and_the_closure_is_dropped() {
    let owned = std::rc::Rc::new(());
    corio::scope(|s| {
        for bytes in [1 << 62, usize::MAX] {
            let copy = owned.clone();
            let options = SpawnOptions::new().stack_size(bytes).name(format!("{bytes}"));
            assert!(s.spawn_with(options, move || drop(copy)).is_err());
        }
        assert_eq!(std::rc::Rc::strong_count(&owned), 1);
    })
    .unwrap();
}

#[test]
fn a_detached_task_drops_its_result_and_its_join_waits_for_the_end() {
    struct Result<'a>(&'a Cell<u32>);
    impl Drop for Result<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let dropped = Cell::new(0);
    corio::scope(|s| {
        let detached = || SpawnOptions::new().detached();
        let at_once = s.spawn_with(detached(), || Result(&dropped)).unwrap();
        assert_eq!((dropped.get(), at_once.is_complete()), (1, true));
        let parked = s.spawn_with(detached(), || corio::park(3).map(|()| Result(&dropped)));
        let parked = parked.unwrap();
        assert_eq!(parked.state(), Some(3));
        parked.wakeup();
        assert!(matches!(parked.join(), Err(JoinError::Unreachable)));
        assert_eq!(dropped.get(), 2);
        assert!(matches!(at_once.join(), Err(JoinError::Unreachable)));
    })
    .unwrap();
    assert_eq!(dropped.get(), 2);
}

#[test]
fn what_is_spawned_without_a_scheduler_is_an_error() {
    let error = corio::spawn_with(named("nowhere"), || ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let inside = corio::run(|| corio::spawn_with(named("inside"), || ()).unwrap().name());
    assert_eq!(inside.unwrap().as_deref(), Some("inside"));
}

#[test]
fn tasks_that_yield_to_each_other_do_not_call_the_system() {
    Scheduler::with(Options::default(), |scheduler| {
        let yields = || (0..1000).for_each(|_| corio::yield_now());
        let tasks = [scheduler.spawn(yields).unwrap(), scheduler.spawn(yields).unwrap()];
        while tasks.iter().any(|task| !task.is_complete()) {
            scheduler.tick(Mode::Blocking).unwrap();
        }
        assert_eq!(scheduler.traffic().calls, 0);
        tasks.into_iter().for_each(|task| task.join().unwrap());
    })
    .unwrap();
}
