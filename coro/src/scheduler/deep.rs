//! The depth of stacks: calls that need more than their task has, and who had less than needed.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use corosensei::on_stack;

use super::{Core, current_core, with_current};
use crate::region::Purpose;
use crate::stack::{Bounds, OwnStack, Owner, Stack, on_own};

/// Runs `f` on a stack of at least `bytes`, as part of the same task: for recursion, and for
/// foreign code, that needs more than the task's own.
///
/// The stack is one of the scheduler's, which keeps it for the next call; where no scheduler runs
/// it is mapped for this call. Inside of `f` the task may wait as usual. Calls may be nested.
///
/// ```
/// fn depth(list: &[u8]) -> usize {
///     let _frame = std::hint::black_box([0_u8; 1024]);
///     if list.is_empty() { 0 } else { 1 + depth(&list[1..]) }
/// }
/// # fn main() -> std::io::Result<()> {
/// let depth = corio::run(|| corio::with_stack(16 << 20, || depth(&[0; 4000])))?;
/// assert_eq!(depth, 4000);
/// # Ok(())
/// # }
/// ```
///
/// # Panics
///
/// With what `f` panics with; and if there is no memory for the stack.
pub fn with_stack<T>(bytes: usize, f: impl FnOnce() -> T) -> T {
    let mut f = Some(f);
    // No panic crosses the switch. What `f` borrows is good for longer than this call, which ends
    // in no other way than after `f` has: a task that waits in `f` is on the bigger stack, this
    // frame stays where it is meanwhile, and a task always runs to its end.
    let mut call = |stack: &mut Stack| {
        let f = f.take().expect("called once");
        on_stack(stack, || catch_unwind(AssertUnwindSafe(f)))
    };
    let outcome = with_current(|core| core.on_deeper(bytes, &mut call)).unwrap_or_else(|| {
        let mut own = OwnStack::new(bytes).expect(NO_MEMORY);
        let mut stack = own.lend();
        on_own(stack.bounds(), || call(&mut stack))
    });
    outcome.unwrap_or_else(|panic| resume_unwind(panic))
}

const NO_MEMORY: &str = "memory for a bigger stack";

impl Core {
    /// Calls `call`, which does not panic, with a stack from the pool.
    fn on_deeper<R>(&self, bytes: usize, call: impl FnOnce(&mut Stack) -> R) -> R {
        let mut stack = self.stacks.borrow_mut().take_sized(bytes).expect(NO_MEMORY);
        let bounds = stack.bounds();
        self.lent_stacks.set(self.lent_stacks.get() + 1);
        let result = self.while_on(bounds, || call(&mut stack));
        self.lent_stacks.set(self.lent_stacks.get() - 1);
        self.give_stack(stack);
        result
    }

    /// Calls `call`, while which an overflow of what runs is that of the stack with these bounds.
    fn while_on<R>(&self, bounds: Bounds, call: impl FnOnce() -> R) -> R {
        let Some(task) = self.running.get() else { return on_own(bounds, call) };
        let before = task.owner.bounds.replace(bounds);
        let result = self.within(Purpose::Depth, false, call);
        task.owner.bounds.set(before);
        result.expect("the call does not panic")
    }
}

/// Reports the task whose stack's guard is at `address`, among those that the thread is in: the one
/// that runs, and those that run a scheduler each. A handler of signals calls it.
pub(super) fn find_overflowed(address: usize, report: fn(&Owner)) -> bool {
    let mut core = current_core();
    // SAFETY: as in `with_id`.
    while let Some(candidate) = unsafe { core.as_ref() } {
        if let Some(task) = candidate.running.get()
            && task.owner.bounds.get().is_guard(address)
        {
            report(&task.owner);
            return true;
        }
        core = candidate.parent;
    }
    false
}
