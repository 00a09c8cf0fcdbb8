//! Which programs have one outcome, up to the listed races: a program is played in a simulated
//! system, one operation at a time, while the rules look on.

use std::net::Shutdown;

use corio::aio::op::{self, Events, Link, Value};
use corio::aio::scripted::{Handle, World};
use corio::aio::{Cause, Error};

use super::outcome::{EARLY_CANCEL, LATE_CANCEL, Race};
use super::program::{
    Action, CHANNELS, How, LONG_MS, Object, PIPE, Program, Round, SHORT_MS, Step,
};
use super::scene::{self, Scene};

/// What is left open of the outcome of a program.
#[derive(Debug, Default)]
pub struct Plan {
    /// The race that each step is in, in the order of [`Program::steps`].
    pub races: Vec<Option<&'static Race>>,
    /// The channels of which a race says how much is left.
    pub is_racy: [bool; CHANNELS],
}

/// The plan of `program`; `None` if its outcome depends on more than the listed races.
pub fn judge(program: &Program) -> Option<Plan> {
    let world = World::new();
    let (scene, _file) = scene::simulated(&world);
    let mut plan = Plan::default();
    for round in &program.rounds {
        let mut judge = Judge::new(&world, &scene, round, &mut plan)?;
        judge.play()?;
        judge.look_back()?;
        let races = judge.races;
        plan.races.extend(races.into_iter().flatten());
    }
    Some(plan)
}

/// What two chains of a round may not do both on one channel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Taking,
    Giving,
}

const ROLES: [Role; 2] = [Role::Taking, Role::Giving];

type Claim = (usize, Role);

/// How far a chain has come.
#[derive(Clone, Default)]
struct Progress {
    next: usize,
    is_broken: bool,
    /// The bytes that the next step has received already, waiting for all.
    moved: usize,
}

/// The play of one round.
struct Judge<'a> {
    world: &'a World,
    scene: &'a Scene<Handle>,
    round: &'a Round,
    plan: &'a mut Plan,
    races: Vec<Vec<Option<&'static Race>>>,
    progress: Vec<Progress>,
    /// The chain that has a role on a channel.
    holders: [[Option<usize>; 2]; CHANNELS],
    /// How many writes a channel saw in the round, and whether it was empty before.
    writes: [usize; CHANNELS],
    was_empty: [bool; CHANNELS],
    /// Whether a read took what was there, how little that was.
    is_read_in_parts: [bool; CHANNELS],
    is_closed: [bool; CHANNELS],
    /// What nobody else may do, because somebody waits for it in vain.
    vain: Vec<(usize, Claim)>,
}

