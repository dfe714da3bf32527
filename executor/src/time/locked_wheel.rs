//! A wheel under a lock, and when it wants to be turned next.
//!
//! # Its memory is never freed
//!
//! An alarm points to the wheel in which it is filed. To count those pointers would cost two atomic
//! operations for each timer, a sixth of what a time-out costs that does not fire. Instead a
//! `LockedWheel` lives for ever: one whose runtime is gone is closed and waits in [`SPARE`] for
//! the next runtime. So there are at most as many as there were Ps at one time, and whoever
//! finds its alarm ARMED may take the lock, even if that was a moment ago and the wheel has another
//! runtime by now: under the lock it sees that the alarm was closed (rule 5 of
//! [`entry`](super::entry)), and touches nothing.
//!
//! # Invariants
//!
//! 1. `next` is at most the tick at which the wheel has something to do; it is exact right after an
//!    entry was armed in an empty wheel, after a fire, and after the last entry of a slot was removed.
//! 2. `next` is written under the lock. Who reads it without the lock before it goes to sleep must
//!    publish how long it will sleep, then issue a SeqCst fence (or be ordered by the lock of the P it
//!    gives up), then read: that pairs with the fence in `Timers::announce`.
//! 3. Nothing is woken, dropped or called under the lock, but for entries' own functions.
//! 4. While `closed`, the wheel is empty.

use std::{pin::Pin, ptr::NonNull, sync::PoisonError, task::Waker};

