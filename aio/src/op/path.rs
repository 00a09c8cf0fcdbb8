//! Paths as the OS takes them.

use std::ffi::{CString, c_char};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::Answer;
use crate::error::Cause;
use crate::handle::{CLOSED, RawHandle};

/// A path of an operation.
///
/// One that holds a NUL byte is lowered to something that is nowhere, so that the operation fails
/// in its turn, and nothing happens.
#[derive(Debug)]
pub struct CPath(Option<CString>);

impl CPath {
    /// Makes a C string of `path`.
    pub fn new(path: impl AsRef<Path>) -> CPath {
        CPath(CString::new(path.as_ref().as_os_str().as_bytes()).ok())
    }

    /// Whether it is one.
    pub fn is_path(&self) -> bool {
        self.0.is_some()
    }

    /// Its lowered form: from `dir` on.
    pub fn lower(&self, dir: RawHandle) -> (RawHandle, *const c_char) {
        match &self.0 {
            Some(path) => (dir, path.as_ptr()),
            None => (CLOSED, c"nowhere".as_ptr()),
        }
    }

    /// What `answer` says to an operation that has these paths.
    pub fn judge<const N: usize>(answer: Answer, paths: [&CPath; N]) -> Answer {
        match answer.cause() {
            Some(Cause::Os(_)) if !paths.iter().all(|path| path.is_path()) => {
                Answer::failed(Cause::InvalidPath)
            }
            _ => answer,
        }
    }
}
