//! The order in which a select tries its cases: each permutation is as likely as any other, so that of
//! the cases that are ready each is as likely to be chosen.

use super::engine::INLINE;
use crate::current;
use crate::rng::Rng;

/// The numbers that an order has not given out yet.
pub(super) trait Numbers {
    /// How many picks one random word is good for: it is used up by the logarithm of what there is to choose
    /// from.
    const PICKS: usize;

    /// The numbers below `len`.
    fn below(len: usize) -> Self;

    fn swap(&mut self, one: usize, other: usize);

    fn get(&self, at: usize) -> usize;
}

/// Up to `INLINE`.
type Few = [u8; INLINE];

const IDENTITY: Few = {
    let mut numbers = [0; INLINE];
    let mut number = 0;
    while number < INLINE {
        numbers[number] = number as u8;
        number += 1;
    }
    numbers
};

impl Numbers for Few {
    const PICKS: usize = 8; // of six bits

    #[inline]
    fn below(_: usize) -> Self {
        IDENTITY
    }

    #[inline]
    fn swap(&mut self, one: usize, other: usize) {
        self[..].swap(one, other);
    }

    #[inline]
    fn get(&self, at: usize) -> usize {
        usize::from(self[at])
    }
}

impl Numbers for Vec<u32> {
    const PICKS: usize = 2; // of 24 bits

    fn below(len: usize) -> Self {
        (0..len as u32).collect()
    }

    fn swap(&mut self, one: usize, other: usize) {
        self[..].swap(one, other);
    }

    fn get(&self, at: usize) -> usize {
        self[at] as usize
    }
}

/// An order of the numbers of some cases, made as it is asked for (Fisher and Yates).
pub(super) struct Order<L> {
    /// What is from `at` on has not been given out. Made for the second: the first needs no list, and where all
    /// are ready none but that is asked for.
    numbers: Option<L>,
    first: usize,
    at: usize,
    len: usize,
    /// None: from the first to the last.
    random: Option<u64>,
}

impl<L: Numbers> Order<L> {
    #[inline]
    pub(super) fn new(len: usize, biased: bool) -> Self {
        Self {
            numbers: None,
            first: 0,
            at: 0,
            len,
            random: (!biased && len > 1).then(random),
        }
    }
}

impl<L: Numbers> Iterator for Order<L> {
    type Item = usize;

    // Always: called, it was a tenth of what a select of two that are ready cost.
    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        if self.at == self.len {
            return None;
        }
        let mut pick = self.at;
        if let Some(word) = &mut self.random {
            if self.at % L::PICKS == 0 && self.at > 0 {
                *word = another();
            }
            let left = (self.len - self.at) as u64;
            // A multiplication takes the place of a division: the high half of word * left.
            let wide = u128::from(*word) * u128::from(left);
            pick += (wide >> 64) as usize;
            // What is left over is as random as what was put in, less the choice made.
            *word = wide as u64;
        }
        let at = self.at;
        self.at += 1;
        if at == 0 {
            self.first = pick;
            return Some(pick);
        }
        let len = self.len;
        let numbers = self.numbers.get_or_insert_with(|| L::below(len));
        if at == 1 {
            // In its place: a copy of what was just changed would wait for the change.
            numbers.swap(0, self.first);
        }
        numbers.swap(at, pick);
        Some(numbers.get(at))
    }
}

/// From the P's generator, which the runtime's seed decides; elsewhere from one of the thread.
fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};

    thread_local! {
        static OF_THREAD: Rng = Rng::new(RandomState::new().hash_one(0), 0);
    }
    let m = current::m();
    // SAFETY: (1) `current::m` is valid while set.
    let m = (!m.is_null()).then(|| unsafe { &*m });
    m.and_then(|m| m.with_p(|p| p.rng.next_u64()))
        .unwrap_or_else(|| OF_THREAD.with(Rng::next_u64))
}

/// Apart, for it is seldom wanted.
#[cold]
#[inline(never)]
fn another() -> u64 {
    random()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all<L: Numbers>(len: usize, biased: bool) -> Vec<usize> {
        Order::<L>::new(len, biased).collect()
    }

    #[test]
    fn each_number_comes_once() {
        let is_complete = |mut numbers: Vec<usize>, len| {
            numbers.sort_unstable();
            numbers == (0..len).collect::<Vec<_>>()
        };
        for len in 0..=INLINE {
            assert!(is_complete(all::<Few>(len, false), len));
        }
        for len in [0, 1, 2, 65, 1000] {
            assert!(is_complete(all::<Vec<u32>>(len, false), len));
        }
    }

    #[test]
    fn a_biased_order_is_that_of_the_source() {
        assert_eq!(all::<Few>(5, true), [0, 1, 2, 3, 4]);
        assert_eq!(all::<Vec<u32>>(5, true), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn all_orders_of_three_are_about_as_likely() {
        let mut counts = std::collections::HashMap::new();
        const ROUNDS: u32 = 60_000;
        for _ in 0..ROUNDS {
            *counts.entry(all::<Few>(3, false)).or_insert(0_u32) += 1;
        }
        assert_eq!(counts.len(), 6);
        // Ten thousand each, with a standard deviation of 91: ten of those are beyond luck.
        for (order, count) in counts {
            assert!(count.abs_diff(ROUNDS / 6) < 1_000, "{order:?}: {count}");
        }
    }

    /// Of two that are ready among many, each comes first as often, wherever the two are.
    fn first_of_two<L: Numbers>(len: usize, one: usize, other: usize) {
        const ROUNDS: u32 = 20_000;
        let mut firsts = 0;
        for _ in 0..ROUNDS {
            let mut order = Order::<L>::new(len, false);
            let first = order.find(|&number| number == one || number == other);
            firsts += u32::from(first == Some(one));
        }
        // Ten thousand, with a standard deviation of 71.
        let off = firsts.abs_diff(ROUNDS / 2);
        assert!(off < 700, "{one} before {other} of {len}: {firsts}");
    }

    #[test]
    fn the_chances_are_the_same_at_the_end_of_a_long_order() {
        for (one, other) in [(0, 1), (0, 63), (62, 63), (31, 32), (5, 40)] {
            first_of_two::<Few>(64, one, other);
        }
        for (one, other) in [(0, 1), (0, 299), (298, 299), (7, 150)] {
            first_of_two::<Vec<u32>>(300, one, other);
        }
    }
}
