//! The rules of STYLE.md, for this crate.

mod tidy_rules;

use tidy_rules::Tables;

/// What this crate may do where.
const TABLES: Tables = Tables {
    root: env!("CARGO_MANIFEST_DIR"),
    holds_unsafe: &[
        "src/backend/mod.rs",
        "src/backend/choice.rs",
        "src/backend/emulate.rs",
        "src/backend/links/mod.rs",
        "src/backend/links/tests.rs",
        "src/backend/readiness/attempt.rs",
        "src/backend/readiness/epoll.rs",
        "src/backend/readiness/mod.rs",
        "src/backend/readiness/poll.rs",
        "src/backend/readiness/socket.rs",
        "src/backend/readiness/transfer.rs",
        "src/backend/readiness/unsure.rs",
        "src/backend/syscall.rs",
        "src/backend/threads/mod.rs",
        "src/backend/threads/pool.rs",
        "src/backend/uring/door.rs",
        "src/backend/uring/mod.rs",
        "src/dynamic/mod.rs",
        "src/dynamic/stored.rs",
        "src/dynamic/ticket.rs",
        "src/fork.rs",
        "src/handle.rs",
        "src/immediate.rs",
        "src/op/buffer.rs",
        "src/op/header.rs",
        "src/op/option.rs",
        "src/op/process.rs",
        "src/op/raw.rs",
        "src/ring.rs",
        "src/scripted/driver.rs",
        "src/scripted/handle.rs",
        "src/scripted/tests.rs",
        "tests/choice.rs",
        "tests/conformance/circumstances.rs",
        "tests/conformance/option.rs",
        "tests/soundness.rs",
        "tests/soundness_alone.rs",
    ],
    asks_for_the_system: &["src/backend/mod.rs"],
    is_long: &[],
    layers: &[
        &["key", "kind", "fork", "guard", "handle", "event"],
        &["error"],
        &["op"],
        &["batch"],
        &["backend"],
        &["ring", "scripted"],
        &["immediate", "dynamic"],
    ],
    exceptions: &[],
};

tidy_rules::tests!(TABLES);
