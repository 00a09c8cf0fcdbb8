//! Codes of failures, by the names that POSIX has for them.

use std::fmt;

/// What a failure may be called here. Some systems have several codes for what POSIX has one name
/// for: two are equal if they can be the same.
#[derive(Clone, Copy)]
pub struct Code([i32; Code::MOST]);

impl Code {
    const MOST: usize = 6;

    /// One of `codes`, of which there is at least one.
    pub const fn one_of(codes: &[i32]) -> Code {
        let mut all = [codes[0]; Code::MOST];
        let mut index = 1;
        while index < codes.len() {
            all[index] = codes[index];
            index += 1;
        }
        Code(all)
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Code) -> bool {
        self.0.iter().any(|code| other.0.contains(code))
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut codes = self.0.to_vec();
        codes.dedup();
        f.debug_tuple("Code").field(&codes).finish()
    }
}
