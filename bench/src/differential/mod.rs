//! Random programs on each backend of this machine, and whether they come to the same:
//! `corio-bench differential --programs 1000 --seed 1`.

mod execute;
mod generate;
mod judge;
mod outcome;
mod program;
mod scene;
mod shrink;
#[cfg(test)]
#[expect(unsafe_code, reason = "holds a backend that is wrong")]
mod tests;

use std::io;
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use corio::aio::backend::Kind;
use corio::aio::scripted::{self, World};
use corio::aio::{Cause, Options};

use self::execute::{Objects, Runner};
use self::generate::{Random, generate};
use self::judge::judge;
use self::outcome::{RACES, difference};
use self::program::Program;
use self::scene::Real;

/// The longest chain of a program fits.
const ENTRIES: u32 = 64;

/// How much is run.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Settings {
    /// How many programs.
    pub programs: u64,
    /// What they are made of; by default the time of day.
    pub seed: u64,
}

impl Settings {
    /// Reads the command line, after the word `differential`; an error is a sentence for the user.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Settings, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut settings = Settings { programs: 1_000, seed: now.as_micros() as u64 };
        while let Some(flag) = arguments.next() {
            let place = match flag.as_str() {
                "--programs" => &mut settings.programs,
                "--seed" => &mut settings.seed,
                _ => return Err(format!("unknown flag `{flag}`")),
            };
            let value = arguments.next().and_then(|value| value.parse().ok());
            *place = value.ok_or_else(|| format!("`{flag}` needs a whole number"))?;
        }
        Ok(settings)
    }
}

/// A backend that takes part.
struct Contestant {
    name: &'static str,
    runner: Runner,
}

/// Two backends that do not agree on a program.
#[derive(Debug)]
struct Disagreement {
    seed: u64,
    program: Program,
    names: [&'static str; 2],
    what: String,
}

/// Runs the programs; fails if two backends disagree.
pub fn run(settings: Settings) -> ExitCode {
    let start = Instant::now();
    let result = contestants(settings.seed).and_then(|mut contestants| {
        let names: Vec<&str> = contestants.iter().map(|contestant| contestant.name).collect();
        let Settings { programs, seed } = settings;
        eprintln!("{programs} programs of seed {seed} on {}", names.join(", "));
        compare(&mut contestants, settings)
    });
    match result {
        Ok(None) => {
            let seconds = start.elapsed().as_secs_f64();
            println!("all agree, but for the races ({seconds:.1} s):");
            RACES.iter().for_each(|race| println!("- {race:?}"));
            ExitCode::SUCCESS
        }
        Ok(Some(Disagreement { seed, program, names: [one, other], what })) => {
            println!("{one} and {other} disagree about the program of seed {seed}, shrunk to");
            println!("{program:#?}\n{what}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("corio-bench: differential: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The backends of this machine, and the simulated one: in order, and shuffled.
fn contestants(seed: u64) -> io::Result<Vec<Contestant>> {
    let mut contestants = Vec::new();
    for &kind in Kind::CANDIDATES {
        match Runner::new(options(kind), Objects::Real(Real::new()?)) {
            Ok(runner) => contestants.push(Contestant { name: kind.name(), runner }),
            Err(error) if error.cause() == Cause::Unsupported => {}
            Err(error) => return Err(error.into()),
        }
    }
    let shuffled = World::new();
    shuffled.shuffle(seed);
    contestants.push(simulated("scripted", scripted::KIND, World::new())?);
    contestants.push(simulated("shuffled", scripted::KIND, shuffled)?);
    Ok(contestants)
}

/// A backend over `world`.
fn simulated(name: &'static str, kind: Kind, world: World) -> io::Result<Contestant> {
    let _installed = world.install();
    let runner = Runner::new(options(kind), Objects::Simulated(world.clone()))?;
    Ok(Contestant { name, runner })
}

fn options(kind: Kind) -> Options {
    Options { backend: Some(kind), entries: ENTRIES, ..Options::DEFAULT }
}

/// The first disagreement with the first contestant, shrunk.
fn compare(contestants: &mut [Contestant], settings: Settings) -> io::Result<Option<Disagreement>> {
    let mut seeds = Random(settings.seed);
    for _ in 0..settings.programs {
        let seed = seeds.next();
        let (program, _) = generate(seed);
        let Some((other, first)) = disagreement(contestants, &program)? else { continue };
        contestants.swap(1, other);
        let pair = &mut contestants[..2];
        let program = shrink::shrink(program, |program| {
            disagreement(pair, program).is_ok_and(|found| found.is_some())
        });
        let what = disagreement(pair, &program)?.map_or_else(
            || format!("it differs now and then; the whole program differed in {first}"),
            |(_, what)| what,
        );
        let names = [pair[0].name, pair[1].name];
        return Ok(Some(Disagreement { seed, program, names, what }));
    }
    Ok(None)
}

/// Which contestant disagrees with the first one about `program`, and in what; none if it is one
/// that may come to different things.
fn disagreement(
    contestants: &mut [Contestant],
    program: &Program,
) -> io::Result<Option<(usize, String)>> {
    let Some(plan) = judge(program) else { return Ok(None) };
    let Some((first, others)) = contestants.split_first_mut() else { return Ok(None) };
    let expected = first.runner.run(program)?;
    for (index, other) in others.iter_mut().enumerate() {
        let found = other.runner.run(program)?;
        if let Some(what) = difference(program, &plan, &expected, &found) {
            return Ok(Some((index + 1, what)));
        }
    }
    Ok(None)
}