impl<'a> Judge<'a> {
    fn new(
        world: &'a World,
        scene: &'a Scene<Handle>,
        round: &'a Round,
        plan: &'a mut Plan,
    ) -> Option<Judge<'a>> {
        if !round.chains.iter().all(|chain| is_well_formed(chain)) || !closes_alone(round) {
            return None;
        }
        let mut was_empty = [false; CHANNELS];
        for object in Object::ALL {
            let readable = op::poll(&scene.handles[object as usize], Events::READABLE);
            if let (Some(from), _) = object.channels() {
                was_empty[from] = world.at_once(readable).is_none();
            }
        }
        Some(Judge {
            world,
            scene,
            round,
            plan,
            races: round.chains.iter().map(|chain| vec![None; chain.len()]).collect(),
            progress: vec![Progress::default(); round.chains.len()],
            holders: [[None; 2]; CHANNELS],
            writes: [0; CHANNELS],
            was_empty,
            is_read_in_parts: [false; CHANNELS],
            is_closed: [false; CHANNELS],
            vain: Vec::new(),
        })
    }

    /// Plays the chains, one after another, until each has come to its end.
    fn play(&mut self) -> Option<()> {
        loop {
            let mut has_moved = true;
            while std::mem::take(&mut has_moved) {
                for chain in 0..self.round.chains.len() {
                    while self.step(chain)? {
                        has_moved = true;
                    }
                }
            }
            let is_over =
                |chain: &usize| self.progress[*chain].next == self.round.chains[*chain].len();
            let stuck: Vec<usize> =
                (0..self.round.chains.len()).filter(|chain| !is_over(chain)).collect();
            if stuck.is_empty() {
                return Some(());
            }
            for chain in stuck {
                self.end_stuck(chain)?;
            }
        }
    }

    /// Plays the next step of a chain; whether there was one that did not have to wait.
    fn step(&mut self, chain: usize) -> Option<bool> {
        let round = self.round;
        let Progress { next, is_broken, .. } = self.progress[chain];
        let steps = &round.chains[chain];
        let Some(step) = steps.get(next) else { return Some(false) };
        let limit = steps.get(next + 1).map(|step| step.action);
        if is_broken {
            self.races[chain][next] = step.is_canceled.then_some(&EARLY_CANCEL);
            self.progress[chain].next += 1;
            return Some(true);
        }
        self.claim(chain, step)?;
        let Some(result) = self.attempt(chain, step.action, step.is_canceled) else {
            return Some(false);
        };
        if limit == Some(Action::LinkTimeout { ms: SHORT_MS }) {
            return None;
        }
        if is_odd(step, next, &result) {
            return None;
        }
        self.note(chain, step, &result)?;
        self.go_on(chain, result);
        Some(true)
    }

    /// Takes the roles that a step needs.
    fn claim(&mut self, chain: usize, step: &Step) -> Option<()> {
        let is_close = matches!(step.action, Action::Close { .. });
        let object = step.action.object();
        if object.is_some_and(|object| !self.scene.handles[object as usize].is_open()) {
            return Some(());
        }
        let before = self.holders;
        for (channel, role) in claims(step.action) {
            if self.is_closed[channel] || self.plan.is_racy[channel] {
                return None;
            }
            let waits_at_head = |other: usize| {
                let Progress { next, is_broken, .. } = self.progress[other];
                let head = self.round.chains[other][0];
                let is_same = head.action.object() == object;
                !is_broken && next == 0 && is_close && is_same && other < chain
            };
            let holder = before[channel][role as usize];
            if let Some(other) = holder.filter(|other| *other != chain) {
                let giver = before[channel][1 - role as usize];
                if !waits_at_head(other) || giver.is_some_and(|giver| giver != other) {
                    return None;
                }
            }
            self.holders[channel][role as usize] = Some(chain);
        }
        Some(())
    }

    /// What a step comes to, unless it has to wait.
    fn attempt(
        &mut self,
        chain: usize,
        action: Action,
        is_canceled: bool,
    ) -> Option<Result<usize, Cause>> {
        let mut bytes = vec![0; action.len() - self.progress[chain].moved];
        match action {
            Action::Notify => bytes[..8].copy_from_slice(&1u64.to_ne_bytes()),
            Action::Timeout { ms } if is_canceled || ms == LONG_MS => {
                return (ms < LONG_MS).then_some(Ok(0));
            }
            Action::Timeout { .. } => return Some(Ok(0)),
            Action::Recv { how: How::All, len, .. } => loop {
                let moved = &mut self.progress[chain].moved;
                let result = self.world.at_once(self.scene.op(action, &mut bytes))?;
                match result.map(count) {
                    Ok(0) => return Some(Ok(*moved)),
                    Ok(count) => *moved += count,
                    Err(_) if *moved > 0 => return Some(Ok(*moved)),
                    Err(error) => return Some(Err(error.cause())),
                }
                if *moved == len {
                    return Some(Ok(len));
                }
                bytes.truncate(len - *moved);
            },
            _ => {}
        }
        let result = self.world.at_once(self.scene.op(action, &mut bytes))?;
        Some(result.map(count).map_err(|error: Error| error.cause()))
    }

    /// Notes what the rules ask about a step that was played.
    fn note(&mut self, chain: usize, step: &Step, result: &Result<usize, Cause>) -> Option<()> {
        let round = self.round;
        let Progress { next, .. } = self.progress[chain];
        if step.is_canceled {
            let is_last = next + 1 == round.chains[chain].len();
            let takes = matches!(
                step.action,
                Action::Recv { how: How::Some, .. }
                    | Action::Read { from: Object::PipeReader, .. }
                    | Action::Wait
                    | Action::Timeout { .. }
            );
            if !is_last || !takes {
                return None;
            }
            self.races[chain][next] = Some(&LATE_CANCEL);
            if let Some((Some(from), _)) = step.action.object().map(Object::channels) {
                self.plan.is_racy[from] = true;
            }
        }
        let (Some(object), Ok(_)) = (step.action.object(), result) else { return Some(()) };
        match (step.action, object.channels()) {
            (Action::Send { len, .. } | Action::Write { len, .. }, (_, Some(to))) if len > 0 => {
                self.writes[to] += 1;
            }
            (Action::Recv { how: How::All, .. }, _) => {}
            (Action::Recv { .. } | Action::Read { .. }, (Some(from), _)) => {
                self.is_read_in_parts[from] = true;
            }
            (Action::Close { .. }, (from, to)) => {
                from.into_iter().chain(to).for_each(|channel| self.is_closed[channel] = true);
                self.end_by_close(chain, object)?;
            }
            _ => {}
        }
        Some(())
    }

    /// Ends the heads of earlier chains that wait on what was closed.
    fn end_by_close(&mut self, closer: usize, object: Object) -> Option<()> {
        let short = Action::LinkTimeout { ms: SHORT_MS };
        for chain in 0..closer {
            let head = self.round.chains[chain][0];
            let limit = self.round.chains[chain].get(1).map(|step| step.action);
            let Progress { next, is_broken, moved } = self.progress[chain];
            if next == 0 && !is_broken && head.action.object() == Some(object) {
                if head.is_canceled || limit == Some(short) {
                    return None;
                }
                self.go_on(chain, stopped(moved));
            }
        }
        Some(())
    }

    /// Ends the step that a chain waits in for nothing, by the cancel or the limit that it has.
    fn end_stuck(&mut self, chain: usize) -> Option<()> {
        let round = self.round;
        let Progress { next, moved, .. } = self.progress[chain];
        let step = &round.chains[chain][next];
        let limit = round.chains[chain].get(next + 1).map(|step| step.action);
        let is_limited = limit == Some(Action::LinkTimeout { ms: SHORT_MS });
        if is_limited == step.is_canceled {
            return None;
        }
        if step.is_canceled && next > 0 {
            self.races[chain][next] = Some(&EARLY_CANCEL);
        }
        for (channel, role) in claims(step.action) {
            let other = ROLES[1 - role as usize];
            self.vain.push((chain, (channel, other)));
        }
        self.go_on(chain, stopped(moved));
        Some(())
    }

    /// Moves a chain on, beyond a step with this result and its time limit.
    fn go_on(&mut self, chain: usize, result: Result<usize, Cause>) {
        let steps = &self.round.chains[chain];
        let progress = &mut self.progress[chain];
        let step = &steps[progress.next];
        let is_failure = result.map_or(true, |count| step.action.is_short(count));
        progress.is_broken = is_failure && step.link == Link::Soft;
        progress.moved = 0;
        progress.next += 1;
        let next = steps.get(progress.next).map(|step| step.action);
        if matches!(next, Some(Action::LinkTimeout { .. })) {
            progress.next += 1;
        }
    }

    /// Whether nobody disturbed those who waited in vain, and nobody saw how far another had come.
    fn look_back(&self) -> Option<()> {
        for (chain, (channel, role)) in &self.vain {
            if self.holders[*channel][*role as usize].is_some_and(|holder| holder != *chain) {
                return None;
            }
        }
        for channel in 0..CHANNELS {
            let [taker, giver] = self.holders[channel];
            let is_shared = taker.is_some() && giver.is_some() && taker != giver;
            let is_whole = self.writes[channel] <= 1 && self.was_empty[channel];
            if is_shared && self.is_read_in_parts[channel] && !is_whole {
                return None;
            }
        }
        Some(())
    }
}

