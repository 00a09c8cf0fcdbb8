//! What is the same on all systems that follow POSIX.

use std::ffi::{CString, OsStr, c_char};

/// What a path is made of.
pub type PathUnit = c_char;

/// A path as the system takes it.
#[derive(Debug, Default)]
pub struct SystemPath(CString);

impl SystemPath {
    /// The path of a place where nothing is.
    pub const NOWHERE: *const c_char = c"nowhere".as_ptr();

    /// Encodes `path`; `None` if it holds a NUL.
    pub fn new(path: &OsStr) -> Option<SystemPath> {
        CString::new(path.as_encoded_bytes()).ok().map(SystemPath)
    }

    /// How long it is, in the units of [`c::PATH_MAX`](super::c::PATH_MAX), without its end.
    pub fn len(&self) -> usize {
        self.0.count_bytes()
    }

    /// Its lowered form.
    pub fn as_ptr(&self) -> *const c_char {
        self.0.as_ptr()
    }
}
