//! Waiting for processes.

use std::borrow::BorrowMut;
use std::io;
use std::process::{Child, ExitStatus};

use super::private::Sealed;
use super::{Answer, Operation, RawOp};
use crate::error::{Cause, Error};
use crate::handle::{Descriptor, IntoDescriptor, RawHandle};
use crate::kind::OpKind;
pub use crate::sys::ChildState;
use crate::sys::{ChildInfo, ChildName, c};

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
/// let mut child = Command::new("rustc").arg("--version").spawn()?;
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
/// Unix and Windows, with every backend.
///
/// Source: pidfd_open(2), Linux 5.3; poll(2), waitpid(2); `IORING_OP_POLL_ADD`, Linux 5.1;
/// `EVFILT_PROC` of kqueue(2); `RegisterWaitForSingleObject`.
pub const fn child_exit<C: BorrowMut<Child>>(child: C) -> ChildExit<C> {
    ChildExit { child, name: None }
}

/// See [`child_exit`].
#[derive(Debug)]
pub struct ChildExit<C> {
    /// The child.
    pub child: C,
    /// What the OS calls the child, from when the operation starts.
    name: Option<Result<ChildName, Cause>>,
}

/// Names `child` for the OS; `None` if it has ended and was waited for.
fn name(child: &mut Child) -> Option<Result<ChildName, Cause>> {
    // Its number may be another's already if it was waited for, which only it knows.
    match child.try_wait() {
        Ok(Some(_)) => return None,
        Ok(None) => {}
        Err(error) => return Some(Err(cause(&error))),
    }
    Some(ChildName::new(child).map_err(|error| cause(&error)))
}

fn cause(error: &io::Error) -> Cause {
    match error.kind() {
        io::ErrorKind::Unsupported => Cause::Unsupported,
        _ => Cause::Os(error.raw_os_error().unwrap_or(c::ECHILD)),
    }
}

impl<C> Sealed for ChildExit<C> {}
impl<C: BorrowMut<Child>> Operation for ChildExit<C> {
    type Output = ExitStatus;
    const KIND: OpKind = OpKind::ChildExit;

    fn lower(&mut self) -> RawOp {
        self.name = name(self.child.borrow_mut());
        let child = match &self.name {
            None => return RawOp::Nop,
            Some(Ok(name)) => name.raw(),
            // It fails when its turn comes.
            Some(Err(_)) => NO_PROCESS,
        };
        RawOp::ChildExit { child }
    }

    fn finish(&mut self, answer: Answer) -> Result<ExitStatus, Error> {
        let mistake = self.name.take().and_then(Result::err);
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
    WaitId { pidfd, options: c::WEXITED, info: ChildInfo::new(), mistake: None }
}

/// See [`wait_id`].
#[derive(Debug)]
pub struct WaitId<F> {
    /// The process.
    pub pidfd: F,
    options: i32,
    info: ChildInfo,
    mistake: Option<Cause>,
}

impl<F> WaitId<F> {
    /// Waits until it is stopped, too.
    pub fn or_stopped(self) -> WaitId<F> {
        WaitId { options: self.options | c::WSTOPPED, ..self }
    }

    /// Waits until it goes on after it was stopped, too.
    pub fn or_continued(self) -> WaitId<F> {
        WaitId { options: self.options | c::WCONTINUED, ..self }
    }

    /// Leaves it as it is, so that it can be waited for again (`WNOWAIT`).
    pub fn keep(self) -> WaitId<F> {
        WaitId { options: self.options | c::WNOWAIT, ..self }
    }
}

impl<F> Sealed for WaitId<F> {}
impl<F: Descriptor> Operation for WaitId<F> {
    type Output = Waited;
    const KIND: OpKind = OpKind::WaitId;

    fn lower(&mut self) -> RawOp {
        let (pidfd, options) = (self.pidfd.raw(), self.options);
        // The OS would say that it is an invalid argument.
        self.mistake = (pidfd == NO_PROCESS).then_some(Cause::Os(c::EBADF));
        RawOp::WaitId { pidfd, info: self.info.as_mut_ptr(), options }
    }

    fn finish(&mut self, answer: Answer) -> Result<Waited, Error> {
        answer
            .or_mistake(self.mistake)
            .done(OpKind::WaitId)
            .map(|()| Waited { pid: self.info.pid(), state: self.info.state() })
    }
}
