//! Runs the systems in turn, round by round, so that the machine's moods fall on all alike.

use crate::arguments::Options;
use crate::measure::Sample;
use std::io;

/// The backend of systems that do no IO in a workload.
pub const NO_BACKEND: &str = "-";

/// What the systems of a workload have to do.
#[derive(Debug)]
pub struct Setting<S> {
    /// Its name, as in the report.
    pub name: &'static str,
    /// How many share the work alike: connections, tasks.
    pub lanes: usize,
    /// Operations of one run, all lanes together, unless the command line says another number.
    pub operations: usize,
    /// What else sets it apart.
    pub shape: S,
}

/// One system in one setting: the same work, once a round.
#[derive(Debug)]
pub struct Series {
    /// The setting's name, as in the report.
    pub setting: &'static str,
    /// The system's name, as in the report.
    pub system: &'static str,
    /// What the system does its IO with.
    pub backend: String,
    /// Operations in each sample.
    pub operations: usize,
    /// One sample a round.
    pub samples: Vec<Sample>,
    /// Why there are none, if the system can't do it here and need not.
    pub failure: Option<io::Error>,
}

impl Series {
    /// One without samples.
    pub fn new(
        setting: &'static str,
        system: &'static str,
        backend: String,
        operations: usize,
    ) -> Series {
        Series { setting, system, backend, operations, samples: Vec::new(), failure: None }
    }
}

/// Runs corio and the chosen rivals through all settings and rounds.
///
/// `backend` names what a system does its IO with; `once` makes one run of a system, so many
/// operations in each lane.
pub fn race<S>(
    options: &Options,
    settings: &[Setting<S>],
    backend: impl Fn(&'static str) -> String,
    mut once: impl FnMut(&'static str, &Setting<S>, usize) -> io::Result<Sample>,
) -> io::Result<Vec<Series>> {
    let series = |setting: &Setting<S>, system| {
        let operations = options.round_trips.map_or(setting.operations, usize::from);
        // Rounded up to a whole number for each lane.
        let operations = operations.next_multiple_of(setting.lanes);
        Series::new(setting.name, system, backend(system), operations)
    };
    let systems = || std::iter::once("corio").chain(options.rivals.iter().copied());
    let heat = |setting| systems().map(|system| series(setting, system)).collect();
    let mut heats: Vec<Vec<Series>> = settings.iter().map(heat).collect();
    interleave(&mut heats, options, |series| {
        let setting = settings.iter().find(|setting| setting.name == series.setting);
        let setting = setting.expect("a series is made from a setting");
        once(series.system, setting, series.operations / setting.lanes)
    })?;
    Ok(heats.into_iter().flatten().collect())
}

/// Fills each of `heats` (a setting's systems each) with a sample for each round, taken by `once`.
///
/// A round visits every heat, and starts each with another system than the round before.
pub fn interleave(
    heats: &mut [Vec<Series>],
    options: &Options,
    mut once: impl FnMut(&Series) -> io::Result<Sample>,
) -> io::Result<()> {
    for round in 0..options.rounds.get() {
        for heat in &mut *heats {
            let systems = heat.len();
            for turn in 0..systems {
                let series = &mut heat[(round + turn) % systems];
                if series.failure.is_some() {
                    continue;
                }
                match once(series) {
                    Ok(sample) => series.samples.push(sample),
                    Err(error) if options.may_fail && series.system != "corio" => {
                        series.samples.clear();
                        series.failure = Some(error);
                    }
                    Err(error) => return Err(named(series, &error)),
                }
            }
        }
    }
    Ok(())
}

/// `error` with the setting and the system that it came from.
fn named(series: &Series, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}, {}: {error}", series.setting, series.system))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroUsize;

    fn series(system: &'static str) -> Series {
        Series::new("here", system, String::new(), 1)
    }

    fn options(rounds: usize, may_fail: bool) -> Options {
        let rounds = NonZeroUsize::new(rounds).expect("there are rounds");
        Options { rivals: Vec::new(), may_fail, rounds, round_trips: None, json: false }
    }

    #[test]
    fn each_round_starts_with_another_system() {
        let mut heats = [vec![series("a"), series("b"), series("c")]];
        let mut order = String::new();
        let once = |series: &Series| {
            order += series.system;
            Ok(Sample::default())
        };
        interleave(&mut heats, &options(3, false), once).expect("no run fails");
        assert_eq!(order, "abcbcacab");
        assert!(heats[0].iter().all(|series| series.samples.len() == 3));
    }

    #[test]
    fn a_failure_names_the_setting_and_the_system() {
        let mut heats = [vec![series("a")]];
        let error = interleave(&mut heats, &options(1, false), |_| Err(io::Error::other("no")));
        assert_eq!(error.map_err(|error| error.to_string()), Err("here, a: no".into()));
    }

    #[test]
    fn rivals_that_may_fail_leave_the_others_alone_and_corio_may_not() {
        let mut heats = [vec![series("a"), series("b")]];
        let once = |series: &Series| match series.system {
            "b" => Ok(Sample::default()),
            _ => Err(io::Error::other("no")),
        };
        interleave(&mut heats, &options(2, true), once).expect("b need not run");
        assert!(heats[0][0].samples.is_empty() && heats[0][0].failure.is_some());
        assert!(heats[0][1].samples.len() == 2 && heats[0][1].failure.is_none());
        assert!(interleave(&mut [vec![series("corio")]], &options(1, true), once).is_err());
    }
}
