//! The books on one task, and the coroutine that runs it, at the top of its own stack.

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::convert::Infallible;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::ptr::{self, NonNull};
use std::task::Waker;
use std::thread;
use std::time::Instant;

use corio_aio::guard::NoUnwind;
use corio_aio::key::Key;
use corio_aio::prefetch::prefetch;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::fiber::Fiber;
use crate::region::Regions;
use crate::scope_record::ScopePointer;
use crate::stack::{Bounds, Owner, Stack};
use crate::trace::TaskSpan;

/// What a task panicked with.
pub(crate) type Payload = Box<dyn Any + Send>;

/// The text that a task panicked with, or that it was not a text.
pub(crate) fn text_of(payload: &Payload) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("(not with a text)")
}

/// A coroutine that runs one task after the other: it yields whether the task that it runs has
/// ended, and never returns.
type Worker = Coroutine<(), bool, Infallible, Stack>;

/// Runs the closure at the place, as the task; says whether it has told that the task has ended.
type Body = unsafe fn(RecordPointer, *const ()) -> bool;

/// Where results lie that are small.
#[repr(align(16))]
struct Place {
    _bytes: [u8; 64],
}

/// The books on the worker of a stack, and on the task that it runs, kept by their scheduler.
///
/// The task's part is what `open` writes. It means nothing while there is no task.
pub(crate) struct Record {
    /// There from `hire` on, until `dismiss`. While the task runs, `resume` has it.
    worker: UnsafeCell<MaybeUninit<Worker>>,
    /// How the worker suspends itself; on its own stack, from its first instruction to its last.
    yielder: Cell<*const Yielder<(), bool>>,
    fiber: Fiber,
    /// Where the stack lies.
    pub stack: Bounds,
    /// Whether it stays for other tasks when the one that it runs was forgotten.
    pub is_kept: bool,
    /// Names the task, in the scheduler's table. The slot is the worker's.
    pub key: Cell<Key>,
    body: Cell<(Body, *const ())>,
    /// Where the task's result is, when it has ended, and what drops it there.
    result: Cell<*mut ()>,
    settle: Cell<unsafe fn(*mut ()) -> Option<Payload>>,
    place: UnsafeCell<MaybeUninit<Place>>,
    pub wait: Cell<Wait>,
    /// Since when, by the scheduler's clock.
    pub since: Cell<Instant>,
    /// Whether it was asked to stop.
    pub is_asked: Cell<bool>,
    /// The regions that it is in.
    pub regions: Regions,
    /// Whether it is to stop, here: what `is_asked` and its regions come to.
    pub is_canceled: Cell<bool>,
    /// Whether what it was parked for has come.
    pub was_woken: Cell<bool>,
    /// Whether it was unparked and has not noticed.
    pub is_unparked: Cell<bool>,
    /// Whether nobody will join it.
    pub is_detached: Cell<bool>,
    /// Whether the stack was clean when it began, so that one can see how much it has used.
    pub is_measured: Cell<bool>,
    /// The operations that it waits for: the first one's key, and how many are not complete.
    pub batch: Cell<Key>,
    pub remaining: Cell<usize>,
    /// The one after it among those that are ready, or among those that have no task.
    pub behind: Cell<Option<RecordPointer>>,
    /// Its scope, and its neighbours among the tasks of that.
    pub scope: Cell<ScopePointer>,
    pub older: Cell<Option<RecordPointer>>,
    pub newer: Cell<Option<RecordPointer>>,
    /// Who joins it.
    pub joiner: Cell<Key>,
    /// What is woken when it ends, if it is waited for as a future.
    pub waker: Cell<Option<Waker>>,
    /// What subscribers know it as, until it ends.
    pub span: TaskSpan,
    /// Its name, where it was spawned, and the stack that it is on.
    pub owner: Owner,
}

impl Record {
    /// What the task is called.
    pub fn name(&self) -> Option<String> {
        self.owner.with_name(|name| name.map(str::to_string))
    }

