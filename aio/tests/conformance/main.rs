//! The promises of the API, each kept once per backend of this machine, and again where there are
//! obstacles: see `runs`.
//!
//! They run one after another, so that after each of them the descriptors can be counted.

#![cfg_attr(
    target_os = "wasi",
    allow(clippy::drop_non_drop, reason = "there are no pipes, whose types are those of nothing")
)]

mod batch;
mod circumstances;
mod control;
mod dir;
mod dynamic;
mod ends;
mod event;
mod exceptions;
#[cfg(any(unix, target_os = "wasi"))]
mod fds;
mod file;
mod futex;
mod links;
mod linux;
#[cfg(target_os = "linux")]
#[expect(clippy::zombie_processes, reason = "it is the operations that wait for them")]
#[expect(unsafe_code, reason = "names an option that has no constant")]
mod linux_only;
mod message;
mod model;
#[expect(unsafe_code, reason = "names an option that has no constant")]
mod option;
mod pipe;
mod positions;
#[expect(clippy::zombie_processes, reason = "it is the operations that wait for them")]
mod process;
mod runs;
mod scene;
mod socket;
#[path = "../system/mod.rs"]
#[allow(unsafe_code, reason = "asks the system")]
mod system;
mod table;
mod transfer;
#[cfg(unix)]
mod tty;
#[cfg(unix)]
mod unix_only;
mod vectored;
mod waker;
mod zero_copy;

use std::env;
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use corio_aio::backend::Kind;
use corio_aio::{self as aio, OpKind, op};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use scene::{Kept, Promise, Scene};

/// The promises, by area.
const AREAS: &[(&str, &[Promise])] = &[
    ("batch", batch::PROMISES),
    ("control", control::PROMISES),
    ("dir", dir::PROMISES),
    ("dynamic", dynamic::PROMISES),
    ("ends", ends::PROMISES),
    ("event", event::PROMISES),
    #[cfg(any(unix, target_os = "wasi"))]
    ("fds", fds::PROMISES),
    ("file", file::PROMISES),
    ("futex", futex::PROMISES),
    ("links", links::PROMISES),
    ("linux", linux::PROMISES),
    #[cfg(target_os = "linux")]
    ("linux_only", linux_only::PROMISES),
    ("message", message::PROMISES),
    ("model", model::PROMISES),
    ("option", option::PROMISES),
    ("pipe", pipe::PROMISES),
    ("process", process::PROMISES),
    ("socket", socket::PROMISES),
    ("table", table::PROMISES),
    ("transfer", transfer::PROMISES),
    #[cfg(unix)]
    ("tty", tty::PROMISES),
    #[cfg(unix)]
    ("unix_only", unix_only::PROMISES),
    ("vectored", vectored::PROMISES),
    ("waker", waker::PROMISES),
    ("zero_copy", zero_copy::PROMISES),
];

/// A promise that takes longer waits for something that never comes. `CONFORMANCE_SECONDS` is
/// another number of seconds.
const LONGEST_SECONDS: u64 = 60;

fn main() -> ExitCode {
    system::choose_room();
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    match circumstances::of_this_process() {
        None if system::HAS_PROCESSES => runs::all(&arguments),
        None => keep_all(&arguments),
        Some(circumstances) => {
            circumstances.bring_about();
            match circumstances.is_look {
                true => look(),
                false => keep_all(&arguments),
            }
        }
    }
}

/// Says which backend serves, and whether it lacks what the kernel is taken to lack.
fn look() -> ExitCode {
    let backend = aio::backend().expect("a backend");
    let masked = env::var("CORIO_URING_WITHOUT").expect("it is set");
    let mut masked = OpKind::ALL.into_iter().filter(|kind| kind.name() == masked);
    match masked.all(|kind| aio::supports(&[kind])) {
        true => println!("{backend}"),
        false => println!("{backend} without"),
    }
    ExitCode::SUCCESS
}

