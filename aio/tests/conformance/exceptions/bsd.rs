//! The BSDs, and Darwin.

use super::Exception;

/// See the table that this is a part of.
pub const EXCEPTIONS: &[Exception] = &[
    Exception {
        on: &["bsd"],
        why: "a file can be given room, if at all, and in no other way",
        promises: &[
            "linux::a_fallocate_can_keep_the_size",
            "linux::a_punched_hole_and_a_zeroed_range_read_as_zeros",
            "linux::a_range_is_taken_out_and_put_in",
        ],
    },
    Exception {
        on: &["freebsd", "netbsd", "openbsd"],
        why: "a rename replaces what is there",
        promises: &[
            "dir::a_rename_that_must_not_replace_is_eexist",
            "dir::two_files_exchange_their_names",
            "dir::an_exchange_with_what_is_missing_is_enoent",
        ],
    },
];
