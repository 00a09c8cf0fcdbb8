//! Paths as the OS takes them.

use std::path::Path;

use super::Answer;
use crate::error::Cause;
use crate::handle::{CLOSED, RawHandle};
use crate::sys::{PathUnit, SystemPath, c};

/// A path of an operation, or why it is none.
///
/// One that is none is lowered to something that is nowhere: the kernel would refuse it before its
/// turn, and all of its chain with it; so it fails in its turn, and nothing happens.
#[derive(Debug)]
pub struct CPath(Result<SystemPath, Cause>);

impl CPath {
    /// Makes a string of the OS of `path`.
    pub fn new(path: impl AsRef<Path>) -> CPath {
        CPath(match SystemPath::new(path.as_ref().as_os_str()) {
            None => Err(Cause::InvalidPath),
            Some(path) if path.len() == 0 => Err(Cause::Os(c::ENOENT)),
            Some(path) if path.len() >= c::PATH_MAX as usize => Err(Cause::Os(c::ENAMETOOLONG)),
            Some(path) => Ok(path),
        })
    }

    /// The same, where an empty one means something.
    pub fn may_be_empty(self) -> CPath {
        match self.0 {
            Err(Cause::Os(c::ENOENT)) => CPath(Ok(SystemPath::default())),
            _ => self,
        }
    }

    /// Whether it is one.
    pub fn is_path(&self) -> bool {
        self.0.is_ok()
    }

    /// Its lowered form: from `dir` on.
    pub fn lower(&self, dir: RawHandle) -> (RawHandle, *const PathUnit) {
        match &self.0 {
            Ok(path) => (dir, path.as_ptr()),
            Err(_) => (CLOSED, SystemPath::NOWHERE),
        }
    }

    /// What `answer` says to an operation that has these paths.
    pub fn judge<const N: usize>(answer: Answer, paths: [&CPath; N]) -> Answer {
        let fault = paths.iter().find_map(|path| path.0.as_ref().err());
        match (answer.cause(), fault) {
            (Some(Cause::Os(_)), Some(fault)) => Answer::failed(*fault),
            _ => answer,
        }
    }
}
