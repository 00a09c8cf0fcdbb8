//! Random programs of linked operations against a model of twenty lines.

use std::fs::{self, File};
use std::io::{PipeReader, PipeWriter};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use corio_aio::op::{Any, Events, Link, Value};
use corio_aio::{self as aio, Closing, Error, Id, Mode, OpKind, Queue, op};

use crate::scene::{Kept, Scene, code_in, promises};
use crate::system::{self, Code, Datagrams, Stream};

promises![
    random_programs_have_the_results_of_the_model,
    random_programs_in_a_queue_have_the_results_of_the_model,
    random_cancels_in_stuck_chains_have_the_results_of_the_model,
];

/// What an operation of a program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Nop,
    WriteAll,
    WriteFull,
    WriteNothing,
    ReadShort,
    ReadFull,
    ReadEnd,
    ReadClosed,
    Send,
    SendClosed,
    RecvShort,
    Sync,
    SyncPipe,
    Advise,
    Timeout,
    Poll,
    Socket,
    BindClosed,
    Open,
    Stat,
    StatMissing,
    StuckRead,
    StuckRecv,
}

/// Those that end by themselves; the first ones are those that a backend may keep quiet about.
const STEPS: [Step; 21] = [
    Step::Nop,
    Step::WriteAll,
    Step::WriteFull,
    Step::WriteNothing,
    Step::ReadShort,
    Step::ReadFull,
    Step::ReadEnd,
    Step::ReadClosed,
    Step::Send,
    Step::SendClosed,
    Step::RecvShort,
    Step::Sync,
    Step::SyncPipe,
    Step::Advise,
    Step::Timeout,
    Step::Poll,
    Step::Socket,
    Step::BindClosed,
    Step::Open,
    Step::Stat,
    Step::StatMissing,
];

const QUIET: usize = 14;

type Program = Vec<(Step, Link)>;
type Outcome = Result<usize, Failure>;

/// Why a step yields nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Failure {
    Canceled,
    Os(Code),
}

/// What a step yields if it starts, and whether that breaks a soft chain.
fn outcome(step: Step) -> (Outcome, bool) {
    match step {
        Step::Nop | Step::Sync | Step::Advise | Step::Timeout | Step::Poll => (Ok(0), false),
        Step::Socket | Step::Open | Step::Stat | Step::WriteNothing => (Ok(0), false),
        Step::WriteAll | Step::ReadFull | Step::Send => (Ok(5), false),
        Step::RecvShort => (Ok(3), false),
        Step::ReadShort => (Ok(5), true),
        Step::ReadEnd => (Ok(0), true),
        Step::WriteFull => (Err(Failure::Os(Code::FULL)), true),
        Step::ReadClosed | Step::SendClosed | Step::BindClosed => {
            (Err(Failure::Os(Code::EBADF)), true)
        }
        Step::SyncPipe => (Err(Failure::Os(Code::EINVAL)), true),
        Step::StatMissing => (Err(Failure::Os(Code::ENOENT)), true),
        Step::StuckRead | Step::StuckRecv => (Err(Failure::Canceled), true),
    }
}

/// The model: what each operation of `program` yields.
fn expected(program: &Program) -> Vec<Outcome> {
    let mut is_broken = false;
    let run = |(step, link): &(Step, Link)| {
        let (outcome, breaks) =
            if is_broken { (Err(Failure::Canceled), true) } else { outcome(*step) };
        is_broken = match link {
            Link::None => false,
            Link::Soft => is_broken || breaks,
            Link::Hard => is_broken,
        };
        outcome
    };
    program.iter().map(run).collect()
}

/// Not every system takes advice.
fn is_supported(step: &Step) -> bool {
    *step != Step::Advise || aio::supports(&[OpKind::Fadvise])
}

/// A generator of numbers (`SplitMix64`): the same seed, the same numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    fn program(&mut self) -> Program {
        let length = 1 + self.below(24);
        let kinds = if self.below(3) > 0 { QUIET } else { STEPS.len() };
        let steps: Vec<Step> = STEPS[..kinds].iter().copied().filter(is_supported).collect();
        let palette: Vec<Step> =
            (0..1 + self.below(6)).map(|_| steps[self.below(steps.len())]).collect();
        let links = [Link::Soft, Link::Hard, Link::Soft, Link::None, Link::Soft, Link::Hard];
        (0..length)
            .map(|index| {
                let is_last = index + 1 == length;
                let link = if is_last { Link::None } else { links[self.below(links.len())] };
                (palette[self.below(palette.len())], link)
            })
            .collect()
    }
}

