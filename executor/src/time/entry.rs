//! The protocol of one timer: what its state word means and who may change what.
//!
//! ```text
//!                 (2) arm, locked                     (5) fire, locked
//!         ┌────────────────────────▶ ARMED(tick) ─────────────────────────▶ FIRED ─────┐
//!  (1)    │                          │  │  │  ▲                               ▲        │
//! new ─▶ IDLE ◀──(3) disarm, locked──┘  │  └──┘                               │        │
//!         │ ▲                           │  (4) postpone: to a later tick      │        │
//!         │ │                           │                                     │        │
//!         │ │                           └──(6) close, locked ──▶ CLOSED ──┐   │        │
//!         │ └───────────────────(7) rewind ──────────────────────────────┴───┼────────┘
//!         └─────────────────────(8) settle: FIRED or CLOSED ──────────────────┘
//! ```
//!
//! (1), (4), (7) and (8) are the owner's alone and take no lock. "Locked" means: under the lock of
//! the wheel in which the entry is filed. (2) and (3) are the owner's too; (5) and (6) are for whoever
//! turns the wheel.
//!
//! # Rules
//!
//! 1. The owner is whoever may poll, reset or drop the timer: one thread at a time.
//! 2. `links` is touched only by the wheel, under its lock.
//! 3. `waker` is written only by the owner, and under the lock while the entry is ARMED. So the owner
//!    may read it at any time, and the holder of the lock while the entry is ARMED.
//! 4. ARMED exactly while the entry is filed (or on its way from slot to slot inside
//!    `Wheel::expire`). An ARMED entry owns one waker; in every other state it owns none, and what is
//!    left in `waker` are two words without meaning.
//! 5. The store of FIRED or CLOSED is the last touch of the entry by the holder of the lock. The
//!    owner may free the entry without the lock once it has seen one of the two; it takes the lock to
//!    leave ARMED otherwise.
//! 6. The tick in `state` is never before the one at which the entry is filed: the wheel looks at the
//!    state when that tick comes, and files the entry again if it was postponed.
//!
//! # Races
//!
//! *Fire against drop*: rule 5. *Fire against postpone*: both are a compare-exchange from the same
//! ARMED(tick), so either the timer fires and the owner learns that it was too late, or the wheel sees
//! the later tick. *Fire against a poll with another waker*: the waker is exchanged under the lock, so
//! either the new one is woken or the owner sees FIRED and does not wait. *Fire against a poll with
//! the same waker*: a load that sees ARMED, be it a stale one, is followed by the wake of that waker.

use std::{
    marker::PhantomPinned,
    mem::ManuallyDrop,
    ptr::NonNull,
    task::{RawWakerVTable, Waker},
};

use super::wheel::{Linked, Links, Verdict};
use crate::primitive::{
    cell::UnsafeCell,
    sync::atomic::{AtomicU64, Ordering},
};

const IDLE: u64 = u64::MAX;
const FIRED: u64 = u64::MAX - 1;
const CLOSED: u64 = u64::MAX - 2;

/// The last tick for which an entry can be armed.
pub(crate) const LAST_TICK: u64 = u64::MAX - 3;

/// What the owner sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum State {
    /// Filed nowhere.
    Idle,
    /// Filed; it is due at this tick.
    Armed(u64),
    /// Its tick has come.
    Fired,
    /// Its runtime has shut down.
    Closed,
}

/// How [`Entry::postpone`] went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Postponed {
    Done,
    /// It was fired or closed meanwhile, and its waker was or will be woken.
    TooLate,
}

/// How [`Entry::fire`] went.
#[derive(Debug)]
#[must_use]
pub(crate) enum Fire {
    /// The entry is over and may be gone already; the waker is to be woken.
    Fired(Waker),
    /// The owner has postponed it to this tick.
    Later(u64),
}

impl Fire {
    /// Gives the waker to `out` and tells the wheel what becomes of the entry.
    pub(crate) fn collect(self, out: &mut Vec<Waker>) -> Verdict {
        match self {
            Self::Fired(waker) => {
                out.push(waker);
                Verdict::Fired
            }
            Self::Later(tick) => Verdict::Later(tick),
        }
    }
}

/// A waker as two words that can be copied and compared, so that the owner may look at them while
/// another thread takes the waker out.
#[derive(Clone, Copy)]
struct Parts {
    data: *const (),
    vtable: &'static RawWakerVTable,
}

