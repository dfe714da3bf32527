//! Who is idle: the packed word that every wake-up looks at.
//!
//! `word` counts the idle Ps, the spinning Ms (those that have a P and look for work) and holds the
//! bit of the M that waits in the reactor. Hot paths only load it. `mask` says which Ps are
//! idle.
//!
//! # Invariants
//!
//! 1. `idle(word) <= popcount(mask)`: a P's bit is set before it is counted, and cleared only by
//!    who has uncounted one. So whoever takes a count finds a bit, perhaps not the one it
//!    expected.
//! 2. `spinning(word)` is the number of Ms that have promised to look at every queue once
//!    more before they park.
//!
//! # Races
//!
//! *Submit against park.* Submit: (1) push, (2) fence, (3) load `word`, wake if somebody is idle
//! and nobody spins. Park: (a) publish idleness by a read-modify-write, (b) fence, (c) look at every
//! queue once more. If (3) does not see (a), then (c) sees (1).
//!
//! *The last-spinner handshake.* While somebody spins, submitters wake nobody, so the spinner owes
//! them a look: an M that stops spinning because it found work does so by a read-modify-write, and
//! if it was the last it looks whether there is more work and wakes the next. An M that stops
//! spinning because it found nothing parks, and (c) above is its look.

use crate::primitive::MODEL;
use crate::primitive::sync::atomic::{AtomicU64, Ordering, fence};

const IDLE: u64 = 1;
const SPINNING: u64 = 1 << 16;
const POLLER: u64 = 1 << 32;
const COUNT: u64 = 0xffff;

/// The most Ps that `word` can count.
pub(crate) const MAX_PROCS: usize = 1024;

const WORDS: usize = if MODEL { 1 } else { MAX_PROCS / 64 };

/// See the module.
#[derive(Debug)]
pub(crate) struct Idle {
    word: AtomicU64,
    mask: [AtomicU64; WORDS],
    /// How many Ps are in use.
    procs: AtomicU64,
}

/// A look at the word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View(u64);

impl View {
    pub(crate) fn idle(self) -> usize {
        (self.0 & COUNT) as usize
    }

    pub(crate) fn spinning(self) -> usize {
        ((self.0 / SPINNING) & COUNT) as usize
    }

    pub(crate) fn has_poller(self) -> bool {
        self.0 & POLLER != 0
    }

    /// Whether a submitter should wake somebody.
    #[inline]
    fn wants_wake(self) -> bool {
        self.0 & COUNT != 0 && self.0 & (COUNT * SPINNING) == 0
    }
}

impl Idle {
    /// All `procs` Ps are idle.
    pub(crate) fn new(procs: usize) -> Self {
        assert!((1..=MAX_PROCS).contains(&procs));
        let mask = std::array::from_fn(|word| {
            let bits = procs.saturating_sub(word * 64).min(64);
            AtomicU64::new(u64::MAX.checked_shr(64 - bits as u32).unwrap_or(0))
        });
        Self {
            word: AtomicU64::new(procs as u64 * IDLE),
            mask,
            procs: AtomicU64::new(procs as u64),
        }
    }

    /// How many Ps are in use from now on. The caller sees to it that the others leave.
    pub(crate) fn set_procs(&self, procs: usize) {
        // Relaxed: it only bounds how many spin.
        self.procs.store(procs as u64, Ordering::Relaxed);
    }

    /// A look without any promise.
    #[inline]
    pub(crate) fn view(&self) -> View {
        View(self.word.load(Ordering::Relaxed))
    }

    /// Submit, steps (2) and (3): whether somebody should be woken for what was just pushed.
    #[inline]
    pub(crate) fn should_wake(&self) -> bool {
        fence(Ordering::SeqCst); // StoreLoad between push and look; pairs with: the one in `park`.
        self.view().wants_wake()
    }

