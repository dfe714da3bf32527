//! The ring: a bounded FIFO of words with one owner and many thieves. The local run queue stands
//! on it.
//!
//! It is the algorithm of Go's `runq` (`proc.go`: `runqput`, `runqget`, `runqgrab`), with one
//! addition: the owner may take several words by one compare-exchange.
//!
//! ```text
//!            head                tail
//!             v                   v
//!   . . . . [ w w w w w w w w w w ] . . . .      indices run freely; the slot is index % CAPACITY
//!             ^ claim, steal      ^ push
//!           owner, thieves      owner
//! ```
//!
//! # Invariants
//!
//! 1. `tail - head <= CAPACITY`, in wrapping arithmetic.
//! 2. `tail` is written by the owner only; `head` by compare-exchange, and only upwards.
//! 3. A word belongs to whoever moved `head` past it. Slots are read before that exchange and the
//!    reading counts only if it succeeds; so slots are atomics, and a reading that raced with the
//!    owner's reuse of the slot is thrown away.
//!
//! # Races
//!
//! *Torn read*: a thief that loads `head`, sleeps, and loads `tail` sees a distance that never was;
//! a distance beyond `CAPACITY` gives it away, and one below fails at the exchange.
//! *ABA*: to succeed wrongly an exchange would have to sleep through exactly 2^32 pushes; Go and
//! tokio accept that, and so do we.

use crossbeam_utils::CachePadded;

use crate::primitive::MODEL;
use crate::primitive::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// As many as Go's ring holds.
pub(crate) const CAPACITY: usize = if MODEL { 4 } else { 1024 };

/// See the module. The owner's methods say so; the others are for everyone.
#[derive(Debug)]
pub(crate) struct Ring {
    head: CachePadded<AtomicU32>,
    tail: CachePadded<AtomicU32>,
    slots: Box<[AtomicUsize; CAPACITY]>,
}

/// The ring was full; here is the word back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full(pub(crate) usize);

/// What came of a theft.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stolen {
    /// This word to be used at once, and the rest in the thief's ring.
    Word(usize),
    /// Nothing was there.
    Empty,
    /// Another was faster; there may be more.
    Retry,
}

impl Ring {
    pub(crate) fn new() -> Self {
        Self {
            head: CachePadded::new(AtomicU32::new(0)),
            tail: CachePadded::new(AtomicU32::new(0)),
            slots: Box::new(std::array::from_fn(|_| AtomicUsize::new(0))),
        }
    }

    #[inline]
    fn slot(&self, index: u32) -> &AtomicUsize {
        &self.slots[index as usize % CAPACITY]
    }

    /// How many words are in the ring; a guess unless the owner asks and no thief is about.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        // Relaxed: a hint. Who acts on it takes words by an exchange.
        let head = self.head.load(Ordering::Relaxed);
        let len = self.tail.load(Ordering::Relaxed).wrapping_sub(head);
        (len as usize).min(CAPACITY)
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends a word. For the owner.
    #[inline]
    pub(crate) fn push(&self, word: usize) -> Result<(), Full> {
        // pairs with: the exchanges of claim and steal: their readings of a slot come before our
        // writing it anew.
        let head = self.head.load(Ordering::Acquire);
        let tail = self.tail.load(Ordering::Relaxed);
        if tail.wrapping_sub(head) as usize >= CAPACITY {
            return Err(Full(word));
        }
        // Relaxed: published by the store of `tail`.
        self.slot(tail).store(word, Ordering::Relaxed);
        // pairs with: the Acquire load of `tail` in `steal_into`.
        self.tail.store(tail.wrapping_add(1), Ordering::Release);
        Ok(())
    }

    /// Takes the oldest word alone.
    pub(crate) fn take(&self) -> Option<usize> {
        let mut head = self.head.load(Ordering::Acquire); // pairs with: other thieves' exchanges.
        loop {
            // pairs with: the Release store in `push`.
            let len = self.tail.load(Ordering::Acquire).wrapping_sub(head);
            if len == 0 {
                return None;
            }
            let word = self.slot(head).load(Ordering::Relaxed);
            // pairs with: the load of `head` in `push`. A torn read (`len` too large) fails here.
            match self.head.compare_exchange_weak(
                head,
                head.wrapping_add(1),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Some(word),
                Err(now) => head = now,
            }
        }
    }

    /// Takes up to `buffer.len()` words, the oldest first, and returns how many. For the owner.
    #[inline]
    pub(crate) fn claim(&self, buffer: &mut [usize]) -> usize {
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            let tail = self.tail.load(Ordering::Relaxed);
            let count = (tail.wrapping_sub(head) as usize).min(buffer.len());
            if count == 0 {
                return 0;
            }
            for (i, word) in buffer[..count].iter_mut().enumerate() {
                *word = self
                    .slot(head.wrapping_add(i as u32))
                    .load(Ordering::Relaxed);
            }
            let next = head.wrapping_add(count as u32);
            // Acquire: what the owner before us (the P may have changed hands) or a thief did.
            // pairs with: the load of `head` in `push`.
            match self
                .head
                .compare_exchange_weak(head, next, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return count,
                Err(now) => head = now,
            }
        }
    }

    /// Moves the older half to `thief`, which the caller owns and which must be empty, and returns
    /// the oldest of it.
    pub(crate) fn steal_into(&self, thief: &Self) -> Stolen {
        let head = self.head.load(Ordering::Acquire); // pairs with: other thieves' exchanges.
        // pairs with: the Release store in `push`.
        let tail = self.tail.load(Ordering::Acquire);
        let len = tail.wrapping_sub(head) as usize;
        let count = len - len / 2;
        if count == 0 {
            return Stolen::Empty;
        }
        if len > CAPACITY {
            return Stolen::Retry; // The torn read.
        }
        let first = self.slot(head).load(Ordering::Relaxed);
        let to = thief.tail.load(Ordering::Relaxed);
        // pairs with: the exchanges of claim and steal, as in `push`: their readings of the thief's
        // slots come before our writing them anew.
        let from = thief.head.load(Ordering::Acquire);
        debug_assert_eq!(from, to, "a thief has nothing left of its own");
        for i in 1..count as u32 {
            let word = self.slot(head.wrapping_add(i)).load(Ordering::Relaxed);
            thief
                .slot(to.wrapping_add(i - 1))
                .store(word, Ordering::Relaxed);
        }
        let next = head.wrapping_add(count as u32);
        // pairs with: the load of `head` in `push`, and the Acquire load above.
        if self
            .head
            .compare_exchange(head, next, Ordering::AcqRel, Ordering::Relaxed)
            .is_err()
        {
            return Stolen::Retry;
        }
        if count > 1 {
            // pairs with: the Acquire load of `tail` in `steal_into`, by the next thief.
            thief
                .tail
                .store(to.wrapping_add(count as u32 - 1), Ordering::Release);
        }
        Stolen::Word(first)
    }
}