/// Keeps the promises on the backend of this process.
fn keep_all(arguments: &Arguments) -> ExitCode {
    let backend = aio::backend().expect("the backend that is named works here");
    let areas: Vec<_> = AREAS.iter().map(|(area, promises)| (*area, promises.len())).collect();
    let names = AREAS.iter().flat_map(|(area, promises)| {
        promises.iter().map(move |promise| format!("{area}::{}", promise.name))
    });
    let mistakes = exceptions::mistakes(&areas, &names.collect::<Vec<_>>());
    assert!(mistakes.is_empty(), "the table of exceptions: {mistakes:?}");
    let conclusion = libtest_mimic::run(arguments, trials(backend));
    let is_all = !arguments.list && conclusion.num_filtered_out == 0;
    if !arguments.list {
        let left_out: usize = exceptions::left_out(&areas).map(|(_, number, _)| number).sum();
        let impossible = conclusion.num_ignored + if is_all { left_out as u64 } else { 0 };
        let kept = format!("{backend}: {} promises kept", conclusion.num_passed);
        match impossible {
            0 => println!("{kept}"),
            _ => println!("{kept}, {impossible} can't be here"),
        }
    }
    let mut missing = if is_all { positions::missing() } else { Vec::new() };
    missing.retain(|what| !exceptions::is_unshown(what));
    assert!(missing.is_empty(), "no promise shows {missing:?}");
    ExitCode::from(u8::from(conclusion.has_failed()))
}

fn trials(backend: Kind) -> Vec<Trial> {
    let areas: Vec<_> = AREAS.iter().map(|(area, promises)| (*area, promises.len())).collect();
    for (area, number, why) in exceptions::left_out(&areas) {
        println!("{area} ({number}): {why}");
    }
    let promises = AREAS
        .iter()
        .flat_map(|(area, promises)| promises.iter().map(move |promise| (*area, promise)));
    promises
        .map(|(area, promise)| {
            let (name, keep) = (format!("{backend}::{area}::{}", promise.name), promise.keep);
            match exceptions::reason(area, promise.name) {
                Some(why) => Trial::ignorable_test(name, move || Ok(Completion::ignored_with(why))),
                None => Trial::test(name.clone(), move || check(&name, keep)),
            }
        })
        .collect()
}

/// Keeps one promise, and sees that nothing of it is left.
fn check(name: &str, keep: fn(&mut Scene) -> Kept) -> Result<(), Failed> {
    if cfg!(panic = "abort") {
        // Nothing else would say which one it was that ended all.
        eprintln!("{name}");
    }
    // Whatever the thread's own queue opens and keeps, it opens now.
    aio::single(op::open_at(aio::Cwd, ".").directory()).map_err(|error| error.to_string())?;
    let before = system::open_descriptors();
    let watch = watch(name);
    let mut scene = Scene::new();
    let kept = keep(&mut scene);
    let left = scene.left();
    drop(scene);
    drop(watch);
    kept.map_err(|error| error.to_string())?;
    if left > 0 {
        return Err(format!("{left} operations are left in the queues of the promise").into());
    }
    // What another thread is about to close is no leak.
    let patience = Instant::now() + Duration::from_secs(1);
    let mut after = system::open_descriptors();
    while after > before && Instant::now() < patience {
        thread::sleep(Duration::from_millis(1));
        after = system::open_descriptors();
    }
    if after != before {
        return Err(format!("{before} descriptors were open before, {after} after").into());
    }
    Ok(())
}

/// Ends the process, with the name of the promise, unless what it yields is dropped in time.
fn watch(name: &str) -> Sender<()> {
    let (done, wait) = channel();
    let name = name.to_owned();
    let given = env::var("CONFORMANCE_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let longest = Duration::from_secs(given.unwrap_or(LONGEST_SECONDS));
    let watching = thread::Builder::new().spawn(move || {
        if wait.recv_timeout(longest) == Err(RecvTimeoutError::Timeout) {
            eprintln!("{name} waits for something that never comes");
            std::process::abort();
        }
    });
    // A system without threads can be watched from outside only.
    let _ = watching;
    done
}
