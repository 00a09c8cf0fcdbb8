//! Windows, and Wine, which is not all of it.

use super::Exception;

/// See the table that this is a part of.
pub const EXCEPTIONS: &[Exception] = &[
    Exception {
        on: &["windows"],
        why: "a file can be given room, and in no other way",
        promises: &[
            "linux::a_punched_hole_and_a_zeroed_range_read_as_zeros",
            "linux::a_range_is_taken_out_and_put_in",
        ],
    },
    Exception {
        on: &["wine"],
        why: "Wine can't give a file room; Windows can",
        promises: &["linux::a_fallocate_can_keep_the_size"],
    },
    Exception {
        on: &["windows"],
        why: "the system takes no advice on open files and on memory",
        promises: &[
            "linux::advice_on_a_file_changes_nothing",
            "linux::advice_on_what_takes_none_tells_why",
            "linux::advice_on_memory_changes_nothing",
            "linux::advice_on_a_part_of_a_page_is_einval",
        ],
    },
    Exception {
        on: &["windows"],
        why: "two files can't exchange their names",
        promises: &[
            "dir::two_files_exchange_their_names",
            "dir::an_exchange_with_what_is_missing_is_enoent",
        ],
    },
    Exception {
        on: &["windows"],
        why: "the length of what was cut off a datagram is not told",
        promises: &[
            "message::a_truncated_message_tells_its_length",
            "transfer::a_truncated_datagram_tells_its_length",
        ],
    },
    Exception {
        on: &["wine"],
        why: "Wine's symbolic links are stubs: it says that it has made one, and has not",
        promises: &[
            "dir::a_symlink_says_its_target",
            "dir::a_symlink_that_can_not_be_tells_why",
            "dir::a_link_to_a_symlink_follows_it_if_it_is_told_to",
            "dir::symlinks_keep_their_place_in_a_chain",
            "linux::a_stat_follows_a_symlink_unless_it_is_told_not_to",
            "linux::a_stat_of_a_circle_of_symlinks_is_eloop",
        ],
    },
    Exception {
        on: &["wine"],
        why: "Wine looks for names of any length, and does not find them",
        promises: &[
            "dir::names_that_are_too_long_are_enametoolong",
            "dir::a_name_that_is_too_long_fails_in_its_turn",
            "linux::a_stat_of_a_name_that_is_too_long_is_enametoolong",
        ],
    },
    Exception {
        on: &["wine"],
        why: "Wine ends a connection in order where it was to be reset",
        promises: &[
            "message::a_recv_msg_from_a_peer_that_reset_is_econnreset",
            "transfer::a_recv_from_a_peer_that_reset_is_econnreset",
            "table::a_reset_fails_at_each_place_of_a_chain",
        ],
    },
    Exception {
        on: &["wine"],
        why: "Wine takes any option to be set",
        promises: &["option::an_option_that_can_not_be_set_fails_in_each_place_of_a_chain"],
    },
];