/// What the programs work on.
struct World {
    sunk: File,
    full: File,
    file: File,
    path: PathBuf,
    closed: Closing,
    sink: Datagrams,
    source: Datagrams,
    ends: [Datagrams; 2],
    pipe: (PipeReader, PipeWriter),
    silent: (Stream, Stream),
}

impl World {
    fn new(scene: &mut Scene) -> World {
        let (sink, sink_end) = scene.datagrams();
        let (source, source_end) = scene.datagrams();
        let path = scene.path();
        fs::write(&path, "").expect("room for a file");
        source.set_nonblocking(true).expect("a socket of ours");
        World {
            sunk: scene.write_only(),
            full: system::full(),
            file: scene.file(b"short"),
            path,
            closed: scene.closed(),
            sink,
            source,
            ends: [sink_end, source_end],
            pipe: std::io::pipe().expect("a pipe"),
            silent: scene.pair(),
        }
    }

    /// Makes it as it is before a program.
    fn prepare(&self, program: &Program) {
        let count = |wanted| program.iter().filter(|(step, _)| *step == wanted).count();
        let mut buf = [0; 8];
        while self.source.recv(&mut buf).is_ok() {}
        self.ends[0].set_nonblocking(true).expect("a socket of ours");
        while self.ends[0].recv(&mut buf).is_ok() {}
        self.source.set_nonblocking(false).expect("a socket of ours");
        for _ in 0..count(Step::RecvShort) {
            self.ends[1].send(b"abc").expect("room for few");
        }
    }

    fn op(&self, step: Step, link: Link) -> Any<'_> {
        match step {
            Step::Nop => Any::new(op::nop()),
            Step::WriteAll => Any::new(op::write(&self.sunk, b"hello").at(0)),
            Step::WriteFull => Any::new(op::write(&self.full, b"hello")),
            Step::WriteNothing => Any::new(op::write(&self.sunk, b"")),
            Step::ReadShort => Any::new(op::read(&self.file, vec![0; 8]).at(0)),
            Step::ReadFull => Any::new(op::read(&self.file, vec![0; 5]).at(0)),
            Step::ReadEnd => Any::new(op::read(&self.file, vec![0; 5]).at(5)),
            Step::ReadClosed => Any::new(op::read(&self.closed, vec![0; 5])),
            Step::Send => Any::new(op::send(&self.sink, b"hello")),
            Step::SendClosed => Any::new(op::send(&self.closed, b"hello")),
            Step::RecvShort => Any::new(op::recv(&self.source, vec![0; 8])),
            Step::Sync => Any::new(op::fsync(&self.file).data_only()),
            Step::SyncPipe => Any::new(op::fsync(&self.pipe.1)),
            Step::Advise => Any::new(op::fadvise(&self.file, op::FileAdvice::Normal)),
            Step::Timeout => Any::new(op::timeout(Duration::ZERO)),
            Step::Poll => Any::new(op::poll(&self.sink, Events::WRITABLE)),
            Step::Socket => Any::new(op::socket(aio::Domain::IPV4, aio::Type::STREAM, None)),
            Step::BindClosed => {
                let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
                Any::new(op::bind(&self.closed, address))
            }
            Step::Open => Any::new(op::open_at(aio::Cwd, &self.path)),
            Step::Stat => Any::new(op::statx(aio::Cwd, &self.path)),
            Step::StatMissing => Any::new(op::statx(aio::Cwd, "missing")),
            Step::StuckRead => Any::new(op::read(&self.pipe.0, vec![0; 4])),
            Step::StuckRecv => Any::new(op::recv(&self.silent.0, vec![0; 4])),
        }
        .link_by(link)
    }

    fn batch(&self, program: &Program) -> Vec<Any<'_>> {
        program.iter().map(|(step, link)| self.op(*step, *link)).collect()
    }
}

