//! The random numbers of one P or M: xorshift64*, after Vigna, "An experimental exploration of
//! Marsaglia's xorshift generators, scrambled" (2016).
//!
//! Every random choice of the scheduler comes from here, and every generator is derived from the
//! runtime's seed.

use std::cell::Cell;

#[derive(Debug)]
pub(crate) struct Rng(Cell<u64>);

impl Rng {
    /// The `stream`-th generator of a runtime's `seed`.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        // splitmix64, so that neighbouring streams have nothing in common, and never zero.
        let mut z = seed.wrapping_add((stream + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self(Cell::new((z ^ (z >> 31)) | 1))
    }

    pub(crate) fn next_u64(&self) -> u64 {
        let mut x = self.0.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.0.set(x);
        x.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `n`, which must not be 0.
    pub(crate) fn below(&self, n: usize) -> usize {
        // Lemire's multiplication instead of a division; the bias is n / 2^32.
        ((u128::from(self.next_u64()) * n as u128) >> 64) as usize
    }
}
