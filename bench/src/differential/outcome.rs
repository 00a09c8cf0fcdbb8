//! What a program came to, and where two such may differ.

use std::fmt;

use corio::aio::Cause;

use super::judge::Plan;
use super::program::{Action, Object, Place, Program};
use super::scene::Rest;

/// What a program came to on one backend.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Outcome {
    /// Of each step, in the order of [`Program::steps`].
    pub steps: Vec<Seen>,
    /// What is left in each channel.
    pub rest: Vec<Rest>,
    /// What did not end by itself in good time.
    pub hung: Vec<Action>,
}

/// What was seen of a step.
#[derive(Clone, PartialEq, Debug)]
pub struct Seen {
    pub result: Result<usize, Cause>,
    /// Its whole buffer, if bytes move into it.
    pub bytes: Vec<u8>,
    /// What its first cancel answered.
    pub cancel: Option<Result<(), Cause>>,
    /// Whether it was reported after the one before it in its chain.
    pub is_in_order: bool,
}

/// Something that a program leaves to chance.
pub struct Race {
    /// What chance decides.
    pub what: &'static str,
    /// Whether two sights of a step may differ as these do.
    pub allows: fn(&Seen, &Seen) -> bool,
}

/// A cancel that may come too late.
pub static LATE_CANCEL: Race = Race {
    what: "what is canceled while it completes by itself is canceled, or its cancel finds nothing",
    allows: |one, other| {
        let was_canceled = |seen: &Seen| seen.result == Err(Cause::Canceled);
        was_canceled(one) || was_canceled(other) || one.result == other.result
    },
};

/// A cancel that may come too early.
pub static EARLY_CANCEL: Race = Race {
    what: "the first cancel of what has to wait for its turn may find nothing",
    allows: |one, other| {
        Seen { cancel: None, ..one.clone() } == Seen { cancel: None, ..other.clone() }
    },
};

/// All that programs leave to chance. In which order operations that are not linked are reported
/// is not looked at.
pub static RACES: [&Race; 2] = [&LATE_CANCEL, &EARLY_CANCEL];

impl fmt::Debug for Race {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

/// The first difference between two outcomes that no race allows, in words.
pub fn difference(
    program: &Program,
    plan: &Plan,
    one: &Outcome,
    other: &Outcome,
) -> Option<String> {
    if !one.hung.is_empty() || !other.hung.is_empty() {
        return Some(format!("these did not end:\n  {:?}\n  {:?}", one.hung, other.hung));
    }
    let pairs = one.steps.iter().zip(&other.steps);
    for (((place, step), race), (a, b)) in program.steps().zip(&plan.races).zip(pairs) {
        if a != b && !race.is_some_and(|race| (race.allows)(a, b)) {
            let Place { round, chain, step: index } = place;
            return Some(format!(
                "round {round}, chain {chain}, step {index} ({:?}):\n  {a:?}\n  {b:?}",
                step.action
            ));
        }
    }
    for channel in 0..one.rest.len() {
        let [a, b] = [one, other].map(|outcome| passed(program, plan, outcome, channel));
        if a != b {
            return Some(format!("left in channel {channel}:\n  {a:?}\n  {b:?}"));
        }
    }
    None
}

/// What is left in a channel, after what a racing operation took out of it.
fn passed(program: &Program, plan: &Plan, outcome: &Outcome, channel: usize) -> Rest {
    let mut bytes = Vec::new();
    for (((_, step), race), seen) in program.steps().zip(&plan.races).zip(&outcome.steps) {
        let from = step.action.object().map(Object::channels).and_then(|(from, _)| from);
        if let (Some(race), Ok(count)) = (race, seen.result)
            && std::ptr::eq(*race, &LATE_CANCEL)
            && from == Some(channel)
        {
            bytes.extend(seen.bytes.iter().take(count));
        }
    }
    let (rest, end) = &outcome.rest[channel];
    bytes.extend(rest);
    (bytes, *end)
}
