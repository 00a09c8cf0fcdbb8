//! Operations that never wait: a plain call costs less than a place in the queue, and serves
//! kernels whose queue does not know them.

use std::io;

use crate::error::Cause;
use crate::op::RawOp;

/// Does `op` at once, if it is one that never waits.
pub fn call(op: &RawOp) -> Option<Result<u32, Cause>> {
    let result = match *op {
        // SAFETY: the call takes numbers only.
        RawOp::Socket { domain, kind, protocol } => unsafe { libc::socket(domain, kind, protocol) },
        // SAFETY: the address is in place until the operation is answered, which is after this.
        RawOp::Bind { fd, address, len } => unsafe { libc::bind(fd, address, len) },
        // SAFETY: the call takes numbers only.
        RawOp::Listen { fd, backlog } => unsafe { libc::listen(fd, backlog) },
        _ => return None,
    };
    Some(
        u32::try_from(result)
            .map_err(|_| Cause::Os(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))),
    )
}
