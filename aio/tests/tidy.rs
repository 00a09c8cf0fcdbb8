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

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn lines_fit_into_a_hundred_columns() {
    assert_none(&tidy_rules::lines_that_are_too_long(&TABLES));
}

#[test]
fn files_are_short() {
    assert_none(&tidy_rules::files_that_are_too_long(&TABLES));
}

#[test]
fn unsafe_code_is_where_it_is_said_to_be() {
    assert_none(&tidy_rules::unsafe_code_elsewhere(&TABLES));
}

#[test]
fn which_system_this_is_is_asked_in_one_place() {
    assert_none(&tidy_rules::questions_for_the_system_elsewhere(&TABLES));
    assert_none(&tidy_rules::too_many_conditions(&TABLES));
}

#[test]
fn imports_point_one_way() {
    assert_none(&tidy_rules::imports_against_the_order(&TABLES));
}

#[test]
fn every_file_says_what_is_in_it() {
    assert_none(&tidy_rules::files_without_a_first_line(&TABLES));
}

#[test]
fn nothing_is_left_over() {
    assert_none(&tidy_rules::leftovers(&TABLES));
}
