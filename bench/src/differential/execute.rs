//! Runs a program on a ring, whatever its backend and its objects.

use std::time::Duration;

use corio::aio::op::{self, Any, Timeout, Value};
use corio::aio::{Closing, Dynamic, Error, Id, IntoClosable, IntoDescriptor, Mode, Options, Queue};
use corio::aio::{Ticket, scripted};

use super::outcome::{Outcome, Seen};
use super::program::{Action, Program, Round, Step};
use super::scene::{self, Real, Scene};

/// A round that takes twice as long hangs: one alarm may have been set before it.
const ALARM: Duration = Duration::from_secs(5);

/// How often a round that hangs is canceled before that is given up.
const MOST_ALARMS: u32 = 3;

/// The time between two attempts to cancel.
const MOMENT: Duration = Duration::from_millis(1);

/// How many operations a round may have in flight, its cancels included.
const CAPACITY: usize = 256;

/// A backend, with what it runs programs on.
pub struct Runner {
    queue: Dynamic,
    /// Goes off in the middle of a round, and then sets that one's own alarm.
    alarm: Option<Ticket<Timeout>>,
    objects: Objects,
}

/// Where the objects of programs come from.
pub enum Objects {
    Real(Real),
    Simulated(scripted::World),
}

impl Runner {
    /// A ring with these options.
    ///
    /// # Errors
    ///
    /// Those of [`Dynamic::with_options`].
    pub fn new(options: Options, objects: Objects) -> Result<Runner, Error> {
        let queue = Dynamic::with_options(CAPACITY, options)?;
        Ok(Runner { queue, alarm: None, objects })
    }

    /// What `program` comes to, on fresh objects.
    pub fn run(&mut self, program: &Program) -> std::io::Result<Outcome> {
        if self.alarm.is_none() {
            self.alarm = Some(self.queue.queue(op::timeout(ALARM))?);
        }
        let (queue, alarm) = (&mut self.queue, &mut self.alarm);
        match &mut self.objects {
            Objects::Real(real) => {
                let scene: Scene<Closing> = real.scene()?;
                let mut outcome = run_rounds(queue, alarm, program, &scene)?;
                outcome.rest = real.rest(scene)?;
                Ok(outcome)
            }
            Objects::Simulated(world) => {
                let (scene, file) = scene::simulated(world);
                let mut outcome = run_rounds(queue, alarm, program, &scene)?;
                outcome.rest = scene::simulated_rest(world, scene, &file);
                Ok(outcome)
            }
        }
    }
}

fn run_rounds<H>(
    queue: &mut Dynamic,
    alarm: &mut Option<Ticket<Timeout>>,
    program: &Program,
    scene: &Scene<H>,
) -> Result<Outcome, Error>
where
    for<'a> &'a H: IntoDescriptor + IntoClosable,
{
    let mut outcome = Outcome::default();
    for (index, round) in program.rounds.iter().enumerate() {
        let steps: Vec<Step> = round.chains.iter().flatten().copied().collect();
        let mut buffers: Vec<Vec<u8>> =
            steps.iter().enumerate().map(|(step, it)| buffer(it.action, index, step)).collect();
        let (mut seen, hung) = queue.scope(|queue| {
            let ops = steps.iter().zip(&mut buffers);
            let ops = ops.map(|(step, buffer)| scene.op(step.action, buffer).link_by(step.link));
            let mut flight = Flight { alarm: alarm.take(), ..Flight::new(&steps, round) };
            let seen = flight.complete(queue, ops.collect());
            *alarm = flight.alarm;
            seen
        })?;
        for ((seen, step), buffer) in seen.iter_mut().zip(&steps).zip(buffers) {
            if step.action.fills() && step.action != Action::Wait {
                seen.bytes = buffer;
            }
        }
        outcome.steps.extend(seen);
        outcome.hung.extend(hung);
    }
    Ok(outcome)
}

/// What a step moves: bytes that are its own, or room for others'.
fn buffer(action: Action, round: usize, step: usize) -> Vec<u8> {
    match action {
        Action::Notify => 1u64.to_ne_bytes().into(),
        _ if action.fills() => vec![0xee; action.len()],
        _ => (0..action.len()).map(|byte| (round * 89 + step * 17 + byte) as u8).collect(),
    }
}

/// The operations of a round.
struct Flight<'a> {
    steps: &'a [Step],
    round: &'a Round,
    ids: Vec<Id>,
    /// When each step was reported, if it was.
    reported: Vec<Option<usize>>,
    /// What the first cancel of each step answered.
    canceled: Vec<Option<Result<(), corio::aio::Cause>>>,
    /// The cancels in flight, and the pauses before the next attempts, with what they are for.
    cancels: Vec<(Ticket<op::Cancel>, usize)>,
    pauses: Vec<(Ticket<Timeout>, usize)>,
    /// The alarm that is older than the round, and the round's own.
    alarm: Option<Ticket<Timeout>>,
    own_alarm: Option<Ticket<Timeout>>,
    /// How often it went off.
    alarms: u32,
    /// What had not ended when it did.
    hung: Vec<Action>,
}