impl Parts {
    fn of(waker: &Waker) -> Self {
        Self {
            data: waker.data(),
            vtable: waker.vtable(),
        }
    }

    fn store(waker: Waker) -> Self {
        Self::of(&ManuallyDrop::new(waker))
    }

    /// # Safety
    ///
    /// The parts must come from [`Parts::store`], and each stored waker is taken at most once.
    unsafe fn take(self) -> Waker {
        // SAFETY: these are the parts of a `Waker` that was not dropped (the caller's promise).
        unsafe { Waker::new(self.data, self.vtable) }
    }
}

/// One timer in a wheel; see the module.
pub(crate) struct Entry {
    state: AtomicU64,
    waker: UnsafeCell<Parts>,
    links: std::cell::UnsafeCell<Links<Self>>,
    _pinned: PhantomPinned,
}

// SAFETY: the raw pointers in `links` and `waker` follow rules 2 and 3; a `Waker` is Send and Sync.
unsafe impl Send for Entry {}
// SAFETY: as above.
unsafe impl Sync for Entry {}

// SAFETY: a field of the entry, valid while it is filed because the entry is not freed (rule 5).
unsafe impl Linked for Entry {
    fn links(this: NonNull<Self>) -> NonNull<Links<Self>> {
        // SAFETY: the pointer is that of a live entry, so the place of its field is in bounds.
        let cell = unsafe { &raw const (*this.as_ptr()).links };
        // SAFETY: as above, the pointer is not null.
        unsafe { NonNull::new_unchecked(std::cell::UnsafeCell::raw_get(cell)) }
    }
}

impl Entry {
    /// Transition 1.
    pub(crate) fn new() -> Self {
        Self {
            state: AtomicU64::new(IDLE),
            waker: UnsafeCell::new(Parts::of(Waker::noop())),
            links: std::cell::UnsafeCell::new(Links::new()),
            _pinned: PhantomPinned,
        }
    }

