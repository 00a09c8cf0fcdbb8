//! Waits that the system carries out: for an event, a process or a console, on a thread of its own
//! that posts a packet in the end.

use std::ffi::c_void;
use std::io;
use std::mem;
use std::ptr;
use std::sync::Arc;

use windows_sys::Win32::Foundation::{HANDLE, INVALID_HANDLE_VALUE, WAIT_OBJECT_0};
use windows_sys::Win32::System::Threading::{
    INFINITE, RegisterWaitForSingleObject, UnregisterWaitEx, WT_EXECUTEINWAITTHREAD,
    WT_EXECUTEONLYONCE, WaitForSingleObject,
};

use crate::error::Cause;
use crate::sys::{Packet, Port};

/// A registered wait. It must be ended in one of the two ways; one that is dropped is stopped.
#[derive(Debug)]
pub struct Wait {
    wait: HANDLE,
    letter: *mut Letter,
}

/// What the thread of the system is told.
struct Letter {
    port: Arc<Port>,
    packet: Packet,
}

impl Wait {
    /// Has `packet` posted to `port` when `object` is signaled.
    pub fn new(object: HANDLE, port: &Arc<Port>, packet: Packet) -> Result<Wait, Cause> {
        let letter = Box::into_raw(Box::new(Letter { port: Arc::clone(port), packet }));
        let mut wait = ptr::null_mut();
        let flags = WT_EXECUTEONLYONCE | WT_EXECUTEINWAITTHREAD;
        // SAFETY: the letter is freed when the wait is ended, or below.
        let registered = unsafe {
            RegisterWaitForSingleObject(
                &mut wait,
                object,
                Some(post),
                letter.cast_const().cast(),
                INFINITE,
                flags,
            )
        };
        if registered == 0 {
            let error = io::Error::last_os_error();
            // SAFETY: nobody else has it.
            drop(unsafe { Box::from_raw(letter) });
            return Err(Cause::Os(error.raw_os_error().unwrap_or_default()));
        }
        Ok(Wait { wait, letter })
    }

    /// Ends it when its packet has come out of the port.
    pub fn end(self) {
        // SAFETY: it was registered, and is ended once: it is forgotten below.
        unsafe { UnregisterWaitEx(self.wait, ptr::null_mut()) };
        // SAFETY: the thread of the system has taken what it needs out of the letter before it
        // posted, and it posts once.
        drop(unsafe { Box::from_raw(self.letter) });
        mem::forget(self);
    }
}

impl Drop for Wait {
    /// Stops it. Its packet may be at the port already.
    fn drop(&mut self) {
        // SAFETY: it was registered, and is ended once. The thread of the system, if it is at
        // work, is waited for; it waits for nothing of this thread's.
        unsafe { UnregisterWaitEx(self.wait, INVALID_HANDLE_VALUE) };
        // SAFETY: the thread is done with the letter, or was never told.
        drop(unsafe { Box::from_raw(self.letter) });
    }
}

/// What the thread of the system does.
///
/// # Safety
///
/// It is called for a registered wait, with its letter, and once.
unsafe extern "system" fn post(letter: *mut c_void, _: bool) {
    // SAFETY: the letter is not freed before the packet is posted.
    let Letter { port, packet } = unsafe { &*letter.cast::<Letter>() };
    let (port, packet) = (Arc::clone(port), *packet);
    port.post(packet);
}

/// Whether `object` is signaled now.
pub fn is_signaled(object: HANDLE) -> bool {
    // SAFETY: a handle that is none is refused.
    unsafe { WaitForSingleObject(object, 0) == WAIT_OBJECT_0 }
}
