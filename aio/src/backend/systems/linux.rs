//! Linux has io_uring, epoll and poll.

use super::Kind;
use super::absent::Absent;
use super::emulate::Emulate;
use super::readiness::{self, Readiness};
use crate::kind::Kinds;

pub const CANDIDATES: &[Kind] = &[Kind::Uring, Kind::Epoll, Kind::Poll];

pub use super::uring::Uring;
pub type Epoll = Emulate<Readiness<readiness::epoll::Epoll>>;
pub type Poll = Emulate<Readiness<readiness::poll::Poll>>;
pub type Kqueue = Absent;
pub type Iocp = Absent;

/// The operations that readiness and plain calls can't do here, whatever is asked of them.
pub const LACKS: Kinds = Kinds::NONE;

/// Whether there are threads for calls that can only block.
pub const HAS_THREADS: bool = true;

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::ptr;
    use std::sync::atomic::AtomicU32;
    use std::thread;

    use rustix::process::{Pid, PidfdFlags, pidfd_open};

    use crate::backend::syscall::plainly;
    use crate::error::Cause;
    use crate::op::{self, ChildState};

    #[test]
    #[expect(clippy::zombie_processes, reason = "it is the operation that waits")]
    fn a_process_is_waited_for_plainly() {
        let child = Command::new("true").spawn().expect("a program");
        let pid = Pid::from_raw(child.id() as i32).expect("a number");
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).expect("a child");
        let waited = plainly(op::wait_id(pidfd)).expect("it ends");
        assert!(matches!(waited.state, ChildState::Exited(status) if status.success()));
    }

    #[test]
    fn a_futex_is_woken_plainly() {
        let word = AtomicU32::new(0);
        thread::scope(|scope| {
            let ours = scope.spawn(|| {
                let what = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
                let for_ever = ptr::null::<libc::timespec>();
                // SAFETY: the word outlives the call.
                unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), what, 0, for_ever) }
            });
            assert_eq!(plainly(op::futex_wake(&word, 0)), Ok(0));
            while plainly(op::futex_wake(&word, 1)) == Ok(0) {
                thread::yield_now();
            }
            assert_eq!(ours.join().expect("no panic"), 0);
        });
        let refused = plainly(op::futex_wake(&word, 1).mask(0)).map_err(|error| error.cause());
        assert_eq!(refused, Err(Cause::Os(libc::EINVAL)));
    }
}
