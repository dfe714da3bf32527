//! The timers of one P: a wheel under a lock, and when it wants to be turned next.
//!
//! There is one `Timers` per P and one per runtime for threads that hold no P. A timer is armed in
//! that of the thread which polls it first and stays there until it fires or is dropped, also when
//! its task moves on to another P. Anyone may turn any wheel: the P's owner does, and a thief or the
//! poller when the owner is stuck.
//!
//! # Invariants
//!
//! 1. `next` is at most the tick at which the wheel has something to do; it is exact right after an
//!    entry was armed in an empty wheel, after a fire, and after the last entry of a slot was removed.
//! 2. `next` is written under the lock. Who reads it without the lock before it goes to sleep must
//!    publish how long it will sleep, then issue a SeqCst fence (or be ordered by the lock of the P it
//!    gives up), then read: that pairs with the fence in `Timers::announce`.
//! 3. Nothing is woken, dropped or called under the lock, but for entries' own functions.
//! 4. `closed` is set once. After that the wheel is empty for good.

use std::{fmt, pin::Pin, ptr::NonNull, sync::PoisonError, task::Waker, time::Instant};

use super::{
    entry::{Entry, LAST_TICK, State},
    tick,
    wheel::{Progress, Wheel},
};
use crate::primitive::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering, fence},
};

/// How many entries are handled before the lock is given back for a moment. A guess: some
/// microseconds of work.
const BATCH: usize = 64;

/// Called with the tick of a timer that has become the first to fire of all in its `Timers`.
pub(crate) type Earlier = Box<dyn Fn(u64) + Send + Sync>;

/// How arming went. Where a waker comes back, it was not kept.
#[derive(Debug)]
#[must_use]
pub(crate) enum Armed {
    /// Filed.
    Waiting,
    /// Filed, and nothing in this wheel is due earlier.
    First,
    /// Not filed: the tick has come already.
    Due(Waker),
    /// Not filed: the tick never comes.
    Never(Waker),
    /// Not filed: the timers are closed.
    Closed(Waker),
}

pub(crate) struct Timers {
    next: AtomicU64,
    locked: Mutex<Locked>,
    origin: Instant,
    earlier: Option<Earlier>,
}

struct Locked {
    wheel: Wheel<Entry>,
    closed: bool,
}

// SAFETY: the wheel's pointers lead to entries, which are Send and Sync and outlive their being filed.
unsafe impl Send for Locked {}

impl Timers {
    /// Timers that count ticks from `origin`, which is [`Clock::origin`](super::clock::Clock::origin)
    /// of the runtime.
    ///
    /// `earlier` is for timers that no run loop watches: it is called outside all locks, by the thread
    /// that has armed a timer which is now the first of all, and must see to it that somebody turns
    /// the wheel in time.
    pub(crate) fn new(origin: Instant, earlier: Option<Earlier>) -> Self {
        Self {
            next: AtomicU64::new(tick::NEVER),
            locked: Mutex::new(Locked {
                wheel: Wheel::new(),
                closed: false,
            }),
            origin,
            earlier,
        }
    }

    /// The tick at which [`Timers::fire`] will have something to do, or [`NEVER`](tick::NEVER). It may
    /// be too early, never too late.
    #[inline]
    pub(crate) fn next(&self) -> u64 {
        // Relaxed: the wheel itself is read under the lock. See invariant 2 for sleepers.
        self.next.load(Ordering::Relaxed)
    }

    /// How many timers wait here.
    pub(crate) fn len(&self) -> usize {
        self.lock().wheel.len()
    }

    /// Takes the wakers of everything that is due at `now` out of the wheel, to be woken by the
    /// caller.
    #[inline]
    pub(crate) fn fire(&self, now: u64, out: &mut Vec<Waker>) {
        if self.next() <= now {
            self.fire_slow(now, out);
        }
    }

    #[cold]
    fn fire_slow(&self, now: u64, out: &mut Vec<Waker>) {
        loop {
            out.reserve(BATCH);
            let mut locked = self.lock();
            let progress = locked.wheel.expire(now, BATCH, &mut |entry| {
                // SAFETY: it was filed, so it is a live entry.
                let entry = unsafe { entry.as_ref() };
                // SAFETY: we hold the lock of the wheel that gave us the entry; the wheel does not
                // touch it again if it fired.
                unsafe { entry.fire(now) }.collect(out)
            });
            self.publish(&locked.wheel);
            drop(locked);
            if progress == Progress::Done {
                return;
            }
        }
    }

    /// Ends all timers, at the shutdown of the runtime: takes their wakers, to be woken by the caller,
    /// and lets nobody arm another one. Polling one of these timers panics from now on.
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

    /// The first tick that is not before `deadline`.
    pub(crate) fn tick_ceil(&self, deadline: Instant) -> u64 {
        tick::ceil(self.origin, deadline)
    }

    /// Files `entry` at `tick`.
    ///
    /// # Safety
    ///
    /// Only for the owner of an entry that is not ARMED, and which does not move or free it before it
    /// has called [`Timers::disarm`] here or has seen the entry FIRED or CLOSED.
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

    /// Has `earlier` called after a timer has become the first. To be called outside all locks.
    #[inline]
    pub(crate) fn announce(&self, tick: u64) {
        if let Some(earlier) = &self.earlier {
            // StoreLoad: `next` was written before the hook looks who sleeps for how long; pairs with:
            // the fence of a sleeper (invariant 2).
            fence(Ordering::SeqCst);
            earlier(tick);
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

impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers")
            .field("next", &self.next())
            .finish_non_exhaustive()
    }
}
