//! What a thread of a runtime does, from its start to its end.

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Instant;

use super::shutdown::{ShutdownReport, Straggler};
use super::{Shared, Stage, WorkerBooks, pin};
use crate::info::TaskState;
use crate::park::{Parked, Parker};
use crate::scheduler::{self, Core};
use crate::scope::Scheduler;

/// How many of the tasks that ignore a cancel are reported of each worker.
const LISTED: usize = 50;

thread_local! {
    /// The runtime whose worker this thread is, as an address to compare, and its number there.
    static WORKER: Cell<Option<(usize, usize)>> = const { Cell::new(None) };
}

/// The number of the thread that calls in its [`Runtime`](crate::Runtime), from 0 on; `None` on a
/// thread that is of none.
pub fn worker_index() -> Option<usize> {
    WORKER.get().map(|(_, index)| index)
}

/// Whether the thread that calls is one of these.
pub(super) fn is_one_of(shared: &Arc<Shared>) -> bool {
    WORKER.get().is_some_and(|(runtime, _)| runtime == Arc::as_ptr(shared).addr())
}

/// Starts a worker; it tells `ready` once it has a scheduler, or why it has none.
pub(super) fn start(
    shared: &Arc<Shared>,
    index: usize,
    ready: Sender<io::Result<()>>,
) -> io::Result<thread::JoinHandle<()>> {
    shared.lock().workers.push(WorkerBooks::default());
    let own = shared.clone();
    let thread = thread::Builder::new().name(format!("{}-{index}", shared.options.name));
    let started = thread.spawn(move || {
        let shared = own;
        WORKER.set(Some((Arc::as_ptr(&shared).addr(), index)));
        let report = serve(&shared, index, ready);
        let mut books = shared.lock();
        books.workers[index].report = Some(report);
        let waiter = books.waiter.clone();
        drop(books);
        if let Some(waiter) = waiter {
            waiter.unpark();
        }
    });
    if started.is_err() {
        shared.lock().workers.pop();
    }
    started
}

fn serve(shared: &Shared, index: usize, ready: Sender<io::Result<()>>) -> ShutdownReport {
    let (mut report, mut ready) = (ShutdownReport::default(), Some(ready));
    let mut say = |is_ready| drop(ready.take().map(|ready| ready.send(is_ready)));
    let served = catch_unwind(AssertUnwindSafe(|| {
        if shared.options.pin {
            pin::to_processor(index)?;
        }
        Scheduler::with(shared.options.scheduler, |_| {
            let joined = scheduler::with_current(|core| core.join_team(&shared.team, index));
            joined.expect("a scheduler runs")?;
            say(Ok(()));
            work(shared, index, &mut report);
            io::Result::Ok(())
        })?
    }));
    match served {
        Ok(Ok(())) => {}
        // Once it was ready there is no error any more.
        Ok(Err(error)) => say(Err(error)),
        Err(payload) => report.panic = Some(payload),
    }
    report
}

/// Runs the scheduler until the runtime is shut down, and then until its tasks have ended.
fn work(shared: &Shared, index: usize, report: &mut ShutdownReport) {
    while shared.stage() == Stage::Open {
        Parker::current().park("closures to start", None);
    }
    let ended = scheduler::with_current(|core| {
        let before = core.ended();
        while shared.stage() == Stage::Draining && !core.has_nothing_to_do() {
            core.park_until_end(None);
        }
        report.ended = core.ended() - before;
        if core.has_nothing_to_do() {
            return;
        }
        report.canceled = core.live();
        shared.lock().workers[index].has_canceled = true;
        await_canceled(shared, index, core, report);
    });
    ended.expect("a scheduler runs");
}

/// Asks all tasks to stop, and waits until they have. Says who takes too long.
fn await_canceled(shared: &Shared, index: usize, core: &Core, report: &mut ShutdownReport) {
    core.stop();
    while core.live() > 0 {
        let deadline = Instant::now() + shared.options.patience;
        while core.live() > 0 && core.park_until_end(Some(deadline)) != Parked::Expired {}
        if core.live() > 0 && report.stragglers.is_empty() {
            report.stragglers = stragglers(index, core);
            for straggler in &report.stragglers {
                log::warn!("canceled, and goes on: {straggler}");
            }
        }
    }
}

fn stragglers(worker: usize, core: &Core) -> Vec<Straggler> {
    let tasks = core.list_tasks().into_iter().filter(|task| task.state != TaskState::Ended);
    let straggler = |task: crate::info::TaskInfo| Straggler {
        worker,
        spawned_at: Some(task.spawned_at),
        description: task.to_string(),
        name: task.name,
    };
    tasks.take(LISTED).map(straggler).collect()
}
