//! The values of a broadcast channel that not everybody has received yet.
//!
//! Values are numbered in the order in which they were sent. `slots[n & mask]` is the place of value n;
//! there are `capacity` slots, rounded up to a power of two. Each receiver is counted in each value that is
//! sent while it is there, and so owns a share of the value before it has looked: to receive is to claim it.
//!
//! ```text
//!     63..24   23..0
//!    ┌───────┬────────┐     lap:  n / slots, of the value n that was put there last
//!    │  lap  │  left  │     left: how many have not claimed their share of it
//!    └───────┴────────┘
//!
//!                push(n, receivers)                    claim: left - 1
//!    (·, 0) ────────────────────────▶ (lap of n, left) ────────────────▶ … ──▶ (lap of n, 0)
//!                                            │                                      ▲
//!                                            └──── lose, when n + capacity comes ───┘
//! ```
//!
//! # Invariants
//!
//! With `tail` the number of values sent:
//!
//! 1. `left(n) > 0 ⇒ tail - capacity ≤ n < tail`, and who has not claimed n has not claimed n + 1 either: so
//!    those with `left > 0` are all that come after some place, and they are what the channel holds.
//! 2. `left(n)` is the number of receivers with `next ≤ n` that were there when n was sent; 0 once n is lost.
//! 3. `slot.value` is the value of `lap` as long as `left > 0`. It is written while `left == 0` only, so who
//!    has read it and then counts `left` down in the same lap has read the right one.
//! 4. `oldest` is more than every value that was lost to anybody, and no more than `tail`.
//!
//! One thread at a time pushes; anybody claims, at any time. No value is cloned or dropped here.
//!
//! # Races
//!
//! *Claim against loss.* Both change `word`. If the claim is first, the sender takes back one share less. If
//! the loss is first, the claim fails: `left` is 0 in this lap, and the next lap is another number. (The
//! lap comes round after 2^40 turns of the ring. The caller of `claim` has looked at the tail, so they would
//! have to pass between two instructions.)
//!
//! *Claim against the next value.* The pointer is read before the claim, so it may be that of a later value;
//! but then the word has changed before it, and the claim fails.

use std::{marker::PhantomData, ptr, ptr::NonNull, sync::Arc};

use super::value::{Share, Value};
use crate::primitive::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

const LEFT_BITS: u32 = 24;
const LEFT: u64 = (1 << LEFT_BITS) - 1;

/// How many receivers a channel can have.
pub(super) const MAX_RECEIVERS: usize = LEFT as usize;

/// How many values a channel can keep: as many slots as can be had, which are a power of two.
pub(super) const MAX_CAPACITY: usize = 1 << (isize::MAX as usize / size_of::<Slot<()>>()).ilog2();

struct Slot<T> {
    word: AtomicU64,
    value: AtomicPtr<Value<T>>,
}

/// See the module.
pub(super) struct Ring<T> {
    slots: Box<[Slot<T>]>,
    capacity: usize,
    oldest: AtomicU64,
    /// Values are cloned by several at once, and dropped by any.
    _values: PhantomData<Arc<T>>,
}

/// What a receiver has claimed.
pub(super) struct Claim<T> {
    pub(super) share: Share<T>,
    /// Whether nobody else will claim this value, so that its place is free.
    pub(super) was_last: bool,
}

impl<T> Ring<T> {
    pub(super) fn new(capacity: usize) -> Self {
        let empty = || Slot {
            word: AtomicU64::new(0),
            value: AtomicPtr::new(ptr::null_mut()),
        };
        Self {
            slots: std::iter::repeat_with(empty)
                .take(capacity.next_power_of_two())
                .collect(),
            capacity,
            oldest: AtomicU64::new(0),
            _values: PhantomData,
        }
    }

    pub(super) fn capacity(&self) -> u64 {
        self.capacity as u64
    }

    fn slot(&self, n: u64) -> &Slot<T> {
        let mask = self.slots.len() - 1;
        &self.slots[n as usize & mask]
    }

    /// The word of value n when nobody is left.
    fn lap(&self, n: u64) -> u64 {
        (n >> self.slots.len().trailing_zeros()) << LEFT_BITS
    }

    /// How many have not claimed value n, which was sent.
    fn left(&self, n: u64) -> u64 {
        // pairs with: the exchange in `claim`, after which `slot.value` may be written.
        let word = self.slot(n).word.load(Ordering::Acquire);
        if word & !LEFT == self.lap(n) {
            word & LEFT
        } else {
            0
        }
    }

