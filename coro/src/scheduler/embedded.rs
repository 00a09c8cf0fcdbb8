//! The scheduler in a loop of somebody else's: what that polls, and how long it may sleep.

use std::io;
use std::time::Instant;

use corio_aio::OwnedDescriptor;

use super::Core;

impl Core {
    /// A descriptor that is readable when a turn has something to do that no deadline tells.
    pub fn descriptor(&self) -> io::Result<OwnedDescriptor> {
        self.make_bell()?;
        let descriptor = self.ring.borrow().descriptor()?.try_clone_to_owned()?;
        self.is_polled.set(true);
        self.is_settled.set(false);
        Ok(descriptor)
    }

    /// When a turn has something to do, whatever the descriptor says.
    pub fn next_deadline(&self) -> Option<Instant> {
        if !self.is_settled.get() || !self.ready.is_empty() || self.has_mail() {
            return Some(Instant::now());
        }
        self.ring.borrow().next_deadline().into_iter().chain(self.idle.look_at()).min()
    }
}
