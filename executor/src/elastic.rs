//! A queue that gives its memory back: what it grew to in its worst moment is not kept for ever.
//!
//! It grows as a `VecDeque` does, to twice its size. When it is filled to less than an eighth, it shrinks to a
//! quarter: half of that is free then, so it does not grow again at once, and what is moved by all
//! shrinking together is a sixth of what was taken out. It never gets smaller than it was made, or than
//! [`KEPT`] bytes.
//!
//! Where to shrink is found out when the size changes, so a message costs one comparison of the length.

use std::collections::VecDeque;

use slab::Slab;

/// So much is not worth giving back.
const KEPT: usize = 4096;

/// See the module.
#[derive(Debug)]
pub(crate) struct Elastic<T> {
    queue: VecDeque<T>,
    /// It shrinks when it is shorter than this. 0 if it must not.
    shrink_below: usize,
    /// The least capacity.
    least: usize,
}

impl<T> Default for Elastic<T> {
    fn default() -> Self {
        Self::with_capacity(0)
    }
}

impl<T> Elastic<T> {
    /// One that holds so many without growing, and for ever.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        let queue = VecDeque::with_capacity(capacity);
        Self {
            least: capacity.max(KEPT / size_of::<T>().max(1)),
            queue,
            shrink_below: 0,
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    #[inline]
    pub(crate) fn push_back(&mut self, value: T) {
        if self.queue.len() == self.queue.capacity() {
            self.grow();
        }
        self.queue.push_back(value);
    }

    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let value = self.queue.pop_front();
        if self.queue.len() < self.shrink_below {
            self.shrink();
        }
        value
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        self.queue.reserve(1);
        self.find_shrink_below();
    }

    #[cold]
    #[inline(never)]
    fn shrink(&mut self) {
        let to = (self.queue.capacity() / 4).max(self.least);
        self.queue.shrink_to(to);
        self.find_shrink_below();
    }

    fn find_shrink_below(&mut self) {
        let capacity = self.queue.capacity();
        self.shrink_below = if capacity > 2 * self.least {
            capacity / 8
        } else {
            0
        };
    }

    /// Takes out those that are not wanted.
    pub(crate) fn retain(&mut self, is_wanted: impl FnMut(&T) -> bool) {
        self.queue.retain(is_wanted);
    }
}

/// Gives the memory of a slab back that is empty and was large. To be called when something was removed. A
/// slab in which anything lives keeps its size, for its keys are places in it.
pub(crate) fn give_back_empty<T>(slab: &mut Slab<T>) {
    if slab.is_empty() && slab.capacity() * size_of::<T>() > KEPT {
        *slab = Slab::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_burst_took_is_given_back_while_it_is_drained() {
        let mut queue = Elastic::with_capacity(0);
        for n in 0..1_000_000 {
            queue.push_back(n);
        }
        for n in 0..1_000_000 {
            assert_eq!(queue.pop_front(), Some(n));
            let (capacity, len) = (queue.queue.capacity(), queue.len());
            assert!(
                capacity <= (8 * len).max(2 * KEPT / size_of::<i32>()),
                "{capacity} for {len}"
            );
        }
        assert_eq!(queue.pop_front(), None);
    }

    #[test]
    fn what_it_was_made_with_stays() {
        let mut queue = Elastic::with_capacity(10_000);
        let capacity = queue.queue.capacity();
        for _ in 0..3 {
            (0..10_000).for_each(|n| queue.push_back(n));
            assert_eq!(queue.queue.capacity(), capacity);
            while queue.pop_front().is_some() {}
            assert_eq!(queue.queue.capacity(), capacity);
        }
        (0..100_000).for_each(|n| queue.push_back(n));
        while queue.pop_front().is_some() {}
        assert!((capacity..=2 * capacity).contains(&queue.queue.capacity()));
    }

    #[test]
    fn it_does_not_shrink_and_grow_by_turns() {
        let mut queue = Elastic::with_capacity(0);
        (0..100_000).for_each(|n| queue.push_back(n));
        let (mut changes, mut before) = (0, queue.queue.capacity());
        for n in 0..1_000_000 {
            // Around every length on the way down.
            match n % 20 {
                0..9 => queue.push_back(n),
                _ => drop(queue.pop_front()),
            }
            changes += usize::from(queue.queue.capacity() != before);
            before = queue.queue.capacity();
        }
        assert!(changes < 20, "{changes}");
    }

    #[test]
    fn what_takes_no_memory_never_shrinks() {
        let mut queue = Elastic::with_capacity(0);
        (0..10_000).for_each(|_| queue.push_back(()));
        while queue.pop_front().is_some() {}
        assert_eq!(queue.shrink_below, 0);
    }
}
