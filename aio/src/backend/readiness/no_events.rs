//! Operations on event sources where these are descriptors: there are none but reads and writes.

use std::collections::VecDeque;

use crate::backend::Answered;
use crate::error::Cause;
use crate::key::Key;
use crate::op::RawOp;

/// Nobody waits for anything but a descriptor.
pub struct Events;

impl Events {
    pub fn new() -> Events {
        Events
    }

    /// It is not asked for.
    ///
    /// # Safety
    ///
    /// None is needed.
    pub unsafe fn start(&mut self, _: Key, _: &RawOp) -> Option<Result<u32, Cause>> {
        Some(Err(Cause::Unsupported))
    }

    pub fn stop(&mut self, _: Key) -> bool {
        false
    }

    pub fn collect(&mut self, _: &mut VecDeque<Answered>) {}

    pub fn give_up(&mut self, _: &mut VecDeque<Answered>) {}
}
