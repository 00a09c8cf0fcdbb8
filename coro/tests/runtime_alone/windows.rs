//! Windows has neither limits of handles, nor listeners that share an address.

pub const ALL: &[fn()] = &[];
