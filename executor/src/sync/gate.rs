//! A word, and those who wait for it to change.
//!
//! It is what the channels and cells of this folder have in common: a condition that is read off one
//! word, and steps that change the word and let everybody who waits look again.
//!
//! ```text
//!   bit  1..64    0
//!      ┌───────┬────────┐
//!      │ value │ WAITED │     value: the primitive's own; UNIT is its one
//!      └───────┴────────┘
//!
//!                   wait: WAITED set, locked               change: value
//!     not WAITED ─────────────────────────────▶ WAITED ────────────────────▶ WAITED, value changed
//!         ▲                                                                     │
//!         └───────────── open: WAITED cleared, list taken, locked ──────────────┘
//! ```
//!
//! # Rules
//!
//! 1. `value` changes by read-modify-write only, and whoever changed it so that a condition may hold
//!    opens the gate with the [`Change`] that it got.
//! 2. WAITED is set and cleared under the lock of `queue`. `!WAITED ⇒ the list is empty`; WAITED
//!    with an empty list is allowed: it costs one look under the lock.
//! 3. Opening grants nothing: who was woken looks at the word, and waits again if it must.
//!
//! # Races
//!
//! *Wait against change*: both are a read-modify-write of the word. If the waiter's is first, the
//! change sees WAITED, and its opener takes the list under the lock that the waiter held since before
//! it set WAITED. If the change is first, the waiter sees the new value and does not wait.
//! *Open against open*: the second finds the list empty, or those who came since.

use std::{
    fmt,
    ops::ControlFlow,
    pin::Pin,
    task::{Poll, Waker, ready},
};

use super::waiters::{Home, Locked, Queue, Waiter};
use super::wakes::Wakes;
use crate::primitive::{
    const_fn,
    sync::atomic::{AtomicU64, Ordering},
};

const WAITED: u64 = 1;

/// The lowest bit that is the primitive's.
pub(crate) const UNIT: u64 = 2;

/// See the module.
pub(crate) struct Gate {
    word: AtomicU64,
    queue: Queue<(), ()>,
}

/// What a change of the word found.
#[derive(Debug, Clone, Copy)]
#[must_use = "the gate is to be opened"]
pub(crate) struct Change {
    /// The value before.
    pub(crate) before: u64,
    waited: bool,
}

impl Change {
    fn of(before: u64) -> Self {
        Self {
            before: before & !WAITED,
            waited: before & WAITED != 0,
        }
    }
}

impl Gate {
    const_fn! {
        /// A gate that holds `value`, a multiple of [`UNIT`].
        pub(crate) const fn new(value: u64) -> Self {
            Self {
                word: AtomicU64::new(value),
                queue: Queue::new(()),
            }
        }
    }

    #[inline]
    pub(crate) fn load(&self) -> u64 {
        // pairs with: every change; what was done before it is seen.
        self.word.load(Ordering::Acquire) & !WAITED
    }

    /// Adds a multiple of [`UNIT`].
    #[inline]
    pub(crate) fn add(&self, units: u64) -> Change {
        // pairs with: the load in `load`, and the other changes
        Change::of(self.word.fetch_add(units, Ordering::AcqRel))
    }

    /// Takes a multiple of [`UNIT`] away.
    #[inline]
    pub(crate) fn sub(&self, units: u64) -> Change {
        // pairs with: as in `add`
        Change::of(self.word.fetch_sub(units, Ordering::AcqRel))
    }

    /// Sets bits other than WAITED.
    #[inline]
    pub(crate) fn set(&self, bits: u64) -> Change {
        // pairs with: as in `add`
        Change::of(self.word.fetch_or(bits, Ordering::AcqRel))
    }

    /// Puts the value that `next` makes of the present one; `Err` is the present one if that is
    /// `None`.
    #[inline]
    pub(crate) fn update(&self, mut next: impl FnMut(u64) -> Option<u64>) -> Result<Change, u64> {
        let mut word = self.word.load(Ordering::Acquire); // pairs with: as in `load`
        loop {
            let value = next(word & !WAITED).ok_or(word & !WAITED)?;
            match self.word.compare_exchange_weak(
                word,
                value | (word & WAITED),
                Ordering::AcqRel,  // pairs with: as in `add`
                Ordering::Acquire, // pairs with: as in `load`
            ) {
                Ok(_) => return Ok(Change::of(word)),
                Err(now) => word = now,
            }
        }
    }

    /// Lets all who wait look again (rule 1). Only without a lock.
    #[inline]
    pub(crate) fn open(&self, change: Change) {
        if change.waited {
            self.wake_all();
        }
    }

    #[cold]
    fn wake_all(&self) {
        let mut locked = self.queue.lock();
        // Relaxed: who sets it again holds the lock, and a change that misses it finds nobody.
        self.word.fetch_and(!WAITED, Ordering::Relaxed);
        locked.dismiss_all();
        self.queue.grant_leaving(locked);
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gate").field(&(self.load() / UNIT)).finish()
    }
}

/// What a place at a gate keeps of it.
#[derive(Debug)]
pub(crate) struct At<'a>(&'a Gate);

// SAFETY: a borrowed gate stays where it is, and so does its queue.
unsafe impl Home for At<'_> {
    type State = ();
    type Kind = ();

    fn queue(&self) -> &Queue<(), ()> {
        &self.0.queue
    }

    fn left(&self, _: &mut Locked<(), ()>, (): &(), _: &mut Wakes) {}

    fn returned(&self, (): ()) {}
}

/// A place at a gate, in a pinned future. Dropped, it leaves.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    waiter: Waiter<At<'a>>,
}

impl<'a> Place<'a> {
    pub(crate) fn new(gate: &'a Gate) -> Self {
        Self {
            waiter: Waiter::new(At(gate)),
        }
    }

    /// Ready as soon as `look` makes something of the value. `look` is none of the user's code, for it
    /// also runs under the lock.
    #[inline]
    pub(crate) fn poll<R>(
        self: Pin<&mut Self>,
        waker: &Waker,
        mut look: impl FnMut(u64) -> Option<R>,
    ) -> Poll<R> {
        // SAFETY: (1) the waiter is pinned as long as the place is: nothing moves it out, and the place
        // has no Drop of its own.
        let mut waiter = unsafe { self.map_unchecked_mut(|place| &mut place.waiter) };
        let gate = waiter.home().0;
        loop {
            if let Some(result) = look(gate.load()) {
                return Poll::Ready(result);
            }
            if waiter.is_idle() {
                let decide = |_: &mut Locked<(), ()>| {
                    // The waiter's half of "wait against change".
                    let word = gate.word.fetch_or(WAITED, Ordering::AcqRel); // pairs with: `add`, `sub`, `set`, `update`
                    match look(word & !WAITED) {
                        Some(result) => ControlFlow::Break(result),
                        None => ControlFlow::Continue(()),
                    }
                };
                return match waiter.as_mut().enqueue(Some(waker), decide) {
                    ControlFlow::Break(result) => Poll::Ready(result),
                    ControlFlow::Continue(()) => Poll::Pending,
                };
            }
            ready!(waiter.as_mut().poll_granted(waker));
        }
    }
}
