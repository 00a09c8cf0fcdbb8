//! The rules of STYLE.md, for this crate.

#[path = "../../aio/tests/tidy_rules/mod.rs"]
mod tidy_rules;

use tidy_rules::Tables;

/// What this crate may do where.
const TABLES: Tables = Tables {
    root: env!("CARGO_MANIFEST_DIR"),
    holds_unsafe: &[
        "src/scheduler/life.rs",
        "src/scheduler/mod.rs",
        "src/scheduler/wait.rs",
        "src/scope.rs",
        "src/stack.rs",
        "src/task.rs",
        "tests/allocations.rs",
        "tests/soundness/memory.rs",
        "tests/soundness/process.rs",
    ],
    asks_for_the_system: &[],
    is_long: &[],
    layers: &[&["stack"], &["task"], &["scheduler"], &["scope", "io", "sync"]],
    // A task's handle and its scheduler are two sides of one thing; a scheduler is set up with the
    // options of the call that it lives in.
    exceptions: &[("task", "scheduler"), ("scheduler", "scope")],
};

tidy_rules::tests!(TABLES);