    /// Whether there is a task, which may have ended.
    pub fn is_busy(&self) -> bool {
        self.wait.get() != Wait::Task
    }

    /// Whether there is a task that has not ended.
    pub fn is_alive(&self) -> bool {
        !matches!(self.wait.get(), Wait::Ended | Wait::Task)
    }

    /// How many bytes of its stack the task has used, if that is measured.
    pub fn stack_used(&self) -> Option<usize> {
        self.is_measured.get().then(|| self.stack.touched())
    }

    /// Opens the books on a task, which is about to run.
    #[inline]
    pub fn open(&self, scope: ScopePointer, spawned_at: &'static Location<'static>, now: Instant) {
        self.wait.set(Wait::Nothing);
        self.since.set(now);
        self.is_asked.set(false);
        self.is_canceled.set(false);
        self.was_woken.set(false);
        self.is_unparked.set(false);
        self.scope.set(scope);
        self.joiner.set(Key::NONE);
        self.owner.spawned_at.set(spawned_at);
    }
}

/// What a task is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wait {
    /// It runs.
    Nothing,
    /// It is ready: for its turn.
    Turn,
    /// For operations to complete.
    Operations,
    /// For the first of its operations to complete.
    AnyOperation,
    /// For `wakeup`.
    Wakeup(u32),
    /// For another task, with this of `sync`.
    Event(&'static str),
    /// For another task or thread, with this.
    Parked(&'static str),
    /// For another task to end.
    Join(Key),
    /// For the tasks of a scope to end.
    Scope(ScopePointer),
    /// For nothing any more.
    Ended,
    /// There is no task: the worker waits for one.
    Task,
}

/// Leads to the record of a task, which stays in place until its worker is dismissed.
///
/// Held by the scheduler's table, by the neighbours in the scope, by the queue of those that are
/// ready or the list of those without a task, and by whoever runs the task. `Core::forget` takes
/// it from the first two when the task has ended; the others don't know a task that has ended.
/// Whoever lets code of the user run remembers a key instead.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordPointer(NonNull<Record>);

impl Deref for RecordPointer {
    type Target = Record;

    fn deref(&self) -> &Record {
        // SAFETY: `hire` wrote it, it is changed through its cells only, and those who hold a
        // pointer give it up before the worker is dismissed: see above.
        unsafe { self.0.as_ref() }
    }
}

impl RecordPointer {
    /// Has the processor bring the books near, and the frames below them that a task resumes with.
    #[inline]
    pub fn prefetch(self) {
        const LINE: usize = 64;
        const FRAMES: usize = 6 * LINE;
        let start = self.0.as_ptr().cast::<u8>().wrapping_sub(FRAMES);
        for offset in (0..FRAMES + size_of::<Record>()).step_by(LINE) {
            prefetch(start.wrapping_add(offset));
        }
    }

    /// Has a worker on `stack`, with its books at the top of that.
    pub fn hire(
        mut stack: Stack,
        is_kept: bool,
        scope: ScopePointer,
        now: Instant,
    ) -> RecordPointer {
        let (record, bounds) = (stack.reserve::<Record>(), stack.bounds());
        let books = Record {
            worker: UnsafeCell::new(MaybeUninit::uninit()),
            yielder: Cell::new(ptr::null()),
            fiber: Fiber::new(),
            stack: bounds,
            is_kept,
            key: Cell::new(Key::NONE),
            body: Cell::new((no_body, ptr::null())),
            result: Cell::new(ptr::null_mut()),
            settle: Cell::new(settle::<()>),
            place: UnsafeCell::new(MaybeUninit::uninit()),
            wait: Cell::new(Wait::Task),
            since: Cell::new(now),
            is_asked: Cell::new(false),
            regions: Regions::default(),
            is_canceled: Cell::new(false),
            was_woken: Cell::new(false),
            is_unparked: Cell::new(false),
            is_detached: Cell::new(false),
            is_measured: Cell::new(false),
            batch: Cell::new(Key::NONE),
            remaining: Cell::new(0),
            behind: Cell::new(None),
            scope: Cell::new(scope),
            older: Cell::new(None),
            newer: Cell::new(None),
            joiner: Cell::new(Key::NONE),
            waker: Cell::new(None),
            span: TaskSpan::none(),
            owner: Owner::new(Location::caller(), bounds),
        };
        // SAFETY: the place was reserved just now.
        unsafe { record.write(books) };
        let own = RecordPointer(record);
        let worker = Coroutine::with_stack(stack, move |yielder: &Yielder<(), bool>, ()| {
            own.yielder.set(yielder);
            loop {
                let (body, closure) = own.body.get();
                // SAFETY: whoever resumes a worker that has no task has prepared one: `begin`.
                if !unsafe { body(own, closure) } {
                    // In this frame, so that the processor predicts where the next return goes.
                    yielder.suspend(true);
                }
            }
        });
        // SAFETY: the record is in place, and nobody else knows it yet.
        unsafe { own.worker.get().write(MaybeUninit::new(worker)) };
        own
    }

    /// Makes the closure at `place` what the task runs, which takes it from there at once.
    ///
    /// # Safety
    ///
    /// There is a task that has not begun. It is resumed while the closure is in place, and from
    /// then on until it ends; what the closure borrows is good until then.
    #[inline]
    pub unsafe fn begin<T, F: FnOnce() -> T>(self, place: *const ManuallyDrop<F>) {
        self.body.set((run::<T, F>, place.cast()));
    }

    /// Runs the task until it suspends or ends; says whether it has ended.
    ///
    /// # Safety
    ///
    /// The task has begun, is suspended, and has not ended.
    #[inline]
    pub unsafe fn resume(self) -> bool {
        let worker = self.worker.get().cast::<Worker>();
        // SAFETY: `hire` left it there. The reference is the only one: the task does not run, so
        // that nobody else is in here, and `dismiss` is for workers without a task.
        let worker = unsafe { &mut *worker };
        let guard = NoUnwind;
        let result = self.fiber.enter(|| worker.resume(()));
        guard.release();
        match result {
            CoroutineResult::Yield(has_ended) => has_ended,
            CoroutineResult::Return(never) => match never {},
        }
    }

    /// Switches from the task to whoever resumed it.
    ///
    /// # Safety
    ///
    /// It is the task that runs.
    #[inline]
    pub unsafe fn suspend(self) {
        // SAFETY: the caller's promise.
        unsafe { self.switch(false) };
    }

    /// Switches to whoever resumed the worker, and says whether the task has ended.
    ///
    /// # Safety
    ///
    /// It is the worker that runs.
    #[inline]
    unsafe fn switch(self, has_ended: bool) {
        // SAFETY: the worker set it in its first frame, which is still there, on this stack.
        unsafe { &*self.yielder.get() }.suspend(has_ended);
    }

    /// Notes that the result is at `place`. If nobody will take it, it is dropped: here, where it
    /// may wait, and not in the scheduler's loop.
    ///
    /// # Safety
    ///
    /// It is the task that runs, and it does nothing else any more. There is a `thread::Result<T>`
    /// at the place, where it stays until the worker goes on.
    #[inline]
    unsafe fn leave<T>(self, place: *mut ()) {
        self.result.set(place);
        self.settle.set(settle::<T>);
        if self.is_detached.get() {
            // SAFETY: the result is there; that the task is detached keeps all others away from it.
            let settled = catch_unwind(AssertUnwindSafe(|| unsafe { settle::<T>(place) }));
            self.scope.get().note_panic(settled);
        }
        // Here, too; and last, so that who polls the task meanwhile is woken as well.
        if let Some(waker) = self.waker.take() {
            self.wake_pollers(waker);
        }
    }

    /// Wakes who polls the task, which has ended.
    #[cold]
    #[inline(never)]
    fn wake_pollers(self, waker: Waker) {
        let mut next = Some(waker);
        while let Some(waker) = next {
            let woken = catch_unwind(AssertUnwindSafe(|| waker.wake()));
            self.scope.get().note_panic(woken.map(|()| None));
            next = self.waker.take();
        }
    }
}

/// What a worker has before its first task.
///
/// # Safety
///
/// None is needed.
unsafe fn no_body(_: RecordPointer, _: *const ()) -> bool {
    unreachable!("a worker is resumed for a task")
}

/// Runs the closure at the place; see [`Body`].
///
/// # Safety
///
/// The worker of `task` calls it, with what [`RecordPointer::begin`] was given.
unsafe fn run<T, F: FnOnce() -> T>(task: RecordPointer, closure: *const ()) -> bool {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: whoever began the task keeps the closure in place until it was resumed, which is
        // now, and takes it for gone.
        let f = unsafe { closure.cast::<F>().read() };
        f()
    }));
    let is_small = size_of_val(&outcome) <= size_of::<Place>()
        && align_of_val(&outcome) <= align_of::<Place>();
    if is_small {
        let place = task.place.get().cast::<thread::Result<T>>();
        // SAFETY: the place is large enough, the task's own, and empty: whoever has forgotten the
        // task before this one has taken the result.
        unsafe { place.write(outcome) };
        // SAFETY: this is what the task does last.
        unsafe { task.leave::<T>(place.cast()) };
    } else {
        let mut outcome = ManuallyDrop::new(outcome);
        // SAFETY: this is what the task does last; the frame stays until the worker goes on.
        unsafe { task.leave::<T>((&raw mut outcome).cast()) };
        // SAFETY: the worker runs this.
        unsafe { task.switch(true) };
    }
    !is_small
}