/// Whether Linux itself gives it more than one meaning, `place` being its place in its chain.
fn is_odd(step: &Step, place: usize, result: &Result<usize, Cause>) -> bool {
    match step.action {
        // Behind an operation that a worker of io_uring's did, the same worker waits until all is
        // written.
        Action::Write { to: Object::PipeWriter, len, .. } if place > 0 => {
            result.is_ok_and(|count| count < len)
        }
        // io_uring does not take it for a failure of its chain.
        Action::Fsync { .. } => result.is_err() && step.link == Link::Soft,
        // io_uring finds nothing to do, write(2) that there is no room.
        Action::Write { to: Object::Full, len: 0, .. } => true,
        _ => false,
    }
}

/// What an operation that was stopped says.
fn stopped(moved: usize) -> Result<usize, Cause> {
    if moved > 0 { Ok(moved) } else { Err(Cause::Canceled) }
}

fn count(value: Value) -> usize {
    match value {
        Value::Count(count) => count,
        _ => 0,
    }
}

/// The roles that an action needs.
fn claims(action: Action) -> Vec<Claim> {
    let Some(object) = action.object() else { return Vec::new() };
    let (from, to) = object.channels();
    let takes = from.map(|channel| (channel, Role::Taking));
    let gives = to.map(|channel| (channel, Role::Giving));
    match action {
        Action::Write { to: Object::PipeWriter, len, .. } if len > 4096 => {
            ROLES.map(|role| (PIPE, role)).into()
        }
        Action::Notify => gives.into_iter().collect(),
        Action::Wait => takes.into_iter().collect(),
        Action::Shutdown { how: Shutdown::Write, .. } => gives.into_iter().collect(),
        Action::Send { .. } | Action::Write { .. } if object != Object::File => {
            gives.into_iter().collect()
        }
        Action::Recv { .. } | Action::Read { .. } if object != Object::File => {
            takes.into_iter().collect()
        }
        _ => {
            let channels = from.into_iter().chain(to.filter(|_| from != to));
            channels.flat_map(|channel| ROLES.map(|role| (channel, role))).collect()
        }
    }
}

