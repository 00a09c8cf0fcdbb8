//! Random chains against a model of twenty lines.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use super::State;
use super::tests::{CANCELED, FAILED, FAILS, LIMIT, Manner, QUICK, SLOW, Scene};
use crate::error::Cause;
use crate::key::Key;
use crate::op::Link::{self, Hard, None as End, Soft};

/// A generator of numbers (`SplitMix64`): the same seed, the same numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

/// How an operation of a random chain ends, if it starts; the last two only if they are helped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Quick,
    Fails,
    Slow,
    FailsSlowly,
    Expires,
    IsCanceled,
}

/// An operation, whether a limit follows, and how both are linked.
#[derive(Clone, Copy, Debug)]
struct Step {
    fate: Fate,
    is_limited: bool,
    link: Link,
}

fn random_chain(random: &mut Random) -> Vec<Step> {
    use Fate::{Expires, Fails, FailsSlowly, IsCanceled, Quick, Slow};
    const FATES: [Fate; 8] = [Quick, Quick, Fails, Slow, Slow, FailsSlowly, Expires, IsCanceled];
    let length = 1 + random.below(8);
    let step = |index| {
        let fate = FATES[random.below(FATES.len())];
        let link = [Soft, Hard][random.below(2)];
        let is_limited = fate == Expires || random.below(3) == 0;
        Step { fate, is_limited, link: if index + 1 == length { End } else { link } }
    };
    (0..length).map(step).collect()
}

/// The model: what each operation of a chain yields, and each limit.
fn expected(steps: &[Step]) -> Vec<Result<u32, Cause>> {
    let (mut is_broken, mut results) = (false, Vec::new());
    for step in steps {
        let result = match step.fate {
            _ if is_broken => CANCELED,
            Fate::Quick | Fate::Slow => Ok(0),
            Fate::Fails | Fate::FailsSlowly => FAILED,
            Fate::Expires | Fate::IsCanceled => CANCELED,
        };
        results.push(result);
        if step.is_limited {
            let is_up = !is_broken && step.fate == Fate::Expires;
            results.push(if is_up { Err(Cause::Expired) } else { Ok(0) });
        }
        // A limit is linked softly to what it limits.
        is_broken = match step.link {
            Hard if !step.is_limited => is_broken,
            _ => is_broken || result.is_err(),
        };
    }
    results
}

impl Scene {
    /// Starts a chain; yields its keys, and notes how they end.
    fn start_steps(&mut self, steps: &[Step], fates: &mut Vec<(Key, Fate)>) -> Vec<Key> {
        let mut keys = Vec::new();
        for step in steps {
            let op = match step.fate {
                Fate::Quick => QUICK,
                Fate::Fails => FAILS,
                _ => SLOW,
            };
            let key = self.start(op, if step.is_limited { Soft } else { step.link });
            keys.push(key);
            fates.push((key, step.fate));
            if step.is_limited {
                keys.push(self.start(LIMIT, step.link));
            }
        }
        keys
    }

    /// Helps one operation on, or a limit of one.
    fn help(&mut self, fates: &[(Key, Fate)], random: &mut Random) {
        let manners = [Manner::AtOnce, Manner::Later, Manner::TooLate];
        self.hands.manner = manners[random.below(2)];
        self.hands.manner_of_timers = manners[random.below(3)];
        let (target, fate) = fates[random.below(fates.len())];
        let runs = |key| self.hands.running.iter().any(|(running, _)| *running == key);
        let linked = self.links.find(target).copied();
        match fate {
            Fate::IsCanceled if random.below(2) == 0 => self.cancel(target),
            Fate::Slow if runs(target) => self.report(target, Ok(0)),
            Fate::FailsSlowly if runs(target) => self.report(target, FAILED),
            Fate::Expires if runs(target) => {
                self.report(linked.expect("it has a limit").after, Ok(0));
            }
            _ => match random.below(3) {
                0 => self.start_delayed(),
                1 => self.settle(),
                _ => self.end_a_limit(),
            },
        }
    }

    /// Reports a limit that could not be stopped when what it limits was done.
    fn end_a_limit(&mut self) {
        let links = &self.links;
        let is_ending = |key| links.find(key).is_some_and(|op| op.state == State::Ending);
        if let Some((key, _)) = self.hands.running.iter().find(|(key, _)| is_ending(*key)) {
            self.report(*key, Ok(0));
        }
    }
}

#[test]
fn random_chains_have_the_results_of_the_model() {
    let seed = std::env::var("CORIO_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| RandomState::new().hash_one(0));
    let mut random = Random(seed);
    for round in 0..200 {
        let mut scene = Scene::new();
        scene.links.eager = random.below(40) as u32;
        let chains: Vec<_> = (0..1 + random.below(6)).map(|_| random_chain(&mut random)).collect();
        let hint = format!("CORIO_SEED={seed}, round {round}: {chains:?}");
        let (mut fates, mut wanted) = (Vec::new(), Vec::new());
        for steps in &chains {
            let keys = scene.start_steps(steps, &mut fates);
            wanted.extend(keys.into_iter().zip(expected(steps)));
            scene.help(&fates, &mut random);
        }
        let mut turns = 0;
        while scene.answered.len() < wanted.len() {
            scene.help(&fates, &mut random);
            turns += 1;
            assert!(turns < 100_000, "it hangs: {hint}");
        }
        let mut answers = scene.answers();
        answers.sort_by_key(|(key, _)| key.to_bits());
        assert_eq!(answers, wanted, "{hint}");
    }
}
