//! The processes in which the promises are kept: one for each backend, and one for each obstacle
//! that a backend may have to cope with.

use std::collections::VecDeque;
use std::process::{Command, ExitCode, Output};
use std::sync::Mutex;
use std::{env, fs, iter, thread};

use corio_aio::OpKind;
use corio_aio::backend::Kind;
use libtest_mimic::Arguments;

use crate::circumstances::{LOGGED, LOOK, VARIABLE};
use crate::system::{self, OBSTACLES};

/// A process of this program in which the promises are kept.
#[derive(Default)]
struct Run {
    /// What is said of its circumstances.
    headline: &'static str,
    /// The words for them.
    circumstances: &'static str,
    /// The backend that is asked for. If there is none, io_uring fails, epoll serves, and one line
    /// of the log says so.
    backend: Option<Kind>,
    /// Operations that the kernel is taken not to know.
    masked: String,
}

/// The word for signals that interrupt.
const SIGNALS: &str = "signals";

/// How many processes keep promises at a time: mostly they wait.
const AT_ONCE: usize = 2;

/// Starts a process for each run; those with obstacles only if all promises are asked for.
pub fn all(arguments: &Arguments) -> ExitCode {
    let backends: Vec<Kind> = Kind::CANDIDATES
        .iter()
        .copied()
        .filter(|kind| !is_uring(*kind) || has_io_uring())
        .collect();
    let plain = backends.iter().map(|backend| Run { backend: Some(*backend), ..Run::default() });
    let is_some_only = arguments.filter.is_some() || !arguments.skip.is_empty() || arguments.list;
    let is_kept = if is_some_only {
        plain.filter(|run| !run.keep_some()).count() == 0
    } else {
        let has_signals = OBSTACLES.iter().any(|(word, _)| *word == SIGNALS);
        let interrupted = backends.iter().take_while(|_| has_signals).map(|backend| Run {
            headline: "interrupted: ",
            circumstances: SIGNALS,
            backend: Some(*backend),
            ..Run::default()
        });
        let runs = plain.chain(interrupted).chain(without_io_uring());
        let left: Mutex<VecDeque<Run>> = Mutex::new(runs.collect());
        let next = || left.lock().expect("no panic").pop_front();
        let work = || iter::from_fn(next).filter(|run| !run.keep()).count();
        let failed = thread::scope(|scope| {
            let workers = [(); AT_ONCE].map(|()| scope.spawn(work));
            workers.map(|worker| worker.join().expect("no panic")).iter().sum::<usize>()
        });
        failed == 0
    };
    ExitCode::from(u8::from(!is_kept))
}

fn is_uring(kind: Kind) -> bool {
    matches!(kind, Kind::Uring)
}

/// Whether the kernel is new enough for io_uring: Linux 5.17.
fn has_io_uring() -> bool {
    // An emulator calls itself as its host does, and lacks it.
    if system::names().contains(&"qemu-user") {
        return false;
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("a kernel's version");
    let mut numbers = release.split('.').map(|number| number.parse::<u32>());
    let mut next = || numbers.next().and_then(Result::ok).expect("two numbers");
    [next(), next()] >= [5, 17]
}

/// Those in which the kernel has no io_uring, or only some of it.
fn without_io_uring() -> Vec<Run> {
    if !Kind::CANDIDATES.iter().any(|kind| is_uring(*kind)) {
        return Vec::new();
    }
    if !has_io_uring() {
        assert_eq!(Run::default().look(), ("epoll".into(), 1));
        return Vec::new();
    }
    assert_eq!(Run::default().look(), ("uring".into(), 0));
    let refused = |circumstances| Run { circumstances, ..Run::default() };
    assert_eq!(refused("ENOMEM").look(), ("epoll".into(), 1));
    vec![
        Run { headline: "without io_uring (EPERM): ", ..refused("EPERM") },
        Run { headline: "without io_uring (ENOSYS): ", ..refused("ENOSYS") },
        Run {
            headline: "with plain calls: ",
            backend: Some(Kind::Uring),
            masked: replaceable(),
            ..Run::default()
        },
    ]
}

/// The operations that are done by plain calls where the kernel lacks them.
fn replaceable() -> String {
    let mut names = Vec::new();
    for kind in OpKind::ALL {
        let name = kind.name();
        match (Run { masked: name.into(), ..Run::default() }).look() {
            (said, 0) if said == "uring" => names.push(name),
            (said, 0) if said == "uring without" => {}
            (said, 1) if said == "epoll" => {}
            other => panic!("without {name}, {other:?} serves"),
        }
    }
    assert!(names.contains(&"open_at") && !names.contains(&"recv"), "{names:?}");
    names.join(",")
}

impl Run {
    fn command(&self) -> Command {
        let mut command = Command::new(env::current_exe().expect("a path of this program"));
        command.env(VARIABLE, self.circumstances);
        command.env("CORIO_URING_WITHOUT", &self.masked);
        if let Some(backend) = self.backend {
            command.env("CORIO_BACKEND", backend.name());
        }
        command
    }

    /// Keeps those promises that this process is asked for.
    fn keep_some(&self) -> bool {
        let mut command = self.command();
        command.args(env::args_os().skip(1));
        command.status().expect("this program starts again").success()
    }

    /// Keeps the promises, and says how many; says all where one is not kept.
    fn keep(&self) -> bool {
        let (headline, expected) = (self.headline, self.backend.unwrap_or(Kind::Epoll));
        let output = self.command().output().expect("this program starts again");
        let words = String::from_utf8_lossy(&output.stdout);
        let last = words.lines().last().unwrap_or_default();
        let is_kept = output.status.success()
            && last.starts_with(&format!("{expected}: "))
            && warnings(&output) == usize::from(self.backend.is_none());
        if is_kept {
            println!("{headline}{last}");
        } else {
            let errors = String::from_utf8_lossy(&output.stderr);
            println!("{words}\n{errors}\n{headline}{expected}: {}", output.status);
        }
        is_kept
    }

    /// Which backend serves, and how many lines of the log say why.
    fn look(&self) -> (String, usize) {
        let words = format!("{LOOK},{}", self.circumstances);
        let output = self.command().env(VARIABLE, words).output().expect("this program starts");
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8_lossy(&output.stdout);
        (said.trim_end().into(), warnings(&output))
    }
}

/// How many lines of the log say that epoll serves instead of io_uring.
fn warnings(output: &Output) -> usize {
    let words = String::from_utf8_lossy(&output.stderr);
    let logged = words.lines().filter_map(|line| line.strip_prefix(LOGGED));
    logged
        .inspect(|line| {
            let expected = "the backend is epoll, for uring can't be used here: ";
            assert!(line.starts_with(expected), "{line}");
        })
        .count()
}