use super::{
    entry::{Entry, LAST_TICK, State},
    tick,
    timers::Armed,
    wheel::{Progress, Wheel},
};
use crate::primitive::{
    MODEL, delay,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

/// How many entries are handled before the lock is given back for a moment. A guess: some
/// microseconds of work.
const BATCH: usize = if MODEL { 1 } else { 64 };

/// Wheels without a runtime. Not of `primitive`, because it outlives a run of a model.
static SPARE: std::sync::Mutex<Vec<&'static LockedWheel>> = std::sync::Mutex::new(Vec::new());

pub(crate) struct LockedWheel {
    next: AtomicU64,
    locked: Mutex<Locked>,
}

struct Locked {
    wheel: Wheel<Entry>,
    closed: bool,
}

// SAFETY: the wheel's pointers lead to entries, which are Send and Sync and outlive their being filed.
unsafe impl Send for Locked {}

impl LockedWheel {
    /// A wheel for a runtime that starts.
    pub(crate) fn take() -> &'static Self {
        let spare = if MODEL { None } else { spare().pop() };
        let wheel = spare.unwrap_or_else(|| Box::leak(Box::new(Self::new())));
        wheel.reopen();
        wheel
    }

    /// The end of the runtime that has taken the wheel, and has closed it.
    pub(crate) fn give_back(&'static self) {
        debug_assert!(self.lock().closed);
        if !MODEL {
            spare().push(self);
        }
    }

    pub(crate) fn new() -> Self {
        Self {
            next: AtomicU64::new(tick::NEVER),
            locked: Mutex::new(Locked {
                wheel: Wheel::new(),
                closed: true,
            }),
        }
    }

    /// Begins to count from tick 0 of another clock.
    pub(crate) fn reopen(&self) {
        let mut locked = self.lock();
        debug_assert!(locked.closed && locked.wheel.len() == 0);
        locked.wheel.restart();
        locked.closed = false;
    }

    #[inline]
    pub(crate) fn next(&self) -> u64 {
        // Relaxed: the wheel itself is read under the lock. See invariant 2 for sleepers.
        self.next.load(Ordering::Relaxed)
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().wheel.len()
    }

    #[cold]
    pub(crate) fn fire(&self, now: u64, out: &mut Vec<Waker>) {
        loop {
            out.reserve(BATCH);
            let mut locked = self.lock();
            let progress = locked.wheel.expire(now, BATCH, &mut |entry, now| {
                // SAFETY: it was filed, so it is a live entry.
                let entry = unsafe { entry.as_ref() };
                // SAFETY: we hold the lock of the wheel that gave us the entry; the wheel does not
                // touch it again if it fired.
                unsafe { entry.fire(now) }.collect(out)
            });
            self.publish(&locked.wheel);
            drop(locked);
            delay::here("fire: between two batches");
            if progress == Progress::Done {
                return;
            }
        }
    }

    pub(crate) fn close(&self, out: &mut Vec<Waker>) {
        out.reserve(self.len());
        let mut locked = self.lock();
        locked.closed = true;
        while let Some(entry) = locked.wheel.pop_any() {
            // SAFETY: it was filed, so it is a live entry.
            let entry = unsafe { entry.as_ref() };
            // SAFETY: we hold the lock, and the entry is out of the wheel.
            out.push(unsafe { entry.close() });
        }
        self.publish(&locked.wheel);
    }

    /// Files `entry` at `tick`.
    ///
    /// # Safety
    ///
    /// Only for the owner of an entry that is not ARMED, and which does not move or free it before it
    /// has called [`LockedWheel::disarm`] here or has seen the entry FIRED or CLOSED.
    #[inline]
    pub(crate) unsafe fn arm(&self, entry: Pin<&Entry>, tick: u64, waker: Waker) -> Armed {
        let tick = tick.min(LAST_TICK);
        let mut locked = self.lock();
        if locked.closed {
            return Armed::Closed(waker);
        }
        // SAFETY: the entry is in no wheel, since it is not ARMED, and the caller promises the rest.
        if !unsafe { locked.wheel.insert(NonNull::from(entry.get_ref()), tick) } {
            return Armed::Due(waker);
        }
        // SAFETY: we act for the owner and hold the lock under which the entry was filed.
        unsafe { entry.arm(tick, waker) };
        // Relaxed: written under the lock, which we hold.
        if tick < self.next.load(Ordering::Relaxed) {
            self.next.store(tick, Ordering::Relaxed);
            Armed::First
        } else {
            Armed::Waiting
        }
    }

    /// Takes `entry` out of the wheel with its waker; `None` if it was fired or closed meanwhile.
    ///
    /// # Safety
    ///
    /// Only for the owner of an entry that was armed here.
    #[inline]
    pub(crate) unsafe fn disarm(&self, entry: Pin<&Entry>) -> Option<Waker> {
        let mut locked = self.lock();
        // SAFETY: we act for the owner, hold the lock, and take the entry out below.
        let waker = unsafe { entry.disarm() }?;
        // SAFETY: it was ARMED, so it is filed here.
        if unsafe { locked.wheel.remove(NonNull::from(entry.get_ref())) } {
            self.publish(&locked.wheel);
        }
        Some(waker)
    }

    /// Gives `entry` another waker; returns the one that it no longer has.
    ///
    /// # Safety
    ///
    /// Only for the owner of an entry that was armed here.
    pub(crate) unsafe fn exchange_waker(&self, entry: &Entry, waker: Waker) -> (Waker, State) {
        let _locked = self.lock();
        // SAFETY: we act for the owner and hold the lock.
        let (Ok(waker) | Err(waker)) = unsafe { entry.exchange_waker(waker) };
        (waker, entry.state())
    }

    fn publish(&self, wheel: &Wheel<Entry>) {
        // Relaxed: see `next`.
        self.next.store(
            wheel.next_expiration().unwrap_or(tick::NEVER),
            Ordering::Relaxed,
        );
    }

    fn lock(&self) -> MutexGuard<'_, Locked> {
        // No code of others runs under the lock, so a poisoned one is as good as any.
        self.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The list of spare wheels, held while the process forks.
#[cfg(unix)]
pub(crate) type Wheels = std::sync::MutexGuard<'static, Vec<&'static LockedWheel>>;

#[cfg(unix)]
pub(crate) fn hold() -> Wheels {
    spare()
}

fn spare() -> std::sync::MutexGuard<'static, Vec<&'static LockedWheel>> {
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}
