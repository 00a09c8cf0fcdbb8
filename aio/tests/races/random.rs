//! Random choices.

use std::env;
use std::hash::{BuildHasher, RandomState};

/// Choices, the same ones again for the same `CORIO_SEED`.
pub struct Random(u64);

impl Random {
    pub fn new() -> Random {
        let given = env::var("CORIO_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| RandomState::new().hash_one(0));
        println!("CORIO_SEED={seed}");
        Random(seed)
    }

    /// A number below `end`: splitmix64.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as usize % end
    }
}