/// Drops the result at the place, which nobody will take; yields what the task panicked with.
///
/// # Safety
///
/// There is a `thread::Result<T>`, which is gone then.
unsafe fn settle<T>(place: *mut ()) -> Option<Payload> {
    // SAFETY: the caller's promise.
    unsafe { place.cast::<thread::Result<T>>().read() }.err()
}

/// A task that has ended and is in no list any more: what is left of it is its worker, with its
/// result.
pub(crate) struct Ended(RecordPointer);

impl Ended {
    /// # Safety
    ///
    /// The task has ended, and nobody else has a pointer to its record, but for the table, in
    /// which it is no task's.
    pub unsafe fn new(record: RecordPointer) -> Ended {
        Ended(record)
    }

    /// Takes the result away.
    ///
    /// # Safety
    ///
    /// It is a `T`, and was neither taken nor settled.
    pub unsafe fn take<T>(&self) -> thread::Result<T> {
        // SAFETY: the caller's promise; a task that has ended has left its result.
        unsafe { self.0.result.get().cast::<thread::Result<T>>().read() }
    }

    /// Drops the result; yields what the task panicked with.
    ///
    /// # Safety
    ///
    /// It was neither taken nor settled.
    pub unsafe fn settle(&self) -> Option<Payload> {
        let settle = self.0.settle.get();
        // SAFETY: the caller's promise; the function is the one of the type that is there.
        unsafe { settle(self.0.result.get()) }
    }

    /// The worker, which is free for another task.
    pub fn into_worker(self) -> RecordPointer {
        self.0
    }
}

impl RecordPointer {
    /// Ends a worker; yields the stack that it was on.
    ///
    /// # Safety
    ///
    /// It has no task, and this is the only pointer.
    pub unsafe fn dismiss(self) -> Stack {
        // SAFETY: nobody has a reference into it: this is the only pointer.
        let record = unsafe { self.0.read() };
        // SAFETY: `hire` left it there.
        let mut worker = unsafe { record.worker.into_inner().assume_init() };
        // SAFETY: it is suspended between two tasks, in frames of `hire` and `run`, and those have
        // nothing left to drop: the closure and the result were taken.
        unsafe { worker.force_reset() };
        worker.into_stack()
    }
}
