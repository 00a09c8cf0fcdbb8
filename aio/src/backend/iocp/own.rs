//! Calls that may wait for ever, such as a read of a pipe that was made without overlapped
//! operations in mind: each has a thread to itself, in which it can be interrupted. The threads of
//! the process are few, and calls that end soon would have to wait for them.

use std::io;
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::sync::{Arc, Mutex};
use std::thread;

use windows_sys::Win32::System::IO::CancelSynchronousIo;

use super::calls;
use crate::error::Cause;
use crate::op::RawOp;
use crate::sys::{Packet, Port};

/// What its stack has: see the other threads.
const STACK_BYTES: usize = 128 << 10;

/// A call that is made in a thread of its own.
#[derive(Debug)]
pub struct OwnCall {
    thread: OwnedHandle,
    result: Arc<Mutex<Option<Result<u32, Cause>>>>,
}

impl OwnCall {
    /// Makes the call of `op`; `packet` is posted to `port` when it is done.
    ///
    /// # Errors
    ///
    /// The system has no thread for it.
    ///
    /// # Safety
    ///
    /// The memory that `op` names stays valid and in place and, where it is written to, unused,
    /// until the packet has come.
    pub unsafe fn new(op: &RawOp, port: &Arc<Port>, packet: Packet) -> io::Result<OwnCall> {
        let result = Arc::new(Mutex::new(None));
        let (op, port, place) = (*op, Arc::clone(port), Arc::clone(&result));
        let thread = thread::Builder::new().name("corio-call".into()).stack_size(STACK_BYTES);
        let thread = thread.spawn(move || {
            // SAFETY: the caller has promised it, as the packet is still to be posted.
            let result = unsafe { calls::call(&op) };
            let mut place = place.lock().expect("nothing panics while it holds the lock");
            *place = Some(result.unwrap_or(Err(Cause::Unsupported)));
            drop(place);
            port.post(packet);
        })?;
        Ok(OwnCall { thread: thread.into(), result })
    }

    /// Interrupts the call, if it waits by now.
    pub fn interrupt(&self) {
        // SAFETY: the thread does nothing else that could be interrupted by this.
        unsafe { CancelSynchronousIo(self.thread.as_raw_handle()) };
    }

    /// What came of the call, once its packet has come.
    pub fn result(&self) -> Result<u32, Cause> {
        let result = self.result.lock().expect("nothing panics while it holds the lock");
        result.expect("the result is there before the packet")
    }
}
