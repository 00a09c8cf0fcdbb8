//! Random programs: proposals, of which those stay that the judge lets pass.

use std::net::Shutdown;

use corio::aio::op::Link;

use super::judge::{Plan, judge};
use super::program::{Action, How, LONG_MS, Object, Program, Round, SHORT_MS, Step};

/// A generator of numbers (`SplitMix64`): the same seed, the same numbers.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }
}

/// The program of a seed, and its plan.
pub fn generate(seed: u64) -> (Program, Plan) {
    let mut random = Random(seed);
    let mut program = Program::default();
    for _ in 0..1 + random.below(3) {
        let is_split = random.one_in(3);
        program.rounds.push(Round { is_split, ..Round::default() });
        for _ in 0..1 + random.below(4) {
            add_chain(&mut random, &mut program);
        }
        reorder(&mut random, &mut program);
    }
    program.rounds.retain(|round| !round.chains.is_empty());
    let plan = judge(&program).expect("each part of it was judged");
    (program, plan)
}

/// Applies a change to `program`, and takes it back if the judge does not let it pass.
fn change(program: &mut Program, change: impl FnOnce(&mut Vec<Vec<Step>>)) -> bool {
    let round = program.rounds.last_mut().expect("a round was begun");
    let before = round.chains.clone();
    change(&mut round.chains);
    let is_right = judge(program).is_some();
    if !is_right {
        program.rounds.last_mut().expect("a round was begun").chains = before;
    }
    is_right
}

fn add_chain(random: &mut Random, program: &mut Program) {
    if random.one_in(12) {
        let (waiting, closing) = wait_and_close(random);
        change(program, |chains| chains.extend([vec![waiting], vec![closing]]));
    } else {
        let head = (0..6).any(|_| {
            let unit = unit(random);
            change(program, |chains| chains.push(unit))
        });
        if !head {
            return;
        }
    }
    for _ in 0..random.below(6) {
        let link = random.one_of(&[Link::Soft, Link::Soft, Link::Hard]);
        for _ in 0..3 {
            let unit = unit(random);
            let is_right = change(program, |chains| {
                let Some(chain) = chains.last_mut() else { return };
                let last = chain.len() - 1;
                chain[last].link = link;
                if let Action::LinkTimeout { .. } = chain[last].action {
                    chain[last].link = chain[last - 1].link;
                }
                chain.extend(unit);
            });
            if is_right {
                break;
            }
        }
    }
}

/// Lets the chains of the round start in another order, if that comes to something else only where
/// a race says so.
fn reorder(random: &mut Random, program: &mut Program) {
    change(program, |chains| {
        for last in (1..chains.len()).rev() {
            chains.swap(last, random.below(last + 1));
        }
    });
}

/// An operation, with its time limit if it has one.
fn unit(random: &mut Random) -> Vec<Step> {
    let action = action(random);
    let step = Step { action, link: Link::None, is_canceled: false };
    match random.below(8) {
        0 => vec![Step { is_canceled: true, ..step }],
        1 => {
            let link = random.one_of(&[Link::Soft, Link::Hard]);
            let ms = random.one_of(&[SHORT_MS, LONG_MS]);
            let limit = Action::LinkTimeout { ms };
            vec![Step { link, ..step }, Step { action: limit, ..step }]
        }
        _ => vec![step],
    }
}

/// A wait for nothing on an object, and what closes that.
fn wait_and_close(random: &mut Random) -> (Step, Step) {
    let object = random.one_of(&[Object::A0, Object::B1, Object::PipeReader]);
    let len = random.below(9);
    let wait = match object {
        Object::PipeReader => Action::Read { from: object, len, at: None },
        _ if random.one_in(3) => Action::Poll { object, is_for_writing: false },
        _ => Action::Recv { from: object, len, how: random.one_of(&[How::Some, How::All]) },
    };
    let step = |action| Step { action, link: Link::None, is_canceled: false };
    (step(wait), step(Action::Close { object }))
}

const SOCKETS: [Object; 4] = [Object::A0, Object::A1, Object::B0, Object::B1];

fn len(random: &mut Random) -> usize {
    random.one_of(&[0, 1, 3, 5, 8, 8, 20, 100, 1000])
}

fn action(random: &mut Random) -> Action {
    let (len, socket) = (len(random), random.one_of(&SOCKETS));
    let object = random.one_of(&Object::ALL);
    match random.below(32) {
        0 => Action::Nop,
        1..=6 => Action::Send { to: socket, len },
        7..=11 => {
            let how = random.one_of(&[How::Some, How::Some, How::All, How::All, How::Peek]);
            Action::Recv { from: socket, len, how }
        }
        12..=14 => {
            let len = random.one_of(&[len, len, len, 4096, 70_000]);
            Action::Write { to: Object::PipeWriter, len, at: None }
        }
        15..=17 => {
            let len = random.one_of(&[len, len, len, 4096, 70_000]);
            Action::Read { from: Object::PipeReader, len, at: None }
        }
        18 => Action::Write { to: Object::File, len, at: offset(random) },
        19 => Action::Read { from: Object::File, len, at: offset(random) },
        20 => Action::Fsync { file: object },
        21 => Action::Poll { object, is_for_writing: random.one_in(2) },
        22 => {
            let how = random.one_of(&[Shutdown::Read, Shutdown::Write, Shutdown::Both]);
            Action::Shutdown { socket, how }
        }
        23 => Action::Close { object },
        24 | 25 => Action::Notify,
        26 | 27 => Action::Wait,
        28 => Action::Timeout { ms: random.one_of(&[0, 0, 1, LONG_MS]) },
        29 => Action::Write { to: random.one_of(&[Object::Null, Object::Full]), len: 5, at: None },
        30 => Action::Read { from: random.one_of(&[Object::Null, Object::Full]), len, at: None },
        _ => strange(random, object, len),
    }
}

fn offset(random: &mut Random) -> Option<u64> {
    random.one_of(&[None, Some(0), Some(3), Some(10), Some(16), Some(40)])
}

/// What some objects are not made for.
fn strange(random: &mut Random, object: Object, len: usize) -> Action {
    let object = if object == Object::Counter { Object::Null } else { object };
    match random.below(4) {
        0 => Action::Send { to: object, len },
        1 => Action::Recv { from: object, len, how: How::Some },
        2 => Action::Read { from: object, len, at: None },
        _ => Action::Write { to: object, len: len.max(1), at: None },
    }
}