impl<'a> Flight<'a> {
    fn new(steps: &'a [Step], round: &'a Round) -> Flight<'a> {
        Flight {
            steps,
            round,
            ids: Vec::new(),
            reported: vec![None; steps.len()],
            canceled: vec![None; steps.len()],
            cancels: Vec::new(),
            pauses: Vec::new(),
            alarm: None,
            own_alarm: None,
            alarms: 0,
            hung: Vec::new(),
        }
    }

    /// Starts the operations and waits for them.
    fn complete<'scope>(
        &mut self,
        queue: &mut Queue<'scope, '_>,
        ops: Vec<Any<'scope>>,
    ) -> Result<(Vec<Seen>, Vec<Action>), Error> {
        if self.alarm.is_none() {
            self.own_alarm = Some(queue.queue(op::timeout(ALARM))?);
        }
        let mut tickets = Vec::new();
        let mut ops = ops.into_iter();
        for chain in &self.round.chains {
            let count = if self.round.is_split { chain.len() } else { self.steps.len() };
            let batch: Vec<Any<'scope>> = ops.by_ref().take(count).collect();
            if batch.is_empty() {
                break;
            }
            let queued = queue.queue_all(batch)?;
            self.ids.extend(queued.iter().map(Ticket::id));
            tickets.extend(queued);
            if self.round.is_split {
                self.collect(queue, Mode::NonBlocking)?;
            }
        }
        for step in 0..self.steps.len() {
            if self.steps[step].is_canceled {
                self.cancel(queue, step)?;
            }
        }
        while !self.is_over() {
            self.collect(queue, Mode::Blocking)?;
        }
        if let Some(alarm) = self.own_alarm.take() {
            queue.queue(op::cancel(alarm.id()))?.detach(queue);
            alarm.detach(queue);
        }
        let results: Vec<Result<Value, Error>> =
            tickets.into_iter().map(|ticket| ticket.take(queue)).collect();
        Ok((self.seen(results), std::mem::take(&mut self.hung)))
    }

    fn is_over(&self) -> bool {
        let is_complete = self.reported.iter().all(Option::is_some);
        is_complete && self.cancels.is_empty() && self.pauses.is_empty()
    }

    fn cancel(&mut self, queue: &mut Queue<'_, '_>, step: usize) -> Result<(), Error> {
        let ticket = queue.queue(op::cancel(self.ids[step]))?;
        self.cancels.push((ticket, step));
        Ok(())
    }

    fn collect(&mut self, queue: &mut Queue<'_, '_>, mode: Mode) -> Result<(), Error> {
        for done in queue.complete(mode)? {
            let is_it = |ticket: &Ticket<Timeout>| ticket.id() == done.id;
            if let Some(step) = self.ids.iter().position(|id| *id == done.id) {
                self.reported[step] = Some(self.reported.iter().flatten().count());
            } else if let Some(place) = self.cancels.iter().position(|it| it.0.id() == done.id) {
                let (ticket, step) = self.cancels.swap_remove(place);
                let result = ticket.take(queue).map_err(|error| error.cause());
                self.canceled[step].get_or_insert(result);
                if result.is_err() && self.reported[step].is_none() {
                    self.pauses.push((queue.queue(op::timeout(MOMENT))?, step));
                }
            } else if let Some(place) = self.pauses.iter().position(|it| is_it(&it.0)) {
                let (ticket, step) = self.pauses.swap_remove(place);
                ticket.detach(queue);
                if self.reported[step].is_none() {
                    self.cancel(queue, step)?;
                }
            } else if self.alarm.as_ref().is_some_and(is_it) {
                self.alarm.take().into_iter().for_each(|alarm| alarm.detach(queue));
                self.own_alarm = Some(queue.queue(op::timeout(ALARM))?);
            } else if self.own_alarm.as_ref().is_some_and(is_it) {
                self.own_alarm.take().into_iter().for_each(|alarm| alarm.detach(queue));
                self.end_by_force(queue)?;
            }
        }
        Ok(())
    }

    /// Cancels what does not end by itself, and notes that it had to be.
    fn end_by_force(&mut self, queue: &mut Queue<'_, '_>) -> Result<(), Error> {
        if self.alarms == MOST_ALARMS {
            eprintln!("corio-bench: this round can't be stopped: {:#?}", self.round);
            std::process::exit(1);
        }
        self.alarms += 1;
        self.own_alarm = Some(queue.queue(op::timeout(ALARM))?);
        for step in 0..self.steps.len() {
            if self.reported[step].is_none() {
                self.hung.push(self.steps[step].action);
                self.cancel(queue, step)?;
            }
        }
        Ok(())
    }

    /// What was seen of each step, but for its bytes.
    fn seen(&self, results: Vec<Result<Value, Error>>) -> Vec<Seen> {
        let mut before = None;
        let steps = self.steps.iter().zip(results).enumerate();
        let seen = steps.map(|(index, (step, result))| {
            let is_limit = matches!(step.action, Action::LinkTimeout { .. });
            let is_in_order = is_limit || before <= self.reported[index];
            if !is_limit {
                before = self.reported[index];
            }
            before = before.filter(|_| step.link.is_linked());
            let result = result.map(|value| number(&value, step.action));
            let result = result.map_err(|error| error.cause());
            Seen { result, bytes: Vec::new(), cancel: self.canceled[index], is_in_order }
        });
        seen.collect()
    }
}

/// A result as a number: of bytes, or of what a descriptor is ready for.
fn number(value: &Value, action: Action) -> usize {
    match value {
        // Where it is a plain write or read of 8 bytes.
        Value::Count(8) if matches!(action, Action::Notify | Action::Wait) => 0,
        Value::Count(count) => *count,
        Value::Events(events) => {
            let all = [
                op::Events::READABLE,
                op::Events::WRITABLE,
                op::Events::PRIORITY,
                op::Events::ERROR,
                op::Events::HANG_UP,
            ];
            let bits = all.into_iter().enumerate().filter(|(_, event)| events.contains(*event));
            bits.map(|(bit, _)| 1 << bit).sum()
        }
        _ => 0,
    }
}
