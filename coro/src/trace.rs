//! What subscribers of `tracing` are told of a task. Without the feature of that name it is
//! nothing, and costs nothing.

#[cfg(not(feature = "tracing"))]
pub(crate) use silent::{IS_ON, TaskSpan};
#[cfg(feature = "tracing")]
pub(crate) use told::{IS_ON, TaskSpan};

#[cfg(feature = "tracing")]
mod told {
    use std::cell::RefCell;

    use corio_aio::key::Key;
    use tracing::{Level, Span, event, span};

    use crate::stack::Owner;

    pub(crate) const IS_ON: bool = true;

    const TARGET: &str = "corio::task";

    /// The span of a task, from its spawn to its end.
    ///
    /// All calls run code of the user's, of which `Core::tell` keeps away what it may not do.
    pub(crate) struct TaskSpan(RefCell<Span>);

    impl TaskSpan {
        /// That of a task which is not there yet.
        pub fn none() -> TaskSpan {
            TaskSpan(RefCell::new(Span::none()))
        }

        /// The task is there, and starts.
        pub fn begin(&self, key: Key, owner: &Owner) {
            let at = owner.spawned_at.get();
            let span = owner.with_name(
                |name| span!(target: TARGET, Level::INFO, "task", name, ?key, spawned_at = %at),
            );
            event!(target: TARGET, parent: &span, Level::TRACE, "started");
            self.0.replace(span);
        }

        /// The task runs from here on.
        pub fn enter(&self) {
            // Not by a guard: those who enter and leave are the scheduler's turns, and what is
            // entered here is left on this thread, in this order, whatever the task does.
            self.0.borrow().with_subscriber(|(id, dispatch)| dispatch.enter(id));
        }

        /// The task runs no more: it waits, or has ended.
        pub fn exit(&self) {
            self.0.borrow().with_subscriber(|(id, dispatch)| dispatch.exit(id));
        }

        /// The task is asked to stop.
        pub fn cancel(&self) {
            event!(target: TARGET, parent: &*self.0.borrow(), Level::DEBUG, "asked to stop");
        }

        /// The task's closure has panicked, with this text.
        pub fn panic(&self, text: &str) {
            let span = self.0.borrow();
            event!(target: TARGET, parent: &*span, Level::ERROR, panic = text, "panicked");
        }

        /// The task has ended.
        pub fn end(&self) {
            let span = self.0.replace(Span::none());
            event!(target: TARGET, parent: &span, Level::TRACE, "ended");
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod silent {
    use corio_aio::key::Key;

    use crate::stack::Owner;

    pub(crate) const IS_ON: bool = false;

    pub(crate) struct TaskSpan;

    impl TaskSpan {
        pub fn none() -> TaskSpan {
            TaskSpan
        }

        pub fn begin(&self, _: Key, _: &Owner) {}

        pub fn enter(&self) {}

        pub fn exit(&self) {}

        pub fn cancel(&self) {}

        pub fn panic(&self, _: &str) {}

        pub fn end(&self) {}
    }
}
