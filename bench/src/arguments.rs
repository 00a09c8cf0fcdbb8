//! The command line: which workload, and how much of it.

use crate::Workload;
#[cfg(target_os = "linux")]
use crate::differential::Settings;
use std::fmt::Write as _;
use std::num::NonZeroUsize;

/// How a workload is to be run.
#[derive(Debug, PartialEq)]
pub struct Options {
    /// The systems to run beside corio, each one that the workload knows.
    pub rivals: Vec<&'static str>,
    /// Whether a rival may fail, because none was asked for by its name.
    pub may_fail: bool,
    /// How often each system runs in each setting.
    pub rounds: NonZeroUsize,
    /// Operations of one run, whatever they are, instead of the setting's own number.
    pub round_trips: Option<NonZeroUsize>,
    /// One JSON object a line instead of a table.
    pub json: bool,
}

/// What the command line asks for.
pub enum Request<'w> {
    /// Run this workload.
    Run(&'w Workload, Options),
    /// Compare what programs come to on each backend.
    #[cfg(target_os = "linux")]
    Compare(Settings),
    /// Say what can be asked for.
    Help,
}

/// Reads the command line (without the program's name); an error is a sentence for the user.
pub fn parse(
    workloads: &[Workload],
    mut arguments: impl Iterator<Item = String>,
) -> Result<Request<'_>, String> {
    let name = arguments.next().ok_or("which workload?")?;
    if name == "--help" || name == "-h" {
        return Ok(Request::Help);
    }
    #[cfg(target_os = "linux")]
    if name == "differential" {
        return Settings::parse(arguments).map(Request::Compare);
    }
    let workload = workloads
        .iter()
        .find(|workload| workload.name == name)
        .ok_or_else(|| format!("unknown workload `{name}`"))?;
    let mut options = Options {
        rivals: Vec::new(),
        may_fail: false,
        rounds: NonZeroUsize::new(9).expect("nine is not zero"),
        round_trips: None,
        json: false,
    };
    while let Some(flag) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("`{flag}` needs a value"));
        match flag.as_str() {
            "--rivals" => {
                let list = value()?;
                options.may_fail = list == "all";
                options.rivals = if options.may_fail {
                    workload.rivals.to_vec()
                } else {
                    rivals(workload, &list)?
                };
            }
            "--rounds" => options.rounds = number(&flag, &value()?)?,
            "--round-trips" => options.round_trips = Some(number(&flag, &value()?)?),
            "--json" => options.json = true,
            "--help" | "-h" => return Ok(Request::Help),
            _ => return Err(format!("unknown flag `{flag}`")),
        }
    }
    Ok(Request::Run(workload, options))
}

/// What can be asked for.
pub fn usage(workloads: &[Workload]) -> String {
    let mut text = String::from(
        "usage: corio-bench <workload> [--rivals a,b|all] [--rounds 9] [--round-trips N] [--json]\n\n\
         corio always runs. Of all rivals, those that can't run here are left out.\n\
         --round-trips says how many operations a run has, whatever they are.\n\n\
         workloads:\n",
    );
    for Workload { name, about, rivals, .. } in workloads {
        writeln!(text, "  {name}  {about}").expect("a String takes every write");
        if !rivals.is_empty() {
            writeln!(text, "    rivals: {}", rivals.join(", ")).expect("as above");
        }
    }
    text.push_str(
        "\nor, on Linux: corio-bench differential [--programs 1000] [--seed N]\n\n\
         Random programs on each backend; fails if two of them disagree.\n",
    );
    text
}

/// The rivals in `list`, each known to `workload` and named once.
fn rivals(workload: &Workload, list: &str) -> Result<Vec<&'static str>, String> {
    let mut chosen = Vec::new();
    for name in list.split(',') {
        let Some(rival) = workload.rivals.iter().find(|rival| **rival == name) else {
            let known = workload.rivals.join(", ");
            let known = if known.is_empty() { "none" } else { &known };
            return Err(format!("unknown rival `{name}`; {} knows {known}", workload.name));
        };
        if chosen.contains(rival) {
            return Err(format!("rival `{name}` is named twice"));
        }
        chosen.push(*rival);
    }
    Ok(chosen)
}

/// The number above zero that `flag` was given.
fn number(flag: &str, value: &str) -> Result<NonZeroUsize, String> {
    value.parse().map_err(|_| format!("`{flag}` needs a whole number above zero, not `{value}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WORKLOADS;

    fn mistake(line: &str) -> Option<String> {
        parse(WORKLOADS, line.split_whitespace().map(String::from)).err()
    }

    #[test]
    fn what_is_unknown_is_named_in_the_error() {
        assert_eq!(mistake("pong"), Some("unknown workload `pong`".into()));
        assert_eq!(mistake("ping_pong --jsn"), Some("unknown flag `--jsn`".into()));
        let rival = mistake("ping_pong --rivals raw-uring,toki").expect("toki is no rival");
        assert!(rival.starts_with("unknown rival `toki`"), "{rival}");
        let rival = mistake("idle --rivals tokio");
        assert_eq!(rival, Some("unknown rival `tokio`; idle knows none".into()));
        assert_eq!(mistake("ping_pong --rounds"), Some("`--rounds` needs a value".into()));
        assert!(mistake("ping_pong --rounds 0").is_some());
    }

    #[test]
    fn all_rivals_are_those_that_the_workload_knows_and_may_fail() {
        let request = parse(WORKLOADS, ["spawns", "--rivals", "all"].map(String::from).into_iter());
        let Ok(Request::Run(workload, options)) = request else { panic!("the line is right") };
        assert_eq!(options.rivals, workload.rivals);
        assert!(options.may_fail);
    }

    #[test]
    fn a_full_line_is_understood() {
        let line = "ping_pong --rivals raw-uring,tokio --rounds 3 --round-trips 100 --json";
        let request = parse(WORKLOADS, line.split_whitespace().map(String::from));
        let Ok(Request::Run(workload, options)) = request else { panic!("{line} is right") };
        assert_eq!(workload.name, "ping_pong");
        let expected = Options {
            rivals: vec!["raw-uring", "tokio"],
            may_fail: false,
            rounds: NonZeroUsize::new(3).expect("not zero"),
            round_trips: NonZeroUsize::new(100),
            json: true,
        };
        assert_eq!(options, expected);
    }
}
