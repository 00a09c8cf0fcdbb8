//! The promises of the API, each kept once per backend of this machine.
//!
//! They run one after another, so that after each of them the descriptors can be counted.

mod batch;
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
mod places;
mod positions;
#[expect(clippy::zombie_processes, reason = "it is the operations that wait for them")]
mod process;
mod scene;
mod socket;
mod transfer;
mod tty;
mod vectored;
mod zero_copy;

use std::env;
use std::fs;
use std::process::{Command, ExitCode};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use corio_aio::backend::Kind;
use corio_aio::{self as aio, OpKind, op};
use libtest_mimic::{Arguments, Failed, Trial};
use scene::{Kept, Promise, Scene};

/// The promises, by area.
const AREAS: [(&str, &[Promise]); 20] = [
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
    ("transfer", transfer::PROMISES),
    ("tty", tty::PROMISES),
    ("vectored", vectored::PROMISES),
    ("zero_copy", zero_copy::PROMISES),
];

/// A promise that takes longer waits for something that never comes.
const LONGEST: Duration = Duration::from_secs(60);

/// Names the backend in the processes that keep promises: one process for each, in which all calls
/// are served by it.
const VARIABLE: &str = "CORIO_BACKEND";

fn main() -> ExitCode {
    if env::var_os(VARIABLE).is_some() {
        return keep_all();
    }
    let me = env::current_exe().expect("a path of this program");
    let mut failed = false;
    for backend in Kind::CANDIDATES {
        let mut command = Command::new(&me);
        command.args(env::args_os().skip(1)).env(VARIABLE, backend.name());
        failed |= !command.status().expect("this program starts again").success();
    }
    ExitCode::from(u8::from(failed))
}

/// Keeps the promises on the backend of this process.
fn keep_all() -> ExitCode {
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    let backend = aio::backend().expect("the backend that is named works here");
    let conclusion = libtest_mimic::run(&arguments, trials(backend));
    println!("{backend}: {} promises kept", conclusion.num_passed);
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
    let after = open_descriptors();
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
