//! The loop, which is made of what Linux has.

use std::io::Result;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use corio::aio::{Mode, op};
use corio::{Options, Scheduler, blocking, io};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::{Errno, read};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

/// What the loop's events are of.
const SCHEDULER: u64 = 0;
const HEARTBEAT: u64 = 1;

pub fn main() -> Result<()> {
    let (ours, theirs) = UnixStream::pair()?;
    Scheduler::with(Options::default(), |scheduler| {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let (descriptor, heartbeat) = (scheduler.descriptor()?, heartbeat()?);
        for (source, data) in [(&descriptor, SCHEDULER), (&heartbeat, HEARTBEAT)] {
            let data = epoll::EventData::new_u64(data);
            epoll::add(&epoll, source, data, epoll::EventFlags::IN)?;
        }

        let tasks = [
            scheduler.spawn(|| ask(&ours))?,
            scheduler.spawn(|| answer(&theirs))?,
            scheduler.spawn(compute)?,
        ];
        let mut beats = 0;
        loop {
            // One turn in each round of the loop; then it sleeps, for the scheduler as well.
            scheduler.tick(Mode::NonBlocking)?;
            if tasks.iter().all(|task| task.is_complete()) {
                break;
            }
            for event in sleep(&epoll, scheduler.next_deadline())? {
                match event.data.u64() {
                    // The next round takes the turn.
                    SCHEDULER => {}
                    _ => beats += read_heartbeat(&heartbeat)?,
                }
            }
        }
        tasks.into_iter().try_for_each(|task| task.join()?)?;
        println!("the loop's own timer rang {beats} times meanwhile");
        Ok(())
    })?
}

/// Says a word every now and then, and waits for the answer.
fn ask(peer: &UnixStream) -> Result<()> {
    for word in ["sockets", "timers"] {
        let mut buf = [0; 16];
        io::single(op::timeout(Duration::from_millis(30)))?;
        io::single(op::send(peer, word))?;
        let n = io::single(op::recv(peer, &mut buf))?;
        println!("a task heard: {}", String::from_utf8_lossy(&buf[..n]));
    }
    peer.shutdown(std::net::Shutdown::Write)
}

fn answer(peer: &UnixStream) -> Result<()> {
    let mut buf = [0; 16];
    while let n @ 1.. = io::single(op::recv(peer, &mut buf))? {
        io::single(op::send(peer, &buf[..n]))?;
    }
    Ok(())
}

/// Lets a thread work, which wakes the loop when it is done.
fn compute() -> Result<()> {
    let sum = blocking(|| {
        thread::sleep(Duration::from_millis(45));
        (1..=100).sum::<u32>()
    })?;
    println!("a thread has computed: {sum}");
    Ok(())
}

/// The events that come until `deadline`, at least one if there is none.
fn sleep(epoll: &OwnedFd, deadline: Option<Instant>) -> Result<Vec<epoll::Event>> {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    // One that is too far away is as good as none.
    let left = left.and_then(|left| Timespec::try_from(left).ok());
    let mut events = Vec::with_capacity(16);
    match epoll::wait(epoll, spare_capacity(&mut events), left.as_ref()) {
        // The system has interrupted it for the scheduler: a wake like any other.
        Ok(_) | Err(Errno::INTR) => Ok(events),
        Err(error) => Err(error.into()),
    }
}

/// A timer that rings every ten milliseconds.
fn heartbeat() -> Result<OwnedFd> {
    let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
    let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
    let every = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
    let setting = Itimerspec { it_interval: every, it_value: every };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &setting)?;
    Ok(timer)
}

/// How often it has rung since it was read.
fn read_heartbeat(timer: &OwnedFd) -> Result<u64> {
    let mut count = [0; 8];
    read(timer, &mut count)?;
    Ok(u64::from_ne_bytes(count))
}
