//! What must not compile, and the sentences that say why.

use std::fs;

/// The sentences of the rules of a batch, each with the file that breaks it.
const SENTENCES: [(&str, &str); 6] = [
    ("batch_of_nothing.stderr", "a batch of nothing has nothing to complete"),
    ("array_of_nothing.stderr", "a batch of nothing has nothing to complete"),
    ("last_one_soft.stderr", "the last operation of a batch is linked to nothing"),
    ("last_one_hard.stderr", "the last operation of a batch is linked to nothing"),
    ("link_timeout_first.stderr", "a link_timeout has no operation before it that is linked to it"),
    (
        "link_timeout_unlinked.stderr",
        "a link_timeout has no operation before it that is linked to it",
    ),
];

#[cfg(target_os = "linux")]
#[test]
fn what_must_not_compile_does_not() {
    let cases = trybuild::TestCases::new();
    // The rules of a batch are checked when code is made, which is so only if something passes.
    cases.pass("tests/compile_pass/*.rs");
    cases.compile_fail("tests/compile_fail/*.rs");
}

#[cfg(not(target_os = "linux"))]
#[test]
#[ignore = "the compiler's words are the same everywhere, and looked at on Linux"]
fn what_must_not_compile_does_not() {}

#[test]
#[cfg_attr(target_os = "wasi", ignore = "the folder of the sources is not to be seen")]
fn the_wrong_batch_is_refused_with_a_plain_sentence() {
    for (file, sentence) in SENTENCES {
        let path = format!("{}/tests/compile_fail/{file}", env!("CARGO_MANIFEST_DIR"));
        let words = fs::read_to_string(path).unwrap();
        assert!(words.contains(sentence), "{file}: {words}");
    }
}
