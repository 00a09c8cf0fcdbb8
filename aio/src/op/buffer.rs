//! Memory that an operation reads from or writes to.

use std::fmt::Debug;
use std::rc::Rc;
use std::sync::Arc;

use super::private::Sealed;
use crate::sys::c;

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

/// The most buffers that one operation takes.
pub const MOST_BUFFERS: usize = c::UIO_MAXIOV as usize;

/// Several buffers that an operation reads, one after the other: an array or `Vec` of [`Buf`]s.
pub trait Bufs: Sealed {
    /// Where they are; kept in the operation, so that an array allocates nothing.
    #[doc(hidden)]
    type Vectors: AsMut<[c::iovec]> + Debug;
    /// Says where they are.
    #[doc(hidden)]
    fn vectors(&self) -> Self::Vectors;
}

/// Several buffers that an operation writes, one after the other: an array or `Vec` of [`BufMut`]s.
pub trait BufsMut: Sealed {
    /// Where they are; kept in the operation, so that an array allocates nothing.
    #[doc(hidden)]
    type Vectors: AsMut<[c::iovec]> + Debug;
    /// Says where they are.
    #[doc(hidden)]
    fn vectors(&mut self) -> Self::Vectors;
}

fn vector(buf: &impl Buf) -> c::iovec {
    let bytes = buf.bytes();
    c::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() }
}

fn vector_mut(buf: &mut impl BufMut) -> c::iovec {
    let bytes = buf.bytes_mut();
    c::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() }
}

impl<B, const N: usize> Sealed for [B; N] {}
impl<B> Sealed for Vec<B> {}

impl<B: Buf, const N: usize> Bufs for [B; N] {
    type Vectors = [c::iovec; N];

    fn vectors(&self) -> [c::iovec; N] {
        self.each_ref().map(vector)
    }
}

impl<B: BufMut, const N: usize> BufsMut for [B; N] {
    type Vectors = [c::iovec; N];

    fn vectors(&mut self) -> [c::iovec; N] {
        self.each_mut().map(vector_mut)
    }
}

impl<B: Buf> Bufs for Vec<B> {
    type Vectors = Vec<c::iovec>;

    fn vectors(&self) -> Vec<c::iovec> {
        self.iter().map(vector).collect()
    }
}

impl<B: BufMut> BufsMut for Vec<B> {
    type Vectors = Vec<c::iovec>;

    fn vectors(&mut self) -> Vec<c::iovec> {
        self.iter_mut().map(vector_mut).collect()
    }
}