/// What the model says of a result: the number of bytes, or why not.
fn seen(result: Result<Value, Error>) -> Outcome {
    match result {
        Ok(Value::Count(count)) => Ok(count),
        Ok(_) => Ok(0),
        Err(error) if error.is_canceled() => Err(Failure::Canceled),
        Err(error) => Err(Failure::Os(code_in(error.cause()))),
    }
}

fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let seed = std::env::var("CORIO_SEED").ok().and_then(|seed| seed.parse().ok());
    seed.unwrap_or(now.as_nanos() as u64)
}

fn random_programs_have_the_results_of_the_model(scene: &mut Scene) -> Kept {
    let (world, seed) = (World::new(scene), seed());
    let mut random = Random(seed);
    for round in 0..2_000 {
        let program = random.program();
        world.prepare(&program);
        let found: Vec<Outcome> =
            aio::complete(world.batch(&program))?.into_iter().map(seen).collect();
        let hint = format!("CORIO_SEED={seed}, program {round}: {program:?}");
        assert_eq!(found, expected(&program), "{hint}");
        world.source.set_nonblocking(true)?;
    }
    Ok(())
}

fn random_programs_in_a_queue_have_the_results_of_the_model(scene: &mut Scene) -> Kept {
    let (world, seed) = (World::new(scene), seed());
    let mut random = Random(seed);
    let mut queue = scene.queue(64);
    for round in 0..2_000 {
        let program = random.program();
        world.prepare(&program);
        let found: Vec<Outcome> = queue.scope(|queue| {
            let tickets = queue.queue_all(world.batch(&program))?;
            let done = queue.complete_all()?;
            assert_eq!(done.len(), program.len());
            Ok::<_, Error>(tickets.into_iter().map(|ticket| seen(ticket.take(queue))).collect())
        })?;
        let hint = format!("CORIO_SEED={seed}, program {round}: {program:?}");
        assert_eq!(found, expected(&program), "{hint}");
        world.source.set_nonblocking(true)?;
    }
    Ok(())
}

/// Each program has one to three operations that wait until they are canceled.
fn random_cancels_in_stuck_chains_have_the_results_of_the_model(scene: &mut Scene) -> Kept {
    let (world, seed) = (World::new(scene), seed());
    let mut random = Random(seed);
    let mut queue = scene.queue(64);
    for round in 0..1_000 {
        let mut program = random.program();
        for stuck in [Step::StuckRead, Step::StuckRecv, Step::StuckRead] {
            let place = random.below(program.len());
            program[place].0 = stuck;
        }
        world.prepare(&program);
        let found: Vec<Outcome> = queue.scope(|queue| {
            let tickets = queue.queue_all(world.batch(&program))?;
            let is_stuck =
                |index: &usize| matches!(program[*index].0, Step::StuckRead | Step::StuckRecv);
            let ids = (0..program.len()).filter(is_stuck).map(|index| tickets[index].id());
            let ids: Vec<Id> = ids.collect();
            cancel_until_complete(queue, &ids, &mut random)?;
            Ok::<_, Error>(tickets.into_iter().map(|ticket| seen(ticket.take(queue))).collect())
        })?;
        let hint = format!("CORIO_SEED={seed}, program {round}: {program:?}");
        assert_eq!(found, expected(&program), "{hint}");
        world.source.set_nonblocking(true)?;
    }
    Ok(())
}

/// Cancels the operations of `ids` in random order, also those that have not started yet, until
/// all are complete.
fn cancel_until_complete(
    queue: &mut Queue<'_, '_>,
    ids: &[Id],
    random: &mut Random,
) -> Result<(), Error> {
    let mut left = ids.to_vec();
    while !left.is_empty() {
        let target = left[random.below(left.len())];
        let canceled = queue.queue(op::cancel(target))?;
        let id = canceled.id();
        canceled.detach(queue);
        let mut is_asked = false;
        while !is_asked {
            for done in queue.complete(Mode::Blocking)? {
                left.retain(|id| *id != done.id);
                is_asked |= done.id == id;
            }
        }
    }
    queue.complete_all().map(drop)
}
