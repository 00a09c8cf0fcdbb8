//! Memory that an operation reads from or writes to.

use std::rc::Rc;
use std::sync::Arc;

/// Bytes that an operation reads: borrowed (`&[u8]`, `&str`, `&Vec<u8>`, `b"…"`) or owned
/// (`Vec<u8>`, `String`, `Box<[u8]>`, `Arc<[u8]>`).
///
/// # Safety
///
/// The memory that `bytes` names stays where it is and unchanged for as long as `self` is neither
/// used again nor dropped; moving `self` does not move it.
pub unsafe trait Buf {
    /// The bytes.
    fn bytes(&self) -> &[u8];
}

/// Bytes that an operation writes: borrowed (`&mut [u8]`, `&mut [u8; N]`, `&mut Vec<u8>`) or owned
/// (`Vec<u8>`, `Box<[u8]>`). Of a `Vec`, its length counts, not its capacity.
///
/// # Safety
///
/// The memory that `bytes_mut` names stays where it is, and nothing else uses it, for as long as
/// `self` is neither used again nor dropped; moving `self` does not move it.
pub unsafe trait BufMut {
    /// The bytes.
    fn bytes_mut(&mut self) -> &mut [u8];
}

macro_rules! buffers {
    ($trait:ident::$bytes:ident $self:ty, $result:ty, $as:ident;
     $(($($generic:tt)*) $type:ty),+ $(,)?) => {$(
        // SAFETY: a shared borrow or owner keeps everybody from changing the bytes, an exclusive
        // one keeps everybody else out; none holds them inside itself, so moving it moves no byte.
        unsafe impl<$($generic)*> $trait for $type {
            fn $bytes(self: $self) -> $result {
                self.$as()
            }
        }
    )+};
}

buffers! {
    Buf::bytes &Self, &[u8], as_ref;
    () &[u8], (const N: usize) &[u8; N], () &Vec<u8>, () &Box<[u8]>, () &str, () &String,
    () Vec<u8>, () Box<[u8]>, () String, () Rc<[u8]>, () Arc<[u8]>,
}

buffers! {
    BufMut::bytes_mut &mut Self, &mut [u8], as_mut;
    () &mut [u8], (const N: usize) &mut [u8; N], () &mut Vec<u8>, () &mut Box<[u8]>,
    () Vec<u8>, () Box<[u8]>,
}
