//! The lock of a channel, which is biased to the thread that uses it most.
//!
//! What it guards is short: some pointers and counters, a message moved; no user code, no waker. So the
//! dearest part of an operation is the read-modify-write that takes the lock, and most channels are used by
//! one thread for long: the scheduler runs who is woken where it was woken. So a thread that has taken
//! the lock many times in a row becomes its *owner*, and goes in and out by plain stores, until another
//! comes.
//!
//! ```text
//!                     `needed` times in a row by one thread
//!   owner = NOBODY -------------------------------------------->  owner = its place
//!        ^        <--------------------------------------------      |       ^
//!        |           another comes: takes `taken`, revokes           | enter | release
//!        | acquire, release: `taken`                                 v       |
//!        v                                                      place.inside[at] = the lock
//!    taken 0 / 1
//! ```
//!
//! # Invariants
//!
//! 1. `owner` and `history` are written by who has `taken` only.
//! 2. Inside is who has `taken` while `owner` is NOBODY or itself, or who has entered by its own place, the lock
//!    or all that it owns, while `owner` was that: never two.
//! 3. A place is written by its own thread only, and lives as long as the process.
//!
//! # The revocation race
//!
//! It is Dekker's, as that of a seat (`seat.rs`): the owner stores `inside` and then loads `owner`; who
//! revokes stores `owner` and then loads `inside`. The owner does so for each operation and others seldom,
//! so the owner has the light half of the fence, and who revokes the heavy one. Either the owner sees that
//! it is none any more, or the other sees it inside, and waits.
//!
//! Source: biased locking, after Kawachiya, Koseki and Onodera (2002), for the idea; the fence is that of
//! Dice, Huang and Yang's asymmetric Dekker synchronisation (2001).

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::time::{Duration, Instant};

use super::place;
use crate::primitive::hint::spin_loop;
use crate::primitive::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use crate::primitive::{Backoff, MODEL, fence_heavy, fence_light, has_process_fence};

/// How many pauses lie between two looks at a lock that is taken: doubled each time, and after the last
/// it naps. Few looks leave the lock's line with its holder, who does many operations in the time
/// that it would take to pass it to and fro. Measured with two processors on one channel: 163 ns a message
/// at capacity 0 and 42 at capacity 128 with 32 to 256 pauses (of 8 ns), 79 and 27 with these.
const PAUSES: std::ops::RangeInclusive<u32> = 512..=2048;

/// How often in a row a thread takes a lock before it becomes the owner, so that what it saves pays for the
/// revocation, of a few microseconds. Doubled by each, up to the second. In the model never: there the lock
/// is looked at by itself.
const NEEDED: std::ops::RangeInclusive<u32> = if MODEL {
    u32::MAX..=u32::MAX
} else {
    4_096..=65_536
};

/// How many locks one thread can be inside of as their owner, at once.
pub(crate) const PLACES: usize = if MODEL { 1 } else { 4 };

/// The `owner` of a lock that has none. Not null, which is the place of a thread that has none.
const NOBODY: *mut Place = ptr::without_provenance_mut(align_of::<Place>());

/// What a place says of who is inside of all that it owns.
const EVERYWHERE: *mut () = ptr::without_provenance_mut(align_of::<RawLock>());

/// Where a thread says of which locks it is inside as their owner.
#[derive(Debug)]
pub(crate) struct Place {
    inside: [AtomicPtr<()>; PLACES],
    /// How often the thread has waited for a lock, and for how many nanoseconds in all. They publish nothing
    /// but themselves.
    waits: AtomicU64,
    waited: AtomicU64,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            inside: std::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())),
            waits: AtomicU64::new(0),
            waited: AtomicU64::new(0),
        }
    }

    /// How often its threads have waited for locks, and how long in all. For anyone.
    pub(crate) fn waits(&self) -> (u64, Duration) {
        let waited = self.waited.load(Ordering::Relaxed);
        let waits = self.waits.load(Ordering::Relaxed);
        (waits, Duration::from_nanos(waited))
    }

    /// The thread has waited.
    fn add_wait(&self, time: Duration) {
        let add = |to: &AtomicU64, more: u64| {
            to.store(to.load(Ordering::Relaxed) + more, Ordering::Relaxed);
        };
        add(&self.waits, 1);
        add(&self.waited, time.as_nanos() as u64);
    }

    /// Whether the thread is, or may be, inside of the lock at this address.
    fn may_be_inside(&self, lock: *mut ()) -> bool {
        let is_it = |inside: &AtomicPtr<()>| {
            // pairs with: the stores in `enter`, in `release` and in the drop of `Everywhere`: what the owner did
            // inside is seen.
            let inside = inside.load(Ordering::Acquire);
            inside == lock || inside == EVERYWHERE
        };
        self.inside.iter().any(is_it)
    }
}

