//! What the tests ask Windows for.

use std::mem;
use std::ptr::NonNull;

use windows_sys::Win32::System::Memory::{
    MEM_COMMIT, MEMORY_BASIC_INFORMATION, PAGE_READWRITE, VirtualQuery,
};

/// Whether a stack takes more and more memory as it is used, instead of all from the start.
pub const STACKS_GROW: bool = true;

/// Whether a byte can be read, and nothing comes of it.
pub fn is_readable(byte: NonNull<u8>) -> bool {
    // SAFETY: it is pointers, which may be null, and numbers.
    let mut region: MEMORY_BASIC_INFORMATION = unsafe { mem::zeroed() };
    let size = size_of_val(&region);
    // SAFETY: the call writes to `region` only.
    let told = unsafe { VirtualQuery(byte.as_ptr().cast(), &raw mut region, size) };
    told != 0 && region.State == MEM_COMMIT && region.Protect == PAGE_READWRITE
}
