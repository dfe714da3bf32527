//! The order in which a select tries its cases: each permutation is as likely as any other, so that of
//! the cases that are ready each is as likely to be chosen.

use super::engine::MAX_CASES;
use crate::current;
use crate::rng::Rng;

/// The numbers in their order.
const IDENTITY: [u8; MAX_CASES] = {
    let mut numbers = [0; MAX_CASES];
    let mut number = 0;
    while number < MAX_CASES {
        numbers[number] = number as u8;
        number += 1;
    }
    numbers
};

/// An order of up to 64 numbers, made as it is asked for (Fisher and Yates).
pub(super) struct Order {
    /// `numbers[at..len]` have not been given out. Made for the second: the first needs no list, and where all
    /// are ready none but that is asked for.
    numbers: Option<[u8; MAX_CASES]>,
    first: usize,
    at: usize,
    len: usize,
    /// None: from the first to the last.
    random: Option<u64>,
}

impl Order {
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

impl Iterator for Order {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.at == self.len {
            return None;
        }
        let mut pick = self.at;
        if let Some(random) = &mut self.random {
            let left = (self.len - self.at) as u64;
            // A multiplication takes the place of a division: the high half of random * left.
            let wide = u128::from(*random) * u128::from(left);
            pick += (wide >> 64) as usize;
            // What is left over is as random as what was put in, less the choice made.
            *random = wide as u64;
        }
        let at = self.at;
        self.at += 1;
        if at == 0 {
            self.first = pick;
            return Some(pick);
        }
        let numbers = self.numbers.get_or_insert(IDENTITY);
        if at == 1 {
            // In its place: a copy of what was just changed would wait for the change.
            numbers.swap(0, self.first);
        }
        numbers.swap(at, pick);
        Some(usize::from(numbers[at]))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_comes_once() {
        for len in 0..=MAX_CASES {
            let mut numbers: Vec<_> = Order::new(len, false).collect();
            numbers.sort_unstable();
            assert_eq!(numbers, (0..len).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_biased_order_is_that_of_the_source() {
        assert_eq!(Order::new(5, true).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn all_orders_of_three_are_about_as_likely() {
        let mut counts = std::collections::HashMap::new();
        const ROUNDS: u32 = 60_000;
        for _ in 0..ROUNDS {
            *counts
                .entry(Order::new(3, false).collect::<Vec<_>>())
                .or_insert(0_u32) += 1;
        }
        assert_eq!(counts.len(), 6);
        // Ten thousand each, with a standard deviation of 91: ten of those are beyond luck.
        for (order, count) in counts {
            assert!(count.abs_diff(ROUNDS / 6) < 1_000, "{order:?}: {count}");
        }
    }
}
