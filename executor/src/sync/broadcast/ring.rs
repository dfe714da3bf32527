//! The values of a broadcast channel that not everybody has received yet.
//!
//! Values are numbered in the order in which they were sent. `slots[n & mask]` is the place of value n;
//! there are `capacity` slots, rounded up to a power of two, of which no more than `capacity` are used.
//!
//! ```text
//!    tail - capacity ≤ head                          tail
//!              ┊        │                             │
//!   ── lost ───┊─ free ─┴── left > 0: still wanted ───┴── not sent yet ──
//! ```
//!
//! # Invariants
//!
//! 1. `tail - capacity ≤ head ≤ tail`. `left(n) > 0 ⇔ head ≤ n < tail`: who has not received n has not
//!    received n + 1 either.
//! 2. `left(n)` is the number of receivers with `next ≤ n` that were there when n was sent.
//! 3. `value` is `Some ⇔ left > 0`. The last that wants a value gets it out of its slot.
//! 4. All is for the holder of the lock. No value is cloned or dropped here: what comes out is an
//!    [`Arc`], which the caller takes with it.

use std::sync::Arc;

struct Slot<T> {
    value: Option<Arc<T>>,
    left: usize,
}

/// See the module.
pub(super) struct Ring<T> {
    slots: Box<[Slot<T>]>,
    capacity: usize,
    head: u64,
    tail: u64,
}

/// What a receiver finds at its place.
pub(super) enum Found<T> {
    Value(Arc<T>),
    /// So many are lost that it has missed.
    Lost(u64),
}

impl<T> Ring<T> {
    pub(super) fn new(capacity: usize) -> Self {
        let empty = || Slot {
            value: None,
            left: 0,
        };
        Self {
            slots: std::iter::repeat_with(empty)
                .take(capacity.next_power_of_two())
                .collect(),
            capacity,
            head: 0,
            tail: 0,
        }
    }

    pub(super) fn tail(&self) -> u64 {
        self.tail
    }

    pub(super) fn len(&self) -> usize {
        (self.tail - self.head) as usize
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() == self.capacity
    }

    fn slot(&mut self, n: u64) -> &mut Slot<T> {
        let mask = self.slots.len() - 1;
        &mut self.slots[n as usize & mask]
    }

    /// Sends a value to `receivers`, at least one. Returns the one that is lost for it, if it is full.
    pub(super) fn push(&mut self, value: Arc<T>, receivers: usize) -> Option<Arc<T>> {
        debug_assert!(receivers > 0);
        let lost = self.is_full().then(|| {
            let slot = self.slot(self.head);
            slot.left = 0;
            let lost = slot.value.take();
            self.head += 1;
            lost.expect("a value that is wanted is there")
        });
        let slot = self.slot(self.tail);
        slot.left = receivers;
        slot.value = Some(value);
        self.tail += 1;
        lost
    }

    /// For a receiver that wants value `next`, which was sent.
    pub(super) fn take(&mut self, next: u64) -> Found<T> {
        debug_assert!(next < self.tail);
        if next < self.head {
            return Found::Lost(self.head - next);
        }
        let slot = self.slot(next);
        slot.left -= 1;
        if slot.left > 0 {
            let value = slot.value.clone();
            return Found::Value(value.expect("a value that is wanted is there"));
        }
        let value = slot.value.take();
        debug_assert_eq!(next, self.head, "invariant 1");
        self.head = next + 1;
        Found::Value(value.expect("a value that is wanted is there"))
    }

    /// For a receiver that leaves and wants `next` and all after it no more. What nobody else wants comes
    /// out.
    pub(super) fn forget(&mut self, next: u64) -> Vec<Arc<T>> {
        let mut out = Vec::new();
        for n in next.max(self.head)..self.tail {
            let slot = self.slot(n);
            slot.left -= 1;
            if slot.left == 0 {
                out.extend(slot.value.take());
                self.head = n + 1;
            }
        }
        out
    }
}
