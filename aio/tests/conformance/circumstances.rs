//! What a process in which promises are kept has to cope with.

use std::env;

use crate::system::OBSTACLES;

/// Says to a process of this program what its circumstances are: words with commas between them.
pub const VARIABLE: &str = "CONFORMANCE";

/// The word for a process that keeps no promises, but says which backend serves.
pub const LOOK: &str = "look";

/// The circumstances that a process is told of.
pub struct Circumstances {
    obstacles: Vec<fn()>,
    pub is_look: bool,
}

/// Those of this process; `None` if it is the one that starts the others.
pub fn of_this_process() -> Option<Circumstances> {
    let words = match env::var(VARIABLE) {
        Ok(words) => words,
        // Somebody asks for one backend and nothing else.
        Err(_) => env::var_os("CORIO_BACKEND").map(|_| String::new())?,
    };
    let has = |word: &str| words.split(',').any(|found| found == word);
    let obstacles = OBSTACLES.iter().filter(|(word, _)| has(word));
    let obstacles = obstacles.map(|(_, bring_about)| *bring_about).collect();
    Some(Circumstances { obstacles, is_look: has(LOOK) })
}

impl Circumstances {
    /// Makes them those of this process, before it starts a thread.
    pub fn bring_about(&self) {
        log::set_logger(&Log).expect("there was no other");
        log::set_max_level(log::LevelFilter::Trace);
        self.obstacles.iter().for_each(|bring_about| bring_about());
    }
}

/// Puts what is logged where whoever started this process looks for it.
struct Log;

/// How its lines begin.
pub const LOGGED: &str = "logged: ";

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        eprintln!("{LOGGED}{}", record.args());
    }

    fn flush(&self) {}
}