    /// What the owner sees. Unless it is [`State::Armed`], nobody else has the entry.
    #[inline]
    pub(crate) fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            // pairs with: the stores in `fire` and `close`
            IDLE => State::Idle,
            FIRED => State::Fired,
            CLOSED => State::Closed,
            tick => State::Armed(tick),
        }
    }

    /// Whether the entry was armed with a waker that wakes the same task as `waker`.
    ///
    /// # Safety
    ///
    /// Only for the owner.
    #[inline]
    pub(crate) unsafe fn is_armed_with(&self, waker: &Waker) -> bool {
        // SAFETY: only the owner writes `waker`, and that is us (rule 3).
        let parts = self.waker.with(|parts| unsafe { *parts });
        parts.data == waker.data() && std::ptr::eq(parts.vtable, waker.vtable())
    }

    /// Transition 2: ARMED at `tick`, at most [`LAST_TICK`].
    ///
    /// # Safety
    ///
    /// Only for the owner of an entry that is not ARMED, which it files under the lock it holds.
    #[inline]
    pub(crate) unsafe fn arm(&self, tick: u64, waker: Waker) {
        debug_assert!(tick <= LAST_TICK);
        let parts = Parts::store(waker);
        // SAFETY: the entry is not ARMED, so only the owner has `waker` (rule 3).
        self.waker.with_mut(|slot| unsafe { *slot = parts });
        // Relaxed: who turns the wheel reads it under the lock that we hold.
        self.state.store(tick, Ordering::Relaxed);
    }

    /// Gives an ARMED entry another waker and returns the old one; `Err` gives the new one back if
    /// the entry was fired or closed meanwhile.
    ///
    /// # Safety
    ///
    /// Only for the owner, under the lock.
    pub(crate) unsafe fn exchange_waker(&self, waker: Waker) -> Result<Waker, Waker> {
        if !matches!(self.state(), State::Armed(_)) {
            return Err(waker);
        }
        let new = Parts::store(waker);
        // SAFETY: we are the owner and hold the lock (rule 3).
        let old = self
            .waker
            .with_mut(|slot| unsafe { std::mem::replace(&mut *slot, new) });
        // SAFETY: ARMED, so the entry owned that waker (rule 4), and now it owns the new one.
        Ok(unsafe { old.take() })
    }

    /// Transition 3: back to IDLE with its waker; `None` if it was fired or closed meanwhile.
    ///
    /// # Safety
    ///
    /// Only for the owner, under the lock, and the owner takes the entry out of the wheel before it
    /// gives the lock back.
    #[inline]
    pub(crate) unsafe fn disarm(&self) -> Option<Waker> {
        if !matches!(self.state(), State::Armed(_)) {
            return None;
        }
        // SAFETY: ARMED and under the lock (rule 3).
        let parts = self.waker.with(|parts| unsafe { *parts });
        // Relaxed: only the owner looks at an entry that is in no wheel.
        self.state.store(IDLE, Ordering::Relaxed);
        // SAFETY: the entry owned the waker (rule 4) and has just stopped to.
        Some(unsafe { parts.take() })
    }

    /// Transition 4: from ARMED(`from`) to the later tick `to`, without a lock (rule 6).
    ///
    /// Only for the owner.
    #[inline]
    pub(crate) fn postpone(&self, from: u64, to: u64) -> Postponed {
        debug_assert!(from <= to && to <= LAST_TICK);
        // Acquire: FIRED and CLOSED give us the entry; pairs with: `fire`, `close`.
        // Relaxed on success: nothing but the tick is published.
        match self
            .state
            .compare_exchange(from, to, Ordering::Relaxed, Ordering::Acquire)
        {
            Ok(_) => Postponed::Done,
            Err(_) => Postponed::TooLate,
        }
    }

    /// Transition 5, if the entry is due at `now`.
    ///
    /// # Safety
    ///
    /// Under the lock, for an entry that was filed in this wheel until now. If it fired, the entry must
    /// not be touched again (rule 5).
    #[inline]
    pub(crate) unsafe fn fire(&self, now: u64) -> Fire {
        // Relaxed: all that wrote `waker` did so under the lock that we hold.
        let mut tick = self.state.load(Ordering::Relaxed);
        // SAFETY: ARMED and under the lock (rules 3 and 4).
        let parts = self.waker.with(|parts| unsafe { *parts });
        while tick <= now {
            // Release: the owner may free the entry; pairs with: `state`, `postpone`.
            match self
                .state
                .compare_exchange(tick, FIRED, Ordering::Release, Ordering::Relaxed)
            {
                // SAFETY: the entry owned the waker (rule 4) until this very exchange.
                Ok(_) => return Fire::Fired(unsafe { parts.take() }),
                Err(postponed) => tick = postponed,
            }
        }
        Fire::Later(tick)
    }

    /// Transition 6; returns the waker, which is to be woken.
    ///
    /// # Safety
    ///
    /// As for [`Entry::fire`].
    pub(crate) unsafe fn close(&self) -> Waker {
        // SAFETY: ARMED and under the lock (rules 3 and 4).
        let parts = self.waker.with(|parts| unsafe { *parts });
        // Release: the owner may free the entry; pairs with: `state`, `postpone`. A swap, because the
        // owner may postpone at the same time.
        self.state.swap(CLOSED, Ordering::Release);
        // SAFETY: the entry owned the waker (rule 4) until this very swap.
        unsafe { parts.take() }
    }

    /// Transition 7: a timer that is over may be armed again.
    ///
    /// Only for the owner of an entry that is not ARMED.
    #[inline]
    pub(crate) fn rewind(&self) {
        debug_assert!(!matches!(self.state(), State::Armed(_)));
        // Relaxed: only the owner looks at an entry that is in no wheel.
        self.state.store(IDLE, Ordering::Relaxed);
    }

    /// Transition 8: the entry is over without having been filed.
    ///
    /// Only for the owner of an IDLE entry.
    #[inline]
    pub(crate) fn settle(&self, end: End) {
        debug_assert_eq!(self.state(), State::Idle);
        // Relaxed: as in `rewind`.
        self.state.store(
            if end == End::Fired { FIRED } else { CLOSED },
            Ordering::Relaxed,
        );
    }
}

/// The two ends of a timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Fired,
    Closed,
}

impl Drop for Entry {
    fn drop(&mut self) {
        debug_assert!(!matches!(self.state(), State::Armed(_)));
        // A write as far as a model is concerned: it fails if anybody still reads.
        self.waker.with_mut(|_| ());
    }
}