/// Whether a chain is linked to its end, and each time limit has an operation that it limits, with
/// whose link the chain goes on.
fn is_well_formed(chain: &[Step]) -> bool {
    let is_limit = |step: &Step| matches!(step.action, Action::LinkTimeout { .. });
    let Some(last) = chain.last() else { return false };
    let is_linked = chain[..chain.len() - 1].iter().all(|step| step.link != Link::None);
    let are_limits_right = chain.windows(2).all(|pair| {
        let [limited, limit] = pair else { unreachable!("windows of two") };
        let has_same_link = limit.link == Link::None || limit.link == limited.link;
        !is_limit(limit) || !is_limit(limited) && has_same_link && !limit.is_canceled
    });
    is_linked && last.link == Link::None && !is_limit(&chain[0]) && are_limits_right
}

/// Whether what a chain closes can be, and is used by no other one but the head of one before it.
fn closes_alone(round: &Round) -> bool {
    let uses =
        |object, chain: &[Step]| chain.iter().any(|step| step.action.object() == Some(object));
    round.chains.iter().enumerate().all(|(closer, chain)| {
        let closed = chain.iter().filter_map(|step| match step.action {
            Action::Close { object } => Some(object),
            _ => None,
        });
        closed.into_iter().all(|object| {
            let is_waited_for = object.channels() != (None, None);
            // The descriptor of a real event source is its own.
            if object == Object::Counter {
                return false;
            }
            let others = round.chains.iter().enumerate().filter(|(other, _)| *other != closer);
            others.into_iter().all(|(other, chain)| {
                !uses(object, &chain[usize::from(is_waited_for && other < closer)..])
            })
        })
    })
}
