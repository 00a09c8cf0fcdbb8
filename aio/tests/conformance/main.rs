//! The promises of the API, each kept once per backend of this machine, and again where there are
//! obstacles: see `runs`.
//!
//! They run one after another, so that after each of them the descriptors can be counted.

mod batch;
#[expect(unsafe_code, reason = "sets a timer and its handler")]
mod circumstances;
mod control;
mod dir;
mod dynamic;
mod ends;
mod event;
mod file;
mod futex;
mod links;
mod linux;
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
mod table;
mod transfer;
mod tty;
mod vectored;
mod zero_copy;

use std::env;
use std::fs;
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use corio_aio::backend::Kind;
use corio_aio::{self as aio, OpKind, op};
use libtest_mimic::{Arguments, Failed, Trial};
use scene::{Kept, Promise, Scene};

/// The promises, by area.
const AREAS: [(&str, &[Promise]); 21] = [
    ("batch", batch::PROMISES),
    ("control", control::PROMISES),
    ("dir", dir::PROMISES),
    ("dynamic", dynamic::PROMISES),
    ("ends", ends::PROMISES),
    ("event", event::PROMISES),
    ("file", file::PROMISES),
    ("futex", futex::PROMISES),
    ("links", links::PROMISES),
    ("linux", linux::PROMISES),
    ("message", message::PROMISES),
    ("model", model::PROMISES),
    ("option", option::PROMISES),
    ("pipe", pipe::PROMISES),
    ("process", process::PROMISES),
    ("socket", socket::PROMISES),
    ("table", table::PROMISES),
    ("transfer", transfer::PROMISES),
    ("tty", tty::PROMISES),
    ("vectored", vectored::PROMISES),
    ("zero_copy", zero_copy::PROMISES),
];

/// A promise that takes longer waits for something that never comes.
const LONGEST: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    match circumstances::of_this_process() {
        None => runs::all(&arguments),
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
    let conclusion = libtest_mimic::run(arguments, trials(backend));
    if !arguments.list {
        println!("{backend}: {} promises kept", conclusion.num_passed);
    }
    let is_all = !arguments.list && conclusion.num_filtered_out == 0;
    let missing = if is_all { positions::missing() } else { Vec::new() };
    assert!(missing.is_empty(), "no promise shows {missing:?}");
    ExitCode::from(u8::from(conclusion.has_failed()))
}

fn trials(backend: Kind) -> Vec<Trial> {
    let promises = AREAS.iter().flat_map(|(area, promises)| {
        promises
            .iter()
            .map(move |promise| (format!("{backend}::{area}::{}", promise.name), promise.keep))
    });
    // Some backends can't wait for a futex; that they say so is a promise of `batch`.
    let has_futexes = aio::supports(&[OpKind::FutexWait]);
    promises
        .filter(|(name, _)| has_futexes || !name.contains("::futex::"))
        .map(|(name, keep)| {
            let called = name.clone();
            Trial::test(name, move || check(&called, keep))
        })
        .collect()
}

/// Keeps one promise, and sees that nothing of it is left.
fn check(name: &str, keep: fn(&mut Scene) -> Kept) -> Result<(), Failed> {
    // Whatever the thread's own queue opens and keeps, it opens now.
    aio::single(op::open_at(aio::Cwd, "/")).map_err(|error| error.to_string())?;
    let before = open_descriptors();
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
    let mut after = open_descriptors();
    while after > before && Instant::now() < patience {
        thread::sleep(Duration::from_millis(1));
        after = open_descriptors();
    }
    if after != before {
        return Err(format!("{before} descriptors were open before, {after} after").into());
    }
    Ok(())
}

fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("a list of descriptors").count()
}

/// Ends the process, with the name of the promise, unless what it yields is dropped in time.
fn watch(name: &str) -> Sender<()> {
    let (done, wait) = channel();
    let name = name.to_owned();
    thread::spawn(move || {
        if wait.recv_timeout(LONGEST) == Err(RecvTimeoutError::Timeout) {
            eprintln!("{name} waits for something that never comes");
            std::process::abort();
        }
    });
    done
}
