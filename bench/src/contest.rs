//! Runs the systems in turn, round by round, so that the machine's moods fall on all alike.

use crate::measure::Sample;
use std::io;

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
}

/// What a system says that cannot run here; the contest goes on without it.
pub fn unsupported(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, why)
}

/// Fills each of `heats` (a setting's systems each) with `rounds` samples taken by `once`.
///
/// A round visits every heat, and starts each with another system than the round before. A system
/// that answers [`io::ErrorKind::Unsupported`] is named on stderr and leaves its heat.
pub fn interleave(
    heats: &mut [Vec<Series>],
    rounds: usize,
    mut once: impl FnMut(&Series) -> io::Result<Sample>,
) -> io::Result<()> {
    for round in 0..rounds {
        for heat in &mut *heats {
            let first = round % heat.len().max(1);
            let mut left = Vec::new();
            for turn in 0..heat.len() {
                let at = (first + turn) % heat.len();
                match once(&heat[at]) {
                    Ok(sample) => heat[at].samples.push(sample),
                    Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                        let Series { setting, system, backend, .. } = &heat[at];
                        eprintln!("{setting}: {system} ({backend}) is left out: {error}");
                        left.push(*system);
                    }
                    Err(error) => return Err(named(&heat[at], &error)),
                }
            }
            heat.retain(|series| !left.contains(&series.system));
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

    fn series(system: &'static str) -> Series {
        let backend = String::new();
        Series { setting: "here", system, backend, operations: 1, samples: Vec::new() }
    }

    #[test]
    fn each_round_starts_with_another_system_and_goes_on_without_the_unsupported() {
        let mut heats = [vec![series("a"), series("b"), series("c")]];
        let mut order = String::new();
        let once = |series: &Series| {
            order += series.system;
            match series.system {
                "b" => Err(unsupported("not here")),
                _ => Ok(Sample::default()),
            }
        };
        interleave(&mut heats, 3, once).expect("a missing system is no failure");
        assert_eq!(order, "abccaac");
        assert!(heats[0].iter().all(|series| series.samples.len() == 3));
    }
}
