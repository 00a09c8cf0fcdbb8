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
mod links;
mod linux;
mod model;
mod pipe;
mod positions;
mod scene;
mod socket;
mod transfer;
mod vectored;

use std::fs;
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use corio_aio::{self as aio, op};
use libtest_mimic::{Arguments, Failed, Trial};
use scene::{BACKENDS, Backend, Kept, Promise, Scene};

/// The promises, by area.
const AREAS: [(&str, &[Promise]); 14] = [
    ("batch", batch::PROMISES),
    ("control", control::PROMISES),
    ("dir", dir::PROMISES),
    ("dynamic", dynamic::PROMISES),
    ("ends", ends::PROMISES),
    ("event", event::PROMISES),
    ("file", file::PROMISES),
    ("links", links::PROMISES),
    ("linux", linux::PROMISES),
    ("model", model::PROMISES),
    ("pipe", pipe::PROMISES),
    ("socket", socket::PROMISES),
    ("transfer", transfer::PROMISES),
    ("vectored", vectored::PROMISES),
];

/// A promise that takes longer waits for something that never comes.
const LONGEST: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    let mut failed = false;
    for backend in BACKENDS {
        let conclusion = libtest_mimic::run(&arguments, trials(backend));
        println!("{}: {} promises kept", backend.name, conclusion.num_passed);
        failed |= conclusion.has_failed();
    }
    ExitCode::from(u8::from(failed))
}

fn trials(backend: Backend) -> Vec<Trial> {
    let promises = AREAS.iter().flat_map(|(area, promises)| {
        promises.iter().map(move |promise| {
            (format!("{}::{area}::{}", backend.name, promise.name), promise.keep)
        })
    });
    promises
        .map(|(name, keep)| {
            let called = name.clone();
            Trial::test(name, move || check(&called, backend, keep))
        })
        .collect()
}

/// Keeps one promise, and sees that nothing of it is left.
fn check(name: &str, backend: Backend, keep: fn(&mut Scene) -> Kept) -> Result<(), Failed> {
    aio::single(op::nop()).map_err(|error| error.to_string())?;
    let before = open_descriptors();
    let watch = watch(name);
    let mut scene = Scene::new(backend);
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
