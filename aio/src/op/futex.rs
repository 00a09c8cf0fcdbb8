//! Waiting for a word of memory to change, and waking who waits.

use std::sync::atomic::AtomicU32;

use super::private::Sealed;
use super::{Answer, Operation, RawOp};
use crate::error::Error;
use crate::kind::OpKind;

/// `FUTEX2_SIZE_U32`, and what makes it a matter of this process only.
const SIZE_U32: u32 = 0x02;
const PRIVATE: u32 = 0x80;

/// Waits until somebody wakes those that wait on `word`, if it holds `expected` when the operation
/// starts. As for all such waits: look at `word` again afterwards.
///
/// # Errors
///
/// - [`Cause::Canceled`](crate::Cause::Canceled): nobody has woken it.
/// - [`Cause::Os`](crate::Cause::Os)`(EAGAIN)`: `word` holds something else.
/// - [`Cause::Os`](crate::Cause::Os)`(EINVAL)`: the [mask](FutexWait::mask) is 0.
///
/// # Platforms
///
/// Linux with io_uring, 6.7 on; [`Cause::Unsupported`](crate::Cause::Unsupported) elsewhere.
///
/// Source: futex(2); `IORING_OP_FUTEX_WAIT`, Linux 6.7.
pub const fn futex_wait(word: &AtomicU32, expected: u32) -> FutexWait<'_> {
    FutexWait { word, expected, mask: u32::MAX, flags: SIZE_U32 | PRIVATE }
}

/// See [`futex_wait`].
#[derive(Clone, Copy, Debug)]
pub struct FutexWait<'a> {
    word: &'a AtomicU32,
    expected: u32,
    mask: u32,
    flags: u32,
}

impl FutexWait<'_> {
    /// Is woken by those only whose mask has a bit in common with this one.
    pub const fn mask(self, mask: u32) -> Self {
        FutexWait { mask, ..self }
    }

    /// Is woken by other processes too, for a `word` in memory that they share.
    pub const fn shared(self) -> Self {
        FutexWait { flags: self.flags & !PRIVATE, ..self }
    }
}

impl Sealed for FutexWait<'_> {}
impl Operation for FutexWait<'_> {
    type Output = ();
    const KIND: OpKind = OpKind::FutexWait;

    fn lower(&mut self) -> RawOp {
        let FutexWait { word, expected, mask, flags } = *self;
        RawOp::FutexWait { word: word.as_ptr(), expected, mask, flags }
    }

    fn finish(&mut self, answer: Answer) -> Result<(), Error> {
        answer.done(OpKind::FutexWait)
    }
}

/// Wakes up to `count` of those that wait on `word`; yields how many it woke.
///
/// # Errors
///
/// - [`Cause::Os`](crate::Cause::Os)`(EINVAL)`: the [mask](FutexWake::mask) is 0.
///
/// # Platforms
///
/// Linux; with io_uring from 6.7 on.
///
/// Source: futex(2); `IORING_OP_FUTEX_WAKE`, Linux 6.7.
pub const fn futex_wake(word: &AtomicU32, count: u32) -> FutexWake<'_> {
    let count = if count > i32::MAX as u32 { i32::MAX as u32 } else { count };
    FutexWake { word, count, mask: u32::MAX, flags: SIZE_U32 | PRIVATE }
}

/// See [`futex_wake`].
#[derive(Clone, Copy, Debug)]
pub struct FutexWake<'a> {
    word: &'a AtomicU32,
    count: u32,
    mask: u32,
    flags: u32,
}

impl FutexWake<'_> {
    /// Wakes those only whose mask has a bit in common with this one.
    pub const fn mask(self, mask: u32) -> Self {
        FutexWake { mask, ..self }
    }

    /// Wakes those of other processes too, for a `word` in memory that they share.
    pub const fn shared(self) -> Self {
        FutexWake { flags: self.flags & !PRIVATE, ..self }
    }
}

impl Sealed for FutexWake<'_> {}
impl Operation for FutexWake<'_> {
    type Output = usize;
    const KIND: OpKind = OpKind::FutexWake;

    fn lower(&mut self) -> RawOp {
        let FutexWake { word, count, mask, flags } = *self;
        RawOp::FutexWake { word: word.as_ptr(), count, mask, flags }
    }

    fn finish(&mut self, answer: Answer) -> Result<usize, Error> {
        answer.count(OpKind::FutexWake)
    }
}
