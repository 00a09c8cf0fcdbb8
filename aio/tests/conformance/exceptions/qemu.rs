//! Linux in the user mode of QEMU, which carries system calls over from one processor to another.

use super::Exception;

/// See the table that this is a part of.
pub const EXCEPTIONS: &[Exception] = &[
    Exception {
        on: &["qemu-user"],
        why: "it opens the file of the running program for writing, which Linux refuses",
        promises: &["linux_only::a_program_that_runs_can_not_be_written"],
    },
    Exception {
        on: &["qemu-user"],
        why: "it leaves descriptors open that no room is left for",
        promises: &["message::descriptors_without_room_are_closed_and_missed"],
    },
    Exception {
        on: &["qemu-user"],
        why: "it copies what a buffer has room for at each interruption, and never comes to an end",
        promises: &[
            "linux_only::the_most_that_goes_at_once_is_two_gigabytes",
            "message::a_buffer_as_long_as_can_be_is_received_into",
            "table::the_longest_buffers_are_taken",
        ],
    },
    Exception {
        on: &["qemu-user"],
        why: "it knows neither the newer call for the mode of a terminal nor sockets' own flags",
        promises: &["tty::a_terminal_in_raw_mode_gives_what_is_there"],
    },
    Exception {
        on: &["qemu-user"],
        why: "the namespace that it runs in knows one user only",
        promises: &["unix_only::a_stat_tells_whose_a_file_is"],
    },
];
