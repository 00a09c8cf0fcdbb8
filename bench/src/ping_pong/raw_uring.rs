//! Ping-pong by hand on io_uring: what a person writes who knows the exchange and uses no library.
//!
//! One enter a tick; a send is linked to the receive of the answer and completes silently. Tried
//! and left out: POLL_FIRST on the receives saves 4 to 5 % with one connection and costs 2 to 11 %
//! with 64; a registered ring descriptor is within the noise; fixed files save 1 to 6 %, but this
//! is the loop without registrations.
#![expect(unsafe_code, reason = "the kernel works on raw pointers")]

use super::{PING, PONG, ROOM, check};
use crate::measure::{Counts, Sample, after_warm_up};
use io_uring::squeue::{Entry, Flags};
use io_uring::{IoUring, SubmissionQueue, opcode, types};
use socket2::Socket;
use std::cell::UnsafeCell;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::AsRawFd;

/// One end of a connection.
struct End {
    socket: Socket,
    says: &'static [u8; 4],
    hears: &'static [u8; 4],
    /// Messages still to be received.
    due: usize,
    /// Where they go; the kernel's from the submission of a receive to its completion.
    room: Box<UnsafeCell<[u8; ROOM]>>,
}

/// Makes the exchange; see [`Run`](super::Run).
pub fn run(
    pairs: Vec<(Socket, Socket)>,
    round_trips_each: usize,
    warm_up_each: usize,
) -> io::Result<Sample> {
    let ends = pairs.into_iter().flat_map(|(client, server)| {
        [End::new(client, PING, PONG), End::new(server, PONG, PING)] // a client's index is even
    });
    // Dropped only once nothing is in flight: an error or a panic on the way leaks the buffers,
    // which the kernel may still write to while it takes the ring apart.
    let mut ends = ManuallyDrop::new(ends.collect::<Vec<End>>());
    // Both ends of all connections may submit a send and a receive in the same tick.
    let mut ring = ring(2 * ends.len())?;
    let sample = after_warm_up(warm_up_each, round_trips_each, |times| {
        exchange(&mut ring, &mut ends, times)
    })?;
    drop(ManuallyDrop::into_inner(ends));
    Ok(sample)
}

/// A ring for this thread alone, whose completions are worked off when it waits.
fn ring(entries: usize) -> io::Result<IoUring> {
    let mut builder = IoUring::builder();
    builder.setup_single_issuer().setup_defer_taskrun().setup_submit_all().setup_no_sqarray();
    builder.build(u32::try_from(entries).expect("there are few ends"))
}

/// Makes `times` round trips on every connection; when it succeeds nothing is in flight.
fn exchange(ring: &mut IoUring, ends: &mut [End], times: usize) -> io::Result<Counts> {
    let (submitter, mut submissions, mut completions) = ring.split();
    let (mut enters, mut sqes, mut cqes) = (0, 0, 0);
    for (index, end) in ends.iter_mut().enumerate() {
        end.due = times;
        sqes += end.go_on(index, is_client(index), &mut submissions);
    }
    let mut due = times * ends.len();
    while due > 0 {
        submissions.sync();
        submitter.submit_and_wait(1)?;
        enters += 1;
        submissions.sync();
        completions.sync();
        for completion in &mut completions {
            let n = usize::try_from(completion.result())
                .map_err(|_| io::Error::from_raw_os_error(-completion.result()))?;
            let index = completion.user_data() as usize;
            let end = &mut ends[index];
            check(end.heard(n), end.hears)?;
            cqes += 1;
            due -= 1;
            end.due -= 1;
            let answers = end.due > 0 || !is_client(index);
            sqes += end.go_on(index, answers, &mut submissions);
        }
    }
    Ok(Counts::Ring { enters, sqes, cqes })
}

/// Whether the end with this index is a client's.
fn is_client(index: usize) -> bool {
    index.is_multiple_of(2)
}

impl End {
    fn new(socket: Socket, says: &'static [u8; 4], hears: &'static [u8; 4]) -> Self {
        Self { socket, says, hears, due: 0, room: Box::new(UnsafeCell::new([0; ROOM])) }
    }

    /// Queues this end's message if it `says` one, linked to the next receive if one is due;
    /// answers how many entries that took.
    fn go_on(&self, index: usize, says: bool, submissions: &mut SubmissionQueue<'_>) -> u64 {
        let fd = types::Fd(self.socket.as_raw_fd());
        let hears = self.due > 0;
        if says {
            // A send completes only by failing: its success shows in the answer. MSG_WAITALL
            // because a send in part counts as a success too.
            let send = opcode::Send::new(fd, self.says.as_ptr(), self.says.len() as u32)
                .flags(libc::MSG_WAITALL);
            let link = if hears { Flags::IO_LINK } else { Flags::empty() };
            push(submissions, &send.build().flags(Flags::SKIP_SUCCESS | link));
        }
        if hears {
            let recv = opcode::Recv::new(fd, self.room.get().cast(), ROOM as u32);
            push(submissions, &recv.build().user_data(index as u64));
        }
        u64::from(says) + u64::from(hears)
    }

    /// The `n` bytes that a receive has brought.
    fn heard(&self, n: usize) -> &[u8] {
        // SAFETY: `heard` is called for the completion of this end's one receive, and the next is
        // queued by `go_on` after the last use of this borrow, so nobody writes to the room now.
        let room = unsafe { &*self.room.get() };
        &room[..n]
    }
}

/// Queues `entry`, for which the ring was made large enough.
fn push(submissions: &mut SubmissionQueue<'_>, entry: &Entry) {
    // SAFETY: an entry's message is static. Its room stays where it is, boxed, until nothing is in
    // flight: `run` drops the ends only after `exchange` has succeeded and leaks them otherwise;
    // the socket lives as long. An end has one receive in flight, so no two write to a room.
    let pushed = unsafe { submissions.push(entry) };
    pushed.expect("the ring holds two entries for each end");
}
