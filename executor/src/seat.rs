//! The seat: which P an M holds, and how the P can be taken from it while it runs user code.
//!
//! Two words on a cache line that only their M writes in the common case:
//!
//! * `p`: the P that the M holds, or null;
//! * `rt`: a counter, odd while the M is in scheduler code that may touch its P, even while user
//!   code runs on it.
//!
//! ```text
//!                    install (1)                      enter (2)
//!   NO P, even/odd ---------------> P, odd (in rt) <-------------> P, even (in user code)
//!         ^                            |              leave (3)            |
//!         |        release (4)         |                                   |
//!         +----------------------------+           retake (5)              |
//!         +----------------------------------------------------------------+
//! ```
//!
//! # Rules
//!
//! 1. Only the M itself calls `install`, `enter`, `leave`, `release`; anyone may retake.
//! 2. What `p` points to is touched only between an `enter` that returned it (or an `install`)
//!    and the next `leave` or `release`, and only by that M.
//! 3. User code (polls, wakers, Drop of futures) never runs between `enter` and `leave`.
//! 4. `p` goes from P to null only by compare-exchange, so of a release and a retake exactly one
//!    gets the P.
//! 5. A retake that was begun is never undone: if the M may be inside, it stays pending.
//!
//! # The retake race
//!
//! It is Dekker's: the M stores `rt` (odd) and then loads `p`; the taker stores `p` (null) and then
//! loads `rt`. Between the two steps each side needs a full fence, or both could read the old
//! value and both think that they own the P. The M enters millions of times a second and the taker
//! acts rarely, so the fence can be put where it is cheap: a process-wide barrier (`membarrier`) by
//! the taker, and no more than a compiler fence by the M. Where there is no such barrier, from when
//! the kernel refuses it (`primitive.rs`), and in the model, both sides pay a fence.
//!
//! The taker is the monitor (`sysmon/`). An M gives its P up by itself when it parks, or blocks and
//! knows that it will be for long.

use std::ptr::NonNull;

use crate::primitive::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use crate::primitive::{fence_heavy, fence_light};

/// See the module.
#[derive(Debug)]
pub(crate) struct Seat<P> {
    rt: AtomicU32,
    p: AtomicPtr<P>,
}

/// A retake that has unseated the M and waits for it to leave scheduler code.
#[must_use = "a retaken P belongs to the taker as soon as the retake is complete"]
#[derive(Debug)]
pub(crate) struct Retake<P> {
    p: NonNull<P>,
    /// `rt` at the first look: the stay that may still touch the P.
    seen: u32,
}

impl<P> Seat<P> {
    /// A seat without a P, its M in scheduler code.
    pub(crate) fn new() -> Self {
        Self {
            rt: AtomicU32::new(1),
            p: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// (2) Begins scheduler code. Returns the P if the M (still) has one.
    #[inline(always)]
    pub(crate) fn enter(&self) -> Option<NonNull<P>> {
        let rt = self.rt.load(Ordering::Relaxed);
        debug_assert_eq!(rt % 2, 0, "scheduler code was entered twice");
        // pairs with: the Acquire load in `Retake::complete`, which may meet this stay instead of the
        // `leave` before it and must then see what came before that too: a Relaxed store would end
        // the release sequence of `leave`.
        self.rt.store(rt.wrapping_add(1), Ordering::Release);
        fence_light(); // StoreLoad; pairs with: the heavy fence in `retake`.
        // pairs with: nobody: what the P holds was last touched by this thread, or `install`ed by
        // it. Null means that it was retaken, and then nothing is touched.
        NonNull::new(self.p.load(Ordering::Relaxed))
    }

    /// (3) Ends scheduler code; user code follows.
    #[inline(always)]
    pub(crate) fn leave(&self) {
        let rt = self.rt.load(Ordering::Relaxed);
        debug_assert_eq!(rt % 2, 1, "scheduler code was left twice");
        // pairs with: the Acquire load in `Retake::complete`.
        self.rt.store(rt.wrapping_add(1), Ordering::Release);
    }

    /// The P that the M, in scheduler code, holds.
    #[inline(always)]
    pub(crate) fn held(&self) -> Option<NonNull<P>> {
        debug_assert!(self.is_inside());
        NonNull::new(self.p.load(Ordering::Relaxed))
    }

    /// The P that the M seems to hold, and `rt`; for others than the M. It is a hint: only a retake
    /// tells.
    pub(crate) fn glance(&self) -> (Option<NonNull<P>>, u32) {
        let rt = self.rt.load(Ordering::Relaxed);
        (NonNull::new(self.p.load(Ordering::Relaxed)), rt)
    }

    /// Whether the M, in user code, has no P; for the M itself. True stays true until it installs one.
    #[inline(always)]
    pub(crate) fn is_vacant(&self) -> bool {
        self.p.load(Ordering::Relaxed).is_null()
    }

    /// Whether the M is in scheduler code; for its own assertions.
    pub(crate) fn is_inside(&self) -> bool {
        self.rt.load(Ordering::Relaxed) % 2 == 1
    }

    /// (1) Sits down on a P that the caller owns; the M is in scheduler code.
    pub(crate) fn install(&self, p: NonNull<P>) {
        debug_assert!(self.is_inside());
        debug_assert!(
            self.p.load(Ordering::Relaxed).is_null(),
            "an M holds one P at most"
        );
        // pairs with: the Acquire exchange in `retake`, whose taker touches the P after us.
        self.p.store(p.as_ptr(), Ordering::Release);
    }

    /// (4) Gives the P up, and returns it unless it was retaken first.
    #[must_use = "the P that is given up must go somewhere"]
    pub(crate) fn release(&self) -> Option<NonNull<P>> {
        debug_assert!(self.is_inside());
        let p = NonNull::new(self.p.load(Ordering::Relaxed))?;
        self.p
            .compare_exchange(
                p.as_ptr(),
                std::ptr::null_mut(),
                Ordering::AcqRel, // pairs with: the exchange in `retake`: one of the two wins.
                Ordering::Relaxed,
            )
            .ok()?;
        Some(p)
    }

    /// (5) Unseats the M from `p`. The P is the taker's when `complete` says so.
    pub(crate) fn retake(&self, p: NonNull<P>) -> Option<Retake<P>> {
        self.p
            .compare_exchange(
                p.as_ptr(),
                std::ptr::null_mut(),
                Ordering::AcqRel, // pairs with: `install` and `release`.
                Ordering::Relaxed,
            )
            .ok()?;
        fence_heavy(); // StoreLoad; pairs with: the light fence in `enter`.
        Some(Retake {
            p,
            seen: self.rt.load(Ordering::Relaxed),
        })
    }
}

impl<P> Retake<P> {
    /// Looks once whether the M has left the stay in scheduler code in which the retake found it.
    /// Gives the P out, or itself back: look again later, never spin for it (the M may be off CPU).
    pub(crate) fn complete(self, seat: &Seat<P>) -> Result<NonNull<P>, Self> {
        // pairs with: the Release stores in `leave` and in the `enter` after it: what the M did to the
        // P is seen by us.
        let now = seat.rt.load(Ordering::Acquire);
        if self.seen % 2 == 0 || now != self.seen {
            Ok(self.p)
        } else {
            Err(self)
        }
    }
}
