//! Ping-pong by hand on epoll: edge-triggered, each socket registered once, no receive in vain.
#![expect(unsafe_code, reason = "epoll is called through libc")]

use super::{PING, PONG, ROOM, check};
use crate::measure::{Counts, Sample, after_warm_up};
use socket2::Socket;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// One end of a connection.
struct End {
    socket: Socket,
    says: &'static [u8; 4],
    hears: &'static [u8; 4],
    /// Messages still to be received.
    due: usize,
}

/// Makes the exchange; see [`Run`](super::Run).
pub fn run(
    pairs: Vec<(Socket, Socket)>,
    round_trips_each: usize,
    warm_up_each: usize,
) -> io::Result<Sample> {
    let epoll = create()?;
    let end = |socket, says, hears| End { socket, says, hears, due: 0 };
    let ends = pairs.into_iter().flat_map(|(client, server)| {
        [end(client, PING, PONG), end(server, PONG, PING)] // a client's index is even
    });
    let mut ends: Vec<End> = ends.collect();
    for (index, end) in ends.iter().enumerate() {
        end.socket.set_nonblocking(true)?;
        add(&epoll, end, index)?;
    }
    after_warm_up(warm_up_each, round_trips_each, |times| exchange(&epoll, &mut ends, times))
}

/// Makes `times` round trips on every connection.
fn exchange(epoll: &OwnedFd, ends: &mut [End], times: usize) -> io::Result<Counts> {
    let mut room = [0; ROOM];
    let mut events = vec![libc::epoll_event { events: 0, u64: 0 }; ends.len()];
    let mut syscalls = 0;
    for (index, end) in ends.iter_mut().enumerate() {
        end.due = times;
        if is_client(index) {
            syscalls += end.say()?;
        }
    }
    let mut due = times * ends.len();
    while due > 0 {
        let ready = wait(epoll, &mut events)?;
        syscalls += 1;
        for event in &events[..ready] {
            let index = event.u64 as usize;
            let end = &mut ends[index];
            // Less than the room holds, so the socket is drained: the next message is an edge.
            let n = end.socket.read(&mut room)?;
            check(&room[..n], end.hears)?;
            syscalls += 1;
            end.due -= 1;
            due -= 1;
            if end.due > 0 || !is_client(index) {
                syscalls += end.say()?;
            }
        }
    }
    Ok(Counts::Syscalls(syscalls))
}

/// Whether the end with this index is a client's.
fn is_client(index: usize) -> bool {
    index.is_multiple_of(2)
}

impl End {
    /// Sends this end's message; answers how many system calls it took.
    fn say(&mut self) -> io::Result<u64> {
        let n = self.socket.write(self.says)?;
        assert_eq!(n, self.says.len(), "an empty socket buffer has room for one message");
        Ok(1)
    }
}

/// Makes an epoll instance.
fn create() -> io::Result<OwnedFd> {
    // SAFETY: epoll_create1(2) takes no pointer.
    let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call above has just opened `fd` (its failure returned), and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Asks to be told, under `index`, of each message that reaches `end`.
fn add(epoll: &OwnedFd, end: &End, index: usize) -> io::Result<()> {
    let interest = (libc::EPOLLIN | libc::EPOLLET).cast_unsigned();
    let mut event = libc::epoll_event { events: interest, u64: index as u64 };
    let (epoll, fd) = (epoll.as_raw_fd(), end.socket.as_raw_fd());
    // SAFETY: epoll_ctl(2) reads one `epoll_event`, a live local, and keeps no pointer to it.
    match unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &mut event) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Waits for messages; answers how many of `events` were written.
fn wait(epoll: &OwnedFd, events: &mut [libc::epoll_event]) -> io::Result<usize> {
    let room = i32::try_from(events.len()).expect("there are few ends");
    // SAFETY: epoll_wait(2) writes at most `room` events, which is the length of the slice that
    // is borrowed for the call, and keeps no pointer to them.
    let n = unsafe { libc::epoll_wait(epoll.as_raw_fd(), events.as_mut_ptr(), room, -1) };
    usize::try_from(n).map_err(|_| io::Error::last_os_error())
}