/// A thread, inside of all locks that it owns, at the price of one. It must not wait for anything
/// meanwhile: who revokes any of them waits for it.
#[derive(Debug)]
pub struct Everywhere {
    place: &'static Place,
}

impl Everywhere {
    /// Goes in, unless this thread cannot own locks. It must be inside of none.
    #[inline]
    pub(crate) fn enter() -> Option<Self> {
        // SAFETY: (1) places live for ever: invariant 3.
        let place = unsafe { place::here().as_ref() }?;
        let inside = &place.inside[0];
        debug_assert!(inside.load(Ordering::Relaxed).is_null());
        // Relaxed, unlike in `enter`: who meets it waits on, for the one in `drop`.
        inside.store(EVERYWHERE, Ordering::Relaxed);
        fence_light(); // StoreLoad; pairs with: the heavy fence in `revoke`.
        Some(Self { place })
    }

    /// Whether the lock is one of those, and so held.
    #[inline]
    pub(crate) fn holds(&self, lock: &RawLock) -> bool {
        // Relaxed: as in `enter`.
        ptr::eq(lock.owner.load(Ordering::Relaxed), self.place)
    }
}

impl Drop for Everywhere {
    #[inline]
    fn drop(&mut self) {
        // pairs with: the load in `may_be_inside`.
        self.place.inside[0].store(ptr::null_mut(), Ordering::Release);
    }
}

/// How a thread went into a lock, and so how it must go out.
#[derive(Debug)]
#[must_use = "who went in must go out"]
pub(crate) struct Entry {
    /// As its owner: what it has set.
    inside: Option<&'static AtomicPtr<()>>,
}

impl Entry {
    /// By the exchange.
    pub(crate) const SHARED: Self = Self { inside: None };
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Lock<T> {
    raw: RawLock,
    value: UnsafeCell<T>,
}

/// A lock without what it guards: of one type for all channels, so that a select goes in and out of several
/// without asking their types.
#[derive(Debug)]
pub struct RawLock {
    taken: AtomicU32,
    owner: AtomicPtr<Place>,
    history: UnsafeCell<History>,
}

/// Who has taken the lock lately.
#[derive(Debug)]
struct History {
    last: *const Place,
    /// How often in a row, and how often it has to be to become the owner.
    streak: u32,
    needed: u32,
}

// SAFETY: (1) the value is reached by who is inside only, invariant 2.
unsafe impl<T: Send> Send for Lock<T> {}
// SAFETY: as for Send.
unsafe impl<T: Send> Sync for Lock<T> {}

// SAFETY: (1) the history is reached by who has `taken` only, invariant 1; (2) places live for ever.
unsafe impl Send for RawLock {}
// SAFETY: as for Send.
unsafe impl Sync for RawLock {}

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self::with_needed(value, *NEEDED.start())
    }

    /// A lock that a thread must take `needed` times in a row to become the owner.
    pub(crate) fn with_needed(value: T, needed: u32) -> Self {
        let history = History {
            last: ptr::null(),
            streak: 0,
            needed,
        };
        Self {
            raw: RawLock {
                taken: AtomicU32::new(0),
                owner: AtomicPtr::new(NOBODY),
                history: UnsafeCell::new(history),
            },
            value: UnsafeCell::new(value),
        }
    }

    /// What is taken; see there.
    #[inline]
    pub(crate) fn raw(&self) -> &RawLock {
        &self.raw
    }

    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        Guard {
            entry: self.raw.acquire(0),
            lock: self,
        }
    }

    /// Whether this thread is the owner.
    #[cfg(test)]
    pub(crate) fn is_mine(&self) -> bool {
        ptr::eq(self.raw.owner.load(Ordering::Relaxed), place::here())
    }

    /// The value.
    ///
    /// # Safety
    ///
    /// The caller must be inside by `acquire`, and not use two of these at once.
    #[inline]
    #[allow(
        clippy::mut_from_ref,
        reason = "the lock is what makes it the only one"
    )]
    pub(crate) unsafe fn value(&self) -> &mut T {
        // SAFETY: the caller's promise.
        unsafe { &mut *self.value.get() }
    }
}

impl RawLock {
    fn address(&self) -> *mut () {
        ptr::from_ref(self).cast_mut().cast()
    }

    /// Goes in without a guard, as number `at` of the locks that this thread is inside of at once; `release`
    /// must follow.
    #[inline]
    pub(crate) fn acquire(&self, at: usize) -> Entry {
        let place = place::here();
        if ptr::eq(self.owner.load(Ordering::Relaxed), place) {
            // SAFETY: (1) an owner is a place, (2) and places live for ever: invariant 3.
            if let Some(entry) = self.enter(unsafe { &*place }, at) {
                return entry;
            }
        }
        self.acquire_shared();
        Entry::SHARED
    }

