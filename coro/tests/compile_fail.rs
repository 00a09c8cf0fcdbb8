//! What must not compile: what would change threads, or outlive what it borrows.

use std::fs;

/// Words that the compiler must have for each file, whatever else it says.
const WORDS: [(&str, &str); 14] = [
    ("closure_that_borrows_from_the_scope.stderr", "may outlive borrowed value `local`"),
    ("event_shared_between_threads.stderr", "cannot be shared between threads safely"),
    ("outer_task_that_borrows_an_inner_scope.stderr", "borrowed data escapes"),
    ("owned_scheduler.stderr", "lifetime may not live long enough"),
    ("scheduler_in_a_thread_local.stderr", "borrowed data escapes"),
    ("scheduler_in_another_thread.stderr", "cannot be shared between threads safely"),
    ("pool_closure_that_borrows_what_is_not_shared.stderr", "cannot be shared between threads"),
    ("handle_that_sends_a_borrow.stderr", "may outlive the current function"),
    ("scope_in_another_thread.stderr", "cannot be shared between threads safely"),
    ("spawn_that_borrows.stderr", "may outlive the current function"),
    ("stack_that_ends_before_its_task.stderr", "`stack` does not live long enough"),
    ("task_in_another_thread.stderr", "cannot be sent between threads safely"),
    ("task_that_leaves_its_scope.stderr", "borrowed data escapes"),
    ("task_name_in_another_thread.stderr", "cannot be sent between threads safely"),
];

#[test]
fn what_must_not_compile_does_not() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}

#[test]
fn each_is_refused_for_its_own_reason() {
    for (file, words) in WORDS {
        let path = format!("{}/tests/compile_fail/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains(words), "{file}: {text}");
    }
}
