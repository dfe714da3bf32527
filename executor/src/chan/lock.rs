//! The lock of a channel: one byte.
//!
//! What it guards is short: some pointers and counters, a message moved; no user code, no waker. So to
//! take it costs one read-modify-write and to release it a plain store, half of what a lock costs that
//! can put threads to sleep. Who finds it taken spins for as long as the holder would need if it
//! runs, and then lets others run, for it may be off CPU.
//!
//! ```text
//!   FREE (0) --- lock: exchange ---> TAKEN (1) --- Guard::drop: store ---> FREE
//! ```

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};

use crate::primitive::MODEL;
use crate::primitive::hint::spin_loop;
use crate::primitive::sync::atomic::{AtomicU32, Ordering};
use crate::primitive::thread::yield_now;

/// How many pauses lie between two looks: doubled each time, and after the last others are let run. Few looks
/// leave the lock's line with its holder, who does several operations in the time that it would take to
/// pass it to and fro. Measured with two processors on one channel of capacity 128: up to 290 ns a message
/// with a look after each pause, up to 121 with 4 to 128 of them, up to 54 with these.
const PAUSES: std::ops::RangeInclusive<u32> = 32..=256;

/// See the module.
#[derive(Debug)]
pub(crate) struct Lock<T> {
    taken: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: (1) the value is reached through a guard only, and there is one guard at a time.
unsafe impl<T: Send> Send for Lock<T> {}
// SAFETY: as for Send.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            taken: AtomicU32::new(0),
            value: UnsafeCell::new(value),
        }
    }

    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        self.acquire();
        Guard { lock: self }
    }

    /// Takes the lock without a guard; `release` must follow.
    #[inline]
    pub(crate) fn acquire(&self) {
        // pairs with: the store in `release`.
        if self
            .taken
            .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            self.acquire_slow();
        }
    }

    #[cold]
    fn acquire_slow(&self) {
        let mut pauses = *PAUSES.start();
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
                yield_now();
            }
        }
    }

    /// Gives the lock back.
    ///
    /// # Safety
    ///
    /// The caller must have taken it by `acquire`, and use nothing of the value any more.
    #[inline]
    pub(crate) unsafe fn release(&self) {
        self.taken.store(0, Ordering::Release); // pairs with: `acquire`.
    }

    /// The value.
    ///
    /// # Safety
    ///
    /// The caller must hold the lock by `acquire`, and not use two of these at once.
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

/// The lock, taken.
#[derive(Debug)]
pub(crate) struct Guard<'a, T> {
    lock: &'a Lock<T>,
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
        // SAFETY: (1) the guard was made by `lock`; (2) its borrows have ended.
        unsafe { self.lock.release() };
    }
}