    /// The owner, which this thread was a moment ago, goes in, if it is still.
    #[inline]
    fn enter(&self, place: &'static Place, at: usize) -> Option<Entry> {
        let inside = place.inside.get(at)?;
        debug_assert!(inside.load(Ordering::Relaxed).is_null());
        // pairs with: the load in `may_be_inside`, which may meet this store in place of the one in `release`,
        // and must see what came before that, too.
        inside.store(self.address(), Ordering::Release);
        fence_light(); // StoreLoad; pairs with: the heavy fence in `revoke`.
        // Relaxed: since this thread became the owner nobody else was inside.
        if ptr::eq(self.owner.load(Ordering::Relaxed), place) {
            let inside = Some(inside);
            return Some(Entry { inside });
        }
        inside.store(ptr::null_mut(), Ordering::Release); // pairs with: `may_be_inside`.
        None
    }

    /// Goes in by the exchange.
    #[inline]
    fn acquire_shared(&self) {
        // pairs with: the store in `release`.
        let taken = self
            .taken
            .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed);
        if taken.is_err() {
            self.acquire_slow();
        }
        let place = place::settle();
        // SAFETY: (1) invariant 1: we have `taken`.
        let history = unsafe { &mut *self.history.get() };
        let owner = self.owner.load(Ordering::Relaxed);
        if !ptr::eq(owner, NOBODY) {
            if !ptr::eq(owner, place) {
                // SAFETY: (1) an owner is a place, (2) and places live for ever: invariant 3.
                self.revoke(unsafe { &*owner }, history);
                history.last = place;
            }
        } else if ptr::eq(history.last, place) {
            history.streak += 1;
            if history.streak >= history.needed {
                self.make_owner(place, history);
            }
        } else {
            history.last = place;
            history.streak = 0;
        }
    }

    #[cold]
    fn acquire_slow(&self) {
        let start = Instant::now();
        self.wait();
        // SAFETY: (1) places live for ever: invariant 3.
        if let Some(place) = unsafe { place::settle().as_ref() } {
            place.add_wait(start.elapsed());
        }
    }

    fn wait(&self) {
        let (mut pauses, mut backoff) = (*PAUSES.start(), Backoff::default());
        loop {
            // A look first, so that the line is not pulled from the holder in vain.
            if self.taken.load(Ordering::Relaxed) == 0
                && self
                    .taken
                    .compare_exchange_weak(0, 1, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
            {
                return;
            }
            if pauses <= *PAUSES.end() && !MODEL {
                for _ in 0..pauses {
                    spin_loop();
                }
                pauses *= 2;
            } else {
                backoff.nap();
            }
        }
    }

    #[cold]
    fn make_owner(&self, place: *const Place, history: &mut History) {
        history.streak = 0;
        // Without the fence of the whole process to be an owner saves nothing. Who revokes has taken the lock
        // after this, and so sees that there is the fence, too.
        if has_process_fence() && !place.is_null() {
            // Relaxed: who reads it next has `taken`, or is this thread.
            self.owner.store(place.cast_mut(), Ordering::Relaxed);
        }
    }

    /// For who has `taken`: the owner is none any more, and is not inside.
    #[cold]
    fn revoke(&self, owner: &Place, history: &mut History) {
        self.owner.store(NOBODY, Ordering::Relaxed);
        fence_heavy(); // StoreLoad; pairs with: the light fence in `enter`.
        let mut backoff = Backoff::default();
        while owner.may_be_inside(self.address()) {
            // It has a few instructions to go, unless it is off CPU.
            backoff.wait();
        }
        history.streak = 0;
        history.needed = history.needed.saturating_mul(2).min(*NEEDED.end());
    }

    /// Goes out.
    ///
    /// # Safety
    ///
    /// The caller must have gone in by `acquire`, which returned `entry`, and use nothing of the value any more.
    #[inline]
    pub(crate) unsafe fn release(&self, entry: Entry) {
        match entry.inside {
            // pairs with: the load in `may_be_inside`.
            Some(inside) => inside.store(ptr::null_mut(), Ordering::Release),
            // pairs with: the exchanges that take it.
            None => self.taken.store(0, Ordering::Release),
        }
    }
}

/// The lock, taken.
#[derive(Debug)]
pub(crate) struct Guard<'a, T> {
    lock: &'a Lock<T>,
    entry: Entry,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: (1) the guard is the lock, taken.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and the guard is borrowed as a whole.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let entry = std::mem::replace(&mut self.entry, Entry::SHARED);
        // SAFETY: (1) the guard was made by `lock`; (2) its borrows have ended.
        unsafe { self.lock.raw.release(entry) };
    }
}
