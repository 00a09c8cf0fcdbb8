//! What subscribers of `tracing` are told of tasks: with the feature `tracing`.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::collections::HashMap;
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use corio::aio::op;
use corio::{JoinError, SpawnOptions, handle, io, scope, spawn, yield_now};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber, info, info_span};

/// Writes down what it is told, one line each: of the target `corio::task` and of these tests.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    lines: Vec<String>,
    spans: HashMap<u64, Seen>,
    /// The spans that each thread is in, the innermost last.
    entered: HashMap<thread::ThreadId, Vec<u64>>,
    /// What it does when it is told that a span is entered.
    on_enter: Option<fn()>,
}

struct Seen {
    label: String,
    holders: usize,
}

/// A line of the fields.
#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = match field.name() {
            "key" | "spawned_at" => Ok(()),
            "message" => write!(self.0, "{value:?} "),
            name => write!(self.0, "{name}={value:?} "),
        };
    }
}

impl State {
    fn label(&self, id: Option<u64>) -> String {
        id.map_or("nobody".into(), |id| self.spans[&id].label.clone())
    }

    fn current(&self) -> Option<u64> {
        self.entered.get(&thread::current().id()).and_then(|spans| spans.last().copied())
    }
}

impl Subscriber for Notes {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Line::default();
        span.record(&mut fields);
        let state = &mut *self.0.lock().unwrap();
        let id = state.spans.len() as u64 + 1;
        let label = format!("{} {}", span.metadata().name(), fields.0.trim());
        let parent = state.label(state.current());
        state.lines.push(format!("new {label} in {parent}"));
        state.spans.insert(id, Seen { label, holders: 1 });
        Id::from_u64(id)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Line::default();
        event.record(&mut fields);
        let state = &mut *self.0.lock().unwrap();
        let parent = event.parent().map(Id::into_u64);
        let parent = parent.or_else(|| event.is_contextual().then(|| state.current()).flatten());
        let (text, parent) = (fields.0.trim(), state.label(parent));
        state.lines.push(format!("{} {text} in {parent}", event.metadata().level()));
    }

    fn enter(&self, id: &Id) {
        let mut state = self.0.lock().unwrap();
        state.entered.entry(thread::current().id()).or_default().push(id.into_u64());
        let line = format!("enter {}", state.label(Some(id.into_u64())));
        state.lines.push(line);
        let on_enter = state.on_enter;
        drop(state);
        if let Some(act) = on_enter {
            act();
        }
    }

    fn exit(&self, id: &Id) {
        let state = &mut *self.0.lock().unwrap();
        let left = state.entered.get_mut(&thread::current().id()).and_then(Vec::pop);
        assert_eq!(left, Some(id.into_u64()), "spans are left in the order that they were entered");
        state.lines.push(format!("exit {}", state.label(left)));
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.0.lock().unwrap().spans.get_mut(&id.into_u64()).unwrap().holders += 1;
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let state = &mut *self.0.lock().unwrap();
        let span = state.spans.get_mut(&id.into_u64()).unwrap();
        span.holders -= 1;
        let is_closed = span.holders == 0;
        if is_closed {
            let line = format!("close {}", span.label);
            state.lines.push(line);
        }
        is_closed
    }
}

/// Runs `f` with a subscriber; yields what that was told.
fn told(on_enter: Option<fn()>, f: impl FnOnce()) -> Vec<String> {
    let notes = Notes::default();
    notes.0.lock().unwrap().on_enter = on_enter;
    tracing::subscriber::with_default(notes.clone(), f);
    let state = &mut *notes.0.lock().unwrap();
    assert!(state.entered.values().all(Vec::is_empty), "each span is left");
    assert!(state.spans.values().all(|span| span.holders == 0), "each span is closed");
    std::mem::take(&mut state.lines)
}

