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

/// Fills each of `heats` (a setting's systems each) with `rounds` samples taken by `once`.
///
/// A round visits every heat, and starts each with another system than the round before.
pub fn interleave(
    heats: &mut [Vec<Series>],
    rounds: usize,
    mut once: impl FnMut(&Series) -> io::Result<Sample>,
) -> io::Result<()> {
    for round in 0..rounds {
        for heat in &mut *heats {
            for turn in 0..heat.len() {
                let at = (round + turn) % heat.len();
                let sample = once(&heat[at]).map_err(|error| named(&heat[at], &error))?;
                heat[at].samples.push(sample);
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

    fn series(system: &'static str) -> Series {
        let backend = String::new();
        Series { setting: "here", system, backend, operations: 1, samples: Vec::new() }
    }

    #[test]
    fn each_round_starts_with_another_system() {
        let mut heats = [vec![series("a"), series("b"), series("c")]];
        let mut order = String::new();
        let once = |series: &Series| {
            order += series.system;
            Ok(Sample::default())
        };
        interleave(&mut heats, 3, once).expect("no run fails");
        assert_eq!(order, "abcbcacab");
        assert!(heats[0].iter().all(|series| series.samples.len() == 3));
    }

    #[test]
    fn a_failure_names_the_setting_and_the_system() {
        let mut heats = [vec![series("a")]];
        let error = interleave(&mut heats, 1, |_| Err(io::Error::other("no")));
        assert_eq!(error.map_err(|error| error.to_string()), Err("here, a: no".into()));
    }
}