    /// Takes an idle P for an M to be woken, which spins from now on. None if that is not needed
    /// after all.
    #[must_use = "the P taken must be given to an M or parked again"]
    pub(crate) fn take_for_wake(&self) -> Option<usize> {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if !View(word).wants_wake() {
                return None;
            }
            // pairs with: the read-modify-write in `park`, so that the P's state is seen.
            match self.word.compare_exchange_weak(
                word,
                word - IDLE + SPINNING,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(self.take_bit(0)),
                Err(now) => word = now,
            }
        }
    }

    /// Takes an idle P, `prefer` if that is idle, for an M that has work and does not spin.
    #[must_use = "the P taken must be used or parked again"]
    pub(crate) fn take(&self, prefer: usize) -> Option<usize> {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & COUNT == 0 {
                return None;
            }
            // pairs with: the read-modify-write in `park`.
            match self.word.compare_exchange_weak(
                word,
                word - IDLE,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(self.take_bit(prefer)),
                Err(now) => word = now,
            }
        }
    }

    /// The second half of a take: some idle P, if possible `prefer`.
    fn take_bit(&self, prefer: usize) -> usize {
        let word = prefer / 64;
        let bit = 1 << (prefer % 64);
        // pairs with: the `fetch_or` in `park`: this P's queues are ours with all they hold.
        if self.mask[word].load(Ordering::Relaxed) & bit != 0
            && self.mask[word].fetch_and(!bit, Ordering::AcqRel) & bit != 0
        {
            return prefer;
        }
        loop {
            for (index, word) in self.mask.iter().enumerate() {
                let mut bits = word.load(Ordering::Relaxed);
                while bits != 0 {
                    let bit = bits & bits.wrapping_neg();
                    if word.fetch_and(!bit, Ordering::AcqRel) & bit != 0 {
                        return index * 64 + bit.trailing_zeros() as usize;
                    }
                    bits &= !bit;
                }
            }
            // Another taker was between its count and its bit and took the bit we were after; by
            // invariant 1 there is one left for us.
            crate::primitive::hint::spin_loop();
        }
    }

    /// Park, steps (a) and (b): the P `index` is idle from now on, and its M, if it was
    /// `spinning`, has stopped. The caller must look at every queue afterwards.
    pub(crate) fn park(&self, index: usize, spinning: bool) {
        // pairs with: `take_bit`.
        let before = self.mask[index / 64].fetch_or(1 << (index % 64), Ordering::AcqRel);
        debug_assert_eq!(before >> (index % 64) & 1, 0, "an idle P was parked again");
        let change = if spinning {
            IDLE.wrapping_sub(SPINNING)
        } else {
            IDLE
        };
        self.word.fetch_add(change, Ordering::AcqRel); // pairs with: the takes.
        fence(Ordering::SeqCst); // StoreLoad; pairs with: the fence in `should_wake`.
    }

    /// Whether the P `index` is idle at the moment.
    pub(crate) fn is_idle(&self, index: usize) -> bool {
        self.mask[index / 64].load(Ordering::Relaxed) >> (index % 64) & 1 != 0
    }

    /// Begins to spin, if few enough do: at most half as many as there are busy Ps (Go's
    /// `2*nmspinning < gomaxprocs-npidle`), so that the search does not cost more than it finds.
    #[must_use]
    pub(crate) fn start_spinning(&self) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        let view = View(word);
        let procs = self.procs.load(Ordering::Relaxed);
        if 2 * view.spinning() as u64 >= procs.saturating_sub(view.idle() as u64) {
            return false;
        }
        // One try: if the word changes under us there is life enough.
        self.word
            .compare_exchange(word, word + SPINNING, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// Stops spinning because work was found. True if this was the last spinner, who must look
    /// whether there is more work and wake the next.
    #[must_use]
    pub(crate) fn stop_spinning(&self) -> bool {
        let before = self.word.fetch_sub(SPINNING, Ordering::AcqRel);
        debug_assert!(View(before).spinning() > 0);
        fence(Ordering::SeqCst); // StoreLoad: look at the queues only after this.
        View(before).spinning() == 1
    }

    /// Becomes the one M that waits in the reactor.
    #[must_use]
    pub(crate) fn become_poller(&self) -> bool {
        // pairs with: `resign_poller`.
        self.word.fetch_or(POLLER, Ordering::AcqRel) & POLLER == 0
    }

    /// Ceases to be that M.
    pub(crate) fn resign_poller(&self) {
        // pairs with: `become_poller`.
        let before = self.word.fetch_and(!POLLER, Ordering::AcqRel);
        debug_assert!(View(before).has_poller());
    }
}
