//! Waiting for processes.

use std::borrow::BorrowMut;
use std::fmt;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::private::Sealed;
use super::{Answer, Operation, RawOp};
use crate::error::{Cause, Error};
use crate::handle::{Descriptor, IntoDescriptor, RawHandle};
use crate::kind::OpKind;

/// What no descriptor is called.
const NO_PROCESS: RawHandle = -1;

/// Waits until `child` has ended; yields how. The child is a `&mut Child` or a `Child`.
///
/// It knows the status afterwards too ([`Child::try_wait`]), and leaves nothing behind in the
/// system. As with [`Child::wait`], what it writes must be read by somebody, or it may wait for
/// that; its standard input is left open.
///
/// ```
/// use std::process::Command;
/// use corio_aio::{self as aio, op};
/// # fn main() -> std::io::Result<()> {
/// let mut child = Command::new("true").spawn()?;
/// assert!(aio::single(op::child_exit(&mut child))?.success());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// - [`Cause::Canceled`]: the child has not ended, and can be waited for again.
/// - [`Cause::Os`]`(EMFILE)`: the process has no descriptors left; one is needed for the time.
/// - [`Cause::Os`]`(ECHILD)`: somebody else has waited for it.
/// - [`Cause::InProgress`]: it has ended, and a debugger keeps it.
///
/// # Platforms
///
/// Linux, with every backend.
///
/// Source: pidfd_open(2), Linux 5.3; poll(2), waitpid(2); `IORING_OP_POLL_ADD`, Linux 5.1.
pub const fn child_exit<C: BorrowMut<Child>>(child: C) -> ChildExit<C> {
    ChildExit { child, pidfd: None }
}

/// See [`child_exit`].
#[derive(Debug)]
pub struct ChildExit<C> {
    /// The child.
    pub child: C,
    /// What becomes readable when the child has ended, from when the operation starts.
    pidfd: Option<Result<OwnedFd, Cause>>,
}

/// Names `child` for the OS; `None` if it has ended and was waited for.
fn open(child: &mut Child) -> Option<Result<OwnedFd, Cause>> {
    // Its number may be another's already if it was waited for, which only it knows.
    match child.try_wait() {
        Ok(Some(_)) => return None,
        Ok(None) => {}
        Err(error) => return Some(Err(cause(&error))),
    }
    let pid = Pid::from_raw(child.id() as i32).expect("a child has a number");
    let opened = pidfd_open(pid, PidfdFlags::empty());
    Some(opened.map_err(|error| Cause::Os(error.raw_os_error())))
}

fn cause(error: &io::Error) -> Cause {
    Cause::Os(error.raw_os_error().unwrap_or(libc::ECHILD))
}

impl<C> Sealed for ChildExit<C> {}
impl<C: BorrowMut<Child>> Operation for ChildExit<C> {
    type Output = ExitStatus;
    const KIND: OpKind = OpKind::ChildExit;

    fn lower(&mut self) -> RawOp {
        self.pidfd = open(self.child.borrow_mut());
        let fd = match &self.pidfd {
            None => return RawOp::Nop,
            Some(Ok(pidfd)) => pidfd.as_raw_fd(),
            // It fails when its turn comes.
            Some(Err(_)) => NO_PROCESS,
        };
        RawOp::Poll { fd, events: libc::POLLIN as u32 }
    }

    fn finish(&mut self, answer: Answer) -> Result<ExitStatus, Error> {
        let mistake = self.pidfd.take().and_then(Result::err);
        answer.or_mistake(mistake).done(OpKind::ChildExit)?;
        match self.child.borrow_mut().try_wait() {
            Ok(Some(status)) => Ok(status),
            Ok(None) => Err(Error::new(OpKind::ChildExit, Cause::InProgress)),
            Err(error) => Err(Error::new(OpKind::ChildExit, cause(&error))),
        }
    }
}

/// What became of a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Waited {
    /// The number of the process.
    pub pid: u32,
    /// What became of it.
    pub state: ChildState,
}

