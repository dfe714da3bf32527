//! The pulse: what an M tells the monitor of itself, by plain stores.
//!
//! The monitor compares what it reads at two looks. If nothing has changed in between, the M is in the
//! very same poll, or in the same blocking section.
//!
//! | field | the M's thread | others |
//! |---|---|---|
//! | `tick` | counts the polls that it begins, of tasks and of bound work | read |
//! | `block` | counts the beginnings and the ends of blocking sections: odd within one | read; the monitor sets `TAKEN` |
//! | `site` | where the task being polled was spawned; null for a root | read |
//!
//! # The end of a strict section
//!
//! Where no task may compute without a P (`sched/blocking.rs`), an M must know at the end of a section
//! whether its P is being taken. There the monitor claims the section by an exchange of `block` before
//! it takes the P, and the M ends it by an exchange: one of the two is first.
//!
//! Counters publish nothing but themselves, so they are Relaxed; a look that comes between two stores
//! sees a mixture, which the next look puts right. `site` publishes what it points to.

use crate::primitive::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// Set in `block` while the monitor takes the P of a strict section.
const TAKEN: u32 = 1 << 31;

/// See the module.
#[derive(Debug)]
pub(crate) struct Pulse<S> {
    tick: AtomicU32,
    block: AtomicU32,
    site: AtomicPtr<S>,
}

/// A look at a [`Pulse`].
#[derive(Debug)]
pub(crate) struct Beat<S> {
    pub(crate) tick: u32,
    pub(crate) block: u32,
    pub(crate) site: *const S,
}

/// The next count of beginnings and ends.
#[inline(always)]
fn after(block: u32) -> u32 {
    (block & !TAKEN).wrapping_add(1) & !TAKEN
}

impl<S> Pulse<S> {
    pub(crate) fn new() -> Self {
        Self {
            tick: AtomicU32::new(0),
            block: AtomicU32::new(0),
            site: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// The M begins a poll. For the M.
    #[inline(always)]
    pub(crate) fn begin_poll(&self, site: *const S) {
        let tick = self.tick.load(Ordering::Relaxed);
        self.tick.store(tick.wrapping_add(1), Ordering::Relaxed);
        // pairs with: the load in `look`.
        self.site.store(site.cast_mut(), Ordering::Release);
    }

    /// The M begins a blocking section; false if it is in one already. For the M.
    #[inline(always)]
    #[must_use = "only who has begun a section ends it"]
    pub(crate) fn begin_block(&self) -> bool {
        let block = self.block.load(Ordering::Relaxed);
        let begins = block % 2 == 0;
        if begins {
            self.block.store(after(block), Ordering::Relaxed);
        }
        begins
    }

    /// The M ends the section that it has begun. For the M.
    #[inline(always)]
    pub(crate) fn end_block(&self) {
        let block = self.block.load(Ordering::Relaxed);
        debug_assert_eq!(block % 2, 1, "no section has begun");
        self.block.store(after(block), Ordering::Relaxed);
    }

    /// The M ends a strict section, unless the monitor has claimed it: then, false, it goes on. For the M.
    #[must_use = "a section that was claimed goes on"]
    pub(crate) fn end_strict_block(&self) -> bool {
        let block = self.block.load(Ordering::Relaxed) & !TAKEN;
        debug_assert_eq!(block % 2, 1, "no section has begun");
        // Relaxed: it publishes nothing but itself.
        self.block
            .compare_exchange(block, after(block), Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// Whether the monitor has claimed the section. For the M.
    pub(crate) fn is_claimed(&self) -> bool {
        self.block.load(Ordering::Relaxed) & TAKEN != 0
    }

    /// The section that was claimed is a new one from now on. For the M, when its P is gone.
    pub(crate) fn renew_block(&self) {
        let block = self.block.load(Ordering::Relaxed);
        self.block.store(after(after(block)), Ordering::Relaxed);
    }

    /// The monitor claims the section that it saw as `block`; false if that has ended.
    #[must_use = "a section that has ended is not to be touched"]
    pub(crate) fn claim_block(&self, block: u32) -> bool {
        // Relaxed: it publishes nothing but itself.
        self.block
            .compare_exchange(block, block | TAKEN, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// The monitor has claimed the section, but could not take the P.
    pub(crate) fn unclaim_block(&self, block: u32) {
        // Relaxed: as above. If it fails, the M has seen that its P is gone.
        let _ =
            self.block
                .compare_exchange(block | TAKEN, block, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Whether the M is in a blocking section.
    #[inline(always)]
    pub(crate) fn is_blocking(&self) -> bool {
        self.block.load(Ordering::Relaxed) % 2 == 1
    }

    pub(crate) fn look(&self) -> Beat<S> {
        Beat {
            tick: self.tick.load(Ordering::Relaxed),
            block: self.block.load(Ordering::Relaxed),
            site: self.site.load(Ordering::Acquire), // pairs with: `begin_poll`.
        }
    }
}