    /// One more than the last value that was lost. Who has found that a value is not there any more sees that
    /// loss here.
    pub(super) fn oldest(&self) -> u64 {
        // At least that loss: the caller has it from the word of the slot, or from the tail, which were written
        // later. It may be a later one.
        // pairs with: the store in `lose`: the tail that the caller reads next is no less.
        self.oldest.load(Ordering::Acquire)
    }

    /// Claims value n, which was sent, and is not further back than the capacity. `None` if it is lost.
    ///
    /// # Safety
    ///
    /// The caller is a receiver that is counted in n, and has not claimed it.
    #[inline]
    pub(super) unsafe fn claim(&self, n: u64) -> Option<Claim<T>> {
        let (slot, lap) = (self.slot(n), self.lap(n));
        // pairs with: the store in `push`, and the exchange in `lose`.
        let mut word = slot.word.load(Ordering::Acquire);
        loop {
            if word & !LEFT != lap || word & LEFT == 0 {
                return None;
            }
            // Relaxed: it is there since `push`, and the exchange fails if it is a later one.
            let value = slot.value.load(Ordering::Relaxed);
            match slot.word.compare_exchange_weak(
                word,
                word - 1,
                Ordering::Release, // pairs with: `left` and `lose`: the pointer was read.
                Ordering::Acquire, // pairs with: as above.
            ) {
                Ok(_) => {
                    let value = NonNull::new(value).expect("what is pushed is not null");
                    return Some(Claim {
                        // SAFETY: invariant 3: it is the value of n; invariant 2: one share is the caller's,
                        // which by its promise it claims once.
                        share: unsafe { Share::new(value, 1) },
                        was_last: word & LEFT == 1,
                    });
                }
                Err(now) => word = now,
            }
        }
    }

    /// Whether a value would be lost by one more, before which there were `tail`.
    pub(super) fn is_full(&self, tail: u64) -> bool {
        tail.checked_sub(self.capacity())
            .is_some_and(|n| self.left(n) > 0)
    }

    /// How many of `tail` values are still to be received by somebody. For who keeps others from sending.
    pub(super) fn len(&self, tail: u64) -> usize {
        // Invariant 1 is the order that this search needs.
        let mut wanted = tail;
        let mut gone = tail.saturating_sub(self.capacity());
        while gone < wanted {
            let middle = gone + (wanted - gone) / 2;
            if self.left(middle) > 0 {
                wanted = middle;
            } else {
                gone = middle + 1;
            }
        }
        (tail - wanted) as usize
    }

    /// Sends value `tail` to `receivers`, at least one. Returns what is left of the one that is lost for it.
    /// For one thread at a time.
    pub(super) fn push(
        &self,
        tail: u64,
        value: Box<Value<T>>,
        receivers: usize,
    ) -> Option<Share<T>> {
        debug_assert!((1..=MAX_RECEIVERS).contains(&receivers));
        let lost = tail
            .checked_sub(self.capacity())
            .and_then(|old| self.lose(old));
        let slot = self.slot(tail);
        let value = value.share(receivers);
        // Relaxed: invariant 1: nobody is left at the value that was here, so whoever still reads claims nothing.
        slot.value.store(value.as_ptr(), Ordering::Relaxed);
        let word = self.lap(tail) | receivers as u64;
        slot.word.store(word, Ordering::Release); // pairs with: the load in `claim`.
        lost
    }

    /// Takes the shares of value n from those who have not claimed theirs.
    fn lose(&self, n: u64) -> Option<Share<T>> {
        if self.left(n) == 0 {
            return None;
        }
        let slot = self.slot(n);
        // Before the word, by which receivers learn that there is something to see.
        self.oldest.store(n + 1, Ordering::Release); // pairs with: the load in `oldest`.
        // pairs with: the load in `claim`; and its exchange.
        let word = slot.word.fetch_and(!LEFT, Ordering::AcqRel);
        let count = (word & LEFT) as usize;
        (count > 0).then(|| {
            let value = slot.value.load(Ordering::Relaxed);
            let value = NonNull::new(value).expect("what is pushed is not null");
            // SAFETY: invariants 2 and 3: so many have not claimed theirs, and none of them will.
            unsafe { Share::new(value, count) }
        })
    }
}
