//! The bell: how an M wakes the monitor, which sleeps as long as it can.
//!
//! Before the monitor lies down it says by `wants` what it wants to be woken for. An M whose step is
//! wanted takes the word, and whoever took it rings, once.
//!
//! # The ring race
//!
//! It is Dekker's: the M (1) takes its step (takes a P out of `idle`, or begins a blocking section),
//! (2) passes a light fence, (3) loads `wants`. The monitor (a) stores `wants`, (b) passes a heavy
//! fence, (c) looks whether such a step was taken, and does not lie down if so. If (3) does not see
//! (a), (c) sees (1).
//!
//! A nap ends by itself, and its fence (b) is no more than the monitor's own, so that a monitor which looks again and
//! again costs no barrier each time. It orders what an M does before a full fence of its own: to take a P is seldom
//! enough to have one. A section that begins in the very moment in which the monitor lies down for a nap may be missed,
//! which costs the rest of the nap.

use crate::primitive::sync::atomic::{AtomicU32, Ordering, fence};
use crate::primitive::{fence_heavy, fence_light};

/// A step that the monitor may want to be woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wants(u32);

impl Wants {
    pub(crate) const NOTHING: Self = Self(0);
    /// A blocking section begins.
    pub(crate) const BLOCK: Self = Self(1);
    /// An M takes a P that was idle.
    pub(crate) const BUSY: Self = Self(2);
    /// An M takes the last P that was idle.
    pub(crate) const FULL: Self = Self(8);
    /// A job is submitted, or something was left to the monitor.
    pub(crate) const JOB: Self = Self(4);

    pub(crate) const fn has(self, step: Self) -> bool {
        self.0 & step.0 != 0
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Bell {
    wants: AtomicU32,
}

impl Bell {
    /// The monitor has not started yet: the first wanted step starts it.
    pub(crate) fn new(first: Wants) -> Self {
        Self {
            wants: AtomicU32::new(first.0),
        }
    }

    /// Steps (2) and (3): whether the caller, who has just taken `step`, must wake the monitor.
    #[inline(always)]
    #[must_use = "the monitor sleeps until it is woken"]
    pub(crate) fn is_wanted(&self, step: Wants) -> bool {
        fence_light(); // StoreLoad; pairs with: the heavy fence in `lie_down`.
        self.wants.load(Ordering::Relaxed) & step.0 != 0 && self.take()
    }

    /// The same for an M that holds a P which was idle; `is_full` says whether there is no other.
    #[inline]
    #[must_use = "the monitor sleeps until it is woken"]
    pub(crate) fn is_taker_wanted(&self, is_full: impl FnOnce() -> bool) -> bool {
        fence(Ordering::SeqCst); // StoreLoad; pairs with: the fences in `lie_down` and `nap`.
        let wants = self.wants.load(Ordering::Relaxed);
        let wanted = wants & Wants::BUSY.0 != 0 || (wants & Wants::FULL.0 != 0 && is_full());
        wanted && self.take()
    }

    #[cold]
    fn take(&self) -> bool {
        // Relaxed: the unpark that follows publishes the step to the monitor.
        self.wants.swap(0, Ordering::Relaxed) != 0
    }

    /// Steps (a) and (b): the monitor is about to nap, for a time. It must look once more now for what it wants.
    pub(crate) fn nap(&self, wants: Wants) {
        self.wants.store(wants.0, Ordering::Relaxed);
        fence(Ordering::SeqCst); // StoreLoad; pairs with: the fence in `is_taker_wanted`.
    }

    /// Steps (a) and (b): it is about to sleep without a limit. It must look once more now.
    pub(crate) fn lie_down(&self, wants: Wants) {
        self.wants.store(wants.0, Ordering::Relaxed);
        fence_heavy(); // StoreLoad; pairs with: the light fence in `is_wanted`.
    }

    /// The monitor is up.
    pub(crate) fn rise(&self) {
        self.wants.store(0, Ordering::Relaxed);
    }
}
