//! Several systems.

use super::Exception;

/// See the table that this is a part of.
pub const EXCEPTIONS: &[Exception] = &[
    Exception {
        on: &["bsd", "windows"],
        why: "nothing moves bytes from one descriptor to another by way of a pipe",
        promises: &[
            "pipe::a_splice_moves_bytes_from_a_file_to_a_pipe_and_on",
            "pipe::a_splice_at_offsets_leaves_the_positions_alone",
            "pipe::a_splice_to_a_socket_arrives",
            "pipe::a_splice_of_nothing_and_at_the_end_is_zero",
            "pipe::a_splice_takes_the_longest_length",
            "pipe::a_splice_waits_for_bytes",
            "pipe::a_splice_from_an_empty_pipe_can_be_canceled",
            "pipe::a_splice_to_a_full_pipe_can_be_canceled",
            "pipe::a_splice_that_does_not_fit_tells_why",
            "pipe::a_short_splice_breaks_a_soft_chain_and_no_hard_one",
        ],
    },
    Exception {
        on: &["bsd", "windows"],
        why: "files are synced as a whole",
        promises: &["linux::a_range_is_synced", "linux::a_sync_of_what_has_no_device_is_espipe"],
    },
    Exception {
        on: &["windows", "wasi"],
        why: "files have no modes",
        promises: &[
            "dir::a_directory_is_made_with_the_mode_asked_for",
            "file::a_file_is_made_with_the_mode_asked_for",
        ],
    },
    Exception {
        on: &["windows", "wasi"],
        why: "no limit on open files can be set to run into",
        promises: &[
            "file::an_open_without_descriptors_left_is_emfile",
            "message::descriptors_that_the_process_has_no_room_for_are_missed",
            "pipe::a_pipe_without_descriptors_left_is_emfile",
            "process::a_child_exit_without_descriptors_left_is_emfile",
            "socket::an_accept_without_descriptors_left_is_emfile_and_keeps_the_connection",
        ],
    },
    Exception {
        on: &["windows", "wasi"],
        why: "no descriptors go along with messages",
        promises: &[
            "message::a_peek_leaves_the_descriptors",
            "message::a_linked_send_msg_sends_descriptors_with_many_megabytes",
            "message::descriptors_come_with_their_message_and_close_on_exec",
            "message::descriptors_that_nobody_takes_are_closed",
            "message::descriptors_without_room_are_closed_and_missed",
            "message::two_hundred_and_fifty_three_descriptors_go_and_one_more_is_einval",
            "message::a_closed_descriptor_is_not_sent",
            "message::descriptors_go_in_each_place_of_a_chain",
            "message::a_recv_msg_that_is_canceled_late_loses_no_descriptor",
            "message::a_send_msg_of_descriptors_to_a_full_socket_can_be_canceled",
        ],
    },
];
