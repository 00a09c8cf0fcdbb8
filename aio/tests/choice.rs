//! Which backend serves, as the program and its environment ask for it.
#![expect(unsafe_code, reason = "implements a backend")]

use std::collections::VecDeque;
use std::env;
use std::process::Command;

use corio_aio::backend::{Announced, Answered, Backend, Custom, Kind};
use corio_aio::key::Key;
use corio_aio::op::{Link, RawOp};
use corio_aio::{self as aio, Cause, Dynamic, Error, Mode, OpKind, Options, Traffic, op};

/// A backend that does nothing: that is, nops.
struct Idle(Vec<Answered>);

// SAFETY: each key is answered when the next wait comes, and no memory is touched.
unsafe impl Backend for Idle {
    fn capacity(&self) -> usize {
        4
    }

    fn begin(&mut self, _: &Announced, _: &mut VecDeque<Answered>) {}

    unsafe fn start(
        &mut self,
        key: Key,
        kind: OpKind,
        _: &RawOp,
        _: Link,
        _: &mut VecDeque<Answered>,
    ) {
        let can = self.supports(kind);
        self.0.push((key, if can { Ok(0) } else { Err(Cause::Unsupported) }));
    }

    fn cancel(&mut self, _: Key, _: &mut VecDeque<Answered>) {}

    fn wait(&mut self, _: Mode, answered: &mut VecDeque<Answered>) -> Result<(), Error> {
        answered.extend(self.0.drain(..));
        Ok(())
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }

    fn supports(&self, kind: OpKind) -> bool {
        kind == OpKind::Nop
    }
}

const IDLE: Kind =
    Kind::Custom(Custom { name: "idle", set_up: |_| Ok(Box::new(Idle(Vec::new()))) });

fn queue(backend: Kind, required: &'static [OpKind]) -> Result<Dynamic, Error> {
    Dynamic::with_options(4, Options { backend: Some(backend), required, ..Options::default() })
}

#[test]
fn each_backend_serves_when_it_is_asked_for() {
    for &backend in Kind::CANDIDATES {
        let mut queue = queue(backend, &[OpKind::Nop, OpKind::Recv]).unwrap();
        let nop = queue.queue(op::nop()).unwrap();
        queue.complete_all().unwrap();
        nop.take(&mut queue).unwrap();
    }
}

#[test]
fn a_backend_of_ones_own_serves() {
    assert_eq!((IDLE.name(), IDLE.to_string()), ("idle", "idle".to_owned()));
    let mut queue = queue(IDLE, &[OpKind::Nop]).unwrap();
    let nop = queue.queue(op::nop()).unwrap();
    let socket = queue.queue(op::socket(aio::Domain::IPV4, aio::Type::STREAM, None)).unwrap();
    assert_eq!(queue.complete_all().unwrap().len(), 2);
    nop.take(&mut queue).unwrap();
    let refused = socket.take(&mut queue).unwrap_err();
    assert_eq!((refused.op(), refused.cause()), (Some(OpKind::Socket), Cause::Unsupported));
}

#[test]
fn a_backend_of_ones_own_that_can_not_be_set_up_is_an_error() {
    let refusal = |_: &Options| Err(queue(IDLE, &[OpKind::Recv]).unwrap_err());
    let broken = Kind::Custom(Custom { name: "broken", set_up: refusal });
    assert_eq!(queue(broken, &[]).unwrap_err().op(), Some(OpKind::Recv));
}

#[test]
fn what_is_required_and_missing_is_named() {
    let refused = queue(IDLE, &[OpKind::Nop, OpKind::Send]).unwrap_err();
    assert_eq!((refused.op(), refused.cause()), (Some(OpKind::Send), Cause::Unsupported));
}

/// Runs `test`, which is the body of the test `name`, in a process whose environment asks for
/// `backend`.
fn with_environment(backend: &str, name: &str, test: fn()) {
    const ALONE: &str = "CORIO_TEST_IS_ALONE";
    if env::var_os(ALONE).is_some() {
        return test();
    }
    let mut alone = Command::new(env::current_exe().expect("a path of this program"));
    alone.args([name, "--exact"]).env(ALONE, "1").env("CORIO_BACKEND", backend);
    let output = alone.output().expect("a process");
    let words = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && words.contains("1 passed"), "{backend}: {output:?}");
}

#[test]
#[cfg_attr(target_os = "wasi", ignore = "no program starts another one")]
fn the_environment_names_the_backend() {
    for &backend in Kind::CANDIDATES {
        with_environment(backend.name(), "the_environment_names_the_backend", || {
            let backend = aio::backend().unwrap();
            assert_eq!(backend.name(), env::var("CORIO_BACKEND").unwrap());
            assert_eq!(backend.to_string(), backend.name());
            aio::single(op::nop()).unwrap();
        });
    }
}

#[test]
#[cfg_attr(target_os = "wasi", ignore = "no program starts another one")]
fn a_backend_that_nobody_knows_is_an_error() {
    for name in ["io_uring", "EPOLL", "idle", ""] {
        with_environment(name, "a_backend_that_nobody_knows_is_an_error", || {
            assert_eq!(aio::backend().unwrap_err().cause(), Cause::Unsupported);
            assert_eq!(aio::single(op::nop()).unwrap_err().cause(), Cause::Unsupported);
            assert_eq!(Dynamic::new(4).unwrap_err().cause(), Cause::Unsupported);
            assert!(!aio::supports(&[OpKind::Nop]));
            let last = Kind::CANDIDATES.last().unwrap();
            queue(*last, &[OpKind::Nop]).unwrap();
            queue(IDLE, &[OpKind::Nop]).unwrap();
        });
    }
}
