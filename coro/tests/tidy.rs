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