/// What can become of a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChildState {
    /// It has ended.
    Exited(ExitStatus),
    /// This signal has stopped it.
    Stopped(i32),
    /// It goes on after it was stopped.
    Continued,
}

/// Waits until the child that `pidfd` names has ended, or, if asked for, until it has stopped or
/// goes on; yields what became of it.
///
/// A child that has ended is gone then, unless it is [kept](WaitId::keep); so do not wait for a
/// [`Child`] of `std` with it, but with [`child_exit`].
///
/// # Errors
///
/// - [`Cause::Canceled`]: nothing has become of it, and it can be waited for again.
/// - [`Cause::Os`]`(ECHILD)`: it is no child of this process, or it was waited for already.
/// - [`Cause::Os`]`(EBADF)`: `pidfd` is closed, or not a pidfd.
///
/// # Platforms
///
/// Linux. That a child has stopped or goes on can be waited for with the io_uring of Linux 6.7 and
/// later only: the others answer [`Cause::Unsupported`] if it has not.
///
/// Source: waitid(2) with `P_PIDFD`; `IORING_OP_WAITID`, Linux 6.7; before, `IORING_OP_POLL_ADD`.
pub fn wait_id<F: IntoDescriptor>(pidfd: F) -> WaitId<F::Descriptor> {
    let pidfd = pidfd.into_descriptor();
    WaitId { pidfd, options: libc::WEXITED, info: Info::new(), mistake: None }
}

/// See [`wait_id`].
#[derive(Debug)]
pub struct WaitId<F> {
    /// The process.
    pub pidfd: F,
    options: i32,
    info: Info,
    mistake: Option<Cause>,
}

impl<F> WaitId<F> {
    /// Waits until it is stopped, too.
    pub fn or_stopped(self) -> WaitId<F> {
        WaitId { options: self.options | libc::WSTOPPED, ..self }
    }

    /// Waits until it goes on after it was stopped, too.
    pub fn or_continued(self) -> WaitId<F> {
        WaitId { options: self.options | libc::WCONTINUED, ..self }
    }

    /// Leaves it as it is, so that it can be waited for again (`WNOWAIT`).
    pub fn keep(self) -> WaitId<F> {
        WaitId { options: self.options | libc::WNOWAIT, ..self }
    }
}

impl<F> Sealed for WaitId<F> {}
impl<F: Descriptor> Operation for WaitId<F> {
    type Output = Waited;
    const KIND: OpKind = OpKind::WaitId;

    fn lower(&mut self) -> RawOp {
        let (pidfd, options) = (self.pidfd.raw(), self.options);
        // The OS would say that it is an invalid argument.
        self.mistake = (pidfd == NO_PROCESS).then_some(Cause::Os(libc::EBADF));
        RawOp::WaitId { pidfd, info: &mut self.info.0, options }
    }

    fn finish(&mut self, answer: Answer) -> Result<Waited, Error> {
        answer.or_mistake(self.mistake).done(OpKind::WaitId).map(|()| self.info.waited())
    }
}

/// What the OS says of a process.
struct Info(libc::siginfo_t);

impl Info {
    fn new() -> Info {
        // SAFETY: it is made of numbers and pointers, which may be zero.
        Info(unsafe { mem::zeroed() })
    }

    fn waited(&self) -> Waited {
        // SAFETY: all of it is initialized, and the OS has written it for a child.
        let pid = unsafe { self.0.si_pid() };
        // SAFETY: as above.
        let status = unsafe { self.0.si_status() };
        let state = match self.0.si_code {
            libc::CLD_EXITED => ChildState::Exited(ExitStatus::from_raw((status & 0xff) << 8)),
            libc::CLD_DUMPED => ChildState::Exited(ExitStatus::from_raw(status | 0x80)),
            libc::CLD_STOPPED | libc::CLD_TRAPPED => ChildState::Stopped(status),
            libc::CLD_CONTINUED => ChildState::Continued,
            _ => ChildState::Exited(ExitStatus::from_raw(status)),
        };
        Waited { pid: pid as u32, state }
    }
}

impl fmt::Debug for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Info").finish_non_exhaustive()
    }
}