fn named(name: &'static str) -> SpawnOptions<'static> {
    SpawnOptions::new().name(name)
}

#[test]
fn a_task_is_in_its_span_while_it_runs_and_in_none_while_it_waits() {
    let lines = told(None, || {
        let outer = info_span!("outer");
        let _outer = outer.enter();
        scope(|s| {
            let one = s.spawn_with(named("one"), || {
                info!("first");
                yield_now();
                info!("second");
            });
            info!("outside");
            one.unwrap().join().unwrap();
        })
        .unwrap();
    });
    let expected = [
        "new outer  in nobody",
        "enter outer ",
        r#"new task name="one" in outer "#,
        r#"TRACE started in task name="one""#,
        r#"enter task name="one""#,
        r#"INFO first in task name="one""#,
        r#"exit task name="one""#,
        "INFO outside in outer ",
        r#"enter task name="one""#,
        r#"INFO second in task name="one""#,
        r#"exit task name="one""#,
        r#"TRACE ended in task name="one""#,
        r#"close task name="one""#,
        "exit outer ",
        "close outer ",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_task_that_another_spawns_is_in_a_span_within_the_others() {
    let lines = told(None, || {
        scope(|s| {
            let parent = s.spawn_with(named("parent"), || {
                let child = s.spawn_with(named("child"), yield_now).unwrap();
                info!("spawned");
                child.join().unwrap();
            });
            parent.unwrap().join().unwrap();
        })
        .unwrap();
    });
    assert!(lines.contains(&r#"new task name="child" in task name="parent""#.into()));
    assert!(lines.contains(&r#"INFO spawned in task name="parent""#.into()));
}

#[test]
fn a_cancel_is_told_once_and_of_all_that_it_reaches_and_a_panic_with_its_text() {
    let lines = told(None, || {
        scope(|s| {
            let child =
                s.spawn_with(named("child"), || io::single(op::timeout(Duration::from_secs(3600))));
            let parent = s.spawn_with(named("parent"), || {
                let _ = child.unwrap().join().unwrap();
                panic!("for {}", "a reason");
            });
            let parent = parent.unwrap();
            parent.cancel();
            parent.cancel();
            let task = parent.task();
            assert!(matches!(parent.join(), Err(JoinError::Panicked(_))));
            task.cancel();
            let result = s.spawn_with(named("plain"), || std::panic::panic_any(7)).unwrap().join();
            result.unwrap_err();
        })
        .unwrap();
    });
    let count = |line: &str| lines.iter().filter(|told| *told == line).count();
    assert_eq!(count(r#"DEBUG asked to stop in task name="parent""#), 1);
    assert_eq!(count(r#"DEBUG asked to stop in task name="child""#), 1);
    assert_eq!(count(r#"ERROR panicked panic="for a reason" in task name="parent""#), 1);
    assert_eq!(count(r#"ERROR panicked panic="(not with a text)" in task name="plain""#), 1);
}

#[test]
fn what_a_subscriber_does_when_it_is_told_can_neither_suspend_nor_run_tasks() {
    fn act() {
        yield_now();
        assert!(corio::park(1).is_err(), "nothing can be suspended here");
        io::single(op::timeout(Duration::from_micros(1))).unwrap();
        if let Some(task) = corio::current() {
            task.cancel();
        }
    }
    let lines = told(Some(act), || {
        scope(|s| {
            let waiter = s.spawn_with(named("waiter"), || {
                let is_open = io::single(op::timeout(Duration::from_millis(1))).is_ok();
                // Who runs while the span of another is entered is canceled by `act`.
                let _other = s.spawn_with(named("other"), || ()).unwrap();
                let is_canceled = io::single(op::timeout(Duration::from_secs(3600))).is_err();
                is_open && is_canceled
            });
            assert!(waiter.unwrap().join().unwrap());
        })
        .unwrap();
    });
    assert!(lines.contains(&r#"DEBUG asked to stop in task name="waiter""#.into()), "{lines:?}");
}

#[test]
fn tasks_that_come_from_other_threads_have_spans_too_and_detached_ones_close_theirs() {
    let lines = told(None, || {
        scope(|s| {
            let handle = handle().unwrap();
            let sender = thread::spawn(move || handle.spawn_with(named("sent"), || 1).join());
            s.spawn(|| io::single(op::timeout(Duration::from_millis(1)))).join().unwrap().unwrap();
            spawn(|| info!("detached")).unwrap().detach();
            let sent = s.spawn(move || {
                while !sender.is_finished() {
                    yield_now();
                }
                sender.join().unwrap().unwrap()
            });
            assert_eq!(sent.join().unwrap(), 1);
        })
        .unwrap();
    });
    assert!(lines.contains(&r#"close task name="sent""#.into()), "{lines:?}");
    assert!(lines.contains(&"INFO detached in task ".into()), "{lines:?}");
}
