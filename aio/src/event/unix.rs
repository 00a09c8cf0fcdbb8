//! Event sources as descriptors.

use std::os::fd::{AsFd, BorrowedFd};

use super::EventSource;

/// It is readable while the count is above zero.
impl AsFd for EventSource {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}
