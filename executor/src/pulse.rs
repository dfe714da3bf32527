//! The pulse: what an M tells the monitor of itself, by plain stores.
//!
//! The monitor compares what it reads at two looks. If nothing has changed in between, the M is in the
//! very same poll, or in the same blocking section.
//!
//! | field | the M's thread | others |
//! |---|---|---|
//! | `tick` | counts the polls that it begins, of tasks and of bound work | read |
//! | `block` | counts the beginnings and the ends of blocking sections: odd within one | read |
//! | `site` | where the task being polled was spawned; null for a root | read |
//!
//! Counters publish nothing but themselves, so they are Relaxed; a look that comes between two stores
//! sees a mixture, which the next look puts right. `site` publishes what it points to.

use crate::primitive::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

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
            self.block.store(block.wrapping_add(1), Ordering::Relaxed);
        }
        begins
    }

    /// The M ends the section that it has begun. For the M.
    #[inline(always)]
    pub(crate) fn end_block(&self) {
        let block = self.block.load(Ordering::Relaxed);
        debug_assert_eq!(block % 2, 1, "no section has begun");
        self.block.store(block.wrapping_add(1), Ordering::Relaxed);
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
