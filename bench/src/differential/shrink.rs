//! Makes a program that fails smaller, for as long as it fails.

use corio::aio::op::Link;

use super::program::{Action, Program, Round, Step};

/// The smallest program that `fails` which is found by leaving things out of `program`.
pub fn shrink(program: Program, mut fails: impl FnMut(&Program) -> bool) -> Program {
    let mut smallest = program;
    loop {
        let smaller = smaller(&smallest).find(&mut fails);
        match smaller {
            Some(smaller) => smallest = smaller,
            None => return smallest,
        }
    }
}

/// Programs with a little less in them: the largest cuts first.
fn smaller(program: &Program) -> impl Iterator<Item = Program> {
    let rounds = (0..program.rounds.len())
        .map(|round| changed(program, |rounds| drop(rounds.remove(round))));
    let chains = program.rounds.iter().enumerate().flat_map(move |(round, it)| {
        (0..it.chains.len())
            .map(move |chain| changed(program, |rounds| drop(rounds[round].chains.remove(chain))))
    });
    let together = (0..program.rounds.len()).filter(|round| program.rounds[*round].is_split);
    let together = together.map(|round| changed(program, |rounds| rounds[round].is_split = false));
    let steps = program.steps().flat_map(move |(place, step)| {
        let step = *step;
        cuts(step).into_iter().map(move |cut| {
            changed(program, |rounds| cut(&mut rounds[place.round].chains, place.chain, place.step))
        })
    });
    let all = rounds.chain(chains).chain(steps).chain(together);
    all.filter(move |smaller| smaller != program)
}

fn changed(program: &Program, change: impl FnOnce(&mut Vec<Round>)) -> Program {
    let mut changed = program.clone();
    change(&mut changed.rounds);
    changed.rounds.retain_mut(|round| {
        round.chains.retain(|chain| !chain.is_empty());
        !round.chains.is_empty()
    });
    changed
}

type Chains = Vec<Vec<Step>>;
type Cut = Box<dyn Fn(&mut Chains, usize, usize)>;

/// What can be taken from a step: itself, its link, its cancel, its length.
fn cuts(step: Step) -> Vec<Cut> {
    let mut cuts: Vec<Cut> = vec![
        Box::new(|chains, chain, step| {
            let chain = &mut chains[chain];
            chain.remove(step);
            if let Some(last) = chain.last_mut() {
                last.link = Link::None;
            }
        }),
        Box::new(|chains, chain, step| {
            let rest = chains[chain].split_off(step + 1);
            chains[chain][step].link = Link::None;
            chains.insert(chain + 1, rest);
        }),
    ];
    if step.is_canceled {
        cuts.push(Box::new(|chains, chain, step| chains[chain][step].is_canceled = false));
    }
    if step.link == Link::Hard {
        cuts.push(Box::new(|chains, chain, step| {
            chains[chain][step].link = Link::Soft;
            if let Some(Step { action: Action::LinkTimeout { .. }, link, .. }) =
                chains[chain].get_mut(step + 1)
                && link.is_linked()
            {
                *link = Link::Soft;
            }
        }));
    }
    for len in [0, 1, step.action.len() / 2] {
        if len < step.action.len() {
            cuts.push(Box::new(move |chains, chain, step| {
                let action = &mut chains[chain][step].action;
                *action = action.with_len(len);
            }));
        }
    }
    cuts
}
