//! Operations on terminals.

use super::private::Sealed;
use super::{Answer, BufMut, Operation, RawOp};
use crate::error::Error;
use crate::handle::{Descriptor, IntoDescriptor};
use crate::kind::OpKind;

/// Reads what was typed at the terminal `tty` into `buf`, waiting until something is there.
///
/// Yields `n`, the bytes read: `1..=buf.len()`, or 0 at the end of the input (Ctrl-D). The terminal
/// gives whole lines, unless it is in raw mode. In a chain it counts as a [`read`](super::read()):
/// if it does not fill `buf`, a soft chain ends.
///
/// # Errors
///
/// - [`Cause::Canceled`](crate::Cause::Canceled): nothing was read and `buf` is untouched.
/// - [`Cause::Os`](crate::Cause::Os)`(EIO)`: the terminal was hung up, or it belongs to another
///   job of its session.
///
/// # Platforms
///
/// On Unix it is a read, of anything that can be read; so it is on Windows, but for consoles. Keys
/// that are typed there arrive as the [VT sequences](crate::console) that a Unix terminal sends,
/// once the program has taken `ENABLE_LINE_INPUT` out of the console's mode; with it, the console
/// gives whole lines. The mouse, the size of the window and its focus are reported as the mode
/// says (`ENABLE_MOUSE_INPUT` without `ENABLE_QUICK_EDIT_MODE`, `ENABLE_WINDOW_INPUT`). What does
/// not fit into `buf` is there for the next read.
///
/// Source: read(2), termios(3); `IORING_OP_READ`, Linux 5.6; `ReadConsoleInputW`.
pub fn read_tty<F: IntoDescriptor, B: BufMut>(tty: F, buf: B) -> ReadTty<F::Descriptor, B> {
    let tty = tty.into_descriptor();
    ReadTty { tty, buf }
}

/// See [`read_tty`].
#[derive(Debug)]
pub struct ReadTty<F, B> {
    /// The terminal.
    pub tty: F,
    /// Where the bytes go.
    pub buf: B,
}

impl<F, B> Sealed for ReadTty<F, B> {}
impl<F: Descriptor, B: BufMut> Operation for ReadTty<F, B> {
    type Output = usize;
    const KIND: OpKind = OpKind::ReadTty;

    fn lower(&mut self) -> RawOp {
        let bytes = self.buf.bytes_mut();
        let (buf, len) = (bytes.as_mut_ptr(), RawOp::clamp(bytes.len()));
        RawOp::Read { fd: self.tty.raw(), buf, len, offset: RawOp::OWN_POSITION }
    }

    fn finish(&mut self, answer: Answer) -> Result<usize, Error> {
        answer.count(OpKind::ReadTty)
    }
}
